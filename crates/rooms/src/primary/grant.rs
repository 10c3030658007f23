//! What a replica is granted: verdicts on its census, the link, its snapshot; `docs/wire.md`, *Registration*.

use super::link::{Link, Phase};
use super::replicate::Request;
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use crate::room::{Cx, Room, Via, fresh_name};
use crate::tally::Tally;
use crate::wire::{self, Granted, HistorySent, Mark, RosterHeld, RosterSent, Seat, VERSION, Verdict};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::Jid;

impl Room {
    /// Whether the site has a seat here already, or somebody of the census had one until a split.
    pub(super) fn returns(&self, replica: &Jid, request: &Request) -> bool {
        if self.links.links.get(replica).is_some_and(|link| !link.seats.is_empty()) {
            return true;
        }
        let Some((_, census)) = &request.asked.census else { return false };
        let back =
            |seat: &wire::CensusSeat| !matches!(self.verdict(replica, request, seat).verdict, Verdict::Removed(_));
        census.iter().any(back)
    }

    /// Grants a pending request: who was lost to a split alone enters again, then answer and snapshot, then the removals
    /// that the census shows.
    pub(super) fn grant(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(request) = self.links.pending.remove(replica) else { return };
        if request.asked.resume.is_none() {
            self.take_back_unheard(replica, &request, cx);
        }
        let old = self.links.links.remove(replica);
        let island_from_ms = self.island_from(old.as_ref(), cx.now.unix_ms);
        let told_before = self.may_have_been_told(old.as_ref(), &request);
        if old.as_ref().is_some_and(Link::is_split) {
            self.announce_back(replica, cx);
        }
        let before = old.map(|link| link.seats).unwrap_or_default();
        let census = request.asked.census.as_ref().map(|(_, seats)| seats.as_slice()).unwrap_or_default();
        let mut seats: Vec<Seat> = census.iter().map(|seat| self.verdict(replica, &request, seat)).collect();
        let missed = self.missed_since(request.asked.resume.as_ref());
        if let Some(resume) = &request.asked.resume {
            let mismatches = (resume.roster == RosterHeld::Wrong).into();
            cx.tally(replica, Tally { mismatches, ..Tally::RESUME });
        }
        let epoch = fresh_name(&mut self.rng);
        let marks = self.granted_marks(replica, &request);
        self.insert_link(replica, &request, &epoch, &marks, before.clone(), cx);
        self.await_report(replica, &request, (island_from_ms, told_before), cx.now);
        self.hand_over(replica, &seats, cx);
        self.reenter_all(replica, census, &mut seats, cx);
        self.note_renamed(replica, census, &seats);
        let history = if missed == super::snapshot::Missed::Recent { HistorySent::Recent } else { HistorySent::Missed };
        let roster = self.roster_wanted(request.asked.resume.as_ref());
        let granted = Granted { epoch, roster: roster.sent(), history, marks, seats, ..self.terms(&request) };
        self.answer_iq(replica, request.id.as_deref(), Ok(granted.element()), cx);
        self.send_snapshot(replica, &roster, missed, cx);
        self.follow_census(replica, &request, &granted, &before, cx);
    }

    /// Answers a pending request with verdicts and marks alone.
    pub(super) fn grant_verdicts(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(request) = self.links.pending.remove(replica) else { return };
        let census = request.asked.census.as_ref().map(|(_, seats)| seats.as_slice()).unwrap_or_default();
        let seats: Vec<Seat> = census.iter().map(|seat| self.verdict(replica, &request, seat)).collect();
        let granted = Granted {
            epoch: fresh_name(&mut self.rng),
            roster: RosterSent::None,
            history: HistorySent::None,
            marks: self.granted_marks(replica, &request),
            seats,
            ..self.terms(&request)
        };
        // A link of before has nobody in it any more: what it holds, perhaps for a sign of life, is of a registration that is over.
        if self.links.links.get(replica).is_some_and(|link| link.seats.is_empty()) {
            self.links.links.remove(replica);
        }
        self.answer_iq(replica, request.id.as_deref(), Ok(granted.element()), cx);
        for seat in census {
            self.forget_absent(&seat.jid, cx);
        }
        self.forget_lost(replica, cx);
    }

