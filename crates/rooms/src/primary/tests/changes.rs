//! `docs/wire.md`, *Netjoin*, 2: a roster of which only the changes are sent.

use super::kit::*;
use super::links::granted;
use super::netsplit::{split, wait};
use crate::room::tests::kit::Got;
use crate::wire::{Down, RosterHeld, RosterSent};
use xmpp::{Element, ns};

const BOTH: [(&str, &str); 2] = [(BIG_CHEESE, "BigCheese"), (EFCHEN, "Efchen")];
/// Somebody of killrc who is not in yet.
const NEWCOMER: &str = "gwen@killrc.oulubox.irc/desk";

/// One final presence for each seat that is new or another, an unavailable one for each that is gone, and these first.
#[test]
fn one_presence_for_each_seat_that_is_another() {
    let mut net = Net::whole();
    split(&mut net);
    let seq = net.seq();
    shows(&mut net, WIZ, "WiZ", "dnd");
    net.joins(NEWCOMER, "Gwen");
    shows(&mut net, WIZ, "WiZ", "xa");
    net.leaves(VALDIS, "Valdis");
    net.says(WIZ, "no change of the roster");
    let got = back(&mut net, seq, RosterHeld::AsOfSeq { jids: false });
    assert_eq!(granted(&got).roster, RosterSent::Changes);
    let xa = "<show>xa</show>";
    assert_eq!(roster(&got), [("Valdis", "unavailable", ""), ("WiZ", "", xa), ("Gwen", "", "")].map(owned));
    assert_eq!(kinds(&got, VESA), ["config", "roster", "roster", "roster", "missed", "subject", "synced"]);
    schema::assert_valid(&net.crossed);
}

/// A split in the middle of it, and another change: what has changed since the same place is sent again, with that.
#[test]
fn a_second_loss_asks_from_the_same_place() {
    let mut net = Net::whole();
    let seq = net.seq();
    shows(&mut net, WIZ, "WiZ", "dnd");
    for changed in [vec!["WiZ"], vec!["WiZ"], vec!["WiZ", "Valdis"]] {
        if changed.len() > 1 {
            shows(&mut net, VALDIS, "Valdis", "away");
        }
        let got = back(&mut net, seq, RosterHeld::AsOfSeq { jids: false });
        let mut nicks: Vec<String> = roster(&got).into_iter().map(|(nick, ..)| nick).collect();
        nicks.sort_by_key(|nick| changed.iter().position(|known| known == nick));
        assert_eq!(nicks, changed);
    }
}

/// Nick changes are two changes; seats that retention has cost the site itself and that it has again are among them.
#[test]
fn other_names_and_seats_had_again_are_changes() {
    let mut net = Net::whole();
    split(&mut net);
    let seq = net.seq();
    wait(&mut net, 3_601_000);
    let rename = format!("<presence from='{TROY}' to='{ROOM}/Elektra'/>");
    net.relay(&rename);
    let got = back(&mut net, seq, RosterHeld::AsOfSeq { jids: false });
    assert_eq!(granted(&got).roster, RosterSent::Changes);
    let nicks: Vec<String> = roster(&got).into_iter().map(|(nick, ..)| nick).collect();
    assert_eq!(nicks, ["Troy", "Elektra", "BigCheese", "Efchen"]);
}

