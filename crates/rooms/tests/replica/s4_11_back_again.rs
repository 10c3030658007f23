//! Who leaves and comes back while the link is lost, and what of that is lost with it; `docs/wire.md`, *Netsplit* and *Netjoin*.

use crate::s4_11_netsplit::{bodies, presence_of};
use crate::site::{CAST, ROOM, Site, TROY, WIZ, join, leaves, lines, own_presence, presence, says, unavailable};
use crate::world::{ERIS, SERVICE, World, of};
use machine::Input;
use rooms::Status;
use rooms::wire::{Ack, Down, Granted, Kind, Removed, UpMark, Verdict};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;

/// He came back to an island, has left it in the middle of the join and come back once more: what the room says of the two stays
/// before, when it has all of it, is not for him. The last ENTER shows him everything.
#[test]
fn s4_11_who_came_back_twice_is_let_in_once() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    let lost = |site: &mut Site| {
        site.feed(Input::StreamEnded(SERVICE.into()));
        site.pass_ms(SPLIT_MS)
    };
    let left = lost(&mut site);
    site.send(&leaves(WIZ, "WiZ"));
    site.send(&join(WIZ, "WiZ"));
    site.grant(&left, 2, true);
    site.send(&leaves(WIZ, "WiZ"));
    site.send(&join(WIZ, "WiZ"));
    let left = lost(&mut site);
    site.grant(&left, 2, true);
    site.snapshot(&CAST, &[], 810);
    let (mut got, wiz) = (Vec::new(), WIZ.parse::<Jid>().unwrap());
    for (seq, had) in [(811, 4), (814, 6)] {
        let leave = Down::Leave { jid: wiz.clone() };
        let own = unavailable("WiZ", "<status code='110'/>");
        got.extend(site.down(&own, leave, Kind::Leave, None));
        got.extend(site.event(&unavailable("WiZ", ""), seq));
        got.extend(site.event(&presence("WiZ", "admin", "participant"), seq + 1));
        got.extend(site.enter(&own_presence("WiZ", "admin", "participant"), WIZ));
        let mut at = site.at(Kind::Event, Some(seq + 2));
        at.ack = Some(Ack { outbox: site.outbox(), n: had });
        site.down_at(&presence("Troy", "none", "participant"), Down::Event { said_ms: None, config: None }, at);
    }
    got.retain(|stanza| stanza.get("to") == Some(WIZ) && stanza.name() == "presence");
    let of = |stanza: &Element| stanza.get("from").and_then(|from| from.rsplit('/').next()).unwrap().to_owned();
    assert!(got.iter().all(|stanza| stanza.get("type").is_none()), "{:?}", lines(&got));
    let mut seen: Vec<String> = got.iter().map(of).collect();
    assert_eq!(seen.pop().as_deref(), Some("WiZ"));
    seen.sort();
    assert_eq!(seen, ["BigCheese", "Efchen", "Phaedrus", "Troy", "Valdis", "Wumpus"]);
}

/// What somebody else has said there is refused before the snapshot is whole: that goes past all that is in order, and says nothing of
/// his leave and join, which the room has yet to tell of.
#[test]
fn s4_11_an_error_that_overtakes_is_no_outcome_of_what_came_before() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(SPLIT_MS);
    site.send(&leaves(WIZ, "WiZ"));
    site.send(&join(WIZ, "WiZ"));
    site.send(&says(TROY, "never heard"));
    site.grant(&left, 2, true);
    let mark = UpMark { outbox: site.outbox(), n: 5, ..UpMark::default() };
    let error = StanzaError::from(Condition::Forbidden).element(None);
    let error = Element::stanza("message").attr("type", "error").attr("from", ROOM).attr("to", TROY).child(error);
    let mut got = site.send(&error.child(mark.x()).to_xml());
    got.extend(site.snapshot(&CAST, &[], 810));
    let own = unavailable("WiZ", "<status code='110'/>");
    got.extend(site.down(&own, Down::Leave { jid: WIZ.parse().unwrap() }, Kind::Leave, None));
    got.extend(site.event(&unavailable("WiZ", ""), 811));
    got.extend(site.event(&presence("WiZ", "admin", "participant"), 812));
    got.extend(site.enter(&own_presence("WiZ", "admin", "participant"), WIZ));
    assert_eq!(presence_of(&got, "WiZ"), [""; 0], "{:?}", lines(&got));
    assert_eq!(got.iter().filter(|stanza| stanza.get("type") == Some("error")).count(), 1);
}

