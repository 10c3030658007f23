//! Where the users of a transcript are in a play.

use super::Transcript;
use std::collections::BTreeMap;
use xmpp::{Element, Jid, Node};

/// Bare addresses of a transcript and those that stand for them in a play.
#[derive(Debug, Clone, Default)]
pub struct Places {
    actual_of: BTreeMap<String, String>,
}

impl Places {
    /// Everybody is where the transcript says.
    pub fn as_written() -> Places {
        Places::default()
    }

    /// Every account at a site of its own: `hag66@shakespeare.lit` at `hag66.shakespeare.lit`.
    pub fn apart(transcript: &Transcript) -> Places {
        let mut places = Places::default();
        for member in &transcript.cast {
            let bare = member.jid.bare();
            let local = bare.local().unwrap_or_default().to_owned();
            places.put(bare.as_str(), &format!("{local}@{local}.{}", bare.domain()));
        }
        places
    }

    /// `actual` stands for `written`: a bare address or a domain.
    pub fn put(&mut self, written: &str, actual: &str) {
        self.actual_of.insert(written.to_owned(), actual.to_owned());
    }

    /// An address as it is in the play.
    pub fn actual(&self, written: &Jid) -> Jid {
        let text = self.swap(written.as_str(), |pair| pair);
        Jid::new(&text).unwrap_or_else(|_| written.clone())
    }

    /// A stanza of the transcript as it is in the play.
    pub fn to_play(&self, stanza: &Element) -> Element {
        map(stanza, &|text| self.swap(text, |pair| pair))
    }

    /// A stanza of the play as the transcript has it.
    pub fn to_transcript(&self, stanza: &Element) -> Element {
        map(stanza, &|text| self.swap(text, |(written, actual)| (actual, written)))
    }

    fn swap<'a>(&'a self, text: &str, way: impl Fn((&'a str, &'a str)) -> (&'a str, &'a str)) -> String {
        let mut text = text.to_owned();
        // Longer ones first: a domain may be the end of an address.
        let mut pairs: Vec<(&str, &str)> = self.actual_of.iter().map(|(w, a)| way((w, a))).collect();
        pairs.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        // In two goes, so that nothing that was put in is taken for something to replace.
        for (index, (from, _)) in pairs.iter().enumerate() {
            text = text.replace(from, &format!("\u{1}{index}\u{2}"));
        }
        for (index, (_, to)) in pairs.iter().enumerate() {
            text = text.replace(&format!("\u{1}{index}\u{2}"), to);
        }
        text
    }
}

/// The element with every value and text changed.
pub(super) fn map(element: &Element, change: &dyn Fn(&str) -> String) -> Element {
    let mut out = element.clone();
    out.clear();
    for attr in element.attrs().iter().filter(|attr| attr.ns.as_str().is_empty()) {
        out.set(&attr.name, change(&attr.value));
    }
    for node in element.nodes() {
        match node {
            Node::Element(child) => out.push(map(child, change)),
            Node::Text(text) => out.push_text(change(text)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let transcript = Transcript::parse("# t\nHag: hag66@shakespeare.lit/pda\n").unwrap();
        let places = Places::apart(&transcript);
        let written =
            Element::parse("<a jid='hag66@shakespeare.lit/pda' from='x@shakespeare.lit'>of hag66@shakespeare.lit</a>")
                .unwrap();
        let played = places.to_play(&written);
        assert_eq!(played.get("jid"), Some("hag66@hag66.shakespeare.lit/pda"));
        assert_eq!(played.get("from"), Some("x@shakespeare.lit"));
        assert_eq!(places.to_transcript(&played), written);
    }
}
