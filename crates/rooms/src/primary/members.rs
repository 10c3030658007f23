//! Which users of a site may enter while its link is lost (XEP-0282 4.11.1.2), `docs/wire.md`, *Members*: told to a replica that
//! asks, where the service grants it, of the users of its own domains alone.
//!
//! A room with a password tells of nobody, since an island could not ask for it; so does one that is locked.

use crate::names::Affiliation;
use crate::room::{Cx, Life, Room, Standing};
use crate::wire::{Down, Kind, MEMBERS_MAX, Member, Members, Membership, SITE_MEMBERS_MAX};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, Shared};

impl Room {
    /// Of the snapshot: all of them.
    pub(super) fn send_members(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.get(replica).filter(|link| link.members.is_some()) else { return };
        let members = self.members_of(&link.domains);
        for told in self.told_members(&members).chunks(MEMBERS_MAX) {
            let stanza = Element::stanza("message").attr("from", self.jid.as_str());
            self.send_down(replica, Kind::Members, None, stanza, Down::Members(Members(told.to_vec())).x(), cx);
        }
        if let Some(link) = self.links.links.get_mut(replica) {
            link.members = Some(members);
        }
    }

    /// After a decision: what it has changed of them.
    pub fn supply_members(&mut self, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        for replica in self.links.replicas() {
            let link = self.links.links.get(&replica).filter(|link| !link.is_over() && !link.is_split());
            let Some((link, before)) = link.and_then(|link| Some((link, link.members.as_ref()?))) else { continue };
            let now = self.members_of(&link.domains);
            let mut changed: Vec<Member> = before.keys().filter(|jid| !now.contains_key(*jid)).map(gone).collect();
            let news = now.iter().filter(|(jid, standing)| before.get(*jid) != Some(standing));
            changed.extend(self.told_members(&news.map(|(jid, standing)| (jid.clone(), *standing)).collect()));
            let Some(link) = self.links.links.get_mut(&replica) else { continue };
            link.members = Some(now);
            for told in changed.chunks(MEMBERS_MAX) {
                let stanza = Element::stanza("message").attr("from", self.jid.as_str());
                let at = link.next(Kind::Members);
                let down = Down::Members(Members(told.to_vec()));
                link.pass(&replica, Shared::new(stanza.child(down.x())), at, &mut outputs);
            }
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// Owners, admins and members at these domains, and what they would enter as.
    fn members_of(&self, domains: &BTreeSet<String>) -> BTreeMap<Jid, Standing> {
        if self.config.password.is_some() || self.life != Life::Open {
            return BTreeMap::new();
        }
        let listed = self.affiliations.iter().map(|(jid, _)| jid).chain(&self.service.admins);
        let own = listed.filter(|jid| jid.local().is_some() && domains.contains(jid.domain()));
        let standing = |jid: &Jid| {
            let affiliation = self.affiliation_of(jid);
            Standing { role: self.role_of_entrant(jid, affiliation), affiliation }
        };
        let all = own.map(|jid| (jid.clone(), standing(jid)));
        all.filter(|(_, standing)| standing.affiliation >= Affiliation::Member).take(SITE_MEMBERS_MAX).collect()
    }

    fn told_members(&self, members: &BTreeMap<Jid, Standing>) -> Vec<Member> {
        let told = |(jid, standing): (&Jid, &Standing)| {
            let occupant_id = self.order.occupant_id(jid);
            let Standing { affiliation, role } = *standing;
            Member { jid: jid.clone(), standing: Some(Membership { affiliation, role, occupant_id }) }
        };
        members.iter().map(told).collect()
    }
}

/// One who may not enter any more.
fn gone(jid: &Jid) -> Member {
    Member { jid: jid.clone(), standing: None }
}
