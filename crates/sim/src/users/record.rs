//! What a client has of a room's messages, over all its streams, and how it fills what it lacks: it pages the archive from the last
//! message it has, as XEP-0313 3 has clients do, with the pages of XEP-0059.
//!
//! A client that stays is *in step*: what it is sent next is next. Whoever has been away is not, until a page was the last and final;
//! till then the message it was in step with last stays the one it pages from. Nor is whoever has asked to leave, until he has entered
//! anew: what a room that has not heard of it still sends him is promised to nobody. An id that the archive does not know any more, as
//! of a message an island showed and the room refused, gives way to the one before it.

use super::stays::{RETRACT, body_of, stanza_id};
use super::view::{View, condition, is_destroyed};
use super::{answers_join, archive};
use crate::address::bare;
use crate::world::Scene;
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// What a client has of a room's messages.
#[derive(Debug, Clone)]
pub struct Record {
    room: Jid,
    view: View,
    /// The messages it has, by stanza-id, in the order it got them.
    pub has: BTreeMap<String, usize>,
    /// How many it has ever got.
    got: usize,
    /// When it was told that it has everything.
    pub claims: Vec<Claim>,
    /// The messages it was in step with, the last one last: from there it pages.
    trail: Vec<String>,
    /// Whether what it is sent next is next.
    in_step: bool,
    /// Whether it has asked to leave, and has not entered since.
    has_left: bool,
    /// The last it was sent since it entered.
    live: Option<String>,
    paging: Option<Paging>,
    /// How many pages it has asked for.
    asked: usize,
}

/// An answer that had no more behind it and could not come out otherwise: all up to here is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// When, monotonic milliseconds.
    pub at_ms: u64,
    /// The last message of the answer.
    pub upto: String,
    /// How many messages it had got by then.
    pub got: usize,
}

/// A query under way.
#[derive(Debug, Clone)]
struct Paging {
    /// The id of the iq of the present page, and when it was asked.
    iq: String,
    asked_ms: u64,
    /// Rows of this page, and the last row of all pages.
    rows: usize,
    last: Option<String>,
    /// Whether any page could come out otherwise.
    unstable: bool,
    /// Where the next page begins, when the present one is over.
    next: Option<String>,
}

impl Record {
    /// Of a room that the client was never in.
    pub fn of(room: &Jid) -> Record {
        Record {
            room: room.clone(),
            view: View::of(room),
            has: BTreeMap::new(),
            got: 0,
            claims: Vec::new(),
            trail: Vec::new(),
            in_step: true,
            has_left: false,
            live: None,
            paging: None,
            asked: 0,
        }
    }

    /// Takes in what the client did or was sent.
    pub fn note(&mut self, at_ms: u64, what: &Scene) {
        match what {
            Scene::Connected | Scene::Ended => {
                self.view = View::of(&self.room);
                (self.paging, self.has_left) = (None, false);
                self.be_out();
            }
            Scene::Sent(stanza) if self.is_leave(stanza) => {
                self.be_out();
                self.has_left = true;
            }
            Scene::Sent(_) => {}
            Scene::Received(stanza) => self.received(at_ms, stanza),
        }
    }

    /// Whether it should ask for what it may lack.
    pub fn is_behind(&self) -> bool {
        self.is_in() && !self.in_step && self.paging.is_none()
    }

    /// Whether it is in the room and was told that it has everything since it came.
    pub fn is_whole(&self) -> bool {
        self.is_in() && self.in_step && self.paging.is_none()
    }

    /// Whether it is in the room, and has not asked to leave.
    pub fn is_in(&self) -> bool {
        self.view.me.is_some() && !self.has_left
    }

    /// Since when it waits for a page, monotonic milliseconds.
    pub fn waits_since_ms(&self) -> Option<u64> {
        self.paging.as_ref().map(|paging| paging.asked_ms)
    }

    /// Begins to page from the last message it was in step with; what it asked before is forgotten.
    pub fn page(&mut self, now_ms: u64) -> Element {
        let iq = self.next_iq();
        let query = archive::page(&self.room, &iq, &iq, self.trail.last().map(String::as_str), PAGE_ROWS);
        self.paging = Some(Paging { iq, asked_ms: now_ms, rows: 0, last: None, unstable: false, next: None });
        query
    }

