//! The edge: every socket there is, on shards that own them (ARCHITECTURE.md, decisions 5 and 6).
//!
//! - [`shard`], a thread with its connections; [`slab`], [`conn`] and [`audience`] are what it is made of
//! - [`listen`], accepting, and dealing connections out to shards
//! - [`c2s`], clients
//! - [`s2s`], servers, to us and from us
//! - [`component`], domains that this server is as a component of another
//! - [`links`], what is known of each other domain
//! - [`tls`], certificates of ours, and [`judge`], what those of others are worth
//! - [`dns`], where a domain is
//! - [`throttle`], who tries too often
//! - [`traffic`] and [`counters`], what has crossed and happened

pub mod audience;
pub mod c2s;
pub mod component;
pub mod conn;
pub mod counters;
pub mod dns;
pub mod judge;
pub mod links;
pub mod listen;
pub mod s2s;
pub mod shard;
pub mod slab;
pub mod throttle;
pub mod tls;
pub mod traffic;

use crate::config::Config;
use crate::core::ToCore;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::mpsc;
use xmpp::stream::dialback::Pair;

/// What all shards share.
pub struct Edge {
    /// The configuration.
    pub config: Config,
    /// What holds for all client streams.
    pub c2s: Arc<xmpp::stream::acceptor::Config>,
    /// What holds for all server streams to us.
    pub s2s: Arc<xmpp::stream::s2s_in::Config>,
    /// What is counted besides traffic.
    pub counters: counters::Counters,
    /// The way to the core.
    pub core: mpsc::Sender<ToCore>,
    /// The ways to the shards.
    pub shards: Vec<mpsc::Sender<shard::Order>>,
    /// What the clients of each shard have said and heard.
    pub clients: Vec<Arc<traffic::Traffic>>,
    /// Our certificates.
    pub tls: tls::Certificates,
    /// Whom we trust to vouch for other servers.
    pub judge: judge::Judge,
    /// Where domains are.
    pub resolver: dns::Resolver,
    /// Addresses that fail to log in.
    pub throttle: throttle::Throttle,
    /// What is known of other domains.
    pub links: links::Links,
    /// Those of `[[component]]`, in their order.
    pub components: Vec<component::State>,
    /// Whether the module has attached that hands over what the replica's users say, where one is needed.
    pub attached: std::sync::atomic::AtomicBool,
    /// Domains held apart by hand.
    pub held_apart: RwLock<BTreeSet<String>>,
    /// For dialback keys and for the salts of users who do not exist; new at each start.
    pub secret: [u8; 32],
}

impl Edge {
    /// Whether a domain is ours.
    pub fn hosts(&self, domain: &str) -> bool {
        self.config.domains().iter().any(|own| own.as_str() == domain) || self.config.component(domain).is_some()
    }

    /// The component by whose stream stanzas of this pair go; `None` for those between us and other servers. It speaks in its
    /// own name, in those of the users that the replica serves, and to these in the names of rooms.
    pub fn component_for(&self, pair: &Pair) -> Option<usize> {
        if let Some(own) = self.config.component(&pair.from) {
            return Some(own);
        }
        let (replica, serves) = self.config.attached().filter(|_| !self.hosts(&pair.from))?;
        serves.iter().any(|domain| [&pair.from, &pair.to].contains(&&domain.as_str().to_owned())).then_some(replica)
    }

    /// The shard that keeps the stream of a component.
    pub fn component_shard(&self, index: usize) -> u16 {
        (index % self.shards.len()) as u16
    }

    /// Whether a domain is held apart by hand.
    pub fn is_held_apart(&self, domain: &str) -> bool {
        self.held_apart.read().unwrap_or_else(PoisonError::into_inner).contains(domain)
    }

    /// The shard that keeps the stream for a pair of domains.
    pub fn shard_of(&self, pair: &Pair) -> usize {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (&pair.from, &pair.to).hash(&mut hasher);
        (hasher.finish() % self.shards.len() as u64) as usize
    }
}