/// All have left an island, and one has come back to it twice: what the room says of the stays between is not for him.
#[test]
fn s4_11_who_came_back_twice_notices_nothing() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&leaves(of("Troy"), "Troy"));
    for _ in 0..2 {
        world.user(&leaves(wiz, "WiZ"));
        world.user(&join(wiz, "WiZ"));
    }
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!((world.states(ERIS), presence_of(&world.take(wiz), "WiZ")), (vec!["live"], Vec::new()));
    world.says("Wumpus", "welcome");
    assert_eq!(bodies(&world.take(wiz)), ["welcome"]);
    world.says("WiZ", "hi");
    assert_eq!(bodies(&world.take(of("Wumpus"))).pop().as_deref(), Some("hi"));
}

/// He has left an island, and his client shows once more what he is at, which it had not heard by then: that is no join (XEP-0045
/// 7.2.18). Nobody sees him again before he asks to enter.
#[test]
fn s4_11_1_presence_of_who_has_left_an_island_is_no_join() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&leaves(wiz, "WiZ"));
    world.inbox.clear();
    world.user(&format!("<presence from='{wiz}' to='{ROOM}/WiZ'><status>still here</status></presence>"));
    let told = world.take(wiz);
    assert_eq!(presence_of(&told, "WiZ"), ["unavailable"], "{:?}", lines(&told));
    assert!(told[0].to_xml().contains("code='333'") && told.len() == 1, "{:?}", lines(&told));
    assert_eq!(lines(&world.take(of("Troy"))), [""; 0]);
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(presence_of(&world.take(of("Wumpus")), "WiZ").last().map(String::as_str), Some("unavailable"));
}

/// He speaks and leaves before the link counts as split: those who are still there when it does hear it, in its place.
#[test]
fn s4_11_1_who_has_left_before_the_split_is_heard() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.says("WiZ", "one");
    world.user(&leaves(of("WiZ"), "WiZ"));
    world.says("Troy", "two");
    world.inbox.clear();
    world.pass_ms(SPLIT_MS);
    assert_eq!(bodies(&world.take(of("Troy")))[1..], ["one", "two"], "behind the word that it is split");
    assert_eq!(bodies(&world.take(of("WiZ"))), [""; 0], "no error either");
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.archived(SERVICE), ["one", "two"]);
}

/// The room has had what was said on an island, as it has said, and the event that tells of it was lost. Then nobody may stay: what
/// was said was taken all the same, and nobody is told otherwise.
#[test]
fn s4_11_what_the_room_has_had_is_not_taken_back() {
    for heard in [true, false] {
        let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
        site.feed(Input::StreamEnded(SERVICE.into()));
        let left = site.pass_ms(SPLIT_MS);
        site.send(&says(TROY, "on the island"));
        site.grant(&left, 2, true);
        site.snapshot(&CAST, &[], 810);
        let third = "eve@eris.dclxvii.irc/x";
        site.send(&join(third, "Eve"));
        if heard {
            site.send(&format!(
                "<presence from='{ROOM}/Eve' to='{third}' type='error'><error type='auth'><forbidden xmlns='{}'/></error>\
                 <x xmlns='{}'><up xmlns='{}' outbox='{}' n='4'/></x></presence>",
                ns::STANZA_ERRORS,
                ns::DMUC,
                ns::NETJOIN,
                site.outbox()
            ));
        }
        site.feed(Input::StreamEnded(SERVICE.into()));
        let left = site.pass_ms(1_000);
        let kicked = Removed { status: Status::KICKED, actor: None, reason: None };
        let n = if heard { 4 } else { 2 };
        let got = site.grant_with(&left, n, true, |_| Verdict::Removed(kicked.clone()));
        let taken_back = got.iter().filter(|s| s.to_xml().contains("<retract ")).count();
        assert_eq!(taken_back, if heard { 0 } else { 2 }, "{:?}", lines(&got));
    }
}

