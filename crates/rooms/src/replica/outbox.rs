//! What was relayed and has not had its outcome, XEP-0282 4.8 with `docs/wire.md`: numbered in accepted order.
//!
//! While the link is live a stanza is relayed before it is written; while it is not, it is written first. Messages are
//! written, presence is not: after a restart nobody it speaks of is here any more. What is accepted on an island is written
//! whatever it is, and keeps its number, since local sessions have seen the id that follows from it.

use super::keep;
use super::life::Life;
use super::mirror::Mirror;
use super::site::Cx;
use crate::names::Nick;
use crate::wire::{self, UpMark};
use machine::{Change, Token};
use std::collections::{BTreeMap, VecDeque};
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
    /// Those that a write under way removes.
    sweeping: BTreeMap<Token, Vec<String>>,
    /// Makes the ids of its messages, where a registration has said it.
    pub key: Option<[u8; 32]>,
}

/// How something was accepted while the primary was not reached; its number is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Provisionally {
    /// When, Unix milliseconds.
    pub said_ms: i64,
    /// The last event of the room that was known here.
    pub base: u64,
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
    /// A leave on an island that was a kick: who did it, and why.
    pub kicked: Option<(Nick, Option<String>)>,
    /// Where it was accepted on an island.
    pub provisionally: Option<Provisionally>,
    /// Its place among all accepted, by which its record has its key.
    place: u64,
    /// In which registration it was last sent; 0 for none.
    attempt: u32,
    /// The write it waits for.
    waits: Option<Token>,
    bytes: usize,
}

impl Outbox {
    /// An empty one.
    pub fn new(name: String) -> Outbox {
        Outbox {
            name,
            entries: VecDeque::new(),
            next: 1,
            accepted: 0,
            bytes: 0,
            offered: false,
            done: Vec::new(),
            sweeping: BTreeMap::new(),
            key: None,
        }
    }

    /// Appends; what is a message or accepted on an island is to be written.
    pub fn push(&mut self, stanza: Element, nick: Option<Nick>, provisionally: Option<Provisionally>) {
        let written = stanza.name() == "message" || provisionally.is_some();
        self.accepted += 1;
        let key = written.then(|| keep::outbox_key(&self.name, self.accepted));
        self.put(stanza, nick, key, provisionally);
    }

    /// Appends what is on disk already; between two messages there may have been presence, which is not.
    pub fn load(&mut self, loaded: Entry) {
        // A number is given again only when what had it before failed, and its author was told so.
        while let Some(failed) = self.entries.pop_back_if(|entry| entry.n >= loaded.n) {
            self.bytes -= failed.bytes;
            self.done.extend(failed.key);
        }
        self.next = loaded.n;
        self.put(loaded.stanza, loaded.nick, loaded.key, loaded.provisionally);
    }

    fn put(&mut self, stanza: Element, nick: Option<Nick>, key: Option<String>, provisionally: Option<Provisionally>) {
        let place = self.accepted;
        let entry = Entry { provisionally, place, ..Entry::new(self.next, stanza, nick, key) };
        self.next += 1;
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
    }

    /// An island begins: what has had no outcome keeps its number from now on, and is written. Gives what it is, oldest
    /// first, and the records.
    pub fn settle_numbers(&mut self, provisionally: Provisionally, room: &Jid) -> Vec<(Entry, Change)> {
        let name = &self.name;
        let settle = |entry: &mut Entry| {
            entry.provisionally.get_or_insert(provisionally);
            entry.key.get_or_insert_with(|| keep::outbox_key(name, entry.place));
            Some((entry.clone(), keep::outbox_put(room, entry)?))
        };
        self.entries.iter_mut().filter_map(settle).collect()
    }

    /// Puts something that changes nothing in the place of an entry whose number is final; gives the record.
    pub fn void(&mut self, n: u64, room: &Jid) -> Option<Change> {
        let entry = self.entries.iter_mut().find(|entry| entry.n == n)?;
        entry.stanza = nothing(&entry.stanza)?;
        entry.nick = None;
        keep::outbox_put(room, entry)
    }

