//! What all rooms of a site share: settings, requests under way, tokens of writes, services, timers.

use super::ReplicaConfig;
use super::direct::Direct;
use super::keepalive::Service;
use super::owed::Owed;
use super::turns::Turns;
use crate::tally::{Tallies, Tally};
use machine::archive::Reading;
use machine::{Change, Now, Output, QueryId, Token};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, Shared};

/// What all rooms of a site share.
pub(super) struct Site {
    pub config: ReplicaConfig,
    /// Requests under way by their id.
    pub asked: BTreeMap<String, Asked>,
    /// Writes that somebody must hear of when they fail: the room.
    pub tokens: BTreeMap<Token, Jid>,
    pub owed: Owed,
    /// Queries of mirrored archives under way: the room, and what is to be answered.
    pub readings: BTreeMap<QueryId, (Jid, Reading)>,
    pub services: BTreeMap<String, Service>,
    pub timers: Timers,
    pub turns: Turns,
    /// Mirrors on disk of rooms that nobody here is in.
    pub resting: BTreeMap<Jid, Resting>,
    /// Rooms of which something may be put aside.
    pub refused: BTreeSet<Jid>,
    pub direct: Direct,
    /// Whether the server that has the users hands over what they say; meaningless where that is this one.
    pub attached: bool,
    /// Which rooms were told within a second that an epoch is over, and when.
    stale_said: BTreeMap<Jid, u64>,
    pub tallies: Tallies,
    rng: ChaCha12Rng,
    next_token: u64,
    last_query: u64,
}

/// What is on disk of a room is of this life of the room, as it was told by this start of its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub incarnation: String,
    pub term: String,
}

/// A mirror on disk that is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resting {
    /// What its archive is of.
    pub of: Origin,
    /// When it was last of use, Unix milliseconds.
    pub used_ms: i64,
}

/// What a request was for; its answer must come from where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// What a service is (XEP-0030).
    Info(String),
    /// A registration with this room.
    Registration(Jid),
    /// A ping to a service.
    Ping(String),
    /// A withdrawal from a room: either answer will do.
    Withdrawal(Jid),
}

/// Whose time comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Room(Jid),
    Service(String),
    /// What is kept for too long.
    Old,
    /// What a full disk has not removed.
    Owed,
}

/// The time, the way out, and the site, passed down every call.
pub(super) struct Cx<'a> {
    pub now: Now,
    pub out: &'a mut Vec<Output>,
    pub site: &'a mut Site,
    /// Which of the outputs are not to be seen before which write is on disk: (place in `out`, write).
    pub waits: Vec<(usize, Token)>,
}

impl Cx<'_> {
    /// Counts something of the link to the service of a room.
    pub fn tally(&mut self, room: &Jid, what: Tally) {
        self.site.tallies.add(room.domain(), what);
    }
}

impl Site {
    pub fn new(config: ReplicaConfig, seed: [u8; 32]) -> Site {
        Site {
            config,
            asked: BTreeMap::new(),
            tokens: BTreeMap::new(),
            owed: Owed::default(),
            readings: BTreeMap::new(),
            services: BTreeMap::new(),
            timers: Timers::default(),
            turns: Turns::default(),
            resting: BTreeMap::new(),
            refused: BTreeSet::new(),
            direct: Direct::default(),
            attached: false,
            stale_said: BTreeMap::new(),
            tallies: Tallies::default(),
            rng: ChaCha12Rng::from_seed(seed),
            next_token: 0,
            last_query: 0,
        }
    }

    /// Whether a room is told now that an epoch is over: once a second, whatever has become of its mirror in between.
    pub fn may_say_stale(&mut self, room: &Jid, now_ms: u64) -> bool {
        self.stale_said.retain(|_, at| now_ms < *at + STALE_MS);
        !self.stale_said.contains_key(room) && self.stale_said.insert(room.clone(), now_ms).is_none()
    }

    /// Whether this is the address of one of the site's own users.
    pub fn is_local(&self, jid: &Jid) -> bool {
        self.config.domains.iter().any(|domain| domain == jid.domain())
    }

