//! A service that comes back with a copy of its disk, `docs/wire.md`, *Set back*: what was said since is lost to the room, and nothing
//! else is.

use crate::s4_11_archive::all;
use crate::site::{ROOM, join, leaves, says};
use crate::world::{CAST, Disk, ERIS, Fault, KILLRC, SERVICE, World, of};
use xmpp::{Element, ns};

const VESA: &str = "vesa.yeggmaex.irc";
/// Longer than a link is suspect, shorter than seats are kept.
const SPLIT_MS: u64 = 15_000;
/// Until all is joined again.
const JOINED_MS: u64 = 300_000;
/// What the room says while a site is cut off.
const SINCE: [&str; 3] = ["since", "since then", "until now"];
/// At least as many has a snapshot of what it has missed then: the configuration, the roster, this, the subject, the end.
const SNAPSHOT_STANZAS: usize = 1 + CAST.len() + SINCE.len() + 2;

/// The whole cast in a room, and a copy of its disk; where it gives numbers `anew`, it has gone on with that copy once before.
fn copied(anew: bool) -> (World, Disk) {
    let mut world = World::with_cast(true);
    world.says("Wumpus", "kept");
    let copy = world.backup(SERVICE);
    if anew {
        world.restart_with(SERVICE, copy.clone());
        world.pass_ms(JOINED_MS);
    }
    (world, copy)
}

fn bodies(got: &[Element]) -> Vec<String> {
    got.iter().filter_map(|stanza| Some(stanza.get_child("body", ns::CLIENT)?.content())).collect()
}

fn times(got: &[String], body: &str) -> usize {
    got.iter().filter(|said| *said == body).count()
}

fn lost(world: &World, site: &str) -> Vec<String> {
    let rows = world.rows_of(site, &format!("lost:{ROOM}"));
    bodies(&rows.iter().map(|row| Element::parse(row).expect("a row")).collect::<Vec<_>>())
}

/// What was told to all and not acknowledged to its author's site comes once more, under the same id: it is in the room's archive once,
/// in each mirror once, and shown to each once.
#[test]
fn s4_11_what_was_told_and_not_acknowledged_comes_once_more() {
    for anew in [false, true] {
        let (mut world, copy) = copied(anew);
        world.says("Valdis", "lost");
        world.user_sends(&says(of("WiZ"), "again"));
        world.cut_after_delivery(ERIS);
        assert_eq!(times(&bodies(world.inbox.get(of("Efchen")).map_or(&[], |got| got)), "again"), 1, "it was told");
        world.restart_with(SERVICE, copy);
        world.heal(ERIS);
        world.pass_ms(JOINED_MS);
        world.says("Wumpus", "on");
        assert_eq!(world.archived(SERVICE), ["kept", "again", "on"]);
        for nick in ["Wumpus", "Valdis", "WiZ", "Troy", "BigCheese", "Efchen"] {
            let got = bodies(&world.take(of(nick)));
            assert_eq!((times(&got, "again"), times(&got, "on")), (1, 1), "{nick}, {anew}: {got:?}");
        }
        for site in [KILLRC, ERIS, VESA] {
            let mirror = world.archived(site);
            assert_eq!(mirror[mirror.len() - 2..], ["again", "on"], "{site}, {anew}");
            assert_eq!((times(&mirror, "again"), times(&lost(&world, site), "again")), (1, 0), "{site}, {anew}");
            assert_eq!(times(&lost(&world, site), "lost"), usize::from(anew), "{site}");
        }
    }
}

