//! What was relayed and has not had its outcome, XEP-0282 4.8 with `docs/wire.md`: numbered in accepted order.
//!
//! While the link is live a stanza is relayed before it is written; while it is not, it is written first. Messages are
//! written, presence is not: after a restart nobody it speaks of is here any more.

use super::keep;
use super::life::Life;
use super::mirror::Mirror;
use super::site::Cx;
use crate::names::Nick;
use crate::wire::{self, UpMark};
use machine::{Change, Token};
use std::collections::VecDeque;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// One outbox: contiguous numbers, the oldest first.
#[derive(Debug)]
pub(super) struct Outbox {
    pub name: String,
    entries: VecDeque<Entry>,
    next: u64,
    /// Entries accepted so far; orders their records.
    accepted: u64,
    bytes: usize,
    /// Whether the primary has been told of it.
    offered: bool,
    /// Records of what has had its outcome; removed together with the next write.
    done: Vec<String>,
}

/// Something relayed.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub n: u64,
    /// The user's stanza with both addresses and without a mark.
    pub stanza: Element,
    /// The nick its author had.
    pub nick: Option<Nick>,
    /// The key of its record, where it is on disk or on the way there.
    pub key: Option<String>,
    /// In which registration it was last sent; 0 for none.
    attempt: u32,
    /// The write it waits for.
    waits: Option<Token>,
    bytes: usize,
}

impl Outbox {
    /// An empty one.
    pub fn new(name: String) -> Outbox {
        Outbox { name, entries: VecDeque::new(), next: 1, accepted: 0, bytes: 0, offered: false, done: Vec::new() }
    }

    /// Appends; what has a nick and is a message is to be written.
    pub fn push(&mut self, stanza: Element, nick: Option<Nick>) {
        self.accepted += 1;
        let key = (stanza.name() == "message").then(|| keep::outbox_key(&self.name, self.accepted));
        self.put(stanza, nick, key);
    }

    /// Appends what is on disk already; between two messages there may have been presence, which is not.
    pub fn load(&mut self, n: u64, stanza: Element, nick: Option<Nick>, key: String) {
        self.next = n.max(self.next);
        self.put(stanza, nick, Some(key));
    }

    fn put(&mut self, stanza: Element, nick: Option<Nick>, key: Option<String>) {
        let (n, bytes) = (self.next, stanza.to_xml().len());
        self.next += 1;
        self.bytes += bytes;
        self.entries.push_back(Entry { n, stanza, nick, key, attempt: 0, waits: None, bytes });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last number given.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// The number up to which everything has had its outcome.
    pub fn acked(&self) -> u64 {
        self.entries.front().map_or(self.next, |entry| entry.n) - 1
    }

    /// Whether a user's join has not had its outcome.
    pub fn holds_join_of(&self, user: &Jid) -> bool {
        let joins = |entry: &Entry| entry.stanza.name() == "presence" && entry.stanza.get("type").is_none();
        self.entries.iter().any(|entry| joins(entry) && author(&entry.stanza).as_ref() == Some(user))
    }

    /// How it stands in a registration.
    pub fn offer(&mut self) -> wire::Outbox {
        self.offered = true;
        wire::Outbox { name: self.name.clone(), from: self.acked() + 1 }
    }

    /// Who speaks in it.
    pub fn authors(&self) -> impl Iterator<Item = (Jid, Nick)> {
        self.entries.iter().filter_map(|entry| Some((author(&entry.stanza)?, entry.nick.clone()?)))
    }

    /// Everything up to `n` has had its outcome.
    fn acknowledge(&mut self, n: u64) {
        while self.entries.front().is_some_and(|entry| entry.n <= n) {
            let entry = self.entries.pop_front();
            self.bytes -= entry.as_ref().map_or(0, |entry| entry.bytes);
            self.done.extend(entry.and_then(|entry| entry.key));
        }
    }

    /// The primary has had everything up to `n`, and nothing behind it: what is left is numbered on from there. Gives
    /// what brings the records in line.
    fn reconcile(&mut self, n: u64, room: &Jid) -> Vec<Change> {
        self.acknowledge(n);
        let mut changes = self.sweep(room);
        changes.extend(self.number_on(n + 1, room));
        changes
    }

    /// Numbers the entries from `first` on; gives the records that change by it.
    fn number_on(&mut self, first: u64, room: &Jid) -> Vec<Change> {
        let mut changes = Vec::new();
        for (n, entry) in (first..).zip(&mut self.entries) {
            if std::mem::replace(&mut entry.n, n) != n {
                changes.extend(keep::outbox_put(room, entry));
            }
        }
        self.next = first + self.entries.len() as u64;
        changes
    }

    /// The records that are no longer needed, to be removed now.
    pub fn sweep(&mut self, room: &Jid) -> Vec<Change> {
        std::mem::take(&mut self.done).into_iter().map(|key| keep::outbox_gone(room, key)).collect()
    }

    /// Forgets everything, and gives what removes it from disk.
    pub fn clear(&mut self, room: &Jid) -> Vec<Change> {
        self.acknowledge(u64::MAX);
        self.sweep(room)
    }

    /// Takes everything out: what there was, and what removes it from disk.
    pub fn drain(&mut self, room: &Jid) -> (Vec<Entry>, Vec<Change>) {
        let entries = self.entries.iter().cloned().collect();
        (entries, self.clear(room))
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= OUTBOX_STANZAS_MAX || self.bytes >= OUTBOX_BYTES_MAX
    }
}

impl Mirror {
    /// Accepts a user's stanza that changes the room; `false` where it could not be, which its author has been told.
    pub(super) fn submit(&mut self, stanza: Element, cx: &mut Cx<'_>) -> bool {
        let Some(from) = author(&stanza) else { return false };
        if self.outbox.is_full() {
            let error = StanzaError::new(Condition::ResourceConstraint, "Too much waits for the room already.");
            cx.pass(&from, error.reply(&stanza));
            return false;
        }
        let nick = self.sessions.get(&from).map(|session| session.nick.clone());
        self.outbox.push(stanza, nick);
        if self.relays() {
            self.send_outstanding(cx);
        }
        self.write_last(cx);
        true
    }

