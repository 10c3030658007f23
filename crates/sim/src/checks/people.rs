//! Who is who, by what the room and its users say: an occupant is a nickname with the occupant-id behind it (XEP-0421), and whose the
//! id is the room tells his own server.

use crate::address::resource;
pub(super) use crate::address::{bare, domain};
use crate::users::view::{self, has_status};
use crate::world::Crossing;
use std::collections::BTreeMap;
use xmpp::{Element, Node, ns};

/// An occupant as others can name him.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Occupant {
    pub nick: String,
    pub id: String,
}

impl Occupant {
    /// Whom a presence or a message of the room is about.
    pub fn of(stanza: &Element) -> Option<Occupant> {
        let nick = resource(stanza.get("from")?)?.to_owned();
        let id = stanza.get_child("occupant-id", ns::OCCUPANT_ID)?.get("id")?.to_owned();
        Some(Occupant { nick, id })
    }
}

/// Whose occupant-ids are whose: bare addresses.
#[derive(Debug, Default)]
pub(super) struct People {
    users: BTreeMap<String, String>,
    /// The last id that each user had: another life of the room gives others.
    ids: BTreeMap<String, String>,
}

impl People {
    /// The room tells a user's server, or himself, of him, or names him as a member.
    pub fn crossed(&mut self, crossing: &Crossing) {
        if let (Some(full), Some(occupant)) = (subject(&crossing.stanza), Occupant::of(&crossing.stanza)) {
            self.ids.insert(bare(full).to_owned(), occupant.id.clone());
            self.users.insert(occupant.id, bare(full).to_owned());
        }
        for member in members(&crossing.stanza).into_iter().flat_map(Element::children) {
            let (Some(user), Some(id)) = (member.get("jid"), member.get("occupant-id")) else { continue };
            self.ids.insert(user.to_owned(), id.to_owned());
            self.users.insert(id.to_owned(), user.to_owned());
        }
    }

    /// The user behind an occupant-id.
    pub fn user(&self, id: &str) -> Option<&str> {
        self.users.get(id).map(String::as_str)
    }

    /// The occupant-id of a user.
    pub fn id(&self, user: &str) -> Option<&str> {
        self.ids.get(user).map(String::as_str)
    }
}

/// To which session this is what it gets of itself: by ENTER or LEAVE, or directly.
pub(super) fn subject(stanza: &Element) -> Option<&str> {
    if stanza.name() != "presence" || stanza.get("type") == Some("error") {
        return None;
    }
    let x = between_servers(stanza);
    let inner = x.and_then(|x| x.get_child("enter", ns::DMUC).or_else(|| x.get_child("leave", ns::DMUC)));
    let own = || has_status(stanza, "110");
    inner.and_then(|inner| inner.get("jid")).or_else(|| stanza.get("to").filter(|_| x.is_none() && own()))
}

/// The item of muc#user, with affiliation and role.
pub(super) fn item(stanza: &Element) -> Option<&Element> {
    stanza.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)
}

/// Which users of a site may enter there while it is cut off, as the room names them.
pub(super) fn members(stanza: &Element) -> Option<&Element> {
    between_servers(stanza)?.get_child("members", ns::NETJOIN)
}

/// What a stanza down the link is, `docs/wire.md`.
pub(super) fn kind(stanza: &Element) -> Option<&str> {
    at(stanza)?.get("kind")
}

/// The marks of a stanza down the link.
pub(super) fn at(stanza: &Element) -> Option<&Element> {
    between_servers(stanza)?.get_child("at", ns::NETJOIN)
}

/// The first of these addresses that is said anywhere in an element: in an attribute or in text.
pub(super) fn address_in<'a, I: Iterator<Item = &'a str>>(
    element: &Element,
    of: impl Fn() -> I + Copy,
) -> Option<&'a str> {
    let said =
        |text: &str| text.bytes().any(|byte| byte == b'@').then(|| of().find(|address| text.contains(address)))?;
    let in_node = |node: &Node| match node {
        Node::Element(child) => address_in(child, of),
        Node::Text(text) => said(text),
    };
    element.attrs().iter().find_map(|attr| said(&attr.value)).or_else(|| element.nodes().iter().find_map(in_node))
}

/// What servers say to each other in a stanza. An error says nothing by what it gives back: that is its receiver's own (RFC 6120
/// 8.3.1), who may have made it up, and a server that knows none of this passes it on.
pub(super) fn between_servers(stanza: &Element) -> Option<&Element> {
    stanza.get_child("x", ns::DMUC).filter(|_| stanza.get("type") != Some("error"))
}

/// Whether the room, or a former life of it, ends by this: for those who were in, or for a site that asks for it.
pub(super) fn is_destroyed(stanza: &Element) -> bool {
    let error = stanza.get_child("error", ns::CLIENT).filter(|_| stanza.name() == "iq");
    view::is_destroyed(stanza) || error.is_some_and(|error| error.has_child("destroyed", ns::NETJOIN))
}