    /// What every answer says.
    fn terms(&self, request: &Request) -> Granted {
        Granted {
            // The lower of the two, and there is none below it.
            version: VERSION,
            epoch: String::new(),
            incarnation: self.order.incarnation.clone(),
            term: self.order.term.clone(),
            begun: self.order.begun,
            seq: self.order.seq,
            keepalive: u32::try_from(self.service.keepalive_seconds).unwrap_or(u32::MAX),
            maxstanzas: request.asked.maxstanzas.min(PAGE_STANZAS_MAX),
            maxbytes: request.asked.maxbytes.min(PAGE_BYTES_MAX),
            roster: RosterSent::Full,
            history: HistorySent::Recent,
            marks: Vec::new(),
            seats: Vec::new(),
        }
    }

    /// All others hear of it; to the site itself it is part of the snapshot, as if nothing had been.
    fn reenter_all(&mut self, replica: &Jid, census: &[wire::CensusSeat], seats: &mut [Seat], cx: &mut Cx<'_>) {
        for (seat, found) in census.iter().zip(seats) {
            if found.verdict != Verdict::Reenter {
                continue;
            }
            // Another of the same census may have taken the nick since it was judged.
            let nick = self.nick_again(&seat.jid, &seat.nick);
            let entered = nick.as_ref().is_ok_and(|nick| self.reenter(replica, seat, nick, cx));
            match nick {
                Ok(nick) if entered => found.nick = nick,
                _ => {
                    let removed = wire::Removed { status: Status::FAILURE, actor: None, reason: None };
                    found.verdict = Verdict::Removed(removed);
                }
            }
        }
        let seq = self.order.seq;
        if let Some(link) = self.links.links.get_mut(replica) {
            link.held.clear();
            link.phase = Phase::syncing(seq, seq);
        }
        self.note_moderators(replica);
    }

    fn granted_marks(&self, replica: &Jid, request: &Request) -> Vec<Mark> {
        let mark = |outbox: &wire::Outbox| Mark {
            outbox: outbox.name.clone(),
            n: if flaw!(NoMarkCheck) { 0 } else { self.links.marks.get(replica, &outbox.name) },
            key: self.order.outbox_key(replica, &outbox.name),
        };
        request.asked.outboxes.iter().map(mark).collect()
    }

    fn insert_link(
        &mut self,
        replica: &Jid,
        request: &Request,
        epoch: &str,
        marks: &[Mark],
        seats: BTreeSet<Jid>,
        cx: &Cx<'_>,
    ) {
        let acked = marks.iter().map(|mark| (mark.outbox.clone(), mark.n)).collect();
        let link = Link {
            domains: request.domains.clone(),
            epoch: epoch.to_owned(),
            d: 0,
            phase: Phase::syncing(self.order.seq, self.order.seq),
            suspect_ms: None,
            held: VecDeque::new(),
            outboxes: request.outbox_names(),
            due: BTreeMap::new(),
            acked,
            asked: BTreeMap::new(),
            begun: !seats.is_empty(),
            seats,
            moderators: BTreeSet::new(),
            members: (request.asked.members && self.service.supply_members).then(BTreeMap::new),
            entitled: false,
            silent: BTreeSet::new(),
            handed: BTreeMap::new(),
            renamed: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            told_before: false,
            report_ms: None,
            resumed: request.asked.resume.as_ref().map(|resume| resume.seq),
            island_from_ms: cx.now.unix_ms,
            heard_ms: cx.now.unix_ms,
            heard_mono_ms: cx.now.mono_ms,
            sent_ms: cx.now.mono_ms,
            digest_ms: cx.now.mono_ms,
            page_stanzas: request.asked.maxstanzas.min(PAGE_STANZAS_MAX) as usize,
            page_bytes: request.asked.maxbytes.min(PAGE_BYTES_MAX) as usize,
        };
        self.links.links.insert(replica.clone(), link);
    }

