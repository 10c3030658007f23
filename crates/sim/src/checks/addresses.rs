//! Protocol property P5, XEP-0282 4.7: where real addresses are for moderators alone, a replica is sent those of other sites only while
//! somebody at its own may see them, or when he comes to, in the same batch.

use super::people::{Occupant, People, at, bare, domain, is_destroyed, item, kind, subject};
use super::watch::Watch;
use crate::world::{Crossing, SetBack};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

pub(super) struct Addresses {
    room: Jid,
    /// Who of each site is a moderator from which event on, and is none from which on, as the room has told anybody.
    moderators: BTreeMap<String, BTreeMap<Occupant, BTreeMap<u64, bool>>>,
    /// The last event that each site has been told of: sites are told at their own pace, and what one is told holds as of then.
    heads: BTreeMap<String, u64>,
    /// Which sessions the room has let in and not put out again, as it has told their sites, or them.
    sessions: BTreeSet<String>,
    /// What was sent to a site that had no moderator yet: when, and the stanza.
    early: BTreeMap<String, (u64, String)>,
}

impl Addresses {
    pub fn of(room: &Jid) -> Addresses {
        Addresses {
            room: room.clone(),
            moderators: BTreeMap::new(),
            heads: BTreeMap::new(),
            sessions: BTreeSet::new(),
            early: BTreeMap::new(),
        }
    }

    /// Where in the one order a site is by this stanza; `None` for one that is no link's.
    fn place(&mut self, site: &str, stanza: &Element) -> Option<u64> {
        let granted = stanza.get_child("granted", ns::NETJOIN);
        let marks = at(stanza).or(granted)?;
        let is_past = matches!(kind(stanza), Some("history" | "missed"));
        let known = self.heads.entry(site.to_owned()).or_default();
        *known = marks.get("seq").and_then(|seq| seq.parse().ok()).filter(|_| !is_past).unwrap_or(*known);
        Some(*known)
    }

    fn note_session(&mut self, stanza: &Element) {
        let Some(session) = subject(stanza) else { return };
        match stanza.get("type") {
            None => drop(self.sessions.insert(session.to_owned())),
            Some("unavailable") => drop(self.sessions.remove(session)),
            Some(_) => {}
        }
    }

    fn note(&mut self, stanza: &Element, place: u64, people: &People) {
        // LEAVE, and what somebody gets of himself, is about one session of perhaps several.
        if subject(stanza).is_some() && stanza.get("type").is_some() {
            return;
        }
        let Some(occupant) = Occupant::of(stanza).filter(|_| stanza.name() == "presence") else { return };
        let Some(site) = people.user(&occupant.id).map(|user| domain(user).to_owned()) else { return };
        let Some(role) = item(stanza).and_then(|item| item.get("role")) else { return };
        let is_one = role == "moderator" && stanza.get("type").is_none();
        self.moderators.entry(site).or_default().entry(occupant).or_default().insert(place, is_one);
    }

    /// Whether somebody at a site may see real addresses, as of this event.
    fn has_moderator(&self, site: &str, place: u64) -> bool {
        let is_one = |told: &BTreeMap<u64, bool>| told.range(..=place).next_back().is_some_and(|(_, is_one)| *is_one);
        self.moderators.get(site).is_some_and(|moderators| moderators.values().any(is_one))
    }

    /// Whom the answer to a census says to be out, with all his sessions, is no moderator any more. One that it does not name is in until
    /// its LEAVE.
    fn note_removed(&mut self, site: &str, stanza: &Element, place: u64, people: &People) {
        let of = |seat: &Element| seat.get("jid").map(str::to_owned);
        let seats = stanza.get_child("granted", ns::NETJOIN).into_iter().flat_map(Element::children);
        let (out, still): (Vec<_>, Vec<_>) = seats.partition(|seat| seat.get("verdict") == Some("removed"));
        let out: Vec<String> = out.into_iter().filter_map(of).collect();
        self.sessions.retain(|session| !out.contains(session));
        self.sessions.extend(still.into_iter().filter_map(of));
        let is_in = |user: &&str| self.sessions.iter().any(|session| bare(session) == *user);
        let out = out.iter().map(|session| bare(session)).filter(|user| !is_in(user));
        for id in out.filter_map(|user| people.id(user).map(str::to_owned)) {
            let moderators = self.moderators.get_mut(site).into_iter().flatten();
            moderators.filter(|(occupant, _)| occupant.id == id).for_each(|(_, told)| {
                told.insert(place, false);
            });
        }
    }
}

impl Watch for Addresses {
    fn crossed(&mut self, crossing: &Crossing, _: usize, people: &People) -> Result<(), String> {
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        let (stanza, site, now) = (&crossing.stanza, &crossing.to, crossing.at_ms);
        self.note_session(stanza);
        if is_destroyed(stanza) {
            self.moderators.remove(site);
            self.sessions.retain(|session| domain(session) != site);
        }
        let place = self.place(site, stanza);
        if let Some(place) = place {
            self.note(stanza, place, people);
            self.note_removed(site, stanza, place, people);
            if self.has_moderator(site, place) {
                self.early.remove(site);
            } else if at(stanza).is_some() && names_others(stanza, site) {
                self.early.entry(site.clone()).or_insert_with(|| (now, stanza.to_xml()));
            }
        }
        match self.early.get(site).filter(|(at_ms, _)| *at_ms < now) {
            Some((_, xml)) => Err(format!("{site} has no moderator and was sent {xml}")),
            None => Ok(()),
        }
    }

    /// It gives numbers anew, and tells each site who is what there when that has registered.
    fn set_back(&mut self, _: &SetBack) {
        self.moderators.clear();
        self.heads.clear();
        self.sessions.clear();
    }
}

/// Whether it has the address of somebody of another site.
fn names_others(element: &Element, site: &str) -> bool {
    let is_seat = matches!(element.name(), "item" | "seat");
    let others = element.get("jid").is_some_and(|jid| is_seat && domain(jid) != site);
    others || element.children().any(|child| names_others(child, site))
}
