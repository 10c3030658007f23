//! Users of the site whom a room serves itself, by plain XEP-0045: they entered before the site had a replica of it, or
//! after it was refused or withdrawn. When it registers they are listed in its census, and handed over to it: from the
//! answer on the room speaks to them through the replica, and they notice nothing.
//!
//! They are known by their own presence (status 110, or from their own nick when it ends) on its way to them. A service that invents one wins nothing by it: it
//! may send what it likes in the names of its own rooms to anybody.

use super::leave::Parting;
use super::mirror::{Mirror, Session};
use super::site::Cx;
use crate::names::{Nick, Status};
use crate::room::has_status;
use crate::wire::{CensusSeat, Granted, SEATS_MAX, Verdict};
use machine::{AudienceChange, Output};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// Sessions that rooms serve themselves, with their nicks.
#[derive(Debug, Default)]
pub(super) struct Direct {
    rooms: BTreeMap<Jid, BTreeMap<Jid, Served>>,
    sessions: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Served {
    nick: Nick,
    /// It has said that it leaves, which the room has not answered yet: a census to come does not name it, and where one before has, it
    /// is handed over as what it is.
    leaving: bool,
}

impl Direct {
    /// Whether a stanza may change what is known here; `to_room` for one of a local user's.
    pub fn wants(&self, stanza: &Element, from: &Jid, to: &Jid, to_room: bool) -> bool {
        stanza.name() == "presence"
            && if to_room {
                stanza.get("type") == Some("unavailable") && self.knows(&to.bare(), from)
            } else {
                has_status(stanza, Status::SELF) || self.ends(stanza, from, to)
            }
    }

    /// Takes note of a presence that the room sends to a session itself.
    pub fn sent(&mut self, stanza: &Element, from: &Jid, to: &Jid) {
        let is_own = has_status(stanza, Status::SELF) || self.ends(stanza, from, to);
        let Some(nick) = Nick::of(from).filter(|_| is_own) else { return };
        match stanza.get("type") {
            None => self.put(from.bare(), to.clone(), nick),
            Some("unavailable") => match super::distribute::renamed_to(stanza) {
                Some(new) => self.put(from.bare(), to.clone(), new),
                None => drop(self.take(&from.bare(), to)),
            },
            Some(_) => {}
        }
    }

    /// Whether the occupant that a session is goes: of a room that is destroyed it is told that without 110 (XEP-0045 10.9).
    fn ends(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        let served = self.served(&from.bare(), to);
        let is_from = |served: &Served| from.resource() == Some(served.nick.as_str());
        stanza.get("type") == Some("unavailable") && served.is_some_and(is_from)
    }

    fn served(&self, room: &Jid, session: &Jid) -> Option<&Served> {
        self.rooms.get(room)?.get(session)
    }

    /// Whether a room serves this session itself, and goes on doing so.
    pub fn knows(&self, room: &Jid, session: &Jid) -> bool {
        self.served(room, session).is_some_and(|served| !served.leaving)
    }

    /// Notes that a room serves a session itself; over the bound it is served, and stays so.
    pub fn put(&mut self, room: Jid, session: Jid, nick: Nick) {
        if self.served(&room, &session).is_some() || self.sessions < DIRECT_MAX {
            let earlier = self.rooms.entry(room).or_default().insert(session, Served { nick, leaving: false });
            self.sessions += usize::from(earlier.is_none());
        }
    }

    /// A session says that it leaves.
    pub fn leaves(&mut self, room: &Jid, session: &Jid) {
        if let Some(served) = self.rooms.get_mut(room).and_then(|sessions| sessions.get_mut(session)) {
            served.leaving = true;
        }
    }

    /// The room does not serve it any more.
    pub fn take(&mut self, room: &Jid, session: &Jid) -> Option<Served> {
        let sessions = self.rooms.get_mut(room)?;
        let served = sessions.remove(session)?;
        self.sessions -= 1;
        if sessions.is_empty() {
            self.rooms.remove(room);
        }
        Some(served)
    }

    /// Those of a room as its census lists them; what they last said the primary knows itself.
    pub fn census(&self, room: &Jid) -> impl Iterator<Item = CensusSeat> {
        let stay = self.rooms.get(room).into_iter().flatten().filter(|(_, served)| !served.leaving);
        let seat = |(jid, served): (&Jid, &Served)| CensusSeat {
            nick: served.nick.clone(),
            jid: jid.clone(),
            payload: Vec::new(),
        };
        stay.take(SEATS_MAX).map(seat)
    }
}

impl Mirror {
    /// The primary has answered: whom it served itself until now is here, and has been sent everything up to this event.
    pub(super) fn hand_over(&mut self, granted: &Granted, cx: &mut Cx<'_>) {
        for seat in granted.seats.iter().filter(|seat| !matches!(seat.verdict, Verdict::Removed(_))) {
            if self.sessions.contains_key(&seat.jid) {
                continue;
            }
            let Some(Served { leaving, .. }) = cx.site.direct.take(&self.room, &seat.jid) else { continue };
            let (class, entry) = (self.class_of(None), self.entries);
            self.entries += 1;
            let payload = Vec::new();
            let nick = seat.nick.clone();
            let session = Session { nick, class, entry, payload, came: None, awaits: 0, leaving };
            self.sessions.insert(seat.jid.clone(), session);
            // Who is leaving hears the LEAVE alone, which is the room's answer.
            if !leaving {
                self.link.handed.insert(seat.jid.clone(), granted.seq);
            }
        }
    }

    /// Whom the room served itself and has no more, as the answer says, is told so: the room's own word of it was lost. Who has
    /// asked to enter since has an outcome of that to come.
    pub(super) fn dismiss_direct(&mut self, granted: &Granted, cx: &mut Cx<'_>) {
        for seat in &granted.seats {
            let Verdict::Removed(removed) = &seat.verdict else { continue };
            let Some(served) = cx.site.direct.take(&self.room, &seat.jid) else { continue };
            if !self.joins.contains_key(&seat.jid) {
                let parting = if served.leaving { Parting::default() } else { Parting::from(removed) };
                let known = self.seats.get(&served.nick);
                cx.pass(&seat.jid, self.own_unavailable(&served.nick, known, self.class_of(None), &parting));
            }
        }
    }

    /// The snapshot is whole: whoever was handed over hears from here on what all others hear.
    pub(super) fn take_over(&mut self, cx: &mut Cx<'_>) {
        for member in std::mem::take(&mut self.link.handed).into_keys() {
            let Some(session) = self.sessions.get(&member).filter(|session| !session.leaving) else { continue };
            let seat = self.seats.get(&session.nick);
            let (class, payload) = (self.class_of(seat), seat.map(|seat| seat.payload.clone()).unwrap_or_default());
            if let Some(session) = self.sessions.get_mut(&member) {
                (session.class, session.payload) = (class, payload);
            }
            let change = AudienceChange::In(class);
            cx.out.push(Output::Audience { audience: self.audience, member, change });
        }
    }

    /// The link ends and those who are here are not told: the room serves them itself from now on.
    pub(super) fn make_direct(&mut self, cx: &mut Cx<'_>) {
        for (jid, session) in std::mem::take(&mut self.sessions) {
            cx.site.direct.put(self.room.clone(), jid.clone(), session.nick);
            if session.leaving {
                cx.site.direct.leaves(&self.room, &jid);
            }
        }
        self.link.handed.clear();
    }
}

/// Most such sessions that are remembered; more stay with their rooms.
const DIRECT_MAX: usize = 10_000;