/// Whoever was told it the first time, and pages on from it, is given what stands before it now: at the room whoever he is, and by his own
/// site while the room is not reached.
#[test]
fn s4_11_who_pages_on_from_what_comes_once_more_misses_nothing() {
    let (mut world, copy) = copied(true);
    world.user_sends(&says(of("WiZ"), "again"));
    world.cut_after_delivery(ERIS);
    let told = world.take(of("Efchen")).pop().expect("it was told");
    let again = told.get_child("stanza-id", ns::SID).and_then(|id| id.get("id"));
    world.restart_with(SERVICE, copy);
    world.pass_ms(SPLIT_MS);
    world.says("Valdis", "since");
    world.heal(ERIS);
    world.pass_ms(JOINED_MS);
    for nick in ["Wumpus", "WiZ", "Efchen"] {
        assert_eq!(all(&mut world, nick, again, 1).0, ["since", "again"], "{nick}");
    }
    world.cut(VESA);
    world.pass_ms(SPLIT_MS);
    assert_eq!(all(&mut world, "Efchen", again, 1).0, ["since", "again"]);
}

/// A site that comes back when the room has gone on for longer than it had: what was lost is known by where the room has begun, and all
/// that was said since is told, be it more than a history has.
#[test]
fn s4_11_a_site_that_is_late_misses_nothing() {
    let (mut world, copy) = copied(true);
    world.says("Valdis", "lost");
    world.says("Valdis", "lost too");
    world.take(of("Efchen"));
    world.cut(VESA);
    world.restart_with(SERVICE, copy);
    world.pass_ms(SPLIT_MS);
    let since: Vec<String> = (0..30).map(|n| format!("since {n}")).collect();
    since.iter().for_each(|body| world.says("Valdis", body));
    world.heal(VESA);
    world.pass_ms(JOINED_MS);
    let got: Vec<String> =
        bodies(&world.take(of("Efchen"))).into_iter().filter(|body| body.starts_with("since")).collect();
    assert_eq!(got, since);
    assert_eq!(world.archived(VESA), world.archived(SERVICE));
    assert_eq!(lost(&world, VESA), ["lost", "lost too"]);
}

/// The last that a site had comes once more, at another place, before the site is back: that is no place to go on from.
#[test]
fn s4_11_a_site_whose_last_message_has_another_place() {
    for anew in [false, true] {
        let (mut world, copy) = copied(anew);
        world.user_sends(&says(of("WiZ"), "again"));
        world.cut_after_delivery(ERIS);
        world.cut(VESA);
        world.restart_with(SERVICE, copy);
        world.pass_ms(SPLIT_MS);
        world.says("Valdis", "since");
        world.heal(ERIS);
        world.pass_ms(JOINED_MS);
        world.heal(VESA);
        world.pass_ms(JOINED_MS);
        assert_eq!(world.archived(SERVICE), ["kept", "since", "again"]);
        assert_eq!(world.archived(VESA), world.archived(SERVICE), "{anew}");
        let got = bodies(&world.take(of("Efchen")));
        assert_eq!((times(&got, "since"), times(&got, "again")), (1, 1), "{anew}: {got:?}");
    }
}

/// vesa is cut off behind a message that comes once more, with a lower number. The room says more, below the number that vesa has, and goes
/// on with a copy of that from a higher one.
fn set_back_twice(lost: &[&str]) -> World {
    let (mut world, copy) = copied(true);
    lost.iter().for_each(|body| world.says("Valdis", body));
    for n in 0..4 {
        world.user(&format!("<presence from='{}' to='{ROOM}/Valdis'><status>{n}</status></presence>", of("Valdis")));
    }
    world.user_sends(&says(of("WiZ"), "again"));
    world.cut_after_delivery(ERIS);
    world.cut(VESA);
    world.restart_with(SERVICE, copy);
    world.heal(ERIS);
    world.pass_ms(JOINED_MS);
    SINCE.iter().for_each(|body| world.says("Valdis", body));
    let copy = world.backup(SERVICE);
    world.restart_with(SERVICE, copy);
    world.pass_ms(JOINED_MS);
    world.heal(VESA);
    world
}

