//! XEP-0425: once a client has been told that a message is taken back, no archive gives it its text any more, its own site's neither.

use super::Evidence;
use super::people::domain;
use crate::users::stays::{RETRACT, body_of};
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    // By client: the ids that were taken back, and the queries it has asked since, with how many had been by then.
    let mut known: BTreeMap<&str, (Vec<String>, BTreeMap<&str, usize>)> = BTreeMap::new();
    let undone = evidence.undone();
    for telling in &evidence.tape.tellings {
        let (gone, asked) = known.entry(&telling.who).or_default();
        match &telling.what {
            Scene::Sent(stanza) => {
                let query = stanza.get_child("query", ns::MAM).and_then(|query| query.get("queryid"));
                asked.extend(query.map(|query| (query, gone.len())));
            }
            Scene::Received(stanza) => {
                gone.extend(
                    stanza.get_child("retract", RETRACT).and_then(|retract| retract.get("id")).map(str::to_owned),
                );
                let shown = stanza.get_child("result", ns::MAM).and_then(row);
                if let Some((query, id, text)) = shown
                    && gone.iter().take(asked.get(query).copied().unwrap_or_default()).any(|gone| gone == id)
                    && !evidence.tape.set_back.iter().any(|lost| lost.domain == domain(&telling.who))
                    && !undone.contains(id)
                {
                    return Err(format!("{} was given {text:?} ({id}) at {}", telling.who, telling.at_ms));
                }
            }
            Scene::Connected | Scene::Ended => {}
        }
    }
    Ok(())
}

impl<'a> Evidence<'a> {
    /// What was taken back and is said again, since the room has gone on with a copy of its disk of before.
    pub(super) fn undone(&self) -> BTreeSet<&'a str> {
        let rooms = self.room.domain();
        let is_lost = |at_ms: u64| self.tape.set_back.iter().any(|s| s.domain == rooms && s.has_lost(at_ms));
        let told = self.tape.crossings.iter().filter(|crossing| crossing.from == rooms && is_lost(crossing.at_ms));
        told.filter_map(|crossing| crossing.stanza.get_child("retract", RETRACT)?.get("id")).collect()
    }
}

/// Of a row: which query it answers, its id, and its text, if any.
fn row(result: &Element) -> Option<(&str, &str, String)> {
    let message = result.get_child("forwarded", ns::FORWARD)?.get_child("message", ns::CLIENT)?;
    Some((result.get("queryid")?, result.get("id")?, body_of(message)?))
}
