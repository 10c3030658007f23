//! XEP-0282 4.11.1: whoever is in the room at a site that is cut off hears what is said there, when its author does.

use super::Evidence;
use super::people::domain;
use crate::users::stays::{Stay, stanza_id};
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let received = received(evidence);
    let mut authored: BTreeSet<(&str, &str, u64)> = BTreeSet::new();
    for author in evidence.stays {
        for (id, _) in author.heard.iter().filter(|(id, body)| author.ahead.contains(id) && said(author, body)) {
            let first = received.get(&(&*author.who, &**id)).and_then(|times| times.first());
            authored.extend(first.map(|at_ms| (domain(&author.who), &**id, *at_ms)));
        }
    }
    for (site, id, at_ms) in authored {
        let there = |stay: &&Stay| stay.from_ms < at_ms && stay.to_ms.is_none_or(|to_ms| to_ms > at_ms);
        let there = evidence.stays.iter().filter(|stay| domain(&stay.who) == site).filter(there);
        for stay in there.filter(|stay| !evidence.was_direct(stay)) {
            let times = received.get(&(&*stay.who, id)).into_iter().flatten();
            if !times.clone().any(|at| (stay.from_ms..=at_ms).contains(at)) {
                return Err(format!("{} since {} did not hear {id} at {at_ms}", stay.who, stay.from_ms));
            }
        }
    }
    Ok(())
}

fn said(author: &Stay, body: &str) -> bool {
    author.said.iter().any(|(_, said)| said == body)
}

/// When each client was sent which message, by its stanza-id.
fn received<'a>(evidence: &Evidence<'a>) -> BTreeMap<(&'a str, &'a str), Vec<u64>> {
    let mut received: BTreeMap<(&'a str, &'a str), Vec<u64>> = BTreeMap::new();
    for telling in &evidence.tape.tellings {
        if let Scene::Received(stanza) = &telling.what
            && stanza.name() == "message"
            && let Some(id) = stanza_id(stanza, evidence.room)
        {
            received.entry((&telling.who, id)).or_default().push(telling.at_ms);
        }
    }
    received
}