/// One of two clients gives its seat another nick and leaves; the other takes the old one back. Where the word of all that was lost
/// the census names it by that one: it has left nevertheless.
#[test]
fn s4_11_who_has_left_under_another_nick_is_out() {
    let mut world = World::with_cast(true);
    let other = "troy@eris.dclxvii.irc/phone";
    world.user(&join(other, "Troy"));
    world.inbox.clear();
    world.user_sends(&format!("<presence from='{other}' to='{ROOM}/Bicycle'/>"));
    world.user_sends(&leaves(other, "Bicycle"));
    world.user_sends(&format!("<presence from='{}' to='{ROOM}/Troy'/>", of("Troy")));
    world.cut_after_delivery(ERIS);
    world.heal(ERIS);
    world.pass_ms(60_000);
    assert_eq!(world.states(ERIS), ["live"]);
    let granted = |stanza: &Element| Some(Granted::parse(stanza.get_child("granted", ns::NETJOIN)?).unwrap().seats);
    let seats = world.crossed.iter().rev().find_map(|(_, _, stanza)| granted(stanza)).expect("an answer");
    let seat = seats.iter().find(|seat| seat.jid.as_str() == other).expect("it is in the census");
    assert!(matches!(seat.verdict, Verdict::Removed(_)), "{seat:?}");
    assert_eq!(presence_of(&world.take(other), "Troy"), ["unavailable"]);
}

/// One of two clients leaves, live or on an island, and the room has had that; the word of it is lost, and the room starts again. That
/// the census reminds it of this client as well lets nobody in who has left.
#[test]
fn s4_11_whose_leave_was_had_before_a_restart_is_out() {
    for on_an_island in [false, true] {
        let mut world = World::with_cast(true);
        let other = "squit@eris.dclxvii.irc/phone";
        world.user(&join(other, "WiZ"));
        if on_an_island {
            world.cut(ERIS);
            world.pass_ms(SPLIT_MS);
            world.user(&leaves(other, "WiZ"));
            world.heal(ERIS);
            world.join_until(ERIS, "syncing");
        } else {
            world.inbox.clear();
            world.user_sends(&leaves(other, "WiZ"));
        }
        world.cut_after_delivery(ERIS);
        world.restart(SERVICE);
        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(presence_of(&world.take(other), "WiZ").last().map(String::as_str), Some("unavailable"));
        world.inbox.clear();
        world.user(&leaves(of("WiZ"), "WiZ"));
        assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), ["unavailable"], "on an island: {on_an_island}");
        assert_eq!(world.states(ERIS), ["live"]);
    }
}

/// The only one in a room that ends with its last occupant, whether he has opened it or not, leaves and comes back on his island: that
/// room he is in when the link is back, and in no other.
#[test]
fn s4_11_a_room_does_not_end_in_the_middle_of_a_report() {
    for opens in [true, false] {
        let mut world = World::new(true);
        let wiz = of("WiZ");
        world.user(&join(wiz, "WiZ"));
        if opens {
            let open = format!("<query xmlns='{}'><x xmlns='jabber:x:data' type='submit'/></query>", ns::MUC_OWNER);
            world.user(&format!("<iq from='{wiz}' id='open' type='set' to='{ROOM}'>{open}</iq>"));
        }
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&leaves(wiz, "WiZ"));
        world.user(&join(wiz, "WiZ"));
        world.inbox.clear();
        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"], "opens: {opens}");
        let got = world.take(wiz);
        assert_eq!(presence_of(&got, "WiZ"), [""; 0], "opens: {opens}");
        // And when he leaves for good it does.
        world.user(&leaves(wiz, "WiZ"));
        world.user(&join(of("Troy"), "Troy"));
        assert!(world.take(of("Troy")).iter().any(|stanza| stanza.to_xml().contains("code='201'")), "opens: {opens}");
    }
}

/// He comes back to an island and speaks there, and the link is lost again when the snapshot is whole, before the room has heard any of
/// it or when it has heard it all, perhaps with its server: the next island has him as he was, and all is heard in the end.
#[test]
fn s4_11_who_came_back_is_there_on_the_next_island() {
    for (alone, heard, restarts) in
        [(true, false, false), (false, false, false), (true, true, false), (false, true, false), (true, true, true)]
    {
        let how = format!("alone: {alone}, heard: {heard}, restarts: {restarts}");
        let mut world = World::with_cast(true);
        let wiz = of("WiZ");
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        if alone {
            world.user(&leaves(of("Troy"), "Troy"));
        }
        world.user(&leaves(wiz, "WiZ"));
        world.user(&join(wiz, "WiZ"));
        world.says("WiZ", "on the first");
        world.inbox.clear();
        world.heal(ERIS);
        world.join_until(ERIS, "live");
        if heard {
            world.cut_after_delivery(ERIS)
        } else {
            world.cut(ERIS)
        }
        if restarts {
            world.restart(SERVICE);
        }
        world.pass_ms(4 * SPLIT_MS);
        assert_eq!(world.states(ERIS), ["split"], "{how}");
        world.says("WiZ", "on the second");
        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"], "{how}");
        let got = world.take(wiz);
        assert_eq!(presence_of(&got, "WiZ"), [""; 0], "{how}: he is in all the time");
        assert!(!got.iter().any(|stanza| stanza.to_xml().contains("<retract ")), "{how}: {:?}", lines(&got));
        assert_eq!(world.archived(SERVICE), ["on the first", "on the second"], "{how}");
    }
}

