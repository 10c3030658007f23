//! Roster and history at the start, XEP-0282 4.3 and 4.4, and what of them is news after a loss.
//!
//! A snapshot is applied whole or not at all. After a loss those who stayed are shown the net difference of the
//! rosters (`difference`), and told once what was said meanwhile.

use super::archive::Whole;
use super::away::Overlay;
use super::difference::Renamed;
use super::leave::Parting;
use super::life::Sign;
use super::members::Memberships;
use super::mirror::Mirror;
use super::roster::{Seat, Seats, Stored};
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::{Nick, Status};
use crate::room::{Past, is_subject};
use crate::wire::{At, Granted, HistorySent, Kind, RoomConfig, RosterSent, Verdict};
use machine::{Change, Output};
use std::borrow::Cow;
use std::collections::BTreeSet;
use xmpp::{Element, Jid, Shared};

/// A snapshot as far as it has come.
#[derive(Debug)]
pub(super) struct Staging {
    granted: Granted,
    /// Whether people have been told that the room was set back, and that something is missing by that.
    set_back: bool,
    pub config: Option<RoomConfig>,
    pub seats: Seats,
    /// Who of this site may enter while the link is split.
    pub members: Memberships,
    /// Who is behind another link that is split.
    pub away: Overlay,
    /// History or what was missed, oldest first.
    past: Vec<Past>,
    /// The subject, where it has come; `None` inside for one that was never set.
    subject: Option<Option<Past>>,
}

impl Staging {
    /// Nothing has come yet; `seats` is what a roster that is sent as changes changes.
    pub fn new(granted: Granted, seats: &Seats) -> Staging {
        let seats = if granted.roster == RosterSent::Changes { seats.clone() } else { Seats::new() };
        Staging {
            granted,
            set_back: false,
            config: None,
            seats,
            members: Memberships::new(),
            away: Overlay::new(),
            past: Vec::new(),
            subject: None,
        }
    }

    /// The same where people have been told that the room was set back.
    pub fn knowing(self, set_back: bool) -> Staging {
        Staging { set_back, ..self }
    }

    /// Whether more may come.
    fn is_within_bounds(&self) -> bool {
        self.seats.len() < SEATS_MAX && self.past.len() < PAST_MAX && self.away.len() < SEATS_MAX
    }
}

impl Mirror {
    /// How long the snapshot may take, as far as it has come: it is sent in turns with all the others of a link.
    pub(super) fn snapshot_ms(&self) -> u64 {
        let messages = self.link.staging.as_ref().map_or(0, |staging| staging.past.len());
        SNAPSHOT_MS * (1 + messages / MESSAGES_MORE) as u64
    }

    pub(super) fn stage(&mut self, change: impl FnOnce(&mut Staging), cx: &mut Cx<'_>) {
        match &mut self.link.staging {
            Some(staging) if staging.is_within_bounds() => change(staging),
            _ => {
                cx.log(format!("link {}: the snapshot is larger than allowed", self.room));
                self.lost(cx);
            }
        }
    }

    /// The place of a seat that is new.
    pub(super) fn next_place(&mut self) -> u64 {
        self.places += 1;
        self.places
    }

    pub(super) fn stage_seat(&mut self, presence: &Element, cx: &mut Cx<'_>) {
        let Some(nick) = Nick::of_sender(presence) else { return };
        if presence.get("type") == Some("unavailable") {
            return self.stage(|staging| drop(staging.seats.remove(&nick)), cx);
        }
        let Some(seat) = Seat::of(presence) else { return };
        let next = self.next_place();
        let put = |staging: &mut Staging| {
            let known = staging.seats.get(&nick).filter(|known| known.is_of(&seat));
            let place = known.map_or(next, |known| known.place);
            staging.seats.insert(nick, Seat { place, ..seat });
        };
        self.stage(put, cx);
    }

    pub(super) fn stage_past(&mut self, said_ms: Option<i64>, at: &At, stanza: Element, cx: &mut Cx<'_>) {
        let past = said_ms.map(|said_ms| self.past_of(stanza, at.seq.unwrap_or_default(), said_ms));
        match (at.kind, past) {
            (Kind::Subject, past) => self.stage(|staging| staging.subject = Some(past), cx),
            (_, Some(past)) => self.stage(|staging| staging.past.push(past), cx),
            (_, None) => {}
        }
    }