    /// Whether what users say goes up at once.
    pub(super) fn relays(&self) -> bool {
        self.life.talks() || (self.life == Life::Registering && self.link.fresh)
    }

    /// Writes the last entry, if it is one that is written.
    fn write_last(&mut self, cx: &mut Cx<'_>) {
        let relayed = self.relays();
        let Some(entry) = self.outbox.entries.back() else { return };
        let Some(put) = keep::outbox_put(&self.room, entry) else { return };
        let mut changes = self.outbox.sweep(&self.room);
        changes.push(put);
        if relayed {
            return cx.keep(changes);
        }
        let token = cx.keep_or_say(changes, &self.room);
        if let Some(entry) = self.outbox.entries.back_mut() {
            entry.waits = Some(token);
        }
    }

    /// A write has failed: its author is told, unless it has been relayed by now.
    pub(super) fn not_kept(&mut self, token: Token, cx: &mut Cx<'_>) {
        let Some(at) = self.outbox.entries.iter().position(|entry| entry.waits == Some(token)) else { return };
        if self.outbox.entries.get(at).is_some_and(|entry| entry.attempt > 0) {
            return;
        }
        let Some(entry) = self.outbox.entries.remove(at) else { return };
        self.outbox.bytes -= entry.bytes;
        // None behind it has been sent, since numbers are sent in order.
        let first = self.outbox.entries.front().map_or(entry.n, |front| front.n.min(entry.n));
        let changes = self.outbox.number_on(first, &self.room);
        cx.keep(changes);
        if let Some(from) = author(&entry.stanza) {
            cx.pass(&from, StanzaError::from(Condition::InternalServerError).reply(&entry.stanza));
        }
    }

    /// Relays, in order, what this registration has not.
    pub(super) fn send_outstanding(&mut self, cx: &mut Cx<'_>) {
        self.send_where(|entry, attempt| entry.attempt != attempt, cx);
    }

    fn send_where(&mut self, which: impl Fn(&Entry, u32) -> bool, cx: &mut Cx<'_>) {
        let attempt = self.link.attempt;
        send(&mut self.outbox, self.link.epoch.as_ref(), attempt, |entry| which(entry, attempt), cx);
    }

    /// Relays what was left of before a restart, and behind it the leaves of those who spoke and are not here.
    pub(super) fn drain_older(&mut self, cx: &mut Cx<'_>) {
        let mut older = std::mem::take(&mut self.older);
        older.retain(|outbox| !outbox.is_empty());
        for outbox in older.iter_mut().filter(|outbox| outbox.offered) {
            let mut authors: Vec<(Jid, Nick)> = outbox.authors().collect();
            authors.sort();
            authors.dedup();
            for (jid, nick) in authors {
                if !self.sessions.contains_key(&jid) && !self.joins.contains_key(&jid) {
                    outbox.push(leave_of(&jid, &nick.in_room(&self.room)), None);
                }
            }
            send(outbox, self.link.epoch.as_ref(), self.link.attempt, |_| true, cx);
        }
        self.older = older;
    }

    /// Whether what bears this mark is still to be sent, or sent again.
    pub(super) fn keeps(&self, mark: &UpMark) -> bool {
        let outboxes = self.older.iter().chain([&self.outbox]);
        outboxes.filter(|outbox| outbox.name == mark.outbox).flat_map(|outbox| &outbox.entries).any(|e| e.n == mark.n)
    }

    /// The primary has said how far the outcome of an outbox is durable.
    pub(super) fn acknowledged(&mut self, name: &str, n: u64, cx: &mut Cx<'_>) {
        if self.outbox.name == name {
            // What was never sent cannot have had an outcome.
            return self.outbox.acknowledge(n.min(self.outbox.last()));
        }
        let Some(outbox) = self.older.iter_mut().find(|outbox| outbox.name == name) else { return };
        outbox.acknowledge(n.min(outbox.last()));
        if outbox.is_empty() {
            let changes = outbox.sweep(&self.room);
            cx.keep(changes);
            self.older.retain(|outbox| !outbox.is_empty());
            if self.older.iter().any(|outbox| !outbox.offered) {
                // More restarts than one registration may name: the next ones take another.
                self.lost(cx);
            }
        }
    }

