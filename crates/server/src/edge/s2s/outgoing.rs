//! Streams of ours, one for each pair of domains, and the stanzas that wait while one is being made.

use super::Item;
use super::queue::{Bounds, Queue};
use super::stream::{Ended, Event, Stream};
use crate::core::ToCore;
use crate::edge::c2s::random;
use crate::edge::conn::{End, Watch};
use crate::edge::links::Remote;
use crate::edge::shard::Shard;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::stream::dialback::Pair;

/// A stream of ours, standing or being made.
pub(super) struct Link {
    pair: Pair,
    queue: Queue,
    is_cut: Cell<bool>,
    cut: Notify,
}

impl Link {
    /// Ends it as a broken link would.
    pub fn cut(&self) {
        self.is_cut.set(true);
        self.cut.notify_one();
        if let Some(conn) = self.queue.conn() {
            conn.end(End::Gone);
        }
    }
}

/// Sends a stanza by the stream of its pair, which is made if there is none.
pub fn send(shard: &Rc<Shard>, pair: Pair, item: Item) {
    let known = shard.streams.borrow().outgoing.get(&pair).cloned();
    if known.is_none() {
        let news = news(shard, &shard.edge.links.of(&pair.to));
        let refused = shard.streams.borrow().backoff.refuses(&pair, news, Instant::now());
        if let Some(error) = refused {
            tokio::task::spawn_local(bounce(shard.clone(), vec![item], error));
            return;
        }
    }
    let link = known.unwrap_or_else(|| begin(shard, pair));
    let config = &shard.edge.config.s2s;
    let bounds = Bounds { stanzas: config.queue_stanzas as usize, bytes: config.queue_bytes as usize };
    if let Err(item) = link.queue.put(shard, item, bounds) {
        let error = StanzaError::new(Condition::ResourceConstraint, "too many stanzas wait for that server");
        tokio::task::spawn_local(bounce(shard.clone(), vec![item], error));
    }
}

fn begin(shard: &Rc<Shard>, pair: Pair) -> Rc<Link> {
    let remote = shard.edge.links.of(&pair.to);
    let link =
        Rc::new(Link { pair: pair.clone(), queue: Queue::new(remote), is_cut: Cell::new(false), cut: Notify::new() });
    shard.streams.borrow_mut().outgoing.insert(pair, link.clone());
    tokio::task::spawn_local(run(shard.clone(), link.clone()));
    link
}

/// What may have made a domain reachable: it has shown itself, or the routes are others.
fn news(shard: &Shard, remote: &Remote) -> u64 {
    remote.heard.load(Relaxed) + shard.edge.resolver.changes()
}

/// Gives back what did not get out.
pub(in crate::edge) async fn bounce(shard: Rc<Shard>, items: Vec<Item>, error: StanzaError) {
    if !items.is_empty() {
        let _ = shard.edge.core.send(ToCore::Undelivered(items, error)).await;
    }
}

/// Makes the stream, keeps it up, and says how it ended.
async fn run(shard: Rc<Shard>, link: Rc<Link>) {
    let wait = Duration::from_secs(shard.edge.config.s2s.connect_seconds);
    // As of before the attempt: what happens during it may be a reason for another.
    let news = news(&shard, &link.queue.remote);
    let mut undelivered = Vec::new();
    link.queue.remote.connecting.fetch_add(1, Relaxed);
    let made = tokio::select! {
        made = tokio::time::timeout(wait, make(&shard, &link)) => {
            made.unwrap_or_else(|_| Err(StanzaError::new(Condition::RemoteServerTimeout, "the server does not answer")))
        }
        () = link.cut.notified() => Err(lost()),
    };
    link.queue.remote.connecting.fetch_sub(1, Relaxed);
    let (error, idle) = match made {
        Ok(stream) => {
            shard.streams.borrow_mut().backoff.succeeded(&link.pair);
            keep(&shard, &link, stream, &mut undelivered).await
        }
        Err(error) => {
            tracing::info!(to = link.pair.to, from = link.pair.from, error = error.text, "no stream could be made");
            let rest_max = Duration::from_secs(shard.edge.config.s2s.retry_seconds);
            let [chance, ..] = random();
            let backoff = &mut shard.streams.borrow_mut().backoff;
            backoff.failed(&link.pair, &error, news, chance, rest_max, Instant::now());
            (error, false)
        }
    };
    shard.streams.borrow_mut().outgoing.remove(&link.pair);
    link.queue.remote.note_change();
    if !idle {
        let _ = shard.edge.core.send(ToCore::StreamEnded(link.pair.to.clone())).await;
    }
    undelivered.extend(link.queue.take_waiting());
    bounce(shard, undelivered, error).await;
}

/// Tries one place after the other until stanzas may be sent.
async fn make(shard: &Rc<Shard>, link: &Link) -> Result<Stream, StanzaError> {
    let targets = shard.edge.resolver.find(&link.pair.to).await;
    // One place that swallows packets must not use up the time of the others.
    let share = Duration::from_secs(shard.edge.config.s2s.connect_seconds) / targets.len().max(1) as u32;
    let mut error = StanzaError::new(Condition::RemoteServerNotFound, "no server is known for that domain");
    for target in &targets {
        let connect = Stream::connect(shard, &link.pair, target, true, link.queue.remote.traffic.clone());
        let made = tokio::time::timeout(share, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let Ok(mut stream) = made.inspect_err(|e| {
            tracing::debug!(to = link.pair.to, address = %target.address, error = %e, "no connection");
        }) else {
            error = StanzaError::new(Condition::RemoteServerTimeout, "the server cannot be reached");
            continue;
        };
        loop {
            match stream.next().await {
                Event::Ready => return Ok(stream),
                Event::Closed(Ended::Failed(failure)) => {
                    error = StanzaError::new(failure.condition(), failure.to_string());
                    break;
                }
                Event::Closed(_) => {
                    error = lost();
                    break;
                }
                Event::Nudge | Event::Verified(_) => {}
            }
        }
    }
    Err(error)
}

/// Keeps a stream up until it ends: the error for what still waits, and whether the end loses nothing. What was given
/// to the stream and not written is added to `undelivered`.
async fn keep(shard: &Rc<Shard>, link: &Link, mut stream: Stream, undelivered: &mut Vec<Item>) -> (StanzaError, bool) {
    tracing::info!(to = link.pair.to, from = link.pair.from, "stream is up");
    link.queue.remote.streams_out.fetch_add(1, Relaxed);
    link.queue.remote.note_change();
    stream.conn.watch.set(Watch::Server);
    link.queue.set_conn(Some(stream.conn.clone()));
    if link.is_cut.get() {
        stream.conn.end(End::Gone);
    }
    let ended = loop {
        link.queue.pump(shard);
        match stream.next().await {
            Event::Closed(ended) => break ended,
            Event::Ready | Event::Nudge | Event::Verified(_) => {}
        }
    };
    link.queue.set_conn(None);
    undelivered.extend(link.queue.take_unwritten(&stream.conn));
    link.queue.remote.streams_out.fetch_sub(1, Relaxed);
    tracing::info!(to = link.pair.to, from = link.pair.from, ?ended, "stream has ended");
    match ended {
        Ended::Idle => (lost(), true),
        Ended::Lost => (lost(), false),
        Ended::Failed(failure) => (StanzaError::new(failure.condition(), failure.to_string()), false),
    }
}

/// The stream was lost.
pub(in crate::edge) fn lost() -> StanzaError {
    StanzaError::new(Condition::RemoteServerTimeout, "the stream to the server was lost")
}
