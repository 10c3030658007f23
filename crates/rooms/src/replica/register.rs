//! Registration, resumption and withdrawal, XEP-0282 4.2 with `docs/wire.md`.
//!
//! A first registration goes out with the user's join right behind it. One after a loss carries the census and the place
//! where this mirror stands, and what users say waits until its answer has sorted out what arrived.

use super::Replica;
use super::archive::Whole;
use super::leave::Parting;
use super::life::{Life, Sign};
use super::mirror::{Mirror, Place};
use super::numbers::{Outbox, leave_of};
use super::roster::Stored;
use super::site::{Asked, Cx};
use super::snapshot::Staging;
use super::{intent, keepalive};
use crate::flaws::flaw;
use crate::names::{Nick, Status};
use crate::tally::Tally;
use crate::wire::{
    self, Destroyed, Granted, HistorySent, Replicate, Reported, Resume, Retry, RosterSent, Verdict, Withdraw,
};
use machine::{AudienceChange, Now, Output};
use std::collections::BTreeMap;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

impl Replica {
    /// An answer to a request of the replica's own.
    pub(super) fn answered(&mut self, stanza: &Element, from: &Jid, now: Now, out: &mut Vec<Output>) {
        let Some(id) = stanza.get("id") else { return };
        let Some(asked) = self.site.asked.get(id).cloned() else { return };
        let right = match &asked {
            Asked::Info(domain) | Asked::Ping(domain) => from.as_str() == domain,
            Asked::Registration(room) | Asked::Withdrawal(room) => from == room,
        };
        if !right {
            return;
        }
        self.site.asked.remove(id);
        match asked {
            Asked::Info(domain) => self.informed(&domain, stanza, now, out),
            Asked::Ping(domain) => self.ponged(&domain, stanza, now, out),
            Asked::Registration(room) => {
                self.with(&room, now, out, |mirror, cx| mirror.registration_answered(id, stanza, cx));
            }
            Asked::Withdrawal(_) => {}
        }
    }
}

impl Mirror {
    /// Sends the request.
    pub(super) fn register(&mut self, cx: &mut Cx<'_>) {
        let link = &mut self.link;
        (link.epoch, link.d, link.staging, link.retry_at) = (None, 0, None, None);
        link.parts.clear();
        link.kept.clear();
        link.overtaken.clear();
        link.attempt += 1;
        link.fresh = self.sessions.is_empty() && self.gone.is_empty() && self.older.is_empty();
        if link.fresh {
            self.renew_outbox(cx);
        }
        let outboxes: Vec<&str> = self.older.iter().chain([&self.outbox]).map(|outbox| &*outbox.name).collect();
        self.awaited.register(&outboxes);
        if self.link.fresh {
            self.awaited.note_had(&self.outbox.name, self.outbox.acked());
        }
        let request = self.request(cx);
        let id = cx.ask(&self.room, "set", request.element(), Asked::Registration(self.room.clone()));
        self.link.asked = Some(id);
        if self.link.fresh {
            self.send_outstanding(cx);
        }
    }

    fn request(&mut self, cx: &Cx<'_>) -> Replicate {
        let config = &cx.site.config;
        let mut outboxes = vec![self.outbox.offer()];
        outboxes.extend(self.older.iter_mut().take(wire::OUTBOXES_MAX - 1).map(Outbox::offer));
        let domains = config.domains.iter().filter(|domain| *domain != config.jid.domain());
        let resume = self.link.place.as_ref().filter(|_| !self.link.fresh).map(|place| Resume {
            incarnation: place.incarnation.clone(),
            term: place.term.clone(),
            seq: place.seq + u64::from(flaw!(ResumeTooFar)),
            archive: self.past.last_id(),
            roster: self.roster_held(),
        });
        Replicate {
            members: config.split.enter_members,
            version: wire::VERSION,
            keepalive: u32::try_from(config.keepalive_seconds).unwrap_or(u32::MAX),
            maxstanzas: PAGE_STANZAS,
            maxbytes: PAGE_BYTES,
            outboxes,
            domains: domains.filter_map(|domain| Jid::new(domain).ok()).take(wire::DOMAINS_MAX).collect(),
            resume,
            census: self.census(cx).map(|seats| (self.outbox.acked(), seats)),
        }
    }

