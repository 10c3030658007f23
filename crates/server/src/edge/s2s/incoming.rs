//! Streams that other servers open to us.

use crate::config::{Config, Trust};
use crate::core::ToCore;
use crate::edge::c2s::{bytes, policy, random, stream_error};
use crate::edge::conn::{Conn, End, Wake, Watch};
use crate::edge::shard::Shard;
use crate::edge::slab::Place;
use crate::edge::tls::Side;
use crate::edge::traffic::Traffic;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::TcpStream;
use xmpp::stanza::Condition;
use xmpp::stream::Incoming;
use xmpp::stream::dialback::{Pair, Verdict};
use xmpp::stream::s2s_in::{self, Input, Output};
use xmpp::xml::Limits;

/// What holds for all server streams to us.
pub fn stream_config(config: &Config, secret: &[u8; 32]) -> s2s_in::Config {
    let domains = config.federated().iter().map(|domain| domain.as_str().to_owned()).collect();
    let limits = &config.limits;
    s2s_in::Config {
        tls: policy(config.s2s.tls),
        dialback: config.s2s.trust == Trust::Dialback,
        limits_before: Limits { stanza_bytes: bytes(limits.login_stanza_bytes), ..Limits::BEFORE_AUTHENTICATION },
        limits: Limits { stanza_bytes: bytes(config.s2s.stanza_bytes), ..Limits::AUTHENTICATED },
        ..s2s_in::Config::new(domains, secret.to_vec())
    }
}

/// Serves a server that has just connected.
pub fn accept(shard: &Rc<Shard>, socket: TcpStream, peer: SocketAddr, direct_tls: bool) {
    let outbound = shard.edge.config.limits.outbound_bytes as usize;
    let conn = Rc::new(Conn::new(socket, shard.handshake_end(), shard.second(), Arc::default(), outbound));
    let place = shard.enter(conn.clone());
    let server = Server {
        shard: shard.clone(),
        conn,
        place,
        peer,
        machine: Incoming::new(shard.edge.s2s.clone(), direct_tls, random()),
        securing: false,
        todo: VecDeque::new(),
        verdicts: Rc::default(),
        traffic: Arc::default(),
        domains: Vec::new(),
    };
    tokio::task::spawn_local(server.run(direct_tls));
}

/// One stream to us.
struct Server {
    shard: Rc<Shard>,
    conn: Rc<Conn>,
    place: Place,
    peer: SocketAddr,
    machine: Incoming,
    /// TLS was promised and does not stand yet.
    securing: bool,
    todo: VecDeque<Output>,
    /// What domains have said of keys, until the task picks it up.
    verdicts: Rc<RefCell<VecDeque<(Pair, Verdict)>>>,
    traffic: Arc<Traffic>,
    /// The domains it is authenticated for.
    domains: Vec<String>,
}

/// Whether a stream goes on.
#[derive(PartialEq)]
enum Next {
    Go,
    Idle,
    Stop,
}

impl Server {
    async fn run(mut self, direct_tls: bool) {
        if direct_tls {
            self.start_tls(None);
        }
        let mut next = Next::Go;
        while next == Next::Go {
            next = self.step().await;
        }
        self.shard.streams.borrow_mut().incoming.retain(|(place, _)| *place != self.place);
        self.shard.leave(self.place);
        for domain in self.domains {
            let remote = self.shard.edge.links.of(&domain);
            remote.streams_in.fetch_sub(1, Relaxed);
            remote.note_change();
            if next != Next::Idle {
                let _ = self.shard.edge.core.send(ToCore::StreamEnded(domain)).await;
            }
        }
    }

    async fn step(&mut self) -> Next {
        let mut ended = Next::Stop;
        match self.conn.wait().await {
            Wake::Bytes | Wake::Nudge | Wake::Arrival(_) => {
                loop {
                    let verdict = self.verdicts.borrow_mut().pop_front();
                    let Some((pair, verdict)) = verdict else { break };
                    self.feed(Input::Verified(pair, verdict));
                }
                if self.read().is_err() {
                    return Next::Stop;
                }
            }
            Wake::End(End::Idle) => {
                ended = Next::Idle;
                self.feed(Input::Close(None));
            }
            Wake::End(end) => match stream_error(end) {
                Some(_) if self.securing => return Next::Stop,
                Some(error) => self.feed(Input::Close(Some(error))),
                None => return Next::Stop,
            },
        }
        while let Some(output) = self.todo.pop_front() {
            if self.carry_out(output).await == Next::Stop {
                return ended;
            }
        }
        self.todo = VecDeque::new();
        self.machine.rest(&mut self.shard.pool.borrow_mut());
        Next::Go
    }

