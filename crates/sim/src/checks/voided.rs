//! Protocol property P8: what somebody said who had been removed, on an island that did not know, is not in the archive.

use super::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let archived = |body: &String| evidence.archive.iter().any(|row| row.body.as_ref() == Some(body));
    match evidence.void.iter().find(|(body, _)| archived(body)) {
        Some((body, why)) => Err(format!("{body:?} is in the archive: {why}")),
        None => Ok(()),
    }
}
