//! Reading strictly: what is not known is refused, so that two versions never misunderstand each other in silence.

use xmpp::{Element, Jid, Node, stanza};

/// Why an element of the link was refused. On the wire: `bad-request` for an iq; else the stanza is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Another element than the one that belongs here.
    #[error("<{found}/> stands where <{wanted}/> belongs")]
    WrongElement {
        /// What belongs here.
        wanted: &'static str,
        /// What is here.
        found: String,
    },
    /// An attribute that must be there is not.
    #[error("<{0}/> lacks '{1}'")]
    Missing(&'static str, &'static str),
    /// An attribute's value is none of those allowed.
    #[error("'{1}' of <{0}/> has a value that is not allowed")]
    BadValue(&'static str, &'static str),
    /// An attribute that this version does not know.
    #[error("<{0}/> has the attribute '{1}', which is not known")]
    UnknownAttribute(&'static str, String),
    /// A child that this version does not know, or that does not belong here.
    #[error("<{0}/> has the child <{1}/>, which does not belong there")]
    UnknownChild(&'static str, String),
    /// A child that must be there is not, or is not where it must be.
    #[error("<{0}/> lacks its <{1}/>")]
    MissingChild(&'static str, &'static str),
    /// Text where only elements may be.
    #[error("<{0}/> has text in it")]
    Text(&'static str),
    /// More children than the bound.
    #[error("<{0}/> has more children than allowed")]
    TooMany(&'static str),
    /// Attributes or children that exclude or need each other.
    #[error("<{0}/>: {1}")]
    Together(&'static str, &'static str),
}

/// Longest name of an epoch, outbox, incarnation, term or archive id, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// An element whose name, attributes and text have been checked.
pub(super) struct Reader<'a> {
    pub(super) element: &'a Element,
    name: &'static str,
}

impl<'a> Reader<'a> {
    /// Checks that this is `name` in `ns` with no other attributes than these and no text.
    pub(super) fn new(
        element: &'a Element,
        (name, ns): (&'static str, &str),
        attributes: &[&str],
    ) -> Result<Reader<'a>, Damaged> {
        if !element.is(name, ns) {
            return Err(Damaged::WrongElement { wanted: name, found: element.name().to_owned() });
        }
        if let Some(other) =
            element.attrs().iter().find(|a| !a.ns.as_str().is_empty() || !attributes.contains(&a.name.as_str()))
        {
            return Err(Damaged::UnknownAttribute(name, other.name.to_string()));
        }
        let blank = |node: &Node| matches!(node, Node::Text(text) if !text.trim().is_empty());
        if element.nodes().iter().any(blank) {
            return Err(Damaged::Text(name));
        }
        Ok(Reader { element, name })
    }

    /// Checks that there are no children.
    pub(super) fn empty(self) -> Result<Reader<'a>, Damaged> {
        match self.element.children().next() {
            Some(child) => Err(self.unknown(child)),
            None => Ok(self),
        }
    }

    pub(super) fn unknown(&self, child: &Element) -> Damaged {
        Damaged::UnknownChild(self.name, child.name().to_owned())
    }

    pub(super) fn bad(&self, attribute: &'static str) -> Damaged {
        Damaged::BadValue(self.name, attribute)
    }

    pub(super) fn opt(&self, attribute: &'static str) -> Option<&'a str> {
        self.element.get(attribute)
    }

    pub(super) fn required(&self, attribute: &'static str) -> Result<&'a str, Damaged> {
        self.opt(attribute).ok_or(Damaged::Missing(self.name, attribute))
    }

    /// An optional attribute read by `read`.
    pub(super) fn read<T>(
        &self,
        attribute: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Damaged> {
        self.opt(attribute).map(|text| read(text).ok_or(self.bad(attribute))).transpose()
    }

    /// A required attribute read by `read`.
    pub(super) fn get<T>(&self, attribute: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, Damaged> {
        self.read(attribute, read)?.ok_or(Damaged::Missing(self.name, attribute))
    }
}

/// An unsigned number, digits only.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A number that starts at 1.
pub(super) fn positive(text: &str) -> Option<u64> {
    number(text).filter(|n| *n > 0)
}

/// A number of 32 bits.
pub(super) fn small(text: &str) -> Option<u32> {
    number(text).and_then(|n| n.try_into().ok())
}

/// A name that the protocol gives out: 1 to [`NAME_CHARS_MAX`] letters, digits, `.`, `_`, `-`.
pub(super) fn name(text: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    ((1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

/// A full address.
pub(super) fn full_jid(text: &str) -> Option<Jid> {
    Jid::new(text).ok().filter(|jid| !jid.is_bare())
}

/// A bare address with a local part: a room.
pub(super) fn room_jid(text: &str) -> Option<Jid> {
    Jid::new(text).ok().filter(|jid| jid.is_bare() && jid.local().is_some())
}

/// A domain.
pub(super) fn domain(text: &str) -> Option<String> {
    Jid::new(text).ok().filter(|jid| jid.is_bare() && jid.local().is_none()).map(|jid| jid.to_string())
}

/// The text of an element that holds nothing else.
pub(super) fn plain_text(element: &Element, name: &'static str) -> Result<String, Damaged> {
    if let Some(attribute) = element.attrs().first() {
        return Err(Damaged::UnknownAttribute(name, attribute.name.to_string()));
    }
    match element.children().next() {
        Some(child) => Err(Damaged::UnknownChild(name, child.name().to_owned())),
        None => Ok(element.content()),
    }
}

/// A date and time of XEP-0082.
pub(super) fn stamp(text: &str) -> Option<i64> {
    stanza::parse_ms(text)
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str, text: &str) -> Option<T> {
    all.iter().copied().find(|one| word(*one) == text)
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
