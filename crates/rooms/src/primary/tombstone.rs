//! Rooms that are no more and had replicas, `docs/wire.md`, *Netjoin*: remembered for `retention_seconds`, so that a site that comes
//! back learns what has become of the room and takes no other under its name for it.
//!
//! | space | owner | key | |
//! |---|---|---|---|
//! | `tombstone` | room | incarnation | [`Tombstone`] |

use crate::room::{Destruction, Room, put};
use crate::service::{Primary, PrimaryConfig};
use crate::wire::{Destroyed, Replicate};
use machine::{Change, Now, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

/// What was said when a room ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    /// When it ended, Unix milliseconds.
    at_ms: i64,
    /// The room that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    venue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The tombstones of a service, by room and which life of it has ended.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    tombstones: BTreeMap<(Jid, String), Tombstone>,
}

impl Tombstone {
    /// The record of it.
    pub fn change(&self, room: &Jid, incarnation: &str) -> Change {
        put("tombstone", room, incarnation, self)
    }
}

impl Tombstones {
    /// Takes a record as it was kept; gives why it cannot be read.
    pub fn load(&mut self, room: Jid, record: &Record) -> Result<(), String> {
        let tombstone = serde_json::from_str(&record.value).map_err(|e| format!("a tombstone of {room}: {e}"))?;
        self.tombstones.insert((room, record.key.clone()), tombstone);
        Ok(())
    }

    /// Remembers one; gives what is forgotten for it on disk: what is too old, and what is over the bound.
    pub fn put(&mut self, room: Jid, incarnation: String, tombstone: Tombstone, kept_ms: i64) -> Vec<Change> {
        let mut gone: Vec<(Jid, String)> =
            self.tombstones.iter().filter(|(_, old)| old.at_ms < kept_ms).map(|(key, _)| key.clone()).collect();
        if self.tombstones.len() >= TOMBSTONES_MAX && gone.is_empty() {
            gone.extend(self.tombstones.iter().min_by_key(|(_, old)| old.at_ms).map(|(key, _)| key.clone()));
        }
        self.tombstones.retain(|key, _| !gone.contains(key));
        self.tombstones.insert((room, incarnation), tombstone);
        let forget = |(room, key): (Jid, String)| Change::Delete { space: "tombstone", owner: room.to_string(), key };
        gone.into_iter().map(forget).collect()
    }

    fn get(&self, room: &Jid, incarnation: &str, kept_ms: i64) -> Option<&Tombstone> {
        self.tombstones.get(&(room.clone(), incarnation.to_owned())).filter(|tombstone| tombstone.at_ms >= kept_ms)
    }
}

impl Room {
    /// What remains of the room, if a replica may not have heard of its end.
    pub fn tombstone(&self, destruction: &Destruction, now: Now) -> Option<Tombstone> {
        self.links.marks.any().then(|| Tombstone {
            at_ms: now.unix_ms,
            venue: destruction.venue.as_ref().map(|venue| venue.bare().to_string()),
            reason: destruction.reason.clone(),
        })
    }
}

impl Primary {
    /// The answer to a registration that resumes a room which is no more; whoever had nobody in it is a new one.
    pub(crate) fn buried(&self, room: &Jid, stanza: &Element, now: Now) -> Option<StanzaError> {
        let asked = Replicate::parse(stanza.get_child("replicate", ns::NETJOIN)?).ok()?;
        let resume = asked.resume.filter(|_| asked.census.is_some_and(|(_, seats)| !seats.is_empty()))?;
        let tombstone = self.tombstones.get(room, &resume.incarnation, kept_since(&self.config, now))?;
        let destroyed = Destroyed {
            incarnation: resume.incarnation,
            venue: tombstone.venue.as_ref().and_then(|venue| Jid::new(venue).ok()),
            reason: tombstone.reason.clone(),
        };
        Some(StanzaError { extra: Some(destroyed.element()), ..Condition::Gone.into() })
    }
}

/// Tombstones that are older, Unix milliseconds, are forgotten.
pub(crate) fn kept_since(config: &PrimaryConfig, now: Now) -> i64 {
    now.unix_ms.saturating_sub_unsigned(config.retention_seconds.saturating_mul(1_000))
}

/// Most tombstones of a service; the oldest goes first.
const TOMBSTONES_MAX: usize = 1_000;