/// He has come back to an island by another client, and somebody elsewhere has his nick by the time the link is back: that client
/// learns that it has another, and who has the old one now. It is not told that this is itself.
#[test]
fn s4_11_another_has_the_nick_of_who_came_back() {
    let mut world = World::with_cast(true);
    let moon = "squit@eris.dclxvii.irc/moon";
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&join(moon, "WiZ"));
    world.pass_ms(3_700_000);
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("BigCheese")));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(moon);
    assert_eq!(presence_of(&got, "WiZ"), ["unavailable", "available"], "{:?}", lines(&got));
    let is_own = |nick: &str, kind: Option<&str>| {
        let from = format!("{ROOM}/{nick}");
        let told =
            got.iter().rfind(|s| s.name() == "presence" && s.get("from") == Some(&from) && s.get("type") == kind);
        told.map(|told| told.to_xml().contains("code='110'"))
    };
    assert_eq!((is_own("WiZ", Some("unavailable")), is_own("WiZ_", None)), (Some(true), Some(true)));
    assert_eq!((is_own("BigCheese", Some("unavailable")), is_own("WiZ", None)), (Some(false), Some(false)));
}

/// The same, where the other had the name that he is given now: they have changed names, as far as his site can see.
#[test]
fn s4_11_who_came_back_and_who_has_his_nick_have_changed_names() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    let renames = |world: &mut World, nick: &str| {
        world.user(&format!("<presence from='{}' to='{ROOM}/{nick}'/>", of("BigCheese")));
    };
    renames(&mut world, "WiZ_");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&leaves(wiz, "WiZ"));
    world.user(&join(wiz, "WiZ"));
    world.pass_ms(3_700_000);
    renames(&mut world, "WiZ");
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(wiz);
    let own: Vec<&Element> =
        got.iter().filter(|s| s.name() == "presence" && s.to_xml().contains("code='110'")).collect();
    let own: Vec<(&str, bool)> =
        own.iter().map(|s| (s.get("from").unwrap_or_default(), s.get("type").is_none())).collect();
    let of_room = |nick: &str| format!("{ROOM}/{nick}");
    assert_eq!(own, [(&*of_room("WiZ"), false), (&*of_room("WiZ_"), true)], "{:?}", lines(&got));
    assert_eq!(presence_of(&got, "WiZ"), ["unavailable", "available"], "{:?}", lines(&got));
    assert_eq!(presence_of(&got, "WiZ_").last().map(String::as_str), Some("available"), "{:?}", lines(&got));
}

/// He has come to an island by another client, whom the room has let in; the word of that is lost, and what the room has made of the seat
/// since holds for that client too, when it is asked for once more: he is kicked and stays out (XEP-0045 8.2), or has another nick and
/// keeps it.
#[test]
fn s4_11_who_is_asked_for_once_more_is_what_the_room_has_made_of_him() {
    for kicked in [true, false] {
        let (mut world, moon) = (World::with_cast(true), "squit@eris.dclxvii.irc/moon");
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&join(moon, "WiZ"));
        world.heal(ERIS);
        world.join_until(ERIS, "live");
        world.inbox.clear();
        if kicked {
            world.cut_after_delivery(ERIS);
            let kick = format!("<query xmlns='{}'><item nick='WiZ' role='none'/></query>", ns::MUC_ADMIN);
            world.user(&format!("<iq from='{}' id='k' type='set' to='{ROOM}'>{kick}</iq>", of("Wumpus")));
        } else {
            world.user_sends(&format!("<presence from='{}' to='{ROOM}/Jupiter'/>", of("WiZ")));
            world.cut_after_delivery(ERIS);
        }
        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"], "kicked: {kicked}");
        let seen = world.take(of("Wumpus"));
        assert_eq!(presence_of(&seen, "WiZ").pop().as_deref(), Some("unavailable"), "{:?}", lines(&seen));
        let told = world.take(moon);
        assert_eq!(presence_of(&told, "WiZ").pop().as_deref(), Some("unavailable"), "{:?}", lines(&told));
        assert_eq!(told.iter().any(|s| s.to_xml().contains("code='307'")), kicked, "{:?}", lines(&told));
        assert_eq!(presence_of(&told, "Jupiter").is_empty(), kicked, "{:?}", lines(&told));
    }
}

