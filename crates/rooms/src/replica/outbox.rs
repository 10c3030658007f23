//! What was relayed and has not had its outcome, XEP-0282 4.8 with `docs/wire.md`: numbered in accepted order.
//!
//! While the link is live a stanza is relayed before it is written; while it is not, it is written first. Messages are
//! written, presence is not: after a restart nobody it speaks of is here any more. What is accepted on an island is written
//! whatever it is, and keeps its number, since local sessions have seen the id that follows from it.

use super::keep;
use super::life::Life;
use super::mirror::{Join, Mirror};
use super::numbers::{Entry, Joins, Outbox, Provisionally, author, leave_of};
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::is_join;
use crate::wire::UpMark;
use machine::{Change, Token};
use std::collections::BTreeMap;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

impl Mirror {
    /// Accepts a user's stanza that changes the room; `false` where it could not be, which its author has been told.
    pub(super) fn submit(&mut self, stanza: Element, cx: &mut Cx<'_>) -> bool {
        self.submit_with(stanza, Vec::new(), cx).is_some()
    }

    /// Accepts the leave of somebody who was kicked here.
    pub(super) fn submit_kick(&mut self, leave: Element, by: Nick, reason: Option<String>, cx: &mut Cx<'_>) -> bool {
        let here = self.accepted_here(cx);
        self.accept(leave, Some((by, reason)), here, Vec::new(), cx).is_some()
    }

    /// Accepts once more what an island had accepted so, and the primary has had.
    pub(super) fn submit_again(&mut self, stanza: Element, provisionally: Provisionally, cx: &mut Cx<'_>) {
        self.accept(stanza, None, Some(provisionally), Vec::new(), cx);
    }

    /// The same together with other changes; gives its number, and the write that local sessions wait for on an island.
    pub(super) fn submit_with(
        &mut self,
        stanza: Element,
        with: Vec<Change>,
        cx: &mut Cx<'_>,
    ) -> Option<(u64, Option<Token>)> {
        let here = self.accepted_here(cx);
        self.accept(stanza, None, here, with, cx)
    }

    /// How what is accepted now is marked, on an island.
    fn accepted_here(&self, cx: &Cx<'_>) -> Option<Provisionally> {
        self.island.is_some().then(|| self.provisionally(cx.now))
    }

