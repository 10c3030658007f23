//! XEP-0282 4.5 to 4.9 and section 5 from a replica's side: Listings 10 to 12, 14, 15 and 17 to 20.
//!
//! Where a listing gives the address of Wumpus' site or of vesa, the site under test is that one.

use crate::site::*;
use rooms::wire::{Down, Granted, Kind, SeatJid, Verdict};
use xmpp::{Element, Jid, ns};

const ARGL: &str = "argl@killrc.oulubox.irc/laptop";
const VALDIS: &str = "valdis@killrc.oulubox.irc/desktop";
const PHAEDRUS: &str = "phaedrus@killrc.oulubox.irc/phone";
const EFCHEN: &str = "msa@vesa.yeggmaex.irc/bicycle";

fn killrc() -> Site {
    Site::with_users("killrc.oulubox.irc", &[("Wumpus", ARGL), ("Valdis", VALDIS), ("Phaedrus", PHAEDRUS)])
}

fn eris() -> Site {
    Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ), ("Troy", TROY)])
}

fn entering(jid: &str) -> String {
    presence("BigCheese", "none", "participant").replace("role=", &format!("jid='{jid}' role="))
}

fn to(stanza: &str, recipient: &str) -> String {
    xml(stanza).replacen('>', &format!(" to='{recipient}'>"), 1)
}

/// Listing 10: every local user gets it; the full JID only the moderator (4.7).
#[test]
fn listing_10_killrc_distributes_presence() {
    // XEP-0282 4.7-b
    let mut site = killrc();
    let got = site.event(&entering(BIGCHEESE), 810);
    assert_eq!(
        lines(&got),
        [
            to(&entering(BIGCHEESE), ARGL),
            to(&presence("BigCheese", "none", "participant"), PHAEDRUS),
            to(&presence("BigCheese", "none", "participant"), VALDIS),
        ]
    );
}

/// Listing 11, from BigCheese (the listing says WiZ): nobody at eris is a moderator, so no JID comes and none is shown.
#[test]
fn listing_11_eris_distributes_presence() {
    let mut site = eris();
    let event = presence("BigCheese", "none", "participant");
    assert_eq!(lines(&site.event(&event, 810)), [to(&event, WIZ), to(&event, TROY)]);
}

/// Listing 12: at vesa it is Efchen's to get; the entrant has the roster first (5.1).
#[test]
fn listing_12_vesa_distributes_presence_to_who_is_there() {
    let mut site = Site::with_users("vesa.yeggmaex.irc", &[("Efchen", EFCHEN)]);
    site.send(&join(BIGCHEESE, "BigCheese"));
    let event = presence("BigCheese", "none", "participant");
    assert_eq!(lines(&site.event(&event, 810)), [to(&event, EFCHEN)]);
}

/// Listings 14, 15 and 16: on ENTER the roster, then the entrant's own presence, history, subject.
#[test]
fn listings_14_to_16_the_entrant_gets_roster_own_presence_history_subject() {
    let mut site = Site::new("vesa.yeggmaex.irc");
    let asked = site.send(&join(BIGCHEESE, "BigCheese"));
    let left = site.announce(&asked);
    site.grant(&left, 0, false);
    let others: Vec<_> = CAST.into_iter().filter(|(nick, ..)| *nick != "BigCheese").collect();
    site.snapshot(&others, &[(798, "Trillian", "Honest! He did!!"), (799, "Cerebus", "He did.")], 800);
    site.event(&presence("BigCheese", "none", "participant"), 801);
    let got = site.enter(&own_presence("BigCheese", "none", "participant"), BIGCHEESE);
    let mut expected: Vec<String> = ["Wumpus", "Valdis", "Phaedrus", "WiZ", "Troy", "Efchen"]
        .into_iter()
        .map(|nick| {
            let (_, affiliation, role) = CAST.into_iter().find(|(n, ..)| *n == nick).unwrap();
            to(&presence(nick, affiliation, role), BIGCHEESE)
        })
        .collect();
    expected.push(to(&own_presence("BigCheese", "none", "participant"), BIGCHEESE));
    let past = |nick: &str, body: &str, stamp: &str| {
        xml(&format!(
            "<message from='{ROOM}/{nick}' type='groupchat' to='{BIGCHEESE}'><body>{body}</body>\
             <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='{stamp}'/></message>"
        ))
    };
    expected.push(past("Trillian", "Honest! He did!!", "1990-10-13T23:58:36.798Z"));
    expected.push(past("Cerebus", "He did.", "1990-10-13T23:58:36.799Z"));
    expected.push(xml(&format!("<message from='{ROOM}' type='groupchat' to='{BIGCHEESE}'><subject/></message>")));
    assert_eq!(shown(&got), expected);
}

