//! XEP-0425: once a client has been told that a message is taken back, no archive gives it its text any more, its own site's neither.

use super::Evidence;
use super::people::domain;
use crate::users::stays::{RETRACT, body_of};
use crate::world::Scene;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    // By client: the ids that were taken back, and the queries it has asked since, with how many had been by then.
    let mut known: BTreeMap<&str, (Vec<String>, BTreeMap<&str, usize>)> = BTreeMap::new();
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
                    && !evidence.set_back.iter().any(|lost| lost.domain == domain(&telling.who))
                {
                    return Err(format!("{} was given {text:?} ({id}) at {}", telling.who, telling.at_ms));
                }
            }
            Scene::Connected | Scene::Ended => {}
        }
    }
    Ok(())
}

/// Of a row: which query it answers, its id, and its text, if any.
fn row(result: &Element) -> Option<(&str, &str, String)> {
    let message = result.get_child("forwarded", ns::FORWARD)?.get_child("message", ns::CLIENT)?;
    Some((result.get("queryid")?, result.get("id")?, body_of(message)?))
}
