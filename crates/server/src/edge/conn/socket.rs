//! Bytes to and from a connection's socket, through TLS where it has begun.

use super::Conn;
use std::io::{self, Read, Write};
use tokio::net::TcpStream;

/// Most plaintext given to TLS at once: one record (RFC 8446 5.1).
const RECORD_BYTES_MAX: usize = 16 << 10;

/// Whether more may come.
pub(super) fn took(read: io::Result<usize>) -> bool {
    match read {
        Ok(n) => n > 0,
        Err(e) => e.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Gives bytes to the kernel; 0 when it takes none now.
pub(super) fn put_plain(conn: &Conn, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match Socket(conn).write(&bytes[sent..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                sent += n;
                conn.note_handed(n);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(sent)
}

/// Gives bytes to TLS, a record at a time, each only when the one before has gone.
pub(super) fn put_tls(conn: &Conn, tls: &mut rustls::Connection, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    write_records(conn, tls)?;
    while sent < bytes.len() && !tls.wants_write() && !tls.is_handshaking() {
        let record = &bytes[sent..bytes.len().min(sent + RECORD_BYTES_MAX)];
        match tls.writer().write(record)? {
            0 => break,
            n => {
                sent += n;
                conn.note_handed(n);
            }
        }
        write_records(conn, tls)?;
    }
    Ok(sent)
}

pub(super) fn write_records(conn: &Conn, tls: &mut rustls::Connection) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut Socket(conn)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// The socket without waiting, counted.
pub(super) struct Socket<'a>(pub &'a Conn);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = connected(&self.0.socket.borrow())?.try_read(buffer)?;
        self.0.traffic.borrow().bytes_in(n);
        Ok(n)
    }
}

impl Write for Socket<'_> {
    /// The kernel is asked straight away: tokio would look at its own record of the socket first, one more piece of
    /// memory for each receiver. Only who is refused goes by tokio, which then waits for room.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = self.0.socket.borrow();
        let socket = connected(&socket)?;
        let n = match socket2::SockRef::from(socket).send(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.try_write(bytes)?,
            done => done?,
        };
        self.0.traffic.borrow().bytes_out(n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket; a connection that has none is asked nothing.
fn connected(socket: &Option<TcpStream>) -> io::Result<&TcpStream> {
    socket.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
}