/// Listings 17 to 20: one message from the primary to each of those here, without anything of the link.
#[test]
fn listings_17_to_20_a_message_is_distributed() {
    // XEP-0282 4.9-b
    let body = "Phaedrus, we're all having a truly rotten time.";
    let plain = |to: &str| {
        xml(&format!("<message from='{ROOM}/BigCheese' type='groupchat' to='{to}'><body>{body}</body></message>"))
    };
    assert_eq!(shown(&killrc().event(&groupchat("BigCheese", body, 810), 810)), [ARGL, PHAEDRUS, VALDIS].map(plain));
    assert_eq!(shown(&eris().event(&groupchat("BigCheese", body, 810), 810)), [WIZ, TROY].map(plain));
    let mut vesa = Site::with_users("vesa.yeggmaex.irc", &[("BigCheese", BIGCHEESE), ("Efchen", EFCHEN)]);
    assert_eq!(shown(&vesa.event(&groupchat("BigCheese", body, 810), 810)), [EFCHEN, BIGCHEESE].map(plain));
}

/// 4.9: the replica saves the stanza for the history before it hands it out.
#[test]
fn s4_9_what_was_said_is_mirrored() {
    // XEP-0282 4.9-b
    let mut site = eris();
    site.event(&groupchat("BigCheese", "hi", 810), 810);
    let row = site.rows.last().unwrap();
    assert_eq!(
        (row.archive.as_str(), row.seq, row.id.as_str(), row.stamp_ms),
        ("mirror:wallops@channel.avalon.irc", 810, "s810", THEN_MS)
    );
    assert!(!row.stanza.contains("dmuc") && !row.stanza.contains("netjoin"));
}

/// 4.5: no ENTER without a join of that session; each join permits one.
#[test]
fn s4_5_an_enter_nobody_asked_for_is_refused() {
    // XEP-0282 4.5-a
    let mut site = eris();
    let refusal = |jid: &str| {
        xml(&format!(
            "<presence from='replica@eris.dclxvii.irc' type='error' to='{ROOM}/BigCheese'>\
             <x xmlns='{}'><enter jid='{jid}'/><refused xmlns='{}' epoch='e1'/></x>\
             <error type='cancel'><not-allowed xmlns='{}'/></error></presence>",
            ns::DMUC,
            ns::NETJOIN,
            ns::STANZA_ERRORS
        ))
    };
    let stranger = "kev@eris.dclxvii.irc/x";
    let got = site.enter(&own_presence("BigCheese", "none", "participant"), stranger);
    assert_eq!(lines(&got), [refusal(stranger)]);
    // Troy's join has been answered.
    let got = site.enter(&own_presence("BigCheese", "none", "participant"), TROY);
    assert_eq!(lines(&got), [refusal(TROY)]);
}

/// A session that the room still serves directly from before gets what it is sent as such, and its join here is answered by
/// ENTER nevertheless.
#[test]
fn s4_5_presence_from_a_time_before_is_no_answer_to_a_join() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    site.send(&join(TROY, "Troy"));
    let direct = to(&own_presence("Troy", "none", "participant"), TROY);
    assert_eq!(lines(&site.send(&direct)).len(), 1);
    let got = site.enter(&own_presence("Troy", "none", "participant"), TROY);
    assert!(got.len() > 1 && got.iter().all(|stanza| stanza.get("to") == Some(TROY)), "{got:?}");
}

/// An ENTER that was refused ends in a LEAVE: whoever may believe to be in the room is told.
#[test]
fn s4_6_a_leave_of_a_session_that_is_not_known_is_told() {
    let mut site = eris();
    site.enter(&own_presence("DCLXVI", "none", "participant"), "dclxvi@eris.dclxvii.irc/x");
    let jid: xmpp::Jid = "dclxvi@eris.dclxvii.irc/x".parse().unwrap();
    let removed = unavailable("DCLXVI", "<status code='110'/><status code='333'/>");
    let got = site.down(&removed, Down::Leave { jid: jid.clone() }, Kind::Leave, None);
    assert_eq!(got.iter().map(|s| s.get("to")).collect::<Vec<_>>(), [Some(jid.as_str())]);
    let elsewhere = BIGCHEESE.parse().unwrap();
    assert_eq!(lines(&site.down(&removed, Down::Leave { jid: elsewhere }, Kind::Leave, None)), [""; 0]);
}

