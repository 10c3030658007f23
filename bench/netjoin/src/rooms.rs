//! Many rooms behind one link that come back together, and what is said meanwhile in those that are reached.

use crate::net::{Net, SERVICE};
use crate::{ISLE, MAIN, SITES, kind};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// What was counted on a link that carries one stanza a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rooms {
    /// Stanzas and bytes of the largest batch of one room: its answer and snapshot up to a page of what was missed, or a page.
    pub batch: (usize, usize),
    /// The most of other rooms' resynchronisation that a live message found waiting before it: stanzas and bytes.
    pub ahead: (usize, usize),
    /// Live messages that were put on the link meanwhile.
    pub live: usize,
    /// Milliseconds until all rooms were there.
    pub took_ms: usize,
}

/// So many rooms of `seats` with a site that is cut off while each hears `missed` messages; then it is reached again.
pub fn rooms(rooms: usize, seats: usize, missed: usize) -> Rooms {
    let room = |n: usize| -> Jid { format!("room{n}@{SERVICE}").parse().expect("an address") };
    let mut net = Net::new(&SITES);
    for n in 0..rooms {
        net.open(MAIN, &room(n), &[]);
        (1..seats).for_each(|seat| net.join(MAIN, &format!("user{seat}"), &room(n)));
        net.join(ISLE, "castaway", &room(n));
    }
    net.cut(ISLE);
    net.pass_ms(15_000);
    for n in 0..rooms {
        (0..missed)
            .for_each(|said| net.say(MAIN, "owner", &room(n), &format!("{said}: is anybody there, or is it just us?")));
    }
    net.tap(ISLE);
    net.heal(ISLE);
    let (mut ahead, mut live, mut steps) = ((0, 0), 0, 0_usize);
    // How many are there is asked now and then, since it means asking each.
    while !steps.is_multiple_of(LOOK_STEPS) || net.live(ISLE) < rooms {
        net.slow_step(ISLE);
        if steps.is_multiple_of(SAY_STEPS) {
            let before = net.waiting(ISLE);
            net.say_slowly(MAIN, "owner", &room(steps / SAY_STEPS % rooms), &format!("live{steps}"), ISLE);
            if net.waiting(ISLE).0 > before.0 {
                live += 1;
                ahead = (ahead.0.max(before.1), ahead.1.max(before.2));
            }
        }
        steps += 1;
        assert!(steps < 10_000_000, "all rooms come back");
    }
    Rooms { batch: largest_batch(&net.tap(ISLE)), ahead, live, took_ms: steps }
}

/// The most that one room sent at a time.
fn largest_batch(sent: &[Element]) -> (usize, usize) {
    let (mut open, mut largest): (BTreeMap<String, (usize, usize)>, _) = (BTreeMap::new(), (0, 0));
    for stanza in sent {
        let Some(room) = stanza.get("from").and_then(|from| Jid::new(from).ok()).map(|from| from.bare()) else {
            continue;
        };
        let is_ping = stanza.has_child("ping", ns::PING);
        if !is_ping && !stanza.has_child("granted", ns::NETJOIN) && matches!(kind(stanza), None | Some("event")) {
            continue;
        }
        let batch = open.entry(room.to_string()).or_default();
        *batch = (batch.0 + 1, batch.1 + stanza.to_xml().len());
        largest = (largest.0.max(batch.0), largest.1.max(batch.1));
        if is_ping || kind(stanza) == Some("synced") {
            open.remove(room.as_str());
        }
    }
    largest
}

/// So often it is looked whether all rooms are there.
const LOOK_STEPS: usize = 256;
/// So often something is said in a room: seldom enough for the link to carry it besides the rest.
const SAY_STEPS: usize = 8;
