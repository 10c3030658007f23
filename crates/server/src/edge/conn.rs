//! One socket, plain or TLS, as its shard owns it: written inline from anywhere on the shard, read by its one task.
//!
//! What does not fit into the kernel waits in a bounded buffer; a connection that lets it overflow is cut and never
//! waited for. Nothing is kept while nothing is under way: read buffers are the shard's, write buffers are freed
//! when they are empty.

mod client;
mod socket;

use super::c2s::Arrival;
use super::traffic::Traffic;
use socket::{Socket, put_plain, put_tls, took, write_records};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::net::TcpStream;

pub use client::{Clock, Resumption};

/// Most reads of what is thrown away at the end: a peer that goes on for longer may lose the last words.
const REST_READS_MAX: usize = 1_000;

/// Bytes put together for a connection before they are written all the same: enough for one system call, and what is
/// put together must not be taken for what its receiver does not read.
const CORKED_BYTES_MAX: usize = 16 << 10;

/// Written prefix of a waiting buffer that is worth moving the rest for.
const COMPACT_BYTES: usize = 64 << 10;

/// Why a connection is to end, as seen from outside its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The other side has closed, or the socket has failed.
    Gone,
    /// It did not read what it was sent (`limits.outbound_bytes`).
    Slow,
    /// It has not finished logging in, or has not answered a ping, in time.
    TimedOut,
    /// Nothing has been said for long, and nothing is owed.
    Idle,
    /// The host says so, with this stream error.
    Told(&'static str),
}

/// What its task wakes up for.
pub enum Wake {
    /// There may be bytes to read.
    Bytes,
    /// Something was put down for the task to pick up.
    Nudge,
    /// Other bytes take the place of these.
    Arrival(Box<Arrival>),
    /// It is over.
    End(End),
}

/// What the shard's sweep watches over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Ends when this second of the shard's clock has come: a handshake under way.
    Until(u32),
    /// A client: pinged when silent, ended when it does not answer.
    Client,
    /// A server: ended when silent for long.
    Server,
    /// Never ended from here.
    Never,
}

/// One connection.
pub struct Conn {
    /// None while a client's session waits for its client (XEP-0198 5), and when it has been moved elsewhere.
    socket: RefCell<Option<TcpStream>>,
    io: RefCell<Io>,
    waker: Cell<Option<Waker>>,
    end: Cell<Option<End>>,
    nudged: Cell<bool>,
    /// The task is nudged when nothing waits any more.
    tell_drained: Cell<bool>,
    /// The shard's second in which something was last read, and whether a ping is under way since.
    pub(super) heard: Cell<(u32, bool)>,
    /// What the sweep does with it.
    pub(super) watch: Cell<Watch>,
    traffic: RefCell<Arc<Traffic>>,
    client: client::OfClient,
    /// What is to take the place of this connection's bytes, until its task finds it.
    arrival: Cell<Option<Box<Arrival>>>,
    /// Bytes given to it to write.
    given: Cell<u64>,
    /// Bytes of them that TLS or the socket has taken, and where the last piece of those begins.
    handed: Cell<(u64, u64)>,
    /// Most bytes that wait; over it the connection is cut, others are unaffected.
    outbound_bytes_max: Cell<usize>,
}

/// What carries bytes: it can be given to another connection, on another shard.
pub struct Transport {
    socket: std::net::TcpStream,
    io: Io,
}

impl Transport {
    /// Of a socket whose TLS handshake is over, where it has TLS.
    pub fn new(socket: std::net::TcpStream, tls: Option<rustls::Connection>) -> Transport {
        Transport { socket, io: Io { tls: tls.map(Box::new), ..Io::default() } }
    }
}

#[derive(Default)]
struct Io {
    tls: Option<Box<rustls::Connection>>,
    /// Plaintext that waits, from `sent` on.
    out: Vec<u8>,
    sent: usize,
    /// Bytes are put together and written by a later [`Conn::flush`].
    corked: bool,
}

impl Conn {
    /// Takes over a connected socket, where there is one already; bytes are counted in `traffic`.
    pub fn new(
        socket: impl Into<Option<TcpStream>>,
        watch: Watch,
        second: u32,
        traffic: Arc<Traffic>,
        outbound_bytes_max: usize,
    ) -> Conn {
        Conn {
            socket: RefCell::new(socket.into()),
            io: RefCell::default(),
            waker: Cell::new(None),
            end: Cell::new(None),
            nudged: Cell::new(false),
            tell_drained: Cell::new(false),
            heard: Cell::new((second, false)),
            watch: Cell::new(watch),
            traffic: RefCell::new(traffic),
            client: client::OfClient::default(),
            arrival: Cell::default(),
            given: Cell::new(0),
            handed: Cell::default(),
            outbound_bytes_max: Cell::new(outbound_bytes_max),
        }
    }

