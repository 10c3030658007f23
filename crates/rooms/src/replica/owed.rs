//! What the next start must not find, since its authors have been told that nothing comes of it: removed from the disk whatever becomes
//! of the room, and tried again while the disk is full.

use super::Replica;
use super::site::{Cx, Due};
use machine::{Change, Now, Output, Token};
use std::collections::BTreeMap;

/// Removals that are not on disk.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// Under way.
    waits: BTreeMap<Token, Vec<Change>>,
    /// Refused by the disk.
    again: Vec<Change>,
}

impl Owed {
    /// A write is on disk.
    pub fn kept(&mut self, token: Token) {
        self.waits.remove(&token);
    }

    /// A write has failed; whether something is owed for it.
    pub fn not_kept(&mut self, token: Token) -> bool {
        let Some(changes) = self.waits.remove(&token) else { return false };
        let room = OWED_MAX.saturating_sub(self.again.len());
        self.again.extend(changes.into_iter().take(room));
        true
    }
}

impl Cx<'_> {
    /// Removes something for good.
    pub fn remove(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            let token = self.persist(changes.clone());
            self.site.owed.waits.insert(token, changes);
        }
    }
}

impl Replica {
    /// A write has failed: what was to be removed by it is tried again.
    pub(super) fn owes(&mut self, token: Token, now: Now) {
        if self.site.owed.not_kept(token) {
            self.site.timers.set(Due::Owed, Some(now.mono_ms + AGAIN_MS));
        }
    }

    /// Removes what the disk has refused to.
    pub(super) fn pay(&mut self, now: Now, out: &mut Vec<Output>) {
        let changes = std::mem::take(&mut self.site.owed.again);
        self.cx(now, out).remove(changes);
    }
}

/// Most removals remembered: what ten rooms may have in their outboxes. One over it stays on disk, and is said once more after a restart.
const OWED_MAX: usize = 100_000;
/// How long a disk is left alone that has refused one.
const AGAIN_MS: u64 = 5_000;
