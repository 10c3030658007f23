//! What is written is what is read; what is damaged is refused, by name: the list of damages is `damage`.

use super::*;
use crate::names::{Affiliation, Nick, Role, Status};
use sha2::{Digest, Sha256};
use xmpp::{Element, ns};

fn jid(text: &str) -> xmpp::Jid {
    text.parse().unwrap()
}

fn reread(element: &Element) -> Element {
    Element::parse(&element.to_xml()).unwrap()
}

fn at(kind: Kind) -> At {
    At::new("e9k2", 17, kind)
}

#[test]
fn what_is_written_down_is_what_is_read() {
    let config = RoomConfig {
        whois_anyone: false,
        moderated: true,
        broadcast: vec![Role::Moderator, Role::Participant],
        private_messages: None,
        history: 20,
        logging: true,
    };
    let session = jid("rubenro@vesa.yeggmaex.irc/shaver");
    let wanted =
        Wanted { maxchars: Some(0), maxstanzas: Some(20), seconds: Some(180), since_ms: Some(655_862_317_000) };
    let marked = At {
        seq: Some(812),
        part: Some((1, 2)),
        ack: Some(Ack { outbox: "o7f3".into(), n: 41 }),
        own_only: true,
        own: Some(vec![Status::SELF, Status::NICK_ASSIGNED]),
        ..at(Kind::Event)
    };
    let seat = SeatJid { nick: "BigCheese".parse().unwrap(), jid: session.clone() };
    let nicks: Vec<Nick> = vec!["BigCheese".parse().unwrap(), "Efchen".parse().unwrap()];
    let standing = Membership { affiliation: Affiliation::Member, role: Role::Participant, occupant_id: "o1".into() };
    let member = Member { jid: session.bare(), standing: Some(standing) };
    let gone = Member { jid: jid("msa@vesa.yeggmaex.irc"), standing: None };
    for (down, at) in [
        (Down::Event { said_ms: Some(655_862_317_000), config: Some(config.clone()) }, marked),
        (Down::Event { said_ms: None, config: None }, At { seq: Some(1), own: Some(vec![]), ..at(Kind::Event) }),
        (Down::Enter { jid: session.clone(), history: wanted }, at(Kind::Enter)),
        (Down::Enter { jid: session.clone(), history: Wanted::default() }, at(Kind::Enter)),
        (Down::Leave { jid: session }, at(Kind::Leave)),
        (Down::Config(config), at(Kind::Config)),
        (Down::Roster, at(Kind::Roster)),
        (Down::Past { said_ms: Some(1) }, At { seq: Some(7), ..at(Kind::Missed) }),
        (Down::Past { said_ms: None }, at(Kind::Subject)),
        (Down::Synced { gap: false }, At { seq: Some(812), ..at(Kind::Synced) }),
        (Down::Synced { gap: true }, At { seq: Some(812), ..at(Kind::Synced) }),
        (Down::Jids(vec![seat]), at(Kind::Jids)),
        (Down::Resend { outbox: "o7f3".into(), from: 42 }, at(Kind::Resend)),
        (
            Down::Away(Away { site: Some("vesa.yeggmaex.irc".into()), lifted: false, nicks: nicks.clone() }),
            at(Kind::Away),
        ),
        (Down::Away(Away { site: None, lifted: true, nicks }), at(Kind::Away)),
        (Down::Members(Members(vec![member, gone])), at(Kind::Members)),
        (Down::Digest([7; 32]), At { seq: Some(812), ..at(Kind::Digest) }),
    ] {
        let x = down.x().child(at.element());
        assert_eq!(Down::parse(&reread(&x)), Ok((down, at)), "{x}");
    }
}

#[test]
fn what_is_written_up_is_what_is_read() {
    let mark = UpMark { outbox: "o7f3".into(), n: 42, epoch: Some("e9k2".into()), ..UpMark::default() };
    let said = UpMark { said: Some(1_769_947_201_250), base: Some(812), ..mark.clone() };
    let kick = UpMark { kicker: Some("WiZ".parse().unwrap()), reason: Some("of course".into()), ..said.clone() };
    for mark in [mark, said, kick] {
        assert_eq!(Up::parse(&reread(&mark.x())), Ok(Up::Mark(mark)));
    }
    let reported = Reported { epoch: "e9k3".into() };
    assert_eq!(Up::parse(&reread(&reported.x())), Ok(Up::Reported(reported)));
    let stale = Stale { epoch: "e8".into() };
    assert_eq!(Up::parse(&reread(&stale.x())), Ok(Up::Stale(stale)));
    let refused = Refused { jid: jid("rubenro@vesa.yeggmaex.irc/shaver"), epoch: "e9k2".into() };
    assert_eq!(Up::parse(&reread(&refused.x())), Ok(Up::Refused(refused)));
}

#[test]
fn a_registration_is_read_as_written() {
    let request = Replicate {
        version: VERSION,
        keepalive: 60,
        maxstanzas: 100,
        maxbytes: 65_536,
        outboxes: vec![Outbox { name: "o7f3".into(), from: 1 }, Outbox { name: "o6aa".into(), from: 8 }],
        domains: vec![jid("yeggmaex.irc")],
        resume: Some(Resume {
            incarnation: "i1".into(),
            term: "t1".into(),
            seq: 801,
            archive: Some("a-b_c".into()),
            roster: RosterHeld::Wrong,
        }),
        members: true,
        census: Some((
            41,
            vec![CensusSeat {
                nick: "BigCheese".parse().unwrap(),
                jid: jid("rubenro@vesa.yeggmaex.irc/shaver"),
                payload: vec![Element::new("show", ns::CLIENT).text("away")],
            }],
        )),
    };
    let changes = |jids| RosterHeld::AsOfSeq { jids };
    for roster in [RosterHeld::Wrong, RosterHeld::None, changes(false), changes(true)] {
        let request = Replicate { resume: request.resume.clone().map(|r| Resume { roster, ..r }), ..request.clone() };
        assert_eq!(Replicate::parse(&reread(&request.element())), Ok(request));
    }
}