    /// Reads once and feeds the machine.
    fn read(&mut self) -> std::io::Result<()> {
        let (shard, conn) = (self.shard.clone(), self.conn.clone());
        let read = shard.read(&conn, |bytes| {
            self.secured();
            if bytes.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.feed(Input::Bytes(bytes));
            Ok(())
        })?;
        match read {
            Some(result) => {
                // TLS may hold more than was read; the socket would not say so.
                if conn.tls(|_| ()).is_some() {
                    conn.nudge();
                }
                result
            }
            None => {
                self.secured();
                Ok(())
            }
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.machine.wake(&mut self.shard.pool.borrow_mut());
        let mut out = Vec::new();
        self.machine.handle(input, &mut out);
        self.todo.extend(out);
    }

    fn start_tls(&mut self, domain: Option<&str>) {
        self.securing = true;
        match self.shard.edge.tls.accept(Side::Server, domain) {
            Ok(tls) => self.conn.start_tls(tls),
            Err(error) => {
                tracing::error!(%error, "TLS cannot be offered to servers");
                self.conn.end(End::Gone);
            }
        }
    }

    /// Tells the machine, once, that TLS stands; with direct TLS it has taken that for granted.
    fn secured(&mut self) {
        if self.securing && self.conn.tls(|_| ()).is_some() {
            self.securing = false;
            self.feed(Input::Secured);
        }
    }

    async fn carry_out(&mut self, output: Output) -> Next {
        match output {
            Output::Write(bytes) => self.conn.write(&bytes),
            Output::StartTls => self.start_tls(None),
            Output::CheckCertificate(domain) => self.check_certificate(&domain),
            Output::Verify { pair, id, key } => self.verify(pair, id, key),
            Output::Authenticated(pair) => self.authenticated(pair),
            Output::Stanza(stanza) => {
                self.traffic.stanza_in();
                if self.shard.edge.core.send(ToCore::FromServer(stanza)).await.is_err() {
                    return Next::Stop;
                }
            }
            Output::Bounce(stanza) => {
                if self.shard.edge.core.send(ToCore::Reply(stanza)).await.is_err() {
                    return Next::Stop;
                }
            }
            Output::Closed(error) => {
                if let Some(error) = error {
                    tracing::info!(%error, peer = %self.peer, domains = ?self.domains, "a server's stream ended");
                }
                return Next::Stop;
            }
        }
        Next::Go
    }

    /// XEP-0178 3: whether its certificate proves the domain that its header names.
    fn check_certificate(&mut self, domain: &str) {
        if self.shard.edge.is_held_apart(domain) {
            return self.conn.end(End::Told("policy-violation"));
        }
        let judge = &self.shard.edge.judge;
        let good = self.conn.tls(|tls| tls.peer_certificates().is_some_and(|chain| judge.vouches(chain, domain)));
        self.feed(Input::Certificate(good == Some(true)));
    }

    /// XEP-0220 2.1.2, on a stream of its own.
    fn verify(&mut self, pair: Pair, id: String, key: String) {
        let (shard, conn, verdicts) = (self.shard.clone(), self.conn.clone(), self.verdicts.clone());
        tokio::task::spawn_local(async move {
            let verdict = match shard.edge.is_held_apart(&pair.from) {
                true => Verdict::Error(Condition::RemoteServerTimeout),
                false => super::verify::ask(&shard, pair.clone(), id, key).await,
            };
            verdicts.borrow_mut().push_back((pair, verdict));
            conn.nudge();
        });
    }

    fn authenticated(&mut self, pair: Pair) {
        tracing::info!(from = pair.from, to = pair.to, "a server's stream is up");
        self.conn.watch.set(Watch::Server);
        if self.domains.contains(&pair.from) {
            return;
        }
        let remote = self.shard.edge.links.of(&pair.from);
        if self.domains.is_empty() {
            self.traffic = remote.traffic.clone();
            self.conn.count_in(remote.traffic.clone());
        }
        remote.heard.fetch_add(1, Relaxed);
        remote.streams_in.fetch_add(1, Relaxed);
        remote.note_change();
        self.shard.streams.borrow_mut().incoming.push((self.place, pair.from.clone()));
        self.domains.push(pair.from);
    }
}
