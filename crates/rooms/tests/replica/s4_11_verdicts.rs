//! What became of those who were on an island is told to each as what it was, `docs/wire.md`, *Netjoin* 1.

use crate::s4_11_netsplit::presence_of;
use crate::site::{ROOM, join, says};
use crate::world::{ERIS, Fault, SERVICE, World, of};
use xmpp::{Element, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;
/// Longer than seats are kept.
const RETENTION_MS: u64 = 3_600_000;

fn admin(item: &str) -> String {
    format!(
        "<iq from='{}' to='{ROOM}' type='set' id='a'><query xmlns='{}'>{item}</query></iq>",
        of("Wumpus"),
        ns::MUC_ADMIN
    )
}

/// The codes of his own last presence, with who did it and why.
fn own_end(got: &[Element]) -> (Vec<String>, Option<String>, Option<String>) {
    let own = got.iter().rfind(|s| s.name() == "presence" && s.get("type") == Some("unavailable")).expect("he is told");
    let x = own.get_child("x", ns::MUC_USER).expect("how");
    let mut codes: Vec<String> =
        x.children().filter(|c| c.name() == "status").filter_map(|c| c.get("code")).map(str::to_owned).collect();
    codes.sort();
    let item = x.get_child("item", ns::MUC_USER).expect("what he is now");
    let actor = item.get_child("actor", ns::MUC_USER).and_then(|actor| actor.get("nick")).map(str::to_owned);
    (codes, actor, item.get_child("reason", ns::MUC_USER).map(Element::content))
}

/// Where nobody of a site may stay there is no link, and yet each is told his own verdict; what the room had heard of them is not
/// said to have failed.
#[test]
fn s4_11_verdicts_where_nobody_may_stay() {
    let mut world = World::with_cast(true);
    world.user_sends(&says(of("WiZ"), "heard"));
    world.cut_after_delivery(ERIS);
    world.pass_ms(SPLIT_MS);
    world.says("Troy", "not heard");
    world.user(&admin("<item role='none' nick='WiZ'><reason>enough</reason></item>"));
    world.user(&admin("<item affiliation='outcast' jid='troy@eris.dclxvii.irc'/>"));
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    let (wiz, troy) = (world.take(of("WiZ")), world.take(of("Troy")));
    let expected = (vec!["110".to_owned(), "307".to_owned()], Some("Wumpus".to_owned()), Some("enough".to_owned()));
    assert_eq!(own_end(&wiz), expected);
    assert_eq!(own_end(&troy).0, ["110", "301"]);
    let failed = |got: &[Element]| got.iter().filter(|s| s.get("type") == Some("error")).count();
    assert_eq!((failed(&wiz), failed(&troy)), (0, 1));
    assert_eq!(world.archived(SERVICE), ["heard"]);
    let refused = world.rows_of(ERIS, &format!("refused:{ROOM}"));
    assert!(refused.iter().any(|row| row.contains("not heard") && row.contains("<error")), "{refused:?}");
    assert_eq!(world.states(ERIS), [""; 0]);
}

/// He has left the island and come back to it, once before he is kicked and once after, and nobody there knows of that: his is the kick
/// nevertheless, and what he has said since he left is taken back. Others never see him again, until he asks knowing it.
#[test]
fn s4_11_verdicts_who_came_back_to_an_island_and_was_kicked() {
    let mut world = World::with_cast(true);
    let (wiz, there) = (of("WiZ"), |got: &[Element]| {
        let wiz = format!("{ROOM}/WiZ");
        let presence = got.iter().filter(|s| s.name() == "presence" && s.get("from") == Some(&wiz));
        presence.map(|s| s.get("type").is_none()).collect::<Vec<_>>()
    });
    let leave = format!("<presence from='{wiz}' to='{ROOM}/WiZ' type='unavailable'/>");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.user(&leave);
    world.user(&join(wiz, "WiZ"));
    world.user(&admin("<item role='none' nick='WiZ'/>"));
    world.says("WiZ", "not heard");
    for stanza in [&leave, &join(wiz, "WiZ"), &says(wiz, "nor this")] {
        world.user(stanza);
    }
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(own_end(&world.take(wiz)).0, ["110", "307"]);
    assert_eq!(there(&world.take(of("Wumpus"))), [false; 0]);
    assert_eq!((world.archived(SERVICE), there(&world.take(of("Troy")))), (vec![], vec![false]));
    world.user(&join(wiz, "WiZ"));
    assert_eq!(there(&world.take(of("Wumpus"))), [true]);
}

/// The refusal of his join to the island is lost, and nothing else, or the link with it: he was kicked, which is told him all the same, when
/// the room has said that it has told all behind that or when it is asked again.
#[test]
fn s4_11_verdicts_a_refusal_that_is_lost_is_made_good() {
    for alone in [false, true] {
        let mut world = World::with_cast(true);
        let wiz = of("WiZ");
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&format!("<presence from='{wiz}' to='{ROOM}/WiZ' type='unavailable'/>"));
        world.user(&join(wiz, "WiZ"));
        world.user(&admin("<item role='none' nick='WiZ'/>"));
        world.inbox.clear();
        world.lost_refusals = 1;
        world.heal(ERIS);
        if !alone {
            while world.lost_refusals > 0 {
                world.pass_ms(1_000);
            }
            world.cut(ERIS);
            world.heal(ERIS);
        }
        world.pass_ms(200_000);
        assert_eq!((world.lost_refusals, world.states(ERIS)), (0, vec!["live"]));
        assert_eq!(own_end(&world.take(wiz)).0, ["110", "307"], "alone: {alone}");
        assert_eq!(presence_of(&world.take(of("Troy")), "WiZ").last().map(String::as_str), Some("unavailable"));
        assert_eq!(presence_of(&world.take(of("Wumpus")), "WiZ"), [""; 0]);
        world.user(&join(wiz, "WiZ"));
        assert_eq!(presence_of(&world.take(of("Wumpus")), "WiZ"), ["available"]);
    }
}

