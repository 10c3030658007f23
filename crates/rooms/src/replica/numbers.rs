//! One outbox: what it holds, under which numbers, and what of it is on disk.
//!
//! Numbers are contiguous, and an entry keeps its own: the primary knows by it what it has had, and on an island local
//! sessions know the id that follows from it. Where one is missing, something stands for it that changes nothing.

use super::keep;
use crate::names::Nick;
use crate::room::{is_join, is_subject};
use crate::wire;
use machine::{Change, Token};
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid, ns};

/// One outbox: contiguous numbers, the oldest first.
#[derive(Debug)]
pub(super) struct Outbox {
    pub name: String,
    pub entries: VecDeque<Entry>,
    pub next: u64,
    /// Entries accepted so far; orders their records.
    pub accepted: u64,
    pub bytes: usize,
    /// Whether the primary has been told of it.
    pub offered: bool,
    /// Records of what has had its outcome; removed together with the next write.
    pub done: Vec<String>,
    /// Those that a write under way removes.
    pub sweeping: BTreeMap<Token, Vec<String>>,
    /// Makes the ids of its messages, where a registration has said it.
    pub key: Option<[u8; 32]>,
}

/// When something was accepted, and on what. What was so while the primary was not reached has a number that is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Provisionally {
    /// When, Unix milliseconds.
    pub said_ms: i64,
    /// The last event of the room that was known here.
    pub base: u64,
}

