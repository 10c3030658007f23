//! Sessions that outlive their streams, XEP-0198 5: a session stays at its place on its shard, in its task, with what
//! its client has not acknowledged; a stream that a client resumes it with is brought there.
//!
//! So nobody has to learn that a session has moved, and nothing that is sent to it meanwhile can pass it by.

use super::{Client, Next, Stream};
use crate::config::Config;
use crate::core::ToCore;
use crate::edge::conn::{Conn, Resumption, Transport};
use crate::edge::shard::{Order, Shard};
use crate::edge::slab::Place;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use xmpp::Jid;
use xmpp::stanza::Condition;
use xmpp::stream::acceptor::{Input, Output};
use xmpp::stream::management::{self, Bounds};
use xmpp::stream::{Acceptor, StreamError};

/// A stream that a client wants to resume a session with, on its way there.
pub struct Arrival {
    transport: Transport,
    machine: Acceptor,
    /// Whose it is.
    user: Jid,
    /// Which one.
    nonce: [u8; 16],
    /// Stanzas that the client says it has taken.
    acked: u32,
    /// Where it comes from.
    address: IpAddr,
}

impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrival").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a session is not resumed.
pub(super) enum Refusal {
    /// There is none; the client may bind.
    Unknown,
    /// The stream ends.
    Error(StreamError),
}

/// Brings a stream to the session at a place.
pub fn arrive(shard: &Rc<Shard>, place: Place, arrival: Box<Arrival>) {
    let conn = shard.conn(place).filter(|conn| arrival.is_for(conn));
    let refused = match conn {
        Some(conn) => conn.arrive(arrival),
        None => Some(arrival),
    };
    if let Some(arrival) = refused {
        refuse(shard, *arrival, Refusal::Unknown);
    }
}

/// The stream goes on where it has come to, without the session.
pub(super) fn refuse(shard: &Rc<Shard>, arrival: Arrival, why: Refusal) {
    let outbound = shard.edge.config.limits.outbound_bytes as usize;
    let socket = None::<tokio::net::TcpStream>;
    let conn = Conn::new(socket, shard.handshake_end(), shard.second(), shard.clients().clone(), outbound);
    if conn.give_transport(arrival.transport).is_err() {
        return;
    }
    conn.frame(arrival.machine.is_framed());
    let mut client = Client::new(shard, Rc::new(conn), arrival.address);
    client.stream = Some(Stream { machine: arrival.machine, securing: false });
    client.feed(match why {
        Refusal::Unknown => Input::Resumed(Err(Condition::ItemNotFound)),
        Refusal::Error(error) => Input::Close(Some(error)),
    });
    client.go();
}

impl Arrival {
    fn is_for(&self, conn: &Conn) -> bool {
        let is_theirs = conn.address().is_some_and(|address| address.bare_str() == self.user.as_str());
        is_theirs && conn.resumption().is_some_and(|resumption| resumption.nonce == self.nonce)
    }
}

impl Client {
    /// XEP-0198 3.
    pub(super) fn enable(&mut self, resume: bool, max: Option<u64>) {
        let config = &self.shard.edge.config;
        let seconds = max.map_or(config.c2s.resume_seconds, |max| max.min(config.c2s.resume_seconds));
        let resumption = (resume && seconds > 0).then(|| Resumption { nonce: nonce(), seconds: seconds as u32 });
        let id = resumption.map(|resumption| session_id(self.shard.index, self.place, resumption.nonce));
        let answer = management::enabled(id.as_deref().map(|id| (id, seconds)));
        self.conn.say(answer.to_xml().as_bytes());
        self.conn.manage(bounds(config), resumption);
    }

    /// The stream has broken. Whether its session waits for the client now.
    pub(super) fn sleep(&mut self) -> bool {
        let is_bound = self.stream.as_ref().is_some_and(|stream| stream.machine.session().is_some());
        let Some(resumption) = self.conn.resumption().filter(|_| is_bound && self.conn.is_connected()) else {
            return false;
        };
        self.fall_asleep(resumption);
        tracing::debug!(client = self.conn.address().map(Jid::as_str), "stream broken, session waits");
        true
    }

    fn fall_asleep(&self, resumption: Resumption) {
        self.shard.finish_transport(&self.conn);
        self.conn.fall_asleep(self.shard.second(), resumption);
        let counters = &self.shard.edge.counters;
        counters.client_connections.fetch_sub(1, Relaxed);
        counters.sessions_asleep.fetch_add(1, Relaxed);
    }

