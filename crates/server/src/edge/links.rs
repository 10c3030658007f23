//! What is known of each other domain: streams, what waits, what has crossed.

use super::Edge;
use super::traffic::Traffic;
use crate::control::{Link, LinkState};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Most domains with counters of their own; what is over it is counted together.
const DOMAINS_MAX: usize = 10_000;

/// Another domain.
#[derive(Debug, Default)]
pub struct Remote {
    /// What has crossed.
    pub traffic: Arc<Traffic>,
    /// Streams that it opened to us and that are authenticated.
    pub streams_in: AtomicU64,
    /// Streams of ours that stand.
    pub streams_out: AtomicU64,
    /// Streams of ours that are being made.
    pub connecting: AtomicU64,
    /// How often it has authenticated itself to us: whoever does can be reached, most likely.
    pub heard: AtomicU64,
    /// Stanzas that wait for a stream.
    pub queued: AtomicU64,
    /// When a stream last began or ended, Unix seconds; 0 for never.
    changed: AtomicI64,
}

impl Remote {
    /// A stream has begun or ended.
    pub fn note_change(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.changed.store(now.as_secs() as i64, Relaxed);
    }

    fn state(&self) -> LinkState {
        match (self.streams_in.load(Relaxed) + self.streams_out.load(Relaxed), self.connecting.load(Relaxed)) {
            (0, 0) => LinkState::Idle,
            (0, _) => LinkState::Connecting,
            _ => LinkState::Live,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Links {
    remotes: Mutex<BTreeMap<String, Arc<Remote>>>,
    others: Arc<Remote>,
}

impl Links {
    /// A domain's.
    pub fn of(&self, domain: &str) -> Arc<Remote> {
        let mut remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = remotes.get(domain) {
            return remote.clone();
        }
        if remotes.len() >= DOMAINS_MAX {
            return self.others.clone();
        }
        remotes.entry(domain.to_owned()).or_default().clone()
    }

    /// All of them, in the order of their domains.
    pub fn list(&self, edge: &Edge) -> Vec<Link> {
        let remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        remotes.iter().map(|(domain, remote)| link(domain, remote, edge.is_held_apart(domain))).collect()
    }
}

fn link(domain: &str, remote: &Remote, is_held_apart: bool) -> Link {
    let figures = remote.traffic.figures();
    let changed = remote.changed.load(Relaxed);
    Link {
        domain: domain.to_owned(),
        state: if is_held_apart { LinkState::Cut } else { remote.state() },
        since: (changed > 0).then_some(changed),
        streams_in: remote.streams_in.load(Relaxed),
        streams_out: remote.streams_out.load(Relaxed),
        stanzas_in: figures.stanzas_in,
        stanzas_out: figures.stanzas_out,
        bytes_in: figures.bytes_in,
        bytes_out: figures.bytes_out,
        queued: remote.queued.load(Relaxed),
        ..Link::default()
    }
}
