//! The program that only writes: whatever message one connection sends is written to every connection, one write for
//! each. It parses, stores and decides nothing; no program that copes without batching can be cheaper.

use crate::figures::MESSAGE_BYTES;
use anyhow::Result;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;

/// Messages of one connection read at once.
const READ_MESSAGES_MAX: usize = 16;

/// Prints its address, waits for all receivers, then writes for ever.
pub fn run(receivers: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    let mut sockets = Vec::with_capacity(receivers);
    for n in 0..receivers {
        let (socket, _) = listener.accept()?;
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(n), Interest::READABLE)?;
        sockets.push(socket);
    }
    let mut events = Events::with_capacity(1_024);
    let mut buffer = [0; READ_MESSAGES_MAX * MESSAGE_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            loop {
                match sockets[event.token().0].read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    // A sender writes whole messages, far smaller than a socket's buffer.
                    Ok(n) => buffer[..n].chunks(MESSAGE_BYTES).try_for_each(|m| write_to_all(&mut sockets, m))?,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e.into()),
                }
            }
        }
    }
}

fn write_to_all(sockets: &mut [TcpStream], message: &[u8]) -> Result<()> {
    for socket in sockets {
        let written = socket.write(message)?;
        anyhow::ensure!(written == message.len(), "a receiver does not keep up");
    }
    Ok(())
}
