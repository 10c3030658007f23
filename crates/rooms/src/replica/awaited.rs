//! What was relayed and has had no outcome that was heard of, `docs/wire.md`, *Errors for what was relayed*.
//!
//! What the room tells all has its place in the one order, where nothing is lost unseen; an error has none, and may be lost alone: with
//! a stream, or with the power of a room that had its mark on disk and the error not on the way yet. But what the room has told of
//! something stands before its acknowledgement, and what it had before a registration stands in the snapshot of that. What has not come
//! by then was refused: its author is told so, and whoever has seen it on an island.

use super::mirror::Mirror;
use super::numbers::{Entry, author};
use super::provisional::Shown;
use super::site::Cx;
use crate::room::{is_subject, worth_keeping};
use crate::wire::Ack;
use crate::wire::ids::message_id;
use machine::Change;
use std::collections::BTreeMap;
use xmpp::Element;
use xmpp::stanza::{Condition, StanzaError};

/// Messages that wait for their outcome, of all outboxes.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    words: BTreeMap<(String, u64), Word>,
    /// Outbox and number of each, by its stanza-id.
    by_id: BTreeMap<String, (String, u64)>,
    /// Up to where the primary had an outbox before the present registration.
    had: BTreeMap<String, u64>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Word {
    id: String,
    /// What its author called it, without what it says; `None` for what an earlier start of this site had relayed: that may have
    /// heard of the outcome.
    said: Option<Element>,
    /// Whether a snapshot has it, where the room has told it.
    kept: bool,
}

impl Awaited {
    /// A message of this outbox, whose outcome bears this id; `is_of_before` where an earlier start of this site has relayed it.
    pub fn await_outcome(&mut self, outbox: &str, entry: &Entry, id: String, is_of_before: bool) {
        if self.words.len() >= AWAITED_MAX
            && let Some((_, oldest)) = self.words.pop_first()
        {
            self.by_id.remove(&oldest.id);
        }
        let key = (outbox.to_owned(), entry.n);
        let said = (!is_of_before).then(|| called(&entry.stanza));
        let kept = worth_keeping(&entry.stanza) && !is_subject(&entry.stanza);
        self.by_id.insert(id.clone(), key.clone());
        self.words.insert(key, Word { id, said, kept });
    }

    /// The room has told it.
    pub fn has_come(&mut self, id: &str) -> Option<Word> {
        self.words.remove(&self.by_id.remove(id)?)
    }

    /// What has this number was refused, or was never sent.
    pub fn is_over(&mut self, outbox: &str, n: u64) {
        if let Some(word) = self.words.remove(&(outbox.to_owned(), n)) {
            self.by_id.remove(&word.id);
        }
    }

    /// Nothing that was relayed has an outcome that is still to come.
    pub fn clear(&mut self) {
        *self = Awaited::default();
    }

    /// A registration begins, of these outboxes: of others nothing is to come any more.
    pub fn register(&mut self, outboxes: &[&str]) {
        let over = self.words.keys().map(|(outbox, _)| outbox).filter(|outbox| !outboxes.contains(&outbox.as_str()));
        self.had = over.map(|outbox| (outbox.clone(), u64::MAX)).collect();
    }

    /// The primary had everything up to `n` when it granted the registration.
    pub fn note_had(&mut self, outbox: &str, n: u64) {
        self.had.insert(outbox.to_owned(), n);
    }

    /// What the primary had before the registration and has not told.
    pub fn take_had(&mut self) -> Vec<Word> {
        let had = std::mem::take(&mut self.had);
        had.iter().flat_map(|(outbox, n)| self.take_upto(outbox, *n)).collect()
    }

    /// What of an outbox up to `n` the primary has not told.
    fn take_upto(&mut self, outbox: &str, n: u64) -> Vec<Word> {
        let all = (outbox.to_owned(), 0)..=(outbox.to_owned(), n);
        let numbers: Vec<u64> = self.words.range(all).map(|((_, n), _)| *n).collect();
        let words = numbers.into_iter().filter_map(|n| self.words.remove(&(outbox.to_owned(), n)));
        let words: Vec<Word> = words.collect();
        words.iter().for_each(|word| drop(self.by_id.remove(&word.id)));
        words
    }
}

