//! Copies of what one of a user's sessions says and hears, for the others that want them (XEP-0280).

use crate::account::Session;
use crate::service::{Accounts, Addressed};
use machine::Output;
use xmpp::{Element, Jid, Shared, ns};

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Received,
    Sent,
}

impl Accounts {
    /// Sections 4 and 5: switched on or off as often as the session likes.
    pub(crate) fn carbons(&mut self, iq: &Addressed, enabled: bool, out: &mut Vec<Output>) {
        if let Some(session) = self.session_mut(&iq.from) {
            session.carbons = enabled;
        }
        out.push(crate::iq::reply(iq, None));
    }

    /// Section 8: what a session has sent, for the user's other sessions.
    pub(crate) fn copy_sent(&self, message: &Element, from: &Jid, to: &Jid, out: &mut Vec<Output>) {
        // What somebody sends to himself is received by his sessions anyway.
        if from.bare_str() == to.bare_str() || !is_eligible(message) {
            return;
        }
        let room = self.session(from).filter(|session| session.is_in_room(to) && !is_invitation(message));
        let wants = |other: &Session| {
            // Section 6.1: only those in the room can answer who is meant there.
            other.jid != *from && room.is_none_or(|_| other.is_in_room(to))
        };
        self.copy(message, to, (from, Way::Sent), wants, out);
    }

    /// Section 7: what `to` is sent and these sessions have received, for its others. `true` when there was such a one.
    pub(crate) fn copy_received(
        &self,
        message: &Element,
        from: &Jid,
        to: &Jid,
        received: &[Jid],
        out: &mut Vec<Output>,
    ) -> bool {
        if !is_eligible(message) || self.is_of_room(message, from, to) {
            return false;
        }
        let wants = |other: &Session| other.jid != *from && !received.contains(&other.jid);
        self.copy(message, to, (to, Way::Received), wants, out)
    }

    /// To each session of `user` that has enabled copies and is wanted; each is from the user's bare address.
    fn copy(
        &self,
        message: &Element,
        to: &Jid,
        (user, way): (&Jid, Way),
        wants: impl Fn(&Session) -> bool,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(account) = self.account(user) else { return false };
        let mut others = account.sessions.values().filter(|other| other.carbons && wants(other)).peekable();
        if others.peek().is_none() {
            return false;
        }
        let name = if way == Way::Sent { "sent" } else { "received" };
        let mut original = message.clone().attr("to", to.as_str());
        // What stays between servers reaches no client inside a copy either.
        original.retain(|child| !matches!(child.ns(), ns::DMUC | ns::NETJOIN));
        let forwarded = Element::new("forwarded", ns::FORWARD).child(original);
        let copy = Element::stanza("message")
            .attr("from", user.bare_str())
            .attr_opt("type", message.get("type"))
            .child(Element::new(name, ns::CARBONS).child(forwarded));
        let copy = Shared::new(copy);
        out.extend(others.map(|other| Output::Send { to: other.jid.clone(), stanza: copy.clone() }));
        true
    }

    /// Whether what a session says is said to a person, not to an occupant of a room that it is in.
    pub(crate) fn is_said_to_one(&self, message: &Element, from: &Jid, to: &Jid) -> bool {
        is_invitation(message) || !self.session(from).is_some_and(|session| session.is_in_room(to))
    }

    /// Section 6.1: what is said in private in a room comes to each session in it from the room itself.
    pub(crate) fn is_of_room(&self, message: &Element, from: &Jid, to: &Jid) -> bool {
        let is_marked = message.has_child("x", ns::MUC_USER);
        let in_room = || {
            self.account(to).is_some_and(|account| account.sessions.values().any(|session| session.is_in_room(from)))
        };
        !is_invitation(message) && (is_marked || in_room())
    }
}

/// Section 6.1. An error is known by what it gives back of the message that it answers.
fn is_eligible(message: &Element) -> bool {
    if message.name() != "message" || message.has_child("private", ns::CARBONS) || message.has_child("no-copy", HINTS) {
        return false;
    }
    match message.get("type") {
        Some("groupchat") => false,
        Some("chat") => true,
        Some("headline") => is_talk(message) || is_invitation(message),
        _ => message.has_child("body", ns::CLIENT) || is_talk(message) || is_invitation(message),
    }
}

/// What people's clients tell each other beside what they say.
fn is_talk(message: &Element) -> bool {
    message.children().any(|child| matches!(child.ns(), ns::CHATSTATES | RECEIPTS | MARKERS))
}

/// A direct invitation (XEP-0249) or a mediated one (XEP-0045 7.8.2).
pub(crate) fn is_invitation(message: &Element) -> bool {
    message.has_child("x", ns::CONFERENCE)
        || message.get_child("x", ns::MUC_USER).is_some_and(|x| x.has_child("invite", ns::MUC_USER))
}

/// Hints, XEP-0334.
pub(crate) const HINTS: &str = "urn:xmpp:hints";
/// Receipts, XEP-0184.
pub(crate) const RECEIPTS: &str = "urn:xmpp:receipts";
/// Displayed markers, XEP-0333.
const MARKERS: &str = "urn:xmpp:chat-markers:0";
