//! Creating a replica (XEP-0282 4.2): requests, who may make them, and what is granted; `docs/wire.md`, *Registration*.
//!
//! A request is pending until a user of its site is admitted, or at once granted when one of its census still has a seat.

use super::link::{LINKS_MAX, Link, Phase};
use crate::names::{Nick, Role, Status};
use crate::room::{Cx, Life, Room, Via, fresh_name};
use crate::tally::Tally;
use crate::wire::{
    self, Damaged, Destroyed, Granted, HistorySent, Mark, Replicate, Retry, RosterSent, Seat, UpMark, VERSION, Verdict,
};
use machine::Output;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// A request that waits for a user of its site to be admitted.
#[derive(Debug)]
pub(crate) struct Request {
    pub asked: Replicate,
    /// The iq's id, for the answer.
    pub id: Option<String>,
    /// Domains it speaks for: its own, and those that have been shown to be its.
    pub domains: BTreeSet<String>,
    /// Domains that are being asked whether it is theirs, by the id of the question.
    pub asking: BTreeMap<String, Jid>,
    pub expires_ms: u64,
}

/// Something relayed that waits for the request of its site.
#[derive(Debug)]
pub(crate) struct HeldUp {
    /// Without the mark.
    pub stanza: Element,
    pub user: Jid,
    pub mark: UpMark,
    pub expires_ms: u64,
}

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RegisterError {
    /// Cannot be read.
    Damaged(Damaged),
    /// The service or the room is closed to this replica.
    Closed,
    /// Nobody of the site was admitted.
    NobodyAdmitted,
    /// No such room, and none came to be.
    NoRoom,
    /// Another live replica serves that domain.
    Served,
    /// Pending requests or links are at their bound.
    Full,
    /// The life of the room that it was a replica of is over.
    Gone(Destroyed),
}

impl RegisterError {
    fn error(&self) -> StanzaError {
        match self {
            RegisterError::Damaged(damaged) => StanzaError::new(Condition::BadRequest, damaged.to_string()),
            RegisterError::Closed => Condition::NotAllowed.into(),
            RegisterError::NobodyAdmitted => Condition::Forbidden.into(),
            RegisterError::NoRoom => Condition::ItemNotFound.into(),
            RegisterError::Served => Condition::Conflict.into(),
            RegisterError::Gone(destroyed) => {
                StanzaError { extra: Some(destroyed.element()), ..Condition::Gone.into() }
            }
            RegisterError::Full => StanzaError {
                extra: Some(Retry { after: RETRY_SECONDS }.element()),
                ..Condition::ResourceConstraint.into()
            },
        }
    }
}

impl Request {
    /// The names of its outboxes, the present one first.
    pub fn outbox_names(&self) -> Vec<String> {
        self.asked.outboxes.iter().map(|outbox| outbox.name.clone()).collect()
    }
}

impl Room {
    /// A replica asks to be one.
    pub(super) fn handle_replicate(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let request = match self.judge_request(replica, iq) {
            Ok(request) => request,
            Err(error) => {
                self.answer_iq(replica, iq.get("id"), Err(&error), cx);
                // To the room as it is now the replica comes anew, and so do those who wait for it.
                return match error {
                    RegisterError::Gone(_) => {}
                    _ => self.let_in_plainly(replica, iq, cx),
                };
            }
        };
        let names = request.outbox_names();
        for (name, outbox) in names.iter().zip(&request.asked.outboxes) {
            // What is below has been acknowledged, whatever a crash has made of the mark.
            self.links.marks.raise(replica, name, outbox.from - 1);
        }
        self.trim_marks(replica, cx);
        let mut request = Request { expires_ms: cx.now.mono_ms + PENDING_MS, ..request };
        self.ask_domains(replica, &mut request, cx);
        let returns = self.returns(replica, &request);
        self.links.pending.insert(replica.clone(), request);
        if returns {
            self.grant(replica, cx);
        } else {
            self.answer_without_link(replica, cx);
        }
        self.take_up_early(replica, &names, cx);
    }

