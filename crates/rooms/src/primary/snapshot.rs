//! The snapshot, XEP-0282 4.3 and 4.4: configuration, roster, history or what was missed, subject; then `synced`, and what
//! has happened meanwhile.

use super::changes::RosterWanted;
use super::link::{Link, Phase};
use super::receive::is_connectivity;
use crate::flaws::flaw;
use crate::room::{Cx, Past, Room, absent};
use crate::wire::{At, Down, JIDS_MAX, Kind, Resume};
use machine::{ArchivePage, ArchiveQuery, Class, Output, QueryId};
use xmpp::{Element, Jid, Shared, ns, stanza};

/// Where what a replica missed is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missed {
    /// It was not here before, or it cannot be said what it missed: recent history only.
    Recent,
    /// In memory: messages behind this number.
    Remembered(u64),
    /// In the archive: behind the message with this id, or else behind this number, which is this start's or that of one before.
    Archived(Option<String>, u64),
}

/// Where a page of the archive is read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    Id(String),
    Seq(u64),
}

impl Room {
    /// Where what was missed since `resume` is found.
    pub(super) fn missed_since(&self, resume: Option<&Resume>) -> Missed {
        let Some(resume) = resume.filter(|r| r.incarnation == self.order.incarnation) else { return Missed::Recent };
        let reaches = self.history.front().is_some_and(|oldest| oldest.seq <= resume.seq);
        if resume.term == self.order.term && (reaches || self.order.seq == resume.seq) {
            Missed::Remembered(resume.seq)
        } else if self.config.logging {
            Missed::Archived(resume.archive.clone(), self.resumed_at(resume))
        } else {
            Missed::Recent
        }
    }

    /// The last event that a replica has of those that this start knows. What another has numbered behind where this one has begun is
    /// lost: this room has come back from an older state.
    pub(super) fn resumed_at(&self, resume: &Resume) -> u64 {
        if resume.term == self.order.term { resume.seq } else { resume.seq.min(self.order.begun) }
    }

    /// Sends the snapshot to a replica that has just been granted its registration, as far as it is in memory.
    pub(super) fn send_snapshot(&mut self, replica: &Jid, roster: &RosterWanted, missed: Missed, cx: &mut Cx<'_>) {
        self.send_config(replica, cx);
        self.send_roster(replica, roster, cx);
        self.send_members(replica, cx);
        match missed {
            Missed::Recent => self.finish_snapshot(replica, true, false, cx),
            Missed::Remembered(seq) => {
                let mut past: Vec<Past> = self.history.iter().filter(|past| past.seq > seq).cloned().collect();
                if flaw!(MergeByClock) {
                    past.sort_by_key(said_ms);
                }
                self.send_past(replica, Kind::Missed, &past, cx);
                self.finish_snapshot(replica, false, false, cx);
            }
            Missed::Archived(id, seq) => {
                if let Some(link) = self.links.links.get_mut(replica) {
                    link.phase = Phase::syncing(seq, self.order.seq);
                }
                self.read_from(replica, id.map_or(From::Seq(seq), From::Id), seq, cx);
            }
        }
    }

    /// A page of the archive for a link that syncs.
    pub fn link_rows(&mut self, id: QueryId, page: Option<ArchivePage>, cx: &mut Cx<'_>) {
        let asked = |link: &Link| match &link.phase {
            Phase::Syncing { query, upto, behind, looking, gap, .. } if *query == id.0 => {
                Some(((*behind, *upto), looking.clone(), *gap, link.page_bytes))
            }
            _ => None,
        };
        let found = self.links.links.iter().find_map(|(replica, link)| Some((replica.clone(), asked(link)?)));
        let Some((replica, ((behind, upto), looking, gap, bytes_max))) = found else { return };
        // One that the room has lost and had once more has another place than when the replica had it.
        let is_known = |page: &ArchivePage| !page.unknown_id && page.behind <= behind;
        match (page, looking) {
            (Some(page), Some((seen, from))) if is_known(&page) => self.looked(&replica, &page, seen, from, cx),
            (Some(page), None) if is_known(&page) => {
                self.reads_on(&replica);
                let (past, last) = whole_rows(&page, upto, bytes_max);
                self.send_past(&replica, Kind::Missed, &past, cx);
                match last {
                    Some(id) => self.await_turn(&replica, From::Id(id), cx),
                    None => self.finish_snapshot(&replica, false, gap, cx),
                }
            }
            // Not what was missed, but all behind a number of which it is known; and the replica says that there is a gap.
            (Some(_), _) if !gap => {
                self.note_gap(&replica);
                self.read_from(&replica, From::Seq(behind), behind, cx);
            }
            // The store cannot say what was missed: recent history.
            _ => self.finish_snapshot(&replica, true, true, cx),
        }
    }

