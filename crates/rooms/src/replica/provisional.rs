//! Messages that local sessions see before the primary has them, `docs/wire.md`, Netsplit and Netjoin.
//!
//! Each has the id the primary will give it, so that whoever saw it here is not sent it again when it comes back as an
//! event, and its row in the mirrored archive is replaced by the one with its place in the one order. Until then it
//! stands behind everything that has one.

use super::mirror::Mirror;
use super::numbers::{Entry, Outbox, Provisionally, author};
use super::refused::{orphans_aside, refused_row};
use super::relay::refused;
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::{Nick, Role};
use crate::room::{Past, RETRACT, as_broadcast, is_subject, worth_keeping};
use crate::wire::UpMark;
use crate::wire::ids::message_id;
use machine::{Born, Change, Output, Token};
use std::collections::BTreeMap;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// What has been shown here and has had no outcome, by id.
#[derive(Debug, Default)]
pub(super) struct Provisionals {
    by_id: BTreeMap<String, Provisional>,
    /// Writes under way: the id of what is shown when they are done.
    writes: BTreeMap<Token, String>,
    /// The last place in the archive that was given.
    last_seq: u64,
}

/// A message without an outcome.
#[derive(Debug)]
pub(super) struct Provisional {
    pub past: Past,
    /// The write it waits for.
    waits: Option<Token>,
    /// Only sessions that entered before this one have seen it; `None` for all who are here.
    seen_before: Option<u64>,
    /// Where and on what it was said.
    born: Born,
}

/// What of a message that has come was here already.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The sessions that have seen it.
    pub seen_by: Vec<Jid>,
    /// Where and on what it was said, when it was provisional or lost here.
    pub was: Option<Born>,
}

impl Provisionals {
    /// The write that a message waits for, while it does.
    pub fn write_of(&self, id: &str) -> Option<Token> {
        self.by_id.get(id)?.waits
    }

    /// Those who enter from now on have not seen what is provisional.
    pub fn seen_by_all_before(&mut self, entry: u64) {
        for said in self.by_id.values_mut() {
            said.seen_before.get_or_insert(entry);
        }
    }

    /// What came of it is not to be heard here.
    pub fn forget(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// The next place in the archive: behind everything that has one in the one order.
    pub fn next_seq(&mut self, now_ms: i64) -> u64 {
        let begun = ISLAND_SEQ + u64::try_from(now_ms).unwrap_or_default().saturating_mul(ROWS_PER_MS);
        self.last_seq = begun.max(self.last_seq + 1);
        self.last_seq
    }
}

impl Mirror {
    /// A message to all on an island, XEP-0045 7.4: accepted when it is on disk, and shown then.
    pub(super) fn say_here(&mut self, stanza: Element, from: &Jid, cx: &mut Cx<'_>) {
        let Some(session) = self.sessions.get(from) else { return self.refuse_here(&stanza, cx) };
        if is_subject(&stanza) || !cx.site.config.split.local_chat {
            return self.refuse_here(&stanza, cx);
        }
        let nick = session.nick.clone();
        if !self.may_speak(&nick) {
            return cx.pass(from, refused(&stanza, Condition::Forbidden));
        }
        if !worth_keeping(&stanza) {
            // Gone when it has been seen: nothing of it is left to be submitted.
            return if let Some(said) = self.compose(&stanza, &nick, None) {
                self.broadcast(&said, Vec::new(), cx);
            };
        }
        let id = self.outbox.key.map(|key| message_id(&key, self.outbox.last() + 1));
        let said = id.and_then(|id| Some((self.compose(&stanza, &nick, Some(&id))?, id)));
        let Some((said, id)) = said else { return self.refuse_here(&stanza, cx) };
        let past = self.provisional_past(said, id, cx.now.unix_ms);
        let row = self.provisional_row(&past);
        let born = born_of(from, self.provisionally(cx.now));
        if let Some((_, Some(token))) = self.submit_with(stanza, row, cx) {
            self.show_when_kept(past, born, token, cx);
        }
    }

    /// Something that had been relayed, or waited to be, when the island began.
    pub(super) fn show_relayed(&mut self, entry: &Entry, put: Change, cx: &mut Cx<'_>) {
        let id = self.outbox.key.map(|key| message_id(&key, entry.n));
        let nick = entry.nick.as_ref().filter(|nick| self.may_speak(nick));
        let shows = cx.site.config.split.local_chat && worth_keeping(&entry.stanza) && !is_subject(&entry.stanza);
        let said = nick
            .filter(|_| shows)
            .zip(id)
            .and_then(|(nick, id)| Some((self.compose(&entry.stanza, nick, Some(&id))?, id)));
        let Some((said, id)) = said.filter(|(_, id)| !self.provisional.by_id.contains_key(id)) else {
            return cx.keep(vec![put]);
        };
        let Some(born) = born_on(entry) else { return cx.keep(vec![put]) };
        let past = self.provisional_past(said, id, cx.now.unix_ms);
        let mut changes = vec![put];
        changes.extend(self.provisional_row(&past));
        let token = cx.keep_or_say(changes, &self.room);
        self.outbox.wait_for(entry.n, token);
        self.show_when_kept(past, born, token, cx);
    }

