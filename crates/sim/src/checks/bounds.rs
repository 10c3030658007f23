//! Protocol property P7, as far as links show it: what a stanza lists, and how often something is asked, is within the bounds of
//! `docs/wire.md`.

use super::watch::Watch;
use crate::world::Crossing;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

#[derive(Default)]
pub(super) struct Bounds {
    /// When each address last said to another that its epoch is stale, by room.
    stale_ms: BTreeMap<(String, String), u64>,
    /// When a replica asked for a roster whole because its digest differed.
    repaired_ms: BTreeMap<(String, String), u64>,
}

impl Watch for Bounds {
    fn crossed(&mut self, crossing: &Crossing, _: usize) -> Result<(), String> {
        let stanza = &crossing.stanza;
        let over = LISTS.iter().find_map(|(holder, listed, most)| {
            let count = find(stanza, holder)?.children().filter(|child| child.name() == *listed).count();
            (count > *most).then(|| format!("{count} {listed} in a {holder}, {most} at the most: {stanza}"))
        });
        if let Some(over) = over {
            return Err(over);
        }
        if stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("stale", ns::NETJOIN)) {
            apart(&mut self.stale_ms, crossing, STALE_MS)?;
        }
        let resume =
            stanza.get_child("replicate", ns::NETJOIN).and_then(|asked| asked.get_child("resume", ns::NETJOIN));
        if resume.is_some_and(|resume| resume.get("roster") == Some("full")) {
            apart(&mut self.repaired_ms, crossing, REPAIR_MS)?;
        }
        Ok(())
    }
}

/// Whether it is long enough since the last of these between the same two.
fn apart(last_ms: &mut BTreeMap<(String, String), u64>, crossing: &Crossing, least_ms: u64) -> Result<(), String> {
    let address = |name| crossing.stanza.get(name).unwrap_or_default().to_owned();
    match last_ms.insert((address("from"), address("to")), crossing.at_ms) {
        Some(last) if last + least_ms > crossing.at_ms => {
            Err(format!("{} after the one before: {}", crossing.at_ms - last, crossing.stanza))
        }
        _ => Ok(()),
    }
}

/// An element of ours, wherever it stands in a stanza.
fn find<'a>(element: &'a Element, name: &str) -> Option<&'a Element> {
    let is_it = element.name() == name && element.ns() == ns::NETJOIN;
    if is_it { Some(element) } else { element.children().find_map(|child| find(child, name)) }
}

/// What holds a list, what it lists, and how many it may: `docs/wire.md`.
const LISTS: [(&str, &str, usize); 6] = [
    ("replicate", "outbox", 4),
    ("granted", "mark", 4),
    ("census", "seat", 10_000),
    ("granted", "seat", 10_000),
    ("away", "seat", 200),
    ("heads", "head", 200),
];
/// A stale epoch is said at most so often to one replica.
const STALE_MS: u64 = 1_000;
/// A roster is asked for again at most so often.
const REPAIR_MS: u64 = 60_000;
