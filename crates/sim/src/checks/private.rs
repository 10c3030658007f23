//! Protocol property P5, XEP-0045 7.5: a private message is sent to whoever has the nickname it is for, and to nobody else. Where his
//! client is gone by the time it comes, his server gives it to another of his (RFC 6121 8.5.3.2.1), whatever that one is called.

use super::Evidence;
use crate::address::resource;
use crate::users::stays::body_of;
use crate::users::view::View;
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::Element;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut nicks: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut views: BTreeMap<&str, View> = BTreeMap::new();
    // Whom what was said is for, by its text: each is said but once.
    let mut meant: BTreeMap<String, &str> = BTreeMap::new();
    // Who was sent what, and who was there.
    let mut received: Vec<(&str, String, BTreeSet<&str>)> = Vec::new();
    let mut connected: BTreeSet<&str> = BTreeSet::new();
    for telling in &evidence.tape.tellings {
        let had = nicks.entry(&telling.who).or_default();
        match &telling.what {
            Scene::Connected | Scene::Ended => {
                views.remove(telling.who.as_str());
                match telling.what {
                    Scene::Connected => connected.insert(&telling.who),
                    _ => connected.remove(telling.who.as_str()),
                };
            }
            Scene::Sent(stanza) => {
                let nick = stanza.get("to").and_then(resource);
                had.extend(nick.filter(|_| stanza.name() == "presence").map(str::to_owned));
                meant.extend(private(stanza).zip(nick));
            }
            Scene::Received(stanza) => {
                let view = views.entry(&telling.who).or_insert_with(|| View::own(evidence.room));
                view.hear(stanza);
                had.extend(view.me.clone());
                received.extend(private(stanza).map(|body| (&*telling.who, body, connected.clone())));
            }
        }
    }
    let is_his = |who: &str, nick: &str| nicks.get(who).is_some_and(|nicks| nicks.contains(nick));
    for (who, body, connected) in &received {
        let Some(nick) = meant.get(body) else { continue };
        let is_gone = |other: &str| account(other) == account(who) && !connected.contains(other);
        if !is_his(who, nick) && !nicks.keys().any(|other| is_gone(other) && is_his(other, nick)) {
            return Err(format!("{who} was sent {body:?}, which is for {nick}"));
        }
    }
    Ok(())
}

/// Whose client it is: the bare address.
fn account(who: &str) -> &str {
    who.split_once('/').map_or(who, |(account, _)| account)
}

/// The text of a private message.
fn private(stanza: &Element) -> Option<String> {
    body_of(stanza).filter(|_| stanza.name() == "message" && stanza.get("type") == Some("chat"))
}