    /// What became of a session of the census.
    fn verdict(&self, replica: &Jid, request: &Request, seat: &wire::CensusSeat) -> Seat {
        let give = |nick: &Nick, verdict| Seat { nick: nick.clone(), jid: seat.jid.clone(), verdict };
        let lost = |status| Verdict::Removed(wire::Removed { status, actor: None, reason: None });
        if !request.domains.contains(seat.jid.domain()) {
            return give(&seat.nick, lost(Status::FAILURE));
        }
        if let Some(nick) = self.sessions.get(&seat.jid) {
            return give(nick, Verdict::Kept);
        }
        match self.verdict_on_absent(replica, seat) {
            Some((nick, verdict)) => give(&nick, verdict),
            None => give(&seat.nick, lost(Status::FAILURE)),
        }
    }

    /// Keeps the seats of the census that are here; direct sessions among them come through the replica from now on.
    fn hand_over(&mut self, replica: &Jid, seats: &[Seat], cx: &mut Cx<'_>) {
        for seat in seats.iter().filter(|seat| seat.verdict == Verdict::Kept) {
            self.links.removals.forget(&seat.jid);
            let was_direct = self.is_direct(&seat.jid);
            self.carry_over(&seat.jid, Via::Replica(replica.clone()), cx);
            if let Some(link) = self.links.links.get_mut(replica) {
                if was_direct {
                    link.handed.insert(seat.jid.clone(), self.order.seq);
                }
                link.seats.insert(seat.jid.clone());
                link.begun = true;
            }
        }
    }

    /// The replica has no resume point: it never had the answer by which these were handed over, and what they were told
    /// since was lost with it. They are sent it before they are handed over again.
    fn take_back_unheard(&mut self, replica: &Jid, request: &Request, cx: &mut Cx<'_>) {
        let census: Vec<Jid> =
            request.asked.census.iter().flat_map(|(_, seats)| seats).map(|seat| seat.jid.clone()).collect();
        for jid in census {
            self.stay_direct(replica, &jid, cx);
        }
    }

    /// Whether the replica may know real JIDs, before its snapshot is made.
    fn note_moderators(&mut self, replica: &Jid) {
        let nicks: Vec<Nick> =
            self.occupants.values().filter(|o| o.role == Role::Moderator).map(|o| o.nick.clone()).collect();
        for nick in &nicks {
            self.note_moderator(nick);
        }
        let moderators = self.links.links.get(replica).map_or(0, |link| link.moderators.len());
        let entitled = self.entitles(moderators);
        if let Some(link) = self.links.links.get_mut(replica) {
            link.entitled = entitled;
        }
    }

    /// Behind the snapshot: who is not there any more is removed.
    fn follow_census(
        &mut self,
        replica: &Jid,
        request: &Request,
        granted: &Granted,
        before: &BTreeSet<Jid>,
        cx: &mut Cx<'_>,
    ) {
        let census = request.asked.census.iter().flat_map(|(_, seats)| seats);
        for (seat, found) in census.zip(&granted.seats) {
            if matches!(found.verdict, Verdict::Removed(_)) {
                self.forget_absent(&seat.jid, cx);
            }
        }
        let there: BTreeSet<&Jid> = granted.seats.iter().map(|seat| &seat.jid).collect();
        let Some(link) = self.links.links.get_mut(replica) else { return };
        // They leave where their own leave stands in the log, or when the report is over.
        link.unlisted = before.iter().filter(|jid| !there.contains(jid)).cloned().collect();
        if link.report_ms.is_none() || flaw!(LeavesFirst) {
            self.report_over(replica, cx);
        }
    }
}

/// Most missed messages sent at a time, whatever the replica would take.
const PAGE_STANZAS_MAX: u32 = 500;
/// Most bytes of missed messages sent at a time, whatever the replica would take.
const PAGE_BYTES_MAX: u32 = 1 << 20;
