//! From a request to `/xmpp-websocket` to a connection of a shard: the handshake of RFC 6455 4.2 with the subprotocol of
//! RFC 7395. HTTP has no part in what follows.

use crate::config::Encryption;
use crate::edge::Edge;
use crate::edge::c2s::WebSocket;
use crate::edge::conn::Transport;
use crate::edge::shard::Order;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use xmpp::stream::websocket::PROTOCOL;

/// RFC 6455 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How clients come in.
#[derive(Clone)]
pub(super) struct Way {
    pub edge: Arc<Edge>,
    /// Whether connections are under TLS.
    pub tls: bool,
}

/// Answers the handshake, and gives the connection away.
pub(super) async fn upgrade(
    State(way): State<Way>,
    Extension(peer): Extension<SocketAddr>,
    mut request: Request,
) -> Response {
    let accept = match accept(request.headers()) {
        Ok(accept) => accept,
        Err(refusal) => return refusal,
    };
    let proxied = !way.tls && (way.edge.config.http.proxied || peer.ip().is_loopback());
    let secured = way.tls || proxied;
    if !secured && way.edge.config.c2s.tls == Encryption::Required {
        return (StatusCode::FORBIDDEN, "clients must encrypt here: come by https").into_response();
    }
    let forwarded = forwarded_for(request.headers()).filter(|_| proxied);
    let address = forwarded.unwrap_or(peer.ip());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Some((transport, early)) = upgrade.await.ok().and_then(transport) {
            let socket = Box::new(WebSocket { transport, early, address, secured });
            let shard = &way.edge.shards[usize::from(peer.port()) % way.edge.shards.len()];
            // A shard that has ended closes what it is given.
            let _ = shard.send(Order::WebSocket(socket)).await;
        }
    });
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty());
    answer.unwrap_or_else(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response())
}

/// The proof that the request was understood (RFC 6455 4.2.2), or what is wrong with it.
fn accept(headers: &HeaderMap) -> Result<String, Response> {
    let is_upgrade = says(headers, header::CONNECTION, "upgrade") && says(headers, header::UPGRADE, "websocket");
    if !is_upgrade || !says(headers, header::SEC_WEBSOCKET_VERSION, "13") {
        let wanted = [(header::UPGRADE, "websocket"), (header::SEC_WEBSOCKET_VERSION, "13")];
        return Err((StatusCode::UPGRADE_REQUIRED, wanted, "WebSocket, version 13, is spoken here").into_response());
    }
    let bad = |text: &'static str| Err((StatusCode::BAD_REQUEST, text).into_response());
    if !says(headers, header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
        return bad("the subprotocol here is xmpp");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let Some(key) = key.filter(|key| BASE64_STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)) else {
        return bad("Sec-WebSocket-Key is to be 16 bytes in base64");
    };
    Ok(BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}"))))
}

/// Whether a list in a header has an entry.
fn says(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

/// The last one that a proxy speaks for: those before it are what it was told itself.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// What carried the request, and what has come behind it.
fn transport(upgraded: Upgraded) -> Option<(Transport, Vec<u8>)> {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => {
            let socket = parts.io.into_inner().into_std().ok()?;
            return Some((Transport::new(socket, None), parts.read_buf.to_vec()));
        }
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>().ok()?;
    let (socket, mut tls) = parts.io.into_inner().into_inner();
    tls.set_buffer_limit(None);
    Some((Transport::new(socket.into_std().ok()?, Some(tls.into())), parts.read_buf.to_vec()))
}
