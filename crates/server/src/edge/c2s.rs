//! Clients: one task for each, which feeds the stream's machine and carries out what it says.
//!
//! The machine ([`xmpp::stream::Acceptor`]) knows the protocol; here are the socket, TLS with its channel binding
//! (RFC 9266), the questions to the core, and the bounds on what one address or session may ask for. `resume` has the
//! sessions that outlive their streams (XEP-0198).

mod resume;
mod websocket;

use super::Edge;
use super::conn::{Conn, End, Wake, Watch};
use super::shard::Shard;
use super::slab::Place;
use super::throttle::Bucket;
use super::tls::Side;
use crate::config::{Config, Encryption};
use crate::core::{At, ToCore};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use xmpp::sasl::{Credentials, ITERATIONS, SALT_BYTES};
use xmpp::stanza::{Condition, StanzaError, answerable};
use xmpp::stream::acceptor::{self, Channel, Input, Lookup, Output};
use xmpp::stream::{Acceptor, BROKEN, StreamError, TlsPolicy};
use xmpp::xml::Limits;
use xmpp::{Element, Jid, Shared, ns};

pub use resume::{Arrival, arrive};
pub use websocket::WebSocket;

/// How often an address that failed too often is looked at again.
const THROTTLED_REST: Duration = Duration::from_millis(500);

/// The label of tls-exporter, RFC 9266 2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The error of streams whose other side does not answer; a client's session may outlive it.
const TIMED_OUT: &str = "connection-timeout";

/// What holds for all client streams.
pub fn stream_config(config: &Config, secret: &[u8; 32], sha256: bool) -> acceptor::Config {
    let domains = config.domain.iter().map(|domain| domain.as_str().to_owned()).collect();
    let limits = &config.limits;
    acceptor::Config {
        tls: policy(config.c2s.tls),
        plain_without_tls: config.c2s.tls == Encryption::Off,
        sha256,
        registration: config.c2s.registration,
        limits_before: Limits { stanza_bytes: bytes(limits.login_stanza_bytes), ..Limits::BEFORE_AUTHENTICATION },
        limits: Limits { stanza_bytes: bytes(limits.stanza_bytes), ..Limits::AUTHENTICATED },
        idle_seconds: u32::try_from(config.c2s.keepalive_seconds).ok(),
        ..acceptor::Config::new(domains, secret.to_vec())
    }
}

/// As the streams name it.
pub(super) fn policy(encryption: Encryption) -> TlsPolicy {
    match encryption {
        Encryption::Required => TlsPolicy::Required,
        Encryption::Optional => TlsPolicy::Optional,
        Encryption::Off => TlsPolicy::Off,
    }
}

/// A limit of the configuration as the parser takes it.
pub(super) fn bytes(limit: u64) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// Serves a client that has just connected.
pub fn accept(shard: &Rc<Shard>, socket: TcpStream, peer: SocketAddr, direct_tls: bool) {
    let edge = &shard.edge;
    let outbound = edge.config.limits.outbound_bytes as usize;
    let conn = Rc::new(Conn::new(socket, shard.handshake_end(), shard.second(), shard.clients().clone(), outbound));
    let mut client = Client::new(shard, conn, peer.ip());
    if direct_tls {
        client.start_tls();
    } else {
        client.begin(Channel::Clear);
    }
    client.go();
}

struct Client {
    shard: Rc<Shard>,
    conn: Rc<Conn>,
    place: Place,
    address: IpAddr,
    /// The stream's machine; none while direct TLS shakes hands.
    stream: Option<Stream>,
    todo: VecDeque<Output>,
    messages: Bucket,
    joins: Bucket,
}

struct Stream {
    machine: Acceptor,
    /// STARTTLS was promised and TLS does not stand yet.
    securing: bool,
}

/// Whether a connection goes on.
#[derive(PartialEq)]
enum Next {
    Go,
    /// It has broken: no end of the stream was said.
    Lost,
    /// It is over.
    Stop,
}

