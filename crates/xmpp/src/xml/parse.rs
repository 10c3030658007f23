//! Bytes to stanzas, pushed in as they arrive, with the limits held while parsing.
//!
//! rxml does the tokens and the nesting of tags. Ours are namespaces, which it resolves in a time that grows with
//! the square of the depth, limits, and the tree.

use super::element::{Attr, Element, Ns};
use super::limits::{Limits, TOKEN_BYTES_MAX};
use super::names::{self, Header, Scope};
use super::pool::Pool;
use crate::ns;
use compact_str::{CompactString, format_compact};
use rxml::error::EndOrError;
use rxml::parser::RawQName;
use rxml::{Parse, RawEvent, WithOptions};
use std::sync::Arc;

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
    /// A byte sequence that is not UTF-8, or a declaration that says so.
    #[error("the text is not UTF-8")]
    Encoding,
    /// A stanza is larger, deeper or wider than allowed here.
    #[error("the stanza is larger or deeper than allowed here")]
    TooLarge,
    /// Text between stanzas.
    #[error("there is text between the stanzas")]
    Stray,
    /// Another stream header where a stanza is to come.
    #[error("a stream is open already")]
    HeaderAgain,
}

impl ParseError {
    /// The condition of the stream error, RFC 6120 4.9.3.
    pub fn condition(self) -> &'static str {
        match self {
            ParseError::NotWellFormed => "not-well-formed",
            ParseError::Restricted => "restricted-xml",
            ParseError::Encoding => "unsupported-encoding",
            ParseError::TooLarge => "policy-violation",
            ParseError::Stray => "bad-format",
            // RFC 6120 4.9.3.24; it would have no end, so it is not waited for.
            ParseError::HeaderAgain => "unsupported-stanza-type",
        }
    }

    fn from_rxml(error: rxml::Error) -> ParseError {
        match error {
            rxml::Error::RestrictedXml("only utf-8 encoding is allowed") => ParseError::Encoding,
            rxml::Error::RestrictedXml(what) if what.starts_with("long name") => ParseError::TooLarge,
            rxml::Error::RestrictedXml(_) | rxml::Error::UndeclaredEntity => ParseError::Restricted,
            // `<!` before anything but a CDATA section or a comment: a document type declaration.
            rxml::Error::InvalidSyntax("malformed cdata or comment section start") => ParseError::Restricted,
            rxml::Error::InvalidUtf8Byte(_) => ParseError::Encoding,
            _ => ParseError::NotWellFormed,
        }
    }
}

/// A push parser for one stream.
///
/// Between two stanzas [`Parser::rest`] gives its buffers to a [`Pool`]; what is left is under 100 bytes and a
/// shared header.
pub struct Parser {
    limits: Limits,
    stage: Stage,
    header: Option<Arc<Header>>,
    work: Option<Box<Work>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// The header is still to come, or coming.
    Start,
    Open,
    /// The header closed itself: `<stream:stream/>`.
    Closing,
    Closed,
    Failed(ParseError),
}

/// What a parser needs only while something is half read.
pub(super) struct Work {
    raw: rxml::RawParser,
    /// The elements that are open, the stanza first.
    stack: Vec<Element>,
    scopes: Vec<Scope>,
    /// The tag being read.
    tag: Option<Tag>,
    /// Bytes taken since the last stanza was whole.
    pending: usize,
}

/// A tag whose end is not read yet.
struct Tag {
    name: RawQName,
    attrs: Vec<(RawQName, String)>,
    /// (prefix, namespace name).
    declared: Vec<(CompactString, String)>,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::new(Limits::BEFORE_AUTHENTICATION)
    }
}

impl Parser {
    /// A parser at the start of a stream.
    pub fn new(limits: Limits) -> Parser {
        Parser { limits, stage: Stage::Start, header: None, work: None }
    }

    /// Other limits from now on; what is half read is held to them too.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Back to the start of a stream, as after STARTTLS and SASL; the limits stay.
    pub fn restart(&mut self) {
        *self = Parser::new(self.limits);
    }

    /// The default namespace of the stream header as it was written; empty before it came.
    pub fn content(&self) -> &str {
        self.header.as_ref().map_or("", |header| header.content.as_str())
    }

    /// The namespace a prefix was bound to by the stream header.
    pub fn bound(&self, prefix: &str) -> Option<&str> {
        let header = self.header.as_ref()?;
        header.bindings.iter().find(|(bound, _)| bound == prefix).map(|(_, ns)| ns.as_str())
    }

