//! XEP-0282 4.10 and 4.11.1: how a replica sees a loss, and what its users see of it: nothing but the difference.

use crate::site::*;
use machine::Input;
use rooms::Status;
use rooms::wire::{self, Away, Down, Head, Heads, Kind, Removed, Reported, Up, UpMark, Verdict};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, ns};

fn eris() -> Site {
    Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ), ("Troy", TROY)])
}

fn state(site: &Site) -> &'static str {
    site.replica.links(site.now)[0].state
}

fn is_register(stanza: &Element) -> bool {
    stanza.has_child("replicate", ns::NETJOIN)
}

/// 4.10: a ping after silence, with how far each room has been sent; two without an answer and the link is suspect.
#[test]
fn s4_10_silence_is_asked_about_then_judged() {
    let mut site = eris();
    let left = site.pass_ms(60_000);
    let ping = left[0].get_child("ping", ns::PING).unwrap();
    let Ok(Heads::Up(sent)) = Heads::parse(ping.get_child("heads", ns::NETJOIN).unwrap()) else { panic!("{ping}") };
    assert_eq!((left[0].get("to"), sent[0].room.as_str(), sent[0].n), (Some(SERVICE), ROOM, 2));
    site.pass_ms(60_000);
    assert_eq!(state(&site), "live");
    let left = site.pass_ms(61_000);
    assert!(left.iter().any(is_register), "{left:?}");
}

/// 4.10: an answer, even an error, is a sign of life.
#[test]
fn s4_10_an_answered_ping_is_a_sign_of_life() {
    let mut site = eris();
    for _ in 0..5 {
        let left = site.pass_ms(60_000);
        let id = left.iter().find(|s| s.has_child("ping", ns::PING)).and_then(|s| s.get("id")).unwrap().to_owned();
        let alive = format!(
            "<iq type='error' id='{id}' from='{SERVICE}' to='replica@eris.dclxvii.irc'>\
             <error type='cancel'><service-unavailable xmlns='{}'/></error></iq>",
            ns::STANZA_ERRORS
        );
        site.send(&alive);
    }
    assert_eq!(state(&site), "live");
}

/// The service's ping says more was sent than came: a loss, seen without waiting for the next event.
#[test]
fn s4_10_heads_show_a_lost_tail() {
    let mut site = eris();
    let ping = |d: u64| {
        let head = Head { room: ROOM.parse().unwrap(), epoch: "e1".into(), d, ack: None };
        let ping = Element::new("ping", ns::PING).child(Heads::Down(vec![head]).element());
        let iq = Element::stanza("iq").attr("type", "get").attr("id", "k1").attr("from", SERVICE);
        iq.attr("to", "replica@eris.dclxvii.irc").child(ping).to_xml()
    };
    let pong = site.send(&ping(12));
    assert_eq!((pong[0].get("type"), pong[0].get("id"), state(&site)), (Some("result"), Some("k1"), "live"));
    site.send(&ping(99));
    assert_eq!(state(&site), "suspect");
}

/// A gap in `d` is a loss; what comes behind it is not applied.
#[test]
fn s4_11_a_gap_is_a_loss() {
    let mut site = eris();
    site.at(Kind::Event, Some(809));
    assert_eq!(lines(&site.event(&groupchat("BigCheese", "hi", 810), 810)), [""; 0]);
    assert_eq!(state(&site), "suspect");
}

