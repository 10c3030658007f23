//! Every message reflected to its author, and every message anybody was sent, is in the primary's archive exactly once.

use super::Evidence;
use super::delivered::site_of;
use crate::users::stays::Stay;
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, usize> = BTreeMap::new();
    for row in evidence.archive {
        *ids.entry(&row.id).or_default() += 1;
        if let Some(body) = &row.body {
            *bodies.entry(body).or_default() += 1;
        }
    }
    if let Some((body, times)) = bodies.iter().find(|(_, times)| **times > 1) {
        return Err(format!("{body:?} is in the archive {times} times"));
    }
    let former = evidence.of_former_rooms();
    for stay in evidence.stays {
        for (id, body) in stay.heard.iter().filter(|(_, body)| !former.contains(body)) {
            if stay.left_split && stay.ahead.contains(id) {
                // What was refused later of what it heard on its island it was not there to be told.
                continue;
            }
            if stay.to_ms.is_some() && (stay.ahead.contains(id) || is_unheard(evidence, stay, body)) {
                // Refused after it had left.
                continue;
            }
            match ids.get(id.as_str()) {
                Some(1) => {}
                times => return Err(format!("{} was sent {body:?} ({id}), in the archive {times:?} times", stay.who)),
            }
        }
        for (_, body) in stay.said.iter().filter(|(id, _)| stay.reflected.contains(id) && stay.ahead.is_empty()) {
            let gone = former.contains(body) || is_tombstone(evidence, stay, body);
            if bodies.get(body.as_str()) != Some(&1) && !gone {
                return Err(format!("{body:?} came back to {} and is not in the archive", stay.who));
            }
        }
    }
    Ok(())
}

/// Whether a moderator has had it taken back: its place is in the archive, its text is not.
fn is_tombstone(evidence: &Evidence<'_>, stay: &Stay, body: &str) -> bool {
    let ids = stay.heard.iter().filter(|(_, heard)| heard == body).map(|(id, _)| id);
    ids.into_iter().any(|id| evidence.archive.iter().any(|row| row.id == *id && row.body.is_none()))
}

/// Whether something was said at a stay's own site by somebody who was told that it failed, or has gone since: an island may
/// have shown it, and the room not taken it.
fn is_unheard(evidence: &Evidence<'_>, stay: &Stay, body: &str) -> bool {
    let mut authors = evidence.stays.iter().filter(|author| site_of(&author.who) == site_of(&stay.who));
    authors.any(|author| {
        let said = author.said.iter().find(|(_, said)| said == body);
        said.is_some_and(|(id, _)| author.to_ms.is_some() || author.refused.iter().any(|(other, _)| other == id))
    })
}
