//! What all streams share: the parser, our own header, errors, the end (RFC 6120 4.2 to 4.4, 4.9).

use super::error::StreamError;
use super::websocket::{self, Frame, Frames};
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
    /// Where a WebSocket's frames carry the stream (RFC 7395).
    framed: Option<Box<Framed>>,
    held: Vec<u8>,
    /// Where stanzas go on to others: what holds for those that do not say in which language they are.
    default_lang: Option<DefaultLang>,
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
    pub lang: Lang,
}

/// Whether a header says that what the server says itself is English (RFC 6120 4.7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Lang {
    /// The answer to a peer's header.
    #[default]
    English,
    /// Who begins a stream passes on what others say, in languages that it does not know.
    Unsaid,
}

/// The `xml:lang` of the peer's header, once it has come.
#[derive(Debug, Clone, Default)]
struct DefaultLang(Option<Box<str>>);

impl DefaultLang {
    /// RFC 6120 8.1.5: "an implementation MUST assume that the default language is that specified for the entity's input stream";
    /// whoever is sent the stanza on another stream could not know.
    fn heed(&mut self, event: &mut StreamEvent) {
        match event {
            StreamEvent::Open(header) => {
                let lang = header.get("xml:lang").filter(|lang| !lang.is_empty() && lang.len() <= LANG_BYTES_MAX);
                self.0 = lang.map(Box::from);
            }
            StreamEvent::Stanza(stanza) => {
                let is_stanza = matches!(stanza.name(), "message" | "presence" | "iq") && stanza.ns() != ns::STREAMS;
                if let Some(lang) = self.0.as_deref().filter(|_| is_stanza && stanza.get("xml:lang").is_none()) {
                    stanza.set("xml:lang", lang);
                }
            }
            StreamEvent::Close => {}
        }
    }
}

/// Longest language tag that is given to stanzas; the longest registered ones have some 30 bytes.
const LANG_BYTES_MAX: usize = 64;

impl Wire {
    pub fn new(content: &'static str, limits: Limits) -> Wire {
        Wire {
            parser: Parser::new(limits),
            framed: None,
            held: Vec::new(),
            default_lang: None,
            content,
            opened: false,
            closed: false,
        }
    }

    /// One whose stanzas go on to others: they say in which language they are, where the stream does.
    pub fn passing_on(mut self) -> Wire {
        self.default_lang = Some(DefaultLang::default());
        self
    }

    /// One whose elements come in messages of their own.
    pub fn framed(limits: Limits) -> Wire {
        let mut wire = Wire::new(ns::CLIENT, limits);
        wire.framed = Some(Box::new(Framed::begin(&mut wire.parser)));
        wire
    }

    /// Whether a WebSocket's frames carry it.
    pub fn is_framed(&self) -> bool {
        self.framed.is_some()
    }

    /// Whether nothing more comes or goes.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next thing the peer sent.
    pub fn next(&mut self, input: &mut &[u8], out: &mut impl Effects) -> Result<Option<StreamEvent>, StreamError> {
        let mut event = match &mut self.framed {
            Some(framed) => framed.next(&mut self.parser, input, out)?,
            None => self.parser.next(input)?,
        };
        if let (Some(lang), Some(event)) = (&mut self.default_lang, &mut event) {
            lang.heed(event);
        }
        Ok(event)
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.parser.set_limits(limits);
    }

    /// A new stream over the same connection: both headers come again.
    pub fn restart(&mut self) {
        if self.framed.is_none() {
            self.parser.restart();
        }
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
        if self.is_framed() {
            return Ok(()); // only `<open/>` counts as a header there
        }
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
        let mut bytes = match self.is_framed() {
            true => b"<open".to_vec(),
            false => b"<?xml version='1.0'?><stream:stream".to_vec(),
        };
        write::attribute("xmlns", if self.is_framed() { ns::FRAMING } else { self.content }, &mut bytes);
        if !self.is_framed() {
            write::attribute("xmlns:stream", ns::STREAMS, &mut bytes);
        }
        if self.content == ns::SERVER {
            write::attribute("xmlns:db", ns::DIALBACK, &mut bytes);
        }
        for (name, value) in [("id", opening.id), ("from", opening.from), ("to", opening.to)] {
            if let Some(value) = value {
                write::attribute(name, value, &mut bytes);
            }
        }
        if self.content != ns::COMPONENT {
            // A component's stream is older than versions (XEP-0114 2).
            bytes.extend_from_slice(b" version='1.0'");
            if opening.lang == Lang::English {
                bytes.extend_from_slice(b" xml:lang='en'");
            }
        }
        bytes.extend_from_slice(if self.is_framed() { b"/>" } else { b">" });
        self.opened = true;
        self.put(bytes, out);
    }