    fn registration_answered(&mut self, id: &str, stanza: &Element, cx: &mut Cx<'_>) {
        if self.link.asked.as_deref() != Some(id) || self.life != Life::Registering {
            return;
        }
        self.link.asked = None;
        if stanza.get("type") == Some("error") {
            return self.registration_refused(stanza, cx);
        }
        match stanza.get_child("granted", ns::NETJOIN).map(Granted::parse) {
            Some(Ok(granted)) if granted.roster == RosterSent::None => self.nobody_is_in(&granted, cx),
            Some(Ok(granted)) if granted.roster == RosterSent::Changes && !self.asked_for_changes(&granted) => {
                cx.log(format!("link {}: changes to a roster that is not here", self.room));
                self.unanswered(cx);
            }
            Some(Ok(granted)) => self.granted(granted, cx),
            Some(Err(damaged)) => {
                cx.log(format!("link {}: {damaged}", self.room));
                self.unanswered(cx);
            }
            None => self.unanswered(cx),
        }
    }

    /// Whether what is stored is the roster that a primary of this start has been told of.
    fn asked_for_changes(&self, granted: &Granted) -> bool {
        let is_of = |place: &Place| {
            place.incarnation == granted.incarnation && (place.term == granted.term || flaw!(TermForgotten))
        };
        !self.link.fresh && self.link.roster == Stored::AsOfPlace && self.link.place.as_ref().is_some_and(is_of)
    }

    fn granted(&mut self, granted: Granted, cx: &mut Cx<'_>) {
        self.sign(Sign::Granted, cx);
        cx.log(format!("link {}: granted", self.room));
        cx.site.refused.insert(self.room.clone());
        self.link.failures = 0;
        if !self.link.fresh {
            cx.tally(&self.room, Tally::RESUME);
        }
        let known = self.link.place.clone().map(Place::origin).or(self.link.former.clone());
        match known.clone().filter(|known| known.incarnation != granted.incarnation) {
            // Another room under the same name: nothing of the former belongs to it.
            Some(former) => {
                self.past.clear();
                (self.link.place, self.link.former) = (None, Some(former));
                self.link.roster = Stored::Nothing;
                self.wipe(cx);
            }
            None if self.link.place.is_none() => self.link.former = None,
            None => {}
        }
        let is_of_start = known.is_none_or(|of| of.term == granted.term || of.incarnation != granted.incarnation);
        let seq = match &self.link.place {
            Some(place) if place.term == granted.term => place.seq,
            // What was numbered behind the last message may be numbered anew by another start of the primary.
            Some(place) => place.seq.min(self.past.last_seq()).min(granted.begun),
            None => 0,
        };
        // Events are numbered anew; seats are the room's again when the snapshot is whole.
        self.link.roster = if is_of_start { self.link.roster } else { Stored::Nothing };
        let set_back = !is_of_start && self.take_back_behind(granted.begun, cx);
        if !is_of_start {
            self.past.begins();
        }
        let whole = match &self.link.place {
            Some(place) if granted.history == HistorySent::Missed => place.whole,
            _ => Whole { behind: granted.seq, since_ms: cx.now.unix_ms },
        };
        // Should the snapshot be cut short, what is here is still of the order of another start.
        let former =
            self.link.place.as_ref().filter(|_| granted.history == HistorySent::Missed).map(|place| &place.term);
        let term = former.unwrap_or(&granted.term).clone();
        self.link.place = Some(Place { incarnation: granted.incarnation.clone(), term, seq, whole });
        self.link.epoch = Some(granted.epoch.clone());
        for mark in &granted.marks {
            self.learn_key(&mark.outbox, mark.key);
            self.reconcile(&mark.outbox, mark.n);
        }
        let here = self.sessions.len();
        self.dismiss_direct(&granted, cx);
        self.hand_over(&granted, cx);
        if self.link.fresh && self.sessions.len() > here {
            // They have been told all there was; should the snapshot be cut short, the rest is asked for from here.
            let term = &granted.term;
            self.link.place.iter_mut().for_each(|place| (place.seq, place.term) = (granted.seq, term.clone()));
            self.link.roster = Stored::Nothing;
        }
        self.outbox.readdress(&self.room, &granted.seats);
        // Of users of other sites a primary may claim what it likes: nothing is said here in their name.
        let kept = granted.seats.iter().filter(|seat| !matches!(seat.verdict, Verdict::Removed(_)));
        let kept = kept.filter(|seat| cx.site.is_local(&seat.jid));
        let kept = kept.map(|seat| (seat.jid.clone(), seat.nick.clone()));
        let absent: BTreeMap<Jid, Nick> = kept.filter(|(jid, _)| self.is_absent(jid)).collect();
        self.link.kept = absent.clone();
        let seats = granted.seats.clone();
        self.link.staging = Some(Staging::new(granted, &self.seats).knowing(set_back));
        self.drain_older(cx);
        self.let_go(&absent, cx);
        if !self.link.fresh {
            let joins = self.lost_joins(cx);
            self.join_again(joins, cx);
        }
        self.say_unsaid(&seats, cx);
        self.send_outstanding(cx);
        self.say_reported(cx);
    }

