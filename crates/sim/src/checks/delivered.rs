//! Who was there was sent every message of that time exactly once, in the order of the archive: what a stay heard is a
//! run of the archive without holes, from as far back as its history went, and lasts to its end when the stay does.

use super::Evidence;
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let messages: Vec<&str> = evidence.archive.iter().filter(|row| row.body.is_some()).map(|row| &*row.id).collect();
    let places: BTreeMap<&str, usize> = messages.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    for stay in evidence.stays.iter().filter(|stay| !evidence.is_excused(stay)) {
        let mut last: Option<usize> = None;
        for (id, body) in &stay.heard {
            // What is not in the archive is for another check to tell.
            let Some(&place) = places.get(id.as_str()) else { continue };
            if let Some(last) = last.filter(|last| last + 1 != place) {
                let missing = messages.get(last + 1..place).unwrap_or_default().len();
                let how = if place <= last { "again or out of order".to_owned() } else { format!("{missing} missing") };
                return Err(format!("{} since {}: {how} at {body:?} ({id})", stay.who, stay.from_ms));
            }
            last = Some(place);
        }
        if stay.to_ms.is_none() && last.map_or(0, |last| last + 1) != messages.len() {
            return Err(format!("{} since {}: has not heard the end", stay.who, stay.from_ms));
        }
    }
    Ok(())
}
