//! A shard: one thread that owns its sockets and writes to them inline.
//!
//! What the core wants of it comes by one bounded channel, a batch at a time. Stanzas of a batch are put together per
//! connection and written once; of broadcasts to one audience that queue up, each member gets all in one write.

use super::audience::{Audiences, Broadcast};
use super::conn::{Clock, Conn, End, Watch};
use super::slab::{Place, Slab};
use super::traffic::Traffic;
use super::{Edge, c2s, component, s2s};
use machine::{AudienceId, Class};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use xmpp::stream::dialback::Pair;
use xmpp::xml::Pool;
use xmpp::{Element, Shared};

/// Most orders that wait for a shard; the core waits for room, and a shard never waits for the core to make it.
pub const INBOX_MAX: usize = 16_384;

/// Orders carried out between two rounds of writing. When many enter a room at once, each entry is an order for every
/// presence there is, and one broadcast; the broadcasts of several entries are to go out together.
const BATCH_MAX: usize = 2_048;

/// Members of an audience served until the shard's other tasks get their turn.
const MEMBERS_PER_TURN: usize = 256;

/// Bytes put together before they are written to their receivers; the last receiver's may go beyond.
const TOGETHER_BYTES: usize = 32 << 10;

/// Largest piece read from a socket at once.
const READ_BYTES: usize = 16 << 10;

/// How often audiences are looked through for members whose connection went without their leave.
const AUDIENCE_SWEEP_SECONDS: u32 = 60;

/// Longest wait of the last bytes of a connection for a receiver that does not take them.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clients, in clear text at first.
    C2s,
    /// Clients, TLS from the first byte.
    C2sTls,
    /// Servers, in clear text at first.
    S2s,
    /// Servers, TLS from the first byte.
    S2sTls,
}

/// What a shard is told to do.
#[derive(Debug)]
pub enum Order {
    /// Serve a connection that a listener has accepted.
    Accept(std::net::TcpStream, SocketAddr, Service),
    /// Serve a client whose connection speaks WebSocket now.
    WebSocket(Box<c2s::WebSocket>),
    /// A stanza for one client.
    Deliver(Place, Shared),
    /// A client joins an audience or changes its class; `None` leaves.
    Member(AudienceId, Place, Option<Class>),
    /// An audience ends.
    EndAudience(AudienceId),
    /// A stanza for an audience.
    Broadcast(Broadcast),
    /// A client wants to go on with the session that is at this place.
    Resume(Place, Box<c2s::Arrival>),
    /// End a connection with this stream error.
    Close(Place, &'static str),
    /// A stanza for another server.
    ToServer(Pair, s2s::Item),
    /// A stanza that goes out as a component.
    ToComponent(usize, s2s::Item),
    /// End all streams to and from a domain.
    Cut(String),
    /// End the streams to a domain from which nothing comes back.
    Renew(String),
    /// End all streams, then the shard.
    Stop,
}

/// When the bytes of a broadcast go to the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Now: nothing else comes in this batch.
    AtOnce,
    /// When the batch is through, together with what else it has for the same receiver.
    WithTheBatch,
}

/// A shard, on its own thread.
pub struct Shard {
    /// Its number.
    pub index: u16,
    /// What all shards share.
    pub edge: Arc<Edge>,
    /// Its connections.
    pub conns: RefCell<Slab<Rc<Conn>>>,
    /// Its streams to other servers.
    pub streams: RefCell<s2s::Streams>,
    /// Its components, by their places among all.
    pub components: RefCell<BTreeMap<usize, Rc<component::Link>>>,
    /// Parsers at rest.
    pub pool: RefCell<Pool>,
    audiences: RefCell<Audiences>,
    corked: RefCell<Vec<Rc<Conn>>>,
    buffer: RefCell<Vec<u8>>,
    second: Cell<u32>,
    sweep_due: Cell<bool>,
    closing: Cell<usize>,
    /// Nothing is begun any more.
    pub stopping: Cell<bool>,
    pings: Cell<u64>,
}

impl Shard {
    /// A shard without connections.
    pub fn new(index: u16, edge: Arc<Edge>) -> Rc<Shard> {
        Rc::new(Shard {
            index,
            edge,
            conns: RefCell::default(),
            streams: RefCell::default(),
            components: RefCell::default(),
            pool: RefCell::new(Pool::new()),
            audiences: RefCell::default(),
            corked: RefCell::default(),
            buffer: RefCell::new(vec![0; READ_BYTES]),
            second: Cell::new(0),
            sweep_due: Cell::new(false),
            closing: Cell::new(0),
            stopping: Cell::new(false),
            pings: Cell::new(0),
        })
    }