    /// The write of an entry that local sessions see when it is done.
    pub fn wait_for(&mut self, n: u64, token: Token) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.n == n) {
            entry.waits = Some(token);
        }
    }

    /// Presence of those who were given another nick meanwhile is sent to that: it asks for no change.
    pub fn readdress(&mut self, room: &Jid, seats: &[wire::Seat]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.stanza.name() == "presence" && entry.nick.is_some()) {
            let seat = seats.iter().find(|seat| author(&entry.stanza).as_ref() == Some(&seat.jid));
            if let Some(seat) = seat.filter(|seat| entry.nick.as_ref() != Some(&seat.nick)) {
                entry.stanza.set("to", seat.nick.in_room(room).as_str());
                entry.nick = Some(seat.nick.clone());
            }
        }
    }

    fn last_is_kick(&mut self, kicked: Option<(Nick, Option<String>)>) {
        if let Some(entry) = self.entries.back_mut() {
            entry.kicked = kicked;
        }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
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

    /// Whether a user's leave has not had its outcome.
    pub fn holds_leave_of(&self, user: &Jid) -> bool {
        let leaves = |entry: &Entry| entry.stanza.get("type") == Some("unavailable");
        self.entries.iter().any(|entry| leaves(entry) && author(&entry.stanza).as_ref() == Some(user))
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
    /// what brings the records in line; those of what it has had stay until the events that tell of it are written.
    fn reconcile(&mut self, n: u64, room: &Jid) -> Vec<Change> {
        let had = n.max(self.acked());
        self.acknowledge(had);
        self.number_on(had + 1, room)
    }

    /// Numbers the entries from `first` on; gives the records that change by it. Up to the last whose number is final none
    /// changes, and where one is missing there something stands for it that changes nothing.
    fn number_on(&mut self, first: u64, room: &Jid) -> Vec<Change> {
        let fixed = self.entries.iter().rposition(|entry| entry.provisionally.is_some()).map_or(0, |at| at + 1);
        let (mut changes, mut next) = (Vec::new(), first);
        for (at, mut entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            while at < fixed && next < entry.n {
                self.entries.extend(nothing(&entry.stanza).map(|stanza| Entry::new(next, stanza, None, None)));
                next += 1;
            }
            if std::mem::replace(&mut entry.n, next) != next {
                changes.extend(keep::outbox_put(room, &entry));
            }
            self.entries.push_back(entry);
            next += 1;
        }
        self.next = next;
        changes
    }

    /// The records that are no longer needed, to be removed now.
    pub fn sweep(&mut self, room: &Jid) -> Vec<Change> {
        std::mem::take(&mut self.done).into_iter().map(|key| keep::outbox_gone(room, key)).collect()
    }

    /// A write is on disk: what it removed is gone.
    pub fn swept(&mut self, token: Token) {
        self.sweeping.remove(&token);
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

impl Entry {
    /// Whether the primary may have had it.
    pub fn was_sent(&self) -> bool {
        self.attempt > 0
    }

    /// One that has not been sent and waits for nothing.
    pub fn new(n: u64, stanza: Element, nick: Option<Nick>, key: Option<String>) -> Entry {
        let bytes = stanza.to_xml().len();
        Entry { n, stanza, nick, key, kicked: None, provisionally: None, place: 0, attempt: 0, waits: None, bytes }
    }
}

impl Mirror {
    /// Accepts a user's stanza that changes the room; `false` where it could not be, which its author has been told.
    pub(super) fn submit(&mut self, stanza: Element, cx: &mut Cx<'_>) -> bool {
        self.submit_with(stanza, Vec::new(), cx).is_some()
    }

    /// Accepts the leave of somebody who was kicked here.
    pub(super) fn submit_kick(&mut self, leave: Element, by: Nick, reason: Option<String>, cx: &mut Cx<'_>) -> bool {
        self.accept(leave, Some((by, reason)), Vec::new(), cx).is_some()
    }

    /// The same together with other changes; gives its number, and the write that local sessions wait for on an island.
    pub(super) fn submit_with(
        &mut self,
        stanza: Element,
        with: Vec<Change>,
        cx: &mut Cx<'_>,
    ) -> Option<(u64, Option<Token>)> {
        self.accept(stanza, None, with, cx)
    }

    fn accept(
        &mut self,
        stanza: Element,
        kicked: Option<(Nick, Option<String>)>,
        with: Vec<Change>,
        cx: &mut Cx<'_>,
    ) -> Option<(u64, Option<Token>)> {
        let from = author(&stanza)?;
        if self.outbox.is_full() || self.hold.is_full() {
            let error = StanzaError::new(Condition::ResourceConstraint, "Too much waits for the room already.");
            cx.pass(&from, error.reply(&stanza));
            return None;
        }
        let nick = self.sessions.get(&from).map(|session| session.nick.clone());
        let provisionally = self.island.is_some().then(|| self.provisionally(cx.now));
        self.outbox.push(stanza, nick, provisionally);
        self.outbox.last_is_kick(kicked);
        if self.relays() {
            self.send_outstanding(cx);
        }
        Some((self.outbox.last(), self.write_last(with, cx)))
    }

    /// Whether what users say goes up at once.
    pub(super) fn relays(&self) -> bool {
        self.life.talks() || (self.life == Life::Registering && self.link.fresh)
    }

    /// Writes the last entry, if it is one that is written.
    fn write_last(&mut self, with: Vec<Change>, cx: &mut Cx<'_>) -> Option<Token> {
        let relayed = self.relays() && self.island.is_none();
        let entry = self.outbox.entries.back()?;
        let put = keep::outbox_put(&self.room, entry)?;
        let swept = if self.life == Life::Syncing { Vec::new() } else { std::mem::take(&mut self.outbox.done) };
        let mut changes: Vec<Change> = swept.iter().map(|key| keep::outbox_gone(&self.room, key.clone())).collect();
        changes.push(put);
        changes.extend(with);
        if relayed && swept.is_empty() {
            cx.keep(changes);
            return None;
        }
        let token = cx.keep_or_say(changes, &self.room);
        if !swept.is_empty() {
            self.outbox.sweeping.insert(token, swept);
        }
        if relayed {
            return None;
        }
        if let Some(entry) = self.outbox.entries.back_mut() {
            entry.waits = Some(token);
        }
        Some(token)
    }

    /// The records that are no longer needed. While a snapshot is coming those stay that say which rows are provisional.
    pub(super) fn swept(&mut self) -> Vec<Change> {
        if self.life == Life::Syncing { Vec::new() } else { self.outbox.sweep(&self.room) }
    }

    /// A write has failed: its author is told, unless it has been relayed by now.
    pub(super) fn not_kept(&mut self, token: Token, cx: &mut Cx<'_>) {
        self.never_shown(token);
        // What was to be removed with it is there still.
        self.outbox.done.extend(self.outbox.sweeping.remove(&token).into_iter().flatten());
        let Some(at) = self.outbox.entries.iter().position(|entry| entry.waits == Some(token)) else { return };
        // Presence is so whether or not it would outlive a restart.
        let fails = |entry: &&Entry| entry.attempt == 0 && entry.stanza.name() == "message";
        let Some(entry) = self.outbox.entries.get(at).filter(fails).cloned() else { return };
        if self.outbox.entries.iter().skip(at + 1).any(|behind| behind.provisionally.is_some()) {
            // Numbers behind it are final: it has none on disk, and changes nothing.
            self.outbox.void(entry.n, &self.room);
        } else {
            self.outbox.entries.remove(at);
            self.outbox.bytes -= entry.bytes;
            // None behind it has been sent, since numbers are sent in order.
            let first = self.outbox.entries.front().map_or(entry.n, |front| front.n.min(entry.n));
            let changes = self.outbox.number_on(first, &self.room);
            cx.keep(changes);
        }
        // An earlier write of the same may be there, and its author is told that it failed.
        self.outbox.done.extend(entry.key.clone());
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
        for outbox in &mut older {
            // Removed when the snapshot is whole, with those of the present one.
            self.outbox.done.append(&mut outbox.done);
        }
        older.retain(|outbox| !outbox.is_empty());
        for outbox in older.iter_mut().filter(|outbox| outbox.offered) {
            let mut authors: Vec<(Jid, Nick)> = outbox.authors().collect();
            authors.sort();
            authors.dedup();
            for (jid, nick) in authors {
                if !self.sessions.contains_key(&jid) && !self.joins.contains_key(&jid) {
                    outbox.push(leave_of(&jid, &nick.in_room(&self.room)), None, None);
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
            self.outbox.push(stanza, nick, None);
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
            self.forget_echoes();
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
        let mark = UpMark {
            outbox: outbox.name.clone(),
            n: entry.n,
            epoch: epoch.cloned(),
            said: entry.provisionally.map(|p| p.said_ms),
            base: entry.provisionally.map(|p| p.base),
            kicker: entry.kicked.as_ref().map(|(kicker, _)| kicker.clone()),
            reason: entry.kicked.as_ref().and_then(|(_, reason)| reason.clone()),
        };
        cx.up(&to, entry.stanza.clone().child(mark.x()));
    }
}

/// The unavailable presence of a session that can no longer send one itself.
pub(super) fn leave_of(user: &Jid, occupant: &Jid) -> Element {
    Element::stanza("presence").attr("from", user.as_str()).attr("to", occupant.as_str()).attr("type", "unavailable")
}

/// What stands in the place of a stanza whose number is final and that is not to be had: a leave of a session that never
/// was, which every room ignores (XEP-0045 16.3).
fn nothing(instead_of: &Element) -> Option<Element> {
    let (from, to) = (author(instead_of)?, Jid::new(instead_of.get("to")?).ok()?);
    let nobody = from.with_resource(NOBODY).ok()?;
    Some(leave_of(&nobody, &to.with_resource(NOBODY).ok()?))
}

pub(super) fn author(stanza: &Element) -> Option<Jid> {
    stanza.get("from").and_then(|from| Jid::new(from).ok())
}

/// The resource of a session that never was.
const NOBODY: &str = "urn:netjoin:dmuc:0#nobody";
/// Most stanzas of one room that wait for their outcome; more are refused with `resource-constraint`.
const OUTBOX_STANZAS_MAX: usize = 10_000;
/// The same in bytes.
const OUTBOX_BYTES_MAX: usize = 16 * 1024 * 1024;
