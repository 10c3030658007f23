//! The world: servers with the real engines, links, disks, clients and one clock. A seed decides everything.
//!
//! | file | |
//! |---|---|
//! | `server` | a process: machines, disk, audiences, the clients' streams |
//! | `route` | where a stanza goes, RFC 6120 10 and XEP-0282's interception |
//! | `carry` | carrying out what machines want |
//! | `link` | the ordered streams between domains, and all that may befall them |
//! | `agenda` | what happens when |
//! | `fault` | breaking things, and healing them |
//! | `trap` | what goes wrong in the middle of a join |
//! | `tape` | what users sent and received, and what crossed the links |
//!
//! Between a client and its own server nothing is lost but by the end of the stream; everything else may be.

mod agenda;
mod carry;
mod fault;
mod link;
mod route;
mod server;
mod tape;
mod trap;

use crate::rng::Rng;
use agenda::{Agenda, Happening};
use link::Link;
use machine::{Input, Now};
use server::Server;
use std::collections::{BTreeMap, BTreeSet};
use trap::Laid;
use xmpp::{Element, Jid};

pub use link::Weather;
pub use server::{ServerConfig, Which};
pub use tape::{Crossing, Scene, SetBack, Tape, Telling};
pub use trap::{Spring, Sprung, Trap};

/// Servers, links, clients and the time.
pub struct World {
    now: Now,
    /// What chance decides in the world; scenarios have theirs from elsewhere.
    rng: Rng,
    servers: Vec<Server>,
    /// Which server hosts a domain.
    domains: BTreeMap<String, usize>,
    links: BTreeMap<(String, String), Link>,
    agenda: Agenda,
    /// How many stanzas have been written to links.
    written: u64,
    /// Full addresses of clients that are connected.
    online: BTreeSet<String>,
    /// Clients that are gone, of which their server has not noticed it: which of their streams that is.
    vanished: BTreeMap<Jid, u64>,
    /// How many clients have vanished.
    vanishings: u64,
    /// What is still to go wrong.
    traps: Vec<Laid>,
    /// What has, and nobody has asked for.
    sprung: Vec<Sprung>,
    /// How long a stanza takes between servers, milliseconds: least and most.
    pub link_ms: (u64, u64),
    /// How long a disk takes to sync, milliseconds: least and most.
    pub disk_ms: (u64, u64),
    /// All that was seen.
    pub tape: Tape,
}

impl World {
    /// An empty world at the given Unix time in milliseconds.
    pub fn new(seed: u64, unix_ms: i64) -> World {
        World {
            now: Now { mono_ms: 1_000, unix_ms },
            rng: Rng::new(seed),
            servers: Vec::new(),
            domains: BTreeMap::new(),
            links: BTreeMap::new(),
            agenda: Agenda::default(),
            written: 0,
            online: BTreeSet::new(),
            vanished: BTreeMap::new(),
            vanishings: 0,
            traps: Vec::new(),
            sprung: Vec::new(),
            link_ms: (1, 1),
            disk_ms: (1, 1),
            tape: Tape::default(),
        }
    }

    /// Adds a server and starts it.
    pub fn add(&mut self, config: ServerConfig) -> usize {
        let index = self.servers.len();
        for domain in config.domains() {
            self.domains.insert(domain, index);
        }
        let mut server = Server::new(config);
        server.start(self.rng.seed());
        self.servers.push(server);
        index
    }

    /// The time.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Puts the clock that people read to another time; the clock of timers goes on.
    pub fn set_unix_ms(&mut self, unix_ms: i64) {
        self.now.unix_ms = unix_ms;
    }

    /// The server of a domain.
    pub fn server_of(&self, domain: &str) -> Option<usize> {
        self.domains.get(domain).copied()
    }

