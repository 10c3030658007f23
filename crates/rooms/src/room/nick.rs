//! Changing the nickname, XEP-0045 7.6.

use super::admit::JoinError;
use super::enter::payload_of;
use super::{Cx, Event, Part, Room, Shown, add_statuses, admit};
use crate::names::{Nick, Role, Status};
use xmpp::{Element, Jid, ns};

impl Room {
    /// A session sends presence to another nick than its own: its whole seat changes name.
    pub fn change_nick(&mut self, from: &Jid, to: Nick, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(from_nick) = self.sessions.get(from).cloned() else { return };
        if let Err(error) = self.admit_nick(from, &to) {
            return self.refuse(stanza, error.error(), cx);
        }
        let Some(mut occupant) = self.occupants.remove(&from_nick) else { return };
        if let Some(at) = occupant.sessions.iter().position(|s| s.jid == *from) {
            let mut session = occupant.sessions.remove(at);
            session.payload = payload_of(stanza).into();
            occupant.sessions.push(session);
        }
        let shown = self.known_to(&occupant);
        let left = self.renamed_presence(&occupant, &to);
        occupant.nick = to.clone();
        occupant.told = shown == Shown::ToAll;
        let entered = self.presence_of(&occupant);
        for session in &occupant.sessions {
            self.sessions.insert(session.jid.clone(), to.clone());
        }
        let sessions = occupant.sessions.clone();
        self.occupants.insert(to.clone(), occupant);
        for session in &sessions {
            self.keep_session(session, &to, cx);
        }
        let part = |stanza| Part { stanza, of: Some(to.clone()), own: vec![Status::SELF], shown, dmuc: Vec::new() };
        let parts = vec![part(left), part(entered)];
        self.tell(Event { parts, durable: Vec::new(), otherwise: Vec::new() }, cx);
        if stanza.has_child("x", ns::MUC) {
            // It believes to be entering, so it has lost track (7.2.1).
            self.enter_once_more(from, stanza, cx);
        }
    }

    fn admit_nick(&self, user: &Jid, nick: &Nick) -> Result<(), JoinError> {
        if nick.as_str().len() > admit::NICK_BYTES_MAX {
            return Err(JoinError::NicknameTooLong);
        }
        // 7.6 lets a user take a nick that another session of his has; two seats made one would say less than it costs.
        if self.is_anothers(nick, user) || self.occupants.contains_key(nick) {
            Err(JoinError::NicknameConflict)
        } else {
            Ok(())
        }
    }

    /// The unavailable presence of the old nick, which names the new one.
    fn renamed_presence(&self, occupant: &super::Occupant, to: &Nick) -> Element {
        let session = occupant.sessions.last().expect("an occupant in the room has a session");
        let item = Element::new("item", ns::MUC_USER)
            .attr("affiliation", occupant.affiliation.as_str())
            .attr("role", occupant.role.max(Role::Visitor).as_str())
            .attr("jid", session.jid.as_str())
            .attr("nick", to.as_str());
        let mut stanza = Element::stanza("presence")
            .attr("from", occupant.nick.in_room(&self.jid).as_str())
            .attr("type", "unavailable")
            .child(Element::new("x", ns::MUC_USER).child(item));
        add_statuses(&mut stanza, &[Status::NICK_CHANGE]);
        stanza.child(super::occupant_id(&occupant.occupant_id))
    }
}