    /// From now on bytes are counted here, and what was counted there is carried over.
    pub fn count_in(&self, traffic: Arc<Traffic>) {
        self.traffic.borrow().carry_to(&traffic);
        *self.traffic.borrow_mut() = traffic;
    }

    /// Asks the connection's task to end it; the first reason stays.
    pub fn end(&self, end: End) {
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
        self.wake();
    }

    /// Whether the end is decided.
    pub fn is_ending(&self) -> bool {
        self.end.get().is_some()
    }

    /// Makes the task look around.
    pub fn nudge(&self) {
        self.nudged.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The task finds an arrival; one that it has not found yet is given back.
    pub fn arrive(&self, arrival: Box<Arrival>) -> Option<Box<Arrival>> {
        let before = self.arrival.replace(Some(arrival));
        self.wake();
        before
    }

    /// An arrival that the task has not found.
    pub fn take_arrival(&self) -> Option<Box<Arrival>> {
        self.arrival.take()
    }

    /// Whether there is a socket.
    pub fn is_connected(&self) -> bool {
        self.socket.borrow().is_some()
    }

    /// Takes away what carries bytes, with those that wait to be written; what is written from now on goes nowhere.
    pub fn take_transport(&self) -> Option<Transport> {
        let io = self.io.take();
        let socket = self.socket.take()?.into_std().ok()?;
        Some(Transport { socket, io })
    }

    /// Bytes go and come this way from now on.
    pub fn give_transport(&self, transport: Transport) -> io::Result<()> {
        *self.socket.borrow_mut() = Some(TcpStream::from_std(transport.socket)?);
        *self.io.borrow_mut() = Io { corked: false, ..transport.io };
        // TLS may hold what the socket does not say.
        self.nudge();
        Ok(())
    }

    /// Forgets why it was to end, but for what the host has said.
    pub fn go_on(&self) {
        self.end.set(self.end.get().filter(|end| matches!(end, End::Told(_))));
    }

    /// Waits for something to do; writes what waits as the socket takes it meanwhile.
    pub async fn wait(&self) -> Wake {
        poll_fn(|cx| self.poll_wait(cx)).await
    }

    fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<Wake> {
        self.waker.set(Some(cx.waker().clone()));
        let socket = self.socket.borrow();
        let socket = socket.as_ref();
        while let Some(socket) = socket.filter(|_| self.wants_write()) {
            match socket.poll_write_ready(cx) {
                Poll::Ready(Ok(())) => self.flush(),
                Poll::Ready(Err(_)) => self.end(End::Gone),
                Poll::Pending => break,
            }
            if self.is_ending() {
                break;
            }
        }
        if let Some(end) = self.end.take() {
            return Poll::Ready(Wake::End(end));
        }
        if let Some(arrival) = self.arrival.take() {
            return Poll::Ready(Wake::Arrival(arrival));
        }
        if self.nudged.take() {
            return Poll::Ready(Wake::Nudge);
        }
        match socket {
            Some(socket) => socket.poll_read_ready(cx).map(|_| Wake::Bytes),
            None => Poll::Pending,
        }
    }

    /// Reads what is there: plaintext bytes, 0 at the end of the stream, `WouldBlock` when nothing is there.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_connected() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let io = &mut *self.io.borrow_mut();
        let Some(tls) = io.tls.as_deref_mut() else { return Socket(self).read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if tls.read_tls(&mut Socket(self))? == 0 {
                return Ok(0);
            }
            let state = tls.process_new_packets();
            write_records(self, tls)?;
            state.map_err(io::Error::other)?;
        }
    }

    /// Writes at once when nothing waits before it; keeps what the socket does not take now.
    pub fn write(&self, bytes: &[u8]) {
        self.given.set(self.given.get() + bytes.len() as u64);
        if self.is_ending() || !self.is_connected() {
            return;
        }
        if self.waiting() + bytes.len() > CORKED_BYTES_MAX && self.io.borrow().corked {
            self.flush();
        }
        let io = &mut *self.io.borrow_mut();
        let written = if io.corked || !io.out.is_empty() {
            Ok(0)
        } else {
            match io.tls.as_deref_mut() {
                Some(tls) => put_tls(self, tls, bytes),
                None => put_plain(self, bytes),
            }
        };
        match written {
            Ok(n) if n < bytes.len() => {
                if io.out.len() - io.sent + bytes.len() - n > self.outbound_bytes_max.get() {
                    return self.end(End::Slow);
                }
                io.out.extend_from_slice(&bytes[n..]);
                if !io.corked {
                    self.wake();
                }
            }
            Ok(_) => {
                if io.tls.as_deref().is_some_and(|tls| tls.wants_write()) {
                    self.wake();
                }
            }
            Err(_) => self.end(End::Gone),
        }
    }