    /// What those who come to an island are told of it, oldest first; once it is joined they get it from the primary.
    pub(super) fn shown_here(&self) -> Vec<&Past> {
        let said = self.provisional.by_id.values().filter(|said| said.seen_before.is_none());
        let mut said: Vec<&Past> = said.map(|said| &said.past).collect();
        said.sort_by_key(|past| past.seq);
        said
    }

    /// What an earlier island showed and has had no outcome: those who have come since see it now.
    pub(super) fn show_again_what_was_shown(&mut self, cx: &mut Cx<'_>) {
        let mut again: Vec<(u64, Shared, u64)> = Vec::new();
        // What an earlier start of this site showed is for the primary to tell.
        for said in self.provisional.by_id.values_mut().filter(|said| said.seen_before != Some(0)) {
            again.extend(said.seen_before.take().map(|seen| (said.past.seq, said.past.delayed(&self.room), seen)));
        }
        again.sort_by_key(|(seq, ..)| *seq);
        for (_, stanza, seen_before) in again {
            let except = self.entered_before(seen_before);
            if except.len() < self.sessions.len() {
                let (plain, jids) = (Some(stanza.clone()), Some(stanza));
                cx.out.push(Output::Broadcast { audience: self.audience, plain, jids, except });
            }
        }
    }

    /// A message has come from the primary: what of it was here already, be it that the primary has told it before: it has lost it with
    /// its disk, and has had it once more from the author's site, which it had not acknowledged it to.
    pub(super) fn comes(&mut self, id: &str, cx: &mut Cx<'_>) -> Shown {
        self.awaited.has_come(id);
        if self.provisional.by_id.contains_key(id) {
            return self.has_come(id);
        }
        let Some(before) = self.past.had_before(id, self.entries) else { return Shown::default() };
        cx.keep(vec![self.row_gone(id)]);
        let was = Some(Born { base: self.past.former(), site: String::new() });
        let seen_by = if flaw!(ToldTwice) { Vec::new() } else { self.entered_before(before) };
        Shown { seen_by, was }
    }

    /// It has come, or never will: what of it was here already, which is over now.
    pub(super) fn has_come(&mut self, id: &str) -> Shown {
        let Some(said) = self.provisional.by_id.remove(id) else { return Shown::default() };
        let seen_by = match said.waits {
            // Nobody has seen it; what waits for the disk is not needed any more.
            Some(token) => {
                self.provisional.writes.remove(&token);
                self.hold.forget(token);
                Vec::new()
            }
            None if flaw!(ShownAgain) => Vec::new(),
            None => self.entered_before(said.seen_before.unwrap_or(self.entries)),
        };
        Shown { seen_by, was: Some(said.born) }
    }

    /// The primary has refused a message that was shown here: those who saw it are told that it was none (XEP-0425), and
    /// its row goes to where an operator finds what was refused.
    pub(super) fn refuse_provisional(&mut self, mark: &UpMark, error: &Element, cx: &mut Cx<'_>) {
        let outboxes = std::iter::once(&self.outbox).chain(&self.older);
        let key = outboxes.into_iter().find(|outbox| outbox.name == mark.outbox).and_then(|outbox| outbox.key);
        let Some(id) = key.map(|key| message_id(&key, mark.n)) else { return };
        self.take_back(&id, error.get_child("error", ns::CLIENT).cloned(), cx);
    }

    /// Where nothing waits for an outcome any more, what still has a provisional place in the mirror is what no outcome was heard
    /// of, because of a gap or a crash: it is put aside.
    pub(super) fn put_orphans_aside(&self, cx: &mut Cx<'_>) {
        let waits = std::iter::once(&self.outbox).chain(&self.older).flat_map(Outbox::entries);
        if self.provisional.by_id.is_empty() && !waits.into_iter().any(|entry| entry.provisionally.is_some()) {
            cx.keep(vec![orphans_aside(&self.room)]);
        }
    }

    /// What was shown here is not to be said: those who saw it are told so, and its row is put aside with the reason.
    pub(super) fn take_back(&mut self, id: &str, why: Option<Element>, cx: &mut Cx<'_>) {
        let said = self.provisional.by_id.get(id).filter(|said| said.waits.is_none() && self.config.logging);
        let refused = said.map(|said| refused_row(&self.room, &said.past, why));
        // One that is not on disk yet was never shown; its row, should it come to be written, goes as well.
        let Shown { seen_by, was } = self.has_come(id);
        let row = was.map(|_| self.row_gone(id));
        for to in seen_by.into_iter().filter(|_| !flaw!(RefusedStays)) {
            cx.pass(&to, self.retraction(id));
        }
        cx.keep(row.into_iter().chain(refused).collect());
    }

    /// The link has ended for good: nothing that has no outcome will have one.
    pub(super) fn give_up_provisional(&mut self, why: Condition, cx: &mut Cx<'_>) {
        let error = StanzaError::from(why).element(None);
        let ids: Vec<String> = self.provisional.by_id.keys().cloned().collect();
        for id in ids {
            self.take_back(&id, Some(error.clone()), cx);
        }
    }