impl Client {
    fn new(shard: &Rc<Shard>, conn: Rc<Conn>, address: IpAddr) -> Client {
        let edge = &shard.edge;
        edge.counters.client_connections.fetch_add(1, Relaxed);
        Client {
            place: shard.enter(conn.clone()),
            conn,
            address,
            stream: None,
            todo: VecDeque::new(),
            messages: Bucket::full(edge.config.limits.messages_burst, edge.throttle.now_ms()),
            joins: Bucket::full(edge.config.limits.joins_per_minute, edge.throttle.now_ms()),
            shard: shard.clone(),
        }
    }

    /// Serves it from now on. The task keeps the client in one place; a method that takes it by value would keep it
    /// twice.
    fn go(mut self) {
        tokio::task::spawn_local(async move { self.run().await });
    }

    /// What is rare and long waits in a box: what is awaited inline is memory of every idle connection.
    async fn run(&mut self) {
        loop {
            match self.step().await {
                Next::Go => {}
                Next::Lost if self.sleep() => Box::pin(self.tell_asleep(true)).await,
                Next::Lost | Next::Stop => break,
            }
        }
        Box::pin(self.end()).await;
    }

    /// The connection is over, and the session with it, if there is one.
    async fn end(&mut self) {
        self.note_end();
        if let Some(arrival) = self.conn.take_arrival() {
            resume::refuse(&self.shard, *arrival, resume::Refusal::Unknown);
        }
        let jid = self.stream.as_ref().and_then(|stream| stream.machine.jid()).cloned();
        let undelivered = self.conn.undelivered(self.shard.clock());
        self.shard.leave(self.place);
        if let Some(jid) = jid {
            let at = self.at();
            let _ = self.shard.edge.core.send(ToCore::SessionEnded { jid, at, undelivered }).await;
        }
    }

    async fn step(&mut self) -> Next {
        match self.conn.wait().await {
            Wake::Bytes | Wake::Nudge => match self.read() {
                Next::Go => {}
                end => return end,
            },
            Wake::Arrival(arrival) => {
                if self.resume(*arrival) {
                    Box::pin(self.tell_asleep(false)).await;
                }
            }
            Wake::End(end) => {
                if matches!(end, End::Slow) {
                    self.shard.edge.counters.slow_receivers_cut.fetch_add(1, Relaxed);
                }
                match stream_error(end) {
                    _ if !self.conn.is_connected() => return Next::Stop,
                    Some(error) => self.close(error),
                    None => return Next::Lost,
                }
            }
        }
        while let Some(output) = self.todo.pop_front() {
            match self.carry_out(output).await {
                Next::Go => {}
                end => return end,
            }
        }
        self.todo = VecDeque::new();
        if let Some(stream) = &mut self.stream {
            stream.machine.rest(&mut self.shard.pool.borrow_mut());
        }
        Next::Go
    }

