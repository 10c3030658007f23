//! XEP-0425 through replicas: what a moderator takes back is told to all, and gone from the mirrors as it is from the archive.

use crate::site::{ROOM, join};
use crate::world::*;
use xmpp::{Element, ns};

/// Two things are said; gives the id of the first.
fn spoken(world: &mut World) -> String {
    world.inbox.clear();
    world.says("Troy", "free magic potions");
    world.says("WiZ", "hello");
    let heard = world.take(of("BigCheese"));
    heard[0].get_child("stanza-id", ns::SID).and_then(|id| id.get("id")).expect("a stanza-id").to_owned()
}

fn take_back(world: &mut World, id: &str) {
    world.user(&format!(
        "<iq from='{}' id='r' type='set' to='{ROOM}'><moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'>\
         <retract xmlns='urn:xmpp:message-retract:1'/></moderate></iq>",
        of("Wumpus")
    ));
}

#[test]
fn what_is_taken_back_is_gone_from_the_mirrors() {
    let mut world = World::with_cast(true);
    let id = spoken(&mut world);
    world.inbox.clear();
    take_back(&mut world, &id);
    for (nick, jid) in CAST {
        let got = world.take(jid);
        let retracts = |stanza: &&Element| {
            stanza
                .get_child("retract", "urn:xmpp:message-retract:1")
                .is_some_and(|retract| retract.get("id") == Some(&id))
        };
        assert_eq!(got.iter().filter(retracts).count(), 1, "{nick}: {got:?}");
    }
    for domain in [SERVICE, "vesa.yeggmaex.irc", "eris.dclxvii.irc"] {
        assert_eq!(world.archived(domain), ["hello"], "{domain}");
    }
    world.user(&join("msa@vesa.yeggmaex.irc/phone", "Efchen"));
    let history = world.take("msa@vesa.yeggmaex.irc/phone");
    let bodies: Vec<String> =
        history.iter().filter_map(|m| m.get_child("body", ns::CLIENT)).map(Element::content).collect();
    assert_eq!(bodies, ["hello"]);
}

/// Nobody of a site is in when it is taken back: its mirror learns of that with the history of whoever comes next.
#[test]
fn what_was_taken_back_while_nobody_was_there_is_gone_from_the_mirror() {
    const VESA: &str = "vesa.yeggmaex.irc";
    for restarts in [false, true] {
        let mut world = World::with_cast(true);
        let id = spoken(&mut world);
        for nick in ["BigCheese", "Efchen"] {
            world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/{nick}'/>", of(nick)));
        }
        take_back(&mut world, &id);
        assert_eq!(world.archived(VESA).len(), 2, "nothing goes where nobody is in");
        if restarts {
            world.restart(VESA);
        }
        world.user(&join(of("Efchen"), "Efchen"));
        assert_eq!(world.archived(VESA), ["hello"]);
    }
}

/// The disk of a site has no room when it is told of it: what could not be removed is shown to nobody, and goes as soon as it can.
#[test]
fn what_a_full_disk_has_not_removed_is_shown_to_nobody() {
    let mut world = World::with_cast(true);
    let id = spoken(&mut world);
    world.full.insert(ERIS.to_owned());
    take_back(&mut world, &id);
    world.cut(ERIS);
    world.pass_ms(15_000);
    let mut reads = |full: bool| {
        if !full {
            world.full.clear();
        }
        world.take(of("Troy"));
        let query = format!("<query xmlns='{}' queryid='q'/>", ns::MAM);
        world.user(&format!("<iq from='{}' to='{ROOM}' type='set' id='m'>{query}</iq>", of("Troy")));
        let answer: String = world.take(of("Troy")).iter().map(Element::to_xml).collect();
        (answer.contains("potions"), answer.contains("hello"), answer.contains("<internal-server-error"))
    };
    assert_eq!(reads(true), (false, false, true));
    assert_eq!(reads(false), (false, true, false));
    assert_eq!(world.archived(ERIS), ["hello"]);
}
