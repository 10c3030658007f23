//! Bytes to stanzas, pushed in as they arrive, with the limits held while parsing.

use super::element::{Attr, Element, Ns};
use crate::ns;
use compact_str::CompactString;
use rxml::error::EndOrError;
use rxml::{Event, Parse};

/// What a stream brings.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// The stream's opening tag, without contents.
    Open(Element),
    /// One whole child of the stream.
    Stanza(Element),
    /// The stream's closing tag.
    Close,
}

/// Why bytes were refused; [`ParseError::condition`] is the stream error to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not well-formed, or not namespace-well-formed.
    #[error("the XML is not well-formed")]
    NotWellFormed,
    /// A comment, processing instruction, DTD or entity (RFC 6120 11.1).
    #[error("the XML has a comment, processing instruction, DTD or entity")]
    Restricted,
    /// A byte sequence that is not UTF-8.
    #[error("the text is not UTF-8")]
    Encoding,
    /// A stanza is larger, deeper or wider than allowed here.
    #[error("the stanza is larger or deeper than allowed here")]
    TooLarge,
}

impl ParseError {
    /// The condition of the stream error, RFC 6120 4.9.3.
    pub fn condition(self) -> &'static str {
        match self {
            ParseError::NotWellFormed => "not-well-formed",
            ParseError::Restricted => "restricted-xml",
            ParseError::Encoding => "unsupported-encoding",
            ParseError::TooLarge => "policy-violation",
        }
    }
}

/// A push parser for one stream.
pub struct Parser {
    inner: rxml::Parser,
    stack: Vec<Element>,
    open: bool,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::new()
    }
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new() -> Parser {
        Parser { inner: rxml::Parser::new(), stack: Vec::new(), open: false }
    }

    /// Takes bytes from the front of `input` until something is whole; `None` when more bytes are needed.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<StreamEvent>, ParseError> {
        loop {
            match self.inner.parse(input, false) {
                Ok(Some(event)) => {
                    if let Some(event) = self.event(event) {
                        return Ok(Some(event));
                    }
                }
                Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(None),
                Err(EndOrError::Error(error)) => {
                    return Err(match error {
                        rxml::Error::RestrictedXml(_) | rxml::Error::UndeclaredEntity => ParseError::Restricted,
                        rxml::Error::InvalidUtf8Byte(_) => ParseError::Encoding,
                        _ => ParseError::NotWellFormed,
                    });
                }
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<StreamEvent> {
        match event {
            Event::XmlDeclaration(..) => None,
            Event::StartElement(_, (namespace, name), attrs) => {
                let mut element = Element::new(name.as_str(), known(namespace.as_str()));
                for ((namespace, name), value) in attrs {
                    element.push_attr(Attr {
                        ns: known(namespace.as_str()),
                        name: CompactString::from(name.as_str()),
                        value: value.into(),
                    });
                }
                if !self.open {
                    self.open = true;
                    return Some(StreamEvent::Open(element));
                }
                self.stack.push(element);
                None
            }
            Event::EndElement(_) => {
                let Some(element) = self.stack.pop() else { return Some(StreamEvent::Close) };
                match self.stack.last_mut() {
                    Some(parent) => {
                        parent.push(element);
                        None
                    }
                    None => Some(StreamEvent::Stanza(element)),
                }
            }
            Event::Text(_, text) => {
                if let Some(parent) = self.stack.last_mut() {
                    parent.push_text(text);
                }
                None
            }
        }
    }
}

/// Parses one whole element standing alone.
pub(super) fn one(text: &str) -> Result<Element, ParseError> {
    let mut parser = Parser::new();
    let header = format!("<x xmlns='{}'>", ns::CLIENT);
    parser.next(&mut header.as_bytes())?;
    let mut bytes = text.as_bytes();
    match parser.next(&mut bytes)? {
        Some(StreamEvent::Stanza(element)) if bytes.iter().all(u8::is_ascii_whitespace) => Ok(element),
        _ => Err(ParseError::NotWellFormed),
    }
}

/// The namespace name, as a static one where it is known; server and component content becomes client content.
fn known(text: &str) -> Ns {
    match text {
        ns::CLIENT | ns::SERVER | ns::COMPONENT => Ns::Known(ns::CLIENT),
        "" => Ns::Known(""),
        ns::MUC => Ns::Known(ns::MUC),
        ns::MUC_USER => Ns::Known(ns::MUC_USER),
        ns::DMUC => Ns::Known(ns::DMUC),
        ns::NETJOIN => Ns::Known(ns::NETJOIN),
        ns::DELAY => Ns::Known(ns::DELAY),
        ns::SID => Ns::Known(ns::SID),
        ns::OCCUPANT_ID => Ns::Known(ns::OCCUPANT_ID),
        ns::CHATSTATES => Ns::Known(ns::CHATSTATES),
        ns::STANZA_ERRORS => Ns::Known(ns::STANZA_ERRORS),
        other => Ns::Other(other.into()),
    }
}
