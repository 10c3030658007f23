//! `docs/wire.md`, *Registration*: users whom the room has served itself are handed over to their site's replica when it
//! registers, and notice nothing of it.

use crate::s4_11_netsplit::presence_of;
use crate::site::{ROOM, join, leaves};
use crate::world::*;
use xmpp::{Element, ns};

const ERIS: &str = "eris.dclxvii.irc";
/// How long a site leaves a room alone that would not have it as a replica.
const LEFT_ALONE_MS: u64 = 600_000;

/// The room is open to replicas or not.
fn open_to_replicas(world: &mut World, is: bool) {
    let value = if is { "1" } else { "0" };
    world.user(&format!(
        "<iq from='{}' id='c' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{}</value></field><field var='{FIELD}'><value>{value}</value></field>\
         </x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER,
        ns::MUC_ROOMCONFIG
    ));
    world.inbox.clear();
}

/// The whole cast in a room that has no replicas, nor ever was asked for one; then it may have some.
fn all_direct() -> World {
    let mut world = World::with_cast(true);
    open_to_replicas(&mut world, false);
    for site in SITES {
        assert_eq!(world.states(site), ["plain"]);
    }
    world.says("WiZ", "plainly");
    everybody_hears(&mut world, &["plainly"]);
    open_to_replicas(&mut world, true);
    world.pass_ms(LEFT_ALONE_MS);
    world.inbox.clear();
    world
}

fn bodies(got: &[Element]) -> Vec<String> {
    got.iter().filter_map(|s| Some(s.get_child("body", ns::CLIENT)?.content())).collect()
}

fn everybody_hears(world: &mut World, said: &[&str]) {
    for (nick, jid) in CAST {
        assert_eq!(bodies(&world.take(jid)), said, "{nick}");
    }
}

fn bodies_down(world: &World) -> usize {
    world.down_to(ERIS, |stanza| stanza.has_child("body", ns::CLIENT))
}

/// Another user's join brings the replica: those who were there are sent his entry, once, and nothing else; from then on one
/// copy crosses for all.
#[test]
fn who_was_direct_is_handed_over_and_sees_nothing_of_it() {
    let mut world = all_direct();
    let kev = "kev@eris.dclxvii.irc/x";
    world.user(&join(kev, "Kev"));
    assert_eq!(world.states(ERIS), ["live"]);
    assert!(world.take(kev).len() > CAST.len(), "he was let in");
    for (nick, jid) in CAST {
        let got = world.take(jid);
        let from: Vec<_> = got.iter().map(|s| (s.name(), s.get("type"), s.get("from").unwrap())).collect();
        assert_eq!(from, [("presence", None, format!("{ROOM}/Kev").as_str())], "{nick}");
    }
    let before = bodies_down(&world);
    world.says("Troy", "one copy");
    world.says("Wumpus", "and one");
    assert_eq!(bodies_down(&world) - before, 2);
    assert_eq!(bodies(&world.take(kev)), ["one copy", "and one"]);
    everybody_hears(&mut world, &["one copy", "and one"]);
    world.user(&format!("<presence from='{}' to='{ROOM}/Wizard'/>", of("WiZ")));
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
    assert_eq!(world.take(of("Troy")).last().unwrap().get("type"), Some("unavailable"));
    let seen = |world: &mut World, nick: &str| {
        world.take(of(nick)).iter().map(|s| s.get("from").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut world, "WiZ"), seen(&mut world, "Efchen"));
}

/// Whatever one stanza of the link is lost while it happens: in the end everybody has heard everything once.
#[test]
fn nothing_is_lost_or_told_twice_whatever_is_lost_meanwhile() {
    for lost in 0..LINK_STANZAS {
        let mut world = all_direct();
        world.faults = std::iter::repeat_n(None, lost).chain([Some(Fault::Drop)]).collect();
        world.user_sends(&join("kev@eris.dclxvii.irc/x", "Kev"));
        world.run();
        world.says("Wumpus", "meanwhile");
        world.pass_ms(300_000);
        world.faults.clear();
        world.says("WiZ", "after");
        world.pass_ms(300_000);
        for (nick, jid) in CAST {
            assert_eq!(bodies(&world.take(jid)), ["meanwhile", "after"], "{nick}, stanza {lost} was lost");
        }
    }
}