    /// The snapshot is whole; `gap` when recent history stands in it for what was missed.
    pub(super) fn synced(&mut self, seq: u64, gap: bool, cx: &mut Cx<'_>) {
        let Some(staging) = self.link.staging.take() else { return };
        let told = self.link.place.as_ref().map_or(0, |place| place.seq);
        let is_of_start = self.link.place.as_ref().is_none_or(|place| place.term == staging.granted.term);
        self.sign(Sign::Synced, cx);
        self.link.lost_at = None;
        if let Some(config) = staging.config {
            self.config = config;
        }
        self.members = staging.members;
        let mut seats = staging.seats;
        seats.values_mut().for_each(|seat| seat.told = self.shows(seat));
        let otherwise = self.all_shown_otherwise();
        let renamed = self.judged(&staging.granted, cx);
        self.half_removed.clear();
        let mut before = std::mem::replace(&mut self.seats, seats);
        self.jids_stored = self.seats.values().any(|seat| seat.jid.is_some());
        before.retain(|nick, _| !otherwise.contains_key(nick));
        before.extend(otherwise.into_iter().filter_map(|(nick, seat)| Some((nick, seat?))));
        let acked = self.outbox.acked();
        self.echoes.retain(|echo| echo.n > acked);
        self.follow_told();
        self.link.roster = Stored::AsOfPlace;
        self.lower_classes(cx);
        let gone: Vec<&Nick> = self.gone.values().map(|session| &session.nick).collect();
        // Somebody else may have the nick by now. Who entered here and has left again is known to the room by neither yet.
        let passed_by = |nick: &Nick| !self.seats.contains_key(nick) && self.echoes.iter().any(|e| e.nick == *nick);
        self.hidden.retain(|nick| (self.seats.contains_key(nick) && gone.contains(&nick)) || passed_by(nick));
        let marks = cx.site.config.split.mark_away;
        let covered = std::mem::replace(&mut self.away, if marks { staging.away } else { Overlay::new() });
        let before = before.iter().map(|(nick, seat)| (nick, Cow::Borrowed(seat))).collect();
        self.show_difference(&before, &self.all_as_shown(), &renamed, cx);
        self.show_overlay(&covered, cx);
        self.end_island(cx);
        let gap = gap || staging.granted.history == HistorySent::Recent;
        // Another start that knows the last message here has told all of it behind that, in whatever place.
        let behind = staging.past.first().filter(|_| !gap && !is_of_start).map(|first| first.seq.saturating_sub(1));
        behind.into_iter().for_each(|behind| self.last_is_up_to(behind, cx));
        let tells_gap = gap && staging.granted.seq > told && !staging.set_back;
        self.catch_up(tells_gap, behind.map_or(told, |behind| behind.min(told)), staging.past, cx);
        self.settle_had(gap, cx);
        self.put_orphans_aside(cx);
        if let Some(subject) = staging.subject {
            self.show_subject(subject, cx);
        }
        self.take_over(cx);
        self.reclass(cx);
        if let Some(place) = &mut self.link.place {
            (place.seq, place.term) = (place.seq.max(seq), staging.granted.term);
            if gap {
                place.whole = Whole { behind: seq, since_ms: cx.now.unix_ms };
            }
        }
        let mut changes = self.stands(cx);
        changes.extend(self.swept());
        let kept_ms = i64::from(cx.site.config.mirror_days) * super::keep::DAY_MS;
        changes.push(Change::TrimArchive { archive: self.archive(), before_ms: cx.now.unix_ms - kept_ms });
        cx.keep(changes);
    }