    /// Verdicts and marks alone: nobody of the census is in the room, each for a reason of his own, and there is no link. What the
    /// primary has had is its to tell, to whomever it still does; the rest goes back.
    fn nobody_is_in(&mut self, granted: &Granted, cx: &mut Cx<'_>) {
        self.island = None;
        for mark in &granted.marks {
            self.learn_key(&mark.outbox, mark.key);
            self.reconcile(&mark.outbox, mark.n);
        }
        self.forget_had();
        self.give_up_provisional(Condition::RemoteServerTimeout, cx);
        self.dismiss_direct(granted, cx);
        self.judged(granted, cx);
        self.start_over(cx);
        self.put_orphans_aside(cx);
    }

    /// All that the outbox held at the answer has been sent: the report is over.
    fn say_reported(&mut self, cx: &mut Cx<'_>) {
        let Some(epoch) = self.link.epoch.clone().filter(|_| !self.link.fresh) else { return };
        let message = Element::stanza("message").attr("from", cx.site.config.jid.as_str());
        cx.up(&self.room, message.child(Reported { epoch }.x()));
    }

    /// The room is no more, by the word of a primary that knows which one it was; whoever is here is told what a destroyed
    /// room tells him, and what was not heard goes back to its authors.
    fn is_destroyed(&mut self, stanza: &Element, cx: &mut Cx<'_>) -> bool {
        let error = stanza.get_child("error", ns::CLIENT);
        let Some(Ok(destroyed)) = error.and_then(Destroyed::find) else { return false };
        if self.link.place.as_ref().is_none_or(|place| place.incarnation != destroyed.incarnation) {
            return false;
        }
        cx.log(format!("link {}: the room was destroyed", self.room));
        let reason = destroyed.reason.map(|text| Element::new("reason", ns::MUC_USER).text(text));
        let destroy = Element::new("destroy", ns::MUC_USER)
            .attr_opt("jid", destroyed.venue.as_ref().map(Jid::as_str))
            .with(reason);
        let x = Element::new("x", ns::MUC_USER).child(destroy);
        self.destroyed(&Element::stanza("presence").attr("type", "unavailable").child(x), cx);
        true
    }

    /// Whether a session that the room has is not here any more. Who has left is in until the room has had his leave; where it has had
    /// it, and has started again since, the census has made it take him for one more session of a seat that is there.
    fn is_absent(&self, jid: &Jid) -> bool {
        match self.sessions.get(jid) {
            Some(session) => session.leaving && !session.awaits_enter() && !self.outbox.holds_leave_of(jid),
            None => !self.gone.contains_key(jid) || !self.outbox.holds_leave_of(jid),
        }
    }

    /// Who had a seat before a restart and has not come back leaves; behind what is still to be said, where that is.
    fn let_go(&mut self, absent: &BTreeMap<Jid, Nick>, cx: &mut Cx<'_>) {
        for (jid, nick) in absent {
            let speaks = self.older.iter().flat_map(Outbox::authors).any(|(author, _)| author == *jid);
            if !speaks && !self.joins.contains_key(jid) {
                self.submit(leave_of(jid, &nick.in_room(&self.room)), cx);
            }
        }
    }

    /// Somebody who had a seat before a restart has asked to enter and may not, so his join does not answer for that seat.
    pub(super) fn give_up_kept(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        if let Some(nick) = self.link.kept.get(jid).filter(|_| !self.joins.contains_key(jid)) {
            let leave = leave_of(jid, &nick.in_room(&self.room));
            self.submit(leave, cx);
        }
    }