/// 4.11.1: bounces of what was relayed reach no user; it is kept and sent again when the primary is back.
#[test]
fn s4_11_1_bounces_are_the_replicas() {
    // XEP-0282 4.11.1.2-a
    let mut site = eris();
    let left = site.send(&says(WIZ, "one"));
    let mut bounce = left[0].clone().attr("type", "error").attr("from", ROOM).attr("to", WIZ);
    bounce.push(
        Element::new("error", ns::CLIENT)
            .attr("type", "wait")
            .child(Element::new("remote-server-timeout", ns::STANZA_ERRORS)),
    );
    assert_eq!(lines(&site.send(&bounce.to_xml())), [""; 0]);
    assert_eq!(state(&site), "suspect");
    assert_eq!(lines(&site.send(&says(TROY, "two"))), [""; 0]);
    let left = site.pass_ms(1_000);
    let left = site.grant(&left, 2, true);
    let relayed: Vec<_> = left.iter().filter(|s| s.has_child("body", ns::CLIENT)).collect();
    let bodies: Vec<_> = relayed.iter().map(|s| s.get_child("body", ns::CLIENT).unwrap().content()).collect();
    assert_eq!(bodies, ["one", "two"]);
    assert!(relayed.iter().all(|s| UpMark::find(s).unwrap().unwrap().epoch.as_deref() == Some("e2")));
}

/// What one's own server returns in the name of the service is no sign of it: for the operator it stays unheard of.
#[test]
fn s4_10_a_bounce_is_no_sign_of_life() {
    let mut site = eris();
    let heard_ms = site.now.mono_ms;
    site.feed(Input::StreamEnded(SERVICE.into()));
    for _ in 0..10 {
        for attempt in site.pass_ms(1_000).into_iter().filter(is_register) {
            let error = StanzaError::from(Condition::RemoteServerNotFound).reply(&attempt);
            site.send(&error.to_xml());
        }
    }
    assert_eq!(site.replica.links(site.now)[0].lag_ms, site.now.mono_ms - heard_ms);
}

/// The same where its author has left meanwhile: a bounce is no outcome, neither of it nor of what was relayed before it.
#[test]
fn s4_11_1_a_bounce_to_somebody_who_has_left_is_no_outcome() {
    let mut site = eris();
    site.send(&says(WIZ, "one"));
    let left = site.send(&says(TROY, "two"));
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.send(&format!("<presence from='{TROY}' type='unavailable' to='{ROOM}/Troy'/>"));
    let mut bounce = left[0].clone().attr("type", "error").attr("from", ROOM).attr("to", TROY);
    bounce.push(
        Element::new("error", ns::CLIENT)
            .attr("type", "cancel")
            .child(Element::new("remote-server-not-found", ns::STANZA_ERRORS)),
    );
    assert_eq!(lines(&site.send(&bounce.to_xml())), [""; 0]);
    let left = site.pass_ms(1_000);
    let left = site.grant(&left, 2, true);
    let bodies: Vec<_> = left.iter().filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect();
    assert_eq!(bodies, ["one", "two"]);
}

/// What people show of themselves is listed as far as a census has room for it (`docs/wire.md`, Registration).
#[test]
fn s4_11_a_census_stays_within_what_servers_take() {
    let mut site = eris();
    for (user, nick) in [(WIZ, "WiZ"), (TROY, "Troy")] {
        let status = "z".repeat(wire::PAYLOADS_BYTES_MAX / 2);
        site.send(&format!("<presence from='{user}' to='{ROOM}/{nick}'><status>{status}</status></presence>"));
    }
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let (_, request) = site.request(&left);
    let shown: Vec<usize> = request.census.unwrap().1.into_iter().map(|seat| seat.payload.len()).collect();
    assert_eq!(shown, [1, 0]);
}

