//! Netsplit, XEP-0282 4.11, as the primary sees it: a link that is lost keeps its seats for `retention_seconds`; then they are
//! removed (333) and remembered as long again, so that they may be entered again. `docs/wire.md`, *Netsplit*.

use super::link::{Link, Links, Phase};
use super::removals::Why;
use crate::flaws::flaw;
use crate::names::{Nick, Status};
use crate::room::{Cx, JoinError, Room, Via};
use crate::wire::{CensusSeat, Removed, Verdict};
use machine::Output;
use xmpp::{Element, Jid};

impl Room {
    /// The link is lost: nothing is sent to the replica any more, and nobody loses a seat by it.
    pub(super) fn split(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.get_mut(replica) else { return };
        cx.out.push(Output::Log(format!(
            "{}: the link to {replica} is split; {} sessions",
            self.jid,
            link.seats.len()
        )));
        link.phase = Phase::Split { since_ms: cx.now.mono_ms };
        link.suspect_ms = None;
        link.held.clear();
        link.due.clear();
        link.silent.clear();
        self.links.note_split(replica, cx.now.mono_ms);
        self.links.end_if_empty(replica);
        if self.links.links.contains_key(replica) {
            self.mark_away(replica, cx);
        }
    }

    /// A split site has not come back in time: all others hear that its seats are gone.
    fn lapse(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.remove(replica) else { return };
        cx.out.push(Output::Log(format!("{}: {replica} is given up; {} sessions", self.jid, link.seats.len())));
        for jid in &link.seats {
            let Some(nick) = self.sessions.get(jid).cloned() else { continue };
            let session = self.occupants.get(&nick).and_then(|o| o.sessions.iter().find(|s| s.jid == *jid));
            if let Some(session) = session.filter(|s| s.via == Via::Replica(replica.clone())).cloned() {
                if !flaw!(RetentionVoids) {
                    self.links.removals.split(&session, nick.clone(), self.order.seq, cx.now.mono_ms);
                }
                self.remove_session(jid, &[Status::FAILURE], None, cx);
                // Its record stays, so that it may come back after a restart as well.
                self.keep_session(&session, &nick, cx);
            }
        }
    }

    /// What became of a session of the census that is not in the room, and the nick it would have; `None` when nothing is
    /// known of it.
    pub(super) fn verdict_on_absent(&self, replica: &Jid, seat: &CensusSeat) -> Option<(Nick, Verdict)> {
        let was_here = self.lost.iter().any(|lost| lost.jid == seat.jid && lost.via == Via::Replica(replica.clone()));
        let by_split = match self.links.removals.get(&seat.jid) {
            Some(removal) => match &removal.why {
                // Perhaps under a nick that it was given since its site heard of it last: it is the same session.
                Why::Split(_) => true,
                Why::Left => {
                    let removed = Removed { status: Status::FAILURE, actor: None, reason: None };
                    return Some((seat.nick.clone(), Verdict::Removed(removed)));
                }
                Why::Done(_) if flaw!(KickUndone) => true,
                Why::Done(removed) => return Some((seat.nick.clone(), Verdict::Removed(removed.clone()))),
            },
            None => was_here || self.has_seat_for(seat),
        };
        by_split.then(|| match self.nick_again(&seat.jid, &seat.nick) {
            Ok(nick) => (nick, Verdict::Reenter),
            Err(error) => {
                let removed = Removed { status: status_of(error), actor: None, reason: None };
                (seat.nick.clone(), Verdict::Removed(removed))
            }
        })
    }

    /// Whether this is a new session of somebody whose seat is here, or was until a split: no entry of somebody new.
    fn has_seat_for(&self, seat: &CensusSeat) -> bool {
        let bare = seat.jid.bare();
        self.occupants.get(&seat.nick).is_some_and(|occupant| occupant.bare == bare)
            || self.links.removals.split_seat(&bare, &seat.nick)
            || self.lost.iter().any(|lost| lost.nick == seat.nick && lost.jid.bare() == bare)
    }

