//! Clients that come by WebSocket (RFC 7395): once HTTP has been left behind, a connection like any other, with the same
//! machine and in the same audiences.

use super::{Client, Stream};
use crate::edge::conn::{Conn, Transport};
use crate::edge::shard::Shard;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use xmpp::stream::Acceptor;
use xmpp::stream::acceptor::{Channel, Input};

/// A connection that speaks WebSocket from now on.
pub struct WebSocket {
    /// What carries it.
    pub transport: Transport,
    /// What has come behind the request.
    pub early: Vec<u8>,
    /// Where the client is.
    pub address: IpAddr,
    /// Whether nobody can listen on the way.
    pub secured: bool,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("address", &self.address).finish_non_exhaustive()
    }
}

impl WebSocket {
    /// Serves the client.
    pub fn accept(self, shard: &Rc<Shard>) {
        let outbound = shard.edge.config.limits.outbound_bytes as usize;
        let socket = None::<tokio::net::TcpStream>;
        let conn = Conn::new(socket, shard.handshake_end(), shard.second(), shard.clients().clone(), outbound);
        if conn.give_transport(self.transport).is_err() {
            return;
        }
        conn.frame(true);
        let mut client = Client::new(shard, Rc::new(conn), self.address);
        // Browsers know nothing of the channel, so nothing is bound to it.
        let channel = if self.secured { Channel::Tls { exporter: None } } else { Channel::Clear };
        let machine = Acceptor::websocket(shard.edge.c2s.clone(), channel, super::random());
        client.stream = Some(Stream { machine, securing: false });
        if !self.early.is_empty() {
            client.feed(Input::Bytes(&self.early));
        }
        client.go();
    }
}