    fn accept(
        &mut self,
        stanza: Element,
        kicked: Option<(Nick, Option<String>)>,
        provisionally: Option<Provisionally>,
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
        self.outbox.push(stanza, nick, provisionally);
        if provisionally.is_none() && !flaw!(BaseForgotten) {
            self.outbox.last_is_relayed(self.provisionally(cx.now));
        }
        self.outbox.last_is_kick(kicked);
        self.await_last();
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
        changes.extend(Some(put).filter(|_| !flaw!(OutboxNotKept)));
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
        self.wiped(token, false);
        self.unburied.not_kept(token);
        self.tear(cx);
        self.never_shown(token);
        // What was to be removed with it is there still.
        self.outbox.done.extend(self.outbox.sweeping.remove(&token).into_iter().flatten());
        // Presence is so whether or not it would outlive a restart.
        let fails = |entry: &&Entry| entry.attempt == 0 && entry.stanza.name() == "message";
        let waiting = self.outbox.entries.iter().find(|entry| entry.waits == Some(token));
        let Some(entry) = waiting.filter(fails).cloned() else { return };
        self.outbox.withdraw(entry.n);
        self.awaited.is_over(&self.outbox.name, entry.n);
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

    /// Whether this is about a join in an outbox that is no more, and its user waits for the outcome of one in the present outbox.
    pub(super) fn is_asked_anew(&self, user: &Jid, mark: &UpMark) -> bool {
        let names = self.older.iter().chain([&self.outbox]).map(|outbox| &outbox.name);
        names.into_iter().all(|name| *name != mark.outbox) && self.outbox.joins().contains_key(user)
    }

    /// An error is the outcome of what it is about, and goes past whatever is told in order: what stands before that may have its own
    /// to come. Then nothing stands in its place until all of it has.
    pub(super) fn had_outcome(&mut self, mark: &UpMark, cx: &mut Cx<'_>) {
        self.awaited.is_over(&mark.outbox, mark.n);
        let mut outboxes = self.older.iter_mut().chain(std::iter::once(&mut self.outbox));
        let Some(outbox) = outboxes.find(|outbox| outbox.name == mark.outbox) else { return };
        let waits = outbox.acked() + 1 < mark.n;
        // On disk too: the room may lose with its power that it has had it, and another start of this site would offer it again.
        let void = outbox.void(mark.n, &self.room);
        cx.keep(void.into_iter().collect());
        if !waits {
            self.acknowledged(&mark.outbox, mark.n, cx);
        }
    }

    /// The primary has said how far the outcome of an outbox is durable.
    pub(super) fn acknowledged(&mut self, name: &str, n: u64, cx: &mut Cx<'_>) {
        if self.outbox.name == name {
            // What was never sent cannot have had an outcome.
            let n = n + u64::from(flaw!(AcknowledgedTooFar));
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
    /// was lost with it, so joins and leaves go out under a new name, where none counts as had, and by which the room knows which
    /// request they come with. Whoever said anything else is not here any more.
    pub(super) fn renew_outbox(&mut self, cx: &mut Cx<'_>) {
        if !self.outbox.offered {
            return self.count_joins();
        }
        let lost = self.lost_joins(cx);
        let (entries, changes) = self.outbox.drain(&self.room);
        self.outbox = Outbox::new(cx.site.name());
        self.echoes.clear();
        self.awaited.clear();
        let (presence, rest): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.stanza.name() == "presence");
        let again = lost.into_iter().map(|join| (join, None));
        for (stanza, nick) in again.chain(standing(presence).into_iter().map(|entry| (entry.stanza, entry.nick))) {
            self.outbox.push(stanza, nick, None);
        }
        self.give_back((rest, changes), Condition::RemoteServerTimeout, cx);
        self.count_joins();
    }

    /// How many ENTERs are to come, when nothing is under way and all that is to be sent is in the outboxes: for who waits for one, for
    /// who is in here and is let in, perhaps once more, by the last of them, and for who has left again behind them all.
    pub(super) fn count_joins(&mut self) {
        let mut to_come: BTreeMap<Jid, Joins> = BTreeMap::new();
        for (user, joins) in self.older.iter().filter(|outbox| outbox.offered).flat_map(Outbox::joins) {
            // With the restart behind them they are over.
            let all = to_come.entry(user).or_default();
            (all.all, all.over) = (all.all + joins.all, all.all + joins.all);
        }
        for (user, joins) in self.outbox.joins() {
            let all = to_come.entry(user).or_default();
            let over = if joins.over > 0 { all.all + joins.over } else { all.over };
            *all = Joins { all: all.all + joins.all, over, last: joins.last };
        }
        for (user, join) in &mut self.joins {
            let joins = to_come.remove(user).unwrap_or_default();
            (join.unanswered, join.over) = (joins.all, joins.over);
        }
        let here: Vec<Jid> = self.sessions.iter().filter(|(_, s)| !s.leaving).map(|(jid, _)| jid.clone()).collect();
        for jid in here {
            self.await_enters(&jid, to_come.remove(&jid).unwrap_or_default());
        }
        self.link.overtaken = to_come.into_iter().map(|(user, joins)| (user, joins.all)).collect();
    }

    /// The marks of a registration: what the primary has had.
    pub(super) fn reconcile(&mut self, name: &str, n: u64) {
        // What followed a fresh request has been sent under its numbers already, and is told behind the snapshot.
        if self.outbox.name == name && self.link.fresh {
            return self.outbox.acknowledge(n.min(self.outbox.last()));
        }
        // Said with the answer, and so of what was before: the snapshot has it.
        self.awaited.note_had(name, n);
        if self.outbox.name == name {
            self.outbox.reconcile(n);
        } else if let Some(outbox) = self.older.iter_mut().find(|outbox| outbox.name == name) {
            outbox.reconcile(n);
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

    /// Joins that the primary has had, and whose ENTER has not come. Who has left behind all of his has nothing to ask for.
    pub(super) fn lost_joins(&mut self, cx: &mut Cx<'_>) -> Vec<Element> {
        let held = self.outbox.joins();
        let lost: Vec<Jid> = self.joins.keys().filter(|user| !held.contains_key(user)).cloned().collect();
        for user in &lost {
            if self.joins.get(user).is_some_and(Join::is_over) {
                self.forget_join(user, cx);
            }
        }
        lost.iter().filter_map(|user| Some(self.joins.get(user)?.stanza.clone())).collect()
    }

    /// The room serves the users of this site itself: what has had no outcome is theirs to say, under the marks by which it
    /// is known whether it had. Whoever has asked to enter asks the room without one: it may have let him in already, which he has not
    /// heard of, and then it tells him everything again (XEP-0045 7.2.1).
    pub(super) fn say_once_more(&mut self, cx: &mut Cx<'_>) {
        let attempt = self.link.attempt;
        for mut outbox in std::mem::take(&mut self.older) {
            send(&mut outbox, None, attempt, |_| true, cx);
            cx.remove(outbox.clear(&self.room));
        }
        self.ask_plainly(|entry, outbox, cx| send_entry(entry, (outbox, None), attempt, cx), cx);
        let changes = self.outbox.clear(&self.room);
        cx.remove(changes);
    }

    /// No replica comes of it: whoever has asked to enter asks the room itself, as above; `rest` is done with everything else.
    pub(super) fn ask_plainly(&mut self, rest: impl Fn(&mut Entry, &str, &mut Cx<'_>), cx: &mut Cx<'_>) {
        let plainly = |stanza: &Element, cx: &mut Cx<'_>| {
            if let Some(to) = stanza.get("to").and_then(|to| Jid::new(to).ok()) {
                cx.up(&to, stanza.clone());
            }
        };
        for join in self.lost_joins(cx) {
            plainly(&join, cx);
        }
        let Outbox { name, entries, .. } = &mut self.outbox;
        for entry in entries {
            let asks = author(&entry.stanza).is_some_and(|user| self.joins.contains_key(&user));
            match asks && entry.stanza.name() == "presence" {
                true => plainly(&entry.stanza, cx),
                false => rest(entry, name, cx),
            }
        }
    }

    /// What can no longer be delivered goes back to its authors, with this error.
    pub(super) fn give_back(&mut self, (entries, changes): (Vec<Entry>, Vec<Change>), why: Condition, cx: &mut Cx<'_>) {
        cx.remove(changes);
        for entry in entries.iter().filter(|entry| entry.stanza.name() == "message" && entry.nick.is_some()) {
            if let Some(from) = author(&entry.stanza) {
                cx.pass(&from, StanzaError::from(why).reply(&entry.stanza));
            }
        }
    }
}

/// What still says something of presence of people of whom nobody is in: not what they showed before they left, nor that they came where
/// they have come back since. The room may have told them of that, and does not tell it again.
fn standing(presence: Vec<Entry>) -> Vec<Entry> {
    /// What somebody does behind what is looked at.
    #[derive(Default)]
    struct Behind {
        leaves: bool,
        joins: bool,
    }
    let mut behind: BTreeMap<Jid, Behind> = BTreeMap::new();
    let mut standing: Vec<Entry> = Vec::new();
    for entry in presence.into_iter().rev() {
        let Some(user) = author(&entry.stanza) else { continue };
        let behind = behind.entry(user).or_default();
        let stands = match is_join(&entry.stanza) {
            true => !std::mem::replace(&mut behind.joins, true) || !behind.leaves,
            false if entry.is_coming_or_going() => !std::mem::replace(&mut behind.leaves, true),
            false => !behind.leaves,
        };
        standing.extend(Some(entry).filter(|_| stands));
    }
    standing.reverse();
    standing
}

/// Sends entries with their marks.
fn send(outbox: &mut Outbox, epoch: Option<&String>, attempt: u32, which: impl Fn(&Entry) -> bool, cx: &mut Cx<'_>) {
    for entry in outbox.entries.iter_mut().filter(|entry| which(entry)) {
        send_entry(entry, (&outbox.name, epoch), attempt, cx);
    }
}

fn send_entry(entry: &mut Entry, (outbox, epoch): (&str, Option<&String>), attempt: u32, cx: &mut Cx<'_>) {
    let Some(to) = entry.stanza.get("to").and_then(|to| Jid::new(to).ok()) else { return };
    entry.attempt = attempt;
    let mark = UpMark {
        outbox: outbox.to_owned(),
        n: entry.n,
        epoch: epoch.cloned(),
        said: entry.provisionally.map(|p| p.said_ms),
        base: entry.provisionally.map(|p| p.base),
        kicker: entry.kicked.as_ref().map(|(kicker, _)| kicker.clone()),
        reason: entry.kicked.as_ref().and_then(|(_, reason)| reason.clone()),
    };
    cx.up(&to, entry.stanza.clone().child(mark.x()));
}
