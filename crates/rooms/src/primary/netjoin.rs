//! Netjoin: what an island reports is judged against the room as it is now; `docs/wire.md`, *Netjoin*.
//!
//! Its log comes up by the outbox, in order. A seat lasts until its own reported leave, so that what was said before it
//! counts; whom the census did not name is taken out when the report is over.

use super::link::Link;
use super::marks::{Island, Up};
use super::removals::Why;
use super::replicate::{RegisterError, Request};
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use crate::room::{Cx, JoinError, Life, NICK_BYTES_MAX, Removal, Room, Standing, Via, judge_role};
use crate::wire::ids::message_id;
use crate::wire::{CensusSeat, Destroyed, Outbox, Replicate, Reported, Resume, Seat, UpMark, Verdict};
use machine::{Born, Change, Now};
use std::collections::BTreeSet;
use xmpp::{Element, Jid};

impl Room {
    /// A request that comes from a loss and resumes another life of the room is about one that is over.
    pub(super) fn judge_life(&self, asked: &Replicate) -> Result<(), RegisterError> {
        let comes_back = asked.census.as_ref().is_some_and(|(_, seats)| !seats.is_empty());
        let resume = asked.resume.as_ref().filter(|_| comes_back);
        match resume.filter(|resume| self.lives() && resume.incarnation != self.order.incarnation) {
            Some(resume) => {
                let incarnation = resume.incarnation.clone();
                Err(RegisterError::Gone(Destroyed { incarnation, venue: None, reason: None }))
            }
            None => Ok(()),
        }
    }

    /// Whether there is a room, opened or not.
    pub(super) fn lives(&self) -> bool {
        matches!(self.life, Life::Locked | Life::Open)
    }

    /// What a site had relayed when its link was lost, and was not told the outcome of, it has shown its users itself if the link was
    /// split, on what it had by then: whoever pages on from there has missed what came in between.
    pub(super) fn note_shown_ahead(&mut self, replica: &Jid, asked: &Replicate, cx: &mut Cx<'_>) {
        let is_of = |resume: &&Resume| resume.incarnation == self.order.incarnation && self.config.logging;
        let Some(resume) = asked.resume.as_ref().filter(is_of).filter(|_| !flaw!(BaseForgotten)) else { return };
        let had = |outbox: &Outbox| {
            let (key, last) =
                (self.order.outbox_key(replica, &outbox.name), self.links.marks.get(replica, &outbox.name));
            let first = outbox.from.max((last + 1).saturating_sub(SHOWN_AHEAD_MAX));
            (first..=last).map(move |n| message_id(&key, n))
        };
        let ids: Vec<String> = asked.outboxes.iter().flat_map(had).collect();
        if !ids.is_empty() {
            let base = self.resumed_at(resume).min(self.order.seq);
            self.gate.persist(vec![Change::Born { archive: self.jid.to_string(), ids, base }], cx.out);
        }
    }

    /// Nobody of the census has a seat or can have one again, or there is nobody in it: verdicts and marks are all there is to say, and
    /// there is no link. A join that waits for this request, or a domain that is being asked, is waited for.
    pub(super) fn answer_without_link(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(request) = self.links.pending.get(replica) else { return };
        let names = request.outbox_names();
        let waits = self.links.early.iter().any(|held| names.contains(&held.mark.outbox));
        if request.asked.census.is_some() && !waits && request.asking.is_empty() && self.lives() {
            self.grant_verdicts(replica, cx);
        }
    }

    /// From when on the island of a replica that registers may have accepted something: since its last link was last heard;
    /// or where a report was cut short, as that one; or, where nothing is known of one, within what is remembered.
    pub(super) fn island_from(&self, old: Option<&Link>, now_ms: i64) -> i64 {
        let remembered = self.retention_ms().saturating_mul(2);
        match old {
            Some(link) if link.report_ms.is_some() => link.island_from_ms,
            Some(link) => link.heard_ms,
            None => now_ms.saturating_sub_unsigned(remembered),
        }
    }

    /// Whether what a replica reports may have gone to another start of this service, and from that to all, before its disk was set back.
    pub(super) fn may_have_been_told(&self, old: Option<&Link>, request: &Request) -> bool {
        let to_another = request.asked.resume.as_ref().is_some_and(|resume| resume.term != self.order.term);
        to_another || old.is_some_and(|link| link.told_before && link.report_ms.is_some())
    }

    /// Where and on what something was said that has its place by now, when that was not the room as it is.
    pub fn born(&self, up: &Up) -> Option<Born> {
        let base = up.island.as_ref().map(|island| island.base);
        let told_before = |link: &&Link| link.told_before && link.report_ms.is_some();
        if self.links.links.get(&up.replica).filter(told_before).is_some() {
            // Another start has numbered otherwise what is behind this.
            let base = base.map_or(self.order.begun, |base| base.min(self.order.begun));
            return Some(Born { base, site: String::new() });
        }
        Some(Born { base: base?, site: up.from.domain().to_owned() })
    }