/// Who is entered again without what he shows, since the census had no room for it, shows it behind the answer; nobody here sees
/// anything of that.
#[test]
fn s4_11_what_had_no_room_in_the_census_is_shown_again() {
    let mut site = eris();
    for (user, nick, seq) in [(WIZ, "WiZ", 810), (TROY, "Troy", 811)] {
        let status = "z".repeat(wire::PAYLOADS_BYTES_MAX / 2);
        let update = format!("<presence from='{user}' to='{ROOM}/{nick}'><status>{status}</status></presence>");
        site.send(&update);
        let shown = presence(nick, "none", "participant").replacen("<x ", &format!("<status>{status}</status><x "), 1);
        site.event(&shown, seq);
    }
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let left = site.grant_with(&left, 4, true, |_| Verdict::Reenter);
    let up: Vec<&Element> = left.iter().filter(|s| s.name() == "presence").collect();
    let [update] = up.as_slice() else { panic!("one update, of {} stanzas", up.len()) };
    let to = format!("{ROOM}/Troy");
    assert_eq!((update.get("from"), update.get("to")), (Some(TROY), Some(to.as_str())));
    assert_eq!(update.get_child("status", ns::CLIENT).map(|s| s.content().len()), Some(wire::PAYLOADS_BYTES_MAX / 2));
    assert_eq!(UpMark::find(update).map(|mark| mark.expect("a mark").n), Some(5));
    let status = "z".repeat(wire::PAYLOADS_BYTES_MAX / 2);
    let told =
        |nick: &str| presence(nick, "none", "participant").replacen("<x ", &format!("<status>{status}</status><x "), 1);
    site.down(&format!("<message from='{ROOM}'/>"), Down::Config(room_config()), Kind::Config, None);
    let mut got = Vec::new();
    for seat in [told("WiZ"), presence("Troy", "none", "participant")] {
        got.extend(site.down(&seat, Down::Roster, Kind::Roster, None));
    }
    got.extend(site.down(&format!("<message from='{ROOM}'/>"), Down::Past { said_ms: None }, Kind::Subject, None));
    got.extend(site.down(&format!("<message from='{ROOM}'/>"), SYNCED, Kind::Synced, Some(820)));
    let mut at = site.at(Kind::Event, Some(821));
    at.ack = Some(wire::Ack { outbox: site.outbox(), n: 5 });
    got.extend(site.down_at(&told("Troy"), Down::Event { said_ms: None, config: None }, at));
    let of_those_two =
        |s: &&Element| s.get("from").is_some_and(|from| from.ends_with("/WiZ") || from.ends_with("/Troy"));
    assert_eq!(got.iter().filter(of_those_two).count(), 0, "nothing was news to anybody");
}

/// The census, the place, and after it the net difference: who is gone, who is new, what was said, once.
#[test]
fn s4_11_after_a_loss_users_see_the_difference() {
    let mut site = eris();
    site.event(&groupchat("BigCheese", "before", 810), 810);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let (_, request) = site.request(&left);
    let resume = request.resume.clone().unwrap();
    assert_eq!((resume.seq, resume.archive.as_deref()), (810, Some("s810")));
    let census: Vec<_> =
        request.census.clone().unwrap().1.into_iter().map(|s| (s.nick.to_string(), s.jid.to_string())).collect();
    assert_eq!(census, [("WiZ".into(), WIZ.into()), ("Troy".into(), TROY.into())]);
    site.grant(&left, 2, true);
    // Efchen has left, DCLXVI has come, Phaedrus has voice no more.
    let roster = [
        ("BigCheese", "none", "participant"),
        ("DCLXVI", "none", "participant"),
        ("Phaedrus", "none", "visitor"),
        ("Troy", "none", "participant"),
        ("Valdis", "none", "participant"),
        ("WiZ", "admin", "participant"),
        ("Wumpus", "owner", "moderator"),
    ];
    let got = site.snapshot(&roster, &[(810, "BigCheese", "before"), (812, "DCLXVI", "SUUUUUUURE")], 813);
    let to_wiz: Vec<_> = got
        .iter()
        .filter(|s| s.get("to") == Some(WIZ))
        .map(|s| {
            let from = s.get("from").unwrap().rsplit('/').next().unwrap().to_owned();
            (s.name().to_owned(), from, s.get("type").map(str::to_owned))
        })
        .collect();
    let presence = |nick: &str, kind: Option<&str>| ("presence".to_owned(), nick.to_owned(), kind.map(str::to_owned));
    assert_eq!(
        to_wiz,
        [
            presence("Efchen", Some("unavailable")),
            presence("DCLXVI", None),
            presence("Phaedrus", None),
            ("message".into(), "DCLXVI".into(), Some("groupchat".into())),
        ]
    );
    assert!(got.last().unwrap().has_child("delay", ns::DELAY));
    assert_eq!(site.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [810, 812]);
}

