//! The element tree.
//!
//! What asks for a name is inlined: the names that are asked for stand in the code, and a comparison with one of these is an instruction
//! or two.

use compact_str::CompactString;
use std::fmt;
use std::sync::Arc;

/// A namespace name; the well-known ones cost nothing to copy.
#[derive(Clone)]
pub enum Ns {
    /// One the program knows.
    Known(&'static str),
    /// One that came over the wire.
    Other(Arc<str>),
}

impl Ns {
    /// The name as text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            Ns::Known(text) => text,
            Ns::Other(text) => text,
        }
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Ns) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ns {}

impl From<&'static str> for Ns {
    fn from(text: &'static str) -> Ns {
        Ns::Known(text)
    }
}

impl fmt::Debug for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attr {
    /// The namespace of a prefixed attribute; empty for the usual one.
    pub ns: Ns,
    /// The local name.
    pub name: CompactString,
    /// The value, unescaped.
    pub value: CompactString,
}

/// What an element contains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Character data, unescaped.
    Text(String),
}

/// An XML element: a name in a namespace, attributes in the order they came, and contents.
///
/// Depth is bounded by the parser, so walking and dropping recursively is safe.
#[derive(Clone, PartialEq, Eq)]
pub struct Element {
    name: CompactString,
    ns: Ns,
    attrs: Vec<Attr>,
    nodes: Vec<Node>,
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<CompactString>, ns: impl Into<Ns>) -> Element {
        Element { name: name.into(), ns: ns.into(), attrs: Vec::new(), nodes: Vec::new() }
    }

    /// An empty `<message/>`, `<presence/>` or `<iq/>`.
    pub fn stanza(name: &'static str) -> Element {
        Element::new(name, crate::ns::CLIENT)
    }

    /// The local name.
    #[inline]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace name.
    #[inline]
    pub fn ns(&self) -> &str {
        self.ns.as_str()
    }

    /// Whether this is `name` in `ns`.
    #[inline]
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns() == ns
    }

    /// With an attribute, replaced if it is there.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl AsRef<str>) -> Element {
        self.set(name, value);
        self
    }

    /// With an attribute when there is a value.
    #[must_use]
    pub fn attr_opt(mut self, name: &str, value: Option<impl AsRef<str>>) -> Element {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    /// With a child appended.
    #[must_use]
    pub fn child(mut self, child: Element) -> Element {
        self.nodes.push(Node::Element(child));
        self
    }

    /// With children appended.
    #[must_use]
    pub fn with(mut self, children: impl IntoIterator<Item = Element>) -> Element {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// With character data appended.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Element {
        self.push_text(text.into());
        self
    }

    /// The value of an attribute without a prefix, or with `xml:`, the one that every document knows (`xml:lang`).
    #[inline]
    pub fn get(&self, name: &str) -> Option<&str> {
        let name = split(name);
        self.attrs.iter().find(|a| a.is(name)).map(|a| a.value.as_str())
    }

    /// Sets an attribute that [`Element::get`] gives.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref().into();
        let (ns, local) = split(name);
        match self.attrs.iter_mut().find(|a| a.is((ns, local))) {
            Some(attr) => attr.value = value,
            None => self.attrs.push(Attr { ns: Ns::Known(ns), name: local.into(), value }),
        }
    }

    /// Removes an attribute that [`Element::get`] gives.
    pub fn unset(&mut self, name: &str) {
        let name = split(name);
        self.attrs.retain(|a| !a.is(name));
    }

    /// All attributes, in order.
    pub fn attrs(&self) -> &[Attr] {
        &self.attrs
    }

    /// Appends an attribute as the parser found it; the parser has seen to it that there is no other.
    pub fn push_attr(&mut self, attr: Attr) {
        self.attrs.push(attr);
    }

    /// The contents, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The child elements, in order.
    pub fn children(&self) -> impl Iterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child with this name and namespace.
    #[inline]
    pub fn get_child(&self, name: &str, ns: &str) -> Option<&Element> {
        self.children().find(|c| c.is(name, ns))
    }

    /// The first child with this name and namespace, to change.
    pub fn get_child_mut(&mut self, name: &str, ns: &str) -> Option<&mut Element> {
        self.nodes.iter_mut().find_map(|node| match node {
            Node::Element(element) if element.is(name, ns) => Some(element),
            _ => None,
        })
    }

    /// Whether there is a child with this name and namespace.
    #[inline]
    pub fn has_child(&self, name: &str, ns: &str) -> bool {
        self.get_child(name, ns).is_some()
    }

    /// Appends a child.
    pub fn push(&mut self, child: Element) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends character data, joining it to text that ends the contents.
    pub fn push_text(&mut self, text: String) {
        match self.nodes.last_mut() {
            Some(Node::Text(last)) => last.push_str(&text),
            _ => self.nodes.push(Node::Text(text)),
        }
    }

    /// Keeps the children that `keep` wants, and all character data.
    pub fn retain(&mut self, mut keep: impl FnMut(&Element) -> bool) {
        self.nodes.retain(|node| match node {
            Node::Element(element) => keep(element),
            Node::Text(_) => true,
        });
    }

    /// Removes the contents.
    pub fn clear(&mut self) {
        self.nodes.clear();
    }

    /// The character data directly within, joined.
    pub fn content(&self) -> String {
        self.nodes
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .collect()
    }

    /// The element as it stands in a stream whose content namespace is `jabber:client`.
    pub fn to_xml(&self) -> String {
        let mut out = Vec::new();
        super::write::write(self, crate::ns::CLIENT, &mut out);
        String::from_utf8(out).expect("the writer is fed with strings")
    }

    /// Parses one whole element; without a namespace of its own it is in `jabber:client`.
    pub fn parse(text: &str) -> Result<Element, super::ParseError> {
        super::parse::one(text)
    }
}

impl Attr {
    #[inline]
    fn is(&self, (ns, name): (&str, &str)) -> bool {
        self.name == name && self.ns.as_str() == ns
    }
}

/// The namespace and the local name of an attribute that is written like this.
#[inline]
fn split(name: &str) -> (&'static str, &str) {
    name.strip_prefix("xml:").map_or(("", name), |local| (super::names::XML, local))
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_xml())
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_xml())
    }
}
