//! A room that has crashed takes once more what its site has been told of; and who leaves, or is out, while an ENTER is to come;
//! `docs/wire.md`, *ENTER and LEAVE*.

use crate::s4_11_netsplit::{bodies, presence_of};
use crate::site::{CAST, ROOM, Site, TROY, WIZ, join, leaves, lines, own_presence, presence, says, unavailable};
use crate::world::{ERIS, SERVICE, World, of};
use machine::Input;
use rooms::Status;
use rooms::wire::{At, Down, Kind, Removed, Verdict};
use xmpp::{Element, Jid, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;

/// He has left and come back, and the room has heard both and forgotten them in a crash: it takes them once more. He is in all the time, as
/// are those who see him, whether or not others of his site are in, and however much of it the room knew and said.
#[test]
fn s4_11_who_is_in_does_not_notice_that_the_room_takes_his_entry_once_more() {
    for (alone, known) in [(false, "all before"), (false, "his leave"), (true, "all before")] {
        let how = format!("alone: {alone}, known: {known}");
        let mut world = World::with_cast(true);
        let wiz = of("WiZ");
        if alone {
            world.user(&leaves(of("Troy"), "Troy"));
        }
        let before = world.backup(SERVICE);
        world.user(&leaves(wiz, "WiZ"));
        let left = world.backup(SERVICE);
        world.user(&join(wiz, "WiZ"));
        world.inbox.clear();
        world.restart_with(SERVICE, if known == "his leave" { left } else { before });
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"], "{how}");
        assert_eq!(presence_of(&world.take(wiz), "WiZ"), [""; 0], "{how}");
        assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), [""; 0], "{how}");
        world.says("Wumpus", "still there?");
        assert_eq!(bodies(&world.take(wiz)), ["still there?"], "{how}");
        world.says("WiZ", "yes");
        assert_eq!(bodies(&world.take(of("Wumpus"))).pop().as_deref(), Some("yes"), "{how}");
    }
}

/// The same of an entry that nothing was before, and of one behind which he has left since: then he is out, and nobody's ghost.
#[test]
fn s4_11_an_entry_that_the_room_takes_once_more_is_one() {
    for leaves_since in [false, true] {
        let mut world = World::with_cast(true);
        let (eve, entered) = ("eve@eris.dclxvii.irc/x", world.backup(SERVICE));
        world.user(&join(eve, "Eve"));
        if leaves_since {
            world.cut(ERIS);
            world.user(&leaves(eve, "Eve"));
            world.heal(ERIS);
        }
        world.inbox.clear();
        world.restart_with(SERVICE, entered);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"]);
        let seen = presence_of(&world.take(of("Wumpus")), "Eve");
        let own = presence_of(&world.take(eve), "Eve");
        world.says("Wumpus", "who is there?");
        if leaves_since {
            assert_eq!((own, seen.last().map(String::as_str)), (Vec::new(), Some("unavailable")), "{seen:?}");
            assert_eq!(bodies(&world.take(eve)), [""; 0]);
        } else {
            assert_eq!((own, seen), (Vec::new(), Vec::new()));
            assert_eq!(bodies(&world.take(eve)), ["who is there?"]);
        }
    }
}

/// He came back to an island, and leaves again before the room has let him in: he is out at once, as others here see. What the room says of
/// the stays before is not for who comes by the same client behind that; it is let in by the last ENTER, and shown everything.
#[test]
fn s4_11_who_leaves_before_he_is_let_in_is_out() {
    for comes in [false, true] {
        let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
        site.feed(Input::StreamEnded(SERVICE.into()));
        let left = site.pass_ms(SPLIT_MS);
        site.send(&leaves(WIZ, "WiZ"));
        site.send(&join(WIZ, "WiZ"));
        site.grant(&left, 2, true);
        site.snapshot(&CAST, &[], 810);
        let of = |got: &[Element], to: &str| presence_of(&to_user(got, to), "WiZ");
        let got = site.send(&leaves(WIZ, "WiZ"));
        assert_eq!((of(&got, WIZ), of(&got, TROY)), (vec!["unavailable".to_owned()], vec!["unavailable".to_owned()]));
        if comes {
            site.send(&join(WIZ, "WiZ"));
        }
        let (mut got, wiz) = (Vec::new(), WIZ.parse::<Jid>().unwrap());
        for (seq, enters) in [(811, true), (813, comes)] {
            let leave = Down::Leave { jid: wiz.clone() };
            got.extend(site.down(&unavailable("WiZ", "<status code='110'/>"), leave, Kind::Leave, None));
            got.extend(site.event(&unavailable("WiZ", ""), seq));
            if enters {
                assert_eq!(of(&got, WIZ), [""; 0], "{comes}: {:?}", lines(&got));
                got.extend(site.event(&presence("WiZ", "admin", "participant"), seq + 1));
                got.extend(site.enter(&own_presence("WiZ", "admin", "participant"), WIZ));
            }
        }
        let told = to_user(&got, WIZ);
        let nicks: Vec<&str> = told.iter().filter_map(|s| s.get("from")?.split('/').nth(1)).collect();
        let all = ["Wumpus", "Valdis", "Phaedrus", "Troy", "BigCheese", "Efchen", "WiZ"];
        assert_eq!(nicks, if comes { all.to_vec() } else { Vec::new() }, "{:?}", lines(&told));
        let said = site.event(&crate::site::groupchat("Wumpus", "hello", 820), 820);
        assert_eq!(to_user(&said, WIZ).len(), usize::from(comes));
        assert!(!got.iter().any(|stanza| stanza.to_xml().contains("<refused ")), "{:?}", lines(&got));
    }
}

