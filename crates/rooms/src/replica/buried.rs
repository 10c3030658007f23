//! What was taken back, XEP-0425: the mirror, too, keeps a tombstone at most. What the disk has not removed yet is given to nobody.

use super::mirror::Mirror;
use super::site::Cx;
use crate::flaws::flaw;
use crate::room::{Past, retracted_by, tombstone};
use machine::{Change, Row, Token};
use std::collections::BTreeMap;
use xmpp::{Element, Shared};

/// Messages that were taken back and may be in the mirrored archive still, by id.
#[derive(Debug, Default)]
pub(super) struct Unburied {
    /// The write that removes each; `None` where the disk has refused it.
    by_id: BTreeMap<String, Option<Token>>,
}

impl Unburied {
    /// Whether this row may not be shown.
    pub fn has(&self, row: &Row) -> bool {
        self.by_id.contains_key(&row.id)
    }

    /// A write is on disk.
    pub fn kept(&mut self, token: Token) {
        self.by_id.retain(|_, by| *by != Some(token));
    }

    /// A write has failed.
    pub fn not_kept(&mut self, token: Token) {
        self.by_id.values_mut().filter(|by| **by == Some(token)).for_each(|by| *by = None);
    }
}

impl Mirror {
    /// What a message takes back, if anything, is replaced by a tombstone.
    pub(super) fn bury_retracted(&mut self, message: &Element, cx: &mut Cx<'_>) {
        let Some(id) = retracted_by(message, &self.room).filter(|_| !flaw!(TakenBackStays)) else { return };
        self.came_and_went(id, cx);
        let mut changes = vec![self.row_gone(id)];
        if let Some(past) = self.past.forget(id) {
            let stanza = Shared::new(tombstone(past.stanza.element(), None));
            let past = Past { stanza, ..past };
            changes.push(self.row_at(&past, None, past.seq));
        }
        if self.config.logging {
            let token = cx.keep_or_say(changes, &self.room);
            if self.unburied.by_id.len() < UNBURIED_MAX {
                self.unburied.by_id.insert(id.to_owned(), Some(token));
            }
        }
    }

    /// Removes what the disk has refused to; before anybody reads, and when something else is written.
    pub(super) fn bury_what_is_owed(&mut self, cx: &mut Cx<'_>) {
        let owed: Vec<String> =
            self.unburied.by_id.iter().filter(|(_, by)| by.is_none()).map(|(id, _)| id.clone()).collect();
        if owed.is_empty() {
            return;
        }
        let token = cx.keep_or_say(owed.iter().map(|id| self.row_gone(id)).collect::<Vec<Change>>(), &self.room);
        self.unburied.by_id.extend(owed.into_iter().map(|id| (id, Some(token))));
    }
}

/// Most messages remembered that a full disk has not removed: more than moderators take back while one is full. One over it stays.
const UNBURIED_MAX: usize = 1_000;
