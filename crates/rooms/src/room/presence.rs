//! What an occupant's presence looks like to others, XEP-0045 7.2.2, 7.7 and 15.5.3.

use super::{Occupant, Room};
use crate::names::Role;
use machine::Class;
use xmpp::{Element, Shared, ns};

impl Room {
    /// Whether others see this occupant at all.
    pub fn shows(&self, occupant: &Occupant) -> bool {
        occupant.role == Role::Moderator || self.config.presence_broadcast.contains(&occupant.role)
    }

    /// An occupant's presence as others see it in the roster on entering.
    pub fn roster_presence(&self, occupant: &Occupant, class: Class) -> Shared {
        let full = self.presence_of(occupant);
        Shared::new(match class {
            Class::Jids => full,
            Class::Plain => super::without_jids(&full).unwrap_or(full),
        })
    }

    /// An occupant's presence for somebody who may see everything.
    pub fn presence_of(&self, occupant: &Occupant) -> Element {
        let session = occupant.sessions.last().expect("an occupant in the room has a session");
        let item = Element::new("item", ns::MUC_USER)
            .attr("affiliation", occupant.affiliation.as_str())
            .attr("role", occupant.role.as_str())
            .attr("jid", session.jid.as_str());
        Element::stanza("presence")
            .attr("from", occupant.nick.in_room(&self.jid).as_str())
            .with(session.payload.iter().cloned())
            .child(Element::new("x", ns::MUC_USER).child(item))
            .child(Element::new("occupant-id", ns::OCCUPANT_ID).attr("id", &occupant.occupant_id))
    }
}
