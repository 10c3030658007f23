//! Everything sent to a room comes here first: what belongs to a link is the link's, marks are judged and taken off (XEP-0282
//! 4.8), and what users say goes on to the room.
//!
//! Stanzas come authenticated for the domain of their `from`. A mark counts only when the replica whose outbox it names
//! speaks for that domain; else it is ignored.

use super::link::Link;
use super::marks::{Judged, Up};
use super::replicate::{HeldUp, PENDING_MS};
use crate::flaws::flaw;
use crate::room::{Cx, Room, Via, is_join};
use crate::wire::{self, Down, Kind, Stale, UpMark};
use machine::{Now, Output};
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, Shared, ns};

impl Stale {
    /// What a room says to a replica of it.
    pub(super) fn told(&self, room: &Jid, replica: &Jid) -> Output {
        let stanza = Element::stanza("message").attr("from", room.as_str()).child(self.x());
        Output::Send { to: replica.clone(), stanza: Shared::new(stanza) }
    }
}

impl Room {
    /// A stanza to the room's address or an occupant's.
    pub fn receive(&mut self, mut stanza: Element, cx: &mut Cx<'_>) {
        self.links.now_ms = cx.now.mono_ms;
        let Some(from) = stanza.get("from").and_then(|from| Jid::new(from).ok()) else { return };
        if stanza.name() == "iq" && self.link_iq(&from, &stanza, cx) {
            return;
        }
        if self.links.has_asked(&from) {
            return self.hear_replica(&from, &stanza, cx);
        }
        if self.is_lost_on_the_way(&from, &stanza, cx) {
            return;
        }
        let mark = UpMark::find(&stanza);
        wire::strip(&mut stanza);
        if mark.is_none() && self.has_come_around(&from, &stanza) {
            return self.refuse(&stanza, Condition::NotAcceptable, cx);
        }
        if mark.is_none() && comes_or_goes(&stanza) {
            // No replica relays him any more: what waits for a request of one is over.
            self.links.early.retain(|held| held.user != from);
        }
        match mark {
            Some(Ok(mark)) => self.relayed(stanza, from, mark, cx),
            Some(Err(damaged)) => {
                cx.out.push(Output::Log(format!("{}: a damaged mark from {}: {damaged}", self.jid, from.domain())));
                self.handle_stanza(stanza, cx);
            }
            None => self.handle_stanza(stanza, cx),
        }
    }

    /// Requests of replicas and answers to the room's own; whether this was one.
    fn link_iq(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) -> bool {
        match iq.get("type") {
            Some("set") if iq.has_child("replicate", ns::NETJOIN) => {
                self.handle_replicate(from, iq, cx);
                true
            }
            Some("set") if iq.has_child("withdraw", ns::NETJOIN) => {
                self.handle_withdraw(from, iq, cx);
                true
            }
            Some("result" | "error") => self.page_taken(from, iq, cx) || self.domain_answered(iq, cx),
            _ => false,
        }
    }

    /// What a replica says in its own name, and what comes back from it.
    fn hear_replica(&mut self, replica: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let is_error = stanza.get("type") == Some("error");
        if let Some(link) = self.links.links.get(replica).filter(|link| link.is_split()) {
            // Whatever it says, it does not know that it has to register again.
            let epoch = link.epoch.clone();
            if !is_error {
                self.tell_stale(replica, &epoch, cx);
            }
            return;
        }
        if is_error {
            let refused = stanza.get_child("x", ns::DMUC).map(wire::Up::parse);
            return match refused {
                Some(Ok(wire::Up::Refused(refused))) => {
                    self.sign_of_life(replica, cx);
                    self.enter_refused(replica, &refused, cx);
                }
                _ if is_connectivity(stanza) => self.suspect(replica, cx),
                _ => self.sign_of_life(replica, cx),
            };
        }
        self.sign_of_life(replica, cx);
        if let Some(Ok(wire::Up::Reported(reported))) = stanza.get_child("x", ns::DMUC).map(wire::Up::parse) {
            self.reported(replica, reported, cx);
        }
        // `stale` is about something of an epoch that is over; its replica registers anew by itself when it must.
    }

