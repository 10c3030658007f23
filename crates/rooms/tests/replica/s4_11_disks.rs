//! A server that comes back without what it knew: a site with an empty disk or an older one, a service from a backup.

use crate::s4_11_archive::all;
use crate::site::{ROOM, join};
use crate::world::{Disk, ERIS, Fault, SERVICE, World, of};
use rooms::wire::OUTBOXES_MAX;
use xmpp::{Element, ns};

/// Longer than a link is suspect, shorter than seats are kept.
const SPLIT_MS: u64 = 15_000;

fn bodies(got: &[Element]) -> Vec<String> {
    got.iter().filter_map(|stanza| Some(stanza.get_child("body", ns::CLIENT)?.content())).collect()
}

/// Whose leaving somebody was told of, with the code.
fn left(got: &[Element]) -> Vec<(String, Option<String>)> {
    let nick = |s: &Element| Some(s.get("from")?.rsplit('/').next()?.to_owned());
    let code = |s: &Element| {
        let x = s.get_child("x", ns::MUC_USER)?;
        x.children().find(|c| c.name() == "status").and_then(|c| c.get("code")).map(str::to_owned)
    };
    let gone = got.iter().filter(|s| s.name() == "presence" && s.get("type") == Some("unavailable"));
    let mut gone: Vec<(String, Option<String>)> = gone.filter_map(|s| Some((nick(s)?, code(s)))).collect();
    gone.sort();
    gone
}

fn failed(nicks: &[&str]) -> Vec<(String, Option<String>)> {
    nicks.iter().map(|nick| (nick.to_string(), Some("333".to_owned()))).collect()
}

/// The whole cast in the room, and what eris' disk was before they said anything.
fn talked() -> (World, Disk) {
    let mut world = World::with_cast(true);
    let older = world.backup(ERIS);
    for (nick, body) in [("WiZ", "one"), ("Wumpus", "two"), ("Troy", "three")] {
        world.says(nick, body);
    }
    world.inbox.clear();
    (world, older)
}

/// Nobody is at a site that has started again, whatever its disk has: the room takes its ghosts out at once, also when the link is
/// split by then, and nobody has to come there for it.
#[test]
fn s4_11_the_ghosts_of_a_site_are_taken_out_at_once() {
    for split in [false, true] {
        for disk in ["its own", "an older one", "an empty one"] {
            let (mut world, older) = talked();
            if split {
                world.cut(ERIS);
                world.pass_ms(SPLIT_MS);
            }
            world.take(of("Wumpus"));
            match disk {
                "its own" => world.restart(ERIS),
                "an older one" => world.restart_with(ERIS, older),
                _ => world.restart_with(ERIS, Disk::default()),
            }
            world.heal(ERIS);
            world.pass_ms(if split { 120_000 } else { 2_000 });
            let left = left(&world.take(of("Wumpus")));
            let nicks: Vec<&str> = left.iter().map(|(nick, _)| &**nick).collect();
            assert_eq!(nicks, ["Troy", "WiZ"], "split: {split}, {disk}");
            if disk == "an empty one" {
                assert_eq!(left, failed(&["Troy", "WiZ"]));
            }
            world.says("Wumpus", "gone");
            assert!(!world.states(ERIS).contains(&"live"), "and hears nothing of the room any more");
            // The nicks are free.
            world.user(&join("merlin@vesa.yeggmaex.irc/x", "WiZ"));
            assert!(world.take("merlin@vesa.yeggmaex.irc/x").iter().any(|s| s.to_xml().contains("code='110'")));
        }
    }
}

/// What had been relayed when the link was lost is shown on the island, ahead of what was said elsewhere; then its site goes on with a
/// disk of before the island. Whoever pages on from it, at the room and on the next island, gets what he was not sent.
#[test]
fn s4_11_what_an_island_showed_that_its_disk_does_not_know_of() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.says("WiZ", "here");
    let before_the_island = world.backup(ERIS);
    world.says("Wumpus", "elsewhere");
    world.take(of("Troy"));
    world.pass_ms(SPLIT_MS);
    let shown = world.take(of("Troy"));
    let here =
        shown.iter().find_map(|said| said.get_child("stanza-id", ns::SID)?.get("id")).expect("it is shown").to_owned();
    world.restart_with(ERIS, before_the_island);
    world.heal(ERIS);
    world.user(&join(of("Troy"), "Troy"));
    world.pass_ms(120_000);
    assert_eq!(world.archived(SERVICE), ["elsewhere", "here"]);
    assert_eq!(all(&mut world, "Troy", Some(&here), 1).0, ["elsewhere", "here"]);
    world.cut(ERIS);
    world.pass_ms(4 * SPLIT_MS);
    assert_eq!(all(&mut world, "Troy", Some(&here), 1).0, ["elsewhere", "here"], "from the mirror too");
}

