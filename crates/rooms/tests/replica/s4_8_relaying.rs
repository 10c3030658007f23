//! XEP-0282 4.8, "Replica Forwards Stanza to Primary", and the outbox of `docs/wire.md`.

use crate::site::*;
use machine::Input;
use rooms::wire::{Ack, At, Down, Heads, Kind, UpMark};
use xmpp::{Element, ns};

fn eris() -> Site {
    Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ), ("Troy", TROY)])
}

/// The same, and the room has acknowledged their joins.
fn acknowledged() -> Site {
    let mut site = eris();
    let at = At { ack: Some(Ack { outbox: site.outbox(), n: 2 }), ..site.at(Kind::Event, Some(810)) };
    site.down_at(&presence("Wumpus", "owner", "moderator"), Down::Event { said_ms: None, config: None }, at);
    site
}

/// The marks of what was relayed.
fn numbers(left: &[Element]) -> Vec<u64> {
    left.iter().filter_map(UpMark::find).map(|mark| mark.unwrap().n).collect()
}

/// Listing 8: `from` is retained; the mark is the last child and bears the epoch.
#[test]
fn listing_8_a_message_is_relayed() {
    // XEP-0282 4.8-a
    let mut site = Site::with_users("vesa.yeggmaex.irc", &[("BigCheese", BIGCHEESE)]);
    let outbox = site.outbox();
    let left = site.send(&says(BIGCHEESE, "Phaedrus, we're all having a truly rotten time."));
    let expected = format!(
        "<message from='{BIGCHEESE}' type='groupchat' to='{ROOM}'>\
         <body>Phaedrus, we're all having a truly rotten time.</body>\
         <x xmlns='{}'><up xmlns='{}' outbox='{outbox}' n='2' epoch='e1'/></x></message>",
        ns::DMUC,
        ns::NETJOIN
    );
    assert_eq!(lines(&left), [xml(&expected)]);
}

/// What is between a user and the room, or of somebody who is not in it, is not marked.
#[test]
fn s4_8_one_to_one_stanzas_pass_unmarked() {
    let mut site = eris();
    for stanza in [
        format!("<message from='{WIZ}' type='chat' to='{ROOM}/Wumpus'><body>psst</body></message>"),
        format!("<iq from='{WIZ}' type='get' id='1' to='{ROOM}/Wumpus'><vCard xmlns='vcard-temp'/></iq>"),
        says("kev@eris.dclxvii.irc/x", "let me in"),
    ] {
        assert_eq!(lines(&site.send(&stanza)), [xml(&stanza)]);
    }
}