    /// Takes bytes from the front of `input` until something is whole; `None` when more bytes are needed.
    ///
    /// White space between stanzas is nothing. Once refused, everything is.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<StreamEvent>, ParseError> {
        let result = self.advance(input);
        if let Err(error) = result {
            self.stage = Stage::Failed(error);
            self.work = None;
        }
        result
    }

    /// Whether nothing is half read.
    pub fn between_stanzas(&self) -> bool {
        self.work.as_ref().is_none_or(|work| work.pending == 0)
    }

    /// Gives the buffers to the pool when nothing is half read; whether it did.
    pub fn rest(&mut self, pool: &mut Pool) -> bool {
        if self.stage != Stage::Open || !self.between_stanzas() {
            return false;
        }
        let Some(header) = &mut self.header else { return false };
        if Arc::strong_count(header) == 1 {
            *header = pool.share(header);
        }
        if let Some(work) = self.work.take() {
            pool.give(&header.root, work);
        }
        true
    }

    /// Takes buffers from the pool, if it has any that fit; without them the next byte makes new ones.
    pub fn wake(&mut self, pool: &mut Pool) {
        if let (Stage::Open, None, Some(header)) = (self.stage, &self.work, &self.header) {
            self.work = pool.take(&header.root);
        }
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<StreamEvent>, ParseError> {
        match self.stage {
            Stage::Failed(error) => return Err(error),
            Stage::Closing => {
                self.stage = Stage::Closed;
                return Ok(Some(StreamEvent::Close));
            }
            Stage::Closed => {
                *input = &[];
                return Ok(None);
            }
            Stage::Start | Stage::Open => {}
        }
        if self.between_stanzas() {
            *input = input.trim_ascii_start();
            match (input.first(), self.stage) {
                (None, _) => return Ok(None),
                (Some(b'<'), _) => {}
                (Some(_), Stage::Open) => return Err(ParseError::Stray),
                (Some(_), _) => return Err(ParseError::NotWellFormed),
            }
        }
        let work = match &mut self.work {
            Some(work) => work,
            none => none.insert(Box::new(Work::new(self.header.as_deref())?)),
        };
        while let Some(event) = work.read(input, self.limits)? {
            match work.event(event, self.limits, self.header.as_deref())? {
                Some(Whole::Header(element, header)) => {
                    self.header = Some(Arc::new(header));
                    self.stage = if work.ends_here()? { Stage::Closing } else { Stage::Open };
                    return Ok(Some(StreamEvent::Open(element)));
                }
                Some(Whole::Stanza(element)) => return Ok(Some(StreamEvent::Stanza(element))),
                Some(Whole::Close) => {
                    (self.stage, self.work) = (Stage::Closed, None);
                    return Ok(Some(StreamEvent::Close));
                }
                None => {}
            }
        }
        Ok(None)
    }
}

/// What became whole.
enum Whole {
    Header(Element, Header),
    Stanza(Element),
    Close,
}

impl Work {
    /// At the start of a stream, or behind a header.
    fn new(header: Option<&Header>) -> Result<Work, ParseError> {
        let options = rxml::Options { max_token_length: TOKEN_BYTES_MAX, ..rxml::Options::default() };
        let raw = rxml::RawParser::with_options(options);
        let mut work = Work { raw, stack: Vec::new(), scopes: Vec::new(), tag: None, pending: 0 };
        if let Some(header) = header {
            let root = format_compact!("<{}>", header.root);
            let mut bytes = root.as_bytes();
            while work.read(&mut bytes, Limits::OWN)?.is_some() {}
            work.pending = 0;
        }
        Ok(work)
    }

    /// The next token, never taking more bytes than a stanza may have.
    fn read(&mut self, input: &mut &[u8], limits: Limits) -> Result<Option<RawEvent>, ParseError> {
        let allowed = (limits.stanza_bytes as usize).saturating_sub(self.pending).min(input.len());
        let (now, later) = input.split_at(allowed);
        let mut rest = now;
        let result = self.raw.parse(&mut rest, false);
        let taken = now.len() - rest.len();
        self.pending += taken;
        *input = &input[taken..];
        match result {
            Ok(event @ Some(_)) => Ok(event),
            Err(EndOrError::Error(error)) => Err(ParseError::from_rxml(error)),
            Ok(None) | Err(EndOrError::NeedMoreData) if later.is_empty() => Ok(None),
            Ok(None) | Err(EndOrError::NeedMoreData) => Err(ParseError::TooLarge),
        }
    }

    /// Whether the header's own tag closed it.
    fn ends_here(&mut self) -> Result<bool, ParseError> {
        let closed = matches!(self.read(&mut &[][..], Limits::OWN)?, Some(RawEvent::ElementFoot(_)));
        self.pending = 0;
        Ok(closed)
    }

    fn event(&mut self, event: RawEvent, limits: Limits, header: Option<&Header>) -> Result<Option<Whole>, ParseError> {
        match event {
            RawEvent::XmlDeclaration(..) => {}
            RawEvent::ElementHeadOpen(_, name) => {
                if self.stack.len() >= limits.depth.into() {
                    return Err(ParseError::TooLarge);
                }
                self.tag = Some(Tag { name, attrs: Vec::new(), declared: Vec::new() });
            }
            RawEvent::Attribute(_, name, value) => {
                if let Some(tag) = &mut self.tag {
                    tag.attribute(name, value, limits)?;
                }
            }
            RawEvent::ElementHeadClose(_) => return self.head(header),
            RawEvent::ElementFoot(_) => return Ok(self.foot()),
            RawEvent::Text(_, text) => {
                if let Some(parent) = self.stack.last_mut() {
                    parent.push_text(text);
                }
            }
        }
        Ok(None)
    }

