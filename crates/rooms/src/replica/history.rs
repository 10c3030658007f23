//! What was said, XEP-0282 4.4: in memory for those who enter, and as rows of the mirrored archive.

use super::archive::Whole;
use super::mirror::Mirror;
use super::refused::settled;
use super::site::Cx;
use crate::flaws::flaw;
use crate::room::{Past, without_jids};
use machine::{Born, Change, Row, Token};
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid, Shared, ns};

/// What was said lately, oldest first, and the subject.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    ring: VecDeque<Past>,
    /// `None` while none was ever set.
    pub subject: Option<Past>,
    /// Number and stanza-id of the last message or subject; also when the ring is empty after a restart.
    last: Option<(u64, String)>,
    /// What a room that has come back from an older state has lost, by stanza-id: those who entered before this one have had it.
    lost: BTreeMap<String, u64>,
    /// Up to where it was told by another start of the primary, which may have lost it: what this one has told it does not tell again.
    former: u64,
}

impl Remembered {
    pub fn push(&mut self, past: Past) {
        self.came_to(past.seq, &past.id);
        self.ring.push_back(past);
        if self.ring.len() > HISTORY_MAX {
            self.ring.pop_front();
        }
    }

    /// Another start of the primary tells what comes next.
    pub fn begins(&mut self) {
        self.former = self.last_seq();
    }

    /// Up to where it was told by another start of the primary.
    pub fn former(&self) -> u64 {
        self.former
    }

    /// Nothing that was said behind this event has been; the subject is what the room will say. Those who have entered before `entry` have had it.
    pub fn set_back(&mut self, seq: u64, entry: u64) {
        let (kept, lost): (VecDeque<Past>, VecDeque<Past>) = self.ring.drain(..).partition(|past| past.seq <= seq);
        self.ring = kept;
        if self.lost.len() + lost.len() > HISTORY_MAX {
            self.lost.clear();
        }
        self.lost.extend(lost.into_iter().map(|past| (past.id, entry)));
        if let Some((last, id)) = self.last.as_mut().filter(|(last, _)| *last > seq) {
            // An id that the room does not know: should it be asked for what was missed since, it says that it cannot tell.
            (*last, *id) = self.ring.back().map_or((seq, id.clone()), |past| (past.seq, past.id.clone()));
        }
    }

    /// A message comes from a room that may have told it already, and lost it since: whether it has, and then before which of all who
    /// have `entered` those did who have had it. It has its place from now on.
    pub fn had_before(&mut self, id: &str, entered: u64) -> Option<u64> {
        let is_former = self.ring.iter().any(|past| past.id == id && past.seq <= self.former);
        self.lost.remove(id).or_else(|| is_former.then(|| self.forget(id)).flatten().map(|_| entered))
    }

    /// A message that was taken back is not remembered any more; gives what it was.
    pub fn forget(&mut self, id: &str) -> Option<Past> {
        let at = self.ring.iter().position(|past| past.id == id)?;
        self.ring.remove(at)
    }

    /// The whole of the history is what the primary says.
    pub fn replace(&mut self, ring: Vec<Past>) {
        self.ring.clear();
        ring.into_iter().for_each(|past| self.push(past));
    }

    pub fn clear(&mut self) {
        *self = Remembered::default();
    }

    /// The stanza-id of the last message.
    pub fn last_id(&self) -> Option<String> {
        self.last.as_ref().map(|(_, id)| id.clone())
    }

    /// Its number, which unlike that of other events means the same at every start of the primary; 0 for none.
    pub fn last_seq(&self) -> u64 {
        self.last.as_ref().map_or(0, |(seq, _)| *seq)
    }

    /// This is the last message known.
    pub fn came_to(&mut self, seq: u64, id: &str) {
        self.last = Some((seq, id.to_owned()));
    }

    /// The last message known has its place at this one or before; gives it as it is, where it was behind.
    fn last_up_to(&mut self, seq: u64) -> Option<Past> {
        let (last, id) = self.last.as_mut().filter(|(last, _)| *last > seq)?;
        let past = self.ring.iter_mut().chain(&mut self.subject).find(|past| past.id == *id)?;
        (*last, past.seq) = (seq, seq);
        Some(past.clone())
    }

    /// The last of what was said, oldest first.
    pub fn lately(&self, most: usize) -> impl Iterator<Item = &Past> {
        self.ring.range(self.ring.len().saturating_sub(most)..)
    }

    /// The subject as an entrant gets it; empty and from the room itself when none was ever set.
    pub fn subject_stanza(&self, room: &Jid) -> Shared {
        let never = || {
            let stanza = Element::stanza("message").attr("from", room.as_str()).attr("type", "groupchat");
            Shared::new(stanza.child(Element::new("subject", ns::CLIENT)))
        };
        self.subject.as_ref().map_or_else(never, |past| past.delayed(room))
    }
}

impl Mirror {
    /// The name of the mirrored archive.
    pub(super) fn archive(&self) -> String {
        archive_of(&self.room)
    }

