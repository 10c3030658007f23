//! Server dialback, XEP-0220: the elements, and keys as XEP-0185 makes them.

use crate::stanza::{Condition, StanzaError};
use crate::{Element, ns};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// Longest key taken, in bytes; keys of known implementations have 40 or 64.
pub(super) const KEY_BYTES_MAX: usize = 1024;

/// A sender domain and a target domain, both normalised: what dialback authenticates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The sender domain.
    pub from: String,
    /// The target domain.
    pub to: String,
}

/// What became of a key, XEP-0220 2.1 and 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The authoritative server made it.
    Valid,
    /// It did not.
    Invalid,
    /// It could not be asked; a condition of XEP-0220 2.4.2 such as remote-server-not-found.
    Error(Condition),
}

/// XEP-0185: the key for one stream, sent by `pair.from` to `pair.to`, whose server gave the stream its id.
pub fn key(secret: &[u8], pair: &Pair, stream_id: &str) -> String {
    let secret = hex(&Sha256::digest(secret));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{} {} {stream_id}", pair.to, pair.from).as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Whether we made this key.
pub(super) fn key_is_ours(secret: &[u8], pair: &Pair, stream_id: &str, key: &str) -> bool {
    self::key(secret, pair, stream_id).as_bytes().ct_eq(key.as_bytes()).into()
}

/// `<db:result/>` or `<db:verify/>`.
pub(super) fn element(name: &'static str, from: &str, to: &str) -> Element {
    Element::new(name, ns::DIALBACK).attr("from", from).attr("to", to)
}

/// A result told: addressed back, with its type.
pub(super) fn told(name: &'static str, pair: &Pair, verdict: Verdict) -> Element {
    let element = element(name, &pair.to, &pair.from);
    match verdict {
        Verdict::Valid => element.attr("type", "valid"),
        Verdict::Invalid => element.attr("type", "invalid"),
        Verdict::Error(condition) => {
            element.attr("type", "error").child(StanzaError::from(condition).kind("cancel").element(None))
        }
    }
}

/// The type of a result heard; `None` when it is a request.
pub(super) fn heard(element: &Element) -> Option<Verdict> {
    match element.get("type")? {
        "valid" => Some(Verdict::Valid),
        "invalid" => Some(Verdict::Invalid),
        _ => Some(Verdict::Error(Condition::RemoteServerTimeout)),
    }
}

/// XEP-0220 2.4.1: dialback is spoken, and its errors are understood.
pub(super) fn feature() -> Element {
    let errors = Element::new("errors", ns::DIALBACK_FEATURE);
    Element::new("dialback", ns::DIALBACK_FEATURE).child(errors)
}

/// In lowercase hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XEP-0220 example 1, XEP-0185 section 3.
    #[test]
    fn s2_1_1_keys_are_made_as_the_examples_have_them() {
        let pair = Pair { from: "capulet.example".into(), to: "montague.example".into() };
        let made = key(b"s3cr3tf0rd14lb4ck", &pair, "D60000229F");
        assert_eq!(made, "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3");
        let pair = Pair { from: "example.org".into(), to: "xmpp.example.com".into() };
        let made = key(b"s3cr3tf0rd14lb4ck", &pair, "D60000229F");
        assert_eq!(made, "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
        assert!(key_is_ours(b"s3cr3tf0rd14lb4ck", &pair, "D60000229F", &made));
        assert!(!key_is_ours(b"s3cr3tf0rd14lb4ck", &pair, "417GAF25", &made));
    }
}
