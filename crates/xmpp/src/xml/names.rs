//! Namespace bindings: those of the stream header, which last, and those declared within a stanza.

use super::element::Ns;
use crate::ns;
use compact_str::CompactString;

/// What stays of a stream header: enough to parse every later stanza.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The root's name as it was written, prefix included.
    pub root: CompactString,
    /// (prefix, namespace); an empty prefix for the default.
    pub bindings: Vec<(CompactString, Ns)>,
    /// The default namespace as it was written: what stanzas are in.
    pub content: CompactString,
}

/// A binding declared within a stanza.
pub(super) struct Scope {
    /// How many elements are open around the one that declares it.
    pub depth: usize,
    pub prefix: CompactString,
    pub ns: Ns,
}

/// The namespace a prefix stands for; the innermost declaration wins.
pub(super) fn resolve(prefix: &str, scopes: &[Scope], header: Option<&Header>) -> Option<Ns> {
    if prefix == "xml" {
        return Some(Ns::Known(XML));
    }
    if let Some(scope) = scopes.iter().rev().find(|scope| scope.prefix == prefix) {
        return Some(scope.ns.clone());
    }
    let bound = header.and_then(|h| h.bindings.iter().find(|(bound, _)| bound == prefix));
    match bound {
        Some((_, ns)) => Some(ns.clone()),
        None => prefix.is_empty().then_some(Ns::Known("")),
    }
}

/// The namespace name, as a static one where it is known; the content of server and component streams becomes
/// client content, so that one program can speak on all three.
pub(super) fn intern(text: &str, content: &str) -> Ns {
    if text == content && matches!(text, ns::SERVER | ns::COMPONENT) {
        return Ns::Known(ns::CLIENT);
    }
    match WELL_KNOWN.iter().find(|known| **known == text) {
        Some(known) => Ns::Known(known),
        None => Ns::Other(text.into()),
    }
}

/// The namespace of the `xml:` prefix.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What most stanzas are made of.
const WELL_KNOWN: [&str; 18] = [
    ns::CLIENT,
    "",
    ns::DMUC,
    ns::NETJOIN,
    ns::MUC,
    ns::MUC_USER,
    ns::DELAY,
    ns::SID,
    ns::OCCUPANT_ID,
    ns::CHATSTATES,
    ns::STANZA_ERRORS,
    ns::DISCO_INFO,
    ns::PING,
    ns::MAM,
    ns::RSM,
    ns::STREAMS,
    ns::SASL,
    ns::DIALBACK,
];
