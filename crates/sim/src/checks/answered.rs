//! Protocol property P10, in the end: who believes to be in the room is, as the room tells him when he asks it (XEP-0410); and who
//! has asked to enter was answered.

use super::Evidence;
use super::people::domain;
use crate::users::view::has_status;
use crate::world::Scene;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

/// What a client has asked and not been answered.
#[derive(Default)]
struct Asked {
    /// When it asked to enter.
    join_ms: Option<u64>,
    /// The id of its last ping of itself, and whether the answer was that it is in.
    ping: Option<(String, Option<bool>)>,
}

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut clients: BTreeMap<&str, Asked> = BTreeMap::new();
    for telling in &evidence.tape.tellings {
        let asked = clients.entry(&telling.who).or_default();
        match &telling.what {
            Scene::Connected | Scene::Ended => *asked = Asked::default(),
            Scene::Sent(stanza) => sent(asked, stanza, telling.at_ms),
            Scene::Received(stanza) => received(asked, stanza),
        }
    }
    for (who, asked) in clients {
        let is_in = evidence.views.get(who).is_some_and(|view| view.me.is_some());
        let pinged = asked.ping.as_ref().and_then(|(_, answer)| *answer);
        if is_in && pinged != Some(true) {
            return Err(format!("{who} believes to be in, and the answer to its ping was {pinged:?}"));
        }
        // Plain XEP-0045 promises nothing over a stream that was disturbed.
        let lost = |at_ms: u64| evidence.disturbed.iter().any(|(site, _, to)| site == domain(who) && *to >= at_ms);
        if let Some(at_ms) = asked.join_ms.filter(|at_ms| !is_in && !lost(*at_ms)) {
            return Err(format!("{who} asked at {at_ms} to enter and was never answered"));
        }
    }
    Ok(())
}

fn sent(asked: &mut Asked, stanza: &Element, at_ms: u64) {
    if stanza.name() == "presence" && stanza.has_child("x", ns::MUC) {
        asked.join_ms = Some(at_ms);
    } else if stanza.name() == "presence" && stanza.get("type") == Some("unavailable") {
        asked.join_ms = None;
    } else if stanza.has_child("ping", ns::PING) {
        asked.ping = stanza.get("id").map(|id| (id.to_owned(), None));
    }
}

fn received(asked: &mut Asked, stanza: &Element) {
    let own = has_status(stanza, "110") || stanza.get("type") == Some("error");
    if stanza.name() == "presence" && own {
        asked.join_ms = None;
    }
    if let Some((_, answer)) = asked.ping.as_mut().filter(|(id, _)| stanza.get("id") == Some(id.as_str())) {
        *answer = Some(stanza.get("type") == Some("result"));
    }
}