    /// Before a registration that follows upon nothing: what was sent in one that is over may have had an outcome that
    /// was lost with it, so joins and leaves go out under a new name, where none counts as had. Whoever said anything
    /// else is not here any more.
    pub(super) fn renew_outbox(&mut self, cx: &mut Cx<'_>) {
        let lost = self.joins.iter().filter(|(user, _)| !self.outbox.holds_join_of(user));
        let lost: Vec<Element> = lost.map(|(_, join)| join.stanza.clone()).collect();
        if lost.is_empty() && self.outbox.entries.iter().all(|entry| entry.attempt == 0) {
            return;
        }
        let (entries, changes) = self.outbox.drain(&self.room);
        self.outbox = Outbox::new(cx.site.name());
        let (presence, rest): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.stanza.name() == "presence");
        let again = lost.into_iter().map(|join| (join, None));
        for (stanza, nick) in again.chain(presence.into_iter().map(|entry| (entry.stanza, entry.nick))) {
            self.outbox.push(stanza, nick);
        }
        self.give_back((rest, changes), cx);
    }

    /// The marks of a registration: what the primary has had.
    pub(super) fn reconcile(&mut self, name: &str, n: u64, cx: &mut Cx<'_>) {
        if self.outbox.name == name {
            // What followed a fresh request has been sent under its numbers already.
            if self.link.fresh {
                return self.outbox.acknowledge(n.min(self.outbox.last()));
            }
            let changes = self.outbox.reconcile(n, &self.room);
            cx.keep(changes);
        } else if let Some(outbox) = self.older.iter_mut().find(|outbox| outbox.name == name) {
            let changes = outbox.reconcile(n, &self.room);
            cx.keep(changes);
        }
    }

    /// Something relayed did not arrive.
    pub(super) fn resend(&mut self, name: &str, from: u64, cx: &mut Cx<'_>) {
        if self.outbox.name == name {
            self.send_where(|entry, _| entry.n >= from, cx);
        } else if let Some(outbox) = self.older.iter_mut().find(|outbox| outbox.name == name) {
            send(outbox, self.link.epoch.as_ref(), self.link.attempt, |entry| entry.n >= from, cx);
        }
    }

    /// The room serves the users of this site itself: what has had no outcome is theirs to say, under the marks by which it
    /// is known whether it had; and who has not been let in asks again.
    pub(super) fn say_once_more(&mut self, cx: &mut Cx<'_>) {
        let lost = self.joins.iter().filter(|(user, _)| !self.outbox.holds_join_of(user));
        let lost: Vec<Element> = lost.map(|(_, join)| join.stanza.clone()).collect();
        let attempt = self.link.attempt;
        for mut outbox in std::mem::take(&mut self.older) {
            send(&mut outbox, None, attempt, |_| true, cx);
            cx.keep(outbox.clear(&self.room));
        }
        send(&mut self.outbox, None, attempt, |_| true, cx);
        let changes = self.outbox.clear(&self.room);
        cx.keep(changes);
        for join in lost {
            if let Some(to) = join.get("to").and_then(|to| Jid::new(to).ok()) {
                cx.up(&to, join);
            }
        }
    }

    /// What can no longer be delivered goes back to its authors.
    pub(super) fn give_back(&mut self, (entries, changes): (Vec<Entry>, Vec<Change>), cx: &mut Cx<'_>) {
        cx.keep(changes);
        for entry in entries.iter().filter(|entry| entry.stanza.name() == "message" && entry.nick.is_some()) {
            if let Some(from) = author(&entry.stanza) {
                cx.pass(&from, StanzaError::from(Condition::RemoteServerTimeout).reply(&entry.stanza));
            }
        }
    }
}

/// Sends entries with their marks.
fn send(outbox: &mut Outbox, epoch: Option<&String>, attempt: u32, which: impl Fn(&Entry) -> bool, cx: &mut Cx<'_>) {
    for entry in outbox.entries.iter_mut().filter(|entry| which(entry)) {
        let Some(to) = entry.stanza.get("to").and_then(|to| Jid::new(to).ok()) else { continue };
        entry.attempt = attempt;
        let mark = UpMark { outbox: outbox.name.clone(), n: entry.n, epoch: epoch.cloned(), ..UpMark::default() };
        cx.up(&to, entry.stanza.clone().child(mark.x()));
    }
}

/// The unavailable presence of a session that can no longer send one itself.
pub(super) fn leave_of(user: &Jid, occupant: &Jid) -> Element {
    Element::stanza("presence").attr("from", user.as_str()).attr("to", occupant.as_str()).attr("type", "unavailable")
}

fn author(stanza: &Element) -> Option<Jid> {
    stanza.get("from").and_then(|from| Jid::new(from).ok())
}

/// Most stanzas of one room that wait for their outcome; more are refused with `resource-constraint`.
const OUTBOX_STANZAS_MAX: usize = 10_000;
/// The same in bytes.
const OUTBOX_BYTES_MAX: usize = 16 * 1024 * 1024;