impl Mirror {
    /// The last of the outbox is waited for, where it is a message.
    pub(super) fn await_last(&mut self) {
        let Some((key, entry)) = self.outbox.key.zip(self.outbox.entries.back()) else { return };
        if is_awaited(entry) {
            self.awaited.await_outcome(&self.outbox.name, entry, message_id(&key, entry.n), false);
        }
    }

    /// The same of all that the present outbox holds: its key is known from now on.
    pub(super) fn await_all(&mut self, key: &[u8; 32]) {
        for entry in self.outbox.entries().filter(|entry| is_awaited(entry)) {
            self.awaited.await_outcome(&self.outbox.name, entry, message_id(key, entry.n), false);
        }
    }

    /// What stands under a number of the present outbox is not to be said; gives the record of what stands there instead.
    pub(super) fn void(&mut self, n: u64) -> Option<Change> {
        self.awaited.is_over(&self.outbox.name, n);
        self.outbox.void(n, &self.room)
    }

    /// The snapshot is whole: what the primary had before it has come, unless there is a gap. What an earlier start of this site had
    /// relayed may have come to that.
    pub(super) fn settle_had(&mut self, gap: bool, cx: &mut Cx<'_>) {
        for word in self.awaited.take_had() {
            if gap || !word.kept { self.provisional.forget(&word.id) } else { self.never_came(&word, cx) }
        }
    }

    /// All that the room has told of what is acknowledged here has come.
    pub(super) fn settle_told(&mut self, ack: &Ack, cx: &mut Cx<'_>) {
        for word in self.awaited.take_upto(&ack.outbox, ack.n) {
            self.never_came(&word, cx);
        }
    }

    /// There is no link by which it could come: what the primary has had is its to tell, to whomever it still does.
    pub(super) fn forget_had(&mut self) {
        for word in self.awaited.take_had() {
            self.provisional.forget(&word.id);
        }
    }

    /// The room has told it, and has taken it back before it came to be told here: whoever has seen it is shown what takes it back, and
    /// its author hears so who has not.
    pub(super) fn came_and_went(&mut self, id: &str, cx: &mut Cx<'_>) {
        let Some(word) = self.awaited.has_come(id) else { return };
        let Shown { seen_by, .. } = self.has_come(id);
        let unseen = word.said.and_then(|said| Some((author(&said)?, said))).filter(|(to, _)| !seen_by.contains(to));
        if let Some((to, said)) = unseen {
            cx.pass(&to, StanzaError::new(Condition::PolicyViolation, TAKEN_BACK).reply(&said));
        }
    }

    fn never_came(&mut self, word: &Word, cx: &mut Cx<'_>) {
        let Some(said) = &word.said else { return self.provisional.forget(&word.id) };
        let why = StanzaError::new(Condition::UndefinedCondition, LOST);
        self.take_back(&word.id, Some(why.element(None)), cx);
        if let Some(to) = author(said) {
            cx.pass(&to, why.reply(said));
        }
    }
}

/// Whether somebody waits for what comes of it; what presence has come to is seen in the roster.
fn is_awaited(entry: &Entry) -> bool {
    entry.stanza.name() == "message"
}

/// A message without what it says.
fn called(stanza: &Element) -> Element {
    let called = Element::stanza("message").attr_opt("type", stanza.get("type")).attr_opt("id", stanza.get("id"));
    called.attr_opt("from", stanza.get("from")).attr_opt("to", stanza.get("to"))
}

/// What the author of a message is told that the room has refused, when its own word of that is lost.
const LOST: &str = "The room did not take this message; why has been lost on the way.";
/// What he is told whose message was taken back before he has seen it said.
const TAKEN_BACK: &str = "This message was said, and has been taken back since.";
/// Most messages of one room that wait for their outcome, the oldest go first: as many as an outbox holds, and as many again
/// that are acknowledged while a snapshot is on its way.
const AWAITED_MAX: usize = 20_000;
