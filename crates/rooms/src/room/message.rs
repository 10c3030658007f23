//! Messages to all, XEP-0045 7.4, and what of a message is the room's alone to say.

use super::{Cx, Event, Life, Occupant, Part, Past, Room, Shown};
use crate::flaws::flaw;
use crate::names::{Affiliation, Nick, Role};
use crate::primary::Up;
use machine::{Author, Change, Gate, Row};
use xmpp::stanza::{self, Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

impl Room {
    /// A message of type `groupchat` to the room: a subject change (8.1) or something said to all.
    pub fn handle_groupchat(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(occupant) = self.sessions.get(from).and_then(|nick| self.occupants.get(nick)) else {
            return self.refuse(stanza, Condition::NotAcceptable, cx);
        };
        debug_assert_ne!(self.life, Life::Over);
        if super::subject::is_subject(stanza) {
            return self.change_subject(from, stanza, cx);
        }
        if occupant.role < Role::Participant {
            return self.refuse(stanza, Condition::Forbidden, cx);
        }
        self.say(from, stanza, cx);
    }

    /// Tells all what an occupant who may speak has said.
    fn say(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        if self.gate.held() > GATE_HELD_MAX {
            return self.refuse(
                stanza,
                StanzaError::new(Condition::ResourceConstraint, "The disk does not keep up."),
                cx,
            );
        }
        let Some(occupant) = self.sessions.get(from).and_then(|nick| self.occupants.get(nick)) else { return };
        let past = self.as_said(occupant, stanza, cx);
        let keeps = worth_keeping(stanza);
        let durable =
            if keeps && self.config.logging { vec![self.row(&past, Some(from), cx.up.as_ref())] } else { Vec::new() };
        let otherwise = self.refusal_output(stanza, &Condition::InternalServerError.into(), cx).into_iter().collect();
        let part = self.part_said(&past);
        if keeps {
            self.remember(past);
        }
        self.tell(Event { parts: vec![part], durable, otherwise }, cx);
    }

    /// The message as broadcast, with the number and the stanza-id the next event has.
    pub fn as_said(&self, occupant: &Occupant, stanza: &Element, cx: &Cx<'_>) -> Past {
        let seq = self.order.seq + 1;
        let id = self.order.message_id(seq, cx.up.as_ref());
        let mut said = as_broadcast(stanza, &self.jid, &occupant.nick, Some(&occupant.occupant_id), Some(&id));
        let retold = occupant.affiliation == Affiliation::Owner && retell(&mut said, &self.jid);
        if let Some(island) = cx.up.as_ref().and_then(|up| up.island.as_ref()).filter(|_| !retold) {
            said.push(stanza::delay(Some(self.jid.as_str()), island.said_ms));
        }
        let stamp_ms = cx.now.unix_ms.max(self.order.stamp_ms);
        Past { seq, id, stamp_ms, stanza: Shared::new(said) }
    }

    /// The one part of the event that tells it; the delay for replicas names the occupant (XEP-0282 4.9).
    pub fn part_said(&mut self, past: &Past) -> Part {
        self.order.stamp_ms = past.stamp_ms;
        let stanza = past.stanza.element().clone();
        let delay = stanza::delay(stanza.get("from"), past.stamp_ms);
        Part { stanza, of: None, own: Vec::new(), shown: Shown::ToAll, dmuc: vec![delay] }
    }

    /// The archive's row for what this session has said, or the room itself.
    pub fn row(&self, past: &Past, by: Option<&Jid>, up: Option<&Up>) -> Change {
        let said = past.stanza.element();
        let born = up.filter(|_| !flaw!(BaseForgotten)).and_then(|up| self.born(up));
        Change::Append(Row {
            archive: self.jid.to_string(),
            seq: past.seq,
            id: past.id.clone(),
            stamp_ms: past.stamp_ms,
            with: said.get("from").unwrap_or_default().to_owned(),
            stanza: said.to_xml(),
            author: by.and_then(|by| self.author(by)),
            born,
        })
    }

    /// XEP-0313, MUC Archives: who it is, for those who may know.
    fn author(&self, jid: &Jid) -> Option<Author> {
        let occupant = self.occupants.get(self.sessions.get(jid)?)?;
        Some(Author {
            bare: jid.bare_str().to_owned(),
            resource: jid.resource().unwrap_or_default().to_owned(),
            affiliation: occupant.affiliation.as_str().into(),
            role: occupant.role.as_str().into(),
        })
    }
}

/// 7.9: what an owner repeats of a chat that was held before bears the time of that in the room's name, to which the room adds none of
/// its own (7.2.13). Whether there is such a time.
fn retell(said: &mut Element, room: &Jid) -> bool {
    let delay =
        said.get_child_mut("delay", ns::DELAY).filter(|delay| delay.get("stamp").and_then(stanza::parse_ms).is_some());
    delay.map(|delay| delay.set("from", room.as_str())).is_some()
}

/// A user's message as all occupants are sent it, without `to`; the same at a primary and on an island.
pub(crate) fn as_broadcast(
    stanza: &Element,
    room: &Jid,
    nick: &Nick,
    occupant_id: Option<&str>,
    id: Option<&str>,
) -> Element {
    let mut said = clean(stanza, room);
    said.set("from", nick.in_room(room).as_str());
    said.unset("to");
    let occupant_id = occupant_id.map(super::occupant_id);
    let id = id.map(|id| Element::new("stanza-id", ns::SID).attr("by", room.as_str()).attr("id", id));
    said.with(occupant_id).with(id)
}

/// A user's message without anything that only the room may say: roles and codes (17.3), its own stanza-ids (XEP-0359
/// business rule 2), occupant-ids (XEP-0421), what moderators have taken back (XEP-0425 6), its delays, and what belongs between
/// primary and replica.
pub(crate) fn clean(stanza: &Element, room: &Jid) -> Element {
    let mut clean = stanza.clone();
    clean.retain(|child| match (child.name(), child.ns()) {
        (_, ns::MUC_USER | ns::OCCUPANT_ID | ns::MODERATE | ns::DMUC | ns::NETJOIN) => false,
        ("retracted", RETRACT) => false,
        ("retract", RETRACT) => !child.children().any(|c| c.ns() == ns::MODERATE),
        ("stanza-id", ns::SID) if flaw!(ForgedIdKept) => true,
        ("stanza-id", ns::SID) => child.get("by").and_then(|by| Jid::new(by).ok()).is_some_and(|by| by != *room),
        ("delay", ns::DELAY) => child.get("from").and_then(|by| Jid::new(by).ok()).is_none_or(|by| by.bare() != *room),
        _ => true,
    });
    clean
}

/// Whether a message is kept in history and archive: one with a body, and what later refers to one (reactions,
/// corrections, retractions). Typing notifications and read markers pass, and are gone.
pub(crate) fn worth_keeping(stanza: &Element) -> bool {
    if stanza.children().any(|c| c.ns() == HINTS && matches!(c.name(), "no-store" | "no-permanent-store")) {
        return false;
    }
    let refers = |c: &Element| matches!(c.ns(), REACTIONS | RETRACT) || (c.name() == "store" && c.ns() == HINTS);
    stanza.has_child("body", ns::CLIENT) || stanza.children().any(refers)
}

/// Whether a message to all is in the archive when it has been said: what is worth keeping, and a subject.
pub(crate) fn is_archived(stanza: &Element) -> bool {
    worth_keeping(stanza) || super::subject::is_subject(stanza)
}

/// XEP-0334.
pub(crate) const HINTS: &str = "urn:xmpp:hints";
/// XEP-0444.
const REACTIONS: &str = "urn:xmpp:reactions:0";
/// XEP-0424.
pub(crate) const RETRACT: &str = "urn:xmpp:message-retract:1";
/// Most outputs held back for the disk before messages are refused; below the gate's own bound, which presence may use.
const GATE_HELD_MAX: usize = Gate::HELD_MAX / 2;