/// The joins of one user that have had no outcome.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Joins {
    /// How many: a room answers each with an ENTER.
    pub all: usize,
    /// How many of those, the first ones, he has left again behind.
    pub over: usize,
    /// The number of the last.
    pub last: u64,
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
    /// The same of a message that was relayed. An island shows it, should it come to be one: of what a later start finds of it nobody
    /// knows whether it has, for its disk may be an older one.
    pub relayed: Option<Provisionally>,
    /// Its place among all accepted, by which its record has its key.
    pub place: u64,
    /// In which registration it was last sent; 0 for none.
    pub attempt: u32,
    /// The write it waits for.
    pub waits: Option<Token>,
    pub bytes: usize,
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

    /// The last message was accepted so, and goes up at once.
    pub fn last_is_relayed(&mut self, relayed: Provisionally) {
        let is_shown = |entry: &&mut Entry| entry.stanza.name() == "message" && !is_subject(&entry.stanza);
        if let Some(entry) = self.entries.back_mut().filter(is_shown) {
            entry.relayed = Some(relayed);
        }
    }

    /// What a restart would find of it.
    pub fn as_found_on_disk(self) -> Outbox {
        let mut found = Outbox::new(self.name);
        (found.offered, found.accepted) = (self.offered, self.accepted);
        self.entries.into_iter().filter(|entry| entry.key.is_some()).for_each(|entry| {
            let (provisionally, kicked) = (entry.accepted(), entry.kicked.clone());
            found.load(Entry { attempt: 0, waits: None, ..entry });
            if let Some(last) = found.entries.back_mut() {
                (last.provisionally, last.kicked) = (provisionally, kicked);
            }
        });
        found.done.extend(self.done);
        found
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
    /// first, whether an island before has settled it, and the records.
    pub fn settle_numbers(&mut self, provisionally: Provisionally, room: &Jid) -> Vec<(Entry, bool, Change)> {
        let name = &self.name;
        let settle = |entry: &mut Entry| {
            let before = entry.provisionally.is_some();
            entry.provisionally.get_or_insert(provisionally);
            entry.key.get_or_insert_with(|| keep::outbox_key(name, entry.place));
            Some((entry.clone(), before, keep::outbox_put(room, entry)?))
        };
        self.entries.iter_mut().filter_map(settle).collect()
    }

    /// A presence takes the place of the last one of the same session, where that was accepted on this island, is no join or leave, and
    /// the primary cannot have had it: what others see in the end is the same. Gives the number and the record.
    pub fn supersede(&mut self, stanza: &Element, room: &Jid) -> Option<(u64, Option<Change>)> {
        let of_session =
            |entry: &&mut Entry| entry.stanza.name() == "presence" && entry.stanza.get("from") == stanza.get("from");
        let entry = self.entries.iter_mut().rev().find(of_session)?;
        let is_update = entry.stanza.get("type").is_none() && !entry.stanza.has_child("x", ns::MUC);
        if !is_update || entry.was_sent() || entry.provisionally.is_none() {
            return None;
        }
        let bytes = stanza.to_xml().len();
        self.bytes = self.bytes - entry.bytes + bytes;
        (entry.stanza, entry.bytes) = (stanza.clone(), bytes);
        Some((entry.n, keep::outbox_put(room, entry)))
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

    pub fn last_is_kick(&mut self, kicked: Option<(Nick, Option<String>)>) {
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

    /// How many of them there are: a room answers each with an ENTER.
    pub fn joins_of(&self, user: &Jid) -> usize {
        self.entries
            .iter()
            .filter(|entry| is_join(&entry.stanza) && author(&entry.stanza).as_ref() == Some(user))
            .count()
    }

    /// Who asks in it to enter.
    pub fn joins(&self) -> BTreeMap<Jid, Joins> {
        let mut joins: BTreeMap<Jid, Joins> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.stanza.name() == "presence") {
            let Some(user) = author(&entry.stanza) else { continue };
            if is_join(&entry.stanza) {
                let of_user = joins.entry(user).or_default();
                (of_user.all, of_user.last) = (of_user.all + 1, entry.n);
            } else if entry.stanza.get("type") == Some("unavailable")
                && let Some(of_user) = joins.get_mut(&user)
            {
                of_user.over = of_user.all;
            }
        }
        joins
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
    pub fn acknowledge(&mut self, n: u64) {
        while self.entries.front().is_some_and(|entry| entry.n <= n) {
            let entry = self.entries.pop_front();
            self.bytes -= entry.as_ref().map_or(0, |entry| entry.bytes);
            self.done.extend(entry.and_then(|entry| entry.key));
        }
    }

    /// The primary has had everything up to `n`, and nothing behind it: what is left is sent from there on. The records of
    /// what it has had stay until the events that tell of it are written.
    pub fn reconcile(&mut self, n: u64) {
        let had = n.max(self.acked());
        self.acknowledge(had);
        self.fill_from(had + 1);
    }

    /// Takes out what could not be written and was never sent. Those behind it keep their numbers.
    pub fn withdraw(&mut self, n: u64) {
        let first = self.acked() + 1;
        if let Some(entry) = self.entries.iter().position(|entry| entry.n == n).and_then(|at| self.entries.remove(at)) {
            self.bytes -= entry.bytes;
        }
        self.fill_from(first);
    }

    /// Where a number from `first` on is missing, something stands for it that changes nothing. None is given to another
    /// entry: one that was sent under a number that is not on disk would after a crash be sent under the one that is, and
    /// said twice.
    fn fill_from(&mut self, first: u64) {
        let mut next = first;
        for entry in std::mem::take(&mut self.entries) {
            while next < entry.n {
                let nothing = nothing(&entry.stanza).map(|stanza| Entry::new(next, stanza, None, None));
                self.bytes += nothing.as_ref().map_or(0, |nothing| nothing.bytes);
                self.entries.extend(nothing);
                next += 1;
            }
            next = entry.n + 1;
            self.entries.push_back(entry);
        }
        self.next = next;
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

    pub fn is_full(&self) -> bool {
        self.entries.len() >= OUTBOX_STANZAS_MAX || self.bytes >= OUTBOX_BYTES_MAX
    }
}

impl Entry {
    /// When and on what it was accepted, where it was or may come to be shown here ahead of the room.
    pub fn accepted(&self) -> Option<Provisionally> {
        self.provisionally.or(self.relayed)
    }

    /// Whether the primary may have had it.
    pub fn was_sent(&self) -> bool {
        self.attempt > 0
    }

    /// Whether by it somebody comes or goes.
    pub fn is_coming_or_going(&self) -> bool {
        is_join(&self.stanza) || (self.stanza.name() == "presence" && self.stanza.get("type") == Some("unavailable"))
    }

    /// One that has not been sent and waits for nothing.
    pub fn new(n: u64, stanza: Element, nick: Option<Nick>, key: Option<String>) -> Entry {
        let bytes = stanza.to_xml().len();
        Entry {
            n,
            stanza,
            nick,
            key,
            kicked: None,
            provisionally: None,
            relayed: None,
            place: 0,
            attempt: 0,
            waits: None,
            bytes,
        }
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
