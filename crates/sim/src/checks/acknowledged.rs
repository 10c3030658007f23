//! Every message reflected to its author, and every message anybody was sent, is in the primary's archive exactly once.

use super::Evidence;
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
    for stay in evidence.stays {
        for (id, body) in &stay.heard {
            match ids.get(id.as_str()) {
                Some(1) => {}
                times => return Err(format!("{} was sent {body:?} ({id}), in the archive {times:?} times", stay.who)),
            }
        }
        for (_, body) in stay.said.iter().filter(|(id, _)| stay.reflected.contains(id)) {
            if bodies.get(body.as_str()) != Some(&1) {
                return Err(format!("{body:?} came back to {} and is not in the archive", stay.who));
            }
        }
    }
    Ok(())
}