/// 4.5: what comes for the entrant alone waits for the ENTER.
#[test]
fn s4_5_a_private_message_waits_for_the_enter() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    site.send(&join(TROY, "Troy"));
    let private = format!("<message from='{ROOM}/Wumpus' to='{TROY}' type='chat'><body>psst</body></message>");
    assert_eq!(lines(&site.send(&private)), [""; 0]);
    site.event(&presence("Troy", "none", "participant"), 810);
    let got = site.enter(&own_presence("Troy", "none", "participant"), TROY);
    assert_eq!(got.last().unwrap().get("type"), Some("chat"));
}

/// 4.6: the leaver gets the stanza and no more, the others the event.
#[test]
fn s4_6_leave() {
    let mut site = eris();
    let own = unavailable("WiZ", "<status code='110'/>");
    let jid: Jid = WIZ.parse().unwrap();
    assert_eq!(lines(&site.down(&own, Down::Leave { jid }, Kind::Leave, None)), [to(&own, WIZ)]);
    let event = unavailable("WiZ", "");
    assert_eq!(lines(&site.event(&event, 810)), [to(&event, TROY)]);
}

/// Who has said that he leaves hears nothing more but the LEAVE: should he ask to enter again at once, what is told before his
/// ENTER is not for him.
#[test]
fn s4_6_who_leaves_hears_no_more() {
    let mut site = eris();
    site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
    let wiz = WIZ.parse::<Jid>().unwrap();
    let said = groupchat("BigCheese", "hi", 810);
    assert_eq!(lines(&site.event(&said, 810)), [to(&said, TROY)]);
    site.send(&join(WIZ, "WiZ"));
    let promoted = presence("WiZ", "owner", "moderator");
    assert_eq!(lines(&site.event(&promoted, 811)), [to(&promoted, TROY)]);
    let own = unavailable("WiZ", "<status code='110'/>");
    assert_eq!(lines(&site.down(&own, Down::Leave { jid: wiz }, Kind::Leave, None)), [to(&own, WIZ)]);
    site.enter(&own_presence("WiZ", "none", "participant"), WIZ);
    let said = groupchat("BigCheese", "hi again", 812);
    assert_eq!(lines(&site.event(&said, 812)), [to(&said, WIZ), to(&said, TROY)]);
}

/// 4.7: an update reaches the others, then the occupant's own sessions with 110.
#[test]
fn s4_7_an_update_shows_the_subject_110() {
    let mut site = eris();
    let update = presence("WiZ", "admin", "participant").replacen('>', "><show>away</show>", 1);
    let own = update.replace("</x>", "<status code='110'/></x>");
    assert_eq!(lines(&site.event(&update, 810)), [to(&update, TROY), to(&own, WIZ)]);
}

/// 4.7: whoever becomes a moderator sees real JIDs from then on, and those who entered before are known; when the last
/// moderator here is none any more they are forgotten.
#[test]
fn s4_7_real_jids_are_kept_while_somebody_may_see_them() {
    let mut site = eris();
    let seat = |nick: &str, jid: &str| SeatJid { nick: nick.parse().unwrap(), jid: jid.parse().unwrap() };
    let message = format!("<message from='{ROOM}'/>");
    site.down(&message, Down::Jids(vec![seat("Wumpus", ARGL)]), Kind::Jids, None);
    site.event(&presence("WiZ", "admin", "moderator"), 810);
    let got = site.event(&entering(BIGCHEESE), 811);
    assert_eq!(lines(&got), [to(&entering(BIGCHEESE), WIZ), to(&presence("BigCheese", "none", "participant"), TROY)]);
    let wumpus = |site: &mut Site| {
        site.send(&join(WIZ, "WiZ"));
        let got = site.enter(&own_presence("WiZ", "admin", "moderator"), WIZ);
        got.iter().find(|s| s.get("from") == Some("wallops@channel.avalon.irc/Wumpus")).unwrap().to_xml()
    };
    assert!(wumpus(&mut site).contains(ARGL));
    site.event(&presence("WiZ", "admin", "participant"), 812);
    site.event(&presence("WiZ", "admin", "moderator"), 813);
    assert!(!wumpus(&mut site).contains(ARGL));
    assert!(site.rows.iter().all(|row| !row.stanza.contains("argl@")));
    assert!(site.records.values().all(|value| !value.contains("argl@")));
}