    /// No replica will come of a request: what its users have relayed, or relay right behind it, waits for nothing.
    fn let_in_plainly(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let asked = iq.get_child("replicate", ns::NETJOIN).and_then(|element| Replicate::parse(element).ok());
        let Some(present) = asked.and_then(|asked| asked.outboxes.into_iter().next()) else { return };
        while self.links.refused.len() >= REFUSED_MAX {
            self.links.refused.pop_front();
        }
        let until = cx.now.mono_ms + PENDING_MS;
        self.links.refused.push_back((present.name, replica.domain().to_owned(), until));
        let (plain, rest) = std::mem::take(&mut self.links.early)
            .into_iter()
            .partition(|held| self.links.was_refused(&held.user, &held.mark.outbox, cx.now.mono_ms));
        self.links.early = rest;
        let plain: VecDeque<HeldUp> = plain;
        for held in plain {
            self.handle_stanza(held.stanza, cx);
        }
    }

    fn judge_request(&self, replica: &Jid, iq: &Element) -> Result<Request, RegisterError> {
        let element = iq.get_child("replicate", ns::NETJOIN).ok_or(Damaged::MissingChild("iq", "replicate"));
        let asked = element.and_then(Replicate::parse).map_err(RegisterError::Damaged)?;
        if self.is_closed_to(replica) {
            return Err(RegisterError::Closed);
        }
        self.judge_life(&asked)?;
        let mut domains = BTreeSet::from([replica.domain().to_owned()]);
        domains.extend(asked.domains.iter().filter(|d| self.is_listed_for(replica, d)).map(Jid::to_string));
        let others = self
            .links
            .links
            .iter()
            .filter(|(jid, link)| *jid != replica && link.suspect_ms.is_none() && !link.is_split());
        if others.into_iter().any(|(_, link)| !link.domains.is_disjoint(&domains)) {
            return Err(RegisterError::Served);
        }
        let is_known = self.links.links.contains_key(replica) || self.links.pending.contains_key(replica);
        if !is_known && (self.links.pending.len() >= PENDING_MAX || self.links.links.len() >= LINKS_MAX) {
            return Err(RegisterError::Full);
        }
        let id = iq.get("id").map(str::to_owned);
        Ok(Request { asked, id, domains, asking: BTreeMap::new(), expires_ms: 0 })
    }

    /// Whether the room or the service is closed to this replica.
    pub(super) fn is_closed_to(&self, replica: &Jid) -> bool {
        !self.config.replicas || !self.may_replicate(replica)
    }

    /// The service's allow-list: a domain, `*`, or `component=site` for a component that speaks for a site.
    fn may_replicate(&self, replica: &Jid) -> bool {
        self.service.replicas.iter().any(|entry| {
            let domain = entry.split_once('=').map_or(entry.as_str(), |(component, _)| component);
            domain == "*" || domain == replica.domain()
        })
    }

    fn is_listed_for(&self, replica: &Jid, domain: &Jid) -> bool {
        let listed =
            |entry: &String| entry.split_once('=').is_some_and(|(c, s)| c == replica.domain() && s == domain.as_str());
        self.service.replicas.iter().any(listed)
    }

    /// A replica whose domain is within that of its users is theirs when their server lists it (disco#items).
    fn ask_domains(&mut self, replica: &Jid, request: &mut Request, cx: &mut Cx<'_>) {
        let within =
            |domain: &Jid| replica.domain().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
        let open: Vec<Jid> = request
            .asked
            .domains
            .iter()
            .filter(|d| !request.domains.contains(d.as_str()) && within(d))
            .cloned()
            .collect();
        for domain in open {
            let id = self.next_iq_id();
            let iq = Element::stanza("iq")
                .attr("type", "get")
                .attr("id", &id)
                .attr("from", self.jid.as_str())
                .child(Element::new("query", ns::DISCO_ITEMS));
            request.asking.insert(id, domain.clone());
            self.gate.pass(Output::Send { to: domain, stanza: Shared::new(iq) }, cx.out);
        }
    }