    /// A bounce of something one-to-one to a user behind a replica that cannot be reached is about the link, not about him.
    fn is_lost_on_the_way(&mut self, user: &Jid, stanza: &Element, cx: &mut Cx<'_>) -> bool {
        if stanza.get("type") != Some("error") || !is_unreachable(stanza) {
            return false;
        }
        let Some(Via::Replica(replica)) = self.via_of(user).cloned() else { return false };
        self.suspect(&replica, cx);
        true
    }

    /// Whether a session behind a link that is lost asks by another way whether it is in the room, or takes itself to be:
    /// it hears nothing of the room, and must enter again to do so.
    fn has_come_around(&self, user: &Jid, stanza: &Element) -> bool {
        let says = stanza.name() == "message" && stanza.get("type") != Some("error");
        let own = |room: &Room| room.sessions.get(user).map(|nick| nick.in_room(&room.jid).to_string());
        let pings = stanza.get("type") == Some("get") && stanza.has_child("ping", ns::PING);
        (says || (pings && stanza.get("to") == own(self).as_deref())) && self.is_behind_split(user)
    }

    /// Whether this session is served through a link that is lost.
    pub(super) fn is_behind_split(&self, user: &Jid) -> bool {
        self.via_of(user).is_some_and(|via| self.links.is_lost(via))
    }

    /// Whether what this session said may still be on its way from before its link was lost, and its site has yet to say who is there.
    pub(crate) fn is_unreported(&self, user: &Jid) -> bool {
        let Some(Via::Replica(replica)) = self.via_of(user) else { return false };
        let link = self.links.links.get(replica);
        link.is_some_and(|link| link.is_split() || link.suspect_ms.is_some() || link.report_ms.is_some())
    }

    /// By which way a session is served.
    fn via_of(&self, user: &Jid) -> Option<&Via> {
        let occupant = self.occupants.get(self.sessions.get(user)?)?;
        Some(&occupant.sessions.iter().find(|session| session.jid == *user)?.via)
    }

    /// 4.8: something a replica relays for a user.
    pub fn relayed(&mut self, stanza: Element, user: Jid, mark: UpMark, cx: &mut Cx<'_>) {
        if self.is_busy() {
            return self.wait_relayed(stanza, user, mark);
        }
        let Some(replica) = self.links.speaker(&user, &mark.outbox) else {
            return self.relayed_by_nobody(stanza, user, mark, cx);
        };
        let present = self.links.links.get(&replica);
        if let Some(epoch) = &mark.epoch
            && present.is_none_or(|link| link.epoch != *epoch || link.is_over() || link.is_split())
            && !flaw!(EpochNotChecked)
        {
            return self.tell_stale(&replica, epoch, cx);
        }
        if present.is_some_and(Link::is_split) && !self.links.pending.contains_key(&replica) {
            // Its request is lost; the outbox it stands in still has it.
            return;
        }
        self.sign_of_life(&replica, cx);
        match self.links.marks.judge(&replica, &mark.outbox, mark.n) {
            Judged::Duplicate => self.acknowledge_again(&replica, &mark.outbox),
            Judged::Gap(from) => self.ask_again(&replica, &mark.outbox, from, cx),
            Judged::Next => {
                let up = self.up(replica, user, mark, cx.now);
                if self.may_have_been_said(&stanza, &up) {
                    self.seek(stanza, up, cx);
                } else {
                    self.hand_on(stanza, up, cx);
                }
            }
        }
    }

    fn up(&self, replica: Jid, from: Jid, mark: UpMark, now: Now) -> Up {
        let island = self.island_of(&replica, &mark, now);
        let doubted = self.links.marks.is_doubted(&replica, &mark.outbox);
        Up { replica, outbox: mark.outbox, n: mark.n, doubted, from, island }
    }