    /// From now on bytes wait until [`Conn::uncork`]; true when this call did it.
    pub fn cork(&self) -> bool {
        !std::mem::replace(&mut self.io.borrow_mut().corked, true)
    }

    /// Writes what has come together.
    pub fn uncork(&self) {
        self.io.borrow_mut().corked = false;
        self.flush();
        if self.wants_write() {
            self.wake();
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn flush(&self) {
        let io = &mut *self.io.borrow_mut();
        loop {
            let waiting = &io.out[io.sent..];
            let written = match io.tls.as_deref_mut() {
                Some(tls) => put_tls(self, tls, waiting),
                None => put_plain(self, waiting),
            };
            match written {
                Ok(n) => io.sent += n,
                Err(_) => return self.end(End::Gone),
            }
            let blocked = written.is_ok_and(|n| n == 0);
            if io.sent == io.out.len() {
                (io.out, io.sent) = (Vec::new(), 0);
                if self.tell_drained.take() {
                    self.nudge();
                }
                return;
            }
            if blocked {
                break;
            }
        }
        if io.sent >= COMPACT_BYTES {
            io.out.drain(..io.sent);
            io.sent = 0;
        }
    }

    /// Nudges the task once, when all that waits has been written.
    pub fn tell_drained(&self) {
        self.tell_drained.set(true);
    }

    /// Bytes ever given to it to write: where the last stanza that was given ends.
    pub fn given(&self) -> u64 {
        self.given.get()
    }

    /// Bytes of those that the socket has taken. What is behind has not been seen by the other side.
    pub fn taken(&self) -> u64 {
        let (all, last_piece) = self.handed.get();
        // A record of which the end has not gone cannot be read.
        let stuck = self.io.borrow().tls.as_deref().is_some_and(|tls| tls.wants_write());
        if stuck { last_piece } else { all }
    }

    fn note_handed(&self, bytes: usize) {
        let (all, _) = self.handed.get();
        self.handed.set((all + bytes as u64, all));
    }

    /// What waits is not written any more.
    pub fn abandon(&self) {
        let io = &mut *self.io.borrow_mut();
        (io.out, io.sent) = (Vec::new(), 0);
    }

    /// Plaintext bytes that wait.
    pub fn waiting(&self) -> usize {
        let io = self.io.borrow();
        io.out.len() - io.sent
    }

    fn wants_write(&self) -> bool {
        let io = self.io.borrow();
        match io.tls.as_deref() {
            // What waits while TLS shakes hands cannot be written yet.
            Some(tls) => tls.wants_write() || (!io.corked && !io.out.is_empty() && !tls.is_handshaking()),
            None => !io.corked && !io.out.is_empty(),
        }
    }

    /// Encrypts from here on. What came in clear text and was not processed yet is the caller's to throw away.
    pub fn start_tls(&self, tls: rustls::Connection) {
        self.flush();
        self.io.borrow_mut().tls = Some(Box::new(tls));
        self.nudge();
    }

    /// Reads from the TLS connection, if there is one and its handshake is over.
    pub fn tls<T>(&self, look: impl FnOnce(&rustls::Connection) -> T) -> Option<T> {
        let io = self.io.borrow();
        io.tls.as_deref().filter(|tls| !tls.is_handshaking()).map(look)
    }

    /// Writes all that waits and says goodbye to TLS and TCP; whoever calls bounds the time.
    pub async fn close(&self) {
        self.io.borrow_mut().corked = false;
        poll_fn(|cx| self.poll_written(cx)).await;
        if let Some(tls) = self.io.borrow_mut().tls.as_deref_mut() {
            tls.send_close_notify();
        }
        poll_fn(|cx| self.poll_written(cx)).await;
        self.take_the_rest().await;
    }

    fn poll_written(&self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.flush();
            let socket = self.socket.borrow();
            let Some(socket) = socket.as_ref() else { return Poll::Ready(()) };
            if !self.wants_write() || self.is_ending() || socket.poll_write_ready(cx).is_pending() {
                break;
            }
        }
        if self.wants_write() && !self.is_ending() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Reads what the other side has sent meanwhile: a socket closed over unread bytes would take back what was
    /// just written to it (RFC 1122 4.2.2.13).
    async fn take_the_rest(&self) {
        let mut buffer = [0; 4096];
        let Some(socket) = self.socket.take() else { return };
        if socket.try_read(&mut buffer).is_ok_and(|n| n > 0) {
            let _ = socket2::SockRef::from(&socket).shutdown(std::net::Shutdown::Write);
            for _ in 0..REST_READS_MAX {
                let gone = socket.readable().await.is_err();
                if gone || !took(socket.try_read(&mut buffer)) {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