    /// After a loss the report of the island is waited for.
    pub(super) fn await_report(
        &mut self,
        replica: &Jid,
        request: &Request,
        (island_from_ms, told_before): (i64, bool),
        now: Now,
    ) {
        let Some(link) = self.links.links.get_mut(replica) else { return };
        (link.island_from_ms, link.told_before) = (island_from_ms, told_before);
        link.report_ms = request.asked.census.as_ref().map(|_| now.mono_ms + REPORT_MS);
    }

    /// Notes which seats of a census have another nick here.
    pub(super) fn note_renamed(&mut self, replica: &Jid, census: &[CensusSeat], seats: &[Seat]) {
        let Some(link) = self.links.links.get_mut(replica) else { return };
        let differs = |(asked, found): &(&CensusSeat, &Seat)| {
            asked.nick != found.nick && !matches!(found.verdict, Verdict::Removed(_))
        };
        link.renamed = census
            .iter()
            .zip(seats)
            .filter(differs)
            .map(|(asked, found)| (asked.nick.clone(), found.nick.clone()))
            .collect();
    }

    /// The nick under which somebody may enter again whose seat was lost for a technical reason alone: his own, or where
    /// another has it now, one like it.
    pub(super) fn nick_again(&self, user: &Jid, nick: &Nick) -> Result<Nick, JoinError> {
        self.nick_like(nick, |nick| self.admit_again(user, nick))
    }

    /// The nick, or where another has it, one like it that is admitted.
    pub fn nick_like(&self, nick: &Nick, admit: impl Fn(&Nick) -> Result<(), JoinError>) -> Result<Nick, JoinError> {
        // One more than there are to be taken: nobody puts another out by taking all that he might be given.
        let taken = self.occupants.len() + self.lost.len() + self.affiliations.reserved();
        for n in 0..=taken {
            let Some(tried) = nick_with(nick, n) else { continue };
            match admit(&tried) {
                Err(JoinError::NicknameConflict) => {}
                judged => return judged.map(|()| tried),
            }
        }
        Err(JoinError::NicknameConflict)
    }

    /// What an island says of something relayed: not before it was one, not after now, and of no event that is to come.
    pub(super) fn island_of(&self, replica: &Jid, mark: &UpMark, now: Now) -> Option<Island> {
        let link = self.links.links.get(replica);
        let from_ms = link.map_or_else(|| self.island_from(None, now.unix_ms), |link| link.island_from_ms);
        Some(Island {
            said_ms: mark.said?.max(from_ms).min(now.unix_ms),
            base: mark.base?.min(self.order.seq),
            kicker: mark.kicker.clone(),
            reason: mark.reason.clone().filter(|text| text.len() <= REASON_BYTES_MAX),
        })
    }

    /// Something said on the island by somebody who has left it since: where a split alone has cost him his seat, he has it
    /// again until his leave, or the end of the report.
    pub(super) fn seat_for_the_log(&mut self, stanza: &Element, up: &Up, cx: &mut Cx<'_>) {
        if up.island.is_none() || stanza.name() != "message" || self.sessions.contains_key(&up.from) {
            return;
        }
        let through = Via::Replica(up.replica.clone());
        let nick = match self.links.removals.get(&up.from) {
            Some(removal) => Some(&removal.nick).filter(|_| matches!(removal.why, Why::Split(_))),
            None => self.lost.iter().find(|lost| lost.jid == up.from && lost.via == through).map(|lost| &lost.nick),
        };
        let Some(nick) = nick.cloned() else { return };
        let seat = CensusSeat { nick, jid: up.from.clone(), payload: Vec::new() };
        let nick = self.nick_again(&seat.jid, &seat.nick);
        if nick.is_ok_and(|nick| self.reenter(&up.replica, &seat, &nick, cx))
            && let Some(link) = self.links.links.get_mut(&up.replica)
        {
            link.unlisted.insert(seat.jid);
        }
    }

    /// The nick by which a presence that an island accepted is meant: nobody changes his there, and one that has another
    /// seat of the same user in its place is that one.
    pub fn nick_meant(&self, user: &Jid, nick: Nick, cx: &Cx<'_>) -> Nick {
        let Some(up) = cx.up.as_ref().filter(|up| up.island.is_some()) else { return nick };
        if let Some(own) = self.sessions.get(user) {
            return own.clone();
        }
        let renamed = self.links.links.get(&up.replica).and_then(|link| link.renamed.get(&nick));
        let is_his = |nick: &&Nick| self.occupants.get(nick).is_some_and(|o| o.bare == user.bare());
        renamed.filter(is_his).cloned().unwrap_or(nick)
    }