/// The whole roster: where the replica has none or a wrong one, of another start, or from a place that is to come; where there is
/// more to tell than the whole; where there was no replica to remember it for.
#[test]
fn the_whole_where_changes_are_not_known() {
    let sent = |change: &dyn Fn(&mut Net, &mut crate::wire::Resume)| {
        let mut net = Net::whole();
        let mut request = net.request_again(VESA, net.seq(), &BOTH);
        change(&mut net, request.resume.as_mut().expect("it was here before"));
        let got = net.ask(VESA, &request);
        (granted(&got).roster, roster(&got).len())
    };
    assert_eq!(sent(&|_, _| {}), (RosterSent::Changes, 0));
    assert_eq!(sent(&|_, resume| resume.roster = RosterHeld::None), (RosterSent::Full, 7));
    assert_eq!(sent(&|_, resume| resume.roster = RosterHeld::Wrong), (RosterSent::Full, 7));
    assert_eq!(sent(&|_, resume| resume.term = "another".into()), (RosterSent::Full, 7));
    assert_eq!(sent(&|_, resume| resume.seq += 1), (RosterSent::Full, 7));
    let many = |net: &mut Net, _: &mut crate::wire::Resume| {
        for n in 0..9 {
            let (user, nick) = (format!("user{n}@killrc.oulubox.irc/x"), format!("user{n}"));
            net.joins(&user, &nick);
            net.leaves(&user, &nick);
        }
    };
    assert_eq!(sent(&many), (RosterSent::Full, 7));
    let alone = |net: &mut Net, _: &mut crate::wire::Resume| {
        net.kit.service.rooms.get_mut(&jid(ROOM)).expect("it is there").links.links.clear();
        net.feed(&format!(
            "<presence from='eve@elsewhere.example/x' to='{ROOM}/Eve'><x xmlns='{}'/></presence>",
            ns::MUC
        ));
    };
    assert_eq!(sent(&alone).0, RosterSent::Full);
}

/// 4.7: real addresses of the others too where the replica does not have them, of nobody where it may not.
#[test]
fn real_addresses_that_are_not_known_come_with_it() {
    let jids = |open: bool, known: bool| {
        let mut net = if open { Net::open() } else { Net::whole() };
        split(&mut net);
        let seq = net.seq();
        shows(&mut net, WIZ, "WiZ", "dnd");
        net.crossed.clear();
        let got = back(&mut net, seq, RosterHeld::AsOfSeq { jids: known });
        assert_eq!(granted(&got).roster, RosterSent::Changes);
        schema::assert_valid(&net.crossed);
        let shown =
            of(&got, VESA).iter().filter(|s| s.to_xml().contains(" jid='squit@eris.dclxvii.irc/jupiter'")).count();
        let listed = of(&got, VESA).into_iter().filter_map(|s| match Down::find(s) {
            Some(Ok((Down::Jids(seats), _))) => Some(seats.len()),
            _ => None,
        });
        (shown, listed.sum::<usize>())
    };
    assert_eq!(jids(true, true), (2, 1), "in his presence and in the list, which names him alone");
    assert_eq!(jids(true, false), (2, 8));
    assert_eq!(jids(false, true), (0, 0));
}

/// What is not broadcast is mirrored all the same (XEP-0045 16.5.3): those at the site who see it are the replica's to know.
#[test]
fn presence_that_is_not_broadcast_is_a_change() {
    let mut net = Net::whole();
    net.kit.service.rooms.get_mut(&jid(ROOM)).expect("it is there").config.presence_broadcast = Vec::new();
    let seq = net.seq();
    shows(&mut net, VALDIS, "Valdis", "away");
    let got = back(&mut net, seq, RosterHeld::AsOfSeq { jids: false });
    assert_eq!(roster(&got), [owned(("Valdis", "", "<show>away</show>"))]);
}

fn back(net: &mut Net, seq: u64, roster: RosterHeld) -> Vec<Got> {
    let mut request = net.request_again(VESA, seq, &BOTH);
    request.resume.as_mut().expect("it was here before").roster = roster;
    net.ask(VESA, &request)
}

fn shows(net: &mut Net, who: &str, nick: &str, show: &str) {
    net.relay(&format!("<presence from='{who}' to='{ROOM}/{nick}'><show>{show}</show></presence>"));
}

/// The roster as it came: nick, type, `<show/>`.
fn roster(got: &[Got]) -> Vec<(String, String, String)> {
    let is_roster = |s: &&Element| matches!(Down::find(s), Some(Ok((Down::Roster, _))));
    let stanzas = of(got, VESA).into_iter().filter(is_roster);
    let nick =
        |s: &Element| s.get("from").and_then(|from| from.rsplit_once('/')).map_or("", |(_, nick)| nick).to_owned();
    let show = |s: &Element| s.get_child("show", ns::CLIENT).map(Element::to_xml).unwrap_or_default();
    stanzas.map(|s| (nick(s), s.get("type").unwrap_or_default().to_owned(), show(s))).collect()
}

fn owned((nick, kind, show): (&str, &str, &str)) -> (String, String, String) {
    (nick.to_owned(), kind.to_owned(), show.to_owned())
}