    /// A message from the primary as it is kept.
    pub(super) fn past_of(&self, stanza: Element, seq: u64, stamp_ms: i64) -> Past {
        let by_room = |id: &&Element| id.is("stanza-id", ns::SID) && id.get("by") == Some(self.room.as_str());
        let id = stanza.children().find(by_room).and_then(|id| id.get("id")).map(str::to_owned);
        Past { seq, id: id.unwrap_or_else(|| seq.to_string()), stamp_ms, stanza: Shared::new(stanza) }
    }

    /// Writes recent history to the mirrored archive, of which nothing is known of what lies between; nobody waits for it, since a
    /// resumption begins where it ends.
    pub(super) fn archive_recent(&mut self, past: &[Past], cx: &mut Cx<'_>) {
        let rows = past.iter().map(|past| self.row_at(past, None, past.seq));
        self.archive_rows(rows.collect(), cx);
    }

    /// The same with what comes next; it may have been provisional here: it has its place now, and stays known as one of this site's.
    pub(super) fn archive_next(&mut self, past: &Past, was: Option<Born>, cx: &mut Cx<'_>) {
        if was.is_some() && !self.config.logging {
            cx.keep(vec![self.row_gone(&past.id)]);
        }
        let row = self.row_at(past, was.filter(|_| !flaw!(BaseForgotten)), self.last_row());
        self.archive_rows(vec![row], cx);
    }

    /// All that comes behind the last message has a place behind this one: so that message has its own there at the latest, wherever
    /// another start of the primary had put it.
    pub(super) fn last_is_up_to(&mut self, seq: u64, cx: &mut Cx<'_>) {
        if let Some(past) = self.past.last_up_to(seq) {
            let row = self.row_at(&past, None, seq);
            self.archive_rows(vec![row], cx);
        }
    }

    /// Behind this place nothing is in the mirrored archive but what is to come.
    pub(super) fn last_row(&self) -> u64 {
        let whole = self.link.place.as_ref().map_or(0, |place| place.whole.behind);
        self.past.last_seq().max(whole)
    }

    /// What the disk does not take of them the mirror lacks, and must know that it does; so must the next start, before there is any
    /// row behind the hole.
    fn archive_rows(&mut self, rows: Vec<Change>, cx: &mut Cx<'_>) {
        self.wipe_what_is_owed(cx);
        self.bury_what_is_owed(cx);
        if !rows.is_empty() && self.config.logging {
            let torn = std::mem::take(&mut self.link.torn).then(|| self.stands(cx));
            cx.keep_or_say(torn.into_iter().flatten().chain(rows).collect(), &self.room);
        }
    }

    /// A write has failed, and perhaps a row with it: only behind what has come by now is nothing missing.
    pub(super) fn tear(&mut self, cx: &mut Cx<'_>) {
        if let Some(place) = &mut self.link.place {
            place.whole = Whole { behind: place.seq, since_ms: cx.now.unix_ms };
            self.link.torn = true;
            // A row that is being written already may be behind the hole.
            let changes = self.stands(cx);
            cx.keep(changes);
        }
    }

    /// Removes what is on disk of a former room of this name.
    pub(super) fn wipe(&mut self, cx: &mut Cx<'_>) {
        let gone = Change::DeleteArchive { archive: self.archive() };
        self.link.wiping = Some(cx.keep_or_say(vec![gone], &self.room));
    }

    /// The same where the disk has not taken it: its rows would be in the way of this room's.
    fn wipe_what_is_owed(&mut self, cx: &mut Cx<'_>) {
        if self.link.former.is_some() && self.link.wiping.is_none() {
            self.wipe(cx);
        }
    }

    /// It is done, or is owed from now on.
    pub(super) fn wiped(&mut self, token: Token, done: bool) {
        if self.link.wiping.take_if(|wiping| *wiping == token).is_some() && done {
            self.link.former = None;
        }
    }

    /// The end of a row.
    pub(super) fn row_gone(&self, id: &str) -> Change {
        Change::DeleteRow { archive: self.archive(), id: id.to_owned() }
    }

    /// A message in the place that the room has given it, behind `above` and whatever else lies there.
    pub(super) fn row_at(&self, past: &Past, born: Option<Born>, above: u64) -> Change {
        settled(&self.room, self.row(past, born), above)
    }

    /// A message as it is kept, without real JIDs.
    pub(super) fn row(&self, past: &Past, born: Option<Born>) -> Row {
        let said = past.stanza.element();
        Row {
            archive: self.archive(),
            seq: past.seq,
            id: past.id.clone(),
            stamp_ms: past.stamp_ms,
            with: said.get("from").unwrap_or_default().to_owned(),
            stanza: without_jids(said).as_ref().unwrap_or(said).to_xml(),
            author: None,
            born,
        }
    }
}

/// The name of a room's mirrored archive.
pub(super) fn archive_of(room: &Jid) -> String {
    format!("mirror:{room}")
}

/// Most messages remembered per room; a room's own configuration says how many of them an entrant gets.
const HISTORY_MAX: usize = 500;
