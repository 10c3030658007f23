//! One socket of the crowd, plain or TLS.

use anyhow::Result;
use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection; what the kernel does not take at once waits.
pub struct Link {
    /// The socket, to be registered.
    pub socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    waiting: VecDeque<u8>,
}

impl Link {
    /// Connects; with a configuration, TLS begins with the first byte.
    pub fn connect(address: SocketAddr, tls: Option<(&Arc<ClientConfig>, &str)>) -> Result<Link> {
        let mut link = Link::of(std::net::TcpStream::connect(address)?)?;
        if let Some((config, domain)) = tls {
            link.tls = Some(Box::new(ClientConnection::new(config.clone(), domain.to_owned().try_into()?)?));
        }
        Ok(link)
    }

    /// A connection that stands, plain.
    pub fn of(socket: std::net::TcpStream) -> Result<Link> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Link { socket: TcpStream::from_std(socket), tls: None, waiting: VecDeque::new() })
    }

    /// Sends bytes, now or later.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.waiting.extend(bytes),
        }
        self.flush()
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn flush(&mut self) -> Result<()> {
        loop {
            let written = match &mut self.tls {
                Some(tls) if tls.wants_write() => tls.write_tls(&mut self.socket),
                None if !self.waiting.is_empty() => self.socket.write(self.waiting.make_contiguous()),
                _ => return Ok(()),
            };
            match written {
                Ok(n) if self.tls.is_none() => drop(self.waiting.drain(..n)),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Reads all that has come and shows it piece by piece; false at the end of the stream.
    pub fn read(&mut self, buffer: &mut [u8], mut show: impl FnMut(&[u8])) -> Result<bool> {
        loop {
            let read = match &mut self.tls {
                None => self.socket.read(buffer),
                Some(tls) => tls.read_tls(&mut self.socket),
            };
            match read {
                Ok(0) => return Ok(false),
                Ok(n) => match &mut self.tls {
                    None => {
                        show(&buffer[..n]);
                        // A socket that gave less than was asked for is empty (epoll(7)).
                        if n < buffer.len() {
                            return Ok(true);
                        }
                    }
                    Some(tls) => show_decrypted(tls, buffer, &mut show)?,
                },
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            }
        }
        self.flush()?;
        Ok(true)
    }
}

fn show_decrypted(tls: &mut ClientConnection, buffer: &mut [u8], show: &mut impl FnMut(&[u8])) -> Result<()> {
    tls.process_new_packets()?;
    loop {
        match tls.reader().read(buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => show(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
}
