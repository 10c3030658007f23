//! HTTP: `/health` and `/metrics` for the operator, `/xmpp-websocket` and host-meta for clients in browsers.
//!
//! - [`Source`], what the running server implements
//! - `websocket`, from a request to a connection of a shard; `host_meta`, how it is found
//! - [`Figures`], everything that is counted; [`metrics`] writes it as Prometheus text

mod host_meta;
mod metrics;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::edge::Edge;
use crate::edge::tls::Side;

pub use metrics::{Figures, LinkFigures, Stored, Traffic};

/// Most connections that speak HTTP at a time; one that speaks WebSocket does not any more. The others wait.
const CONNECTIONS_MAX: usize = 1_024;

/// Longest wait for a TLS handshake, and for the next request.
const REQUEST_WAIT: Duration = Duration::from_secs(15);

/// Rest after an accept that failed, as it does without descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// The running server, as HTTP sees it.
pub trait Source: Send + Sync + 'static {
    /// What does not work now, a sentence each; empty when all of it does.
    fn faults(&self) -> Vec<String>;

    /// What was counted until now.
    fn figures(&self) -> Pin<Box<dyn Future<Output = Figures> + Send + '_>>;
}

/// What is answered, and for whom.
#[derive(Clone)]
pub struct Doors {
    /// What operators are shown; none on addresses that are for clients alone.
    pub source: Option<Arc<dyn Source>>,
    /// Where clients go; none on a server without any.
    pub edge: Option<Arc<Edge>>,
    /// Whether connections begin with TLS.
    pub tls: bool,
}

/// Answers on a listener until it is dropped.
pub async fn serve(listener: TcpListener, doors: Doors) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let seat = room.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((socket, peer)) => {
                let doors = doors.clone();
                tokio::spawn(async move {
                    connection(socket, peer, doors).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, doors: Doors) {
    let _ = socket.set_nodelay(true);
    let Some(edge) = doors.edge.as_ref().filter(|_| doors.tls) else {
        return requests(TokioIo::new(socket), peer, doors).await;
    };
    let config = match edge.tls.accepting(Side::Browser, None) {
        Ok(config) => config,
        Err(error) => return tracing::error!(%error, "TLS cannot be offered to browsers"),
    };
    let handshake = TlsAcceptor::from(config).accept(socket);
    if let Ok(Ok(stream)) = tokio::time::timeout(REQUEST_WAIT, handshake).await {
        requests(TokioIo::new(stream), peer, doors).await;
    }
}

/// Serves what one connection asks for, until it speaks another protocol.
async fn requests<I>(io: I, peer: SocketAddr, doors: Doors)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router(doors).layer(Extension(peer)));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_WAIT);
    // Whoever does not keep to HTTP is told by it, or has gone.
    let _ = http.serve_connection(io, service).with_upgrades().await;
}

/// The paths there are.
fn router(doors: Doors) -> Router {
    let mut router = Router::new();
    if let Some(source) = &doors.source {
        let operators = Router::new().route("/health", get(health)).route("/metrics", get(figures));
        router = router.merge(operators.with_state(source.clone()));
    }
    if let Some(edge) = &doors.edge {
        let clients = Router::new()
            .route("/xmpp-websocket", get(websocket::upgrade))
            .route("/.well-known/host-meta", get(host_meta::xml))
            .route("/.well-known/host-meta.json", get(host_meta::json));
        router = router.merge(clients.with_state(websocket::Way { edge: edge.clone(), tls: doors.tls }));
    }
    router
}

/// 200 only when all works, else 503 with the reasons.
async fn health(State(source): State<Arc<dyn Source>>) -> impl IntoResponse {
    let faults = source.faults();
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(json!({ "ok": faults.is_empty(), "reasons": faults })))
}

async fn figures(State(source): State<Arc<dyn Source>>) -> impl IntoResponse {
    match metrics::text(source.figures().await) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;
