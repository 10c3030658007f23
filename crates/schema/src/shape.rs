//! What the schema can see of a stanza: two stanzas of one shape are both valid or both not.

use std::fmt::Write;
use xmpp::{Element, ns};

/// Whether anything in the stanza is in one of the two DMUC namespaces.
pub fn is_of_the_link(stanza: &Element) -> bool {
    matches!(stanza.ns(), ns::DMUC | ns::NETJOIN) || stanza.children().any(is_of_the_link)
}

/// The shape of a stanza: payload that the schema says nothing about is left out, and what is alike to its patterns is one.
pub fn shape(stanza: &Element) -> String {
    let mut out = String::new();
    describe(stanza, false, &mut out);
    out
}

/// An element, inside one of ours or not.
fn describe(element: &Element, inside: bool, out: &mut String) {
    let is_ours = inside || matches!(element.ns(), ns::DMUC | ns::NETJOIN);
    let _ = write!(out, "<{} {}", element.name(), element.ns());
    for attr in element.attrs() {
        let _ = match is_ours {
            true => write!(out, " {}{}={}", attr.ns.as_str(), attr.name, kind_of(&attr.name, &attr.value)),
            false => write!(out, " {}{}", attr.ns.as_str(), attr.name),
        };
    }
    let text = element.content();
    if is_ours && !text.trim().is_empty() {
        out.push_str(" text");
    }
    let mut before = String::new();
    for child in element.children().filter(|child| is_ours || is_of_the_link(child)) {
        let mut this = String::new();
        describe(child, is_ours, &mut this);
        // Any number of the same is one, and two.
        if !(before == this && out.ends_with(&format!("{this}{this}"))) {
            out.push_str(&this);
        }
        before = this;
    }
    out.push('>');
}

/// What patterns, enumerations and bounds tell apart.
fn kind_of(name: &str, value: &str) -> String {
    // A number: zero, one that may be the number of a part, or how many digits it has where a type may end.
    if name != "status" && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return match value.trim_start_matches('0') {
            "" => "0".to_owned(),
            part if name.starts_with("part") => part.to_owned(),
            short if short.len() < 10 => "few digits".to_owned(),
            long => format!("{} digits", long.len()),
        };
    }
    // A word of an enumeration, a list of codes.
    let is_name = matches!(name, "epoch" | "outbox" | "name" | "incarnation" | "term" | "archive" | "nick" | "domain");
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b' ';
    if !is_name && value.len() <= WORD_MAX && value.bytes().all(is_word) {
        return value.to_owned();
    }
    // A name, an address, a stamp: the sorts of characters in it, in order, and how long it is.
    let mut sorts = String::new();
    for c in value.chars() {
        let sort = match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') => 'a',
            '@' | '/' | ' ' | ':' | '+' => c,
            c if c.is_ascii() => '!',
            _ => 'u',
        };
        if !sorts.ends_with(sort) {
            sorts.push(sort);
        }
    }
    let length = match value.chars().count() {
        0 => "empty",
        KEY_CHARS => "key",
        1..=NAME_CHARS_MAX => "name",
        65..=NICK_CHARS_MAX => "nick",
        _ => "too long",
    };
    format!("{sorts} {length}")
}

/// Longest list of words: that of the roles whose presence is broadcast.
const WORD_MAX: usize = 40;
/// A key in base64url.
const KEY_CHARS: usize = 43;
/// Of epochs, outboxes and the like.
const NAME_CHARS_MAX: usize = 64;
/// Of nicks.
const NICK_CHARS_MAX: usize = 1_023;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(at: &str) -> Element {
        Element::parse(&format!(
            "<message xmlns='jabber:client' from='a@b' to='c@d'><body>x</body><x xmlns='{}'>{at}</x></message>",
            ns::DMUC
        ))
        .expect("a test's stanza")
    }

    fn at(epoch: &str, d: &str, kind: &str) -> Element {
        message(&format!("<at xmlns='{}' epoch='{epoch}' d='{d}' kind='{kind}'/>", ns::NETJOIN))
    }

    #[test]
    fn what_differs_in_numbers_and_names_alone_is_one_shape() {
        assert_eq!(shape(&at("e9k2", "1812", "event")), shape(&at("e7Zw", "4444", "event")));
    }

    #[test]
    fn what_the_schema_can_tell_apart_is_not() {
        let good = shape(&at("e9k2", "17", "event"));
        for other in
            [at("e9 k2", "17", "event"), at("e9k2", "0", "event"), at("e9k2", "17", "evnt"), at("e9k2", "-1", "event")]
        {
            assert_ne!(shape(&other), good, "{other}");
        }
        let long = "e".repeat(65);
        assert_ne!(shape(&at(&long, "17", "event")), good);
    }

    #[test]
    fn what_has_nothing_of_the_link_is_none_of_it() {
        let plain =
            Element::parse("<message xmlns='jabber:client' to='c@d'><body>x</body></message>").expect("a stanza");
        assert!(!is_of_the_link(&plain) && is_of_the_link(&at("e", "1", "event")));
    }
}