    /// A page is under way: the next is read when the replica has it, so that what is told of other rooms does not wait behind all of
    /// them.
    fn await_turn(&mut self, replica: &Jid, from: From, cx: &mut Cx<'_>) {
        let id = self.next_iq_id();
        let Some(link) = self.links.links.get_mut(replica) else { return };
        if let Phase::Syncing { turn, .. } = &mut link.phase {
            *turn = Some((id.clone(), from));
            let ping = Element::stanza("iq").attr("type", "get").attr("id", id).attr("from", self.jid.as_str());
            let stanza = Shared::new(ping.child(Element::new("ping", ns::PING)));
            self.gate.pass(Output::Send { to: replica.clone(), stanza }, cx.out);
        }
    }

    /// The answer of a replica that a page has come, whatever it says; whether it was one.
    pub(super) fn page_taken(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) -> bool {
        let Some(Phase::Syncing { turn, .. }) = self.links.links.get_mut(replica).map(|link| &mut link.phase) else {
            return false;
        };
        let Some((_, from)) = turn.take_if(|(id, _)| iq.get("id") == Some(id)) else { return false };
        if is_connectivity(iq) {
            self.suspect(replica, cx);
        } else {
            self.sign_of_life(replica, cx);
            self.read_missed(replica, from, cx);
        }
        true
    }

    /// A page of those that were missed, from the last backwards: where there are more than may be sent, the last that may be are
    /// sent from here on, and it is said that there is a gap.
    fn looked(&mut self, replica: &Jid, page: &ArchivePage, seen: usize, from: From, cx: &mut Cx<'_>) {
        let left = MISSED_MAX.saturating_sub(seen);
        match (page.rows.len().checked_sub(left), page.rows.first()) {
            (Some(over), _) if over > 0 || !page.complete => {
                let first = page.rows.get(over).or(page.rows.last()).map_or(0, |row| row.seq);
                self.note_gap(replica);
                self.reads_on(replica);
                self.read_missed(replica, From::Seq(first.saturating_sub(1)), cx);
            }
            (_, Some(first)) if !page.complete => {
                let before = (first.id.clone(), seen + page.rows.len());
                self.look_for_last(replica, from, Some(before), cx);
            }
            _ => self.read_missed(replica, from, cx),
        }
    }

    /// Reads backwards from the end, or from what has been seen, not further than all that was missed.
    fn look_for_last(&mut self, replica: &Jid, from: From, seen: Option<(String, usize)>, cx: &mut Cx<'_>) {
        let (before_id, seen) = seen.map_or((None, 0), |(id, seen)| (Some(id), seen));
        let query = ArchiveQuery { backwards: true, before_id, max: LOOK_ROWS, ..self.missed_query(&from) };
        self.ask_missed(replica, Some((seen, from)), query, cx);
    }

    /// Reads what was missed, which is all behind this number at the most.
    fn read_from(&mut self, replica: &Jid, from: From, behind: u64, cx: &mut Cx<'_>) {
        if self.order.seq - behind.min(self.order.seq) > MISSED_MAX as u64 {
            self.look_for_last(replica, from, None, cx);
        } else {
            self.read_missed(replica, from, cx);
        }
    }

    /// What comes next is read behind what has been sent.
    fn reads_on(&mut self, replica: &Jid) {
        if let Some(Phase::Syncing { behind, upto, .. }) = self.links.links.get_mut(replica).map(|link| &mut link.phase)
        {
            *behind = *upto;
        }
    }

    fn note_gap(&mut self, replica: &Jid) {
        if let Some(Phase::Syncing { gap, .. }) = self.links.links.get_mut(replica).map(|link| &mut link.phase) {
            *gap = true;
        }
    }

    fn read_missed(&mut self, replica: &Jid, from: From, cx: &mut Cx<'_>) {
        let max = self.links.links.get(replica).map_or(0, |link| link.page_stanzas);
        let query = ArchiveQuery { max, ..self.missed_query(&from) };
        self.ask_missed(replica, None, query, cx);
    }