    pub(super) fn hand_on(&mut self, stanza: Element, up: Up, cx: &mut Cx<'_>) {
        if let Some(link) = self.links.links.get_mut(&up.replica) {
            link.asked.remove(&up.outbox);
            link.handed.remove(&up.from);
        }
        self.links.handling = Some((up.replica.clone(), wire::Ack { outbox: up.outbox.clone(), n: up.n }));
        self.seat_for_the_log(&stanza, &up, cx);
        cx.up = Some(up);
        cx.mark_kept = false;
        self.handle_stanza(stanza, cx);
        self.settle_mark(cx);
        self.links.handling = None;
        cx.up = None;
    }

    /// No registration here has that outbox. Without an epoch its request may still be on its way; with one it is over.
    fn relayed_by_nobody(&mut self, stanza: Element, user: Jid, mark: UpMark, cx: &mut Cx<'_>) {
        match (&mark.epoch, self.links.marks.replica_of(&user, &mark.outbox)) {
            (None, Some(replica)) if self.is_closed_to(&replica) => {
                self.said_once_more(stanza, user, replica, mark, cx)
            }
            (Some(epoch), Some(replica)) if !flaw!(EpochNotChecked) => self.tell_stale(&replica, epoch, cx),
            // What came behind a request that was refused its site does not say again.
            (None, _) if self.links.was_refused(&user, &mark.outbox, cx.now.mono_ms) => self.handle_stanza(stanza, cx),
            // Its request has been here, and what came of it is over, or replaced: its site says it again with another.
            (None, Some(_)) => {}
            (None, _) if self.links.early.len() < EARLY_MAX && self.waits_for_request(&stanza, &mark) => {
                let expires_ms = cx.now.mono_ms + PENDING_MS;
                self.links.early.push_back(HeldUp { stanza, user, mark, expires_ms });
            }
            _ => self.handle_stanza(stanza, cx),
        }
    }

    /// A site whose link was revoked says once more what it was not told the outcome of. Nothing of it is asked for again, so
    /// a gap is of what was known before a crash.
    fn said_once_more(&mut self, stanza: Element, user: Jid, replica: Jid, mark: UpMark, cx: &mut Cx<'_>) {
        if mark.n > self.links.marks.get(&replica, &mark.outbox) {
            self.links.marks.raise(&replica, &mark.outbox, mark.n);
            let up = self.up(replica, user, mark, cx.now);
            self.hand_on(stanza, up, cx);
        }
    }

    /// A join waits, and what follows it from the same outbox; anything else with such a mark is plain.
    fn waits_for_request(&self, stanza: &Element, mark: &UpMark) -> bool {
        is_join(stanza) || self.links.early.iter().any(|held| held.mark.outbox == mark.outbox)
    }

    /// The request has come for which these waited.
    pub(super) fn take_up_early(&mut self, replica: &Jid, outboxes: &[String], cx: &mut Cx<'_>) {
        let mut rest = std::mem::take(&mut self.links.early);
        let mut taken = Vec::new();
        rest.retain_mut(|held| {
            let is_its = outboxes.contains(&held.mark.outbox)
                && self.links.speaker(&held.user, &held.mark.outbox).as_ref() == Some(replica);
            if is_its {
                let stanza = std::mem::replace(&mut held.stanza, Element::stanza("message"));
                taken.push((stanza, held.user.clone(), held.mark.clone()));
            }
            // What waits from another outbox of that site is of a request that this one has replaced.
            !is_its && held.user.domain() != replica.domain()
        });
        self.links.early = rest;
        for (stanza, user, mark) in taken {
            self.relayed(stanza, user, mark, cx);
        }
    }

    /// A duplicate: its outcome was said, perhaps on something that was lost.
    fn acknowledge_again(&mut self, replica: &Jid, outbox: &str) {
        let is_lazy = self.links.lazy.iter().any(|(_, by, ack)| by == replica && ack.outbox == outbox);
        let n = self.links.marks.get(replica, outbox);
        if let Some(link) = self.links.links.get_mut(replica).filter(|_| !is_lazy && self.gate.held() == 0) {
            link.due.insert(outbox.to_owned(), n);
        }
    }

