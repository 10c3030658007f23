//! Private messages between local occupants while the primary is not reached, XEP-0045 7.5. They are shown and not kept.

use super::mirror::Mirror;
use super::relay::refused;
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::as_private;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid};

impl Mirror {
    /// A message, or the error that answers one, to an occupant.
    pub(super) fn whisper_here(&mut self, stanza: &Element, from: &Jid, to: &Nick, cx: &mut Cx<'_>) {
        let mut to_here = self.sessions_of(to);
        if flaw!(WhisperToAll) {
            to_here.extend(self.sessions.keys().cloned());
        }
        if !cx.site.config.split.private_messages || (to_here.is_empty() && self.seats.contains_key(to)) {
            return self.refuse_here(stanza, cx);
        }
        let answers = stanza.get("type") == Some("error");
        let Some(nick) = self.sessions.get(from).map(|session| session.nick.clone()) else { return };
        let Some(seat) = self.as_shown(&nick) else { return self.refuse_here(stanza, cx) };
        if !answers && self.config.private_messages.is_none_or(|least| seat.role < least) {
            return cx.pass(from, refused(stanza, Condition::Forbidden));
        }
        if to_here.is_empty() {
            return if !answers {
                cx.pass(from, refused(stanza, Condition::ItemNotFound));
            };
        }
        let private = as_private(stanza, &self.room, &nick, seat.occupant_id.as_deref());
        for session in to_here {
            cx.pass(&session, private.clone());
        }
    }
}