/// The room's server starts again as well, so that no link is left to show that nobody is there: it asks those of before.
#[test]
fn s4_11_the_ghosts_of_a_site_when_both_start_again() {
    for disk in ["its own", "an empty one"] {
        let (mut world, _) = talked();
        world.cut(ERIS);
        if disk == "its own" {
            world.restart(ERIS)
        } else {
            world.restart_with(ERIS, Disk::default())
        }
        world.restart(SERVICE);
        world.heal(ERIS);
        world.pass_ms(20_000);
        assert!(!world.states(ERIS).contains(&"live"), "nobody is there");
        world.user(&join("merlin@vesa.yeggmaex.irc/x", "WiZ"));
        let got = world.take("merlin@vesa.yeggmaex.irc/x");
        assert!(got.iter().any(|s| s.to_xml().contains("code='110'")), "{disk}: the nick is free: {got:?}");
    }
}

/// Who comes at once to a site with an empty disk is in, and those who were there before are not.
#[test]
fn s4_11_who_enters_at_a_site_with_an_empty_disk() {
    for split in [false, true] {
        let (mut world, _) = talked();
        if split {
            world.cut(ERIS);
            world.pass_ms(SPLIT_MS);
        }
        world.heal(ERIS);
        world.restart_with(ERIS, Disk::default());
        world.user(&join(of("WiZ"), "WiZ"));
        world.pass_ms(2_000);
        assert_eq!(world.states(ERIS), ["live"]);
        let left = left(&world.take(of("Wumpus")));
        assert!(left.contains(&failed(&["Troy"])[0]), "split: {split}: {left:?}");
        world.says("WiZ", "new here");
        assert_eq!(bodies(&world.take(of("Wumpus"))).pop().as_deref(), Some("new here"));
        let troy = format!("{ROOM}/Troy");
        let got = world.take(of("WiZ"));
        let of_him = got.iter().rfind(|s| s.name() == "presence" && s.get("from") == Some(&troy));
        assert!(
            of_him.is_none_or(|presence| presence.get("type") == Some("unavailable")),
            "split: {split}: {of_him:?}"
        );
    }
}

/// A disk from before what has been acknowledged: what its outbox still holds has been said, and is not said again.
#[test]
fn s4_11_an_older_disk_says_nothing_twice() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.says("WiZ", "on the island");
    let older = world.backup(ERIS);
    world.heal(ERIS);
    world.pass_ms(120_000);
    world.says("Wumpus", "after it");
    assert_eq!(world.archived(SERVICE), ["on the island", "after it"]);
    world.inbox.clear();
    world.restart_with(ERIS, older);
    world.pass_ms(240_000);
    assert_eq!(bodies(&world.take(of("Wumpus"))), [""; 0]);
    assert_eq!(world.archived(SERVICE), ["on the island", "after it"]);
    let nicks: Vec<String> = left(&world.take(of("Valdis"))).into_iter().map(|(nick, _)| nick).collect();
    assert_eq!(nicks, ["Troy", "WiZ"], "and nobody is at the site");
}

/// What waits on disk has had presence in between, which is not there. It is sent under the numbers the disk has it under: a
/// site that loses its power before anything else is on its disk sends the same once more, and it is known to have been said.
#[test]
fn s4_11_power_lost_twice_says_nothing_twice() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.says("WiZ", "one");
    world.user(&format!("<presence from='{}' to='{ROOM}/WiZ'><show>away</show></presence>", of("WiZ")));
    world.says("WiZ", "two");
    let disk = world.backup(ERIS);
    world.heal(ERIS);
    for time in ["once", "twice"] {
        world.restart_with(ERIS, disk.clone());
        world.user(&join(of("WiZ"), "WiZ"));
        world.pass_ms(240_000);
        assert_eq!(world.archived(SERVICE), ["one", "two"], "{time}");
    }
}