/// What is acknowledged is no longer on disk once the next is written; presence never is.
#[test]
fn s4_8_the_outbox_keeps_what_has_no_outcome() {
    let mut site = eris();
    let outbox = site.outbox();
    site.send(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'><show>away</show></presence>"));
    assert_eq!(site.records.keys().filter(|key| key.0 == "outbox").count(), 0);
    site.send(&says(WIZ, "one"));
    site.send(&says(WIZ, "two"));
    assert_eq!(site.records.keys().filter(|key| key.0 == "outbox").count(), 2);
    let at = At { ack: Some(Ack { outbox, n: 5 }), ..site.at(Kind::Event, Some(810)) };
    site.down_at(&groupchat("WiZ", "two", 810), Down::Event { said_ms: Some(THEN_MS), config: None }, at);
    assert_eq!(site.replica.links(site.now)[0].outbox, 0);
    site.send(&says(WIZ, "three"));
    let kept: Vec<_> = site.records.iter().filter(|(key, _)| key.0 == "outbox").collect();
    assert!(kept.len() == 1 && kept[0].1.contains("three"), "{kept:?}");
}

/// `<resend/>`: everything from there on, in order.
#[test]
fn s4_8_what_did_not_arrive_is_sent_again() {
    let mut site = eris();
    let outbox = site.outbox();
    for body in ["one", "two", "three"] {
        site.send(&says(WIZ, body));
    }
    let message = format!("<message from='{ROOM}'/>");
    let got = site.down(&message, Down::Resend { outbox, from: 4 }, Kind::Resend, None);
    assert_eq!(numbers(&got), [4, 5]);
    assert_eq!(got[0].get_child("body", ns::CLIENT).unwrap().content(), "two");
}

/// An error for what was relayed is its outcome; the user gets it without the mark, and another start of the site does not offer it again.
#[test]
fn s4_8_an_error_is_an_outcome() {
    let mut site = acknowledged();
    let outbox = site.outbox();
    site.send(&says(WIZ, "one"));
    let error = |mark: &str| {
        format!(
            "<message from='{ROOM}' type='error' to='{WIZ}'><body>one</body>\
             <error type='auth'><forbidden xmlns='{}'/></error>{mark}</message>",
            ns::STANZA_ERRORS
        )
    };
    let mark = UpMark { outbox, n: 3, epoch: None, ..UpMark::default() }.x().to_xml();
    assert_eq!(lines(&site.send(&error(&mark))), [xml(&error(""))]);
    assert_eq!(site.replica.links(site.now)[0].outbox, 0);
    assert!(site.records.iter().all(|(key, kept)| key.0 != "outbox" || !kept.contains("one")), "{:?}", site.records);
}

/// XEP-0045 7.2.9: a room that says of itself that it is full is reached; a server that says so of a room says that it is not.
#[test]
fn s4_8_a_full_room_is_no_lost_link() {
    let mut site = acknowledged();
    let kev = "kev@eris.dclxvii.irc/x";
    site.send(&join(kev, "kev"));
    let mark = UpMark { outbox: site.outbox(), n: 3, epoch: None, ..UpMark::default() }.x().to_xml();
    let full = |by: &str, mark: &str| {
        format!(
            "<presence from='{ROOM}/kev' type='error' to='{kev}'><error{by} type='wait'>\
             <service-unavailable xmlns='{}'/></error>{mark}</presence>",
            ns::STANZA_ERRORS
        )
    };
    let by = format!(" by='{ROOM}'");
    assert_eq!(lines(&site.send(&full(&by, &mark))), [xml(&full(&by, ""))], "told once, and nothing is asked again");
    assert_eq!(site.replica.links(site.now)[0].outbox, 0);
    site.send(&join(kev, "kev"));
    let mark = UpMark { outbox: site.outbox(), n: 4, epoch: None, ..UpMark::default() }.x().to_xml();
    assert_eq!(lines(&site.send(&full("", &mark))), [""; 0], "the outbox has it");
    assert_eq!(site.replica.links(site.now)[0].outbox, 1);
}

/// XEP-0045 7.2.18: presence of somebody who is not in the room and does not ask to be is answered, and nothing waits for more.
#[test]
fn s4_8_presence_from_outside_is_no_join() {
    let mut site = eris();
    let kev = "kev@eris.dclxvii.irc/x";
    site.send(&format!("<presence from='{kev}' to='{ROOM}/kev'/>"));
    let told = format!("<presence from='{ROOM}/kev' type='unavailable' to='{kev}'/>");
    assert_eq!(lines(&site.send(&told)), [xml(&told)]);
    let answer = format!("<iq from='{ROOM}/WiZ' type='result' id='1' to='{kev}'/>");
    assert_eq!(lines(&site.send(&answer)), [xml(&answer)], "6.6: it is not held until he enters");
}

/// A join that is refused is the user's to hear of, and permits no ENTER any more.
#[test]
fn s4_8_a_refused_join_permits_no_enter() {
    // XEP-0282 4.5-a
    let mut site = eris();
    let kev = "kev@eris.dclxvii.irc/x";
    site.send(&join(kev, "WiZ"));
    let mark = UpMark { outbox: site.outbox(), n: 3, epoch: None, ..UpMark::default() }.x().to_xml();
    let error = |mark: &str| {
        format!(
            "<presence from='{ROOM}/WiZ' type='error' to='{kev}'><error type='cancel'><conflict xmlns='{}'/></error>{mark}</presence>",
            ns::STANZA_ERRORS
        )
    };
    assert_eq!(lines(&site.send(&error(&mark))), [xml(&error(""))]);
    let got = site.enter(&own_presence("WiZ", "none", "participant"), kev);
    assert!(got.len() == 1 && got[0].get("type") == Some("error"), "{got:?}");
}

/// Two joins of one session right behind each other permit two ENTERs; one that is refused takes its own permission alone.
#[test]
fn s4_8_each_join_permits_an_enter() {
    let mut site = eris();
    let kev = "kev@eris.dclxvii.irc/x";
    site.send(&join(kev, "WiZ"));
    site.send(&join(kev, "kev"));
    site.send(&join(kev, "kev"));
    let mark = UpMark { outbox: site.outbox(), n: 3, epoch: None, ..UpMark::default() }.x().to_xml();
    site.send(&format!(
        "<presence from='{ROOM}/WiZ' type='error' to='{kev}'><error type='cancel'><conflict xmlns='{}'/></error>{mark}</presence>",
        ns::STANZA_ERRORS
    ));
    for _ in 0..2 {
        let got = site.enter(&own_presence("kev", "none", "participant"), kev);
        assert!(got.iter().all(|stanza| stanza.get("to") == Some(kev)), "{got:?}");
    }
    let got = site.enter(&own_presence("kev", "none", "participant"), kev);
    assert!(got.len() == 1 && got[0].get("type") == Some("error"), "{got:?}");
}

/// A client that is gone answers with an error, which is relayed as the leave it is; other errors are nobody's.
#[test]
fn s4_8_a_client_that_is_gone_leaves() {
    let mut site = eris();
    let error = |condition: &str| {
        format!(
            "<message from='{WIZ}' type='error' to='{ROOM}/BigCheese'><error type='cancel'><{condition} xmlns='{}'/></error></message>",
            ns::STANZA_ERRORS
        )
    };
    let left = site.send(&error("recipient-unavailable"));
    assert_eq!(numbers(&left), [3]);
    assert_eq!(
        (left[0].name(), left[0].get("type"), left[0].get("to")),
        ("presence", Some("unavailable"), Some("wallops@channel.avalon.irc/WiZ"))
    );
    assert_eq!(numbers(&site.send(&error("not-acceptable"))), [0; 0]);
}

/// Where an error leaves doubt it goes to the room as it is, which asks the client.
#[test]
fn s4_8_a_client_that_may_be_gone_is_the_rooms_to_ask() {
    let mut site = eris();
    let error = format!(
        "<message from='{WIZ}' type='error' to='{ROOM}/BigCheese'><error type='cancel'><service-unavailable xmlns='{}'/></error></message>",
        ns::STANZA_ERRORS
    );
    let sent = site.send(&error);
    assert_eq!((sent.len(), sent[0].get("type"), sent[0].get("from")), (1, Some("error"), Some(WIZ)), "{sent:?}");
    assert_eq!(numbers(&sent), [0; 0]);
}

/// While the primary is not reached a message is accepted only once it is on disk.
#[test]
fn s4_8_cut_off_a_failing_disk_is_said() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.disk_works = false;
    let got = site.send(&says(WIZ, "one"));
    assert_eq!(got.len(), 1);
    assert!(got[0].get("to") == Some(WIZ) && got[0].to_xml().contains("internal-server-error"), "{got:?}");
    site.disk_works = true;
    assert_eq!(lines(&site.send(&says(WIZ, "two"))), [""; 0]);
    let left = site.pass_ms(1_000);
    let left = site.grant(&left, 2, true);
    assert_eq!(numbers(&left), [3]);
    assert_eq!(left[0].get_child("body", ns::CLIENT).unwrap().content(), "two");
}

