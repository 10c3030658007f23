//! From entering to leaving, and what was said meanwhile, as a client's own record has it.

use super::JOIN;
use super::view::{News, View, condition};
use crate::address::bare;
use crate::world::{Scene, Tape};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// A client's time in the room.
#[derive(Debug, Clone)]
pub struct Stay {
    /// The client.
    pub who: String,
    /// When it learned that it was in.
    pub from_ms: u64,
    /// When it learned that it was out, asked to leave, or its stream ended; `None` while it lasts.
    pub to_ms: Option<u64>,
    /// Messages it was sent, history first: (stanza-id, body).
    pub heard: Vec<(String, String)>,
    /// What it said: (id, body).
    pub said: Vec<(String, String)>,
    /// Ids of what it said that came back to it.
    pub reflected: Vec<String>,
    /// Ids of what it said that was refused: (id, condition).
    pub refused: Vec<(String, String)>,
    /// Ids of what it heard while it was told that the room was not reached: of its own site, ahead of the others.
    pub ahead: Vec<String>,
    /// Whether it came while the room was not reached, and so to the end of what its own site had said.
    pub came_split: bool,
    /// Whether it was not told, to its end, that the room was reached again.
    pub left_split: bool,
}

/// All stays of all clients in a room.
pub fn stays(tape: &Tape, room: &Jid) -> Vec<Stay> {
    let mut clients: BTreeMap<&str, (View, Option<Stay>)> = BTreeMap::new();
    let mut done = Vec::new();
    for telling in &tape.tellings {
        let (view, stay) = clients.entry(&telling.who).or_insert_with(|| (View::of(room), None));
        let at_ms = telling.at_ms;
        match &telling.what {
            Scene::Connected | Scene::Ended => {
                *view = View::of(room);
                end(stay, at_ms, &mut done);
            }
            Scene::Sent(stanza) => {
                if let Some(stay) = stay {
                    sent(stay, stanza, room, at_ms);
                }
            }
            Scene::Received(stanza) => match view.hear(stanza) {
                Some(News::Left(_)) => end(stay, at_ms, &mut done),
                // Presence that answers a join, not a change of one's own.
                Some(News::Entered) if stay.is_none() || stanza.get("id").is_some_and(|id| id.starts_with(JOIN)) => {
                    end(stay, at_ms, &mut done);
                    *stay = Some(Stay::new(&telling.who, at_ms));
                }
                _ => {
                    if let Some(stay) = stay {
                        received(stay, stanza, room, at_ms);
                    }
                }
            },
        }
    }
    done.extend(clients.into_values().filter_map(|(_, stay)| stay));
    done
}

impl Stay {
    fn new(who: &str, from_ms: u64) -> Stay {
        Stay {
            who: who.to_owned(),
            from_ms,
            to_ms: None,
            heard: Vec::new(),
            said: Vec::new(),
            reflected: Vec::new(),
            refused: Vec::new(),
            ahead: Vec::new(),
            came_split: false,
            left_split: false,
        }
    }
}

fn end(stay: &mut Option<Stay>, at_ms: u64, done: &mut Vec<Stay>) {
    if let Some(mut stay) = stay.take() {
        stay.to_ms = stay.to_ms.or(Some(at_ms));
        done.push(stay);
    }
}

fn sent(stay: &mut Stay, stanza: &Element, room: &Jid, at_ms: u64) {
    let to_room = stanza.get("to").is_some_and(|to| bare(to) == room.as_str());
    match (stanza.name(), stanza.get("type")) {
        ("presence", Some("unavailable")) if to_room || stanza.get("to").is_none() => {
            stay.to_ms = stay.to_ms.or(Some(at_ms));
        }
        ("message", Some("groupchat")) if to_room => {
            if let (Some(id), Some(body)) = (stanza.get("id"), body_of(stanza)) {
                stay.said.push((id.to_owned(), body));
            }
        }
        _ => {}
    }
}

fn received(stay: &mut Stay, stanza: &Element, room: &Jid, at_ms: u64) {
    if stanza.name() != "message" || !stanza.get("from").is_some_and(|from| from.starts_with(room.as_str())) {
        return;
    }
    if let Some(retract) = stanza.get_child("retract", RETRACT) {
        // One that a moderator has taken back was said, and is in the archive as one that was.
        let moderated = retract.get_child("moderated", ns::MODERATE);
        if moderated.is_some_and(|moderated| moderated.get("by") == Some(room.as_str())) {
            retracted(stay, retract.get("id").unwrap_or_default());
        }
        return;
    }
    if stanza.get("from") == Some(room.as_str())
        && stanza.get("type") == Some("groupchat")
        && let Some(body) = body_of(stanza)
    {
        // The room itself speaks.
        if body.contains("not reached any more") {
            (stay.came_split, stay.left_split) = (stay.came_split || at_ms == stay.from_ms, true);
        } else if body.contains("reached again") {
            stay.left_split = false;
        }
        return;
    }
    if stay.to_ms.is_some() {
        // It has asked to leave; nothing is promised to it from then on.
        return;
    }
    let own = stanza.get("id").filter(|id| stay.said.iter().any(|(said, _)| said == id)).map(str::to_owned);
    match (stanza.get("type"), own) {
        (Some("error"), Some(id)) => stay.refused.push((id, condition(stanza))),
        (Some("groupchat"), own) => {
            let Some(body) = body_of(stanza) else { return };
            stay.reflected.extend(own.filter(|id| stay.said.contains(&(id.clone(), body.clone()))));
            let stanza_id = stanza_id(stanza, room).unwrap_or_default().to_owned();
            stay.ahead.extend(stay.left_split.then(|| stanza_id.clone()));
            stay.heard.push((stanza_id, body));
        }
        _ => {}
    }
}

/// The room has taken back what its site had shown (XEP-0425).
fn retracted(stay: &mut Stay, id: &str) {
    let Some(at) = stay.heard.iter().position(|(heard, _)| heard == id) else { return };
    let (_, body) = stay.heard.remove(at);
    let said = stay.said.iter().find(|(_, said)| *said == body).map(|(id, _)| id.clone());
    stay.reflected.retain(|id| Some(id) != said.as_ref());
}

/// XEP-0424.
pub(crate) const RETRACT: &str = "urn:xmpp:message-retract:1";

/// The id the room gave a message, XEP-0359.
pub fn stanza_id<'a>(stanza: &'a Element, room: &Jid) -> Option<&'a str> {
    let ids = stanza.children().filter(|c| c.is("stanza-id", ns::SID));
    ids.filter(|c| c.get("by") == Some(room.as_str())).last()?.get("id")
}

/// The text of a message.
pub fn body_of(stanza: &Element) -> Option<String> {
    stanza.get_child("body", ns::CLIENT).map(Element::content)
}
