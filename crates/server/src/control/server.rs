//! The running server's side: a few connections, a line each way, all of it bounded.

use std::io;
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{Handler, REQUEST_BYTES_MAX, Refusal, Request, Response, Wire};

/// Connections at a time; a further one waits until one of these has ended.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may say nothing, or leave an answer unread.
const IDLE: Duration = Duration::from_secs(30);
/// Pause after a connection could not be accepted, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until it is dropped; connections end with it.
pub async fn serve(listener: StdListener, handler: Arc<dyn Handler>) -> io::Result<()> {
    let listener = UnixListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&handler)));
            }
            Err(error) => {
                tracing::warn!(%error, "control socket: a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one command. Errors of the connection are that command's business.
async fn connection(stream: UnixStream, handler: Arc<dyn Handler>) {
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    let mut line = Vec::new();
    loop {
        line.clear();
        // One byte more than is allowed: a line that fills it is too long.
        let mut bounded = (&mut reading).take(REQUEST_BYTES_MAX as u64 + 1);
        let read = tokio::time::timeout(IDLE, bounded.read_until(b'\n', &mut line)).await;
        if !matches!(read, Ok(Ok(length)) if length > 0) {
            return;
        }
        let (response, go_on) = match line.len() <= REQUEST_BYTES_MAX {
            true => (answer(&line, &*handler).await, true),
            false => (Err(Refusal::invalid(format!("is longer than {REQUEST_BYTES_MAX} bytes"))), false),
        };
        let Ok(mut text) = serde_json::to_vec(&Wire::from(response)) else { return };
        text.push(b'\n');
        let written = tokio::time::timeout(IDLE, writing.write_all(&text)).await;
        if !go_on || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn answer(line: &[u8], handler: &dyn Handler) -> Response {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return Err(Refusal::invalid(format!("no request that is known here: {error}"))),
    };
    let (sender, receiver) = oneshot::channel();
    handler.ask(request, sender);
    receiver.await.unwrap_or_else(|_| Err(Refusal::failed("the server is ending")))
}