    /// What was counted for it is over.
    pub(super) fn note_end(&self) {
        let counters = &self.shard.edge.counters;
        let is_asleep = !self.conn.is_connected() && self.stream.is_some();
        let counted = if is_asleep { &counters.sessions_asleep } else { &counters.client_connections };
        counted.fetch_sub(1, Relaxed);
    }

    /// Gives this stream to the shard that has the session.
    pub(super) async fn go_to_session(&mut self, user: Jid, id: &str, acked: u32) -> Next {
        let found = session_place(id).and_then(|(shard, place, nonce)| {
            let inbox = self.shard.edge.shards.get(usize::from(shard))?;
            Some((inbox.clone(), place, nonce))
        });
        let Some((inbox, place, nonce)) = found else {
            self.feed(Input::Resumed(Err(Condition::ItemNotFound)));
            return Next::Go;
        };
        let (Some(stream), Some(transport)) = (self.stream.take(), self.conn.take_transport()) else {
            return Next::Stop;
        };
        let arrival =
            Box::new(Arrival { transport, machine: stream.machine, user, nonce, acked, address: self.address });
        // A shard that has ended has closed its connections too.
        let _ = inbox.send(Order::Resume(place, arrival)).await;
        Next::Stop
    }

    /// The core learns which sessions wait for nobody, perhaps.
    pub(super) async fn tell_asleep(&self, asleep: bool) {
        if let Some(jid) = self.conn.address().cloned() {
            let _ = self.shard.edge.core.send(ToCore::SessionAsleep { jid, at: self.at(), asleep }).await;
        }
    }

    /// Goes on with the stream that has come for this session, if it can.
    pub(super) fn resume(&mut self, arrival: Arrival) -> bool {
        if let Err(error) = self.conn.acknowledge(arrival.acked) {
            refuse(&self.shard, arrival, Refusal::Error(error));
            return false;
        }
        let session = self.stream.as_ref().and_then(|stream| stream.machine.session());
        let (Some(session), Some(resumption)) = (session, self.conn.resumption()) else {
            refuse(&self.shard, arrival, Refusal::Unknown);
            return false;
        };
        if self.conn.is_connected() {
            // XEP-0198 5: the older stream of the session ends with a conflict.
            self.feed(Input::Close(Some("conflict".into())));
            for output in std::mem::take(&mut self.todo) {
                if let Output::Write(bytes) = output {
                    self.conn.write(&bytes);
                }
            }
            self.fall_asleep(resumption);
        }
        if self.conn.awake(arrival.transport, self.shard.second()).is_err() {
            return false;
        }
        let counters = &self.shard.edge.counters;
        counters.sessions_asleep.fetch_sub(1, Relaxed);
        counters.client_connections.fetch_add(1, Relaxed);
        counters.resumptions.fetch_add(1, Relaxed);
        self.address = arrival.address;
        self.conn.frame(arrival.machine.is_framed());
        self.stream = Some(Stream { machine: arrival.machine, securing: false });
        self.feed(Input::Resumed(Ok(session)));
        if let Some(Output::Write(resumed)) = self.todo.pop_front() {
            self.conn.write(&resumed);
        }
        self.conn.send_again(self.shard.clock());
        true
    }
}

fn bounds(config: &Config) -> Bounds {
    let limits = &config.limits;
    Bounds { stanzas: limits.unacked_stanzas as usize, bytes: limits.unacked_bytes as usize }
}

fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&super::random()[..16]);
    nonce
}

/// An id says where the session is, so that no table of them is needed.
fn session_id(shard: u16, place: Place, nonce: [u8; 16]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&shard.to_be_bytes()[..], &place.to_bytes(), &nonce].concat())
}

/// The other way; `None` for what is no id of ours.
fn session_place(id: &str) -> Option<(u16, Place, [u8; 16])> {
    let bytes: [u8; 26] = BASE64_URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?;
    let (shard, rest) = bytes.split_first_chunk()?;
    let (place, nonce) = rest.split_first_chunk()?;
    Some((u16::from_be_bytes(*shard), Place::from_bytes(*place), nonce.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_session_is() {
        let place = Place::from_bytes([0, 0, 0, 7, 0, 0, 0, 9]);
        let id = session_id(3, place, [5; 16]);
        assert_eq!(session_place(&id), Some((3, place, [5; 16])));
        for wrong in ["", "x", "some-long-sm-id", &id[1..], &format!("{id}AAAA")] {
            assert_eq!(session_place(wrong), None, "{wrong}");
        }
    }
}