    /// Reads once and feeds the machine.
    fn read(&mut self) -> Next {
        let (shard, conn) = (self.shard.clone(), self.conn.clone());
        let read = shard.read(&conn, |bytes| {
            self.secured();
            if bytes.is_empty() {
                return Next::Lost;
            }
            self.feed(Input::Bytes(bytes));
            Next::Go
        });
        match read {
            Ok(Some(next)) => {
                // TLS may hold more than was read; the socket would not say so.
                if conn.tls(|_| ()).is_some() {
                    conn.nudge();
                }
                next
            }
            Ok(None) => {
                self.secured();
                Next::Go
            }
            Err(_) => Next::Lost,
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        let Some(stream) = &mut self.stream else { return };
        stream.machine.wake(&mut self.shard.pool.borrow_mut());
        let mut out = Vec::new();
        stream.machine.handle(input, &mut out);
        self.todo.extend(out);
    }

    /// Tells the machine, once, that TLS stands.
    fn secured(&mut self) {
        let waits = self.stream.as_ref().is_none_or(|stream| stream.securing);
        if !waits {
            return;
        }
        let Some(exporter) = self.conn.tls(exporter) else { return };
        match &mut self.stream {
            None => self.begin(Channel::Tls { exporter }),
            Some(stream) => {
                stream.securing = false;
                self.feed(Input::Secured(Channel::Tls { exporter }));
            }
        }
    }

    fn begin(&mut self, channel: Channel) {
        let machine = Acceptor::new(self.shard.edge.c2s.clone(), channel, random());
        self.stream = Some(Stream { machine, securing: false });
    }

    fn start_tls(&mut self) {
        let domain = self.shard.edge.config.domain.as_ref().map(|domain| domain.as_str());
        match self.shard.edge.tls.accept(Side::Client, domain) {
            Ok(tls) => self.conn.start_tls(tls),
            Err(error) => {
                tracing::error!(%error, "TLS cannot be offered to clients");
                self.conn.end(End::Gone);
            }
        }
        if let Some(stream) = &mut self.stream {
            stream.securing = true;
        }
    }

    fn close(&mut self, error: StreamError) {
        if self.stream.as_ref().is_none_or(|stream| stream.securing) {
            self.todo.push_back(Output::Closed(Some(error)));
        } else {
            self.feed(Input::Close(Some(error)));
        }
    }

    async fn carry_out(&mut self, output: Output) -> Next {
        match output {
            Output::Write(bytes) => self.conn.write(&bytes),
            Output::StartTls => self.start_tls(),
            Output::NeedCredentials(user) => Box::pin(self.look_up(user)).await,
            Output::Refused(_) => {
                self.shard.edge.counters.login_failures.fetch_add(1, Relaxed);
                self.shard.edge.throttle.failed(self.address);
            }
            Output::Authenticated(_) => _ = self.shard.edge.counters.logins.fetch_add(1, Relaxed),
            Output::Register { user, password } => Box::pin(self.register(user, password)).await,
            Output::Bind(jid) => Box::pin(self.bind(jid)).await,
            Output::Answer(stanza) => self.deliver(stanza),
            Output::Enable { resume, max } => self.enable(resume, max),
            Output::Acked(handled) => {
                if let Err(error) = self.conn.acknowledge(handled) {
                    self.close(error);
                }
            }
            Output::Resume { user, id, acked } => return Box::pin(self.go_to_session(user, &id, acked)).await,
            Output::Active(active) => self.conn.look(active, self.shard.second()),
            Output::Stanza(stanza) => return self.stanza(stanza).await,
            Output::Closed(error) => {
                if let Some(error) = error {
                    tracing::debug!(%error, client = self.conn.address().map(Jid::as_str), "stream ended");
                    if [TIMED_OUT, BROKEN].contains(&error.condition) {
                        return Next::Lost;
                    }
                }
                return Next::Stop;
            }
        }
        Next::Go
    }

    async fn look_up(&mut self, user: Jid) {
        while !self.shard.edge.throttle.may_log_in(self.address) && !self.conn.is_ending() {
            tokio::time::sleep(THROTTLED_REST).await;
        }
        let found = ask(&self.shard.edge, |reply| ToCore::Credentials { user, reply }).await;
        self.feed(Input::Credentials(match found {
            Some(Some(credentials)) => Lookup::Found(Box::new(credentials)),
            Some(None) => Lookup::NoAccount,
            None => Lookup::Unavailable,
        }));
    }

    async fn register(&mut self, user: Jid, password: String) {
        let edge = self.shard.edge.clone();
        let result = if edge.throttle.may_register(self.address) {
            let credentials = derive(password).await;
            let registered = ask(&edge, |reply| ToCore::Register { user, credentials: Box::new(credentials), reply });
            registered.await.unwrap_or(Err(Condition::InternalServerError.into()))
        } else {
            Err(StanzaError::new(Condition::ResourceConstraint, "too many accounts from this address today")
                .kind("wait"))
        };
        self.feed(Input::Registered(result));
    }

    /// The client hears of its address before anything that is sent to it there.
    async fn bind(&mut self, user: Jid) {
        let at = self.at();
        let bound = ask(&self.shard.edge, |reply| ToCore::Bind { user, at, reply }).await;
        let bound = bound.unwrap_or(Err(Condition::InternalServerError));
        let jid = bound.as_ref().ok().cloned();
        self.feed(Input::Bound(bound));
        if let Some(jid) = jid {
            if let Some(Output::Write(bytes)) = self.todo.pop_front_if(|o| matches!(o, Output::Write(_))) {
                self.conn.write(&bytes);
            }
            self.conn.watch.set(Watch::Client);
            self.conn.go_live(jid);
        }
    }

    async fn stanza(&mut self, stanza: Element) -> Next {
        self.shard.clients().stanza_in();
        if let Err(refusal) = self.within_bounds(&stanza) {
            self.shard.edge.counters.throttled.fetch_add(1, Relaxed);
            if answerable(&stanza) {
                self.deliver(refusal.reply(&stanza));
            }
            return Next::Go;
        }
        let sent = match self.shard.edge.core.try_send(ToCore::FromClient(stanza)) {
            Err(TrySendError::Full(told)) => Box::pin(self.shard.edge.core.send(told)).await.is_ok(),
            sent => sent.is_ok(),
        };
        if sent { Next::Go } else { Next::Stop }
    }

    /// In turn with what others send it.
    fn deliver(&self, stanza: Element) {
        let (stanza, second) = (Shared::new(stanza), self.shard.second());
        self.shard.with_buffer(|scratch| self.conn.deliver(&stanza, second, scratch));
    }

    fn within_bounds(&mut self, stanza: &Element) -> Result<(), StanzaError> {
        let limits = &self.shard.edge.config.limits;
        let now = self.shard.edge.throttle.now_ms();
        let joins = stanza.name() == "presence" && stanza.get_child("x", ns::MUC).is_some();
        if joins && !self.joins.take(limits.joins_per_minute as f32 / 60.0, limits.joins_per_minute, now) {
            let error =
                StanzaError::new(Condition::ResourceConstraint, "too many rooms in a short time; wait a little");
            return Err(error.kind("wait"));
        }
        let message = stanza.name() == "message";
        if message && !self.messages.take(limits.messages_per_second as f32, limits.messages_burst, now) {
            let error =
                StanzaError::new(Condition::PolicyViolation, "too many messages in a short time; wait a little");
            return Err(error.kind("wait"));
        }
        Ok(())
    }

    fn at(&self) -> At {
        At { shard: self.shard.index, place: self.place }
    }
}

/// The stream error an end is told by; `None` where nobody listens any more.
pub(super) fn stream_error(end: End) -> Option<StreamError> {
    match end {
        End::Gone | End::Slow => None,
        End::TimedOut | End::Idle => Some(TIMED_OUT.into()),
        End::Told(condition) => Some(condition.into()),
    }
}

/// Asks the core; `None` when it has ended.
pub(super) async fn ask<T>(edge: &Arc<Edge>, question: impl FnOnce(oneshot::Sender<T>) -> ToCore) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    edge.core.send(question(reply)).await.ok()?;
    answer.await.ok()
}

/// Keys from a password, off the shard: it takes milliseconds by design (RFC 5802 5.1).
pub(crate) async fn derive(password: String) -> Credentials {
    let mut salt = [0; SALT_BYTES];
    salt.copy_from_slice(&random()[..SALT_BYTES]);
    let derived = tokio::task::spawn_blocking(move || Credentials::new(&password, &salt, ITERATIONS));
    derived.await.expect("deriving keys does not panic and is not cancelled")
}

/// The tls-exporter bytes of a TLS 1.3 connection.
fn exporter(tls: &rustls::Connection) -> Option<Vec<u8>> {
    if tls.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    tls.export_keying_material(vec![0; 32], EXPORTER_LABEL, Some(b"")).ok()
}

/// 32 random bytes of the system.
pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}
