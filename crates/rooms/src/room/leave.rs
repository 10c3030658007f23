//! Leaving, XEP-0045 7.14, and the one way out that kicks, bans, failures and the rest share.
//!
//! A session that goes is told first ([`Room::dismiss`]); the others hear of it when it was the last of its seat.

use super::{Cx, Event, Life, Occupant, Part, Room, Session};
use crate::names::{Affiliation, Nick, Status};
use xmpp::{Element, Jid, ns};

/// Why and how somebody goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Removal {
    /// What the unavailable presence says besides, such as a parting word.
    pub payload: Vec<Element>,
    /// Codes that everybody sees; the leaver sees 110 as well.
    pub statuses: Vec<Status>,
    /// The nick of whoever did it.
    pub actor: Option<String>,
    pub reason: Option<String>,
    /// The affiliation to be shown when it is not the present one.
    pub affiliation: Option<Affiliation>,
    /// XEP-0463, where it is a change of affiliation that removes.
    pub mav: Option<Element>,
}

impl Removal {
    /// A removal that is explained by its codes.
    pub fn with(statuses: impl IntoIterator<Item = Status>) -> Removal {
        Removal { statuses: statuses.into_iter().collect(), ..Removal::default() }
    }

    /// Puts actor and reason into an item, 8.2.
    pub fn describe(&self, item: &mut Element) {
        if let Some(actor) = &self.actor {
            item.push(Element::new("actor", ns::MUC_USER).attr("nick", actor));
        }
        if let Some(reason) = &self.reason {
            item.push(Element::new("reason", ns::MUC_USER).text(reason.clone()));
        }
    }
}

impl Room {
    /// 7.14: a client leaves; from one that is not in the room it is ignored (17.3).
    pub fn leave(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let kicked = self.kick_on_island(from, cx).unwrap_or_default();
        let removal = Removal { payload: super::enter::payload_of(stanza), ..kicked };
        self.take_session_out(from, &removal, cx);
    }

    /// Takes one session out for a reason of the room's own, such as 333 for one that cannot be reached.
    pub fn remove_session(&mut self, jid: &Jid, statuses: &[Status], reason: Option<&str>, cx: &mut Cx<'_>) {
        let removal = Removal { reason: reason.map(str::to_owned), ..Removal::with(statuses.iter().copied()) };
        self.take_session_out(jid, &removal, cx);
    }

    /// Takes one session out; the others hear of it when it was the last of its seat.
    pub fn take_session_out(&mut self, jid: &Jid, removal: &Removal, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(jid).cloned() else { return };
        // Behind his leave the report of an island may have his join: he came back to it.
        if self.life == Life::Locked && self.sessions.len() == 1 && !self.links.await_reports() {
            return self.abandon(cx);
        }
        let was_shown = self.occupants.get(&nick).and_then(|o| o.sessions.last()).is_some_and(|s| s.jid == *jid);
        let gone = self.dismiss_sessions(&nick, std::slice::from_ref(jid), removal, cx);
        match gone {
            Some(gone) => self.tell_gone(gone, cx),
            // What others knew of the occupant was this session's presence.
            None if was_shown => self.tell_presence(&nick, |_| {}, cx),
            None => {}
        }
        self.give_up_if_empty(cx.now);
    }

    /// Takes a whole seat out and tells everybody.
    pub fn take_seat_out(&mut self, nick: &Nick, removal: &Removal, cx: &mut Cx<'_>) {
        if let Some(gone) = self.dismiss_seat(nick, removal, cx) {
            self.tell_gone(gone, cx);
        }
    }

    /// What a session gets itself when it goes.
    pub fn own_unavailable(&self, occupant: &Occupant, session: &Session, removal: &Removal) -> Element {
        let mut own = removal.clone();
        own.statuses.push(Status::SELF);
        own.statuses.sort();
        self.seen_by(occupant, self.unavailable_with(occupant, session, &own))
    }

    /// Takes sessions of a seat out and tells them. When none is left the seat is gone, and what the others are to be told
    /// is given back.
    pub fn dismiss_sessions(&mut self, nick: &Nick, which: &[Jid], removal: &Removal, cx: &mut Cx<'_>) -> Option<Part> {
        let mut last = None;
        for jid in which {
            let occupant = self.occupants.get_mut(nick)?;
            let Some(at) = occupant.sessions.iter().position(|s| s.jid == *jid) else { continue };
            let session = occupant.sessions.remove(at);
            self.sessions.remove(jid);
            let occupant = self.occupants.get(nick)?;
            let own = self.own_unavailable(occupant, &session, removal);
            let for_others = self.unavailable_with(occupant, &session, removal);
            self.dismiss(&session, own, cx);
            // Behind the dismissal, by which it is known whether somebody has removed him.
            self.forget_session(jid, cx);
            last = Some(for_others);
        }
        if !self.occupants.get(nick)?.sessions.is_empty() {
            return None;
        }
        let occupant = self.occupants.remove(nick)?;
        let shown = self.known_to(&occupant);
        Some(Part { stanza: last?, of: None, own: Vec::new(), shown, dmuc: Vec::new() })
    }

    /// Tells the others that a seat is gone.
    pub fn tell_gone(&mut self, gone: Part, cx: &mut Cx<'_>) {
        self.tell(Event { parts: vec![gone], durable: Vec::new(), otherwise: Vec::new() }, cx);
    }
}