    /// Serves until told to stop; to be run within a `LocalSet`.
    pub async fn run(self: Rc<Shard>, mut inbox: mpsc::Receiver<Order>) {
        let sweep = tokio::task::spawn_local(self.clone().sweep());
        component::begin(&self);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut run: Vec<Broadcast> = Vec::new();
        let mut stop = false;
        while !stop && inbox.recv_many(&mut batch, BATCH_MAX).await > 0 {
            for order in batch.drain(..) {
                match order {
                    Order::Broadcast(broadcast) => {
                        if run.first().is_some_and(|first| first.audience != broadcast.audience) {
                            self.broadcast(&mut run, Written::WithTheBatch).await;
                        }
                        run.push(broadcast);
                        continue;
                    }
                    Order::Stop => stop = true,
                    other => {
                        self.broadcast(&mut run, Written::WithTheBatch).await;
                        self.carry_out(other);
                    }
                }
            }
            self.broadcast(&mut run, Written::AtOnce).await;
            self.uncork();
            // Here and nowhere else, since a broadcast counts on its list while it takes turns.
            if self.sweep_due.take() {
                self.audiences.borrow_mut().sweep(&self.conns.borrow());
            }
        }
        sweep.abort();
        self.stop().await;
    }

    fn carry_out(self: &Rc<Shard>, order: Order) {
        match order {
            Order::Accept(socket, peer, service) => self.accept(socket, peer, service),
            Order::Deliver(place, stanza) => {
                if let Some(conn) = self.conn(place) {
                    self.cork(&conn);
                    self.with_buffer(|scratch| conn.deliver(&stanza, self.second(), scratch));
                }
            }
            Order::WebSocket(socket) => socket.accept(self),
            Order::Resume(place, arrival) => c2s::arrive(self, place, arrival),
            Order::Member(audience, place, class) => self.audiences.borrow_mut().set(audience, place, class),
            Order::EndAudience(audience) => self.audiences.borrow_mut().end(audience),
            Order::Close(place, condition) => {
                if let Some(conn) = self.conn(place) {
                    conn.end(End::Told(condition));
                }
            }
            Order::ToServer(pair, item) => s2s::send(self, pair, item),
            Order::ToComponent(index, item) => component::send(self, index, item),
            Order::Cut(domain) => s2s::cut(self, &domain),
            Order::Renew(domain) => s2s::renew(self, &domain),
            Order::Broadcast(_) | Order::Stop => {}
        }
    }

    fn accept(self: &Rc<Shard>, socket: std::net::TcpStream, peer: SocketAddr, service: Service) {
        let Ok(socket) = tokio::net::TcpStream::from_std(socket) else { return };
        match service {
            Service::C2s | Service::C2sTls => c2s::accept(self, socket, peer, service == Service::C2sTls),
            Service::S2s | Service::S2sTls => s2s::accept(self, socket, peer, service == Service::S2sTls),
        }
    }

    /// What its clients have said and heard.
    pub fn clients(&self) -> &Arc<Traffic> {
        &self.edge.clients[usize::from(self.index)]
    }

    /// A connection by place, if it is still there.
    pub fn conn(&self, place: Place) -> Option<Rc<Conn>> {
        self.conns.borrow().get(place).cloned()
    }

    /// Takes a connection in.
    pub fn enter(&self, conn: Rc<Conn>) -> Place {
        self.conns.borrow_mut().insert(conn)
    }

    /// Lets a connection go; the last bytes are written, in bounded time, by a task of their own.
    pub fn leave(self: &Rc<Shard>, place: Place) {
        if let Some(conn) = self.conns.borrow_mut().remove(place) {
            self.finish(conn);
        }
    }

    /// Ends what carries a client's bytes, as [`Shard::leave`] does, while its session stays at its place.
    pub fn finish_transport(self: &Rc<Shard>, conn: &Conn) {
        let Some(transport) = conn.take_transport() else { return };
        let outbound = self.edge.config.limits.outbound_bytes as usize;
        let last =
            Conn::new(None::<tokio::net::TcpStream>, conn.watch.get(), self.second(), self.clients().clone(), outbound);
        if last.give_transport(transport).is_ok() {
            self.finish(Rc::new(last));
        }
    }

    fn finish(self: &Rc<Shard>, conn: Rc<Conn>) {
        let shard = self.clone();
        shard.closing.set(shard.closing.get() + 1);
        tokio::task::spawn_local(async move {
            let _ = tokio::time::timeout(CLOSE_WAIT, conn.close()).await;
            shard.closing.set(shard.closing.get() - 1);
        });
    }

    /// The shard's clock, seconds since its start.
    pub fn second(&self) -> u32 {
        self.second.get()
    }

    /// Its clock and the world's.
    pub fn clock(&self) -> Clock {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let outbound_bytes_max = self.edge.config.limits.outbound_bytes as usize;
        Clock { second: self.second(), unix_ms: unix.as_millis() as i64, outbound_bytes_max }
    }

    /// When a handshake that begins now must be over, on the shard's clock.
    pub fn handshake_end(&self) -> Watch {
        Watch::Until(self.second() + self.edge.config.limits.handshake_seconds as u32 + 1)
    }

    /// Lends the shard's buffer.
    pub fn with_buffer<T>(&self, with: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut buffer = self.buffer.take();
        let result = with(&mut buffer);
        self.buffer.replace(buffer);
        result
    }