/// After a restart: what was not acknowledged goes first, under its own name, and the leave of who said it behind it.
#[test]
fn s4_8_a_restart_loses_nothing_accepted() {
    let mut site = eris();
    let before = site.outbox();
    site.send(&says(WIZ, "one"));
    site.send(&says(WIZ, "two"));
    site.restart();
    let left = site.pass_ms(10_000);
    let (_, request) = site.request(&left);
    let census: Vec<_> = request.census.clone().unwrap().1.into_iter().map(|seat| seat.jid.to_string()).collect();
    assert_eq!(census, [WIZ]);
    assert_eq!(request.outboxes[1].name, before);
    assert!(request.resume.is_some());
    // The primary has had the first of the two.
    let mut left = site.grant(&left, 3, true);
    left.pop_if(|reported| reported.to_xml().contains("<reported")).expect("the report is over");
    assert_eq!(numbers(&left), [4, 5]);
    let said: Vec<_> = left.iter().map(|s| (s.name(), UpMark::find(s).unwrap().unwrap().outbox == before)).collect();
    assert_eq!(said, [("message", true), ("presence", true)]);
    // Should its tail be lost, the next heads show it: the older outbox is named as well as the present one.
    let ping = Element::new("ping", ns::PING).child(Heads::Down(Vec::new()).element());
    let ping = Element::stanza("iq").attr("type", "get").attr("id", "k").attr("from", SERVICE).child(ping);
    let pong = site.send(&ping.attr("to", "replica@eris.dclxvii.irc").to_xml());
    let heads = pong[0].get_child("heads", ns::NETJOIN).map(Heads::parse);
    let Some(Ok(Heads::Up(sent))) = heads else { panic!("{pong:?}") };
    assert!(sent.iter().any(|sent| sent.outbox == before && sent.n == 5), "{sent:?}");
}