    /// Whether a join that an island accepted is a further session of a seat that is here, which needs no password.
    pub fn joins_seat(&self, user: &Jid, nick: &Nick, cx: &Cx<'_>) -> bool {
        let is_his = self.occupants.get(nick).is_some_and(|occupant| occupant.bare == user.bare());
        is_his && cx.up.as_ref().is_some_and(|up| up.island.is_some())
    }

    /// Whether somebody whose join an island accepted, or his site before it resumed, had been kicked by then, or was later, and the site
    /// did not know. Of a kick the room keeps nothing by which that join would be refused, as it would be to the banned.
    pub fn was_kicked_meanwhile(&self, user: &Jid, cx: &Cx<'_>) -> bool {
        let Some(up) = &cx.up else { return false };
        let reports = || self.links.links.get(&up.replica).filter(|link| link.report_ms.is_some())?.resumed;
        let known = up.island.as_ref().map(|island| island.base).or_else(reports);
        known.is_some_and(|known| self.links.removals.kicked_since(user, known))
    }

    /// A kick on the island is the leave of its victim; it is told as a kick when who did it, somebody of the same site, may
    /// kick the victim as the room is now.
    pub fn kick_on_island(&self, victim: &Jid, cx: &Cx<'_>) -> Option<Removal> {
        let up = cx.up.as_ref()?;
        let island = up.island.as_ref()?;
        let kicker = island.kicker.as_ref()?;
        let renamed = self.links.links.get(&up.replica).and_then(|link| link.renamed.get(kicker));
        let actor = self.occupants.get(renamed.unwrap_or(kicker))?;
        let through = Via::Replica(up.replica.clone());
        if !actor.sessions.iter().any(|session| session.via == through) {
            return None;
        }
        let target = self.standing_of(victim);
        judge_role(Standing { role: actor.role, affiliation: actor.affiliation }, target, Role::None).ok()?;
        Some(Removal {
            actor: Some(actor.nick.to_string()),
            reason: island.reason.clone(),
            ..Removal::with([Status::KICKED])
        })
    }

    /// Whom of these domains a split has cost the seat will not come back by a census.
    pub(super) fn forget_split(&mut self, domains: &BTreeSet<String>, cx: &mut Cx<'_>) {
        let splits = self.links.removals.splits().map(|(jid, _)| jid);
        let of_site: Vec<Jid> = splits.filter(|jid| domains.contains(jid.domain())).cloned().collect();
        for jid in &of_site {
            self.forget_absent(jid, cx);
        }
    }

    /// The replica has sent all that its outbox held at the answer. What of that is asked for again is waited for.
    pub fn reported(&mut self, replica: &Jid, reported: Reported, cx: &mut Cx<'_>) {
        if self.is_busy() {
            return self.wait_report(replica, reported);
        }
        match self.links.links.get(replica) {
            Some(link) if link.epoch == reported.epoch && !link.asked.is_empty() => {}
            Some(link) if link.epoch == reported.epoch => self.report_over(replica, cx),
            _ => self.tell_stale(replica, &reported.epoch, cx),
        }
    }

    /// Nothing more comes from before the link was lost: whom the census did not name is not there.
    pub(super) fn report_over(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.get_mut(replica) else { return };
        link.report_ms = None;
        if link.is_over() {
            link.drop_behind_last();
        }
        let unlisted = std::mem::take(&mut link.unlisted);
        let domains = link.domains.clone();
        self.links.end_if_empty(replica);
        for jid in unlisted.iter().filter(|_| !flaw!(GhostsStay)) {
            self.remove_session(jid, &[Status::FAILURE], None, cx);
        }
        self.forget_split(&domains, cx);
        self.forget_lost(replica, cx);
        self.begin_lifting(replica, cx);
    }
}

/// The nick itself, and others like it, each of its own; of a long one the end gives way.
fn nick_with(nick: &Nick, n: usize) -> Option<Nick> {
    let suffix = match n {
        0 => return Some(nick.clone()),
        1 => "_".to_owned(),
        n => format!("_{n}"),
    };
    let mut stem = nick.as_str();
    while stem.len() + suffix.len() > NICK_BYTES_MAX {
        stem = &stem[..stem.char_indices().next_back()?.0];
    }
    format!("{stem}{suffix}").parse().ok()
}

/// How long a report is waited for.
pub(super) const REPORT_MS: u64 = 60_000;
/// Of how many stanzas of an outbox, the last ones, it is noted that their site may have shown them ahead of the room: as many as one
/// holds.
const SHOWN_AHEAD_MAX: u64 = 10_000;
/// Longest reason of a kick on an island, bytes: as of any other kick.
const REASON_BYTES_MAX: usize = 1_000;