    /// Enters a session again whose seat a split alone has cost; its replica and user carry on as if nothing had been.
    /// `false` when it may not.
    pub(super) fn reenter(&mut self, replica: &Jid, seat: &CensusSeat, nick: &Nick, cx: &mut Cx<'_>) -> bool {
        let payload = match self.links.removals.get(&seat.jid).map(|removal| &removal.why) {
            _ if !seat.payload.is_empty() => crate::room::payload_of(&presence_of(seat)),
            Some(Why::Split(payload)) => payload.clone(),
            _ => Vec::new(),
        };
        if let Some(link) = self.links.links.get_mut(replica) {
            link.silent.insert(seat.jid.clone());
        }
        let entered = self.enter_again(nick.clone(), &seat.jid, payload, cx);
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

    /// What was kept of a session that will not come back by a census. Who left or was removed by somebody is remembered all the
    /// same: the answer that says so may be lost, and the replica ask again.
    pub(super) fn forget_absent(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        if self.links.removals.get(jid).is_some_and(|removal| matches!(removal.why, Why::Split(_))) {
            self.links.removals.forget(jid);
        }
        if !self.sessions.contains_key(jid) {
            self.forget_session(jid, cx);
        }
    }

    /// When [`Room::link_timeout`] is wanted, monotonic milliseconds.
    pub fn next_link_timeout(&self) -> Option<u64> {
        let retention_ms = self.retention_ms();
        let requests = self.links.pending.values().map(|request| request.expires_ms);
        let early = self.links.early.iter().map(|held| held.expires_ms);
        let links = self.links.links.iter().filter_map(|(replica, link)| match link.split_ms() {
            Some(since) => Some(since.saturating_add(retention_ms)),
            None => self.splits_at(replica, link).into_iter().chain(link.report_ms).min(),
        });
        requests
            .chain(early)
            .chain(links)
            .chain(self.links.removals.next_expiry(retention_ms))
            .chain(self.links.overlay.next_ms())
            .min()
    }

    /// When a link is split if nothing is heard, monotonic milliseconds: at once when it holds too much, else so long after it
    /// was first doubted, and longer for one that is split again and again.
    fn splits_at(&self, replica: &Jid, link: &Link) -> Option<u64> {
        if link.overflows() {
            return Some(0);
        }
        let since = link.suspect_ms?;
        let suspect_ms = self.service.suspect_seconds.saturating_mul(1_000);
        Some(since.saturating_add(suspect_ms.saturating_mul(self.links.patience(replica, since))))
    }

    pub(crate) fn retention_ms(&self) -> u64 {
        self.service.retention_seconds.saturating_mul(1_000)
    }

    /// The time asked for has come.
    pub fn link_timeout(&mut self, cx: &mut Cx<'_>) {
        self.links.now_ms = cx.now.mono_ms;
        self.expire_requests(cx);
        let (now, retention_ms) = (cx.now.mono_ms, self.retention_ms());
        for replica in self.links.replicas() {
            let Some(link) = self.links.links.get(&replica) else { continue };
            match link.split_ms() {
                Some(since) if since.saturating_add(retention_ms) <= now => self.lapse(&replica, cx),
                None if flaw!(RetentionGoesOn)
                    && self.links.split_before(&replica, now.saturating_sub(retention_ms)) =>
                {
                    self.lapse(&replica, cx);
                }
                None if self.splits_at(&replica, link).is_some_and(|at| at <= now) => self.split(&replica, cx),
                None if link.report_ms.is_some_and(|at| at <= now) => self.report_over(&replica, cx),
                _ => {}
            }
        }
        self.lift_some(cx);
        for jid in self.links.removals.expire(now, retention_ms) {
            self.forget_absent(&jid, cx);
        }
    }

    /// Whether the links still need a room that nobody is in: a request is pending, a split site may come back, or a report is not
    /// over, in which somebody who has left may have come back.
    pub fn links_hold(&self) -> bool {
        let links = &self.links;
        !links.pending.is_empty() || !links.early.is_empty() || links.removals.awaits() || links.await_reports()
    }
}

impl Links {
    /// Whether the report of some site is not over.
    pub fn await_reports(&self) -> bool {
        self.links.values().any(|link| link.report_ms.is_some())
    }

    /// Notes that a link was split now.
    fn note_split(&mut self, replica: &Jid, now_ms: u64) {
        for splits in self.splits.values_mut() {
            splits.retain(|at| at.saturating_add(SPLITS_MS) > now_ms);
        }
        self.splits.retain(|_, splits| !splits.is_empty());
        let splits = self.splits.entry(replica.clone()).or_default();
        splits.push(now_ms);
        if splits.len() > DOUBLINGS_MAX as usize {
            splits.remove(0);
        }
    }

    /// Whether a link was last split before this time, monotonic milliseconds, as far as that is remembered.
    fn split_before(&self, replica: &Jid, at_ms: u64) -> bool {
        self.splits.get(replica).and_then(|splits| splits.last()).is_some_and(|at| *at < at_ms)
    }

    /// By what the suspect time is multiplied for a link that is doubted since `since_ms`.
    fn patience(&self, replica: &Jid, since_ms: u64) -> u64 {
        let lately = |splits: &Vec<u64>| splits.iter().filter(|at| at.saturating_add(SPLITS_MS) > since_ms).count();
        1 << self.splits.get(replica).map_or(0, lately).min(DOUBLINGS_MAX as usize)
    }

    /// Whether what is told does not get there because the link is lost.
    pub(super) fn is_lost(&self, via: &Via) -> bool {
        matches!(via, Via::Replica(replica) if self.links.get(replica).is_some_and(Link::is_split))
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

/// How long a split makes the next one slower to be taken for one.
const SPLITS_MS: u64 = 60 * 60 * 1_000;
/// How often the suspect time is doubled at the most.
const DOUBLINGS_MAX: u32 = 3;