/// The same of the join of somebody who enters: he is told that his nickname is another's, and nobody waits any more.
#[test]
fn s4_5_a_refusal_that_is_lost_alone_is_made_good() {
    let mut world = World::with_cast(true);
    let kev = "kev@eris.dclxvii.irc/x";
    world.lost_refusals = 1;
    world.user(&join(kev, "Efchen"));
    assert_eq!((world.lost_refusals, world.take(kev).len()), (0, 0));
    world.pass_ms(200_000);
    let told = world.take(kev);
    assert_eq!(told.iter().map(|stanza| stanza.get("type")).collect::<Vec<_>>(), [Some("error")], "{told:?}");
    world.user(&join(kev, "Kev"));
    assert_eq!(presence_of(&world.take(kev), "Kev"), ["available"]);
}

/// That he was kicked is known to the room's next start too: his census hears by whom and why, and a join that the island accepted
/// before it knew undoes nothing, be there somebody left at his site or not.
#[test]
fn s4_11_verdicts_a_kick_outlives_a_restart_of_the_room() {
    for (comes_back, alone) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::with_cast(true);
        let wiz = of("WiZ");
        let leave = |nick: &str| format!("<presence from='{}' to='{ROOM}/{nick}' type='unavailable'/>", of(nick));
        if alone {
            world.user(&leave("Troy"));
        }
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&admin("<item role='none' nick='WiZ'><reason>enough</reason></item>"));
        if comes_back {
            world.user(&leave("WiZ"));
            world.user(&join(wiz, "WiZ"));
        }
        world.says("WiZ", "not heard");
        world.restart(SERVICE);
        world.inbox.clear();
        world.heal(ERIS);
        world.pass_ms(120_000);
        let (codes, actor, reason) = own_end(&world.take(wiz));
        assert_eq!(codes, ["110", "307"], "comes back: {comes_back}, alone: {alone}");
        // A join that is refused says no more than that.
        if !comes_back || alone {
            assert_eq!((actor.as_deref(), reason.as_deref()), (Some("Wumpus"), Some("enough")));
        }
        let shown = |got: Vec<Element>| got.iter().any(|s| s.get("from") == Some(&format!("{ROOM}/WiZ")));
        assert_eq!((world.archived(SERVICE), shown(world.take(of("Wumpus")))), (vec![], false));
        world.user(&join(wiz, "WiZ"));
        assert!(shown(world.take(of("Wumpus"))), "he has asked, knowing it");
    }
}

