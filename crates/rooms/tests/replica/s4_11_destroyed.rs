//! A room that is no more when a site comes back, `docs/wire.md`, *Netjoin* 1: the site learns it, and takes no other room for it.

use crate::site::{ROOM, join, says};
use crate::world::{ERIS, Fault, SERVICE, World, of};
use xmpp::{Element, ns};

/// Longer than a link is suspect.
const SPLIT_MS: u64 = 15_000;
/// Longer than what the service remembers.
const RETENTION_MS: u64 = 3_600_000;

/// The whole cast in the room, eris cut off, and something said there.
fn cut() -> World {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.says("WiZ", "anybody?");
    world
}

/// More stanzas than are on links while a room ends.
const LINK_STANZAS: usize = 16;

fn destruction() -> String {
    format!(
        "<iq from='{}' to='{ROOM}' type='set' id='d'><query xmlns='{}'>\
         <destroy jid='lounge@channel.avalon.irc'><reason>war</reason></destroy></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    )
}

fn destroy(world: &mut World) {
    world.user(&destruction());
    world.inbox.clear();
}

/// What of it tells an occupant that the room is destroyed.
fn told(got: &[Element]) -> Vec<String> {
    let destroy = |s: &Element| s.get_child("x", ns::MUC_USER)?.get_child("destroy", ns::MUC_USER).cloned();
    got.iter().filter(|s| s.get("type") == Some("unavailable")).filter_map(destroy).map(|d| d.to_xml()).collect()
}

/// Those who are there are told what a destroyed room tells, with the reason and where to go; what was said on the island is kept as
/// refused, and its author told; also when the service has started again since.
#[test]
fn s4_11_a_room_destroyed_and_not_made_again() {
    for restarts in [false, true] {
        let mut world = cut();
        destroy(&mut world);
        if restarts {
            world.restart(SERVICE);
        }
        world.heal(ERIS);
        world.pass_ms(120_000);
        let (wiz, troy) = (world.take(of("WiZ")), world.take(of("Troy")));
        let destroy =
            format!("<destroy xmlns='{}' jid='lounge@channel.avalon.irc'><reason>war</reason></destroy>", ns::MUC_USER);
        let destroy = Element::parse(&destroy).expect("it is XML").to_xml();
        assert_eq!((told(&wiz), told(&troy)), (vec![destroy.clone()], vec![destroy]), "restarts: {restarts}");
        let error = wiz.iter().find(|s| s.name() == "message" && s.get("type") == Some("error")).expect("he is told");
        assert!(error.to_xml().contains("<gone"), "{error}");
        assert_eq!(world.states(ERIS), [""; 0], "the site has no such room");
        let refused = world.rows_of(ERIS, &format!("refused:{ROOM}"));
        assert!(refused.len() == 1 && refused[0].contains("anybody?") && refused[0].contains("<gone"), "{refused:?}");
        assert_eq!(world.rows_of(ERIS, &format!("mirror:{ROOM}")), [""; 0]);
        assert_eq!((world.keys(ERIS, "mirror"), world.keys(ERIS, "outbox")), (vec![], vec![]));
    }
}

/// Whatever one stanza of a link is lost, and nobody told: a site that has not heard of the end does by its next ping, be there
/// another room under the name or none.
#[test]
fn s4_11_the_word_of_the_end_is_lost() {
    for (lost, again) in (0..LINK_STANZAS).flat_map(|lost| [(lost, false), (lost, true)]) {
        let mut world = World::with_cast(true);
        world.faults = std::iter::repeat_n(None, lost).chain([Some(Fault::Drop)]).collect();
        world.user(&destruction());
        if again {
            world.user(&join(of("Wumpus"), "Wumpus"));
        }
        world.pass_ms(300_000);
        for nick in ["WiZ", "Troy"] {
            assert_eq!(told(&world.take(of(nick))).len(), 1, "{nick}, stanza {lost} lost, another room: {again}");
        }
        assert_eq!(world.states(ERIS), [""; 0], "stanza {lost} lost, another room: {again}");
    }
}

/// A room made anew under the name is another one, and tells the same of the former.
#[test]
fn s4_11_a_room_destroyed_and_made_again() {
    let mut world = cut();
    destroy(&mut world);
    world.user(&join(of("Wumpus"), "Wumpus"));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(told(&world.take(of("Troy"))).len(), 1);
    assert!(world.rows_of(ERIS, &format!("refused:{ROOM}"))[0].contains("anybody?"));
}

/// A temporary room that nobody was left in for so long is no more either.
#[test]
fn s4_11_a_temporary_room_that_has_ended() {
    let mut world = cut();
    for nick in ["Wumpus", "Valdis", "Phaedrus", "BigCheese", "Efchen"] {
        world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/{nick}'/>", of(nick)));
    }
    world.pass_ms(2 * RETENTION_MS + 60_000);
    assert!(world.keys(SERVICE, "room").is_empty(), "it has ended");
    world.take(of("WiZ"));
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert_eq!(told(&world.take(of("WiZ"))).len(), 1);
}

/// What is remembered has an end; then a bare `item-not-found` proves nothing, and the island stays.
#[test]
fn s4_11_a_tombstone_has_an_end() {
    let mut world = cut();
    destroy(&mut world);
    world.pass_ms(RETENTION_MS + 1_000);
    world.heal(ERIS);
    world.pass_ms(120_000);
    let got = world.take(of("WiZ"));
    assert!(told(&got).is_empty(), "{got:?}");
    assert_eq!(world.states(ERIS), ["split"]);
}

/// A room that no replica was ever in leaves nothing.
#[test]
fn s4_11_a_room_without_replicas_leaves_nothing() {
    let mut world = World::with_cast(false);
    destroy(&mut world);
    assert_eq!(world.keys(SERVICE, "tombstone"), [""; 0]);
}

/// A site that nobody was left at has what was said in the former room; of one made anew it keeps that room's messages alone.
#[test]
fn s4_11_a_mirror_of_the_former_room_is_forgotten() {
    for restarts in [false, true] {
        let mut world = World::with_cast(true);
        world.says("WiZ", "in the former");
        for nick in ["WiZ", "Troy"] {
            world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/{nick}'/>", of(nick)));
        }
        world.pass_ms(600_000);
        assert_eq!((world.states(ERIS), world.archived(ERIS)), (vec![], vec!["in the former".to_owned()]));
        destroy(&mut world);
        if restarts {
            world.restart(ERIS);
        }
        world.user(&join(of("WiZ"), "WiZ"));
        world.user(&format!(
            "<iq from='{}' id='open' type='set' to='{ROOM}'><query xmlns='{}'><x xmlns='{}' type='submit'/></query></iq>",
            of("WiZ"),
            ns::MUC_OWNER,
            ns::FORMS
        ));
        world.user(&says(of("WiZ"), "in the new"));
        assert_eq!(world.archived(ERIS), ["in the new"], "restarts: {restarts}");
    }
}

/// XEP-0421 4: the presence by which a room ends has the occupant's id at every site, the same as before.
#[test]
fn s10_9_the_end_says_who_each_was() {
    let mut world = World::with_cast(true);
    let id = |stanzas: &[Element], of: &dyn Fn(&Element) -> bool| -> Vec<String> {
        let ids = stanzas.iter().filter(|stanza| of(stanza)).flat_map(Element::children);
        ids.filter(|c| c.ns() == ns::OCCUPANT_ID).filter_map(|c| c.get("id")).map(str::to_owned).collect()
    };
    let known = id(&world.take(of("WiZ")), &|stanza| stanza.to_xml().contains("<status code='110'/>"));
    world.user(&format!(
        "<iq from='{}' to='{ROOM}' type='set' id='d'><query xmlns='{}'><destroy/></query></iq>",
        of("Wumpus"),
        ns::MUC_OWNER
    ));
    let end = id(&world.take(of("WiZ")), &|stanza| stanza.get("type") == Some("unavailable"));
    assert!(known.len() == 1 && end == known, "{known:?} {end:?}");
}