    fn missed_query(&self, from: &From) -> ArchiveQuery {
        let (after_id, after_seq) = match from {
            From::Id(id) => (Some(id.clone()), None),
            From::Seq(seq) => (None, Some(*seq)),
        };
        ArchiveQuery { archive: self.jid.to_string(), after_id, after_seq, ..ArchiveQuery::default() }
    }

    fn ask_missed(&mut self, replica: &Jid, look: Option<(usize, From)>, wanted: ArchiveQuery, cx: &mut Cx<'_>) {
        let id = self.next_query();
        let Some(link) = self.links.links.get_mut(replica) else { return };
        if let Phase::Syncing { query, looking, .. } = &mut link.phase {
            (*query, *looking) = (id.0, look);
            cx.out.push(Output::Query { id, query: wanted });
        }
    }

    /// The configuration has changed without a message to the occupants.
    pub fn send_config_to_all(&mut self, cx: &mut Cx<'_>) {
        let config = Down::Config(self.config_for_replicas());
        let mut outputs = Vec::new();
        for (replica, link) in self.links.links.iter_mut().filter(|(_, link)| !link.is_over()) {
            let stanza = Element::stanza("message").attr("from", self.jid.as_str()).child(config.x());
            let at = link.next(Kind::Config);
            link.pass(replica, Shared::new(stanza), at, &mut outputs);
        }
        self.gate.pass_all(outputs, cx.out);
    }

    fn send_config(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let config = self.config_for_replicas();
        let stanza = Element::stanza("message").attr("from", self.jid.as_str());
        self.send_down(replica, Kind::Config, None, stanza, Down::Config(config).x(), cx);
    }

    /// 4.3: one presence per seat, or of those that are another than at the resume point, behind those that are gone; where the
    /// replica may know real JIDs, those of all sessions behind it.
    fn send_roster(&mut self, replica: &Jid, wanted: &RosterWanted, cx: &mut Cx<'_>) {
        let entitled = self.links.links.get(replica).is_some_and(|link| link.entitled);
        let class = if entitled { Class::Jids } else { Class::Plain };
        let there = self.in_order_of_entry().filter(|o| wanted.has(o));
        let there: Vec<Element> = there.map(|o| self.roster_presence(o, class).element().clone()).collect();
        let gone = match wanted {
            RosterWanted::Full => Vec::new(),
            RosterWanted::Changes { .. } if flaw!(RemovalsDropped) => Vec::new(),
            RosterWanted::Changes { nicks, .. } => {
                let gone = nicks.iter().filter(|nick| !self.occupants.contains_key(*nick));
                gone.map(|nick| absent(&self.jid, nick)).collect()
            }
        };
        for presence in gone.into_iter().chain(there) {
            self.send_down(replica, Kind::Roster, None, presence, Down::Roster.x(), cx);
        }
        self.send_overlay(replica, cx);
        if entitled {
            let seats = self.seat_jids(|o| wanted.has_jids(o));
            for seats in seats.chunks(JIDS_MAX) {
                let stanza = Element::stanza("message").attr("from", self.jid.as_str());
                self.send_down(replica, Kind::Jids, None, stanza, Down::Jids(seats.to_vec()).x(), cx);
            }
        }
    }

    /// One that cannot be made durable is not sent: the replica sees the gap in `d` and registers anew.
    fn send_past(&mut self, replica: &Jid, kind: Kind, past: &[Past], cx: &mut Cx<'_>) {
        for past in past {
            let stanza = past.stanza.element().clone();
            let output = self.down(replica, kind, Some(past.seq), stanza.clone(), said(&stanza, past.stamp_ms));
            if let Some(output) = output {
                self.pass_past(Some(past.seq), output, cx);
            }
        }
    }