    /// Whether a server runs.
    pub fn is_up(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|s| s.up)
    }

    /// Whether a client is connected.
    pub fn is_online(&self, full: &str) -> bool {
        self.online.contains(full)
    }

    /// A client logs in and says that it is there. `false` when its server is down.
    pub fn connect(&mut self, full: &Jid) -> bool {
        let Some(server) = self.server_of(full.domain()).filter(|&s| self.is_up(s)) else { return false };
        let mut out = Vec::new();
        let Some(accounts) = &mut self.servers[server].accounts else { return false };
        if accounts.bind(full, &mut out).is_err() {
            return false;
        }
        self.online.insert(full.to_string());
        self.vanished.remove(full);
        self.servers[server].sessions.insert(full.clone());
        self.tape.tell(self.now.mono_ms, full.as_str(), Scene::Connected);
        self.carry_out_all(server, Which::Accounts, out);
        self.send(full, Element::stanza("presence"));
        true
    }

    /// A client's stream ends: by `</stream:stream>` or without a word, which is the same to its server.
    pub fn disconnect(&mut self, full: &Jid) {
        if !self.online.remove(full.as_str()) {
            return;
        }
        self.tape.tell(self.now.mono_ms, full.as_str(), Scene::Ended);
        if let Some(server) = self.server_of(full.domain()) {
            self.servers[server].sessions.remove(full);
            self.feed(server, Which::Accounts, Input::SessionEnded(full.clone()));
        }
    }

    /// A client is gone without a word: its server goes on writing to it until it notices, after so long, or until the client
    /// logs in again.
    pub fn vanish(&mut self, full: &Jid, noticed_after_ms: u64) {
        if !self.online.remove(full.as_str()) {
            return;
        }
        self.tape.tell(self.now.mono_ms, full.as_str(), Scene::Ended);
        self.vanishings += 1;
        self.vanished.insert(full.clone(), self.vanishings);
        let client = full.clone();
        self.agenda.put(self.now.mono_ms + noticed_after_ms, Happening::Missed { client, stream: self.vanishings });
    }

    /// A server notices that a client of its own is gone.
    fn missed(&mut self, full: &Jid, stream: u64) {
        if self.vanished.get(full) != Some(&stream) {
            return;
        }
        self.vanished.remove(full);
        if let Some(server) = self.server_of(full.domain()).filter(|&s| self.servers[s].sessions.remove(full)) {
            self.feed(server, Which::Accounts, Input::SessionEnded(full.clone()));
        }
    }

    /// A client sends a stanza. Nothing happens when it is not connected.
    pub fn send(&mut self, full: &Jid, stanza: Element) {
        let Some(server) = self.server_of(full.domain()).filter(|_| self.is_online(full.as_str())) else { return };
        self.tape.tell(self.now.mono_ms, full.as_str(), Scene::Sent(stanza.clone()));
        self.client_sends(server, full, stanza.attr("from", full.as_str()));
    }

    /// Lets the time pass until nothing is under way any more: no stanza, no write, no reply. Timers of the machines that
    /// are further off than [`QUIET_MS`] are not waited for.
    pub fn quiet(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(next) = self.next_ms() else { return };
            if self.agenda.next_ms().is_none() && next > self.now.mono_ms + QUIET_MS {
                return;
            }
            self.step(next);
        }
        self.tape.complain("the world did not come to rest".to_owned());
    }

    /// Lets so much time pass.
    pub fn pass_ms(&mut self, ms: u64) {
        let until = self.now.mono_ms + ms;
        for _ in 0..STEPS_MAX {
            match self.next_ms().filter(|next| *next <= until) {
                Some(next) => self.step(next),
                None => return self.advance_to(until),
            }
        }
        self.tape.complain("too much happened in too little time".to_owned());
        self.advance_to(until);
    }

    /// When something happens next.
    fn next_ms(&self) -> Option<u64> {
        let timers = self.servers.iter().filter_map(Server::next_timeout);
        timers.chain(self.agenda.next_ms()).min()
    }

    /// Lets the next thing happen, which is due then.
    fn step(&mut self, next: u64) {
        self.advance_to(next.max(self.now.mono_ms));
        if let Some(happening) = self.agenda.pop(self.now.mono_ms) {
            return self.happen(happening);
        }
        for server in 0..self.servers.len() {
            for which in Which::ALL {
                let due = self.servers[server].machine(which).and_then(|m| m.next_timeout());
                if due.is_some_and(|due| due <= self.now.mono_ms) {
                    self.feed(server, which, Input::Timeout);
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { from, to, number } => self.arrive(&from, &to, number),
            Happening::Bounce { server, life, stanza } => self.bounced(server, life, stanza),
            Happening::Synced { server, life } => self.synced(server, life),
            Happening::StreamEnded { server, domain } => self.stream_ended(server, &domain),
            Happening::Restart { server } => self.restart(server),
            Happening::Clear { from, to } => self.clear(&from, &to),
            Happening::DiskWorks { server } => self.servers[server].disk_full = false,
            Happening::Missed { client, stream } => self.missed(&client, stream),
            Happening::Sprung(trap) => self.spring(trap),
        }
    }

    fn advance_to(&mut self, mono_ms: u64) {
        let passed = mono_ms.saturating_sub(self.now.mono_ms);
        self.now.mono_ms += passed;
        self.now.unix_ms += i64::try_from(passed).unwrap_or(0);
    }
}

/// A world that is at rest may still have timers; those within this time are part of what is under way.
const QUIET_MS: u64 = 100;
/// More things than this at a stretch are a storm of stanzas that feed each other.
const STEPS_MAX: usize = 200_000;
