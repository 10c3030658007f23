//! What operators are shown of links and rooms: the edge's streams, with what both engines know of the rooms behind them.

use super::Core;
use crate::control::{Answer, HeldAs, Link, LinkState, Occupant, Refusal, Replica, Response, Room, RoomDetail};
use std::collections::BTreeMap;
use xmpp::Jid;

impl Core {
    /// All sites, in the order of their domains: the worst state of their rooms, the sum of what waits.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut links = self.edge.links.list(&self.edge);
        for mirror in self.mirrors() {
            let link = of_domain(&mut links, mirror.room.domain());
            link.rooms += 1;
            link.outbox = Some(link.outbox.unwrap_or(0) + mirror.outbox as u64);
            link.lag_ms = link.lag_ms.max(Some(mirror.lag_ms));
            worsen(link, mirror.state, Some(mirror.since_ms));
        }
        let replicas = self.replicas();
        // A site is heard of in any of its rooms.
        let mut lags: BTreeMap<&str, u64> = BTreeMap::new();
        for (domain, lag_ms) in replicas.iter().filter_map(|replica| Some((&*replica.domain, replica.lag_ms?))) {
            lags.entry(domain).and_modify(|least| *least = lag_ms.min(*least)).or_insert(lag_ms);
        }
        for (domain, lag_ms) in lags {
            let link = of_domain(&mut links, domain);
            link.lag_ms = link.lag_ms.max(Some(lag_ms));
        }
        for replica in &replicas {
            let link = of_domain(&mut links, &replica.domain);
            link.rooms += 1;
            link.outbox = Some(link.outbox.unwrap_or(0) + replica.held as u64);
            worsen(link, replica.state, replica.since_ms);
        }
        let replica = self.machines.replica.iter().flat_map(|(_, replica)| replica.tallies());
        let primary = self.machines.primary.iter().flat_map(|(_, primary)| primary.tallies());
        for (domain, tally) in replica.chain(primary) {
            let link = of_domain(&mut links, domain);
            link.resumes += tally.resumes;
            link.refusals += tally.refusals;
            link.mismatches += tally.mismatches;
        }
        links
    }

    fn mirrors(&self) -> Vec<rooms::LinkSummary> {
        self.machines.replica.as_ref().map_or(Vec::new(), |(_, replica)| replica.links(self.now()))
    }

    fn replicas(&self) -> Vec<rooms::ReplicaSummary> {
        self.machines.primary.as_ref().map_or(Vec::new(), |(_, primary)| primary.replicas(self.now()))
    }

    /// All rooms, led here or mirrored, in the order of their addresses.
    pub(super) fn rooms(&self) -> Vec<Room> {
        let led = self.machines.primary.iter().flat_map(|(_, primary)| primary.rooms()).map(|room| Room {
            room: room.jid.to_string(),
            held_as: HeldAs::Primary,
            occupants: room.occupants as u64,
            local_occupants: room.direct_sessions as u64,
            replicas: room.replicas.len() as u64,
        });
        let mirrored = self.mirrors().into_iter().map(|mirror| Room {
            room: mirror.room.to_string(),
            held_as: HeldAs::Replica,
            occupants: mirror.sessions as u64,
            local_occupants: mirror.sessions as u64,
            replicas: 0,
        });
        let mut rooms: Vec<Room> = led.chain(mirrored).collect();
        rooms.sort_by(|a, b| a.room.cmp(&b.room));
        rooms
    }

    /// One room; who is in it is shown where it is led.
    pub(super) fn room(&self, room: &Jid) -> Response {
        let found = self.rooms().into_iter().find(|listed| listed.room == room.bare_str());
        let listed = found.ok_or_else(|| Refusal::not_found(format!("{room}: no such room here")))?;
        let primary = self.machines.primary.as_ref().map(|(_, primary)| primary);
        let (seq, occupants) = primary.and_then(|primary| primary.occupants(&room.bare())).unzip();
        let occupants_list = occupants.unwrap_or_default().into_iter().map(|occupant| Occupant {
            nick: occupant.nick.as_str().to_owned(),
            jid: Some(occupant.bare.to_string()),
            affiliation: occupant.affiliation.as_str().to_owned(),
            role: occupant.role.as_str().to_owned(),
        });
        let links = self.links();
        let replicas = primary.into_iter().flat_map(|primary| primary.rooms());
        let replicas = replicas.filter(|led| led.jid.as_str() == listed.room).flat_map(|led| led.replicas);
        let replicas_list = replicas.map(|jid| {
            let link = links.iter().find(|link| link.domain == jid.domain());
            Replica { jid: jid.to_string(), state: link.map_or(LinkState::Idle, |link| link.state) }
        });
        Ok(Answer::Room(RoomDetail {
            seq,
            occupants_list: occupants_list.collect(),
            replicas_list: replicas_list.collect(),
            room: listed,
        }))
    }
}

/// The link to a domain; one that had no stream since the start is put in.
fn of_domain<'a>(links: &'a mut Vec<Link>, domain: &str) -> &'a mut Link {
    let at = match links.binary_search_by(|link| link.domain.as_str().cmp(domain)) {
        Ok(at) => at,
        Err(at) => {
            links.insert(at, Link { domain: domain.to_owned(), ..Link::default() });
            at
        }
    };
    &mut links[at]
}

/// Lets a room's state stand for the link's where it is worse; of rooms in the same state, the first since when. What an
/// operator has cut stays so: the rest follows from it.
fn worsen(link: &mut Link, state: &str, since_ms: Option<i64>) {
    let state = match state {
        "split" => LinkState::Split,
        "suspect" => LinkState::Suspect,
        _ => return,
    };
    let since = since_ms.map(|ms| ms / 1000);
    let rank = |state| LinkState::ALL.iter().position(|known| *known == state);
    if rank(state) > rank(link.state) {
        (link.state, link.since) = (state, since);
    } else if state == link.state {
        link.since = link.since.into_iter().chain(since).min();
    }
}