    /// The next page, when the one before has come.
    pub fn page_on(&mut self, now_ms: u64) -> Option<Element> {
        let next = self.paging.as_mut()?.next.take()?;
        let iq = self.next_iq();
        let paging = self.paging.as_mut()?;
        (paging.iq, paging.asked_ms, paging.rows) = (iq, now_ms, 0);
        Some(archive::page(&self.room, &paging.iq, &paging.iq, Some(&next), PAGE_ROWS))
    }

    /// Gives up a query that was not answered.
    pub fn give_up(&mut self) {
        self.paging = None;
    }

    fn next_iq(&mut self) -> String {
        self.asked += 1;
        format!("{PAGE}{}", self.asked)
    }

    fn be_out(&mut self) {
        (self.in_step, self.live) = (self.has.is_empty(), None);
    }

    fn is_leave(&self, stanza: &Element) -> bool {
        let to_room = stanza.get("to").is_none_or(|to| bare(to) == self.room.as_str());
        to_room && stanza.name() == "presence" && stanza.get("type") == Some("unavailable")
    }

    fn received(&mut self, at_ms: u64, stanza: &Element) {
        let was_in = self.view.me.is_some();
        self.view.hear(stanza);
        let is_in = self.view.me.is_some();
        if is_destroyed(stanza) {
            // What was said in it is not there any more.
            *self = Record { asked: self.asked, ..Record::of(&self.room) };
        }
        if was_in != is_in || answers_join(stanza) && is_in {
            self.be_out();
            self.has_left &= was_in == is_in && stanza.get("type").is_some();
        }
        if stanza.get("from").is_none_or(|from| bare(from) != self.room.as_str()) {
            return;
        }
        if stanza.name() == "iq" {
            return self.answered(at_ms, stanza);
        }
        if let Some(result) = stanza.get_child("result", ns::MAM) {
            return self.shown(result);
        }
        if let Some(retract) = stanza.get_child("retract", RETRACT) {
            let id = retract.get("id").unwrap_or_default();
            self.has.remove(id);
            return self.trail.retain(|known| known != id);
        }
        if stanza.name() == "message"
            && stanza.get("type") == Some("groupchat")
            && body_of(stanza).is_some()
            && let Some(id) = stanza_id(stanza, &self.room).map(str::to_owned)
        {
            self.add(&id);
            self.live = Some(id.clone());
            if self.in_step && self.is_in() {
                self.trail.push(id);
            }
        }
    }

    fn add(&mut self, id: &str) {
        self.has.entry(id.to_owned()).or_insert(self.got);
        self.got += 1;
    }

    /// A row of a page.
    fn shown(&mut self, result: &Element) {
        let id = result.get("id").unwrap_or_default().to_owned();
        let Some(paging) = self.paging.as_mut().filter(|p| result.get("queryid") == Some(p.iq.as_str())) else {
            return;
        };
        paging.rows += 1;
        paging.last = Some(id.clone());
        self.add(&id);
    }

    /// A page is over, or was refused.
    fn answered(&mut self, at_ms: u64, stanza: &Element) {
        if self.paging.as_ref().is_none_or(|paging| stanza.get("id") != Some(&paging.iq)) {
            return;
        }
        let Some(mut paging) = self.paging.take() else { return };
        let Some(fin) = stanza.get_child("fin", ns::MAM) else {
            if condition(stanza) == "item-not-found" && paging.last.is_none() {
                self.trail.pop();
            }
            return;
        };
        paging.unstable |= fin.get("stable") == Some("false");
        if fin.get("complete") == Some("true") {
            return self.completed(at_ms, paging);
        }
        // Where a page ended is for the room to say: after what an island said an id alone means more (XEP-0059 2.2).
        let last = fin.get_child("set", ns::RSM).and_then(|set| set.get_child("last", ns::RSM)).map(Element::content);
        if let Some(last) = last.filter(|_| paging.rows > 0) {
            paging.next = Some(last);
            self.paging = Some(paging);
        }
    }

    fn completed(&mut self, at_ms: u64, paging: Paging) {
        if paging.unstable {
            return;
        }
        if let Some(upto) = &paging.last {
            self.claims.push(Claim { at_ms, upto: upto.clone(), got: self.got });
        }
        if self.is_in() {
            self.in_step = true;
            self.trail.extend(self.live.clone().or(paging.last));
        }
    }
}

/// Few enough that a query takes several pages, between which much may happen.
const PAGE_ROWS: usize = 7;
/// How the ids of a client's own queries begin.
const PAGE: &str = "page-";