/// A primary that started again may give numbers of events that nobody kept a second time: what it says under them is news,
/// what was said before is not.
#[test]
fn s4_11_another_start_of_the_primary_may_number_anew() {
    let mut site = eris();
    site.event(&groupchat("BigCheese", "before", 810), 810);
    site.event(&presence("BigCheese", "none", "visitor"), 813);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    (site.term, site.granted_seq) = ("t2", 811);
    site.grant(&left, 2, true);
    let got = site.snapshot(&CAST, &[(810, "BigCheese", "before"), (811, "Wumpus", "after")], 811);
    let bodies = |got: &[Element]| -> Vec<String> {
        let to_wiz = got.iter().filter(|s| s.get("to") == Some(WIZ));
        to_wiz.filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect()
    };
    assert_eq!(bodies(&got), ["after"]);
    assert_eq!(bodies(&site.event(&groupchat("Wumpus", "and on", 812), 812)), ["and on"]);
}

/// A snapshot cut short is dropped: nobody has seen anything of it.
#[test]
fn s4_11_a_snapshot_cut_short_is_dropped() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    site.grant(&left, 2, true);
    let got = site.down(&presence("DCLXVI", "none", "participant"), Down::Roster, Kind::Roster, None);
    assert_eq!(lines(&got), [""; 0]);
    assert_eq!(lines(&site.feed(Input::StreamEnded(SERVICE.into()))), [""; 0]);
    assert_eq!(state(&site), "suspect");
    assert!(site.pass_ms(2_000).iter().any(is_register));
}

/// 4.11.1: leaving works while the primary is not reached, is seen here, and told when it is back; nothing is told twice.
#[test]
fn s4_11_1_leaving_while_cut_off() {
    // XEP-0282 4.11.1.2-b
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let got = site
        .send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'><status>war</status></presence>"));
    let seen: Vec<_> = got.iter().map(|s| (s.get("to").unwrap(), s.to_xml().contains("code='110'"))).collect();
    assert_eq!(seen, [(WIZ, true), (TROY, false)]);
    let left = site.pass_ms(1_000);
    let (_, request) = site.request(&left);
    assert_eq!(request.census.unwrap().1.len(), 2, "the primary does not know of it yet");
    let left = site.grant(&left, 2, true);
    // And that the report is over.
    assert_eq!((left.len(), left[0].get("type")), (2, Some("unavailable")));
    assert_eq!(lines(&site.snapshot(&CAST, &[], 810)), [""; 0]);
    let jid = WIZ.parse().unwrap();
    assert_eq!(lines(&site.down(&unavailable("WiZ", ""), Down::Leave { jid }, Kind::Leave, None)), [""; 0]);
    assert_eq!(lines(&site.event(&unavailable("WiZ", ""), 811)), [""; 0]);
}

/// While cut off a client that asks whether it is still in is answered here (XEP-0410).
#[test]
fn s4_11_1_self_ping_while_cut_off() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let ping = format!("<iq from='{WIZ}' type='get' id='p' to='{ROOM}/WiZ'><ping xmlns='{}'/></iq>", ns::PING);
    let got = site.send(&ping);
    assert_eq!((got.len(), got[0].get("type"), got[0].get("to")), (1, Some("result"), Some(WIZ)));
}

/// Attempts back off, and do not stop.
#[test]
fn s4_11_attempts_back_off() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let mut attempts = Vec::new();
    for second in 0..600 {
        if site.pass_ms(1_000).iter().any(is_register) {
            attempts.push(second);
        }
    }
    assert!((8..=40).contains(&attempts.len()), "{attempts:?}");
    assert!(attempts.last().unwrap() > &500, "{attempts:?}");
}

