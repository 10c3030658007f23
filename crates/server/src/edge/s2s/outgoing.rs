//! Streams of ours, one for each pair of domains, and the stanzas that wait while one is being made.

use super::Item;
use super::stream::{Ended, Event, Stream};
use crate::core::ToCore;
use crate::edge::c2s::random;
use crate::edge::conn::{Conn, End, Watch};
use crate::edge::links::Remote;
use crate::edge::shard::Shard;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::stream::dialback::Pair;
use xmpp::xml::Splice;

/// Bytes given to a stream until further stanzas wait as stanzas, so that they can bounce when it ends.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// A stream of ours, standing or being made.
pub(super) struct Link {
    pair: Pair,
    remote: Arc<Remote>,
    waiting: RefCell<VecDeque<Item>>,
    /// What the connection was given and the socket has not taken yet, each with the place where it ends. Not more than
    /// the connection lets wait.
    given: RefCell<VecDeque<(u64, Item)>>,
    /// The connection, once stanzas may be sent.
    conn: RefCell<Option<Rc<Conn>>>,
    is_cut: Cell<bool>,
    cut: Notify,
}

impl Link {
    /// Ends it as a broken link would.
    pub fn cut(&self) {
        self.is_cut.set(true);
        self.cut.notify_one();
        if let Some(conn) = &*self.conn.borrow() {
            conn.end(End::Gone);
        }
    }

    /// Writes what waits, as far as the stream takes it.
    fn pump(&self, shard: &Shard) {
        let conn = self.conn.borrow();
        let Some(conn) = conn.as_ref() else { return };
        while conn.waiting() < AHEAD_BYTES_MAX {
            let Some(item) = self.waiting.borrow_mut().pop_front() else { return };
            self.remote.queued.fetch_sub(1, Relaxed);
            self.write(shard, conn, item);
        }
        conn.tell_drained();
    }

    fn write(&self, shard: &Shard, conn: &Conn, item: Item) {
        shard.with_buffer(|scratch| {
            scratch.clear();
            item.stanza.splice(Splice { to: item.to.as_str(), tail: &item.tail }, scratch);
            conn.write(scratch);
        });
        conn.heard.set((shard.second(), false));
        self.remote.traffic.stanzas_out(1);
        let (mut given, taken) = (self.given.borrow_mut(), conn.taken());
        while given.pop_front_if(|(end, _)| *end <= taken).is_some() {}
        if conn.given() > taken {
            given.push_back((conn.given(), item));
        }
    }

    /// What the other side cannot have seen, in order. What the socket has taken may have arrived or not: an error for
    /// it could be wrong, and its sender would say it twice.
    fn take_unwritten(&self, conn: &Conn) -> Vec<Item> {
        let taken = conn.taken();
        let given = self.given.take();
        let unwritten: Vec<Item> = given.into_iter().filter(|(end, _)| *end > taken).map(|(_, item)| item).collect();
        if !unwritten.is_empty() {
            conn.abandon();
        }
        unwritten
    }

