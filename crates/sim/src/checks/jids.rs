//! XEP-0045 4.2: in a semi-anonymous room nobody but moderators is sent the real address of another.

use super::Evidence;
use super::people::{address_in, bare, domain};
use crate::users::stays::body_of;
use crate::users::view::{News, View, has_status};
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

/// What is known of a client.
struct Client<'a> {
    view: View,
    /// Whether it has asked to enter and was not answered yet: should what it was told of a former time of its be out of date, the room
    /// having removed it by a word that was lost, the roster for its new one comes before its new role.
    enters: bool,
    /// What it was sent on entering: when, and the stanza.
    entering: Vec<(u64, &'a Element)>,
}

impl Client<'_> {
    fn of(evidence: &Evidence<'_>) -> Self {
        Client { view: View::own(evidence.room), enters: false, entering: Vec::new() }
    }
}

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    if !evidence.semi_anonymous {
        return Ok(());
    }
    let all: BTreeSet<&str> = evidence.tape.tellings.iter().map(|telling| bare(&telling.who)).collect();
    let mut clients: BTreeMap<&str, Client<'_>> = BTreeMap::new();
    for telling in &evidence.tape.tellings {
        let client = clients.entry(&telling.who).or_insert_with(|| Client::of(evidence));
        let stanza = match &telling.what {
            Scene::Received(stanza) => stanza,
            Scene::Sent(stanza) => {
                client.enters |= stanza.has_child("x", ns::MUC);
                continue;
            }
            Scene::Connected | Scene::Ended => {
                *client = Client::of(evidence);
                continue;
            }
        };
        let Client { view, enters, entering } = client;
        let was_moderator = view.role() == Some(MODERATOR);
        *enters &= stanza.name() != "presence" || stanza.get("type") != Some("error");
        match view.hear(stanza) {
            Some(News::Left(_)) => {
                // What came before was for the client's time before, of which the room has only now seen the end.
                entering.clear();
                continue;
            }
            Some(News::Entered) => *enters = false,
            _ => {}
        }
        // An error gives back what its receiver has sent himself (RFC 6120 8.3.1). What the archive answers is the room's own word, past
        // whatever holds up the rest of what it says, and to who is outside as well: `powers` judges it.
        let from_room = stanza.get("from").is_some_and(|from| from.starts_with(evidence.room.as_str()));
        if !from_room || stanza.get("type") == Some("error") || stanza.has_child("result", ns::MAM) {
            continue;
        }
        if let Some(site) = named_by_room(evidence, stanza).find(|site| *site != domain(&telling.who)) {
            return Err(format!("{} was told of {site}: {stanza}", telling.who));
        }
        match view.role() {
            // Its role comes last of what an entrant is sent of others.
            None => entering.push((telling.at_ms, stanza)),
            Some(_) if *enters => entering.push((telling.at_ms, stanza)),
            Some(MODERATOR) => entering.clear(),
            Some(_) if was_moderator => entering.clear(),
            Some(_) => {
                for (at_ms, stanza) in entering.drain(..).chain([(telling.at_ms, stanza)]) {
                    let own = bare(&telling.who);
                    let others = || all.iter().copied().filter(|other| *other != own);
                    if let Some(seen) = address_in(stanza, others)
                        && !was_made_moderator(evidence, &telling.who, at_ms)
                    {
                        return Err(format!("{own} was sent the address of {seen}: {stanza}"));
                    }
                }
            }
        }
    }
    Ok(())
}

/// The sites that the room itself speaks of, whose names tell who is where.
fn named_by_room<'a>(evidence: &'a Evidence<'_>, stanza: &Element) -> impl Iterator<Item = &'a str> {
    let is_rooms = stanza.get("from") == Some(evidence.room.as_str());
    let said = body_of(stanza).filter(|_| is_rooms).unwrap_or_default();
    evidence.views.keys().map(|who| domain(who)).filter(move |site| said.contains(site))
}

/// Whether the last the room had said to a client itself of its own role was that, even if the word was lost on the way:
/// the role is the room's to give, and plain XEP-0045 says so but once.
fn was_made_moderator(evidence: &Evidence<'_>, who: &str, at_ms: u64) -> bool {
    let sent = evidence.tape.crossings.iter().rev().filter(|c| c.at_ms <= at_ms && c.stanza.get("to") == Some(who));
    let own = |stanza: &&Element| stanza.name() == "presence" && has_status(stanza, "110");
    let last = sent.map(|crossing| &crossing.stanza).find(own);
    last.and_then(item_of).and_then(|item| item.get("role")) == Some(MODERATOR)
}

fn item_of(presence: &Element) -> Option<&Element> {
    presence.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)
}

const MODERATOR: &str = "moderator";