    /// A tag is whole: its namespaces are known now.
    fn head(&mut self, header: Option<&Header>) -> Result<Option<Whole>, ParseError> {
        let Some(tag) = self.tag.take() else { return Ok(None) };
        if let Some(header) = header {
            self.declare(&tag, &header.content)?;
            let element = tag.element(&self.scopes, Some(header))?;
            if self.stack.is_empty() && element.is("stream", ns::STREAMS) {
                return Err(ParseError::HeaderAgain);
            }
            self.stack.push(element);
            return Ok(None);
        }
        let default = tag.declared.iter().find(|(prefix, _)| prefix.is_empty());
        let content = CompactString::from(default.map_or("", |(_, name)| name));
        self.declare(&tag, &content)?;
        let root = match &tag.name {
            (Some(prefix), name) => format_compact!("{prefix}:{name}"),
            (None, name) => CompactString::from(name.as_str()),
        };
        let element = tag.element(&self.scopes, None)?;
        let bindings = self.scopes.drain(..).map(|scope| (scope.prefix, scope.ns)).collect();
        Ok(Some(Whole::Header(element, Header { root, bindings, content })))
    }

    fn declare(&mut self, tag: &Tag, content: &str) -> Result<(), ParseError> {
        let depth = self.stack.len();
        for (at, (prefix, name)) in tag.declared.iter().enumerate() {
            let again = tag.declared.iter().take(at).any(|(other, _)| other == prefix);
            if again || name == XMLNS || prefix == "xmlns" {
                return Err(ParseError::NotWellFormed);
            }
            self.scopes.push(Scope { depth, prefix: prefix.clone(), ns: names::intern(name, content) });
        }
        Ok(())
    }

    /// An element is whole.
    fn foot(&mut self) -> Option<Whole> {
        let Some(element) = self.stack.pop() else { return Some(Whole::Close) };
        let depth = self.stack.len();
        while self.scopes.last().is_some_and(|scope| scope.depth >= depth) {
            self.scopes.pop();
        }
        match self.stack.last_mut() {
            Some(parent) => {
                parent.push(element);
                None
            }
            None => {
                self.pending = 0;
                Some(Whole::Stanza(element))
            }
        }
    }
}

impl Tag {
    fn attribute(&mut self, name: RawQName, value: String, limits: Limits) -> Result<(), ParseError> {
        let (count, max) = match (&name.0, name.1.as_str()) {
            (None, "xmlns") => {
                self.declared.push((CompactString::default(), value));
                (self.declared.len(), limits.declarations)
            }
            (Some(prefix), local) if prefix.as_str() == "xmlns" => {
                self.declared.push((local.into(), value));
                (self.declared.len(), limits.declarations)
            }
            _ => {
                self.attrs.push((name, value));
                (self.attrs.len(), limits.attributes)
            }
        };
        if count > max.into() { Err(ParseError::TooLarge) } else { Ok(()) }
    }

    fn element(self, scopes: &[Scope], header: Option<&Header>) -> Result<Element, ParseError> {
        let resolve = |prefix: &str| names::resolve(prefix, scopes, header).ok_or(ParseError::NotWellFormed);
        let (prefix, name) = &self.name;
        let mut element = Element::new(name.as_str(), resolve(prefix.as_ref().map_or("", |p| p.as_str()))?);
        for ((prefix, name), value) in self.attrs {
            let ns = match prefix {
                None => Ns::Known(""), // a default namespace does not hold for attributes
                Some(prefix) => resolve(prefix.as_str())?,
            };
            if element.attrs().iter().any(|other| other.name == name.as_str() && other.ns == ns) {
                return Err(ParseError::NotWellFormed);
            }
            element.push_attr(Attr { ns, name: name.as_str().into(), value: value.into() });
        }
        Ok(element)
    }
}

/// What no prefix may be bound to (Namespaces in XML 1.0, section 3).
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Parses one whole element standing alone.
pub(super) fn one(text: &str) -> Result<Element, ParseError> {
    let mut parser = Parser::new(Limits::OWN);
    let header = format!("<x xmlns='{}'>", ns::CLIENT);
    parser.next(&mut header.as_bytes())?;
    let mut bytes = text.as_bytes();
    match parser.next(&mut bytes)? {
        Some(StreamEvent::Stanza(element)) if bytes.trim_ascii_start().is_empty() => Ok(element),
        _ => Err(ParseError::NotWellFormed),
    }
}

#[cfg(test)]
mod tests;