/// The answer that hands them over is lost, and what was said behind it: they are sent that, whether the replica gives up or
/// asks again, and whatever the primary's clock has been in between. So is all that he is to be sent whose join has brought it about.
#[test]
fn the_answer_is_lost() {
    for (asks_again, back_ms) in [(false, 0), (true, 0), (true, 14_000_000)] {
        let mut world = all_direct();
        world.now.unix_ms -= back_ms;
        world.lost_grants = 1;
        world.user(&join("kev@eris.dclxvii.irc/x", "Kev"));
        assert_eq!((world.lost_grants, world.states(ERIS)), (0, vec!["registering"]));
        world.says("Wumpus", "meanwhile");
        if asks_again {
            world.cut(ERIS);
            world.heal(ERIS);
        }
        world.pass_ms(60_000);
        assert_eq!(world.states(ERIS), [if asks_again { "live" } else { "plain" }]);
        world.says("WiZ", "after");
        for nick in ["WiZ", "Troy", "Wumpus"] {
            assert_eq!(
                bodies(&world.take(of(nick))),
                ["meanwhile", "after"],
                "{nick}, asks again: {asks_again}, {back_ms}"
            );
        }
        let got = world.take("kev@eris.dclxvii.irc/x");
        let there: Vec<_> = got.iter().filter(|s| s.name() == "presence").filter_map(|s| s.get("from")).collect();
        assert_eq!((there.len(), there.last()), (CAST.len() + 1, Some(&&*format!("{ROOM}/Kev"))), "{got:?}");
        assert_eq!(bodies(&got), ["plainly", "meanwhile", "after"], "asks again: {asks_again}, {back_ms}");
    }
}

/// Somebody who left or changed his name while he was direct is handed over as what he is.
#[test]
fn the_census_knows_who_left_and_who_is_called_otherwise() {
    let mut world = all_direct();
    world.user(&format!("<presence from='{}' to='{ROOM}/Wizard'/>", of("WiZ")));
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
    world.inbox.clear();
    world.user(&join("kev@eris.dclxvii.irc/x", "Kev"));
    assert_eq!(world.take(of("Troy")).len(), 0);
    assert_eq!(world.take(of("WiZ")).len(), 1);
    world.says("WiZ", "it is me");
    let got = world.take(of("WiZ"));
    assert_eq!(got[0].get("from"), Some(format!("{ROOM}/Wizard").as_str()));
}

/// The census names somebody who leaves before the room has answered it: his leave crosses the answer, and what the room says to that
/// is for him. He is out, as he is told, and hears no more.
#[test]
fn who_leaves_while_he_is_handed_over_is_told_that_he_is_out() {
    let (mut world, troy) = (all_direct(), of("Troy"));
    world.user_sends(&join("kev@eris.dclxvii.irc/x", "Kev"));
    world.join_until(ERIS, "registering");
    world.user(&leaves(troy, "Troy"));
    assert_eq!(world.states(ERIS), ["live"]);
    let told = world.take(troy);
    assert_eq!(presence_of(&told, "Troy"), ["unavailable"], "{told:?}");
    assert!(told.iter().any(|stanza| stanza.to_xml().contains("code='110'")), "{told:?}");
    world.says("Wumpus", "who is there?");
    assert_eq!(world.take(troy), []);
}

/// Who was direct in a room that was destroyed, of which he is told without 110 (XEP-0045 10.9), is in no other of its name: not even
/// when another client of his enters that one, and brings the replica.
#[test]
fn the_census_knows_whose_room_was_destroyed() {
    let mut world = all_direct();
    let (wumpus, moon) = (of("Wumpus"), "squit@eris.dclxvii.irc/moon");
    let owners = |content: &str| {
        format!(
            "<iq from='{wumpus}' id='o' type='set' to='{ROOM}'><query xmlns='{}'>{content}</query></iq>",
            ns::MUC_OWNER
        )
    };
    world.user(&owners("<destroy/>"));
    world.user(&join(wumpus, "Wumpus"));
    world.user(&owners("<x xmlns='jabber:x:data' type='submit'/>"));
    world.inbox.clear();
    world.user(&join(moon, "WiZ"));
    world.says("Wumpus", "anew");
    assert_eq!((world.states(ERIS), bodies(&world.take(moon))), (vec!["live"], vec!["anew".to_owned()]));
    assert_eq!(world.take(of("WiZ")), []);
}

/// Withdrawn and back, over and over: a user notices nothing of either.
#[test]
fn withdrawn_and_back_again() {
    let mut world = all_direct();
    for round in 0..3 {
        let (kev, said) = (format!("kev@eris.dclxvii.irc/{round}"), format!("round {round}"));
        world.user(&join(&kev, "Kev"));
        assert_eq!(world.states(ERIS), ["live"]);
        world.says("WiZ", &said);
        open_to_replicas_unseen(&mut world, &said);
        world.pass_ms(LEFT_ALONE_MS);
    }
}

/// Closed and opened, between which something is said.
fn open_to_replicas_unseen(world: &mut World, said: &str) {
    everybody_hears(world, &[said]);
    open_to_replicas(world, false);
    world.says("Wumpus", "plainly");
    everybody_hears(world, &["plainly"]);
    open_to_replicas(world, true);
}

/// More than cross the links while it happens.
const LINK_STANZAS: usize = 40;
const FIELD: &str = "{urn:netjoin:dmuc:0}replicas";
