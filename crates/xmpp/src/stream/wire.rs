//! What all streams share: the parser, our own header, errors, the end (RFC 6120 4.2 to 4.4, 4.9).

use super::error::StreamError;
use crate::xml::{Limits, Parser, Pool, StreamEvent, write};
use crate::{Element, Jid, ns};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Most bytes kept while a machine waits for its caller's answer; a peer has no reason to send more before it
/// has seen what it waits for.
const HELD_BYTES_MAX: usize = 65_536;

/// What is asked of TLS where a stream begins in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Nothing but STARTTLS is offered before it.
    Required,
    /// Offered; what is private stays out of reach without it.
    Optional,
    /// Not offered: loopback and tests only.
    Off,
}

/// What every machine can have done.
pub(super) trait Effects {
    /// Sends bytes.
    fn write(&mut self, bytes: Vec<u8>);
    /// Closes the connection once all is sent; `error` is what the stream ended with.
    fn closed(&mut self, error: Option<StreamError>);
}

/// One stream, both directions.
pub(super) struct Wire {
    parser: Parser,
    held: Vec<u8>,
    /// What our header says; needed even to refuse a stream (RFC 6120 4.9.1.2).
    content: &'static str,
    opened: bool,
    closed: bool,
}

/// What our own header says besides namespaces.
#[derive(Default)]
pub(super) struct Opening<'a> {
    pub id: Option<&'a str>,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
}

impl Wire {
    pub fn new(content: &'static str, limits: Limits) -> Wire {
        Wire { parser: Parser::new(limits), held: Vec::new(), content, opened: false, closed: false }
    }

    /// Whether nothing more comes or goes.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next thing the peer sent.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<StreamEvent>, StreamError> {
        Ok(self.parser.next(input)?)
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.parser.set_limits(limits);
    }

    /// A new stream over the same connection: both headers come again.
    pub fn restart(&mut self) {
        self.parser.restart();
        self.opened = false;
    }

    /// Keeps what came while the machine waits for its caller.
    pub fn hold(&mut self, input: &[u8]) -> Result<(), StreamError> {
        if self.held.len() + input.len() > HELD_BYTES_MAX {
            return Err(StreamError::new("policy-violation", "wait for the answer before sending more"));
        }
        self.held.extend_from_slice(input);
        Ok(())
    }

    /// What was kept.
    pub fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    pub fn rest(&mut self, pool: &mut Pool) -> bool {
        self.parser.rest(pool)
    }

    pub fn wake(&mut self, pool: &mut Pool) {
        self.parser.wake(pool);
    }

    /// The version, root and content namespace of the peer's header, RFC 6120 4.7 and 4.8.
    pub fn check_header(&self, header: &Element) -> Result<(), StreamError> {
        if header.ns() != ns::STREAMS {
            return Err(StreamError::new("invalid-namespace", "the root must be in the streams namespace"));
        }
        if header.name() != "stream" {
            return Err(StreamError::new("bad-format", "the root must be a stream"));
        }
        if self.parser.content() != self.content {
            return Err(StreamError::new("invalid-namespace", format!("stanzas here are in {}", self.content)));
        }
        Ok(())
    }

    /// Whether the peer's dialback namespace was declared (XEP-0220 2.1.1).
    pub fn speaks_dialback(&self) -> bool {
        self.parser.bound("db") == Some(ns::DIALBACK)
    }

    /// Sends our header.
    pub fn open(&mut self, opening: Opening<'_>, out: &mut impl Effects) {
        let mut bytes = b"<?xml version='1.0'?><stream:stream".to_vec();
        write::attribute("xmlns", self.content, &mut bytes);
        write::attribute("xmlns:stream", ns::STREAMS, &mut bytes);
        if self.content == ns::SERVER {
            write::attribute("xmlns:db", ns::DIALBACK, &mut bytes);
        }
        for (name, value) in [("id", opening.id), ("from", opening.from), ("to", opening.to)] {
            if let Some(value) = value {
                write::attribute(name, value, &mut bytes);
            }
        }
        bytes.extend_from_slice(b" version='1.0' xml:lang='en'>");
        self.opened = true;
        out.write(bytes);
    }

    /// Sends an element.
    pub fn send(&self, element: &Element, out: &mut impl Effects) {
        let mut bytes = Vec::new();
        write_in_stream(element, &mut bytes);
        out.write(bytes);
    }

    /// Sends a stream error and ends the stream.
    pub fn fail(&mut self, error: StreamError, out: &mut impl Effects) {
        self.end(Some(error), out);
    }

    /// Ends the stream; an error is told the peer first.
    pub fn end(&mut self, error: Option<StreamError>, out: &mut impl Effects) {
        if self.closed {
            return;
        }
        if !self.opened {
            self.open(Opening::default(), out);
        }
        let mut bytes = Vec::new();
        if let Some(error) = &error {
            write_in_stream(&error.element(), &mut bytes);
        }
        bytes.extend_from_slice(b"</stream:stream>");
        out.write(bytes);
        self.gone(error, out);
    }

    /// The stream is over without another word.
    pub fn gone(&mut self, error: Option<StreamError>, out: &mut impl Effects) {
        if !self.closed {
            self.closed = true;
            self.held = Vec::new();
            out.closed(error);
        }
    }
}

/// Elements in the namespaces that our headers bind are written with those prefixes: old implementations look at
/// `stream:` and `db:` (XEP-0220 2.1.1) rather than at namespaces.
pub(super) fn write_in_stream(element: &Element, out: &mut Vec<u8>) {
    let prefix = match element.ns() {
        ns::STREAMS => "stream:",
        ns::DIALBACK => "db:",
        _ => return write::write(element, ns::CLIENT, out),
    };
    out.push(b'<');
    let name = format!("{prefix}{}", element.name());
    out.extend_from_slice(name.as_bytes());
    for attr in element.attrs() {
        write::attribute(&attr.name, &attr.value, out);
    }
    out.push(b'>');
    for node in element.nodes() {
        match node {
            crate::Node::Element(child) => write_in_stream(child, out),
            crate::Node::Text(text) => write::escape(text, out),
        }
    }
    out.extend_from_slice(format!("</{name}>").as_bytes());
}

/// Random text that is never said twice: made from the seed of the stream and a count.
pub(super) struct Seed {
    seed: [u8; 32],
    count: u64,
}

impl Seed {
    pub fn new(seed: [u8; 32]) -> Seed {
        Seed { seed, count: 0 }
    }

    /// 24 characters, 144 bits.
    pub fn text(&mut self) -> String {
        self.count += 1;
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.seed).expect("HMAC takes keys of any length");
        mac.update(&self.count.to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..18])
    }
}

/// A SASL message as it stands in an element: `=` for an empty one where nothing would mean none (RFC 6120 6.4.2).
pub(super) fn sasl_text(message: &[u8]) -> String {
    if message.is_empty() { "=".to_owned() } else { BASE64_STANDARD.encode(message) }
}

/// The other way; `None` for what is not base64.
pub(super) fn sasl_message(element: &Element) -> Option<Vec<u8>> {
    let text = element.content();
    match text.trim() {
        "" | "=" => Some(Vec::new()),
        text => BASE64_STANDARD.decode(text).ok(),
    }
}

/// The domain of a `to` or `from` of a header, normalised; `None` for what is no address.
pub(super) fn domain_of(text: &str) -> Option<String> {
    Jid::new(text).ok().map(|jid| jid.domain().to_owned())
}
