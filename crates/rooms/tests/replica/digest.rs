//! `docs/wire.md`, *Digest*: a mirror that has gone wrong is found and mended, one that has not is left alone.

use crate::site::{CAST, ROOM, Site, WIZ};
use crate::world::*;
use rooms::wire::{Down, Kind, RosterHeld};
use xmpp::{Element, ns};

const ERIS: &str = "eris.dclxvii.irc";
/// Five keepalive intervals, and the look behind them.
const DIGEST_MS: u64 = 5 * 60_000 + 15_000;

fn is_digest(stanza: &Element) -> bool {
    stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("digest", ns::NETJOIN))
}

fn goes_away(world: &mut World, nick: &str) {
    world.user(&format!("<presence from='{}' to='{ROOM}/{nick}'><show>away</show></presence>", of(nick)));
}

/// What users were shown of an occupant, whatever else they got: whether he is away.
fn shown(world: &mut World, to: &str, of: &str) -> Vec<bool> {
    let from = format!("{ROOM}/{of}");
    let got = world.take(to).into_iter().filter(|s| s.name() == "presence" && s.get("from") == Some(&from));
    got.map(|s| s.has_child("show", ns::CLIENT)).collect()
}

/// An event has come and not done what it says: within the stated interval users of that site see what is so, once, and of
/// what has been right nothing again.
#[test]
fn a_mirror_that_is_wrong_is_mended() {
    let mut world = World::with_cast(true);
    world.inbox.clear();
    world.faults = [None, Some(Fault::Muted)].into();
    goes_away(&mut world, "BigCheese");
    assert_eq!(shown(&mut world, of("WiZ"), "BigCheese"), [false], "the fault was where it was meant to be");
    world.inbox.clear();
    world.pass_ms(DIGEST_MS);
    assert_eq!((world.mismatches(ERIS), world.mismatches(SERVICE)), (1, 1));
    assert_eq!(world.states(ERIS), ["live"]);
    let got = world.inbox.values().map(Vec::len).sum::<usize>();
    for nick in ["WiZ", "Troy"] {
        assert_eq!(shown(&mut world, of(nick), "BigCheese"), [true], "{nick}");
    }
    assert_eq!(got, 2, "nobody was shown anything else");
    world.pass_ms(10 * DIGEST_MS);
    assert_eq!((world.mismatches(ERIS), world.inbox.len()), (1, 0));
    world.says("Troy", "and on we go");
    assert_eq!(world.archived(ERIS), world.archived(SERVICE));
}

/// Whatever happens in a room, its mirrors come to the same.
#[test]
fn a_mirror_that_is_right_is_left_alone() {
    let mut world = World::with_cast(true);
    let admin = |item: &str| {
        let query = format!("<query xmlns='{}'>{item}</query>", ns::MUC_ADMIN);
        format!("<iq from='{}' id='a' type='set' to='{ROOM}'>{query}</iq>", of("Wumpus"))
    };
    let presence = |nick: &str, to: &str, inside: &str| {
        format!("<presence from='{}' to='{ROOM}/{to}'>{inside}</presence>", of(nick))
    };
    let caps = "<status xml:lang='en'>brb\r\n</status>\
                <c xmlns='http://jabber.org/protocol/caps' node='n' ver='v' hash='sha-1'/><e xmlns='urn:e' f=''/>";
    for stanza in [
        presence("Troy", "Troy", caps),
        presence("WiZ", "Wizard", "<show>dnd</show>"),
        crate::site::join("rubenro@vesa.yeggmaex.irc/phone", "BigCheese"),
        presence("BigCheese", "BigCheese", "<priority>3</priority>"),
        admin("<item nick='Wizard' role='moderator'/>"),
        admin("<item jid='msa@vesa.yeggmaex.irc' affiliation='member'/>"),
        admin("<item nick='Valdis' role='none'/>"),
        format!("<presence from='{}' type='unavailable' to='{ROOM}/BigCheese'/>", of("BigCheese")),
    ] {
        world.user(&stanza);
        world.pass_ms(DIGEST_MS);
    }
    world.cut(ERIS);
    goes_away(&mut world, "Efchen");
    world.user(&format!("<presence from='{}' type='unavailable' to='{ROOM}/Troy'/>", of("Troy")));
    world.pass_ms(5_000);
    world.heal(ERIS);
    world.pass_ms(3 * DIGEST_MS);
    let told = world.crossed.iter().map(|(.., stanza)| stanza).filter(|stanza| is_digest(stanza));
    schema::assert_valid(&told.cloned().collect::<Vec<_>>());
    for site in SITES {
        assert!(world.down_to(site, is_digest) >= 8, "{site} was told");
        assert_eq!((world.mismatches(site), world.states(site)), (0, vec!["live"]), "{site}");
    }
}

/// A primary that tells nonsense costs a resumption a minute, not one for each.
#[test]
fn mending_is_bounded() {
    let mut site = Site::with_users(ERIS, &[("WiZ", WIZ)]);
    let wrong = |site: &mut Site| {
        site.down(&format!("<message from='{ROOM}'/>"), Down::Digest([0; 32]), Kind::Digest, Some(801))
    };
    wrong(&mut site);
    assert_eq!(site.replica.links(site.now)[0].state, "suspect");
    let left = site.pass_ms(1_000);
    assert!(site.request(&left).1.resume.is_some_and(|resume| resume.roster == RosterHeld::Wrong));
    site.grant(&left, 1, true);
    site.snapshot(&CAST, &[], 801);
    for _ in 0..3 {
        assert!(wrong(&mut site).is_empty());
    }
    assert_eq!(site.replica.links(site.now)[0].state, "live");
    let tallies: Vec<_> = site.replica.tallies().map(|(of, tally)| (of, tally.mismatches, tally.resumes)).collect();
    assert_eq!(tallies, [("channel.avalon.irc", 4, 1)]);
    site.pass_ms(60_000);
    wrong(&mut site);
    assert_eq!(site.replica.links(site.now)[0].state, "suspect");
}