/// An admin has come back to an island by another client, and has another nick when he is let in: what he may see he sees under that, who
/// is who in a room that hides it from others (XEP-0045 4.2), of those who are there and of who changes.
#[test]
fn s4_11_a_moderator_who_has_another_nick_sees_who_is_who() {
    for stays in [true, false] {
        let (mut world, wiz, moon) = (World::with_cast(true), of("WiZ"), "squit@eris.dclxvii.irc/moon");
        world.affiliate("squit@eris.dclxvii.irc", "admin");
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&join(moon, "WiZ"));
        if !stays {
            world.user(&leaves(wiz, "WiZ"));
        }
        world.pass_ms(3_700_000);
        world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("BigCheese")));
        world.heal(ERIS);
        world.pass_ms(120_000);
        world.inbox.clear();
        world.user(&format!(
            "<presence from='{}' to='{ROOM}/Phaedrus'><status>here</status></presence>",
            of("Phaedrus")
        ));
        let names = |stanza: &Element| stanza.to_xml().contains(" jid='");
        let told = world.take(moon);
        assert!(told.len() == 1 && names(&told[0]), "stays: {stays}: {:?}", lines(&told));
        let third = "squit@eris.dclxvii.irc/third";
        world.user(&join(third, "WiZ_"));
        let told: Vec<Element> = world.take(third).into_iter().filter(|s| s.name() == "presence").collect();
        assert!(told.len() == CAST.len() && told.iter().all(names), "stays: {stays}: {:?}", lines(&told));
    }
}

/// The other way round: who has his old nick by now is a moderator, and he is none. He sees as little as before; and where the link is lost
/// again before he is let in he is out, for on an island he would have that one's powers.
#[test]
fn s4_11_who_has_another_nick_does_not_see_what_the_holder_of_his_may() {
    let names = |got: &[Element]| got.iter().any(|stanza| stanza.to_xml().contains(" jid='"));
    for lost_again in [false, true] {
        let (mut world, moon) = (World::with_cast(true), "squit@eris.dclxvii.irc/moon");
        for moderator in ["troy@eris.dclxvii.irc", "rubenro@vesa.yeggmaex.irc"] {
            world.affiliate(moderator, "admin");
        }
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&join(moon, "WiZ"));
        world.pass_ms(3_700_000);
        world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'/>", of("BigCheese")));
        world.inbox.clear();
        if lost_again {
            world.heal(ERIS);
            world.join_until(ERIS, "live");
            world.cut(ERIS);
            world.pass_ms(4 * SPLIT_MS);
            assert_eq!(world.states(ERIS), ["split"]);
            let told = world.take(moon);
            assert_eq!(
                (presence_of(&told, "WiZ"), names(&told)),
                (vec!["unavailable".to_owned()], false),
                "{:?}",
                lines(&told)
            );
            for client in [moon, "squit@eris.dclxvii.irc/third"] {
                world.user(&join(client, "WiZ"));
                let told = world.take(client);
                assert!(told.len() == 1 && told[0].get("type") == Some("error"), "{:?}", lines(&told));
            }
        }
        world.heal(ERIS);
        world.pass_ms(120_000);
        if lost_again {
            assert_eq!(world.take(moon), []);
            continue;
        }
        world.user(&format!(
            "<presence from='{}' to='{ROOM}/Phaedrus'><status>here</status></presence>",
            of("Phaedrus")
        ));
        let told = world.take(moon);
        assert!(presence_of(&told, "Phaedrus").len() == 1 && !names(&told), "{:?}", lines(&told));
        assert!(names(&world.take(of("Troy"))), "a moderator does");
    }
}