/// The primary serves the users itself from now on: they notice nothing, and their stanzas pass untouched. What has not been
/// acknowledged is said once more under its marks, of no epoch.
#[test]
fn s4_2_revoked() {
    let mut site = eris();
    let got = site.send(&format!(
        "<iq type='set' id='w' from='{ROOM}' to='replica@eris.dclxvii.irc'><withdrawn xmlns='{}' seq='802'/></iq>",
        ns::NETJOIN
    ));
    let (again, rest): (Vec<_>, Vec<_>) = got.iter().partition(|s| s.has_child("x", ns::DMUC));
    let marks: Vec<_> =
        again.iter().map(|s| UpMark::find(s).unwrap().unwrap()).map(|mark| (mark.n, mark.epoch)).collect();
    assert_eq!(marks, [(1, None), (2, None)]);
    assert_eq!((rest.len(), rest[0].get("type")), (1, Some("result")));
    assert!(!site.replica.wants(&Element::parse(&says(WIZ, "hi")).unwrap()));
}

/// `docs/wire.md`, Netjoin: behind the last that the outbox held at the answer the report is over.
#[test]
fn s4_11_the_report_has_an_end() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.send(&says(WIZ, "one"));
    let left = site.pass_ms(1_000);
    let left = site.grant(&left, 2, true);
    assert!(left[left.len() - 2].to_xml().contains("one"), "{left:?}");
    let reported = left.last().and_then(|s| s.get_child("x", ns::DMUC)).map(Up::parse);
    assert_eq!(reported, Some(Ok(Up::Reported(Reported { epoch: "e2".into() }))));
}

/// Occupants of another site that is split are shown as away, over whatever they say, until that is lifted; entrants see
/// it too.
#[test]
fn s4_11_1_others_are_shown_away() {
    let mut site = eris();
    let away = |lifted| {
        let nicks = vec!["BigCheese".parse().unwrap()];
        Down::Away(Away { site: Some("vesa.yeggmaex.irc".into()), lifted, nicks })
    };
    let message = format!("<message from='{ROOM}'/>");
    let shows = |got: &[Element]| -> Vec<String> {
        let presence = got.iter().filter(|s| s.get("to") == Some(WIZ) && s.name() == "presence");
        presence.map(|s| s.get_child("show", ns::CLIENT).map(Element::content).unwrap_or_default()).collect()
    };
    let got = site.down(&message, away(false), Kind::Away, None);
    assert_eq!(shows(&got), ["away"]);
    assert!(got[0].to_xml().contains("vesa.yeggmaex.irc"));
    assert_eq!(shows(&site.event(&presence("BigCheese", "none", "visitor"), 810)), ["away"]);
    assert_eq!(shows(&site.down(&message, away(true), Kind::Away, None)), [""]);

    // Whoever takes another nick is there; who has the old one later is not the one it was about.
    site.down(&message, away(false), Kind::Away, None);
    let renamed =
        unavailable("BigCheese", "<status code='303'/>").replace("role='none'", "role='visitor' nick='Cheese'");
    site.event(&renamed, 811);
    assert_eq!(shows(&site.event(&presence("Cheese", "none", "visitor"), 812)), [""]);
    assert_eq!(shows(&site.event(&presence("BigCheese", "none", "visitor"), 813)), [""]);
}

