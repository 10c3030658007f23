//! Protocol property P7, as far as links show it: what a stanza lists, and how often something is asked, is within the bounds of
//! `docs/wire.md`.

use super::ENTERING_MS;
use super::people::People;
use super::watch::Watch;
use crate::world::Crossing;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

#[derive(Default)]
pub(super) struct Bounds {
    /// When each address last said to another that its epoch is stale, by room.
    stale_ms: BTreeMap<(String, String), u64>,
    /// Of the digests that a replica, a room's, has been told since it last asked for the roster whole: the first and the last.
    digests_ms: BTreeMap<(String, String), (u64, u64)>,
    /// The first of those behind which it last did.
    repaired_ms: BTreeMap<(String, String), u64>,
}

impl Watch for Bounds {
    fn crossed(&mut self, crossing: &Crossing, _: usize, _: &People) -> Result<(), String> {
        let stanza = &crossing.stanza;
        if let Some((count, (holder, listed, most))) = over(stanza) {
            return Err(format!("{count} {listed} in a {holder}, {most} at the most: {stanza}"));
        }
        if stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("stale", ns::NETJOIN)) {
            apart(&mut self.stale_ms, crossing, STALE_MS)?;
        }
        let resume =
            stanza.get_child("replicate", ns::NETJOIN).and_then(|asked| asked.get_child("resume", ns::NETJOIN));
        let at = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
        if at.is_some_and(|at| at.get("kind") == Some("digest")) && !crossing.lost {
            let digests = self.digests_ms.entry(between(stanza, ["to", "from"])).or_insert((crossing.at_ms, 0));
            digests.1 = crossing.at_ms;
        }
        if resume.is_some_and(|resume| resume.get("roster") == Some("full")) {
            self.repaired(crossing)?;
        }
        Ok(())
    }
}

impl Bounds {
    /// A replica asks for the roster whole. Where it has been told no digest since it last did, it asks for what it has not got then.
    fn repaired(&mut self, crossing: &Crossing) -> Result<(), String> {
        let pair = between(&crossing.stanza, ["from", "to"]);
        let Some((first, last)) = self.digests_ms.remove(&pair) else { return Ok(()) };
        match self.repaired_ms.insert(pair, first) {
            Some(before) if before + REPAIR_MS > last + ENTERING_MS => {
                Err(format!("{} after the digest before: {}", last - before, crossing.stanza))
            }
            _ => Ok(()),
        }
    }
}

/// The addresses of a stanza.
fn between(stanza: &Element, names: [&str; 2]) -> (String, String) {
    let [one, other] = names.map(|name| stanza.get(name).unwrap_or_default().to_owned());
    (one, other)
}

/// Whether it is long enough since the last of these between the same two.
fn apart(last_ms: &mut BTreeMap<(String, String), u64>, crossing: &Crossing, least_ms: u64) -> Result<(), String> {
    match last_ms.insert(between(&crossing.stanza, ["from", "to"]), crossing.at_ms) {
        Some(last) if last + least_ms > crossing.at_ms => {
            Err(format!("{} after the one before: {}", crossing.at_ms - last, crossing.stanza))
        }
        _ => Ok(()),
    }
}

/// A list that is too long, wherever it stands in a stanza, and how long it is.
fn over(element: &Element) -> Option<(usize, List)> {
    let of_ours = LISTS.into_iter().filter(|(holder, ..)| element.is(holder, ns::NETJOIN));
    let listed = of_ours.map(|list| (element.children().filter(|child| child.name() == list.1).count(), list));
    let too_long = listed.into_iter().find(|(count, (.., most))| count > most);
    too_long.or_else(|| element.children().find_map(over))
}

/// What holds a list, what it lists, and how many it may.
type List = (&'static str, &'static str, usize);

/// `docs/wire.md`.
const LISTS: [List; 6] = [
    ("replicate", "outbox", 4),
    ("granted", "mark", 4),
    ("census", "seat", 10_000),
    ("granted", "seat", 10_000),
    ("away", "seat", 200),
    ("heads", "head", 200),
];
/// A stale epoch is said at most so often to one replica.
const STALE_MS: u64 = 1_000;
/// For a digest a roster is asked for anew at most so often.
const REPAIR_MS: u64 = 60_000;