#[test]
fn addresses_are_known_of_a_roster_that_is_held() {
    let resume = |held: &str| {
        let resume = format!("<resume incarnation='i1' term='t1' seq='1' {held}/>");
        let text = format!(
            "<replicate xmlns='urn:netjoin:dmuc:0' version='0' keepalive='60' maxstanzas='100' maxbytes='65536'>\
             <outbox name='o1' from='1'/>{resume}</replicate>"
        );
        Replicate::parse(&Element::parse(&text).expect("a test's stanza")).is_ok()
    };
    assert!(resume("roster='changes' jids='known'"));
    for held in ["jids='known'", "roster='full' jids='known'", "roster='changes' jids='some'", "roster='some'"] {
        assert!(!resume(held), "{held}");
    }
}

#[test]
fn a_grant_is_read_as_written() {
    let seat = |nick: &str, verdict| Seat {
        nick: nick.parse().unwrap(),
        jid: jid("rubenro@vesa.yeggmaex.irc/shaver"),
        verdict,
    };
    let removed =
        Removed { status: Status::KICKED, actor: Some("WiZ".parse().unwrap()), reason: Some("of course".into()) };
    let granted = Granted {
        version: VERSION,
        epoch: "e9k2".into(),
        incarnation: "i1".into(),
        term: "t1".into(),
        begun: 800,
        seq: 812,
        keepalive: 60,
        maxstanzas: 100,
        maxbytes: 65_536,
        roster: RosterSent::Changes,
        history: HistorySent::Missed,
        marks: vec![Mark { outbox: "o7f3".into(), n: 41, key: [7; 32] }],
        seats: vec![
            seat("BigCheese", Verdict::Kept),
            seat("Efchen", Verdict::Reenter),
            seat("Troy", Verdict::Removed(removed)),
        ],
    };
    assert_eq!(Granted::parse(&reread(&granted.element())), Ok(granted.clone()));
    let verdicts_only = Granted { roster: RosterSent::None, history: HistorySent::None, ..granted };
    assert_eq!(Granted::parse(&reread(&verdicts_only.element())), Ok(verdicts_only));
}

#[test]
fn heads_and_ends_are_read_as_written() {
    let head = Head {
        room: jid("wallops@channel.avalon.irc"),
        epoch: "e9k2".into(),
        d: 412,
        ack: Some(Ack { outbox: "o7f3".into(), n: 41 }),
    };
    let heads = Heads::Down(vec![head]);
    assert_eq!(Heads::parse(&reread(&heads.element())), Ok(heads));
    let sent = Sent { room: jid("wallops@channel.avalon.irc"), epoch: "e9k2".into(), outbox: "o7f3".into(), n: 44 };
    let heads = Heads::Up(vec![sent]);
    assert_eq!(Heads::parse(&reread(&heads.element())), Ok(heads));
    for deserted in [false, true] {
        let withdraw = Withdraw { epoch: Some("e9k2".into()), deserted };
        assert_eq!(Withdraw::parse(&reread(&withdraw.element())), Ok(withdraw));
    }
    assert_eq!(Withdrawn::parse(&reread(&Withdrawn { seq: 831 }.element())), Ok(Withdrawn { seq: 831 }));
    let destroyed = Destroyed {
        incarnation: "i1".into(),
        venue: Some(jid("lounge@channel.avalon.irc")),
        reason: Some("moved".into()),
    };
    let error =
        Element::new("error", ns::CLIENT).child(Element::new("gone", ns::STANZA_ERRORS)).child(destroyed.element());
    assert_eq!(Destroyed::find(&reread(&error)), Some(Ok(destroyed)));
    assert_eq!(Retry::parse(&reread(&Retry { after: 30 }.element())), Ok(Retry { after: 30 }));
}

/// `docs/wire.md`, *Registration*, byte by byte: both ends, whoever wrote them, come to the same id.
#[test]
fn an_id_is_its_outbox_key_and_number() {
    let key = ids::decode_key("bP1_fz1Bx4XyNlWGMMj_Umn2tquXOqcR6qla_OxofbA").expect("a key");
    assert_eq!(ids::message_id(&key, 42), "BE--SVjFT13isMRLZY4AbJAB");
    assert_eq!(ids::decode_key(&ids::encode_key(&key)), Some(key));
}

/// The byte form of `docs/wire.md`, *Digest*, byte by byte.
#[test]
fn a_digest_is_of_the_bytes_that_are_stated() {
    let presence = Element::parse(
        "<presence from='wallops@channel.avalon.irc/Troy'><show>a&amp;b</show><c xmlns='urn:c' z='y' a='b'><d/>.</c>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item role='participant' jid='troy@eris.dclxvii.irc/x'/></x>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='o1'/></presence>",
    )
    .unwrap();
    let (wiz, troy) = ("WiZ".parse().unwrap(), "Troy".parse().unwrap());
    let mut digest = RosterDigest::default();
    digest.seat(&troy, (Affiliation::None, Role::Participant), Some("o1"), presence.children());
    digest.seat(&wiz, (Affiliation::Admin, Role::Moderator), None, [].iter());
    let stated = "STroy\0none\0participant\0o1\0(jabber:client\0show\0'a&b\0)(urn:c\0c\0@\0a\0b\0@\0z\0y\0(urn:c\0d\0)'.\0)\
                  SWiZ\0admin\0moderator\0\0";
    assert_eq!(digest.finish(), <[u8; 32]>::from(Sha256::digest(stated)));
}