    /// What ends every snapshot: history where nothing else was sent, subject, `synced`; and then what was held.
    fn finish_snapshot(&mut self, replica: &Jid, history: bool, gap: bool, cx: &mut Cx<'_>) {
        let upto = match self.links.links.get(replica).map(|link| &link.phase) {
            Some(Phase::Syncing { upto, .. }) => *upto,
            _ => self.order.seq,
        };
        if history {
            // What came while it was looked for is among what was held.
            let recent: Vec<Past> = self.history.iter().filter(|past| past.seq <= upto).cloned().collect();
            let most = recent.len().saturating_sub(self.config.history_stanzas);
            self.send_past(replica, Kind::History, &recent[most..], cx);
        }
        let (subject, x) = match &self.subject {
            Some(past) => {
                let stanza = past.stanza.element().clone();
                let x = said(&stanza, past.stamp_ms);
                (stanza, x)
            }
            None => (self.subject_stanza().element().clone(), Element::new("x", ns::DMUC)),
        };
        let said = self.subject.as_ref().map(|past| past.seq);
        if let Some(output) = self.down(replica, Kind::Subject, None, subject, x) {
            self.pass_past(said, output, cx);
        }
        let stanza = Element::stanza("message").attr("from", self.jid.as_str());
        self.send_down(replica, Kind::Synced, Some(upto), stanza, Down::Synced { gap }.x(), cx);
        if let Some(link) = self.links.links.get_mut(replica) {
            link.phase = Phase::Live;
        }
        self.release(replica, cx);
    }

    /// Sends what was held, where nothing is in the way any more; a message not before it is durable.
    pub(super) fn release(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.get_mut(replica).filter(|link| !link.holds()) else { return };
        let held = std::mem::take(&mut link.held).into_iter();
        let held: Vec<_> = held.map(|(stanza, at)| (at.seq, link.stamp(replica, stanza, at))).collect();
        for (seq, output) in held {
            self.pass_past(seq, output, cx);
        }
        self.links.end_if_empty(replica);
    }

    pub(super) fn send_down(
        &mut self,
        replica: &Jid,
        kind: Kind,
        seq: Option<u64>,
        stanza: Element,
        x: Element,
        cx: &mut Cx<'_>,
    ) {
        if let Some(output) = self.down(replica, kind, seq, stanza, x) {
            self.gate.pass(output, cx.out);
        }
    }

    /// A stanza for a replica with its marks, past what is held: the outcomes among that are yet to be told, so it acknowledges nothing
    /// then.
    fn down(&mut self, replica: &Jid, kind: Kind, seq: Option<u64>, stanza: Element, x: Element) -> Option<Output> {
        let link = self.links.links.get_mut(replica)?;
        let at = if link.held.is_empty() { link.next(kind) } else { At::new(&link.epoch, 0, kind) };
        Some(link.stamp(replica, Shared::new(stanza.child(x)), At { seq, ..at }))
    }
}

impl super::Links {
    /// An event that could not be made durable never was: nobody for whom it is held hears of it.
    pub fn take_back(&mut self, seq: u64) {
        for link in self.links.values_mut() {
            link.held.retain(|(_, at)| at.seq != Some(seq));
        }
    }
}

/// The dmuc element of a message of the past; the delay names the occupant, as in 4.9.
fn said(stanza: &Element, stamp_ms: i64) -> Element {
    Element::new("x", ns::DMUC).child(stanza::delay(stanza.get("from"), stamp_ms))
}

/// When somebody says that it was said.
fn said_ms(past: &Past) -> i64 {
    let delay = past.stanza.element().get_child("delay", ns::DELAY);
    delay.and_then(|delay| stanza::parse_ms(delay.get("stamp")?)).unwrap_or(past.stamp_ms)
}

/// What of a page is sent, within the bytes the replica takes at a time and up to the event its snapshot stands at; and from
/// which id on the rest is to be read, when there is any.
fn whole_rows(page: &ArchivePage, upto: u64, bytes_max: usize) -> (Vec<Past>, Option<String>) {
    let (mut past, mut bytes) = (Vec::new(), 0);
    for row in &page.rows {
        if row.seq > upto {
            return (past, None);
        }
        bytes += row.stanza.len();
        if !past.is_empty() && bytes > bytes_max {
            break;
        }
        past.extend(Past::read(row.seq, row.id.clone(), row.stamp_ms, &row.stanza));
    }
    let last = past.last().map(|past: &Past| past.id.clone());
    let all = page.complete && past.len() == page.rows.len();
    let next = last.filter(|_| !all);
    (past, next)
}

/// Most messages that are sent as missed, the last ones; of more it is said that there is a gap.
const MISSED_MAX: usize = 10_000;
/// How many are looked through at a time to find them.
const LOOK_ROWS: usize = 500;
