//! Moderated retraction, XEP-0425: a moderator has a message taken back. It is not in the history any more, the archive keeps a
//! tombstone in its place, so that whoever pages from its id goes on from there.

use super::{Apply, Cx, Event, Part, Past, RETRACT, Room, Shown};
use crate::names::Role;
use machine::{ArchivePage, ArchiveQuery, Change, Output, QueryId, Row};
use xmpp::stanza::{Condition, StanzaError, format_ms, iq_result};
use xmpp::{Element, Jid, Shared, ns};

/// A retraction that is judged; its message is being looked for, or was found.
#[derive(Debug, Clone)]
pub(crate) struct Retraction {
    /// The stanza-id of the message.
    id: String,
    reason: Option<String>,
    /// When it was asked for, Unix milliseconds: no earlier than what was said last. While it is made durable nothing is said, so the
    /// tombstone and what all are told have the same time.
    at_ms: i64,
    iq: Element,
}

impl Room {
    /// An iq with `<moderate xmlns='urn:xmpp:message-moderate:1'/>`.
    pub fn handle_moderate(&mut self, from: &Jid, iq: &Element, moderate: &Element, cx: &mut Cx<'_>) {
        if self.standing_of(from).role != Role::Moderator {
            let text = "Only moderators are allowed to moderate other participants' messages.";
            return self.refuse(iq, StanzaError::new(Condition::Forbidden, text), cx);
        }
        let Some(id) = moderate.get("id") else { return self.refuse(iq, Condition::BadRequest, cx) };
        if !moderate.has_child("retract", RETRACT) {
            return self.refuse(iq, Condition::FeatureNotImplemented, cx);
        }
        let reason = moderate.get_child("reason", ns::MODERATE).map(Element::content).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > super::admin::REASON_BYTES_MAX) {
            return self.refuse(iq, Condition::PolicyViolation, cx);
        }
        if self.retractions.len() >= RETRACTIONS_MAX {
            return self.refuse(iq, Condition::ResourceConstraint, cx);
        }
        let query =
            ArchiveQuery { archive: self.jid.to_string(), ids: vec![id.to_owned()], max: 1, ..ArchiveQuery::default() };
        let number = self.next_query();
        self.retractions
            .insert(number, Retraction { id: id.to_owned(), reason, at_ms: cx.now.unix_ms, iq: iq.clone() });
        cx.out.push(Output::Query { id: number, query });
    }

    /// The message has been looked for; gives the page back when it was not for a retraction.
    pub fn retraction_rows(
        &mut self,
        id: QueryId,
        page: Option<ArchivePage>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Option<ArchivePage>> {
        let Some(retraction) = self.retractions.remove(&id) else { return Err(page) };
        let Some(page) = page else {
            self.refuse(&retraction.iq, Condition::InternalServerError, cx);
            return Ok(());
        };
        let found = page.rows.into_iter().next().filter(|row| row.id == retraction.id);
        let Some(row) = found else {
            // A room without an archive has its history all the same.
            if self.history.iter().any(|past| past.id == retraction.id) {
                self.retracted(&retraction, cx);
            } else {
                self.refuse(&retraction.iq, Condition::ItemNotFound, cx);
            }
            return Ok(());
        };
        if self.is_busy() {
            // Another decision is on its way; this one is asked for again behind it.
            self.wait(retraction.iq, cx);
            return Ok(());
        }
        self.retract(retraction, row, cx);
        Ok(())
    }

    fn retract(&mut self, mut retraction: Retraction, row: Row, cx: &mut Cx<'_>) {
        retraction.at_ms = retraction.at_ms.max(self.order.stamp_ms);
        let Some(moderated) = self.moderated(&retraction) else {
            return self.refuse(&retraction.iq, Condition::Forbidden, cx);
        };
        let said = Element::parse(&row.stanza).unwrap_or_else(|_| Element::stanza("message"));
        let mut retracted =
            Element::new("retracted", RETRACT).attr("stamp", format_ms(retraction.at_ms)).child(moderated);
        retracted =
            retracted.with(retraction.reason.as_ref().map(|text| Element::new("reason", RETRACT).text(text.as_str())));
        let changes = vec![
            Change::DeleteRow { archive: row.archive.clone(), id: row.id.clone() },
            Change::Append(Row { stanza: tombstone(&said, Some(retracted)).to_xml(), ..row }),
        ];
        let iq = retraction.iq.clone();
        self.decide(changes, Apply::Retraction(retraction), &iq, cx);
    }

    /// The tombstone is on disk: the moderator is answered, then all are told.
    pub fn retracted(&mut self, retraction: &Retraction, cx: &mut Cx<'_>) {
        self.history.retain(|past| past.id != retraction.id);
        if let Some(moderator) = retraction.iq.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&moderator, iq_result(&retraction.iq), cx);
        }
        let seq = self.order.seq + 1;
        let id = self.order.message_id(seq, None);
        let reason = retraction.reason.as_ref().map(|text| Element::new("reason", RETRACT).text(text.as_str()));
        let retract =
            Element::new("retract", RETRACT).attr("id", &retraction.id).with(self.moderated(retraction)).with(reason);
        let stanza = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr("id", super::create::name(&mut self.rng))
            .attr("type", "groupchat")
            .child(retract)
            .child(Element::new("stanza-id", ns::SID).attr("by", self.jid.as_str()).attr("id", &id));
        let past = Past { seq, id, stamp_ms: retraction.at_ms.max(self.order.stamp_ms), stanza: Shared::new(stanza) };
        let durable = if self.config.logging { vec![self.row(&past, None, None)] } else { Vec::new() };
        let stanza = past.stanza.element().clone();
        self.order.stamp_ms = past.stamp_ms;
        let delay = xmpp::stanza::delay(stanza.get("from"), past.stamp_ms);
        let part = Part { stanza, of: None, own: Vec::new(), shown: Shown::ToAll, dmuc: vec![delay] };
        self.remember(past);
        self.tell(Event { parts: vec![part], durable, otherwise: Vec::new() }, cx);
    }

    /// By whom: the occupant as all see him.
    fn moderated(&self, retraction: &Retraction) -> Option<Element> {
        let from = retraction.iq.get("from").and_then(|from| Jid::new(from).ok())?;
        let moderator =
            self.occupants.values().find(|o| o.role == Role::Moderator && o.bare.as_str() == from.bare_str())?;
        let occupant_id = super::occupant_id(&moderator.occupant_id);
        let by = moderator.nick.in_room(&self.jid);
        Some(Element::new("moderated", ns::MODERATE).attr("by", by.as_str()).child(occupant_id))
    }
}

/// What is left of a message: who said it when, and that it was taken back.
pub(crate) fn tombstone(said: &Element, retracted: Option<Element>) -> Element {
    let mut left = said.clone();
    left.retain(|child| {
        matches!((child.name(), child.ns()), ("occupant-id", ns::OCCUPANT_ID) | ("stanza-id", ns::SID))
    });
    left.with(retracted)
}

/// Whether a message of the archive is one that was taken back.
pub(crate) fn is_tombstone(message: &Element) -> bool {
    message.has_child("retracted", RETRACT)
}

/// The stanza-id of the message that the room takes back by this one.
pub(crate) fn retracted_by<'a>(message: &'a Element, room: &Jid) -> Option<&'a str> {
    let retract = message.get_child("retract", RETRACT).filter(|_| message.get("from") == Some(room.as_str()))?;
    retract.get("id").filter(|_| retract.has_child("moderated", ns::MODERATE))
}

/// Most retractions of a room under way at a time.
const RETRACTIONS_MAX: usize = 50;
