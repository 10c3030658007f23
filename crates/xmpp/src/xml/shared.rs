//! A stanza that goes to many: held once, serialised once, the recipient's address spliced in.

use super::element::Element;
use super::write;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A stanza without a `to`, shared between all who get it. Cloning is a reference count.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    element: Element,
    bytes: OnceLock<Serialised>,
}

struct Serialised {
    bytes: Vec<u8>,
    /// Where ` to='…'` goes: behind the last attribute of the stanza.
    to_at: usize,
    /// Where the tail goes: at the end of the stanza's last child element, when the stanza ends in one.
    tail: Option<Tail>,
}

#[derive(Clone, Copy)]
enum Tail {
    /// Before this place stands the last child of the last child.
    Behind(usize),
    /// At this place stands the `/>` of a last child that is empty.
    Within(usize),
}

/// What is spliced into a serialised stanza for one recipient.
#[derive(Clone, Copy)]
pub struct Splice<'a> {
    /// The recipient's address; needs no escaping when it is a parsed one.
    pub to: &'a str,
    /// Markup put at the end of the stanza's last child element (the marks of a link); empty for none.
    pub tail: &'a [u8],
}

impl Shared {
    /// Takes a stanza; a `to` it has is dropped.
    pub fn new(mut element: Element) -> Shared {
        element.unset("to");
        Shared(Arc::new(Inner { element, bytes: OnceLock::new() }))
    }

    /// The stanza.
    pub fn element(&self) -> &Element {
        &self.0.element
    }

    /// The stanza as one recipient gets it, as a tree.
    pub fn addressed(&self, to: &str) -> Element {
        self.0.element.clone().attr("to", to)
    }

    /// The stanza as its recipient gets it, as a tree, copied only where others have it too.
    pub fn into_addressed(self, to: &str) -> Element {
        let element = Arc::try_unwrap(self.0).map_or_else(|shared| shared.element.clone(), |inner| inner.element);
        element.attr("to", to)
    }

    /// Whether both are the same allocation.
    pub fn same(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Bytes it has without a recipient's address, serialising first if nobody has yet.
    pub fn size(&self) -> usize {
        self.serialised().bytes.len()
    }

    /// Appends the bytes for one recipient, serialising first if nobody has yet.
    pub fn splice(&self, splice: Splice<'_>, out: &mut Vec<u8>) {
        let s = self.serialised();
        out.reserve(s.bytes.len() + splice.to.len() + splice.tail.len() + 16);
        out.extend_from_slice(&s.bytes[..s.to_at]);
        write::attribute("to", splice.to, out);
        match s.tail.filter(|_| !splice.tail.is_empty()) {
            Some(Tail::Behind(at)) => {
                out.extend_from_slice(&s.bytes[s.to_at..at]);
                out.extend_from_slice(splice.tail);
                out.extend_from_slice(&s.bytes[at..]);
            }
            Some(Tail::Within(at)) => {
                out.extend_from_slice(&s.bytes[s.to_at..at]);
                out.push(b'>');
                out.extend_from_slice(splice.tail);
                if let Some(last) = self.last_child() {
                    write::write_close(last, out);
                }
                out.extend_from_slice(&s.bytes[at + "/>".len()..]);
            }
            None => out.extend_from_slice(&s.bytes[s.to_at..]),
        }
    }

    /// Appends the bytes for one recipient as an element that stands alone: with its namespace.
    pub fn splice_alone(&self, to: &str, out: &mut Vec<u8>) {
        let s = self.serialised();
        out.extend_from_slice(&s.bytes[..s.to_at]);
        if self.0.element.ns() == crate::ns::CLIENT {
            write::attribute("xmlns", crate::ns::CLIENT, out);
        }
        write::attribute("to", to, out);
        out.extend_from_slice(&s.bytes[s.to_at..]);
    }

    fn last_child(&self) -> Option<&Element> {
        match self.0.element.nodes().last() {
            Some(super::Node::Element(last)) => Some(last),
            _ => None,
        }
    }

    fn serialised(&self) -> &Serialised {
        self.0.bytes.get_or_init(|| {
            let stanza = &self.0.element;
            let mut bytes = Vec::with_capacity(256);
            write::write_open(stanza, crate::ns::CLIENT, &mut bytes);
            let to_at = bytes.len();
            let mut tail = None;
            if stanza.nodes().is_empty() {
                bytes.extend_from_slice(b"/>");
            } else {
                bytes.push(b'>');
                write::write_nodes(stanza, &mut bytes);
                // A last child ends in `</name>`, or in `/>` when it is empty.
                tail = self.last_child().map(|last| match last.nodes().is_empty() {
                    true => Tail::Within(bytes.len() - "/>".len()),
                    false => Tail::Behind(bytes.len() - last.name().len() - "</>".len()),
                });
                write::write_close(stanza, &mut bytes);
            }
            Serialised { bytes, to_at, tail }
        })
    }
}

impl From<Element> for Shared {
    fn from(element: Element) -> Shared {
        Shared::new(element)
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        self.same(other) || self.0.element == other.0.element
    }
}

impl Eq for Shared {}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.element.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_tail_are_spliced_where_they_belong() {
        let stanza = Element::parse(
            "<message from='coven@chat/hag' to='x'><body>a&amp;b</body><x xmlns='urn:x'><delay/></x></message>",
        );
        let shared = Shared::new(stanza.unwrap());
        let mut out = Vec::new();
        shared.splice(Splice { to: "o'neil@a/b", tail: b"<at/>" }, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<message from='coven@chat/hag' to='o&apos;neil@a/b'><body>a&amp;b</body>\
             <x xmlns='urn:x'><delay/><at/></x></message>"
        );
    }

    #[test]
    fn what_stands_alone_declares_its_namespace() {
        let shared = Shared::new(Element::parse("<message from='a@b'><x xmlns='urn:x'/></message>").unwrap());
        let mut out = Vec::new();
        shared.splice_alone("c@d/e", &mut out);
        let expected = "<message from='a@b' xmlns='jabber:client' to='c@d/e'><x xmlns='urn:x'/></message>";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_tail_goes_into_an_empty_last_child_too() {
        let stanza = Element::parse("<presence from='coven@chat/hag'><show>away</show><x xmlns='urn:x'/></presence>");
        let shared = Shared::new(stanza.unwrap());
        for (tail, x) in [(&b"<at/>"[..], "<x xmlns='urn:x'><at/></x>"), (b"", "<x xmlns='urn:x'/>")] {
            let mut out = Vec::new();
            shared.splice(Splice { to: "a@b", tail }, &mut out);
            assert_eq!(
                String::from_utf8(out).unwrap(),
                format!("<presence from='coven@chat/hag' to='a@b'><show>away</show>{x}</presence>")
            );
        }
    }
}