/// What the room says then is behind all of it: everybody at vesa has been shown all once, and its mirror is the room's, but for what is
/// `aside`.
fn is_whole(world: &mut World, aside: &[&str], why: &str) {
    world.pass_ms(JOINED_MS);
    world.says("Valdis", "on");
    let all = [&["kept", "again"], &SINCE[..], &["on"]].concat();
    assert_eq!(world.archived(SERVICE), all, "{why}");
    assert_eq!((world.archived(VESA), lost(world, VESA)), (strings(&all), strings(aside)), "{why}");
    for nick in ["BigCheese", "Efchen"] {
        let mut got = bodies(&world.take(of(nick)));
        got.retain(|body| all.contains(&body.as_str()));
        assert_eq!(got, all, "{nick}, {why}");
    }
}

fn strings(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(ToString::to_string).collect()
}

/// A room that was set back twice while a site was cut off has numbered anew what it said in between, below the place that the site had:
/// that is told there nonetheless, and stands behind the last message that the site had.
#[test]
fn s4_11_what_another_start_told_below_the_place_of_a_site_is_told_there() {
    for lost in [&[][..], &["lost", "lost too"]] {
        is_whole(&mut set_back_twice(lost), lost, &format!("lost: {lost:?}"));
    }
}

/// Also where the snapshot is cut short, be it at its beginning or after any of its stanzas: the site asks again for what is behind the
/// place that it had, in the order of the start that it knows.
#[test]
fn s4_11_a_snapshot_cut_short_does_not_move_the_place_of_a_site() {
    let mut world = set_back_twice(&[]);
    world.cut_while_joining(VESA);
    world.heal(VESA);
    is_whole(&mut world, &[], "cut at once");
    world.cut(VESA);
    world.heal(VESA);
    world.pass_ms(JOINED_MS);
    let replicates = world.crossed.iter().filter_map(|(from, _, iq)| {
        iq.get_child("replicate", ns::NETJOIN).filter(|_| from == VESA)?.get_child("resume", ns::NETJOIN)
    });
    let asked: Vec<_> = replicates.map(|resume| ["term", "seq", "archive"].map(|name| resume.get(name))).collect();
    let [_, first, second, next] = asked[..] else { panic!("{asked:?}") };
    assert_eq!(first, second, "it was cut short");
    assert_eq!(next[0], term_of(&world), "it was whole");

    for stanzas in 0.. {
        let mut world = set_back_twice(&[]);
        world.join_until(VESA, "syncing");
        world.faults.extend(std::iter::repeat_n(None, stanzas).chain([Some(Fault::Drop)]));
        world.pass_ms(JOINED_MS);
        let is_whole_before = world.faults.drain(..).next().is_some();
        is_whole(&mut world, &[], &format!("without the one behind {stanzas}"));
        if is_whole_before {
            return assert!(stanzas > SNAPSHOT_STANZAS, "{stanzas}");
        }
    }
}

/// The start of the room's by which vesa was granted last.
fn term_of(world: &World) -> Option<&str> {
    let granted = world.crossed.iter().filter(|(_, to, _)| to == VESA);
    granted.filter_map(|(.., iq)| iq.get_child("granted", ns::NETJOIN)?.get("term")).next_back()
}

/// Nobody is at eris any more, whose disk has what the room has lost since.
fn rested() -> World {
    let (mut world, copy) = copied(true);
    world.says("Valdis", "lost");
    for nick in ["WiZ", "Troy"] {
        world.user(&leaves(of(nick), nick));
    }
    world.pass_ms(JOINED_MS);
    world.restart_with(SERVICE, copy);
    world.pass_ms(JOINED_MS);
    world
}

/// What is on a site's disk of a room that nobody there is in any more is of the same room as what comes next, and gives way to it.
#[test]
fn s4_11_a_mirror_that_rests_gives_way() {
    let mut world = rested();
    world.says("Valdis", "since");
    world.user(&join(of("WiZ"), "WiZ"));
    assert_eq!((world.archived(ERIS), lost(&world, ERIS)), (world.archived(SERVICE), vec!["lost".to_owned()]));
}