/// `gone` with the incarnation that was mirrored: users are told what a destroyed room tells them, and what was not heard goes
/// back. Of another incarnation it proves nothing.
#[test]
fn s4_11_a_room_destroyed_meanwhile() {
    for (incarnation, ended) in [("i1", true), ("i2", false)] {
        let mut site = eris();
        site.feed(Input::StreamEnded(SERVICE.into()));
        site.send(&says(WIZ, "lost"));
        let left = site.pass_ms(1_000);
        let (id, _) = site.request(&left);
        let got = site.send(&format!(
            "<iq type='error' id='{id}' from='{ROOM}' to='replica@eris.dclxvii.irc'><error type='cancel'>\
             <gone xmlns='{}'/><destroyed xmlns='{}' incarnation='{incarnation}'><reason>war</reason></destroyed></error></iq>",
            ns::STANZA_ERRORS,
            ns::NETJOIN
        ));
        let destroyed = got.iter().filter(|s| s.to_xml().contains("<destroy><reason>war")).count();
        assert_eq!(destroyed, if ended { 2 } else { 0 }, "{got:?}");
        assert_eq!(got.iter().any(|s| s.get("type") == Some("error") && s.to_xml().contains("lost")), ended);
        assert!(!site.rows.iter().any(|row| row.archive.starts_with("mirror:")));
    }
}

/// Who has left and whose LEAVE was lost learns of it at the resumption, and of nothing that would have him come back.
#[test]
fn s4_11_who_left_before_a_loss_is_told_so_and_no_more() {
    let mut site = eris();
    site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let removed = Removed { status: Status::FAILURE, actor: None, reason: None };
    site.grant_with(&left, 3, true, |seat| match seat.jid.as_str() {
        WIZ => Verdict::Removed(removed.clone()),
        _ => Verdict::Kept,
    });
    let got = site.snapshot(&[("Troy", "none", "participant")], &[(811, "Troy", "hello?")], 811);
    let to_wiz: Vec<&Element> = got.iter().filter(|s| s.get("to") == Some(WIZ)).collect();
    assert_eq!(to_wiz.len(), 1, "{got:?}");
    let xml = to_wiz[0].to_xml();
    assert!(xml.contains("type='unavailable'") && xml.contains("code='110'") && !xml.contains("code='333'"), "{xml}");
}

/// Lets time pass until it asks again; gives what leaves then.
fn until_it_registers(site: &mut Site) -> Vec<Element> {
    for _ in 0..600 {
        let left = site.pass_ms(1_000);
        if left.iter().any(is_register) {
            return left;
        }
    }
    panic!("it never asks again");
}

/// What was shown on an island is shown until its outcome is known, whatever else is told of the occupant meanwhile; then he
/// is as the primary tells, also when it has told nothing.
#[test]
fn s4_11_1_what_was_shown_here_is_laid_over_what_is_told() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    site.send(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'><show>dnd</show></presence>"));
    let left = until_it_registers(&mut site);
    site.grant(&left, 2, true);
    let seen = |got: Vec<Element>| -> Vec<String> {
        let to_troy = got.iter().filter(|s| s.get("to") == Some(TROY) && s.name() == "presence");
        to_troy.map(|s| s.get_child("show", ns::CLIENT).map(Element::content).unwrap_or_default()).collect()
    };
    assert_eq!(seen(site.snapshot(&CAST, &[], 810)), [""; 0]);
    let moderator = presence("WiZ", "admin", "moderator");
    assert_eq!(seen(site.event(&moderator, 811)), ["dnd"], "he has another role, and is busy still");
    let busy = moderator.replacen("<x ", "<show>dnd</show><x ", 1);
    assert_eq!(seen(site.event(&busy, 812)), [""; 0], "nobody is told twice");

    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(60_000);
    site.send(&format!("<presence from='{WIZ}' to='{ROOM}/WiZ'><show>xa</show></presence>"));
    let left = until_it_registers(&mut site);
    site.grant(&left, 3, true);
    let roster = [("WiZ", "admin", "moderator"), ("Troy", "none", "participant")];
    site.snapshot(&roster, &[], 813);
    let mut at = site.at(Kind::Event, Some(814));
    at.ack = Some(wire::Ack { outbox: site.outbox(), n: 4 });
    site.down_at(&groupchat("Troy", "hi", 814), Down::Event { said_ms: Some(THEN_MS), config: None }, at);
    assert_eq!(seen(site.event(&groupchat("Troy", "hello?", 815), 815)), [""], "nothing came of it");
}

