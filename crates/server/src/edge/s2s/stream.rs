//! A stream of ours: its socket, TLS, and the machine that knows the protocol.

use crate::config::{Encryption, Trust};
use crate::edge::c2s::{policy, stream_error};
use crate::edge::conn::{Conn, End, Wake};
use crate::edge::dns::Target;
use crate::edge::shard::Shard;
use crate::edge::slab::Place;
use crate::edge::traffic::Traffic;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tokio::net::TcpStream;
use xmpp::stream::dialback::Pair;
use xmpp::stream::s2s_out::{Config, Failure, Input, Output};
use xmpp::stream::{Outgoing, StreamError, TlsPolicy};

/// What a stream of ours has come to.
#[derive(Debug)]
pub(super) enum Event {
    /// Stanzas may be sent.
    Ready,
    /// What the other side says of a key.
    Verified(xmpp::stream::dialback::Verdict),
    /// Something may be put on it.
    Nudge,
    /// It is over.
    Closed(Ended),
}

/// How a stream of ours has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// We had nothing to say for long.
    Idle,
    /// The socket failed, or took too long.
    Lost,
    /// As the machine says.
    Failed(Failure),
}

/// A stream of ours.
pub(super) struct Stream {
    shard: Rc<Shard>,
    pub conn: Rc<Conn>,
    place: Place,
    pair: Pair,
    machine: Outgoing,
    /// TLS was begun and does not stand yet.
    securing: bool,
    direct_tls: bool,
    todo: VecDeque<Output>,
    idle: bool,
    nudged: bool,
}

impl Stream {
    /// Connects; for stanzas, or to have keys verified only.
    pub async fn connect(
        shard: &Rc<Shard>,
        pair: &Pair,
        target: &Target,
        stanzas: bool,
        traffic: Arc<Traffic>,
    ) -> io::Result<Stream> {
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        let config = &shard.edge.config;
        // Stanzas wait as stanzas, but the one that is being written has to fit.
        let outbound = (config.limits.outbound_bytes + config.s2s.stanza_bytes) as usize;
        let conn = Rc::new(Conn::new(socket, shard.handshake_end(), shard.second(), traffic, outbound));
        let place = shard.enter(conn.clone());
        let encrypts = config.s2s.tls != Encryption::Off;
        let machine = Outgoing::new(Config {
            pair: pair.clone(),
            stanzas,
            tls: if target.direct_tls { TlsPolicy::Off } else { policy(config.s2s.tls) },
            external: encrypts,
            dialback: config.s2s.trust == Trust::Dialback,
            dialback_secret: shard.edge.secret.to_vec(),
        });
        let mut stream = Stream {
            shard: shard.clone(),
            conn,
            place,
            pair: pair.clone(),
            machine,
            securing: false,
            direct_tls: target.direct_tls,
            todo: VecDeque::new(),
            idle: false,
            nudged: false,
        };
        if target.direct_tls {
            stream.start_tls();
        } else {
            stream.feed(Input::Connected { secured: false });
        }
        Ok(stream)
    }

    /// Waits for the next thing of note.
    pub async fn next(&mut self) -> Event {
        loop {
            while let Some(output) = self.todo.pop_front() {
                match output {
                    Output::Write(bytes) => self.conn.write(&bytes),
                    Output::StartTls => self.start_tls(),
                    Output::Ready => return Event::Ready,
                    Output::Verified { verdict, .. } => return Event::Verified(verdict),
                    Output::Closed(_) if self.idle => return Event::Closed(Ended::Idle),
                    Output::Closed(Some(failure)) => return Event::Closed(Ended::Failed(failure)),
                    Output::Closed(None) => return Event::Closed(Ended::Lost),
                }
            }
            if std::mem::take(&mut self.nudged) {
                return Event::Nudge;
            }
            self.machine.rest(&mut self.shard.pool.borrow_mut());
            let wake = self.conn.wait().await;
            match wake {
                Wake::Bytes | Wake::Nudge | Wake::Arrival(_) => {
                    if self.read().is_err() {
                        return Event::Closed(Ended::Lost);
                    }
                    self.nudged |= matches!(wake, Wake::Nudge);
                }
                Wake::End(End::Idle) => {
                    self.idle = true;
                    self.feed(Input::Close(None));
                }
                Wake::End(end) => match stream_error(end) {
                    Some(error) => self.feed(Input::Close(Some(error))),
                    None => return Event::Closed(Ended::Lost),
                },
            }
        }
    }

    /// Asks whether the other side made a key.
    pub fn verify(&mut self, pair: Pair, id: String, key: String) {
        self.feed(Input::Verify { pair, id, key });
    }

    /// Lets it go; what is written already is sent.
    pub fn end(mut self, error: Option<StreamError>) {
        self.feed(Input::Close(error));
        for output in self.todo.drain(..) {
            if let Output::Write(bytes) = output {
                self.conn.write(&bytes);
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let (shard, conn) = (self.shard.clone(), self.conn.clone());
        let read = shard.read(&conn, |bytes| {
            self.secured();
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.feed(Input::Bytes(bytes));
            Ok(())
        })?;
        match read {
            Some(result) => {
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

    fn start_tls(&mut self) {
        self.securing = true;
        match self.shard.edge.tls.connect(&self.pair.from, &self.pair.to, self.direct_tls) {
            Ok(tls) => self.conn.start_tls(tls),
            Err(error) => {
                tracing::error!(%error, to = self.pair.to, "TLS cannot be begun");
                self.conn.end(End::Gone);
            }
        }
    }

    /// Tells the machine, once, that TLS stands; where only certificates are trusted, after looking at the other's.
    fn secured(&mut self) {
        if !self.securing {
            return;
        }
        let to = &self.pair.to;
        let judge = &self.shard.edge.judge;
        let vouched = self.conn.tls(|tls| tls.peer_certificates().is_some_and(|chain| judge.vouches(chain, to)));
        let Some(vouched) = vouched else { return };
        self.securing = false;
        if !vouched && self.shard.edge.config.s2s.trust == Trust::Certificate {
            tracing::warn!(to, "its certificate is not trusted, and only certificates are");
            return self.todo.push_back(Output::Closed(Some(Failure::NotVerified(None))));
        }
        self.feed(if self.direct_tls { Input::Connected { secured: true } } else { Input::Secured });
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shard.leave(self.place);
    }
}