    /// Something is missing before what came: asked for once, and again when that has had its time.
    pub(super) fn ask_again(&mut self, replica: &Jid, outbox: &str, from: u64, cx: &mut Cx<'_>) {
        let now = cx.now.mono_ms;
        let Some(link) = self.links.links.get_mut(replica) else { return };
        if link.asked.get(outbox).is_some_and(|(n, at)| *n == from && now < at + ASK_AGAIN_MS) {
            return;
        }
        link.asked.insert(outbox.to_owned(), (from, now));
        let at = link.next(Kind::Resend);
        let stanza = Element::stanza("message").attr("from", self.jid.as_str());
        let x = Down::Resend { outbox: outbox.to_owned(), from }.x();
        let mut outputs = Vec::new();
        link.pass(replica, Shared::new(stanza.child(x)), at, &mut outputs);
        self.gate.pass_all(outputs, cx.out);
    }

    /// Something came under an epoch that is not the present one.
    pub(super) fn tell_stale(&mut self, replica: &Jid, epoch: &str, cx: &mut Cx<'_>) {
        let now = cx.now.mono_ms;
        self.links.stale_told.retain(|_, told| now < *told + STALE_MS);
        if self.links.stale_told.contains_key(replica) && !flaw!(StaleEachTime) {
            return;
        }
        self.links.stale_told.insert(replica.clone(), now);
        self.gate.pass(Stale { epoch: epoch.to_owned() }.told(&self.jid, replica), cx.out);
    }

    /// A replica is there.
    pub(super) fn sign_of_life(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        // One that is split has missed what was told since; it must register again.
        let Some(link) = self.links.links.get_mut(replica).filter(|link| !link.is_split()) else { return };
        (link.heard_ms, link.heard_mono_ms) = (cx.now.unix_ms, cx.now.mono_ms);
        if link.suspect_ms.take().is_some() {
            self.release(replica, cx);
        }
    }

    /// A replica may not be reachable: what is told is held, and nobody hears of it yet.
    pub(super) fn suspect(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let now = cx.now.mono_ms;
        if let Some(link) = self.links.links.get_mut(replica) {
            Link::doubt(link, now);
        }
    }
}

impl Link {
    /// Doubts it, from the first reason on.
    pub fn doubt(&mut self, now_ms: u64) {
        if !self.is_split() {
            self.suspect_ms.get_or_insert(now_ms);
        }
    }
}

/// Whether by this somebody asks to be in, or says that he is not.
fn comes_or_goes(stanza: &Element) -> bool {
    is_join(stanza) || (stanza.name() == "presence" && stanza.get("type") == Some("unavailable"))
}

/// Whether an error says that a server or service cannot be reached (RFC 6120 8.3.3), as a bounce of a link stanza does.
pub(super) fn is_connectivity(stanza: &Element) -> bool {
    has_condition(stanza, &CONNECTIVITY)
}

fn is_unreachable(stanza: &Element) -> bool {
    has_condition(stanza, &CONNECTIVITY[..2])
}

fn has_condition(stanza: &Element, conditions: &[&str]) -> bool {
    let children = stanza.get_child("error", ns::CLIENT).into_iter().flat_map(Element::children);
    children.filter(|c| c.ns() == ns::STANZA_ERRORS).any(|c| conditions.contains(&c.name()))
}

/// The first two are about the server alone.
const CONNECTIVITY: [&str; 5] =
    ["remote-server-not-found", "remote-server-timeout", "service-unavailable", "gone", "recipient-unavailable"];
/// How long after asking for something missing the same may be asked for again.
const ASK_AGAIN_MS: u64 = 5_000;
/// A replica is told of a stale epoch at most this often.
const STALE_MS: u64 = 1_000;
/// Most relayed stanzas that wait for the request of their site, per room.
const EARLY_MAX: usize = 64;
