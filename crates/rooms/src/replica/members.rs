//! Entering on an island, XEP-0282 4.11.1.2: a user of this site whom the primary has named beforehand is shown as in the room, and
//! his join kept for it to judge. `docs/wire.md`, *Members*.
//!
//! He has what the primary would have given him, and no nick that anybody is known to have. What the room has said meanwhile
//! elsewhere he hears when it has let him in, and not before (`withheld`).

use super::echo::Echo;
use super::mirror::{Came, Mirror, Session};
use super::roster::Seat;
use super::site::Cx;
use crate::names::Nick;
use crate::room::{HistoryWanted, JoinError, NICK_BYTES_MAX, SESSIONS_PER_SEAT_MAX, payload_of};
use crate::wire::{Members, Membership, SEATS_MAX, SITE_MEMBERS_MAX};
use machine::{AudienceChange, Class, Output};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// Users of this site, by bare address, and what each would enter as.
pub(super) type Memberships = BTreeMap<Jid, Membership>;

impl Mirror {
    /// The primary says who of this site may enter; of others it may claim what it likes.
    pub(super) fn learn_members(&mut self, members: Members, cx: &Cx<'_>) {
        let known = match &mut self.link.staging {
            Some(staging) => &mut staging.members,
            None => &mut self.members,
        };
        for member in members.0.into_iter().filter(|member| cx.site.is_local(&member.jid)) {
            match member.standing {
                None => drop(known.remove(&member.jid)),
                Some(_) if known.len() >= SITE_MEMBERS_MAX && !known.contains_key(&member.jid) => {}
                Some(standing) => drop(known.insert(member.jid, standing)),
            }
        }
    }

    /// Somebody who has no seat here asks to enter while the primary is not reached.
    pub(super) fn enter_here(&mut self, join: Element, from: &Jid, nick: Nick, cx: &mut Cx<'_>) {
        let Some(membership) = self.membership_of(from, cx) else { return self.refuse_entry(&join, cx) };
        if let Err(error) = self.admits_here(&nick) {
            return self.turn_away(&join, error.error(), cx);
        }
        let payload = payload_of(&join);
        let mut seat = Seat {
            payload,
            affiliation: membership.affiliation,
            role: membership.role,
            jid: self.config.whois_anyone.then(|| from.to_string()),
            occupant_id: Some(membership.occupant_id),
            place: self.next_place(),
            told: true,
        };
        let Some(n) = self.put_in_here(join.clone(), from, &nick, cx) else { return };
        if let Some(island) = &mut self.island {
            island.seats.insert(nick.clone(), from.bare());
        }
        seat.told = self.shows(&seat);
        if seat.told {
            self.broadcast(&seat.presence(&nick.in_room(&self.room), Class::Jids), self.sessions_of(&nick), cx);
        }
        self.echoes.push(Echo { n, nick: nick.clone(), seat, back: true });
        self.join_audience(from, cx);
        let own = self.own_presence(&nick, &join, false);
        self.welcome(from, &nick, own, &HistoryWanted::of(&join), cx);
    }

    /// A session that the primary has yet to hear of; gives the number of its join.
    pub(super) fn put_in_here(&mut self, join: Element, from: &Jid, nick: &Nick, cx: &mut Cx<'_>) -> Option<u64> {
        let class = self.class_of(self.seats.get(nick));
        let (entry, payload) = (self.entries, payload_of(&join));
        let occupant_id = self.as_known(nick).and_then(|seat| seat.occupant_id.clone());
        let came = Some(Came { accepted: self.provisionally(cx.now), occupant_id });
        let session = Session { nick: nick.clone(), class, entry, payload, came, awaits: 1, leaving: false };
        self.sessions.insert(from.clone(), session);
        let Some((n, _)) = self.submit_with(join, Vec::new(), cx) else {
            self.sessions.remove(from);
            return None;
        };
        self.entries += 1;
        self.withheld.expect();
        if let Some(session) = self.sessions.get_mut(from) {
            session.awaits = self.outbox.joins_of(from).max(1);
        }
        Some(n)
    }

    /// He hears from now on what all hear.
    pub(super) fn join_audience(&self, session: &Jid, cx: &mut Cx<'_>) {
        let Some(class) = self.sessions.get(session).map(|session| session.class) else { return };
        let change = AudienceChange::In(class);
        cx.out.push(Output::Audience { audience: self.audience, member: session.clone(), change });
    }

    /// What somebody enters as, where he may: the operator lets members in, he is one, and he neither has a seat under another
    /// nick nor was kicked here.
    fn membership_of(&self, user: &Jid, cx: &Cx<'_>) -> Option<Membership> {
        let (bare, island) = (user.bare(), self.island.as_ref()?);
        let is_free = !island.kicked.contains(&bare) && !island.seats.values().any(|holder| *holder == bare);
        let may = cx.site.config.split.enter_members && is_free;
        self.members.get(&bare).filter(|_| may).cloned()
    }

    /// Whether an island has room for somebody of this nick; whose a nick is the primary says.
    fn admits_here(&self, nick: &Nick) -> Result<(), JoinError> {
        if nick.as_str().len() > NICK_BYTES_MAX {
            return Err(JoinError::NicknameTooLong);
        }
        let began_here = self.island.as_ref().is_some_and(|island| island.seats.contains_key(nick));
        if began_here || self.seats.contains_key(nick) || self.is_echoed(nick) {
            return Err(JoinError::NicknameConflict);
        }
        self.has_room_for(nick)
    }

    /// Whether one more session of this nick is within bounds.
    pub(super) fn has_room_for(&self, nick: &Nick) -> Result<(), JoinError> {
        if self.sessions.len() >= SEATS_MAX {
            return Err(JoinError::MaxUsers);
        }
        let of_nick = self.sessions.values().filter(|session| session.nick == *nick).count();
        if of_nick >= SESSIONS_PER_SEAT_MAX { Err(JoinError::TooManySessions) } else { Ok(()) }
    }
}
