//! What a user's client is shown, in the story's terms.

use super::cast::ROOM;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

/// One stanza as a user sees it, in what matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sight {
    /// From whom: a nick, or empty for the room.
    pub from: String,
    /// What.
    pub what: What,
}

/// The kinds of stanza the story has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Somebody is there.
    Present(Shown),
    /// Somebody has gone, with status codes.
    Gone(Vec<u16>),
    /// Somebody says or said something; `true` when it is said to have been earlier.
    Message(String, bool),
    /// The subject.
    Subject(String),
    /// The room has another configuration, with status codes.
    Configured(Vec<u16>),
    /// The message with this text was none (XEP-0425).
    Retracted(String),
    /// Something was refused, with this condition.
    Refused(String),
}

/// How somebody is shown who is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// As in XEP-0045.
    pub affiliation: String,
    /// As in XEP-0045.
    pub role: String,
    /// The real address, where it is shown.
    pub jid: Option<String>,
    /// Status codes.
    pub codes: Vec<u16>,
    /// Whether he is shown away.
    pub away: bool,
}

/// What a client has been sent of the room, oldest first.
pub fn sights(received: &[Element]) -> Vec<Sight> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut sights = Vec::new();
    for stanza in received {
        let id = stanza.get_child("stanza-id", ns::SID).and_then(|id| id.get("id"));
        if let (Some(id), Some(body)) = (id, stanza.get_child("body", ns::CLIENT)) {
            texts.insert(id, body.content());
        }
        let mut sight = sight(stanza);
        if let Some(Sight { what: What::Retracted(id), .. }) = &mut sight {
            *id = texts.get(id.as_str()).cloned().unwrap_or_default();
        }
        sights.extend(sight);
    }
    sights
}

/// What one stanza is in the story's terms, a retracted message by its id; `None` for what is not of the room.
fn sight(stanza: &Element) -> Option<Sight> {
    let (room, nick) = match stanza.get("from")?.split_once('/') {
        Some((room, nick)) => (room, nick),
        None => (stanza.get("from")?, ""),
    };
    if room != ROOM || stanza.name() == "iq" {
        return None;
    }
    if stanza.get("type") == Some("error") {
        return Some(Sight { from: String::new(), what: What::Refused(condition(stanza)) });
    }
    let what = if stanza.name() == "presence" { presence(stanza)? } else { message(stanza)? };
    Some(Sight { from: nick.into(), what })
}

/// The condition of an error; empty when there is none.
pub fn condition(stanza: &Element) -> String {
    let mut conditions = stanza.get_child("error", ns::CLIENT).into_iter().flat_map(Element::children);
    conditions.find(|child| child.ns() == ns::STANZA_ERRORS).map_or_else(String::new, |child| child.name().into())
}

fn message(stanza: &Element) -> Option<What> {
    if let Some(body) = stanza.get_child("body", ns::CLIENT) {
        return Some(What::Message(body.content(), stanza.has_child("delay", ns::DELAY)));
    }
    if let Some(subject) = stanza.get_child("subject", ns::CLIENT) {
        return Some(What::Subject(subject.content()));
    }
    if let Some(retract) = stanza.get_child("retract", RETRACT) {
        return Some(What::Retracted(retract.get("id")?.into()));
    }
    Some(What::Configured(codes(stanza.get_child("x", ns::MUC_USER)?)))
}

fn presence(stanza: &Element) -> Option<What> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    if stanza.get("type") == Some("unavailable") {
        return Some(What::Gone(codes(x)));
    }
    let item = x.get_child("item", ns::MUC_USER)?;
    let text = |name| item.get(name).unwrap_or_default().to_owned();
    Some(What::Present(Shown {
        affiliation: text("affiliation"),
        role: text("role"),
        jid: item.get("jid").map(str::to_owned),
        codes: codes(x),
        away: stanza.get_child("show", ns::CLIENT).is_some_and(|show| show.content() == "away"),
    }))
}

fn codes(x: &Element) -> Vec<u16> {
    let mut codes: Vec<u16> = x.children().filter_map(|c| c.get("code")?.parse().ok()).collect();
    codes.sort_unstable();
    codes
}

/// Whether anything of the replicas' language is in a stanza that reached a client.
pub fn leaks(stanza: &Element) -> bool {
    matches!(stanza.ns(), ns::DMUC | ns::NETJOIN) || stanza.children().any(leaks)
}

/// XEP-0424, which XEP-0425 builds on.
const RETRACT: &str = "urn:xmpp:message-retract:1";