/// Who came back to an island does not hear that the seat he had before is gone: that is not about him.
#[test]
fn s4_11_1_the_end_of_the_seat_before_is_not_told_to_who_came_back() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
    site.send(&join(WIZ, "WiZ"));
    let left = until_it_registers(&mut site);
    site.grant(&left, 2, true);
    site.snapshot(&CAST, &[], 810);
    assert_eq!(lines(&site.event(&unavailable("WiZ", "<status code='333'/>"), 811)), [""; 0]);
    assert_eq!(lines(&site.event(&presence("WiZ", "admin", "participant"), 812)), [""; 0]);
    let heard = lines(&site.enter(&own_presence("WiZ", "admin", "participant"), WIZ));
    assert!(heard.len() == 1 && heard[0].contains("is reached again"), "nor that of the new one: {heard:?}");
}

/// Nor is he shown for the moment between as he was when the link was lost: what was taken from him since stays taken.
#[test]
fn s4_11_1_who_came_back_has_what_the_room_gives_him_from_the_first() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    site.send(&format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>"));
    site.send(&join(WIZ, "WiZ"));
    let left = until_it_registers(&mut site);
    site.grant(&left, 2, true);
    let roles = |got: Vec<Element>| -> Vec<String> {
        let to_troy =
            got.iter().filter(|s| s.get("to") == Some(TROY) && s.get("from") == Some(&*format!("{ROOM}/WiZ")));
        let item = |s: &Element| {
            s.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)?.get("role").map(str::to_owned)
        };
        to_troy.filter_map(item).collect()
    };
    let roster = [("WiZ", "none", "visitor"), ("Troy", "none", "participant")];
    assert_eq!(roles(site.snapshot(&roster, &[], 810)), ["visitor"]);
    assert_eq!(roles(site.event(&unavailable("WiZ", ""), 811)), [""; 0]);
    assert_eq!(roles(site.event(&presence("WiZ", "none", "visitor"), 812)), [""; 0]);
}

/// Who has left, come back and left again on an island is gone for those who saw it, while all of that is told over.
#[test]
fn s4_11_1_who_left_for_the_second_time_is_not_shown_in_between() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    let leave = format!("<presence from='{WIZ}' type='unavailable' to='{ROOM}/WiZ'/>");
    site.send(&leave);
    site.send(&join(WIZ, "WiZ"));
    site.send(&leave);
    let left = until_it_registers(&mut site);
    site.grant(&left, 2, true);
    let of_wiz = |got: Vec<Element>| -> usize {
        got.iter().filter(|s| s.get("to") == Some(TROY) && s.get("from") == Some(&*format!("{ROOM}/WiZ"))).count()
    };
    assert_eq!(of_wiz(site.snapshot(&CAST, &[], 810)), 0);
    let replayed = [unavailable("WiZ", ""), presence("WiZ", "admin", "participant"), unavailable("WiZ", "")];
    for (told, n) in replayed.iter().zip(3..) {
        let mut at = site.at(Kind::Event, Some(808 + n));
        at.ack = Some(wire::Ack { outbox: site.outbox(), n });
        let got = site.down_at(told, Down::Event { said_ms: Some(THEN_MS), config: None }, at);
        assert_eq!(of_wiz(got), 0, "{told}");
    }
    assert_eq!(of_wiz(site.event(&presence("WiZ", "none", "participant"), 814)), 1, "he who comes then is");
}

fn unavailable_to<'a>(got: &'a [Element], to: &str) -> Vec<&'a Element> {
    got.iter().filter(|s| s.get("to") == Some(to) && s.get("type") == Some("unavailable")).collect()
}

fn kicked() -> Verdict {
    let actor = Some("Wumpus".parse().unwrap());
    Verdict::Removed(Removed { status: Status::KICKED, actor, reason: Some("Avaunt!".into()) })
}

