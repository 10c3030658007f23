//! What an operator is shown of a room led here: its replicas and who is in it, never what is said.

use super::link::{Link, Phase};
use super::removals::Removals;
use crate::names::{Affiliation, Nick, Role};
use crate::room::{Life, Room};
use crate::service::Primary;
use crate::tally::Tally;
use machine::Now;
use std::collections::BTreeMap;
use xmpp::Jid;

/// One replica of one room as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSummary {
    /// The room.
    pub room: Jid,
    /// The domain of the replica.
    pub domain: String,
    /// `syncing`, `live`, `suspect` or `split`; the last for as long as somebody whom it has cost the seat may come back.
    pub state: &'static str,
    /// Since when it is doubted or lost, Unix milliseconds; `None` while it is well.
    pub since_ms: Option<i64>,
    /// Events that wait for its snapshot or a sign of life.
    pub held: usize,
    /// Milliseconds since anything of it was heard; `None` when there is no link to it any more.
    pub lag_ms: Option<u64>,
}

/// One occupant as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OccupantSummary {
    /// The nickname.
    pub nick: Nick,
    /// The real bare address.
    pub bare: Jid,
    /// XEP-0045 5.2.
    pub affiliation: Affiliation,
    /// XEP-0045 5.1.
    pub role: Role,
}

impl Primary {
    /// The replicas of all rooms, by room and domain.
    pub fn replicas(&self, now: Now) -> Vec<ReplicaSummary> {
        self.rooms.values().flat_map(|room| room.replica_summaries(now)).collect()
    }

    /// What has been counted of links to replicas since the start, by domain.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.tallies.iter()
    }

    /// The number of a room's last event and who is in it, by nick; `None` when there is no such room.
    pub fn occupants(&self, room: &Jid) -> Option<(u64, Vec<OccupantSummary>)> {
        let room = self.rooms.get(room).filter(|room| matches!(room.life, Life::Locked | Life::Open))?;
        let summary = |o: &crate::room::Occupant| OccupantSummary {
            nick: o.nick.clone(),
            bare: o.bare.clone(),
            affiliation: o.affiliation,
            role: o.role,
        };
        Some((room.order.seq, room.occupants.values().map(summary).collect()))
    }
}

impl Room {
    fn replica_summaries(&self, now: Now) -> Vec<ReplicaSummary> {
        let unix_ms = |mono_ms: u64| now.unix_ms - now.mono_ms.saturating_sub(mono_ms) as i64;
        let summary = |domain: &str, state, since: Option<u64>, link: Option<&Link>| ReplicaSummary {
            room: self.jid.clone(),
            domain: domain.to_owned(),
            state,
            since_ms: since.map(unix_ms),
            held: link.map_or(0, |link| link.held.len()),
            lag_ms: link.map(|link| now.mono_ms.saturating_sub(link.heard_mono_ms)),
        };
        let links = &self.links.links;
        let standing = links.iter().map(|(replica, link)| {
            let since = link.split_ms().or(link.suspect_ms);
            summary(replica.domain(), state_of(link), since, Some(link))
        });
        let lost = self.links.removals.split_since();
        let lost = lost.iter().filter(|(domain, _)| !links.values().any(|link| link.domains.contains(**domain)));
        standing.chain(lost.map(|(domain, at)| summary(domain, "split", Some(*at), None))).collect()
    }
}

fn state_of(link: &Link) -> &'static str {
    match (link.suspect_ms, &link.phase) {
        (_, Phase::Split { .. }) => "split",
        (Some(_), _) => "suspect",
        (None, Phase::Syncing { .. }) => "syncing",
        (None, Phase::Live) => "live",
    }
}

impl Removals {
    /// Domains of the users whom a split has cost the seat, and since when, monotonic milliseconds.
    fn split_since(&self) -> BTreeMap<&str, u64> {
        let mut since = BTreeMap::new();
        for (jid, at_ms) in self.splits() {
            let first = since.entry(jid.domain()).or_insert(at_ms);
            *first = at_ms.min(*first);
        }
        since
    }
}
