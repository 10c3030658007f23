//! The room's archive, XEP-0313: who may read it, and its queries under way. What queries and answers look like is `archive`'s.
//!
//! Who may enter may read: not the banned, in a members-only room members, behind a password members and occupants.

use super::{Cx, Room, Whois};
use crate::flaws::flaw;
use crate::names::{Affiliation, Role};
use machine::archive::{Asked, Next, Reading, Stability, asked, of_room};
use machine::{ArchivePage, ArchiveQuery, Class, Output, QueryId};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

impl Room {
    /// An iq with `<query/>` or `<metadata/>` in `urn:xmpp:mam:2`.
    pub fn handle_archive(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        if !self.may_read(from) {
            return self.refuse(iq, Condition::Forbidden, cx);
        }
        let asker = (from, self.class_of_reader(from));
        match asked(asker, iq, query, self.jid.to_string(), |jid| of_room(asker, &self.jid, &jid)) {
            Ok(Asked::Filters(answer)) => self.answer(from, answer, cx),
            Ok(Asked::Page(..)) if self.readings.len() >= READINGS_MAX => {
                self.refuse(iq, StanzaError::new(Condition::ResourceConstraint, "Too many queries at a time."), cx);
            }
            Ok(Asked::Page(reading, wanted)) => self.read(reading, *wanted, cx),
            Err(condition) => self.refuse(iq, condition, cx),
        }
    }

    /// A number for a query of this room; the links ask by it too.
    pub fn next_query(&mut self) -> QueryId {
        self.last_query = self.last_query.wrapping_add(1);
        QueryId((u64::from(self.number) << 32) | u64::from(self.last_query))
    }

    /// The answer to a query.
    pub fn rows(&mut self, id: QueryId, page: Option<ArchivePage>, cx: &mut Cx<'_>) {
        let page = match self.retraction_rows(id, page, cx).or_else(|page| self.sought_rows(id, page, cx)) {
            Ok(()) => return,
            Err(page) => page,
        };
        let Some(reading) = self.readings.remove(&id) else { return self.link_rows(id, page, cx) };
        match page {
            None => self.refuse(&reading.iq, Condition::InternalServerError, cx),
            Some(page) if page.unknown_id => self.refuse(&reading.iq, Condition::ItemNotFound, cx),
            Some(page) => {
                let asker = reading.asker.clone();
                let class = self.class_of_reader(&asker);
                match reading.seen_by(class).next(&self.jid, self.jid.to_string(), page, Stability::Stable) {
                    Next::Answer(stanzas) => stanzas.into_iter().for_each(|stanza| self.answer(&asker, stanza, cx)),
                    Next::Read(reading, wanted) => self.read(*reading, *wanted, cx),
                }
            }
        }
    }

    fn read(&mut self, reading: Reading, wanted: ArchiveQuery, cx: &mut Cx<'_>) {
        let id = self.next_query();
        self.readings.insert(id, reading);
        cx.out.push(Output::Query { id, query: wanted });
    }

    /// XEP-0313, MUC Archives: who may see real addresses now, in the room or outside, finds them in the archive.
    fn class_of_reader(&self, from: &Jid) -> Class {
        let standing = self.standing_of(from);
        let may = standing.role == Role::Moderator || standing.affiliation >= Affiliation::Admin;
        if may || self.config.whois == Whois::Anyone || flaw!(ArchiveNamesAll) { Class::Jids } else { Class::Plain }
    }

    /// Whether somebody may know what is said in the room.
    pub fn may_read(&self, from: &Jid) -> bool {
        let affiliation = self.affiliation_of(from);
        let closed = self.config.members_only || self.config.password.is_some();
        affiliation != Affiliation::Outcast
            && (self.sessions.contains_key(from) || !closed || affiliation >= Affiliation::Member)
    }
}

/// Most queries of a room under way at a time.
const READINGS_MAX: usize = 200;