    /// Sends an element.
    pub fn send(&self, element: &Element, out: &mut impl Effects) {
        let mut bytes = Vec::new();
        self.append(element, &mut bytes);
        self.put(bytes, out);
    }

    /// In a message of its own an element declares all that it needs (RFC 7395).
    fn append(&self, element: &Element, bytes: &mut Vec<u8>) {
        match (self.is_framed(), element.ns()) {
            (false, _) => write_in_stream(element, bytes),
            (true, ns::STREAMS) => write_in_stream(&element.clone().attr("xmlns:stream", ns::STREAMS), bytes),
            (true, _) => write::write(element, "", bytes),
        }
    }

    fn put(&self, mut bytes: Vec<u8>, out: &mut impl Effects) {
        if self.is_framed() {
            websocket::put_header(0, &mut bytes);
        }
        out.write(bytes);
    }

    /// Sends a stream error and ends the stream.
    pub fn fail(&mut self, error: StreamError, out: &mut impl Effects) {
        match error.condition {
            BROKEN => self.gone(Some(error), out),
            _ => self.end(Some(error), out),
        }
    }

    /// Ends the stream; an error is told the peer first.
    pub fn end(&mut self, error: Option<StreamError>, out: &mut impl Effects) {
        if self.closed {
            return;
        }
        if !self.opened {
            self.open(Opening::default(), out);
        }
        if let Some(error) = &error {
            self.send(&error.element(), out);
        }
        if self.is_framed() {
            self.send(&Element::new("close", ns::FRAMING), out);
            out.write(websocket::GOODBYE.to_vec());
        } else {
            out.write(b"</stream:stream>".to_vec());
        }
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

/// A stream in a WebSocket's messages: in each exactly one element, `<open/>` and `<close/>` in place of the root.
struct Framed {
    frames: Frames,
    /// The message at hand has had its element.
    is_full: bool,
}

impl Framed {
    /// The parser stands behind a root that nobody sends, so that elements are read as on every stream.
    fn begin(parser: &mut Parser) -> Framed {
        let root = format!("<stream:stream xmlns='{}' xmlns:stream='{}'>", ns::CLIENT, ns::STREAMS);
        let opened = parser.next(&mut root.as_bytes());
        debug_assert!(matches!(opened, Ok(Some(StreamEvent::Open(_)))), "this root is well-formed");
        Framed { frames: Frames::default(), is_full: false }
    }

    fn next(
        &mut self,
        parser: &mut Parser,
        input: &mut &[u8],
        out: &mut impl Effects,
    ) -> Result<Option<StreamEvent>, StreamError> {
        let one_each = || StreamError::new("bad-format", "each message has one element, and no more");
        while let Some(frame) = self.frames.next(input)? {
            match frame {
                Frame::Text(piece) => {
                    let mut piece = piece.as_slice();
                    let event = if self.is_full { None } else { parser.next(&mut piece)? };
                    self.is_full |= event.is_some();
                    if self.is_full && !piece.trim_ascii().is_empty() {
                        return Err(one_each());
                    }
                    if let Some(event) = event {
                        return framed_event(event).map(Some).ok_or_else(one_each);
                    }
                }
                Frame::End if self.is_full => self.is_full = false,
                Frame::End => return Err(one_each()),
                Frame::Ping(contents) => out.write(websocket::pong(&contents)),
                Frame::Close => {
                    out.write(websocket::GOODBYE.to_vec());
                    // The stream was not closed: a session may outlive it (XEP-0198 7).
                    let error = "the WebSocket was closed and the stream was not";
                    return Err(StreamError::new(BROKEN, error));
                }
            }
        }
        Ok(None)
    }
}

/// The error of a stream whose connection the other side has ended in the middle.
pub const BROKEN: &str = "remote-connection-failed";

/// What a message means; `None` for the end of the root that was never sent.
fn framed_event(event: StreamEvent) -> Option<StreamEvent> {
    match event {
        StreamEvent::Stanza(open) if open.is("open", ns::FRAMING) => Some(StreamEvent::Open(open)),
        StreamEvent::Stanza(close) if close.is("close", ns::FRAMING) => Some(StreamEvent::Close),
        StreamEvent::Stanza(element) => Some(StreamEvent::Stanza(element)),
        StreamEvent::Open(_) | StreamEvent::Close => None,
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