    fn take_waiting(&self) -> Vec<Item> {
        let items: Vec<Item> = self.waiting.borrow_mut().drain(..).collect();
        self.remote.queued.fetch_sub(items.len() as u64, Relaxed);
        items
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
    let conn = link.conn.borrow().clone();
    if let Some(conn) = conn.filter(|conn| link.waiting.borrow().is_empty() && conn.waiting() < AHEAD_BYTES_MAX) {
        shard.cork(&conn);
        return link.write(shard, &conn, item);
    }
    if link.waiting.borrow().len() as u64 >= shard.edge.config.s2s.queue_stanzas {
        let error = StanzaError::new(Condition::ResourceConstraint, "too many stanzas wait for that server");
        tokio::task::spawn_local(bounce(shard.clone(), vec![item], error));
        return;
    }
    link.waiting.borrow_mut().push_back(item);
    link.remote.queued.fetch_add(1, Relaxed);
    if let Some(conn) = &*link.conn.borrow() {
        conn.tell_drained();
    }
}

fn begin(shard: &Rc<Shard>, pair: Pair) -> Rc<Link> {
    let remote = shard.edge.links.of(&pair.to);
    let link = Rc::new(Link {
        pair: pair.clone(),
        remote,
        waiting: RefCell::default(),
        given: RefCell::default(),
        conn: RefCell::default(),
        is_cut: Cell::new(false),
        cut: Notify::new(),
    });
    shard.streams.borrow_mut().outgoing.insert(pair, link.clone());
    tokio::task::spawn_local(run(shard.clone(), link.clone()));
    link
}

/// What may have made a domain reachable: it has shown itself, or the routes are others.
fn news(shard: &Shard, remote: &Remote) -> u64 {
    remote.heard.load(Relaxed) + shard.edge.resolver.changes()
}

async fn bounce(shard: Rc<Shard>, items: Vec<Item>, error: StanzaError) {
    if !items.is_empty() {
        let _ = shard.edge.core.send(ToCore::Undelivered(items, error)).await;
    }
}

/// Makes the stream, keeps it up, and says how it ended.
async fn run(shard: Rc<Shard>, link: Rc<Link>) {
    let wait = Duration::from_secs(shard.edge.config.s2s.connect_seconds);
    // As of before the attempt: what happens during it may be a reason for another.
    let news = news(&shard, &link.remote);
    let mut undelivered = Vec::new();
    link.remote.connecting.fetch_add(1, Relaxed);
    let made = tokio::select! {
        made = tokio::time::timeout(wait, make(&shard, &link)) => {
            made.unwrap_or_else(|_| Err(StanzaError::new(Condition::RemoteServerTimeout, "the server does not answer")))
        }
        () = link.cut.notified() => Err(lost()),
    };
    link.remote.connecting.fetch_sub(1, Relaxed);
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
    link.remote.note_change();
    if !idle {
        let _ = shard.edge.core.send(ToCore::StreamEnded(link.pair.to.clone())).await;
    }
    undelivered.extend(link.take_waiting());
    bounce(shard, undelivered, error).await;
}

/// Tries one place after the other until stanzas may be sent.
async fn make(shard: &Rc<Shard>, link: &Link) -> Result<Stream, StanzaError> {
    let targets = shard.edge.resolver.find(&link.pair.to).await;
    // One place that swallows packets must not use up the time of the others.
    let share = Duration::from_secs(shard.edge.config.s2s.connect_seconds) / targets.len().max(1) as u32;
    let mut error = StanzaError::new(Condition::RemoteServerNotFound, "no server is known for that domain");
    for target in &targets {
        let connect = Stream::connect(shard, &link.pair, target, true, link.remote.traffic.clone());
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
    link.remote.streams_out.fetch_add(1, Relaxed);
    link.remote.note_change();
    stream.conn.watch.set(Watch::Server);
    *link.conn.borrow_mut() = Some(stream.conn.clone());
    if link.is_cut.get() {
        stream.conn.end(End::Gone);
    }
    let ended = loop {
        link.pump(shard);
        match stream.next().await {
            Event::Closed(ended) => break ended,
            Event::Ready | Event::Nudge | Event::Verified(_) => {}
        }
    };
    link.conn.borrow_mut().take();
    undelivered.extend(link.take_unwritten(&stream.conn));
    link.remote.streams_out.fetch_sub(1, Relaxed);
    tracing::info!(to = link.pair.to, from = link.pair.from, ?ended, "stream has ended");
    match ended {
        Ended::Idle => (lost(), true),
        Ended::Lost => (lost(), false),
        Ended::Failed(failure) => (StanzaError::new(failure.condition(), failure.to_string()), false),
    }
}

fn lost() -> StanzaError {
    StanzaError::new(Condition::RemoteServerTimeout, "the stream to the server was lost")
}
