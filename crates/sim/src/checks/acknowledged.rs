//! Protocol property P1: every message reflected to its author, and every message anybody was sent, is in the primary's archive exactly
//! once, or was refused. What was shown and refused is taken back from those who are still there (protocol 5.5).

use super::Evidence;
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
    let (fates, former) = (evidence.fates(), evidence.of_former_rooms());
    for stay in evidence.stays {
        let excuse = |body: &String| {
            let refused = stay.to_ms.is_some() && fates.is_refused(body);
            let lost = fates.is_lost_with_disk(body) || fates.is_lost_with_room(body);
            refused || lost || former.contains(body)
        };
        for (id, body) in &stay.heard {
            let times = ids.get(id.as_str()).copied().unwrap_or_default();
            if times != 1 && !(times == 0 && excuse(body)) {
                return Err(format!("{} was sent {body:?} ({id}), in the archive {times} times", stay.who));
            }
        }
        for (_, body) in stay.said.iter().filter(|(id, _)| stay.reflected.contains(id)) {
            if bodies.get(body.as_str()) != Some(&1) && !excuse(body) && !is_tombstone(evidence, stay, body) {
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