/// A join was heard and its ENTER lost, and he has left behind it: nobody asks for him once more, neither of the room nor here.
#[test]
fn s4_11_who_has_left_behind_his_join_does_not_enter() {
    let eve = "eve@eris.dclxvii.irc/x";
    for island in [false, true] {
        let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
        site.send(&join(eve, "Eve"));
        site.send(&leaves(eve, "Eve"));
        let mut got = site.feed(Input::StreamEnded(SERVICE.into()));
        got.extend(site.pass_ms(if island { SPLIT_MS } else { 1_000 }));
        site.send(&says(WIZ, "said meanwhile"));
        let left = got.clone();
        got.extend(site.grant(&left, 2, true));
        let again = got.iter().filter(|s| s.name() == "presence" && s.get("from") == Some(eve)).count();
        assert_eq!((again, to_user(&got, eve).len()), (1, 0), "his leave alone: {:?}", lines(&got));
    }
}

/// The room says that somebody is not in it of whom it has forgotten that he is, and the link is lost before the rest of its answer has
/// come: he is told, and is no ghost on the island (XEP-0045 7.2.18).
#[test]
fn s4_11_who_is_told_that_he_is_not_in_is_not_in() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_000);
    let lost = Removed { status: Status::FAILURE, actor: None, reason: None };
    let nick = |seat: &rooms::wire::CensusSeat| seat.nick.as_str() == "WiZ";
    site.grant_with(&left, 2, true, |seat| if nick(seat) { Verdict::Removed(lost.clone()) } else { Verdict::Kept });
    let told = site.send(&format!(
        "<presence from='{ROOM}/WiZ' to='{WIZ}' type='unavailable'><x xmlns='{}'><item affiliation='none' role='none'/>\
         <status code='110'/><status code='307'/><status code='333'/></x></presence>",
        ns::MUC_USER
    ));
    assert_eq!(presence_of(&to_user(&told, WIZ), "WiZ"), ["unavailable"]);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let got = site.pass_ms(4 * SPLIT_MS);
    assert_eq!((to_user(&got, WIZ).len(), bodies(&to_user(&got, TROY)).len()), (0, 1), "{:?}", lines(&got));
}

fn to_user(got: &[Element], user: &str) -> Vec<Element> {
    got.iter().filter(|stanza| stanza.get("to") == Some(user)).cloned().collect()
}

