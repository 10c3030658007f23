//! `docs/wire.md`, *Netjoin*, 2, at a site: a roster that comes as changes to the stored one.

use crate::site::{self, CAST as SEATS, ROOM, Site, WIZ, groupchat, presence, unavailable};
use crate::world::*;
use machine::Input;
use rooms::wire::{Down, Granted, Kind, RosterHeld, RosterSent, Verdict};
use xmpp::{Element, ns};

const DIGEST_MS: u64 = 5 * 60_000 + 15_000;

fn is_roster(stanza: &Element) -> bool {
    matches!(Down::find(stanza), Some(Ok((Down::Roster, _))))
}

fn shows(world: &mut World, nick: &str, show: &str) {
    world.user(&format!("<presence from='{}' to='{ROOM}/{nick}'><show>{show}</show></presence>", of(nick)));
}

/// What crossed to a site of its last registration's answer.
fn last_grant(world: &World, site: &str) -> Granted {
    let granted = |(_, to, stanza): &(String, String, Element)| {
        let granted = stanza.get_child("granted", ns::NETJOIN).filter(|_| to == site)?;
        Granted::parse(granted).ok()
    };
    world.crossed.iter().rev().find_map(granted).expect("it was granted one")
}

/// What happens while eris is cut off: somebody shows himself otherwise, somebody has another name, somebody leaves and comes
/// back as who he was, somebody leaves.
fn meanwhile(world: &mut World) {
    shows(world, "BigCheese", "xa");
    world.user(&format!("<presence from='{}' to='{ROOM}/Cat'/>", of("Efchen")));
    for nick in ["Valdis", "Phaedrus"] {
        world.user(&format!("<presence type='unavailable' from='{}' to='{ROOM}/{nick}'/>", of(nick)));
    }
    world.user(&site::join(of("Valdis"), "Valdis"));
    world.says("BigCheese", "nobody of eris hears this now");
}

/// Those who stayed see the net difference, and the mirror is the room's.
#[test]
fn the_difference_is_sent_and_shown() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    meanwhile(&mut world);
    world.pass_ms(3_000);
    world.inbox.clear();
    world.crossed.clear();
    world.heal(ERIS);
    world.pass_ms(70_000);
    assert_eq!(last_grant(&world, ERIS).roster, RosterSent::Changes);
    assert_eq!(world.down_to(ERIS, is_roster), 5, "two that are gone, three that are another: Valdis is who he was");
    let got = world.take(of("WiZ"));
    let shown: Vec<(&str, Option<&str>)> = got
        .iter()
        .filter(|s| s.name() == "presence")
        .filter_map(|s| Some((s.get("from")?.rsplit_once('/')?.1, s.get("type"))))
        .collect();
    assert_eq!(
        shown,
        [("Phaedrus", Some("unavailable")), ("Efchen", Some("unavailable")), ("Cat", None), ("BigCheese", None)]
    );
    assert!(got.iter().any(|s| s.to_xml().contains("<status code='303'/>")), "he is told to be the same");
    world.pass_ms(DIGEST_MS);
    assert_eq!((world.mismatches(ERIS), world.states(ERIS)), (0, vec!["live"]));
}

/// Whichever stanza of it is lost, the next one begins where this one did, and ends with the room's roster.
#[test]
fn a_loss_in_the_middle_loses_nothing() {
    for lost in 0..12 {
        let mut world = World::with_cast(true);
        world.cut(ERIS);
        meanwhile(&mut world);
        world.pass_ms(3_000);
        world.inbox.clear();
        world.heal(ERIS);
        world.faults = (0..lost).map(|_| None).chain([Some(Fault::Drop)]).collect();
        world.pass_ms(130_000);
        assert_eq!(world.states(ERIS), ["live"], "{lost}");
        let heard = world.take(of("WiZ")).iter().filter(|s| s.has_child("body", ns::CLIENT)).count();
        assert_eq!(heard, 1, "{lost}");
        world.pass_ms(DIGEST_MS);
        assert_eq!(world.mismatches(ERIS), 0, "{lost}");
    }
}

/// An island's own show of itself, told by the room when the island is joined: shown once and to all.
#[test]
fn an_island_that_showed_something_of_its_own_is_joined() {
    let mut world = World::with_cast(true);
    world.cut(ERIS);
    world.pass_ms(30_000);
    shows(&mut world, "Troy", "dnd");
    meanwhile(&mut world);
    world.heal(ERIS);
    world.inbox.clear();
    world.pass_ms(180_000);
    assert_eq!(last_grant(&world, ERIS).roster, RosterSent::Changes);
    let troy = format!("{ROOM}/Troy");
    for (nick, times) in [("BigCheese", 1), ("WiZ", 0)] {
        let got = world.take(of(nick));
        let dnd = got.iter().filter(|s| s.get("from") == Some(&troy) && s.to_xml().contains("<show>dnd</show>"));
        assert_eq!(dnd.count(), times, "{nick}");
    }
    world.pass_ms(DIGEST_MS);
    assert_eq!(world.mismatches(ERIS), 0);
}

