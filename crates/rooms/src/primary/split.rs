//! A link that is lost (XEP-0282 4.11): its sessions are removed with 333, and enter again when their replica is back.

use super::link::Links;
use super::removals::Why;
use crate::names::Status;
use crate::room::{Cx, JoinError, Room, Via};
use crate::wire::{CensusSeat, Removed, Verdict};
use machine::Output;
use xmpp::{Element, Jid};

impl Room {
    /// The replica is given up: nothing is sent to it, all others hear that its seats are gone.
    pub(super) fn split(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.remove(replica) else { return };
        cx.out.push(Output::Log(format!("{}: the link to {replica} is lost; {} sessions", self.jid, link.seats.len())));
        for jid in &link.seats {
            let Some(nick) = self.sessions.get(jid).cloned() else { continue };
            let session = self.occupants.get(&nick).and_then(|o| o.sessions.iter().find(|s| s.jid == *jid));
            if let Some(session) = session.filter(|s| s.via == Via::Replica(replica.clone())).cloned() {
                self.links.removals.split(&session, nick.clone(), cx.now.mono_ms);
                self.remove_session(jid, &[Status::FAILURE], None, cx);
                // Its record stays, so that it may come back after a restart as well.
                self.keep_session(&session, &nick, cx);
            }
        }
    }

    /// What became of a session of the census that is not in the room; `None` when nothing is known of it.
    pub(super) fn verdict_on_absent(&self, replica: &Jid, seat: &CensusSeat) -> Option<Verdict> {
        let was_here = self.lost.iter().any(|lost| lost.jid == seat.jid && lost.via == Via::Replica(replica.clone()));
        let by_split = match self.links.removals.get(&seat.jid) {
            Some(removal) if removal.nick == seat.nick || was_here => match &removal.why {
                Why::Split(_) => true,
                Why::Done(removed) => return Some(Verdict::Removed(removed.clone())),
            },
            _ => was_here,
        };
        by_split.then(|| match self.admit_again(&seat.jid, &seat.nick) {
            Ok(()) => Verdict::Reenter,
            Err(error) => Verdict::Removed(Removed { status: status_of(error), actor: None, reason: None }),
        })
    }

    /// Enters a session again whose seat a split alone has cost; its replica and user carry on as if nothing had been.
    /// `false` when it may not.
    pub(super) fn reenter(&mut self, replica: &Jid, seat: &CensusSeat, cx: &mut Cx<'_>) -> bool {
        let payload = match self.links.removals.get(&seat.jid).map(|removal| &removal.why) {
            _ if !seat.payload.is_empty() => crate::room::payload_of(&presence_of(seat)),
            Some(Why::Split(payload)) => payload.clone(),
            _ => Vec::new(),
        };
        if let Some(link) = self.links.links.get_mut(replica) {
            link.silent.insert(seat.jid.clone());
        }
        let entered = self.enter_again(seat.nick.clone(), &seat.jid, payload, cx);
        self.links.removals.forget(&seat.jid);
        if let Some(link) = self.links.links.get_mut(replica) {
            link.silent.remove(&seat.jid);
        }
        entered.is_ok()
    }

    /// Of those who were in the room before a restart, the census has said who still is.
    pub(super) fn forget_lost(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let through = Via::Replica(replica.clone());
        let (over, rest) = std::mem::take(&mut self.lost).into_iter().partition(|lost| lost.via == through);
        self.lost = rest;
        let over: Vec<crate::room::Lost> = over;
        for lost in &over {
            if !self.sessions.contains_key(&lost.jid) {
                self.forget_session(&lost.jid, cx);
            }
        }
    }

    /// What was kept of a session that will not come back by a census.
    pub(super) fn forget_absent(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        self.links.removals.forget(jid);
        if !self.sessions.contains_key(jid) {
            self.forget_session(jid, cx);
        }
    }

    /// When [`Room::link_timeout`] is wanted, monotonic milliseconds.
    pub fn next_link_timeout(&self) -> Option<u64> {
        let suspect_ms = self.service.suspect_seconds.saturating_mul(1_000);
        let requests = self.links.pending.values().map(|request| request.expires_ms);
        let early = self.links.early.iter().map(|held| held.expires_ms);
        let links = self.links.links.values().filter_map(|link| match link.suspect_ms {
            _ if link.overflows() => Some(0),
            since => since.map(|since| since.saturating_add(suspect_ms)),
        });
        requests.chain(early).chain(links).chain(self.links.removals.next_expiry()).min()
    }

    /// The time asked for has come.
    pub fn link_timeout(&mut self, cx: &mut Cx<'_>) {
        self.links.now_ms = cx.now.mono_ms;
        self.expire_requests(cx);
        let over = self.links.given_up(cx.now.mono_ms, self.service.suspect_seconds.saturating_mul(1_000));
        for replica in over {
            self.split(&replica, cx);
        }
        for jid in self.links.removals.expire(cx.now.mono_ms) {
            self.forget_absent(&jid, cx);
        }
    }

    /// Whether the links still need a room that nobody is in: a request is pending, or a split site may come back.
    pub fn links_hold(&self) -> bool {
        !self.links.pending.is_empty() || !self.links.early.is_empty() || self.links.removals.awaits()
    }
}

impl Links {
    /// Links that have been doubted for long enough, or hold more than they may.
    fn given_up(&self, now_ms: u64, suspect_ms: u64) -> Vec<Jid> {
        let is_over = |since: u64| since.saturating_add(suspect_ms) <= now_ms;
        let over = self.links.iter().filter(|(_, link)| link.overflows() || link.suspect_ms.is_some_and(is_over));
        over.map(|(replica, _)| replica.clone()).collect()
    }

    /// The replica for which this session is being entered again.
    pub(super) fn reentering(&self, user: &Jid) -> Option<Jid> {
        self.links.iter().find(|(_, link)| link.silent.contains(user)).map(|(replica, _)| replica.clone())
    }
}

/// A presence with what a census says of a session, to be cleaned like any other.
fn presence_of(seat: &CensusSeat) -> Element {
    Element::stanza("presence").with(seat.payload.iter().cloned())
}

/// How XEP-0045 15.6 says why somebody may not come back.
fn status_of(error: JoinError) -> Status {
    match error {
        JoinError::Banned => Status::BANNED,
        JoinError::MembersOnly => Status::MEMBERS_ONLY,
        _ => Status::FAILURE,
    }
}