/// Who was kicked is remembered for as long as anybody of an island is: its seats for the retention, and whom the split has cost his for
/// the same time again. Behind that nobody is known, and the room has nothing of it on disk.
#[test]
fn s4_11_verdicts_a_kick_outlives_the_retention() {
    let end = |cut_ms: u64| {
        let mut world = World::with_cast(true);
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        world.user(&admin("<item role='none' nick='WiZ'/>"));
        world.pass_ms(cut_ms);
        world.user(&format!("<presence from='{}' to='{ROOM}/WiZ' type='unavailable'/>", of("WiZ")));
        world.user(&join(of("WiZ"), "WiZ"));
        world.inbox.clear();
        world.heal(ERIS);
        world.pass_ms(120_000);
        let end = |world: &mut World, who: &str| {
            let got = world.take(of(who));
            let is_out = |s: &Element| s.get("from") == Some(&format!("{ROOM}/{who}")) && s.get("type").is_some();
            got.iter().any(is_out).then(|| own_end(&got).0)
        };
        (end(&mut world, "WiZ"), end(&mut world, "Troy"), world.keys(SERVICE, "occupant").len())
    };
    let codes = |codes: [&str; 2]| Some(codes.map(str::to_owned).to_vec());
    assert_eq!(end(RETENTION_MS + 60_000), (codes(["110", "307"]), None, 7));
    assert_eq!(end(2 * RETENTION_MS + 60_000), (codes(["110", "333"]), codes(["110", "333"]), 5));
}

/// He has changed his nick, and the word of that was lost with the link: when `retention` is over his site still calls him by the one
/// of before, by which he enters again and is heard. He was removed by nobody.
#[test]
fn s4_11_verdicts_whose_new_nick_his_site_has_not_heard_of() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    world.user_sends(&format!("<presence from='{wiz}' to='{ROOM}/Bicycle'/>"));
    world.cut_after_delivery(ERIS);
    world.pass_ms(RETENTION_MS + SPLIT_MS);
    assert!(world.take(of("Wumpus")).iter().any(|s| s.to_xml().contains("/Bicycle' type='unavailable'")));
    world.says("WiZ", "heard");
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(world.archived(SERVICE), ["heard"]);
    assert!(!world.take(wiz).iter().any(|s| s.get("type") == Some("unavailable") || s.get("type") == Some("error")));
    let there = format!("{ROOM}/WiZ");
    let wumpus = world.take(of("Wumpus"));
    assert!(wumpus.iter().any(|s| s.name() == "presence" && s.get("from") == Some(&there)), "{wumpus:?}");
}

/// Somebody with two clients here is banned, and the link goes behind the LEAVE of the first, or of both: on the island the other is out
/// as well, the others see him go, and neither is let in again by what the mirror had of him.
#[test]
fn s4_11_a_ban_of_which_half_has_come() {
    for come in [1, 2] {
        let mut world = World::with_cast(true);
        let moon = "squit@eris.dclxvii.irc/moon";
        world.user(&join(moon, "WiZ"));
        world.faults = std::iter::repeat_n(None, come).chain([Some(Fault::Drop); 2]).collect();
        world.inbox.clear();
        world.affiliate("squit@eris.dclxvii.irc", "outcast");
        world.cut(ERIS);
        world.pass_ms(SPLIT_MS);
        for client in [of("WiZ"), moon] {
            assert_eq!(own_end(&world.take(client)).0, ["110", "301"], "{come}: {client}");
            world.user(&join(client, "WiZ"));
            let got = world.take(client);
            assert_eq!((got.len(), got[0].get("type")), (1, Some("error")), "{come}: {client}: {got:?}");
        }
        let gone = world.take(of("Troy"));
        assert_eq!(presence_of(&gone, "WiZ"), ["unavailable"], "{come}: {gone:?}");
        assert!(gone.iter().any(|s| s.to_xml().contains("affiliation='outcast'")), "{come}: {gone:?}");
        world.heal(ERIS);
        world.pass_ms(120_000);
        assert_eq!(world.states(ERIS), ["live"]);
        assert_eq!(presence_of(&world.take(of("Troy")), "WiZ"), [""; 0]);
        assert_eq!((world.take(of("WiZ")), world.take(moon)), (vec![], vec![]));
    }
}

/// A member whom his island would let in is banned, and of that all has come but who may enter on islands from now on: he may not.
#[test]
fn s4_11_a_ban_of_which_the_list_of_members_has_not_come() {
    let mut world = World::with_members(&[("squit@eris.dclxvii.irc", "member")]);
    // The LEAVE and the event of it come.
    world.faults = [None, None, Some(Fault::Drop)].into();
    let lists = |world: &World| world.down_to(ERIS, |stanza| stanza.to_xml().contains("<members"));
    let before = lists(&world);
    world.affiliate("squit@eris.dclxvii.irc", "outcast");
    assert_eq!((world.faults.len(), lists(&world)), (0, before), "the list was on its way");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.inbox.clear();
    world.user(&join(of("WiZ"), "Merlin"));
    let got = world.take(of("WiZ"));
    assert_eq!((got.len(), got[0].get("type")), (1, Some("error")), "{got:?}");
}