/// Somebody who had a seat before a restart asks to enter under a nick that is another's: his seat of before is given up.
#[test]
fn s4_8_after_a_restart_a_refused_join_leaves_no_seat_behind() {
    let mut site = eris();
    site.send(&says(WIZ, "one"));
    site.restart();
    let left = site.pass_ms(10_000);
    site.send(&join(WIZ, "Efchen"));
    let left = site.grant(&left, 0, true);
    let mark = left.iter().find(|s| s.name() == "presence").and_then(UpMark::find).unwrap().unwrap();
    let error = format!(
        "<presence from='{ROOM}/Efchen' type='error' to='{WIZ}'><error type='cancel'><conflict xmlns='{}'/></error>{}</presence>",
        ns::STANZA_ERRORS,
        mark.x().to_xml()
    );
    let got = site.send(&error);
    let told: Vec<_> = got.iter().map(|s| (s.get("type"), s.get("from"), s.get("to"))).collect();
    let (of, seat) = (format!("{ROOM}/Efchen"), format!("{ROOM}/WiZ"));
    let error = (Some("error"), Some(of.as_str()), Some(WIZ));
    assert_eq!(told, [error, (Some("unavailable"), Some(WIZ), Some(seat.as_str()))]);
}

/// 4.11.1: who has left and come back before the link was lost stays on the island, though the room has not said how much it has had;
/// nor is his leave of before said again.
#[test]
fn s4_8_a_leave_that_was_answered_is_no_leave_from_an_island() {
    let mut site = eris();
    site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
    site.down(&unavailable("WiZ", ""), Down::Leave { jid: WIZ.parse().unwrap() }, Kind::Leave, None);
    site.event(&unavailable("WiZ", ""), 810);
    site.send(&join(WIZ, "WiZ"));
    site.event(&presence("WiZ", "admin", "participant"), 811);
    site.enter(&own_presence("WiZ", "admin", "participant"), WIZ);
    let mut left = site.feed(Input::StreamEnded(SERVICE.into()));
    left.extend(site.pass_ms(15_000));
    // What stands for it in the outbox is nobody's.
    let gone = |got: &[Element]| {
        let his = |s: &&Element| s.get("type") == Some("unavailable") && s.to_xml().contains("/WiZ'");
        got.iter().filter(his).count()
    };
    assert_eq!(gone(&left), 0, "{left:?}");
    let got = site.grant(&left, 2, true);
    assert_eq!(gone(&got), 0, "{got:?}");
}
