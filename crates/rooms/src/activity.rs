//! Room activity indicators, XEP-0437: sessions that want to hear once that something was said in a room they have to do with and are
//! not in.
//!
//! A room is one's own when one is on a list of it, as a member or more, and may come in.

use crate::room::{Life, Room};
use crate::service::Primary;
use machine::Output;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// By session: the rooms it waits for.
    sessions: BTreeMap<Jid, BTreeSet<Jid>>,
    /// The other way round.
    rooms: BTreeMap<Jid, BTreeSet<Jid>>,
}

impl Primary {
    /// Presence to the service's own address: it begins a subscription, or ends one.
    pub(crate) fn handle_own_presence(&mut self, presence: &Element, out: &mut Vec<Output>) {
        let Some(from) = presence.get("from").and_then(|from| Jid::new(from).ok()) else { return };
        match presence.get("type") {
            None if from.resource().is_some() && presence.has_child("rai", RAI) => self.subscribe(from, presence, out),
            Some("unavailable" | "error") => self.activity.unsubscribe(&from),
            _ => {}
        }
    }

    /// 5: what has happened since its user was last in each room is told at once, together.
    fn subscribe(&mut self, session: Jid, presence: &Element, out: &mut Vec<Output>) {
        if self.activity.sessions.contains_key(&session) {
            return;
        }
        if self.activity.sessions.len() >= SESSIONS_MAX {
            let error = StanzaError::new(Condition::ResourceConstraint, "Too many want to hear of activity.");
            return crate::service::reply(presence, &error, out);
        }
        self.activity.sessions.insert(session.clone(), BTreeSet::new());
        let bare = session.bare();
        let mut active = Vec::new();
        for room in self.rooms.values().filter(|room| room.life == Life::Open && room.indicates_to(&bare)) {
            if room.has_news_for(&bare) && active.len() < ROOMS_MAX {
                active.push(room.jid.clone());
            } else if !room.sessions.contains_key(&session) {
                self.activity.wait(&session, &room.jid);
            }
        }
        if !active.is_empty() {
            let stanza = Shared::new(indication(&self.config.domain, &active));
            out.push(Output::Send { to: session, stanza });
        }
    }
}

impl Activity {
    /// Something was said in a room.
    pub fn said(&mut self, service: &Jid, room: &mut Room, out: &mut Vec<Output>) {
        let Some(waiting) = self.rooms.remove(&room.jid) else { return };
        let stanza = Shared::new(indication(service, std::slice::from_ref(&room.jid)));
        for session in waiting {
            if let Some(rooms) = self.sessions.get_mut(&session) {
                rooms.remove(&room.jid);
            }
            // Who is in the room hears it there, and waits again once he has left.
            if !room.sessions.contains_key(&session) && room.indicates_to(&session.bare()) {
                // Not before what was said is on disk.
                room.gate.pass(Output::Send { to: session, stanza: stanza.clone() }, out);
            }
        }
    }

    /// A session has left a room: its user hears of what is said from now on.
    pub fn left(&mut self, session: &Jid, room: &Room) {
        if room.indicates_to(&session.bare()) {
            let sessions = self.sessions.keys().filter(|other| other.bare_str() == session.bare_str());
            for session in sessions.cloned().collect::<Vec<Jid>>() {
                self.wait(&session, &room.jid);
            }
        }
    }

    /// Whether nobody has subscribed.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn wait(&mut self, session: &Jid, room: &Jid) {
        let Some(rooms) = self.sessions.get_mut(session).filter(|rooms| rooms.len() < ROOMS_MAX) else { return };
        rooms.insert(room.clone());
        self.rooms.entry(room.clone()).or_default().insert(session.clone());
    }

    fn unsubscribe(&mut self, session: &Jid) {
        for room in self.sessions.remove(session).unwrap_or_default() {
            if let Some(waiting) = self.rooms.get_mut(&room) {
                waiting.remove(session);
                if waiting.is_empty() {
                    self.rooms.remove(&room);
                }
            }
        }
    }
}

fn indication(service: &Jid, rooms: &[Jid]) -> Element {
    let activity = rooms.iter().map(|room| Element::new("activity", RAI).text(room.as_str()));
    let rai = Element::new("rai", RAI).with(activity);
    Element::new("message", ns::CLIENT).attr("from", service.as_str()).child(rai)
}

/// XEP-0437.
pub(crate) const RAI: &str = "urn:xmpp:rai:0";
/// Most sessions that are subscribed.
const SESSIONS_MAX: usize = 10_000;
/// Most rooms that one session waits for, or is told of at once.
const ROOMS_MAX: usize = 1_000;
