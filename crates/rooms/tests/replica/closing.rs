//! An owner closes the room to replicas: everybody is served directly from then on and notices nothing; a site that asks
//! again is told no, and its users come in as anywhere else.

use crate::site::{ROOM, join, says};
use crate::world::{CAST, Fault, SERVICE, SITES, World, of};
use xmpp::{Element, ns};

fn close(world: &mut World, closed: bool) {
    let value = if closed { "0" } else { "1" };
    world.user(&format!(
        "<iq from='{}' id='close' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         <field var='{{urn:netjoin:dmuc:0}}replicas'><value>{value}</value></field></x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    ));
}

/// Bodies of groupchat messages, and what else there is to notice.
fn heard(world: &mut World, nick: &str) -> (Vec<String>, Vec<Element>) {
    let (said, other): (Vec<Element>, Vec<Element>) = world
        .take(of(nick))
        .into_iter()
        .partition(|s| s.get("type") == Some("groupchat") && s.has_child("body", ns::CLIENT));
    let bodies = said.iter().filter_map(|s| s.get_child("body", ns::CLIENT)).map(Element::content).collect();
    (bodies, other)
}

fn marked(world: &World) -> usize {
    world.crossed.iter().filter(|(_, _, stanza)| stanza.has_child("x", ns::DMUC)).count()
}

#[test]
fn a_room_that_is_closed_to_replicas_serves_everybody_directly() {
    let mut world = World::with_cast(true);
    for (_, jid) in CAST {
        world.take(jid);
    }
    close(&mut world, true);
    for (nick, _) in CAST {
        // XEP-0045 10.2.1: the configuration has changed, and nothing else has.
        let mut other = heard(&mut world, nick).1;
        other.retain(|stanza| stanza.name() != "iq");
        assert!(other.len() == 1 && other[0].to_xml().contains("<status code='104'/>"), "{nick} notices {other:?}");
    }
    let before = marked(&world);
    world.says("WiZ", "without replicas");
    world.says("Efchen", "directly");
    for (nick, _) in CAST {
        assert_eq!(heard(&mut world, nick), (vec!["without replicas".into(), "directly".into()], Vec::new()), "{nick}");
    }
    assert_eq!(marked(&world), before, "nothing of a link crosses any more");
    assert_eq!(world.down_to(SITES[0], |s| s.get("to") == Some(of("Valdis"))), 2, "a copy for each");
}

/// What was on its way when the room was closed is said, once, or its author is told; in order.
#[test]
fn what_was_on_its_way_when_the_room_was_closed_is_not_lost() {
    let mut world = World::with_cast(true);
    for (_, jid) in CAST {
        world.take(jid);
    }
    for body in ["one", "two", "three"] {
        world.user_sends(&says(of("WiZ"), body));
    }
    close(&mut world, true);
    world.pass_ms(120_000);
    world.says("WiZ", "four");
    world.take(of("Wumpus"));
    for (nick, _) in CAST.iter().filter(|(nick, _)| *nick != "Wumpus") {
        let (bodies, other) = heard(&mut world, nick);
        assert_eq!(bodies, ["one", "two", "three", "four"], "{nick}: {other:?}");
    }
    assert_eq!(world.archived(SERVICE), ["one", "two", "three", "four"]);
}

/// The room has let somebody in, and is closed before his site has heard so much: he asks the room itself, and is told everything.
#[test]
fn who_was_being_let_in_when_the_room_was_closed_is_let_in() {
    let kev = "kev@eris.dclxvii.irc/x";
    // His join is on its way; the room has had it, and his ENTER is lost.
    for faults in [vec![Some(Fault::Drop)], vec![None, None, Some(Fault::Drop)]] {
        let mut world = World::with_cast(true);
        world.faults = faults.clone().into();
        world.user(&join(kev, "Kev"));
        assert_eq!((world.take(kev), world.faults.len()), (Vec::new(), 0));
        close(&mut world, true);
        world.pass_ms(120_000);
        world.says("WiZ", "directly");
        let got = world.take(kev);
        let there = |s: &&Element| s.name() == "presence" && s.get("type").is_none();
        let there: Vec<_> = got.iter().filter(there).filter_map(|s| s.get("from")).collect();
        assert_eq!(
            (there.len(), there.last()),
            (CAST.len() + 1, Some(&&*format!("{ROOM}/Kev"))),
            "{faults:?}: {got:?}"
        );
        assert!(got.last().is_some_and(|s| s.to_xml().contains("directly")), "{faults:?}: {got:?}");
    }
}

/// `not-allowed` by the owner is no reason to be kept out, and a room that is open again takes replicas again.
#[test]
fn a_site_that_asks_a_closed_room_is_refused_and_its_users_come_in() {
    let mut world = World::new(true);
    world.user(&join(of("Wumpus"), "Wumpus"));
    close(&mut world, true);
    world.user(&join(of("WiZ"), "WiZ"));
    let own = |stanza: &Element| stanza.to_xml().contains("<status code='110'/>");
    assert!(world.take(of("WiZ")).iter().any(own), "WiZ is in");
    let refused = |s: &Element| s.get("type") == Some("error") && s.to_xml().contains("not-allowed");
    assert_eq!(world.down_to(SITES[1], refused), 1);
    close(&mut world, false);
    world.user(&join(of("Efchen"), "Efchen"));
    let enter = |s: &Element| s.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("enter", ns::DMUC));
    assert_eq!(world.down_to(SITES[2], enter), 1);
    world.says("Efchen", "through one");
    assert_eq!(heard(&mut world, "WiZ").0, ["through one"]);
}

/// What the owner makes of the room when it is opened holds at the site that was there before.
#[test]
fn s4_7_a_room_opened_as_non_anonymous_is_so_at_its_creators_site() {
    let mut world = World::new(true);
    world.user(&join(of("Wumpus"), "Wumpus"));
    world.user(&format!(
        "<iq from='{}' id='open' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
         <field var='muc#roomconfig_whois'><value>anyone</value></field></x></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    ));
    world.user(&join(of("Valdis"), "Valdis"));
    world.take(of("Valdis"));
    world.user(&join(of("WiZ"), "WiZ"));
    let seen = world.take(of("Valdis"));
    assert!(seen.iter().any(|s| s.to_xml().contains(&format!("jid='{}'", of("WiZ")))), "{seen:?}");
}