/// A service that comes back from a backup, with few events or many since: nothing is said twice, nobody is outside without having
/// been told, and what it has lost is marked where people were, and kept at the sites.
#[test]
fn s4_11_a_service_from_a_backup() {
    for (since, numbers_anew) in [(3, false), (1_200, true)] {
        let mut world = World::with_cast(true);
        world.says("Wumpus", "kept");
        let backup = world.backup(SERVICE);
        world.user(&join("merlin@eris.dclxvii.irc/x", "Merlin"));
        for n in 0..since {
            world.says("Valdis", &format!("lost {n}"));
        }
        world.inbox.clear();
        world.restart_with(SERVICE, backup);
        world.pass_ms(300_000);
        world.says("Wumpus", "on we go");
        assert_eq!(world.archived(SERVICE), ["kept", "on we go"]);
        for nick in ["Wumpus", "WiZ", "Efchen"] {
            let got = bodies(&world.take(of(nick)));
            assert_eq!(got.last().map(String::as_str), Some("on we go"), "{nick}");
            let marked = got.iter().filter(|body| body.contains("set back") || body.contains("may be missing"));
            assert_eq!((marked.count(), got.iter().filter(|body| body.starts_with("lost")).count()), (1, 0), "{got:?}");
        }
        let told = left(&world.take("merlin@eris.dclxvii.irc/x"));
        assert_eq!(told.last().map(|(nick, _)| &**nick), Some("Merlin"), "the backup knows nothing of him: {told:?}");
        let apart = world.rows_of(ERIS, &format!("lost:{ROOM}")).len();
        assert_eq!((apart > 0, world.archived(ERIS).len() + apart), (numbers_anew, 2 + since));
    }
}

/// A site's disk is so old that the room has forgotten the outbox in it, of which it has had more than that site knows: nothing of it
/// is said again. What of it the room never had is said.
#[test]
fn s4_11_what_a_forgotten_outbox_has_is_said_once() {
    let mut world = World::with_cast(true);
    world.faults = [None, Some(Fault::Drop)].into();
    world.says("WiZ", "heard");
    world.cut(ERIS);
    world.says("WiZ", "not heard");
    let old = world.backup(ERIS);
    world.heal(ERIS);
    for _ in 0..OUTBOXES_MAX + 1 {
        world.restart_with(ERIS, Disk::default());
        world.user(&join(of("WiZ"), "WiZ"));
        world.says("WiZ", "again");
    }
    world.inbox.clear();
    world.restart_with(ERIS, old);
    world.pass_ms(120_000);
    assert_eq!(bodies(&world.take(of("Wumpus"))), ["not heard"]);
    let archived = world.archived(SERVICE);
    assert_eq!((&*archived[0], archived.last().map(String::as_str)), ("heard", Some("not heard")));
    assert_eq!(archived.iter().filter(|body| !body.contains("again")).count(), 2, "{archived:?}");
}

/// The same of a subject, which has no body and is in the archive nevertheless.
#[test]
fn s4_11_a_subject_that_a_forgotten_outbox_has_is_set_once() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    let subject = |to: &str, text: &str| {
        format!("<message from='{to}' to='{ROOM}' type='groupchat'><subject>{text}</subject></message>")
    };
    world.affiliate("squit@eris.dclxvii.irc", "admin");
    world.take(of("Wumpus"));
    world.faults = [None, Some(Fault::Drop)].into();
    world.user(&subject(wiz, "first"));
    assert!(world.take(of("Wumpus")).iter().any(|got| got.has_child("subject", ns::CLIENT)), "it is set");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    let old = world.backup(ERIS);
    world.heal(ERIS);
    for _ in 0..OUTBOXES_MAX + 1 {
        world.restart_with(ERIS, Disk::default());
        world.user(&join(wiz, "WiZ"));
        world.user(&subject(wiz, "last"));
    }
    world.inbox.clear();
    world.restart_with(ERIS, old);
    world.pass_ms(120_000);
    let got = world.take(of("Wumpus"));
    let subjects = got.iter().filter_map(|got| Some(got.get_child("subject", ns::CLIENT)?.content()));
    assert_eq!(subjects.collect::<Vec<_>>(), [""; 0]);
}

/// What an island had said goes back to its authors while their site's disk is full, and the site dies later: they have been told that it
/// failed, and nobody hears it after all.
#[test]
fn s4_11_what_was_given_back_while_the_disk_was_full_is_not_said_by_the_next_start() {
    let mut world = World::with_cast(true);
    let wiz = of("WiZ");
    world.cut(ERIS);
    world.pass_ms(SPLIT_MS);
    world.says("WiZ", "given back");
    world.pass_ms(2 * 3_600_000 + 60_000);
    world.full.insert(ERIS.to_owned());
    world.inbox.clear();
    world.heal(ERIS);
    world.pass_ms(120_000);
    assert!(world.take(wiz).iter().any(|got| got.name() == "message" && got.get("type") == Some("error")));
    world.full.clear();
    for restarts in [false, true] {
        if restarts {
            world.restart(ERIS);
        }
        world.user(&join(wiz, "WiZ"));
        world.pass_ms(120_000);
    }
    assert_eq!((world.states(ERIS), world.archived(SERVICE)), (vec!["live"], Vec::new()));
}