/// Two clients had one nick when the island began, and the room has given that of the one another since: it learns its new one, and that
/// the old one is still there, which is the other's.
#[test]
fn s4_11_who_has_another_nick_sees_who_has_his_old_one() {
    let (moon, his) =
        ("squit@eris.dclxvii.irc/moon", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='his'/></presence>");
    let with_id = |stanza: String| stanza.replace("</presence>", his);
    let mut site = Site::with_users(ERIS, &[("Troy", TROY), ("WiZ", WIZ)]);
    site.event(&with_id(presence("WiZ", "admin", "participant")), 803);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(SPLIT_MS);
    site.send(&join(moon, "WiZ"));
    site.grant(&left, 2, true);
    for nick in ["WiZ", "Moon"] {
        site.down(&with_id(presence(nick, "admin", "participant")), Down::Roster, Kind::Roster, None);
    }
    let mut got = site.snapshot(&[("Troy", "none", "participant")], &[], 810);
    got.extend(site.enter(&with_id(own_presence("Moon", "admin", "participant")), moon));
    let told = to_user(&got, moon);
    assert_eq!(presence_of(&told, "Moon"), ["available"], "{:?}", lines(&told));
    assert_eq!(presence_of(&told, "WiZ"), ["unavailable", "available"], "{:?}", lines(&told));
}

/// One of two clients has given its seat another nick, and the other came to an island by the old one: the room takes that as a change back
/// to it. What of the two the latter hears when it is let in comes in its order, and nobody is left under the nick between.
#[test]
fn s4_11_who_came_by_the_old_nick_sees_that_nobody_has_the_new_one() {
    let (moon, his) =
        ("squit@eris.dclxvii.irc/moon", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='his'/></presence>");
    let with_id = |stanza: String| stanza.replace("</presence>", his);
    let mut site = Site::with_users(ERIS, &[("Troy", TROY), ("WiZ", WIZ)]);
    site.event(&with_id(presence("WiZ", "admin", "participant")), 803);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(SPLIT_MS);
    site.send(&join(moon, "WiZ"));
    let (id, request) = site.request(&left);
    let mut granted = site.granted(&request, 2, true, |_| Verdict::Kept);
    granted
        .seats
        .iter_mut()
        .filter(|seat| seat.jid.as_str() == WIZ)
        .for_each(|seat| seat.nick = "Jupiter".parse().unwrap());
    site.answer(&id, &granted);
    site.down(&with_id(presence("Jupiter", "admin", "participant")), Down::Roster, Kind::Roster, None);
    let mut got = site.snapshot(&[("Troy", "none", "participant")], &[], 810);
    let renamed = format!(
        "<presence from='{ROOM}/Jupiter' type='unavailable'><x xmlns='{}'><item affiliation='admin' role='participant' nick='WiZ'/>\
         <status code='303'/></x></presence>",
        ns::MUC_USER
    );
    for (part, stanza) in [(1, renamed), (2, presence("WiZ", "admin", "participant"))] {
        let at = At { part: Some((part, 2)), ..site.at(Kind::Event, Some(811)) };
        got.extend(site.down_at(&with_id(stanza), Down::Event { said_ms: None, config: None }, at));
    }
    got.extend(site.enter(&with_id(own_presence("WiZ", "admin", "participant")), moon));
    let told = to_user(&got, moon);
    assert_eq!(presence_of(&told, "Jupiter"), ["available", "unavailable"], "{:?}", lines(&told));
    assert_eq!(presence_of(&told, "WiZ"), ["available"], "{:?}", lines(&told));
    assert_eq!(presence_of(&to_user(&got, WIZ), "Jupiter"), ["available", "unavailable"], "{:?}", lines(&got));
}

/// The room takes his entry once more and kicks him then, and the word of both is lost: the census names him whom it had let in before,
/// and its verdict is what holds. He is not entered again for having been in (XEP-0045 8.2).
#[test]
fn s4_11_who_is_kicked_behind_the_entry_that_the_room_takes_once_more_is_out() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    let lost = |site: &mut Site| {
        site.feed(Input::StreamEnded(SERVICE.into()));
        site.pass_ms(1_000)
    };
    let left = lost(&mut site);
    site.grant(&left, 0, true);
    site.snapshot(&CAST, &[], 810);
    let left = lost(&mut site);
    let (_, request) = site.request(&left);
    let named = |nick: &str| request.census.iter().flat_map(|(_, seats)| seats).any(|seat| seat.nick.as_str() == nick);
    assert!(named("WiZ") && named("Troy"), "both were let in: {:?}", request.census);
    let kicked = Removed { status: Status::KICKED, actor: None, reason: None };
    let nick = |seat: &rooms::wire::CensusSeat| seat.nick.as_str() == "WiZ";
    let mut got =
        site.grant_with(&left, 2, true, |s| if nick(s) { Verdict::Removed(kicked.clone()) } else { Verdict::Kept });
    got.extend(site.snapshot(&CAST[..3], &[], 812));
    let told = to_user(&got, WIZ);
    assert_eq!(presence_of(&told, "WiZ"), ["unavailable"], "{:?}", lines(&told));
    assert!(told[0].to_xml().contains("code='307'"), "{:?}", lines(&told));
    assert!(!got.iter().any(|s| s.get("from") == Some(WIZ)), "{:?}", lines(&got));
}

/// He has come to an island by another client, and enters once more by it when his site has started again: the join of before is on disk,
/// and the room answers both. He is in by the last, and nothing puts him out.
#[test]
fn s4_11_who_came_to_an_island_before_its_site_started_again_enters() {
    let (mut world, moon) = (World::with_cast(true), "squit@eris.dclxvii.irc/moon");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&join(moon, "WiZ"));
    world.restart(ERIS);
    world.inbox.clear();
    world.heal(ERIS);
    world.user(&join(moon, "WiZ"));
    world.pass_ms(120_000);
    let got = world.take(moon);
    let own = presence_of(&got, "WiZ");
    assert!(!own.is_empty() && own.iter().all(|kind| kind == "available"), "{:?}", lines(&got));
    world.says("Wumpus", "who is there?");
    assert_eq!(bodies(&world.take(moon)), ["who is there?"]);
}