    fn registration_refused(&mut self, stanza: &Element, cx: &mut Cx<'_>) {
        let nobody = self.sessions.is_empty() && self.gone.is_empty() && self.older.is_empty();
        if self.is_destroyed(stanza, cx) {
            return;
        }
        if keepalive::is_unreachable(stanza) {
            return if nobody { self.end(Sign::Nobody, cx) } else { self.unreached(cx) };
        }
        cx.tally(&self.room, Tally::REFUSAL);
        let condition = keepalive::condition(stanza).unwrap_or_default().to_owned();
        cx.log(format!("link {}: refused, {condition}", self.room));
        let after = stanza.get_child("error", ns::CLIENT).and_then(|e| e.get_child("retry", ns::NETJOIN));
        let after = after.and_then(|retry| Retry::parse(retry).ok()).map(|retry| u64::from(retry.after) * 1000);
        match condition.as_str() {
            // A bare item-not-found proves nothing to those who are in the room.
            "item-not-found" if !self.sessions.is_empty() => self.lost(cx),
            // What waits to be said waits on.
            "resource-constraint" if !nobody => {
                self.lost(cx);
                if let (Some(after), Some(at)) = (after, self.link.retry_at.as_mut()) {
                    *at = (*at).max(cx.now.mono_ms + after.min(RETRY_MS_MAX));
                }
            }
            "forbidden" | "item-not-found" if nobody => self.end(Sign::Nobody, cx),
            "forbidden" | "item-not-found" => self.start_over(cx),
            _ => {
                // The room itself takes up what has come right behind a first request.
                if !self.link.fresh {
                    self.ask_plainly(|_, _, _| {}, cx);
                }
                self.end(Sign::Refused, cx);
            }
        }
    }

    /// Nobody of those who believed to be in the room is; who has asked to enter still may.
    fn start_over(&mut self, cx: &mut Cx<'_>) {
        self.island = None;
        self.give_up_provisional(Condition::RemoteServerTimeout, cx);
        self.remove_all(cx);
        self.drop_older(Condition::RemoteServerTimeout, cx);
        if self.joins.is_empty() { self.end(Sign::Nobody, cx) } else { self.register(cx) }
    }

    /// No answer, or none that can be read.
    pub(super) fn unanswered(&mut self, cx: &mut Cx<'_>) {
        if !self.link.fresh {
            return self.unreached(cx);
        }
        let withdraw = Withdraw { epoch: None, deserted: false }.element();
        cx.ask(&self.room, "set", withdraw, Asked::Withdrawal(self.room.clone()));
        cx.tally(&self.room, Tally::REFUSAL);
        self.ask_plainly(|_, _, _| {}, cx);
        self.end(Sign::Refused, cx);
    }

    /// The primary is not reached, or what it sent has a gap. Nobody is told.
    pub(super) fn lost(&mut self, cx: &mut Cx<'_>) {
        if !self.sign(Sign::Lost, cx) {
            return;
        }
        cx.log(format!("link {}: lost", self.room));
        self.link.lost_at.get_or_insert(cx.now.mono_ms);
        self.link.staging = None;
        if let Some(id) = self.link.asked.take() {
            cx.site.asked.remove(&id);
        }
        let wait = match self.link.failures {
            0 => 0,
            failures => (RETRY_MS << failures.min(16)).min(RETRY_MS_MAX) / 2,
        };
        self.link.retry_at = Some(cx.now.mono_ms + wait + cx.site.jitter(wait.max(RETRY_MS)));
        self.link.failures += 1;
        self.link.unreached = false;
    }

    /// Nothing comes through to the primary, as far as can be seen.
    pub(super) fn unreached(&mut self, cx: &mut Cx<'_>) {
        self.lost(cx);
        self.link.unreached = self.life == Life::Suspect;
        if self.link.failures > 1 {
            // Perhaps a stream stands that carries nothing: the next attempt takes another.
            cx.out.push(Output::Renew(self.room.domain().to_owned()));
        }
    }

    /// The service has been heard of: what was not reached is tried again now, whatever attempts have cost before.
    pub(super) fn hurry(&mut self, cx: &mut Cx<'_>) {
        if self.life != Life::Suspect || !std::mem::take(&mut self.link.unreached) {
            return;
        }
        // Who waits for his turn has no time of his own.
        if let Some(at) = &mut self.link.retry_at {
            *at = (*at).min(cx.now.mono_ms + RETRY_MS + cx.site.jitter(RETRY_MS));
        }
    }

    pub(super) fn retry(&mut self, cx: &mut Cx<'_>) {
        if self.link.lost_at.is_some_and(|at| cx.now.mono_ms > at + RETENTION_MS) {
            cx.log(format!("link {}: given up", self.room));
            self.ask_plainly(|_, _, _| {}, cx);
            return self.end(Sign::Refused, cx);
        }
        if !cx.site.turns.take(&self.room) {
            self.link.retry_at = None;
        } else if self.sign(Sign::Retry, cx) {
            self.register(cx);
        }
    }

