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
        let mut seat = Vec::new();
        text("S", nick.as_str(), &mut seat);
        text("", affiliation.as_str(), &mut seat);
        text("", role.as_str(), &mut seat);
        text("", occupant_id.unwrap_or_default(), &mut seat);
        // A server on the way may have put them in another order.
        let mut children: Vec<Vec<u8>> = presence.filter(|child| is_said(child)).map(bytes_of).collect();
        children.sort_unstable();
        children.iter().for_each(|child| seat.extend(child));
        self.0.update(seat);
    }

    /// The 32 bytes of SHA-256.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

fn bytes_of(element: &Element) -> Vec<u8> {
    let mut out = Vec::new();
    write(element, &mut out);
    out
}

fn write(element: &Element, out: &mut Vec<u8>) {
    text("(", element.ns(), out);
    text("", element.name(), out);
    let mut attrs: Vec<(&str, &str, &str)> =
        element.attrs().iter().map(|a| (a.ns.as_str(), a.name.as_str(), a.value.as_str())).collect();
    attrs.sort_unstable();
    for (ns, name, value) in attrs {
        text("@", ns, out);
        text("", name, out);
        text("", value, out);
    }
    let mut in_text = false;
    for node in element.nodes() {
        match node {
            Node::Text(said) if said.is_empty() => {}
            Node::Text(said) => {
                // What stands together is one text, however it was read.
                out.extend(if in_text { "" } else { "'" }.bytes());
                out.extend(said.bytes());
                in_text = true;
            }
            Node::Element(child) => {
                end_text(&mut in_text, out);
                write(child, out);
            }
        }
    }
    end_text(&mut in_text, out);
    out.push(b')');
}

fn end_text(in_text: &mut bool, out: &mut Vec<u8>) {
    if std::mem::take(in_text) {
        out.push(0);
    }
}

/// A zero byte ends it; there is none in XML.
fn text(mark: &str, said: &str, out: &mut Vec<u8>) {
    out.extend(mark.bytes());
    out.extend(said.bytes());
    out.push(0);
}

/// Whether a child of an occupant's presence is part of what its user says.
pub(crate) fn is_said(child: &Element) -> bool {
    !matches!(child.ns(), ns::MUC_USER | ns::OCCUPANT_ID)
}
