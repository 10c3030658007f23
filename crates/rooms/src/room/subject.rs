//! The room's subject, XEP-0045 8.1: changed by a message that has a subject and neither body nor thread.

use super::{Cx, Event, Room};
use crate::names::Role;
use machine::Change;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

impl Room {
    /// An occupant asks for another subject.
    pub fn change_subject(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(occupant) = self.sessions.get(from).and_then(|nick| self.occupants.get(nick)) else { return };
        let least = if self.config.change_subject { Role::Participant } else { Role::Moderator };
        if occupant.role < least {
            return self.refuse(stanza, Condition::Forbidden, cx);
        }
        let past = self.as_said(occupant, stanza, cx);
        let mut durable = vec![self.subject_change(&past)];
        if self.config.logging {
            durable.push(self.row(&past, Some(from), cx.up.as_ref()));
        }
        let otherwise = self.refusal_output(stanza, &Condition::InternalServerError.into(), cx).into_iter().collect();
        let part = self.part_said(&past);
        let before = self.subject.replace(past);
        let seq = self.tell(Event { parts: vec![part], durable, otherwise }, cx);
        if let Some(unsure) = self.unsure.back_mut().filter(|unsure| unsure.seq == seq) {
            unsure.subject_before = Some(before);
        }
    }

    fn subject_change(&self, past: &super::Past) -> Change {
        super::keep::put("room", &self.jid, "subject", &super::keep::Kept::subject(past))
    }
}

/// Whether a message to all changes the subject.
pub(crate) fn is_subject(stanza: &Element) -> bool {
    stanza.has_child("subject", ns::CLIENT)
        && !stanza.has_child("body", ns::CLIENT)
        && !stanza.has_child("thread", ns::CLIENT)
}