    /// What takes a message back in the room's name, XEP-0425.
    fn retraction(&self, id: &str) -> Element {
        let moderated = Element::new("moderated", ns::MODERATE).attr("by", self.room.as_str());
        let reason = Element::new("reason", RETRACT).text(REFUSED);
        let retract = Element::new("retract", RETRACT).attr("id", id).child(moderated).child(reason);
        Element::stanza("message").attr("from", self.room.as_str()).attr("type", "groupchat").child(retract)
    }

    /// A write is on disk: what waited for it is shown.
    pub(super) fn kept(&mut self, token: Token) {
        self.wiped(token, true);
        self.unburied.kept(token);
        self.hold.kept(token);
        self.outbox.swept(token);
        if let Some(id) = self.provisional.writes.remove(&token)
            && let Some(said) = self.provisional.by_id.get_mut(&id)
        {
            said.waits = None;
        }
    }

    /// A write has failed: nobody sees what waited for it.
    pub(super) fn never_shown(&mut self, token: Token) {
        self.hold.forget(token);
        if let Some(id) = self.provisional.writes.remove(&token) {
            self.provisional.by_id.remove(&id);
        }
    }

    /// A registration says the key of an outbox. What earlier starts of this site left in theirs was shown then, to nobody who is here
    /// now.
    pub(super) fn learn_key(&mut self, name: &str, key: [u8; 32]) {
        if self.outbox.name == name {
            if self.outbox.key.replace(key).is_none() {
                self.await_all(&key);
            }
            return;
        }
        let room = &self.room;
        let Some(outbox) = self.older.iter_mut().find(|outbox| outbox.name == name) else { return };
        outbox.key = Some(key);
        for entry in outbox.entries().filter(|entry| worth_keeping(&entry.stanza)) {
            let (Some(provisionally), Some(nick), Some(born)) = (entry.provisionally, &entry.nick, born_on(entry))
            else {
                continue;
            };
            let id = message_id(&key, entry.n);
            self.awaited.await_outcome(name, entry, id.clone(), true);
            let stanza = Shared::new(as_broadcast(&entry.stanza, room, nick, None, Some(&id)));
            let (seq, stamp_ms) = (ISLAND_SEQ + entry.n, provisionally.said_ms);
            let past = Past { seq, id: id.clone(), stamp_ms, stanza };
            self.provisional.by_id.insert(id, Provisional { past, waits: None, seen_before: Some(0), born });
        }
    }

    fn show_when_kept(&mut self, past: Past, born: Born, token: Token, cx: &mut Cx<'_>) {
        let (plain, jids) = (Some(past.stanza.clone()), Some(past.stanza.clone()));
        let shown = Output::Broadcast { audience: self.audience, plain, jids, except: Vec::new() };
        if flaw!(ShownBeforeKept) {
            cx.out.push(shown);
        } else {
            cx.when_kept(token, shown);
        }
        self.provisional.writes.insert(token, past.id.clone());
        let said = Provisional { waits: Some(token), seen_before: None, born, past };
        self.provisional.by_id.insert(said.past.id.clone(), said);
    }

    /// Whether an occupant may speak as far as it was mirrored; here a role is never more.
    pub(super) fn may_speak(&self, nick: &Nick) -> bool {
        self.as_known(nick).is_some_and(|seat| seat.role >= Role::Participant)
    }

    /// A message as the primary would broadcast it.
    fn compose(&self, stanza: &Element, nick: &Nick, id: Option<&str>) -> Option<Element> {
        let seat = self.as_known(nick)?;
        Some(as_broadcast(stanza, &self.room, nick, seat.occupant_id.as_deref(), id))
    }

    fn provisional_past(&mut self, said: Element, id: String, now_ms: i64) -> Past {
        let seq = self.provisional.next_seq(now_ms);
        Past { seq, id, stamp_ms: now_ms, stanza: Shared::new(said) }
    }

    fn provisional_row(&self, past: &Past) -> Vec<Change> {
        if self.config.logging { vec![Change::Append(self.row(past, None))] } else { Vec::new() }
    }

    fn entered_before(&self, entry: u64) -> Vec<Jid> {
        self.sessions.iter().filter(|(_, session)| session.entry < entry).map(|(jid, _)| jid.clone()).collect()
    }
}

/// Where and on what something relayed was said, when that was an island.
fn born_on(entry: &Entry) -> Option<Born> {
    Some(born_of(&author(&entry.stanza)?, entry.provisionally?))
}

fn born_of(author: &Jid, said: Provisionally) -> Born {
    Born { base: said.base, site: author.domain().to_owned() }
}

/// What those are told who saw a message that was refused.
const REFUSED: &str = "The room did not take this message when it was reached again.";
/// Where the places of provisional rows begin: no room comes to have so many events.
pub(super) const ISLAND_SEQ: u64 = 1 << 60;
/// Places for each millisecond, so that those of one island are behind those of the one before, also after a restart.
const ROWS_PER_MS: u64 = 1_000;
