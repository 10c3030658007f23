//! Accepting connections and dealing them out to the shards in turn.

use super::Edge;
use super::shard::{Order, Service};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpListener;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Rest after an accept that failed, as it does without descriptors: trying again at once would only burn time.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Binds an address, so that what is wrong with it is known at the start.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts for ever.
pub async fn accept(listener: std::net::TcpListener, service: Service, edge: Arc<Edge>, next: Arc<AtomicUsize>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, ?service, "cannot listen"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let _ = socket.set_nodelay(true);
                let Ok(socket) = socket.into_std() else { continue };
                let shard = &edge.shards[next.fetch_add(1, Relaxed) % edge.shards.len()];
                if shard.send(Order::Accept(socket, peer, service)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, ?service, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}