    /// A join to a room whose link has ended with its last local session.
    pub(super) fn register_anew(&mut self, cx: &mut Cx<'_>) {
        if self.sign(Sign::Joined, cx) {
            self.register(cx);
        }
    }

    /// The last local session has left, which ended the link at the primary too. All that was relayed has had its outcome.
    pub(super) fn fall_dormant(&mut self, cx: &mut Cx<'_>) {
        if self.sign(Sign::Emptied, cx) {
            // Whoever said it was put out before the primary heard it.
            self.give_up_provisional(Condition::RemoteServerTimeout, cx);
            let unheard = self.outbox.drain(&self.room);
            if !flaw!(LeaveForgetsOutbox) {
                self.give_back(unheard, Condition::RemoteServerTimeout, cx);
            }
            self.awaited.clear();
            self.outbox = Outbox::new(cx.site.name());
            self.forget_seats();
        }
    }

    /// The grace period is over.
    pub(super) fn withdraw(&mut self, cx: &mut Cx<'_>) {
        if let Some(epoch) = self.link.epoch.take() {
            let withdraw = Withdraw { epoch: Some(epoch), deserted: false }.element();
            cx.ask(&self.room, "set", withdraw, Asked::Withdrawal(self.room.clone()));
        }
        self.sign(Sign::Expired, cx);
    }

    /// The primary serves the users of this site itself from behind event `seq` on: they notice nothing, unless something
    /// before it has not come; then they are told to come back for it.
    pub(super) fn revoked(&mut self, seq: u64, cx: &mut Cx<'_>) {
        cx.log(format!("link {}: revoked", self.room));
        if self.life == Life::Live && self.link.place.as_ref().is_some_and(|place| place.seq == seq) {
            self.make_direct(cx);
        }
        self.say_once_more(cx);
        self.end(Sign::Refused, cx);
    }

    /// No replica of this room any more: whoever is here is told, whatever waits goes on.
    pub(super) fn end(&mut self, sign: Sign, cx: &mut Cx<'_>) {
        self.end_for(Condition::RemoteServerTimeout, sign, cx);
    }

    /// The same; `why` is what authors are told whose words have had no outcome.
    pub(super) fn end_for(&mut self, why: Condition, sign: Sign, cx: &mut Cx<'_>) {
        self.island = None;
        self.give_up_provisional(why, cx);
        self.remove_all(cx);
        self.drop_older(why, cx);
        let users: Vec<Jid> = self.joins.keys().cloned().collect();
        for user in users {
            self.forget_join(&user, cx);
        }
        let unsent = self.outbox.drain(&self.room);
        self.give_back(unsent, why, cx);
        self.awaited.clear();
        let end = Output::Audience { audience: self.audience, member: self.room.clone(), change: AudienceChange::End };
        cx.out.push(end);
        (self.link.epoch, self.link.asked) = (None, None);
        self.sign(sign, cx);
    }

    fn drop_older(&mut self, why: Condition, cx: &mut Cx<'_>) {
        for mut outbox in std::mem::take(&mut self.older) {
            cx.log(format!("link {}: {} of before a restart were not taken", self.room, outbox.len()));
            let unsent = outbox.drain(&self.room);
            self.give_back(unsent, why, cx);
        }
    }

    /// Tells every local session that it is out for a technical reason.
    fn remove_all(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<Jid> = self.sessions.keys().cloned().collect();
        for jid in all {
            self.take_out(&jid, &Parting::with([Status::FAILURE]), cx);
        }
        self.gone.clear();
        self.forget_seats();
    }

    /// Nothing is known any more of who is in the room.
    fn forget_seats(&mut self) {
        self.link.roster = Stored::Nothing;
        self.seats.clear();
        self.hidden.clear();
        self.half_removed.clear();
        self.members.clear();
        self.echoes.clear();
    }
}

/// How long an answer is waited for: the primary's own `PENDING_MS`, and the way.
pub(super) const ANSWER_MS: u64 = 15_000;
/// How long a room that refused is left alone.
pub(super) const PLAIN_MS: u64 = 600_000;
/// How long users stay in a room that cannot be reached.
pub(super) const RETENTION_MS: u64 = 86_400_000;
/// The first wait between attempts; each further one is twice as long.
const RETRY_MS: u64 = 500;
/// The longest.
const RETRY_MS_MAX: u64 = 60_000;
/// Missed messages taken at a time.
const PAGE_STANZAS: u32 = 100;
/// The same in bytes.
const PAGE_BYTES: u32 = 65_536;

const _: () = assert!(ANSWER_MS > intent::HELD_MS, "a primary waits as long for a join as a user does for a service");
