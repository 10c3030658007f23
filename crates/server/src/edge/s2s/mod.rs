//! Servers: streams to us and from us, a stream of ours for each pair of domains.
//!
//! - `backoff`: domains that could not be reached
//! - `incoming`: streams that others open to us
//! - `outgoing`: streams of ours, and what waits for them
//! - `queue`: what waits for a stream of ours
//! - `stream`: the socket and the machine of a stream of ours
//! - `verify`: asking a domain whether it made a dialback key (XEP-0220 2.1.2)

mod backoff;
mod incoming;
mod outgoing;
mod queue;
mod stream;
mod verify;

pub(super) use backoff::rest;
pub use incoming::{accept, stream_config};
pub use outgoing::send;
pub(super) use outgoing::{bounce, lost};
pub(super) use queue::{Bounds, Queue};

use super::conn::End;
use super::shard::Shard;
use super::slab::Place;
use std::collections::BTreeMap;
use std::rc::Rc;
use xmpp::stream::dialback::Pair;
use xmpp::{Jid, Shared};

/// A stanza on its way to another server.
#[derive(Debug, Clone)]
pub struct Item {
    /// For whom.
    pub to: Jid,
    /// The stanza without `to`.
    pub stanza: Shared,
    /// Markup for the end of its last child; empty for none.
    pub tail: Vec<u8>,
}

impl Item {
    /// Bytes on the wire but for the address; what many share counts for each.
    fn size(&self) -> usize {
        self.stanza.size() + self.tail.len()
    }
}

/// The streams of a shard.
#[derive(Default)]
pub struct Streams {
    outgoing: BTreeMap<Pair, Rc<outgoing::Link>>,
    backoff: backoff::Backoff,
    /// Streams to us, with the domains that they are authenticated for.
    incoming: Vec<(Place, String)>,
}

/// Ends the streams to a domain, from which nothing comes back; they are made anew when there is something to send.
pub fn renew(shard: &Rc<Shard>, domain: &str) {
    for (_, link) in shard.streams.borrow().outgoing.iter().filter(|(pair, _)| pair.to == domain) {
        link.cut();
    }
}

/// Ends all streams to and from a domain, as a broken link would.
pub fn cut(shard: &Rc<Shard>, domain: &str) {
    let streams = shard.streams.borrow();
    for (_, link) in streams.outgoing.iter().filter(|(pair, _)| pair.to == domain) {
        link.cut();
    }
    for (place, _) in streams.incoming.iter().filter(|(_, from)| from == domain) {
        if let Some(conn) = shard.conn(*place) {
            conn.end(End::Gone);
        }
    }
}