/// He leaves and comes back while the link is suspect; that is on its way when the island begins, in the middle of the join, and lets him
/// in once more. The room answers both joins: he stays in, and no ENTER is refused, by which it would put him out.
#[test]
fn s4_11_1_a_join_that_is_on_its_way_when_the_island_begins_is_answered() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    let mut got = split_while_joining(&mut site, &[leaves(WIZ, "WiZ"), join(WIZ, "WiZ")]);
    let joins = |stanza: &&Element| stanza.get("from") == Some(WIZ) && stanza.has_child("x", ns::MUC);
    assert_eq!(got.iter().filter(joins).count(), 2, "{:?}", lines(&got));
    assert_eq!(presence_of(&to_user(&got, WIZ), "WiZ").last().map(String::as_str), Some("available"));
    got = site.snapshot(&CAST, &[], 810);
    let leave = Down::Leave { jid: WIZ.parse().unwrap() };
    got.extend(site.down(&unavailable("WiZ", "<status code='110'/>"), leave, Kind::Leave, None));
    got.extend(site.event(&unavailable("WiZ", ""), 811));
    got.extend(site.event(&presence("WiZ", "admin", "participant"), 812));
    for _ in 0..2 {
        got.extend(site.enter(&own_presence("WiZ", "admin", "participant"), WIZ));
    }
    assert!(!got.iter().any(|stanza| stanza.to_xml().contains("<refused ")), "{:?}", lines(&got));
    assert_eq!(presence_of(&to_user(&got, WIZ), "WiZ"), [""; 0], "{:?}", lines(&got));
    assert_eq!(presence_of(&to_user(&got, TROY), "WiZ"), [""; 0], "{:?}", lines(&got));
    let said = site.event(&crate::site::groupchat("Wumpus", "hello", 820), 820);
    assert_eq!(bodies(&to_user(&said, WIZ)), ["hello"]);
}

/// The same where he has changed his nick before: the room does that, and lets him in under the one that he came back to. Others see that
/// nobody has the one between.
#[test]
fn s4_11_1_nobody_is_left_under_the_nick_between() {
    let his = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='his'/></presence>";
    let with_id = |stanza: String| stanza.replace("</presence>", his);
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ), ("Troy", TROY)]);
    site.event(&with_id(presence("WiZ", "admin", "participant")), 803);
    let renames = format!("<presence from='{WIZ}' to='{ROOM}/Jupiter'/>");
    split_while_joining(&mut site, &[renames, leaves(WIZ, "WiZ"), join(WIZ, "WiZ")]);
    site.down(&with_id(presence("WiZ", "admin", "participant")), Down::Roster, Kind::Roster, None);
    let others: Vec<_> = CAST.into_iter().filter(|(nick, ..)| *nick != "WiZ").collect();
    let mut got = site.snapshot(&others, &[], 810);
    let renamed =
        unavailable("WiZ", "<status code='303'/>").replace("role='none'", "role='participant' nick='Jupiter'");
    for (part, stanza) in [(1, renamed), (2, presence("Jupiter", "admin", "participant"))] {
        let at = At { part: Some((part, 2)), ..site.at(Kind::Event, Some(811)) };
        got.extend(site.down_at(&with_id(stanza), Down::Event { said_ms: None, config: None }, at));
    }
    let leave = Down::Leave { jid: WIZ.parse().unwrap() };
    got.extend(site.down(&with_id(unavailable("Jupiter", "<status code='110'/>")), leave, Kind::Leave, None));
    got.extend(site.event(&with_id(unavailable("Jupiter", "")), 812));
    got.extend(site.event(&with_id(presence("WiZ", "admin", "participant")), 813));
    for _ in 0..2 {
        got.extend(site.enter(&with_id(own_presence("WiZ", "admin", "participant")), WIZ));
    }
    for who in [WIZ, TROY] {
        let told = to_user(&got, who);
        assert_eq!(presence_of(&told, "Jupiter"), ["available", "unavailable"], "{who}: {:?}", lines(&told));
        assert_eq!(
            presence_of(&told, "WiZ").last().map(String::as_str),
            Some("available"),
            "{who}: {:?}",
            lines(&told)
        );
    }
    assert!(!got.iter().any(|stanza| stanza.to_xml().contains("<refused ")), "{:?}", lines(&got));
}

/// The link of a site is suspect while these are sent, and granted anew; the snapshot does not come in time, and the island begins. Gives
/// what has left since the grant.
fn split_while_joining(site: &mut Site, sent: &[String]) -> Vec<Element> {
    site.feed(Input::StreamEnded(SERVICE.into()));
    sent.iter().for_each(|stanza| drop(site.send(stanza)));
    let left = site.pass_ms(1_000);
    let mut got = site.grant(&left, 2, true);
    got.extend(site.pass_ms(SPLIT_MS));
    got
}
