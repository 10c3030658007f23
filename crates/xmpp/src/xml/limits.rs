//! How much one stanza may be, held while it is parsed.

/// Limits on what a stream may send before the next stanza is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one stanza, or of the stream header with the XML declaration.
    pub stanza_bytes: u32,
    /// Elements within each other, the stanza itself being the first.
    pub depth: u16,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: u16,
    /// Namespace declarations of one element.
    pub declarations: u16,
}

impl Limits {
    /// Before authentication: the smallest that RFC 6120 13.12 allows.
    pub const BEFORE_AUTHENTICATION: Limits =
        Limits { stanza_bytes: 10_000, depth: 64, attributes: 64, declarations: 64 };

    /// After authentication.
    pub const AUTHENTICATED: Limits = Limits { stanza_bytes: 262_144, ..Limits::BEFORE_AUTHENTICATION };

    /// For XML of our own making: as large as it likes, and what came over a wire may be wrapped in more elements.
    pub(super) const OWN: Limits = Limits { stanza_bytes: u32::MAX, depth: 96, ..Limits::BEFORE_AUTHENTICATION };
}

/// Longest name or attribute value; rxml reserves as much for each parser that is at work.
pub(super) const TOKEN_BYTES_MAX: usize = 8192;
