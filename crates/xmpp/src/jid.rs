//! Addresses: `local@domain/resource`.
//!
//! Normalised by the stringprep profiles (RFC 6122) that Prosody and ejabberd use, with unassigned code points
//! allowed so that emoji make nicknames; domains by IDNA. An address is parsed once, at the edge.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Longest part of an address, in bytes after normalisation (RFC 6122 2.1).
pub const PART_BYTES_MAX: usize = 1023;
/// Longest label of a domain, in bytes as DNS has it (RFC 1035 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A valid, normalised address, bare or full. Cloning is a reference count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the localpart; 0 for none.
    local: u16,
    /// Where the domain ends: the slash or the end of the text.
    domain_end: u16,
}

/// Why a text is no address. On the wire: `jid-malformed` (RFC 6120 8.3.3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// No domain, or one that IDNA refuses.
    #[error("the domain is empty or not a domain name")]
    Domain,
    /// The part before `@` is empty or has a character that is not allowed there.
    #[error("the part before '@' is empty or has a character that is not allowed there")]
    Local,
    /// The part after `/` is empty or has a character that is not allowed there.
    #[error("the part after '/' is empty or has a character that is not allowed there")]
    Resource,
    /// A part is longer than [`PART_BYTES_MAX`].
    #[error("a part is longer than 1023 bytes")]
    TooLong,
}

impl Jid {
    /// Parses and normalises `local@domain/resource`.
    pub fn new(text: &str) -> Result<Jid, JidError> {
        if let Some(jid) = Jid::normal(text) {
            return Ok(jid);
        }
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let (local, domain) = match bare.split_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, bare),
        };
        Jid::from_parts(local, domain, resource)
    }

    /// An address that is as it would be normalised, as nearly all are; what has a capital or anything but ASCII is looked at part by part.
    fn normal(text: &str) -> Option<Jid> {
        let bytes = text.as_bytes();
        // Where the domain begins, and the label that is looked at, of which a localpart may have some too.
        let (mut domain, mut label, mut domain_end) = (0, 0, bytes.len());
        let is_label = |from: usize, to: usize| (1..=LABEL_BYTES_MAX).contains(&(to - from));
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
                b'.' if is_label(label, at) => label = at + 1,
                b'@' if domain == 0 && at > 0 => (domain, label) = (at + 1, at + 1),
                b'/' => {
                    domain_end = at;
                    break;
                }
                _ => return None,
            }
        }
        let is_resource = |text: &[u8]| !text.is_empty() && text.iter().all(|b| (b' '..0x7f).contains(b));
        let is_normal = bytes.len() <= PART_BYTES_MAX
            && is_label(label, domain_end)
            && bytes.get(domain_end + 1..).is_none_or(is_resource);
        let local = domain.saturating_sub(1) as u16;
        is_normal.then(|| Jid { text: text.into(), local, domain_end: domain_end as u16 })
    }

    /// Normalises and joins the parts of an address.
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
        let local = local.map(prep_local).transpose()?;
        let domain = prep_domain(domain)?;
        let resource = resource.map(prep_resource).transpose()?;
        Ok(Jid::join(local.as_deref(), &domain, resource.as_deref()))
    }

    /// Joins parts that are normalised already.
    fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Jid {
        let mut text = String::with_capacity(
            local.map_or(0, |l| l.len() + 1) + domain.len() + resource.map_or(0, |r| r.len() + 1),
        );
        if let Some(local) = local {
            text.push_str(local);
            text.push('@');
        }
        text.push_str(domain);
        let domain_end = text.len() as u16;
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(resource);
        }
        Jid { text: text.into(), local: local.map_or(0, |l| l.len() as u16), domain_end }
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before `@`.
    pub fn local(&self) -> Option<&str> {
        (self.local > 0).then(|| &self.text[..self.local as usize])
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        let start = if self.local > 0 { self.local as usize + 1 } else { 0 };
        &self.text[start..self.domain_end as usize]
    }

    /// The part after `/`.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(self.domain_end as usize + 1..)
    }

    /// Whether there is no resource.
    pub fn is_bare(&self) -> bool {
        self.domain_end as usize == self.text.len()
    }

    /// `local@domain` as text.
    pub fn bare_str(&self) -> &str {
        &self.text[..self.domain_end as usize]
    }

    /// `local@domain`.
    pub fn bare(&self) -> Jid {
        if self.is_bare() {
            return self.clone();
        }
        Jid { text: self.bare_str().into(), local: self.local, domain_end: self.domain_end }
    }

    /// The domain alone, as an address.
    pub fn server(&self) -> Jid {
        Jid::join(None, self.domain(), None)
    }

    /// This bare address with a resource, which is normalised.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        let resource = prep_resource(resource)?;
        let mut text = String::with_capacity(self.domain_end as usize + 1 + resource.len());
        text.push_str(self.bare_str());
        text.push('/');
        text.push_str(&resource);
        Ok(Jid { text: text.into(), local: self.local, domain_end: self.domain_end })
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Jid {
    type Err = JidError;
    fn from_str(text: &str) -> Result<Jid, JidError> {
        Jid::new(text)
    }
}

