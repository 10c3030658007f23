//! `<digest/>`: what a roster comes to, so that a mirror that has gone wrong is found; the byte form is `docs/wire.md`,
//! *Digest*.

use crate::names::{Affiliation, Nick, Role};
use sha2::{Digest, Sha256};
use xmpp::{Element, Node, ns};

/// The digest of a roster in the making.
#[derive(Debug, Default)]
pub struct RosterDigest(Sha256);

impl RosterDigest {
    /// Adds a seat. Seats come in the order of their nicks, by the bytes of UTF-8; `presence` are the children of the
    /// occupant's presence, of which muc#user and the occupant-id do not count.
    pub fn seat<'a>(
        &mut self,
        nick: &Nick,
        (affiliation, role): (Affiliation, Role),
        occupant_id: Option<&str>,
        presence: impl Iterator<Item = &'a Element>,
    ) {
        self.text("S", nick.as_str());
        self.text("", affiliation.as_str());
        self.text("", role.as_str());
        self.text("", occupant_id.unwrap_or_default());
        presence.filter(|child| is_said(child)).for_each(|child| self.element(child));
    }

    /// The 32 bytes of SHA-256.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn element(&mut self, element: &Element) {
        self.text("(", element.ns());
        self.text("", element.name());
        let mut attrs: Vec<(&str, &str, &str)> =
            element.attrs().iter().map(|a| (a.ns.as_str(), a.name.as_str(), a.value.as_str())).collect();
        attrs.sort_unstable();
        for (ns, name, value) in attrs {
            self.text("@", ns);
            self.text("", name);
            self.text("", value);
        }
        let mut in_text = false;
        for node in element.nodes() {
            match node {
                Node::Text(text) if text.is_empty() => {}
                Node::Text(text) => {
                    // What stands together is one text, however it was read.
                    self.0.update(if in_text { "" } else { "'" });
                    self.0.update(text);
                    in_text = true;
                }
                Node::Element(child) => {
                    self.end_text(&mut in_text);
                    self.element(child);
                }
            }
        }
        self.end_text(&mut in_text);
        self.0.update(")");
    }

    fn end_text(&mut self, in_text: &mut bool) {
        if std::mem::take(in_text) {
            self.0.update([0]);
        }
    }

    /// A zero byte ends it; there is none in XML.
    fn text(&mut self, mark: &str, text: &str) {
        self.0.update(mark);
        self.0.update(text);
        self.0.update([0]);
    }
}

/// Whether a child of an occupant's presence is part of what its user says.
pub(crate) fn is_said(child: &Element) -> bool {
    !matches!(child.ns(), ns::MUC_USER | ns::OCCUPANT_ID)
}
