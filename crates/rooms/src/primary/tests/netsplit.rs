//! XEP-0282 4.11 and `docs/wire.md`, *Netsplit*, as the primary does it.

use super::kit::*;
use super::links::{end_stream, granted, pong};
use crate::room::tests::kit::{Disk, Got, errors};
use crate::wire::{Down, HistorySent, Verdict};

/// Nobody is told that somebody is gone, nothing goes to the site, and what it missed follows when it is back.
#[test]
fn s4_11_a_split_link_keeps_its_seats() {
    // XEP-0282 4.11.1.1-c
    let mut net = Net::whole();
    let seq = net.seq();
    split(&mut net);
    let got = net.says(WIZ, "missed");
    assert_eq!((kinds(&got, VESA), kinds(&got, ERIS)), (vec![], vec!["event"]));
    assert_eq!(net.kit.service.rooms[&jid(ROOM)].occupants.len(), 7);

    let request = net.request_again(VESA, seq, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    let got = net.ask(VESA, &request);
    let granted = granted(&got);
    assert_eq!(granted.history, HistorySent::Missed);
    assert!(granted.seats.iter().all(|seat| seat.verdict == Verdict::Kept));
    let body = |line: &String| line.contains("<body>missed</body>");
    assert_eq!(lines(&got, VESA).iter().filter(|line| body(line)).count(), 1);
    assert_eq!(left(&got), [""; 0]);
    schema::assert_valid(&net.crossed);
}

/// 4.11.1.1: from the first copy that bounces on nothing more is broadcast to the replica.
#[test]
fn s4_11_1_1_a_bounce_ends_the_broadcast_to_a_replica() {
    // XEP-0282 4.11.1.1-a
    let mut net = Net::whole();
    let copy = of(&net.says(WIZ, "hi"), VESA)[0].clone();
    let mut bounce = copy.attr("type", "error").attr("from", VESA).attr("to", ROOM);
    let condition = xmpp::Element::new("remote-server-not-found", xmpp::ns::STANZA_ERRORS);
    bounce.push(xmpp::Element::new("error", xmpp::ns::CLIENT).attr("type", "cancel").child(condition));
    net.feed(&bounce.to_xml());
    let got = net.says(WIZ, "does anybody hear?");
    assert_eq!((kinds(&got, VESA), kinds(&got, ERIS)), (vec![], vec!["event"]));
    wait(&mut net, 11_000);
    assert!(net.is_split(VESA));
    assert_eq!(kinds(&net.says(WIZ, "hello?"), VESA), [""; 0]);
}

/// Retention: the seats go with 333, are remembered as long again, and are forgotten.
#[test]
fn s4_11_after_retention_seats_are_removed_and_remembered() {
    let mut net = Net::whole();
    let seq = net.seq();
    split(&mut net);
    assert_eq!(left(&wait(&mut net, 3_598_000)), [""; 0]);
    let got = wait(&mut net, 2_000);
    assert_eq!(left(&got), ["Efchen", "BigCheese"], "by address");
    assert!(lines(&got, ERIS).iter().filter(|l| l.contains("unavailable")).all(|l| l.contains("<status code='333'/>")));

    let mut forgotten = Net::whole();
    split(&mut forgotten);
    wait(&mut forgotten, 3_600_000);

    wait(&mut net, 3_598_000);
    let census = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")];
    let request = net.request_again(VESA, seq, &census);
    let got = net.ask(VESA, &request);
    assert!(granted(&got).seats.iter().all(|seat| seat.verdict == Verdict::Reenter));
    assert_eq!(kinds(&got, ERIS), ["event", "event"]);
    assert!(!kinds(&got, VESA).contains(&"enter"), "their own users notice nothing");

    wait(&mut forgotten, 3_601_000);
    let request = forgotten.request_again(VESA, seq, &census);
    assert_eq!(left(&forgotten.ask(VESA, &request)), [""; 0]);
    assert!(forgotten.kit.service.rooms[&jid(ROOM)].occupants.len() == 5, "nothing is known of them any more");
    schema::assert_valid(&net.crossed);
}

/// The registration stops the timer.
#[test]
fn s4_11_a_registration_stops_the_timer() {
    let mut net = Net::whole();
    split(&mut net);
    wait(&mut net, 3_590_000);
    let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    net.ask(VESA, &request);
    net.relay(&format!("<presence from='{EFCHEN}' to='{ROOM}/Efchen'><show>dnd</show></presence>"));
    assert_eq!(left(&wait(&mut net, 20_000)), [""; 0]);
}

/// A sign of life is not enough: what was told since the split is lost to it, so it is told to register again.
#[test]
fn s4_11_a_sign_of_life_does_not_join_what_is_split() {
    let mut net = Net::whole();
    split(&mut net);
    let epoch = net.epoch(VESA);
    let stale = |got: &[Got]| {
        lines_of(got, VESA).iter().any(|l| l.contains(&format!("<stale xmlns='urn:netjoin:dmuc:0' epoch='{epoch}'/>")))
    };
    assert!(stale(&net.says(BIG_CHEESE, "hello?")));
    assert_eq!(kinds(&net.says(WIZ, "still split"), VESA), [""; 0]);
    wait(&mut net, 2_000);
    let heads =
        format!("<heads xmlns='urn:netjoin:dmuc:0'><sent room='{ROOM}' epoch='{epoch}' outbox='v1' n='3'/></heads>");
    let ping = format!(
        "<iq type='get' from='{VESA}' to='channel.avalon.irc' id='k9'><ping xmlns='urn:xmpp:ping'>{heads}</ping></iq>"
    );
    assert!(stale(&net.feed(&ping)));
    assert_eq!(kinds(&net.says(WIZ, "still split"), VESA), [""; 0]);
    schema::assert_valid(&net.crossed);
}

/// Pings at a quarter of the suspect time, then each twice as long after the one before, up to the keepalive interval.
#[test]
fn s4_11_pings_to_a_split_site_back_off() {
    // XEP-0282 4.11.1.1-b
    let mut net = Net::whole();
    split(&mut net);
    let start = net.kit.now.mono_ms;
    let mut pinged = Vec::new();
    for _ in 0..300 {
        let got = net.pass_ms(1_000);
        let pings = of(&got, VESA).into_iter().filter(|s| s.name() == "iq").count();
        pinged.extend(std::iter::repeat_n((net.kit.now.mono_ms - start) / 1_000, pings));
        // Every ping ends in a stream that cannot be made.
        if pings > 0 {
            let got = end_stream(&mut net, "vesa.yeggmaex.irc");
            assert!(of(&got, VESA).is_empty(), "the end of a stream is no reason to make another");
        }
    }
    let pauses: Vec<u64> = pinged.windows(2).map(|at| at[1] - at[0]).collect();
    assert!(pauses.len() >= 5 && pauses.windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
    assert!(pauses.last().is_some_and(|last| (45..=75).contains(last)), "{pauses:?}");
}

/// Each split within the last hour doubles the time until the next, up to eight times it.
#[test]
fn s4_11_repeated_splits_are_taken_for_splits_more_slowly() {
    let mut net = Net::whole();
    for suspect in [10, 20, 40, 80, 80] {
        end_stream(&mut net, "vesa.yeggmaex.irc");
        wait(&mut net, (suspect - 1) * 1_000);
        assert!(!net.is_split(VESA), "not yet after {suspect} seconds");
        wait(&mut net, 2_000);
        assert!(net.is_split(VESA), "{suspect} seconds");
        let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
        net.ask(VESA, &request);
    }
    wait(&mut net, 3_700_000);
    end_stream(&mut net, "vesa.yeggmaex.irc");
    wait(&mut net, 11_000);
    assert!(net.is_split(VESA), "an hour later as at first");
}

/// A kick of somebody behind a split link is told to all others, and to its victim when the site is back.
#[test]
fn s4_11_a_kick_during_a_split_is_remembered() {
    let mut net = Net::whole();
    split(&mut net);
    let got = net.kicks(WUMPUS, "BigCheese", "Avaunt!");
    assert_eq!(left(&got), ["BigCheese"]);
    assert_eq!(kinds(&got, VESA), [""; 0]);
    let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    let got = net.ask(VESA, &request);
    let Verdict::Removed(removed) = &granted(&got).seats[0].verdict else { panic!("he was kicked") };
    assert_eq!((removed.status.0, removed.reason.as_deref()), (307, Some("Avaunt!")));
    assert_eq!(removed.actor.as_ref().map(|nick| nick.as_str()), Some("Wumpus"));
}

/// Whom others have been told is gone because somebody said so is not in again by a census, at whatever moment the service loses
/// its power; who was not told to be gone is.
#[test]
fn s4_11_what_was_told_of_a_removal_holds_after_a_crash() {
    let by_nick = "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='BigCheese' role='none'/></query>";
    let banned =
        by_nick.replace("nick='BigCheese' role='none'", "jid='rubenro@vesa.yeggmaex.irc' affiliation='outcast'");
    let closed = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
         <field var='muc#roomconfig_membersonly'><value>1</value></field></x></query>";
    for asked in [by_nick, &banned, closed] {
        for (disk, told) in [(Disk::Hangs, false), (Disk::Works, true)] {
            let mut net = Net::whole();
            split(&mut net);
            net.kit.disk(disk);
            let got = net.feed(&format!("<iq from='{WUMPUS}' id='out1' to='{ROOM}' type='set'>{asked}</iq>"));
            assert_eq!(left(&got).contains(&"BigCheese".to_owned()), told, "{asked}");
            net.kit.restart();
            net.kit.disk(Disk::Works);
            let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese")]);
            let verdict = granted(&net.ask(VESA, &request)).seats[0].verdict.clone();
            assert_eq!(matches!(verdict, Verdict::Removed(_)), told, "{asked}: {verdict:?}");
        }
    }
}

/// Only the component is down: whoever reaches the room by another way is told to enter again, and is direct then.
#[test]
fn s4_11_who_comes_by_another_way_enters_again() {
    let mut net = Net::whole();
    split(&mut net);
    let message = format!("<message from='{EFCHEN}' to='{ROOM}' type='groupchat'><body>x</body></message>");
    assert_eq!(errors(&net.feed(&message)), [(EFCHEN.into(), "not-acceptable".into())]);
    let ping = format!("<iq type='get' id='p1' from='{EFCHEN}' to='{ROOM}/Efchen'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(errors(&net.feed(&ping)), [(EFCHEN.into(), "not-acceptable".into())]);

    let join =
        format!("<presence from='{EFCHEN}' to='{ROOM}/Efchen'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    let got = net.feed(&join);
    assert_eq!(left(&got), [""; 0]);
    assert!(lines(&got, EFCHEN).iter().any(|line| line.contains("<status code='110'/>")));
    assert_eq!(lines(&net.says(WIZ, "welcome back"), EFCHEN).len(), 1);
    assert!(lines(&net.feed(&message), EFCHEN).iter().any(|line| line.contains("<body>x</body>")));
    schema::assert_valid(&net.crossed);
}

/// Occupants behind the split link are shown away to direct ones, and live replicas are told once whom it is about.
#[test]
fn s4_11_who_cannot_be_reached_is_shown_away() {
    let mut net = Net::open();
    let got = split(&mut net);
    assert_eq!(
        away(&got, ERIS),
        [(Some("vesa.yeggmaex.irc".to_owned()), false, vec!["BigCheese".into(), "Efchen".into()])]
    );
    assert_eq!(away(&got, VESA), []);
    let shown: Vec<String> = lines(&got, EVE).into_iter().filter(|l| l.contains("<presence")).collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown.iter().all(|l| l.contains("<show>away</show><status>vesa.yeggmaex.irc is cut off</status>")),
        "{shown:?}"
    );
    for who in [ERIS, EVE] {
        let told = of(&got, who).into_iter().filter(|s| s.get("type") == Some("groupchat"));
        assert_eq!(told.filter(|s| s.to_xml().contains("vesa.yeggmaex.irc is cut off: who")).count(), 1, "{who}");
    }
    assert!(net.kit.rows.is_empty(), "no archive keeps it");

    // An entrant sees it so; a replica that resumes has it behind its roster.
    let got = net.feed(&enters("mallory@elsewhere.example/x", "Mallory"));
    let roster = lines(&got, "mallory@elsewhere.example/x");
    assert_eq!(roster.iter().filter(|l| l.contains("<show>away</show>")).count(), 2, "{roster:?}");
    let request = net.request_again(ERIS, net.seq() - 1, &[(WIZ, "WiZ"), (TROY, "Troy")]);
    let got = net.ask(ERIS, &request);
    let kinds = kinds(&got, ERIS);
    assert_eq!(kinds.iter().rposition(|k| *k == "roster").map(|at| kinds[at + 1]), Some("away"), "{kinds:?}");
    schema::assert_valid(&net.crossed);
}

/// XEP-0045 13: the language of what somebody shows stays his, and why he is away is in another.
#[test]
fn s4_11_who_is_shown_away_is_so_in_no_language_of_his() {
    let mut net = Net::open();
    net.relay(&format!(
        "<presence from='{EFCHEN}' to='{ROOM}/Efchen' xml:lang='de'><c xmlns='urn:x'>da</c></presence>"
    ));
    let got = split(&mut net);
    let shown = lines(&got, EVE).into_iter().find(|l| l.contains("/Efchen'") && l.contains("<show>away</show>"));
    let shown = shown.expect("he is shown away");
    assert!(shown.starts_with(&format!("<presence from='{ROOM}/Efchen' to='{EVE}'><show>")), "{shown}");
    assert!(shown.contains("<c xmlns='urn:x' xml:lang='de'>da</c>"), "{shown}");
}

/// It is lifted when the report is over, and all others are told once that the site is back.
#[test]
fn s4_11_the_overlay_is_lifted_when_the_report_is_over() {
    let mut net = Net::open();
    split(&mut net);
    let request = net.request_again(VESA, 0, &[(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")]);
    let got = net.ask(VESA, &request);
    assert_eq!((away(&got, ERIS), presences(&got, EVE)), (vec![], vec![]), "not yet");
    assert_eq!(lines(&got, EVE).iter().filter(|l| l.contains("vesa.yeggmaex.irc is back.")).count(), 1);
    assert!(!lines(&got, VESA).iter().any(|l| l.contains("is back.")), "who is back tells his own");
    assert!(!kinds(&got, VESA).contains(&"away"), "his own are there");
    // Who shows himself meanwhile is shown as he is.
    let got = net.relay(&format!("<presence from='{EFCHEN}' to='{ROOM}/Efchen'><show>xa</show></presence>"));
    assert_eq!(away(&got, ERIS), [(Some("vesa.yeggmaex.irc".to_owned()), true, vec!["Efchen".into()])]);
    assert_eq!(presences(&got, EVE), ["Efchen xa"]);
    let got = net.reported(VESA);
    assert_eq!(away(&got, ERIS), [(Some("vesa.yeggmaex.irc".to_owned()), true, vec!["BigCheese".into()])]);
    assert_eq!(presences(&got, EVE), ["BigCheese "]);
    schema::assert_valid(&net.crossed);
}

/// Where real addresses are hidden nobody is shown away, and no site is named.
#[test]
fn s4_11_a_room_that_hides_addresses_names_no_site() {
    let mut net = Net::whole();
    net.feed(&enters(EVE, "Eve"));
    let got = split(&mut net);
    for who in [ERIS, KILLRC, EVE] {
        assert_eq!((away(&got, who), presences(&got, who)), (vec![], vec![]));
        assert!(!lines(&got, who).iter().filter(|l| l.contains("<message")).any(|l| l.contains("vesa")), "{who}");
    }
    assert_eq!(lines(&got, EVE).iter().filter(|l| l.contains("Another site is cut off")).count(), 1);
}

/// A session that comes directly is reached: its seat is shown as it is.
#[test]
fn s4_11_who_comes_directly_is_not_away_any_more() {
    let mut net = Net::open();
    split(&mut net);
    let got = net.feed(&enters(EFCHEN, "Efchen"));
    assert_eq!(away(&got, ERIS), [(Some("vesa.yeggmaex.irc".to_owned()), true, vec!["Efchen".into()])]);
    assert_eq!(presences(&got, EVE), ["Efchen "]);
    // A real change of one who is still out of reach is told with the overlay, and to replicas without it.
    let got = net.feed(&format!(
        "<iq from='{WUMPUS}' id='v1' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#admin'>\
         <item nick='BigCheese' role='visitor'/></query></iq>"
    ));
    assert_eq!(presences(&got, EVE), ["BigCheese away"]);
    assert!(!lines(&got, ERIS).iter().any(|l| l.contains("away")));
}

const EVE: &str = "eve@elsewhere.example/x";

fn enters(who: &str, nick: &str) -> String {
    format!("<presence from='{who}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
}

/// Whom a replica is told to show away, or no longer: site, lifted, nicks.
fn away(got: &[Got], to: &str) -> Vec<(Option<String>, bool, Vec<String>)> {
    let read = |s: &xmpp::Element| match Down::find(s)?.ok()?.0 {
        Down::Away(away) => Some((away.site, away.lifted, away.nicks.iter().map(ToString::to_string).collect())),
        _ => None,
    };
    of(got, to).into_iter().filter_map(read).collect()
}

/// The presences of others that somebody got: nick and show.
fn presences(got: &[Got], to: &str) -> Vec<String> {
    let read = |s: &xmpp::Element| {
        let show = s.get_child("show", xmpp::ns::CLIENT).map(xmpp::Element::content).unwrap_or_default();
        Some(format!("{} {show}", s.get("from")?.rsplit_once('/')?.1))
    };
    of(got, to).into_iter().filter(|s| s.name() == "presence").filter_map(read).collect()
}

/// Lets time pass in steps of a second, in which all but vesa answer pings.
pub(super) fn wait(net: &mut Net, ms: u64) -> Vec<Got> {
    let mut all = Vec::new();
    for _ in 0..ms / 1_000 {
        let got = net.pass_ms(1_000);
        for alive in [KILLRC, ERIS] {
            let ids: Vec<&str> =
                of(&got, alive).into_iter().filter(|s| s.name() == "iq").filter_map(|s| s.get("id")).collect();
            for id in ids {
                all.extend(net.feed(&pong(alive, id)));
            }
        }
        all.extend(got);
    }
    all
}

/// The link to vesa ends and stays so for the suspect time.
pub(super) fn split(net: &mut Net) -> Vec<Got> {
    end_stream(net, "vesa.yeggmaex.irc");
    let got = wait(net, 11_000);
    assert!(net.is_split(VESA));
    got
}

/// Who the direct copy of eris is told has left, in order.
pub(super) fn left(got: &[Got]) -> Vec<String> {
    let gone = of(got, ERIS).into_iter().filter(|s| s.name() == "presence" && s.get("type") == Some("unavailable"));
    gone.filter_map(|s| Some(s.get("from")?.rsplit_once('/')?.1.to_owned())).collect()
}

fn lines_of(got: &[Got], to: &str) -> Vec<String> {
    of(got, to).into_iter().map(xmpp::Element::to_xml).collect()
}