/// A start of the primary that is another knows no changes; a site that has started again has no roster to change.
#[test]
fn after_a_restart_of_either_side_the_roster_is_whole() {
    let mut world = World::with_cast(true);
    world.restart(SERVICE);
    world.pass_ms(70_000);
    assert_eq!((last_grant(&world, ERIS).roster, world.states(ERIS)), (RosterSent::Full, vec!["live"]));

    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
    site.send(&site::says(WIZ, "on its way"));
    site.restart();
    let left = site.pass_ms(10_000);
    let resume = site.request(&left).1.resume.expect("it was here before");
    assert_eq!(resume.roster, RosterHeld::None);
}

/// Changes to a roster that is not the mirror's are none: a primary that sends them unasked is one whose answer cannot be read.
#[test]
fn changes_that_were_not_asked_for_are_refused() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
    site.send(&site::says(WIZ, "on its way"));
    site.restart();
    let left = site.pass_ms(10_000);
    let (id, request) = site.request(&left);
    let granted = site.granted(&request, 0, true, |_| Verdict::Kept);
    site.answer(&id, &Granted { roster: RosterSent::Changes, ..granted });
    assert_ne!(site.replica.links(site.now).first().map(|link| link.state), Some("syncing"));
}

/// Nor are changes by another start of the primary, which cannot know them.
#[test]
fn changes_by_another_start_of_the_primary_are_refused() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(2_000);
    let (id, request) = site.request(&left);
    site.term = "t2";
    let granted = site.granted(&request, 1, true, |_| Verdict::Kept);
    site.answer(&id, &Granted { roster: RosterSent::Changes, ..granted });
    assert_eq!(site.replica.links(site.now)[0].state, "suspect");
}

/// Real addresses stay known for those who may see them; a replica that has lost its moderator forgets them as ever.
#[test]
fn addresses_are_kept_with_the_seats_that_stay() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
    assert_eq!(held(&mut site), RosterHeld::AsOfSeq { jids: false });
    site.event(&presence("WiZ", "admin", "moderator"), 810);
    let jids = SEATS.map(|(nick, ..)| rooms::wire::SeatJid {
        nick: nick.parse().expect("a nick"),
        jid: format!("{}@real.example/x", nick.to_lowercase()).parse().expect("an address"),
    });
    site.down(&format!("<message from='{ROOM}'/>"), Down::Jids(jids.to_vec()), Kind::Jids, None);
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(2_000);
    let (id, request) = site.request(&left);
    assert_eq!(request.resume.as_ref().map(|r| (r.seq, r.roster)), Some((810, RosterHeld::AsOfSeq { jids: true })));
    let granted = site.granted(&request, 1, true, |_| Verdict::Kept);
    site.answer(&id, &Granted { roster: RosterSent::Changes, ..granted });
    let gone = unavailable("Troy", "");
    site.down(&format!("<message from='{ROOM}'/>"), Down::Config(site::room_config()), Kind::Config, None);
    site.down(&gone, Down::Roster, Kind::Roster, None);
    site.down(
        &groupchat("WiZ", "", 0).replace("<body></body>", "<subject/>"),
        Down::Past { said_ms: None },
        Kind::Subject,
        None,
    );
    site.down(&format!("<message from='{ROOM}'/>"), site::SYNCED, Kind::Synced, Some(812));
    let shown = site.event(&presence("Valdis", "none", "visitor"), 813);
    assert_eq!(shown.len(), 1, "he is there");
    // Valdis is known by an event that did not name his address; Wumpus still is by it.
    let own = site.send(&site::join("squit@eris.dclxvii.irc/phone", "WiZ"));
    assert!(!own.is_empty());
    let got = site.enter(&site::own_presence("WiZ", "admin", "moderator"), "squit@eris.dclxvii.irc/phone");
    let wumpus = got.iter().find(|s| s.get("from") == Some(&format!("{ROOM}/Wumpus"))).expect("he is there");
    assert!(wumpus.to_xml().contains("wumpus@real.example/x"), "{wumpus}");
    assert!(!got.iter().any(|s| s.get("from") == Some(&format!("{ROOM}/Troy"))), "who is gone is gone");
}

/// What a site says of its roster when its link is lost.
fn held(site: &mut Site) -> RosterHeld {
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(2_000);
    let held = site.request(&left).1.resume.expect("it was here before").roster;
    site.grant(&left, 1, true);
    site.snapshot(&SEATS, &[], 805);
    held
}