    /// Whether the users are another server's, which has a module for this.
    pub fn is_attachable(&self) -> bool {
        self.config.domains.iter().all(|domain| domain != self.config.jid.domain())
    }

    /// Whether the operator lets this service's rooms be mirrored here.
    pub fn allows(&self, domain: &str) -> bool {
        self.config.primaries.iter().any(|allowed| allowed == "*" || allowed == domain)
    }

    /// A number nobody can guess.
    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A number for a query.
    pub fn next_query(&mut self) -> QueryId {
        self.last_query += 1;
        QueryId(self.last_query)
    }

    /// A name nobody can guess.
    pub fn name(&mut self) -> String {
        format!("{:016x}", self.random())
    }

    /// Up to `most`, so that many who wait for the same do not all come back at once.
    pub fn jitter(&mut self, most: u64) -> u64 {
        self.random() % most.max(1)
    }
}

impl Cx<'_> {
    /// Sends a stanza on its way to whomever it is for.
    pub fn pass(&mut self, to: &Jid, stanza: Element) {
        self.out.push(Output::Send { to: to.clone(), stanza: Shared::new(stanza) });
    }

    /// The same as any output, once a write is on disk.
    pub fn when_kept(&mut self, token: Token, output: Output) {
        self.waits.push((self.out.len(), token));
        self.out.push(output);
    }

    /// Sends a stanza, the replica's own or a user's, to a service or one of its rooms.
    pub fn up(&mut self, to: &Jid, stanza: Element) {
        self.site.spoke(to.domain(), self.now);
        self.pass(to, stanza);
    }

    /// Sends a request and remembers what it was for; gives its id.
    pub fn ask(&mut self, to: &Jid, kind: &str, payload: Element, asked: Asked) -> String {
        let id = self.site.name();
        let iq = Element::stanza("iq")
            .attr("from", self.site.config.jid.as_str())
            .attr("type", kind)
            .attr("id", &id)
            .child(payload);
        if self.site.asked.len() >= ASKED_MAX {
            // Whoever waits for the oldest has a time-out of its own.
            self.site.asked.pop_first();
        }
        self.site.asked.insert(id.clone(), asked);
        self.up(to, iq);
        id
    }

    /// Writes something nobody waits for.
    pub fn keep(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.persist(changes);
        }
    }

    /// Writes something whose failure this room must hear of.
    pub fn keep_or_say(&mut self, changes: Vec<Change>, room: &Jid) -> Token {
        let token = self.persist(changes);
        self.site.tokens.insert(token, room.clone());
        token
    }

    /// For the operator.
    pub fn log(&mut self, text: String) {
        self.out.push(Output::Log(text));
    }

    pub(super) fn persist(&mut self, changes: Vec<Change>) -> Token {
        self.site.next_token += 1;
        let token = Token(self.site.next_token);
        self.out.push(Output::Persist { token, changes });
        token
    }
}

/// Who is to be woken when.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Due, u64>,
    order: BTreeSet<(u64, Due)>,
}

impl Timers {
    /// Sets, moves or takes away a timer.
    pub fn set(&mut self, due: Due, at: Option<u64>) {
        if self.at.get(&due).copied() == at {
            return;
        }
        if let Some(before) = self.at.remove(&due) {
            self.order.remove(&(before, due.clone()));
        }
        if let Some(at) = at {
            self.at.insert(due.clone(), at);
            self.order.insert((at, due));
        }
    }

    /// Takes the first whose time has come.
    pub fn pop(&mut self, now_ms: u64) -> Option<Due> {
        if self.order.first()?.0 > now_ms {
            return None;
        }
        let (_, due) = self.order.pop_first()?;
        self.at.remove(&due);
        Some(due)
    }

    /// When the first time comes.
    pub fn next(&self) -> Option<u64> {
        self.order.first().map(|(at, _)| *at)
    }
}

/// `docs/wire.md`: `<stale/>` at most once per second and room.
const STALE_MS: u64 = 1_000;
/// Most requests under way: a few per room.
const ASKED_MAX: usize = 40_000;
