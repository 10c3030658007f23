//! How often a site may have its registration granted by one room: each costs the room a snapshot.

use super::link::LINKS_MAX;
use std::collections::BTreeMap;

/// What sites have left, by domain; those that have all of it are not kept.
#[derive(Debug, Default)]
pub(super) struct Syncs(BTreeMap<String, Left>);

#[derive(Debug)]
struct Left {
    left: u64,
    /// When that was, monotonic milliseconds.
    at_ms: u64,
}

impl Syncs {
    /// Takes one; `false` where a site has none left.
    pub fn take(&mut self, domain: &str, now_ms: u64) -> bool {
        if self.0.len() >= LINKS_MAX {
            self.0.retain(|_, left| left.now(now_ms) < SYNCS_MAX);
        }
        if self.0.len() >= LINKS_MAX && !self.0.contains_key(domain) {
            // Many sites that have all just asked: who has asked least is measured anew when he comes again.
            let least = self.0.iter().max_by_key(|(_, left)| left.now(now_ms)).map(|(domain, _)| domain.clone());
            least.and_then(|domain| self.0.remove(&domain));
        }
        let left = self.0.entry(domain.to_owned()).or_insert(Left { left: SYNCS_MAX, at_ms: now_ms });
        let there_are = left.now(now_ms);
        if there_are == 0 {
            return false;
        }
        *left = Left { left: there_are - 1, at_ms: now_ms };
        true
    }
}

impl Left {
    fn now(&self, now_ms: u64) -> u64 {
        (self.left + now_ms.saturating_sub(self.at_ms) / SYNC_EVERY_MS).min(SYNCS_MAX)
    }
}

/// How many a site may have at once: a link that flaps, or loses much, asks a few times a second for a while.
pub(super) const SYNCS_MAX: u64 = 100;
/// One more in so many milliseconds.
const SYNC_EVERY_MS: u64 = 1_000;
