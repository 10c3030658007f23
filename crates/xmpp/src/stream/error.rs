//! Stream errors, RFC 6120 4.9: after one the stream is over.

use crate::{Element, ParseError, ns};
use std::fmt;

/// A defined condition, RFC 6120 4.9.3, with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError {
    /// The condition's element name.
    pub condition: &'static str,
    /// A sentence for people, saying what to do; empty for none.
    pub text: String,
    /// An application-specific condition, RFC 6120 4.9.4.
    pub extra: Option<Box<Element>>,
}

/// The conditions of RFC 6120 4.9.3.1 to 4.9.3.25, save see-other-host, which carries an address.
const CONDITIONS: [&str; 24] = [
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
];

impl StreamError {
    /// An error with a sentence for people.
    pub fn new(condition: &'static str, text: impl Into<String>) -> StreamError {
        StreamError { condition, text: text.into(), extra: None }
    }

    /// Reads `<stream:error/>`; a condition that is not defined reads as undefined-condition.
    pub fn parse(error: &Element) -> Option<StreamError> {
        if !error.is("error", ns::STREAMS) {
            return None;
        }
        let mut defined = error.children().filter(|c| c.ns() == ns::STREAM_ERRORS);
        let condition = defined.find_map(|c| CONDITIONS.into_iter().find(|known| *known == c.name()));
        let text = error.get_child("text", ns::STREAM_ERRORS).map(Element::content).unwrap_or_default();
        let extra = error.children().find(|c| c.ns() != ns::STREAM_ERRORS).cloned().map(Box::new);
        Some(StreamError { condition: condition.unwrap_or("undefined-condition"), text, extra })
    }

    /// The error as an element.
    pub fn element(&self) -> Element {
        let text = (!self.text.is_empty()).then(|| Element::new("text", ns::STREAM_ERRORS).text(self.text.as_str()));
        let extra = self.extra.as_deref().cloned();
        Element::new("error", ns::STREAMS).child(Element::new(self.condition, ns::STREAM_ERRORS)).with(text).with(extra)
    }
}

impl From<ParseError> for StreamError {
    fn from(error: ParseError) -> StreamError {
        StreamError::new(error.condition(), error.to_string())
    }
}

impl From<&'static str> for StreamError {
    fn from(condition: &'static str) -> StreamError {
        StreamError::new(condition, "")
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.as_str() {
            "" => f.write_str(self.condition),
            text => write!(f, "{}: {text}", self.condition),
        }
    }
}
