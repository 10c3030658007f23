//! Protocol property P5, XEP-0282 4.7: where real addresses are for moderators alone, a replica is sent those of other sites only while
//! somebody at its own may see them, or when he comes to, in the same batch.

use super::people::{Occupant, People, at, domain, is_destroyed, item, subject};
use super::watch::Watch;
use crate::world::Crossing;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid};

pub(super) struct Addresses {
    room: Jid,
    people: People,
    /// The moderators at each site, as the room has made and unmade them.
    moderators: BTreeMap<String, BTreeSet<Occupant>>,
    /// What was sent to a site that had no moderator yet: when, and the stanza.
    early: BTreeMap<String, (u64, String)>,
}

impl Addresses {
    pub fn of(room: &Jid) -> Addresses {
        Addresses { room: room.clone(), people: People::default(), moderators: BTreeMap::new(), early: BTreeMap::new() }
    }

    fn note(&mut self, stanza: &Element) {
        // LEAVE, and what somebody gets of himself, is about one session of perhaps several.
        if subject(stanza).is_some() && stanza.get("type").is_some() {
            return;
        }
        let Some(occupant) = Occupant::of(stanza).filter(|_| stanza.name() == "presence") else { return };
        let Some(site) = self.people.user(&occupant.id).map(|user| domain(user).to_owned()) else { return };
        let Some(role) = item(stanza).and_then(|item| item.get("role")) else { return };
        let moderators = self.moderators.entry(site.clone()).or_default();
        if role == "moderator" && stanza.get("type").is_none() {
            moderators.insert(occupant);
            self.early.remove(&site);
        } else {
            moderators.remove(&occupant);
        }
    }
}

impl Watch for Addresses {
    fn crossed(&mut self, crossing: &Crossing, _: usize) -> Result<(), String> {
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        self.people.crossed(crossing);
        if is_destroyed(&crossing.stanza) {
            self.moderators.remove(&crossing.to);
        }
        self.note(&crossing.stanza);
        let (site, now) = (&crossing.to, crossing.at_ms);
        if let Some((_, xml)) = self.early.get(site).filter(|(at_ms, _)| *at_ms < now) {
            return Err(format!("{site} has no moderator and was sent {xml}"));
        }
        let has_moderator = self.moderators.get(site).is_some_and(|moderators| !moderators.is_empty());
        if at(&crossing.stanza).is_some() && !has_moderator && names_others(&crossing.stanza, site) {
            self.early.insert(site.clone(), (now, crossing.stanza.to_xml()));
        }
        Ok(())
    }
}

/// Whether it has the address of somebody of another site.
fn names_others(element: &Element, site: &str) -> bool {
    let is_seat = matches!(element.name(), "item" | "seat");
    let others = element.get("jid").is_some_and(|jid| is_seat && domain(jid) != site);
    others || element.children().any(|child| names_others(child, site))
}