    /// Reads once into a buffer of the shard and shows what came; `None` when nothing was there after all.
    pub fn read<T>(&self, conn: &Conn, with: impl FnOnce(&[u8]) -> T) -> std::io::Result<Option<T>> {
        self.with_buffer(|buffer| {
            buffer.resize(READ_BYTES, 0);
            match conn.read(buffer) {
                Ok(n) => {
                    conn.heard.set((self.second(), false));
                    Ok(Some(with(&buffer[..n])))
                }
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
                Err(e) => Err(e),
            }
        })
    }

    /// Gives each member all the broadcasts of a run, all of them to one audience, in one write.
    async fn broadcast(&self, run: &mut Vec<Broadcast>, written: Written) {
        let Some(first) = run.first() else { return };
        let audience = first.audience;
        let (mut served, mut delivered) = (0, 0);
        let mut scratch = Vec::new();
        loop {
            let mut turn = 0;
            while turn < MEMBERS_PER_TURN {
                let (members, stanzas) = self.broadcast_to_some(audience, served + turn, run, written, &mut scratch);
                (turn, delivered) = (turn + members, delivered + stanzas);
                if members == 0 {
                    break;
                }
            }
            served += turn;
            if turn < MEMBERS_PER_TURN {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.edge.counters.deliveries.fetch_add(delivered as u64, Relaxed);
        run.clear();
    }

    /// Serves the next members, as many as [`TOGETHER_BYTES`] hold: first what each gets is put together, then it is
    /// written. Between two system calls nothing of the next member would be at hand; so it comes for many at once.
    /// Says how many members and stanzas.
    fn broadcast_to_some(
        &self,
        audience: AudienceId,
        from: usize,
        run: &[Broadcast],
        written: Written,
        scratch: &mut Vec<u8>,
    ) -> (usize, usize) {
        let (audiences, conns) = (self.audiences.borrow(), self.conns.borrow());
        let (mut members, mut delivered) = (0, 0);
        let mut pieces = Vec::new();
        scratch.clear();
        for (place, class) in audiences.part(audience, from, MEMBERS_PER_TURN) {
            members += 1;
            let Some(conn) = conns.get(*place) else { continue };
            let stanzas = run.iter().filter_map(|b| b.for_member(*place, *class));
            delivered += conn.put_together(stanzas, self.second(), scratch);
            if scratch.len() > pieces.last().map_or(0, |(_, end)| *end) {
                pieces.push((conn, scratch.len()));
            }
            if scratch.len() >= TOGETHER_BYTES {
                break;
            }
        }
        let mut begin = 0;
        for (conn, end) in pieces {
            if written == Written::WithTheBatch {
                self.cork(conn);
            }
            conn.write(&scratch[begin..end]);
            begin = end;
        }
        (members, delivered)
    }

    /// What is written to this connection until the batch ends is written at once.
    pub fn cork(&self, conn: &Rc<Conn>) {
        if conn.cork() {
            self.corked.borrow_mut().push(conn.clone());
        }
    }

    fn uncork(&self) {
        for conn in self.corked.borrow_mut().drain(..) {
            conn.uncork();
        }
    }

    /// Once a second: handshakes that take too long, clients that have fallen silent, servers with nothing to say.
    async fn sweep(self: Rc<Shard>) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            self.second.set(self.second() + 1);
            for conn in self.conns.borrow().iter() {
                self.watch(conn);
            }
            if self.second().is_multiple_of(AUDIENCE_SWEEP_SECONDS) {
                self.sweep_due.set(true);
            }
        }
    }

    fn watch(&self, conn: &Conn) {
        let (heard, pinged) = conn.heard.get();
        let silent = u64::from(self.second().saturating_sub(heard));
        let keepalive = self.edge.config.c2s.keepalive_seconds;
        match conn.watch.get() {
            Watch::Until(second) if self.second() >= second => conn.end(End::TimedOut),
            Watch::Client if silent >= 2 * keepalive => conn.end(End::TimedOut),
            Watch::Client if silent >= keepalive && !pinged => {
                conn.heard.set((heard, true));
                if !conn.ask() {
                    self.ping(conn);
                }
            }
            Watch::Client => conn.ask_late(self.second()),
            Watch::Server if silent >= self.edge.config.s2s.idle_seconds => conn.end(End::Idle),
            _ => {}
        }
    }

    /// Asks a silent client whether it is there (XEP-0199 4.1).
    fn ping(&self, conn: &Conn) {
        let Some(address) = conn.address() else { return };
        self.pings.set(self.pings.get() + 1);
        let ping = Element::stanza("iq")
            .attr("type", "get")
            .attr("id", format!("ping-{}", self.pings.get()))
            .attr("from", address.domain())
            .child(Element::new("ping", xmpp::ns::PING));
        self.with_buffer(|scratch| conn.deliver(&Shared::new(ping), self.second(), scratch));
    }

    /// Ends all streams in order, RFC 6120 4.9.3.20.
    async fn stop(&self) {
        self.stopping.set(true);
        for conn in self.conns.borrow().iter() {
            conn.end(End::Told("system-shutdown"));
        }
        let closed = async {
            while !self.conns.borrow().is_empty() || self.closing.get() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_WAIT, closed).await;
    }
}