    /// The answer of a domain that was asked; whether this was one.
    pub(super) fn domain_answered(&mut self, iq: &Element, cx: &mut Cx<'_>) -> bool {
        let (Some(id), Some(from)) = (iq.get("id"), iq.get("from")) else { return false };
        let asking = |request: &Request| request.asking.get(id).is_some_and(|domain| domain.as_str() == from);
        let Some(replica) = self.links.pending.iter().find(|(_, r)| asking(r)).map(|(jid, _)| jid.clone()) else {
            return false;
        };
        let Some(request) = self.links.pending.get_mut(&replica) else { return false };
        let domain = request.asking.remove(id);
        let items = iq.get_child("query", ns::DISCO_ITEMS).into_iter().flat_map(Element::children);
        let is_listed =
            items.filter_map(|item| item.get("jid")).any(|jid| jid == replica.domain() || jid == replica.as_str());
        if let Some(domain) = domain.filter(|_| is_listed && iq.get("type") == Some("result")) {
            request.domains.insert(domain.to_string());
            let names = request.outbox_names();
            if self.links.pending.get(&replica).is_some_and(|request| self.returns(&replica, request)) {
                self.grant(&replica, cx);
            }
            self.take_up_early(&replica, &names, cx);
        }
        true
    }

    /// Whether the site has a seat here already, or somebody of the census had one until a split.
    fn returns(&self, replica: &Jid, request: &Request) -> bool {
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
        if old.as_ref().is_some_and(Link::is_split) {
            self.announce_back(replica, cx);
        }
        let before = old.map(|link| link.seats).unwrap_or_default();
        let census = request.asked.census.as_ref().map(|(_, seats)| seats.as_slice()).unwrap_or_default();
        let mut seats: Vec<Seat> = census.iter().map(|seat| self.verdict(replica, &request, seat)).collect();
        let missed = self.missed_since(request.asked.resume.as_ref());
        if let Some(resume) = &request.asked.resume {
            cx.tally(replica, Tally { mismatches: resume.whole_roster.into(), ..Tally::RESUME });
        }
        let epoch = fresh_name(&mut self.rng);
        let marks = self.granted_marks(replica, &request);
        self.insert_link(replica, &request, &epoch, &marks, before.clone(), cx);
        self.await_report(replica, &request, island_from_ms, cx.now);
        self.hand_over(replica, &seats, cx);
        self.reenter_all(replica, census, &mut seats, cx);
        self.note_renamed(replica, census, &seats);
        let history = if missed == super::snapshot::Missed::Recent { HistorySent::Recent } else { HistorySent::Missed };
        let granted = Granted { epoch, history, marks, seats, ..self.terms(&request) };
        self.answer_iq(replica, request.id.as_deref(), Ok(granted.element()), cx);
        self.send_snapshot(replica, missed, cx);
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
            link.phase = Phase::Syncing { query: 0, upto: seq };
        }
        self.note_moderators(replica);
    }

    fn granted_marks(&self, replica: &Jid, request: &Request) -> Vec<Mark> {
        let mark = |outbox: &wire::Outbox| Mark {
            outbox: outbox.name.clone(),
            n: self.links.marks.get(replica, &outbox.name),
            key: wire::ids::outbox_key(&self.order.secret, replica.as_str(), &outbox.name),
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
            phase: Phase::Syncing { query: 0, upto: self.order.seq },
            suspect_ms: None,
            held: VecDeque::new(),
            outboxes: request.outbox_names(),
            due: BTreeMap::new(),
            acked,
            asked: BTreeMap::new(),
            begun: !seats.is_empty(),
            seats,
            moderators: BTreeSet::new(),
            entitled: false,
            silent: BTreeSet::new(),
            handed: BTreeMap::new(),
            renamed: BTreeMap::new(),
            unlisted: BTreeSet::new(),
            report_ms: None,
            island_from_ms: cx.now.unix_ms,
            heard_ms: cx.now.unix_ms,
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
                    link.handed.insert(seat.jid.clone(), cx.now.unix_ms);
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
        if link.report_ms.is_none() {
            self.report_over(replica, cx);
        }
    }

    /// Somebody was not admitted: when it was through a replica that is still pending, that is none.
    pub fn turned_away(&mut self, user: &Jid, error: &StanzaError, cx: &mut Cx<'_>) {
        let _ = error;
        let replica = cx.up.as_ref().filter(|up| up.from == *user).map(|up| up.replica.clone());
        let Some(request) = replica.as_ref().and_then(|replica| self.links.pending.remove(replica)) else { return };
        let Some(replica) = replica else { return };
        let error = if self.life == Life::Unborn { RegisterError::NoRoom } else { RegisterError::NobodyAdmitted };
        self.answer_iq(&replica, request.id.as_deref(), Err(&error), cx);
    }

    /// How an admitted user is served from now on; a pending request of his site is granted by it.
    pub fn via_for(&mut self, user: &Jid, cx: &mut Cx<'_>) -> Via {
        if let Some(replica) = self.links.reentering(user) {
            return Via::Replica(replica);
        }
        let Some(replica) = cx.up.as_ref().filter(|up| up.from == *user).map(|up| up.replica.clone()) else {
            return Via::Direct;
        };
        if self.links.pending.contains_key(&replica) {
            self.grant(&replica, cx);
        }
        let serves = self.links.links.get(&replica).is_some_and(|link| !link.is_over() && !link.is_split());
        if serves { Via::Replica(replica) } else { Via::Direct }
    }

    /// Requests and early stanzas whose time has come.
    pub(super) fn expire_requests(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.mono_ms;
        let over: Vec<Jid> =
            self.links.pending.iter().filter(|(_, r)| r.expires_ms <= now).map(|(jid, _)| jid.clone()).collect();
        for replica in over {
            let Some(request) = self.links.pending.remove(&replica) else { continue };
            let none = matches!(self.life, Life::Unborn | Life::Over);
            let error = if none { RegisterError::NoRoom } else { RegisterError::NobodyAdmitted };
            self.answer_iq(&replica, request.id.as_deref(), Err(&error), cx);
        }
        while let Some(held) = self.links.early.pop_front_if(|held| held.expires_ms <= now) {
            // No request came, so it counts as plain.
            self.handle_stanza(held.stanza, cx);
        }
    }

    /// Answers an iq of a replica.
    pub(super) fn answer_iq(
        &mut self,
        replica: &Jid,
        id: Option<&str>,
        answer: Result<Element, &RegisterError>,
        cx: &mut Cx<'_>,
    ) {
        let iq = Element::stanza("iq").attr("from", self.jid.as_str()).attr_opt("id", id);
        if answer.is_err() {
            cx.tally(replica, Tally::REFUSAL);
        }
        let iq = match answer {
            Ok(element) => iq.attr("type", "result").child(element),
            Err(error) => iq.attr("type", "error").child(error.error().element(None)),
        };
        self.gate.pass(Output::Send { to: replica.clone(), stanza: Shared::new(iq) }, cx.out);
    }

    pub(super) fn next_iq_id(&mut self) -> String {
        self.links.iqs += 1;
        format!("link-{}", self.links.iqs)
    }
}

/// How long a request waits for a user to be admitted, and something relayed for its request.
pub(super) const PENDING_MS: u64 = 10_000;
/// Most requests that wait, per room.
pub(super) const PENDING_MAX: usize = 64;
/// Most refused requests that are remembered, for what comes right behind them.
const REFUSED_MAX: usize = 64;
/// When a replica that found no room may ask again.
const RETRY_SECONDS: u32 = 30;
/// Most missed messages sent at a time, whatever the replica would take.
const PAGE_STANZAS_MAX: u32 = 500;
/// Most bytes of missed messages sent at a time, whatever the replica would take.
const PAGE_BYTES_MAX: u32 = 1 << 20;
