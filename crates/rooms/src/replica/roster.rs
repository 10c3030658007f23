//! The stored seats, XEP-0282 4.7: who is in the room, as those who enter here are told, and who may see real JIDs.

use super::mirror::{Mirror, Session};
use super::site::Cx;
use crate::names::{Affiliation, Nick, Role};
use crate::room::{occupant_id, presence_with};
use crate::wire::{RosterHeld, SeatJid, is_said};
use machine::{AudienceChange, Class, Output};
use std::borrow::Cow;
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// Everybody in the room.
pub(super) type Seats = BTreeMap<Nick, Seat>;

/// The same as those here see it.
pub(super) type Shown<'a> = BTreeMap<&'a Nick, Cow<'a, Seat>>;

/// What the stored seats are worth to a resumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stored {
    /// Nothing: none has come yet, or it was of another start of the primary.
    #[default]
    Nothing,
    /// They were found not to be the room's, and have not been fetched anew yet.
    Wrong,
    /// They are the roster behind the last event applied.
    AsOfPlace,
}

/// One occupant as mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    /// Show, status, caps and the like.
    pub payload: Vec<Element>,
    pub affiliation: Affiliation,
    pub role: Role,
    /// Only while somebody here may see it.
    pub jid: Option<String>,
    pub occupant_id: Option<String>,
    /// Whether the others here have been shown it; not where presence of its role is not broadcast.
    pub told: bool,
    /// Its place among all that were learned of: a roster is sent in the order of entry, as at the primary.
    pub place: u64,
}

impl Seat {
    /// Reads an occupant's presence; `None` when it says no role.
    pub fn of(presence: &Element) -> Option<Seat> {
        let item = item_of(presence)?;
        Some(Seat {
            payload: presence.children().filter(|child| is_said(child)).cloned().collect(),
            affiliation: Affiliation::parse(item.get("affiliation")?)?,
            role: Role::parse(item.get("role")?)?,
            jid: item.get("jid").map(str::to_owned),
            occupant_id: presence
                .get_child("occupant-id", ns::OCCUPANT_ID)
                .and_then(|o| o.get("id"))
                .map(str::to_owned),
            told: true,
            place: 0,
        })
    }

    /// Whether both are of the same occupant, as far as is known (XEP-0421).
    pub fn is_of(&self, other: &Seat) -> bool {
        self.occupant_id.is_none() || other.occupant_id.is_none() || self.occupant_id == other.occupant_id
    }

    /// Whether those who know the one must be told of the other; real JIDs are no news to anybody.
    pub fn presence_differs(&self, other: &Seat) -> bool {
        self.payload != other.payload || self.affiliation != other.affiliation || self.role != other.role
    }

    /// The presence by which somebody learns of it, XEP-0045 7.2.2.
    pub fn presence(&self, from: &Jid, class: Class) -> Element {
        let stanza = presence_with(&self.payload).attr("from", from.as_str());
        self.marked(stanza, self.role, class)
    }

    /// The presence by which it is no longer there, XEP-0045 7.14.
    pub fn unavailable(&self, from: &Jid, payload: &[Element], class: Class) -> Element {
        let stanza = presence_with(payload).attr("from", from.as_str()).attr("type", "unavailable");
        self.marked(stanza, Role::None, class)
    }

    fn marked(&self, stanza: Element, role: Role, class: Class) -> Element {
        let item = Element::new("item", ns::MUC_USER)
            .attr("affiliation", self.affiliation.as_str())
            .attr("role", role.as_str())
            .attr_opt("jid", self.jid.as_ref().filter(|_| class == Class::Jids));
        let id = self.occupant_id.as_deref().map(occupant_id);
        stanza.child(Element::new("x", ns::MUC_USER).child(item)).with(id)
    }
}

impl Mirror {
    /// Whether others see this occupant at all (`muc#roomconfig_presencebroadcast`).
    pub(super) fn shows(&self, seat: &Seat) -> bool {
        self.config.broadcast.contains(&seat.role)
    }

    /// Whether an occupant may see real JIDs, XEP-0045 4.2.
    pub(super) fn class_of(&self, seat: Option<&Seat>) -> Class {
        let moderates = seat.is_some_and(|seat| seat.role == Role::Moderator);
        if self.config.whois_anyone || moderates { Class::Jids } else { Class::Plain }
    }