/// Also when it has slept through all that the room has said since, up to another start of its.
#[test]
fn s4_11_a_mirror_that_has_slept_for_long_gives_way() {
    let mut world = rested();
    (0..9).for_each(|n| world.says("Valdis", &format!("since {n}")));
    world.restart(SERVICE);
    world.pass_ms(JOINED_MS);
    world.user(&join(of("WiZ"), "WiZ"));
    assert_eq!((world.archived(ERIS), lost(&world, ERIS)), (world.archived(SERVICE), vec!["lost".to_owned()]));
}

/// Or was cut off meanwhile and came back under that other start, which gives numbers far behind what is in the mirror: the room does not
/// know what that ends at. What comes next of it takes its place.
#[test]
fn s4_11_a_mirror_of_what_is_lost_gives_way_at_the_next_join() {
    let (mut world, copy) = copied(true);
    world.says("Valdis", "lost");
    world.cut(ERIS);
    world.restart_with(SERVICE, copy);
    world.pass_ms(SPLIT_MS);
    (0..9).for_each(|n| world.says("Valdis", &format!("since {n}")));
    world.restart(SERVICE);
    world.heal(ERIS);
    world.pass_ms(JOINED_MS);
    for nick in ["WiZ", "Troy"] {
        world.user(&leaves(of(nick), nick));
    }
    world.pass_ms(JOINED_MS);
    world.user(&join(of("WiZ"), "WiZ"));
    assert_eq!((world.archived(ERIS), lost(&world, ERIS)), (world.archived(SERVICE), vec!["lost".to_owned()]));
}

/// Its disk is full as it hears of it, so that what is lost stays there: it gives way to what the room says next, and a site that starts
/// again does not take it for something to go on from.
#[test]
fn s4_11_what_a_full_disk_could_not_put_aside_gives_way() {
    for restarts in [false, true] {
        let (mut world, copy) = copied(true);
        ["lost", "lost too"].iter().for_each(|body| world.says("Valdis", body));
        world.full.insert(ERIS.to_owned());
        world.restart_with(SERVICE, copy);
        world.pass_ms(JOINED_MS);
        world.full.clear();
        if restarts {
            world.restart(ERIS);
            world.user(&join(of("WiZ"), "WiZ"));
            world.pass_ms(JOINED_MS);
        }
        ["since", "since then"].iter().for_each(|body| world.says("Valdis", body));
        assert_eq!(world.archived(ERIS), world.archived(SERVICE), "restarts: {restarts}");
        assert_eq!(lost(&world, ERIS), ["lost", "lost too"], "restarts: {restarts}");
    }
}

/// So does what a site has on disk that has started again, and knows nothing yet of how the room is configured.
#[test]
fn s4_11_a_site_that_has_started_again_gives_way() {
    let (mut world, copy) = copied(true);
    world.says("Valdis", "lost");
    world.cut(ERIS);
    world.says("WiZ", "waits");
    world.restart_with(SERVICE, copy);
    world.restart(ERIS);
    world.heal(ERIS);
    world.user(&join(of("WiZ"), "WiZ"));
    world.pass_ms(JOINED_MS);
    world.says("Valdis", "since");
    assert_eq!(world.archived(SERVICE), ["kept", "waits", "since"]);
    assert_eq!((world.archived(ERIS), lost(&world, ERIS)), (world.archived(SERVICE), vec!["lost".to_owned()]));
}

/// People see the subject that the room has again, also where it had none.
#[test]
fn s4_11_the_subject_is_the_former() {
    for anew in [false, true] {
        let (mut world, copy) = copied(anew);
        world.user(&format!(
            "<message from='{}' to='{ROOM}' type='groupchat' id='s'><subject>lost</subject></message>",
            of("Wumpus")
        ));
        world.inbox.clear();
        world.restart_with(SERVICE, copy);
        world.pass_ms(JOINED_MS);
        for nick in ["Wumpus", "WiZ", "Efchen"] {
            let got = world.take(of(nick));
            let subject = got.iter().filter_map(|stanza| stanza.get_child("subject", ns::CLIENT)).next_back();
            assert_eq!(subject.map(Element::content).as_deref(), Some(""), "{nick}, {anew}");
        }
    }
}