/// XEP-0045 7.6 over two stanzas: nothing is shown before both are there.
#[test]
fn s4_7_a_nick_change_is_applied_in_one_piece() {
    let mut site = eris();
    let left = unavailable("WiZ", "<status code='303'/>").replace("role='none'", "role='participant' nick='Wizard'");
    let part = |site: &mut Site, stanza: &str, part: u32| {
        let at = rooms::wire::At { part: Some((part, 2)), ..site.at(Kind::Event, Some(810)) };
        site.down_at(stanza, Down::Event { said_ms: None, config: None }, at)
    };
    assert_eq!(lines(&part(&mut site, &left, 1)), [""; 0]);
    let entered = presence("Wizard", "admin", "participant");
    let own = |stanza: &str| to(&stanza.replace("</x>", "<status code='110'/></x>"), WIZ);
    assert_eq!(lines(&part(&mut site, &entered, 2)), [to(&left, TROY), own(&left), to(&entered, TROY), own(&entered)]);
    let message = site.send(&says(WIZ, "it is I"));
    assert_eq!(message.len(), 1);
}

/// XEP-0045 10.9: each is told as the occupant he is, and nothing is left.
#[test]
fn s4_7_a_room_that_is_destroyed_is_forgotten() {
    let mut site = eris();
    let destroyed = format!(
        "<presence from='{ROOM}' type='unavailable'><x xmlns='{}'><destroy><reason>war</reason></destroy></x></presence>",
        ns::MUC_USER
    );
    let told = |nick: &str, to: &str| {
        xml(&format!(
            "<presence from='{ROOM}/{nick}' type='unavailable' to='{to}'><x xmlns='{}'><item affiliation='none' role='none'/>\
             <destroy><reason>war</reason></destroy></x></presence>",
            ns::MUC_USER
        ))
    };
    assert_eq!(lines(&site.event(&destroyed, 810)), [told("WiZ", WIZ), told("Troy", TROY)]);
    assert_eq!((site.replica.links(site.now).len(), site.rows.len(), site.records.len()), (0, 0, 0));
}

/// A disk that is full just then has the former room's messages still: the next room under the name has none of them, even where it is
/// full when that begins.
#[test]
fn s4_7_a_destroyed_room_is_forgotten_though_the_disk_was_full() {
    for full_at_the_start_of_the_next in [false, true] {
        let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
        site.event(&groupchat("Wumpus", "before", 802), 802);
        site.disk_works = false;
        let x = format!("<x xmlns='{}'><destroy/></x>", ns::MUC_USER);
        site.event(&format!("<presence from='{ROOM}' type='unavailable'>{x}</presence>"), 803);
        site.disk_works = !full_at_the_start_of_the_next;
        let left = site.send(&join(WIZ, "WiZ"));
        let (id, request) = site.request(&left);
        let another = site.granted(&request, 0, false, |_| Verdict::Kept);
        site.answer(&id, &Granted { incarnation: "i2".into(), seq: 1, ..another });
        site.snapshot(&CAST, &[], 1);
        site.disk_works = true;
        site.event(&groupchat("Wumpus", "after", 2), 2);
        let bodies: Vec<bool> = site.rows.iter().map(|row| row.stanza.contains("before")).collect();
        assert_eq!(bodies, [false], "full: {full_at_the_start_of_the_next}");
    }
}

/// A stanza that says it is the room's but is not for this replica in this epoch changes nothing.
#[test]
fn s4_7_another_epoch_is_not_applied() {
    let mut site = eris();
    let at = rooms::wire::At { seq: Some(810), ..rooms::wire::At::new("e77", 9, Kind::Event) };
    let got = site.down_at(&groupchat("BigCheese", "hi", 810), Down::Event { said_ms: Some(1), config: None }, at);
    let stale = format!(
        "<message from='replica@eris.dclxvii.irc' to='{ROOM}'><x xmlns='{}'><stale xmlns='{}' epoch='e77'/></x></message>",
        ns::DMUC,
        ns::NETJOIN
    );
    assert_eq!(lines(&got), [Element::parse(&stale).unwrap().to_xml()]);
}

/// It says so once a second and room, also where there is another mirror of that by then.
#[test]
fn s4_7_another_epoch_is_said_once_a_second() {
    let says_stale = |site: &mut Site| {
        let at = rooms::wire::At { seq: Some(810), ..rooms::wire::At::new("e77", 9, Kind::Event) };
        let event = Down::Event { said_ms: Some(1), config: None };
        let got = site.down_at(&groupchat("BigCheese", "hi", 810), event, at);
        got.iter().any(|stanza| stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("stale", ns::NETJOIN)))
    };
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    assert_eq!([says_stale(&mut site), says_stale(&mut site)], [true, false]);
    let x = format!("<x xmlns='{}'><destroy/></x>", ns::MUC_USER);
    site.event(&format!("<presence from='{ROOM}' type='unavailable'>{x}</presence>"), 803);
    let left = site.send(&join(WIZ, "WiZ"));
    site.grant(&left, 0, false);
    assert!(!says_stale(&mut site), "a second has not passed");
    site.pass_ms(1_000);
    assert!(says_stale(&mut site));
}