    /// What became of those who were here: told to whom it concerns. Gives those who have another nick now.
    pub(super) fn judged(&mut self, granted: &Granted, cx: &mut Cx<'_>) -> Renamed {
        let mut renamed = Renamed::default();
        if self.link.fresh {
            return renamed;
        }
        for seat in &granted.seats {
            let Verdict::Removed(removed) = &seat.verdict else {
                // Renamed while the link was down.
                if let Some(session) = self.sessions.get_mut(&seat.jid).filter(|session| session.nick != seat.nick)
                    && !flaw!(NickKept)
                {
                    let before = std::mem::replace(&mut session.nick, seat.nick.clone());
                    self.rename_echoes(&before, &seat.nick);
                    renamed.sessions.insert(seat.jid.clone(), (before, seat.nick.clone()));
                    if seat.verdict == Verdict::Reenter {
                        renamed.assigned.insert(seat.nick.clone());
                    }
                }
                if let Some(session) = self.gone.get_mut(&seat.jid).filter(|session| session.nick != seat.nick) {
                    let before = std::mem::replace(&mut session.nick, seat.nick.clone());
                    if self.hidden.contains(&before) {
                        self.hidden.insert(seat.nick.clone());
                    }
                }
                continue;
            };
            if flaw!(VerdictSkipped) {
                continue;
            }
            self.gone.remove(&seat.jid);
            let comes_back = self.sessions.get(&seat.jid).is_some_and(|session| session.awaits_enter());
            if comes_back && granted.roster != RosterSent::None {
                // He has come back since; that has an outcome of its own, where there is a link by which to hear of it.
                continue;
            }
            let mut parting = Parting::from(removed);
            if self.is_leaving(&seat.jid) {
                // Who has left himself is told what his LEAVE would have said.
                parting.statuses.clear();
            }
            self.take_out(&seat.jid, &parting, cx);
        }
        let known = self.sessions.iter().filter(|(_, session)| !session.awaits_enter()).map(|(jid, _)| jid);
        let named: BTreeSet<&Jid> = granted.seats.iter().map(|seat| &seat.jid).collect();
        let unnamed: Vec<Jid> = known.filter(|jid| !named.contains(jid)).cloned().collect();
        for jid in unnamed {
            let statuses = if self.is_leaving(&jid) { None } else { Some(Status::FAILURE) };
            self.take_out(&jid, &Parting::with(statuses), cx);
        }
        renamed
    }

    fn is_leaving(&self, jid: &Jid) -> bool {
        self.sessions.get(jid).is_some_and(|session| session.leaving)
    }

    /// What was said: kept, and told once to those who were here and have been `told` up to this event.
    fn catch_up(&mut self, gap: bool, told: u64, past: Vec<Past>, cx: &mut Cx<'_>) {
        if self.link.fresh {
            self.archive_recent(&past, cx);
            // What is in the mirror of when there was somebody here may have been taken back since.
            past.iter().for_each(|past| self.bury_retracted(past.stanza.element(), cx));
            return self.past.replace(past.into_iter().filter(|p| !is_subject(p.stanza.element())).collect());
        }
        if gap {
            self.tell_gap(cx);
        }
        for missed in past.into_iter().filter(|past| past.seq > told) {
            if flaw!(SubjectMissed) && is_subject(missed.stanza.element()) {
                continue;
            }
            let stanza = missed.delayed(&self.room);
            let shown = self.comes(&missed.id, cx);
            if !self.sessions.is_empty() {
                let (plain, jids) = (Some(stanza.clone()), Some(stanza.clone()));
                cx.out.push(Output::Broadcast { audience: self.audience, plain, jids, except: shown.seen_by });
            }
            let handed = self.link.handed.iter().filter(|(_, behind)| missed.seq > **behind);
            cx.out.extend(handed.map(|(to, _)| Output::Send { to: to.clone(), stanza: stanza.clone() }));
            self.remember(missed, shown.was, cx);
        }
    }

    /// Says that what was said while the link was down is not all there.
    fn tell_gap(&mut self, cx: &mut Cx<'_>) {
        let text = "This server was cut off from the room. What was said long ago may be missing here.";
        self.announce(text, cx);
    }

    /// Takes the subject over, and shows it where it has changed otherwise than by a message that was told.
    fn show_subject(&mut self, subject: Option<Past>, cx: &mut Cx<'_>) {
        let id = |past: &Option<Past>| past.as_ref().map(|past| past.id.clone());
        let changed = id(&self.past.subject) != id(&subject);
        subject.iter().for_each(|said| drop(self.awaited.has_come(&said.id)));
        self.past.subject = subject;
        if flaw!(SubjectMissed) {
            return;
        }
        if changed && !self.link.fresh && !self.sessions.is_empty() {
            let stanza: Shared = self.past.subject_stanza(&self.room);
            let (plain, jids) = (Some(stanza.clone()), Some(stanza));
            cx.out.push(Output::Broadcast { audience: self.audience, plain, jids, except: Vec::new() });
        }
    }
}

/// How long a snapshot may take, and how much longer with every so many messages.
const SNAPSHOT_MS: u64 = 60_000;
/// So many messages.
const MESSAGES_MORE: usize = 1_000;
/// Most seats in a room that is mirrored here; one that has more, or says so, is taken for lost.
pub(super) const SEATS_MAX: usize = 100_000;
/// Most messages in one snapshot.
const PAST_MAX: usize = 100_000;