fn prep_local(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = if text.is_ascii() {
        let bad = |b: u8| b <= b' ' || b == 0x7f || matches!(b, b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@');
        if text.bytes().any(bad) {
            return Err(JidError::Local);
        }
        lower(text)
    } else {
        let prepared = stringprep_allowing_unassigned(text, Profile::Node).ok_or(JidError::Local)?;
        if prepared.chars().any(|c| matches!(c, '"' | '&' | '\'' | '/' | ':' | '<' | '>' | '@')) {
            return Err(JidError::Local);
        }
        Cow::Owned(prepared)
    };
    sized(prepared, JidError::Local)
}

fn prep_resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    let prepared = if text.is_ascii() {
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(JidError::Resource);
        }
        Cow::Borrowed(text)
    } else {
        Cow::Owned(stringprep_allowing_unassigned(text, Profile::Resource).ok_or(JidError::Resource)?)
    };
    sized(prepared, JidError::Resource)
}

fn prep_domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_literal = text.starts_with('[');
    // RFC 7622 3.2.1 with RFC 1034 3.1: labels are not empty, and at most 63 bytes as DNS has them.
    if !is_literal
        && text.split('.').any(|label| label.is_empty() || (label.is_ascii() && label.len() > LABEL_BYTES_MAX))
    {
        return Err(if text.len() > PART_BYTES_MAX { JidError::TooLong } else { JidError::Domain });
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let prepared = if text.bytes().all(plain) {
        lower(text)
    } else if is_literal && text.ends_with(']') {
        let address: std::net::Ipv6Addr = text[1..text.len() - 1].parse().map_err(|_| JidError::Domain)?;
        Cow::Owned(format!("[{address}]"))
    } else {
        let (unicode, result) = idna::domain_to_unicode(text);
        result.map_err(|_| JidError::Domain)?;
        let label_fits = |label: &str| {
            !label.is_empty() && idna::domain_to_ascii(label).is_ok_and(|ascii| ascii.len() <= LABEL_BYTES_MAX)
        };
        if unicode.chars().any(|c| c.is_ascii() && !plain(c as u8)) || !unicode.split('.').all(label_fits) {
            return Err(JidError::Domain);
        }
        Cow::Owned(unicode)
    };
    sized(prepared, JidError::Domain)
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

fn sized(text: Cow<'_, str>, empty: JidError) -> Result<Cow<'_, str>, JidError> {
    match text.len() {
        0 => Err(empty),
        1..=PART_BYTES_MAX => Ok(text),
        _ => Err(JidError::TooLong),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Profile {
    Node,
    Resource,
}

/// Nodeprep and resourceprep (RFC 3920 A and B) save for the ban on code points that Unicode 3.2 did not assign.
fn stringprep_allowing_unassigned(text: &str, profile: Profile) -> Option<String> {
    use stringprep::tables as t;
    use unicode_normalization::UnicodeNormalization;
    let mapped = text.chars().filter(|&c| !t::commonly_mapped_to_nothing(c));
    let normalised: String = match profile {
        Profile::Node => mapped.flat_map(t::case_fold_for_nfkc).nfkc().collect(),
        Profile::Resource => mapped.nfkc().collect(),
    };
    let prohibited = |c: char| {
        t::non_ascii_space_character(c)
            || t::ascii_control_character(c)
            || t::non_ascii_control_character(c)
            || t::private_use(c)
            || t::non_character_code_point(c)
            || t::surrogate_code(c)
            || t::inappropriate_for_plain_text(c)
            || t::inappropriate_for_canonical_representation(c)
            || t::change_display_properties_or_deprecated(c)
            || t::tagging_character(c)
            || (profile == Profile::Node && t::ascii_space_character(c))
    };
    if normalised.chars().any(prohibited) {
        return None;
    }
    // RFC 3454 section 6: right-to-left text stands alone, and at both ends.
    if normalised.chars().any(t::bidi_r_or_al) {
        let ends = normalised.chars().next().is_some_and(t::bidi_r_or_al)
            && normalised.chars().next_back().is_some_and(t::bidi_r_or_al);
        if !ends || normalised.chars().any(t::bidi_l) {
            return None;
        }
    }
    Some(normalised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_and_normalised() {
        let jid = Jid::new("Romeo@Montague.LIT/Orchard").unwrap();
        assert_eq!(jid.as_str(), "romeo@montague.lit/Orchard");
        assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some("romeo"), "montague.lit", Some("Orchard")));
        assert_eq!(jid.bare().as_str(), "romeo@montague.lit");
        assert!(jid.bare().is_bare() && !jid.is_bare());
        assert_eq!(jid.server().as_str(), "montague.lit");
        assert_eq!(jid.bare().with_resource("a/b@c").unwrap().resource(), Some("a/b@c"));
    }

    #[test]
    fn what_is_normal_is_as_its_parts_are() {
        let normal =
            ["a@b.lit/C d@e/f", "a.b-c_1@chat.shakespeare.lit", "montague.lit", "localhost/x", "xn--bcher-kva.example"];
        for text in normal {
            let (bare, resource) = text.split_once('/').map_or((text, None), |(bare, resource)| (bare, Some(resource)));
            let (local, domain) = bare.split_once('@').map_or((None, bare), |(local, domain)| (Some(local), domain));
            assert_eq!(Jid::normal(text), Some(Jid::from_parts(local, domain, resource).unwrap()), "{text}");
        }
        for text in [
            "A@b.lit",
            "a@B.lit",
            "a@b.lit.",
            "a+b@c.lit",
            "a@b.lit/é",
            "a@b.lit/\t",
            "a@b.lit/",
            "@b.lit",
            "a@.lit",
            "[::1]",
            "",
        ] {
            assert_eq!(Jid::normal(text), None, "{text}");
        }
    }

    #[test]
    fn emoji_make_a_nickname() {
        assert_eq!(Jid::new("coven@chat.shakespeare.lit/🧙🏽‍♀️").unwrap().domain(), "chat.shakespeare.lit");
    }

    #[test]
    fn unicode_is_folded_as_nodeprep_says() {
        assert_eq!(Jid::new("STRAßE@example.org").unwrap().local(), Some("strasse"));
        assert_eq!(Jid::new("juliet@BÜCHER.example").unwrap().domain(), "bücher.example");
    }

    #[test]
    fn what_is_no_address_says_which_part() {
        // XEP-0045 17.1-b
        assert_eq!(Jid::new(""), Err(JidError::Domain));
        assert_eq!(Jid::new("@montague.lit"), Err(JidError::Local));
        assert_eq!(Jid::new("montague.lit/"), Err(JidError::Resource));
        assert_eq!(Jid::new("ro meo@montague.lit"), Err(JidError::Local));
        assert_eq!(Jid::new("a@b@c"), Err(JidError::Domain));
        let (longest, too_long) = (format!("{}.lit", "a".repeat(63)), format!("{}.lit", "a".repeat(64)));
        assert!(Jid::new(&longest).is_ok() && Jid::new("montague.lit.").is_ok() && Jid::new("[::1]").is_ok());
        let wide = format!("{}.lit", "ü".repeat(60));
        for none in [".", "..", "a@..", ".lit", "montague..lit", "montague.lit..", &too_long, &wide, "bü..cher"] {
            assert_eq!(Jid::new(none), Err(JidError::Domain), "{none}");
        }
        assert_eq!(Jid::new(&format!("{}@montague.lit", "a".repeat(1024))), Err(JidError::TooLong));
    }
}