    /// The local sessions of an occupant that hear of the room, in the order they entered.
    pub(super) fn sessions_of(&self, nick: &Nick) -> Vec<Jid> {
        let is_own =
            |(_, session): &(&Jid, &Session)| session.nick == *nick && !session.leaving && !self.is_displaced(session);
        let mut own: Vec<(&Jid, &Session)> = self.sessions.iter().filter(is_own).collect();
        own.sort_by_key(|(_, session)| session.entry);
        own.into_iter().map(|(jid, _)| jid.clone()).collect()
    }

    /// Whether another has the nick of a session that came to an island under it: it is of no seat until the room has let it in.
    pub(super) fn is_displaced(&self, session: &Session) -> bool {
        if !session.awaits_enter() {
            return false;
        }
        let Some(told) = self.seats.get(&session.nick) else { return false };
        let came = session.came.as_ref().and_then(|came| came.occupant_id.as_ref());
        let differs = came.zip(told.occupant_id.as_ref()).is_some_and(|(came, told)| came != told);
        differs || self.echoes.iter().any(|e| e.back && e.nick == session.nick && !told.is_of(&e.seat))
    }

    /// What a primary is told of the stored seats.
    pub(super) fn roster_held(&self) -> RosterHeld {
        match self.link.roster {
            Stored::Nothing => RosterHeld::None,
            Stored::Wrong => RosterHeld::Wrong,
            Stored::AsOfPlace => RosterHeld::AsOfSeq { jids: self.seats.values().all(|seat| seat.jid.is_some()) },
        }
    }

    /// Real addresses from the primary: kept, and told to nobody.
    pub(super) fn learn_jids(&mut self, jids: Vec<SeatJid>) {
        let seats = match &mut self.link.staging {
            Some(staging) => &mut staging.seats,
            None => &mut self.seats,
        };
        for SeatJid { nick, jid } in jids {
            if let Some(seat) = seats.get_mut(&nick) {
                seat.jid = Some(jid.to_string());
                self.jids_stored = true;
            }
        }
    }

    /// Whoever may not see real JIDs any more sees none from now on; whoever may now, only once he has been told why.
    pub(super) fn lower_classes(&mut self, cx: &mut Cx<'_>) {
        let may_not = |(_, s): &(&Jid, &Session)| {
            s.class == Class::Jids && !s.leaving && self.class_of(self.seats.get(&s.nick)) == Class::Plain
        };
        let lowered: Vec<Jid> = self.sessions.iter().filter(may_not).map(|(jid, _)| jid.clone()).collect();
        for member in lowered {
            if let Some(session) = self.sessions.get_mut(&member) {
                session.class = Class::Plain;
                let change = AudienceChange::In(Class::Plain);
                cx.out.push(Output::Audience { audience: self.audience, member, change });
            }
        }
    }

    /// Brings what each session may see in line with roles and configuration.
    pub(super) fn reclass(&mut self, cx: &mut Cx<'_>) {
        self.reclass_where(|_| true, cx);
    }

    /// The same behind an event about one occupant, whose sessions alone may see otherwise by it.
    pub(super) fn reclass_of(&mut self, nick: &Nick, cx: &mut Cx<'_>) {
        self.reclass_where(|session| session.nick == *nick, cx);
    }

    fn reclass_where(&mut self, concerned: impl Fn(&Session) -> bool, cx: &mut Cx<'_>) {
        let open = self.config.whois_anyone;
        for (member, session) in self.sessions.iter_mut().filter(|(_, session)| concerned(session)) {
            let moderates =
                |session: &Session| self.seats.get(&session.nick).is_some_and(|seat| seat.role == Role::Moderator);
            let class = if open || moderates(session) { Class::Jids } else { Class::Plain };
            if std::mem::replace(&mut session.class, class) != class && !session.leaving {
                let (member, change) = (member.clone(), AudienceChange::In(class));
                cx.out.push(Output::Audience { audience: self.audience, member, change });
            }
        }
        self.forget_jids();
    }

    /// Forgets real JIDs once nobody here may see them. Somebody whose ENTER is still to come may be the one they were sent for: the
    /// primary sends them before the entry's event, and that before the ENTER.
    pub(super) fn forget_jids(&mut self) {
        if self.jids_stored && !self.config.whois_anyone && self.joins.is_empty() {
            // Of every presence in a room of thousands: most such rooms have none stored.
            let waits = |session: &Session| self.life.talks() && session.awaits_enter();
            if !self.sessions.values().any(|session| session.class == Class::Jids || waits(session)) {
                self.seats.values_mut().for_each(|seat| seat.jid = None);
                self.jids_stored = false;
            }
        }
    }
}

/// The item that says what an occupant is, XEP-0045 7.2.2.
pub(super) fn item_of(presence: &Element) -> Option<&Element> {
    presence.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)
}