/// What somebody who was kicked is told in the end, whoever tells him.
const KICKED: &str = "<actor nick='Wumpus'/><reason>Avaunt!</reason></item><status code='110'/><status code='307'/>";

/// Whom the room has served itself, and who was removed while nothing came through, learns it by the verdict on him; at once, for no
/// snapshot is about him, and once.
#[test]
fn a_direct_session_that_was_removed_unheard_is_told_so() {
    let mut site = Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ)]);
    let direct = own_presence("Troy", "none", "participant").replace("<presence ", &format!("<presence to='{TROY}' "));
    assert_eq!(site.send(&direct).len(), 1);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let got = site.grant_with(&left, 1, true, |seat| if seat.jid.as_str() == TROY { kicked() } else { Verdict::Kept });
    let told = unavailable_to(&got, TROY);
    assert!(told.len() == 1 && told[0].to_xml().contains(KICKED), "{got:?}");
    assert_eq!(told[0].get("from"), Some(format!("{ROOM}/Troy").as_str()));
    let got = site.snapshot(&[("WiZ", "admin", "participant")], &[], 811);
    assert_eq!(unavailable_to(&got, TROY).len(), 0, "{got:?}");
    // He is no part of the next census.
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let (_, seats) = site.request(&left).1.census.expect("WiZ is here");
    assert_eq!(seats.iter().map(|seat| seat.jid.as_str()).collect::<Vec<_>>(), [WIZ]);
}

/// Where nobody of the census is in, each is told for which reason: a kick is no failure, from which clients come back.
#[test]
fn where_nobody_is_in_any_more_each_is_told_why() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let failed = Verdict::Removed(Removed { status: Status::FAILURE, actor: None, reason: None });
    let got = site.grant_with(&left, 2, true, |seat| if seat.jid.as_str() == TROY { kicked() } else { failed.clone() });
    let (troy, wiz) = (unavailable_to(&got, TROY), unavailable_to(&got, WIZ));
    assert!(troy.len() == 1 && troy[0].to_xml().contains(KICKED), "{got:?}");
    assert!(wiz.len() == 1 && wiz[0].to_xml().contains("<status code='333'/>"), "{got:?}");
}

/// The last has left, and the room has somebody enter all the same: nobody waits for that, and it is refused.
#[test]
fn s4_5_an_enter_where_nobody_is_left_is_refused() {
    let mut site = eris();
    for (nick, jid) in [("WiZ", WIZ), ("Troy", TROY)] {
        site.send(&format!("<presence from='{jid}' type='unavailable' to='{ROOM}/{nick}'/>"));
        site.down(&unavailable(nick, ""), Down::Leave { jid: jid.parse().unwrap() }, Kind::Leave, None);
    }
    assert_eq!(state(&site), "dormant");
    let got = site.enter(&own_presence("WiZ", "admin", "participant"), WIZ);
    assert_eq!((got.len(), got[0].get("type"), got[0].get("to")), (1, Some("error"), Some(&*format!("{ROOM}/WiZ"))));
    let got = site.down(&unavailable("WiZ", ""), Down::Leave { jid: WIZ.parse().unwrap() }, Kind::Leave, None);
    assert_eq!((got.len(), got[0].get("to")), (1, Some(WIZ)));
    // Should a seat have been forgotten there, a ping shows it.
    let head = Head { room: ROOM.parse().unwrap(), epoch: "e1".into(), d: 16, ack: None };
    let ping = Element::new("ping", ns::PING).child(Heads::Down(vec![head]).element());
    let iq = Element::stanza("iq").attr("type", "get").attr("id", "k1").attr("from", SERVICE);
    let got = site.send(&iq.attr("to", "replica@eris.dclxvii.irc").child(ping).to_xml());
    assert!(got.iter().any(|s| s.has_child("withdraw", ns::NETJOIN) && s.to_xml().contains("deserted")), "{got:?}");
}
