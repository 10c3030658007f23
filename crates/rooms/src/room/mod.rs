//! One room as its primary leads it: XEP-0045, a file per section.
//!
//! | file | XEP-0045 |
//! |---|---|
//! | `tell` | how anything reaches occupants, directly or over links; nothing else may send to them |
//!
//! A room is entered by direct occupants (plain XEP-0045) and by those behind a replica; the files here do not care
//! which: [`tell`] does.

mod config;
mod history;
mod keep;
mod presence;
mod tell;

use crate::names::{Affiliation, Nick, Role};
use crate::primary::{Links, Up};
use machine::{AudienceId, Change, Gate, Now, Output};
use rand_chacha::ChaCha12Rng;
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid};

pub(crate) use config::{Config, Whois};
pub(crate) use tell::{Event, HistoryWanted, Part, Shown, add_statuses, without_jids};

/// A room with all who are in it.
pub(crate) struct Room {
    /// The bare address.
    pub jid: Jid,
    pub config: Config,
    pub audience: AudienceId,
    pub affiliations: BTreeMap<Jid, Affiliated>,
    pub occupants: BTreeMap<Nick, Occupant>,
    /// Full JID of every session to the nick it is in under.
    pub sessions: BTreeMap<Jid, Nick>,
    pub history: VecDeque<Past>,
    pub subject: Option<Past>,
    pub order: Order,
    /// XEP-0282: the replicas.
    pub links: Links,
    pub gate: Gate,
    pub rng: ChaCha12Rng,
}

/// The room's one order of events, `docs/wire.md`.
pub(crate) struct Order {
    /// Which life of the room this is; a room created anew under the same name has another.
    pub incarnation: String,
    /// Which start of the primary this is.
    pub term: String,
    /// The last number given.
    pub seq: u64,
    /// Numbers up to here are reserved on disk.
    pub reserved: u64,
    /// What occupant-ids, stanza-ids and the keys of outboxes are made with. Never leaves the primary.
    pub secret: [u8; 32],
}

/// What the room knows of a user for good.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Affiliated {
    pub affiliation: Affiliation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A seat: one nick, one bare JID, one or more sessions.
#[derive(Debug, Clone)]
pub(crate) struct Occupant {
    pub nick: Nick,
    /// The real bare JID.
    pub bare: Jid,
    pub role: Role,
    pub affiliation: Affiliation,
    /// XEP-0421.
    pub occupant_id: String,
    /// In the order they entered; never empty while the occupant is in the room.
    pub sessions: Vec<Session>,
}

/// One client of an occupant.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The real full JID.
    pub jid: Jid,
    /// How what the room says reaches it.
    pub via: Via,
    /// Payload of its last presence: show, status, caps …; no muc or muc#user element, no id.
    pub payload: Vec<Element>,
}

/// How what the room says reaches a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// Plain XEP-0045: stanzas go to the full JID.
    Direct,
    /// XEP-0282: through this replica.
    Replica(Jid),
}

/// A message that was said, as history keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub seq: u64,
    /// The stanza-id.
    pub id: String,
    pub stamp_ms: i64,
    /// As broadcast, without `to`.
    pub stanza: xmpp::Shared,
}

/// The time and the way out, passed down every call.
pub(crate) struct Cx<'a> {
    pub now: Now,
    pub out: &'a mut Vec<Output>,
    /// The mark of the stanza being handled, when a replica relayed it.
    pub up: Option<Up>,
    /// Whether the mark has gone into a `Persist` with its outcome.
    pub mark_kept: bool,
}

impl Cx<'_> {
    /// The mark of the stanza being handled as a change, once: whoever persists its outcome takes it along.
    pub fn take_mark(&mut self, room: &Jid) -> Option<Change> {
        let up = self.up.as_ref().filter(|_| !self.mark_kept)?;
        self.mark_kept = true;
        Some(up.change(room))
    }
}
