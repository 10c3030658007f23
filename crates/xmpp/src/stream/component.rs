//! Our stream to a server that we are a component of, XEP-0114 2 (jabber:component:accept).
//!
//! The server sends and takes stanzas of any address on it: what it lets us say in whose name is its configuration. The
//! caller writes its stanzas itself once [`Output::Ready`] came; the first thing to give it is [`Input::Connected`].

use super::check::{self, Wrong};
use super::dialback::hex;
use super::error::StreamError;
use super::wire::{Effects, Opening, Wire};
use crate::xml::{Limits, Pool, StreamEvent};
use crate::{Element, Jid, ns};
use sha1::{Digest, Sha1};

/// Which component we are.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our domain, normalised.
    pub domain: String,
    /// What we share with the server.
    pub secret: String,
    /// What the server may send.
    pub limits: Limits,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection stands.
    Connected,
    /// Bytes came.
    Bytes(&'a [u8]),
    /// The stream is to end; why, when it is an error.
    Close(Option<StreamError>),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Stanzas may be sent.
    Ready,
    /// A stanza came: from and to are there, and addresses.
    Stanza(Element),
    /// Close the connection once all is sent; why, when it was not asked for.
    Closed(Option<Failure>),
}

/// Why a stream could not be made, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// XEP-0114 2: "If the credentials supplied by the initiator are not valid".
    #[error("the server does not take the secret")]
    WrongSecret,
    /// The server will not service this domain as a component.
    #[error("the server has no such component")]
    Unknown,
    /// Another connection is this component already.
    #[error("another connection is this component already")]
    Conflict,
    /// The server lets this component speak in its own name only.
    #[error("the server lets this component speak in no other names than its own")]
    OwnNameOnly,
    /// The other side ended the stream, or we did because of what it sent.
    #[error("stream error {0}")]
    Stream(StreamError),
    /// The server closed the stream.
    #[error("the server closed the stream")]
    Ended,
}

impl Failure {
    fn of(error: StreamError, is_ready: bool) -> Failure {
        match (error.condition, is_ready) {
            ("not-authorized", false) => Failure::WrongSecret,
            ("host-unknown", _) => Failure::Unknown,
            ("conflict", _) => Failure::Conflict,
            ("invalid-from", _) => Failure::OwnNameOnly,
            _ => Failure::Stream(error),
        }
    }
}

impl Effects for Vec<Output> {
    fn write(&mut self, bytes: Vec<u8>) {
        self.push(Output::Write(bytes));
    }

    fn closed(&mut self, error: Option<StreamError>) {
        self.push(Output::Closed(error.map(Failure::Stream)));
    }
}

/// A stream of ours to the server that we are a component of.
pub struct Component {
    config: Config,
    wire: Wire,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Header,
    Handshake,
    Open,
}

impl Component {
    /// A stream about to be made.
    pub fn new(config: Config) -> Component {
        let wire = Wire::new(ns::COMPONENT, config.limits).passing_on();
        Component { config, wire, phase: Phase::Header }
    }

    /// Takes one input; appends what is to be done.
    pub fn handle(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        if self.wire.is_closed() {
            return;
        }
        match input {
            Input::Connected => self.wire.open(Opening { to: Some(&self.config.domain), ..Opening::default() }, out),
            Input::Bytes(bytes) => self.bytes(bytes, out),
            Input::Close(error) => self.wire.end(error, out),
        }
    }

    /// Gives the parser's buffers away when nothing is half read; whether it did.
    pub fn rest(&mut self, pool: &mut Pool) -> bool {
        self.wire.rest(pool)
    }

    /// Takes buffers for the parser before bytes are handled.
    pub fn wake(&mut self, pool: &mut Pool) {
        self.wire.wake(pool);
    }

    fn bytes(&mut self, mut input: &[u8], out: &mut Vec<Output>) {
        while !self.wire.is_closed() {
            let result = match self.wire.next(&mut input, out) {
                Ok(Some(StreamEvent::Open(header))) => self.opened(&header, out),
                Ok(Some(StreamEvent::Stanza(element))) => self.element(element, out),
                Ok(Some(StreamEvent::Close)) => Err(Failure::Ended),
                Ok(None) => return,
                Err(error) => {
                    self.wire.fail(error, out);
                    Ok(())
                }
            };
            if let Err(failure) = result {
                self.wire.end(None, out);
                if let Some(Output::Closed(why)) = out.last_mut() {
                    *why = Some(failure);
                }
            }
        }
    }

    /// "After receiving the stream header reply from the server, the component MUST send a <handshake/> element".
    fn opened(&mut self, header: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        self.wire.check_header(header).map_err(Failure::Stream)?;
        // A server that refuses us may have no id to give.
        if let Some(id) = header.get("id").filter(|id| !id.is_empty()) {
            let digest = Sha1::new_with_prefix(id).chain_update(&self.config.secret).finalize();
            self.wire.send(&Element::new("handshake", ns::CLIENT).text(hex(&digest)), out);
        }
        self.phase = Phase::Handshake;
        Ok(())
    }

    fn element(&mut self, element: Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if let Some(error) = StreamError::parse(&element) {
            return Err(Failure::of(error, self.phase == Phase::Open));
        }
        match self.phase {
            Phase::Handshake if element.is("handshake", ns::CLIENT) => {
                self.phase = Phase::Open;
                out.push(Output::Ready);
                Ok(())
            }
            Phase::Open => self.stanza(element, out),
            _ => Err(Failure::Stream("unsupported-stanza-type".into())),
        }
    }

    /// The server is ours and has looked at what it passes on; what is damaged all the same is dropped or refused as on any
    /// stream.
    fn stanza(&mut self, mut stanza: Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        let judged = check::is_stanza(&stanza)
            .and_then(|()| if stanza.get("to").is_some() { Ok(()) } else { Err(Wrong::Silent) })
            .and_then(|()| from_is_an_address(&mut stanza))
            .and_then(|()| check::to_is_an_address(&mut stanza))
            .and_then(|()| check::is_whole(&stanza));
        match judged {
            Ok(()) => out.push(Output::Stanza(stanza)),
            Err(Wrong::Stream(error)) => return Err(Failure::Stream(error)),
            Err(Wrong::Stanza(error)) => self.wire.send(&error.reply(&stanza), out),
            Err(Wrong::Silent) => {}
        }
        Ok(())
    }
}

fn from_is_an_address(stanza: &mut Element) -> Result<(), Wrong> {
    let from = stanza.get("from").and_then(|from| Jid::new(from).ok()).ok_or(Wrong::Silent)?;
    stanza.set("from", from.as_str());
    Ok(())
}

#[cfg(test)]
mod tests;
