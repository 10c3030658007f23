//! What somebody said who stayed to the end has come back or was refused, never both and never more than once. An error
//! may be lost with a stream: nobody keeps it.

use super::Evidence;
use super::fates::Fates;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let fates = Fates::of(evidence);
    for stay in evidence.stays {
        for (id, body) in &stay.said {
            let reflected = stay.reflected.iter().filter(|other| *other == id).count();
            let refused = stay.refused.iter().filter(|(other, _)| other == id).count();
            if reflected > 1 {
                return Err(format!("{body:?} came back to {} {reflected} times", stay.who));
            }
            if reflected + refused > 1 {
                return Err(format!("{body:?} of {} came back and was refused: {:?}", stay.who, stay.refused));
            }
            let answered = reflected + refused > 0 || fates.is_refused(body) || was_taken_back(evidence, body);
            if stay.to_ms.is_none() && !answered && !evidence.is_excused(stay) {
                return Err(format!("{body:?} of {} was never answered for", stay.who));
            }
        }
    }
    Ok(())
}

/// Whether others have heard it and a moderator has had it taken back: whoever missed it is not sent it any more (XEP-0425).
fn was_taken_back(evidence: &Evidence<'_>, body: &str) -> bool {
    let heard = evidence.stays.iter().flat_map(|stay| &stay.heard).filter(|(_, heard)| heard == body);
    heard.into_iter().any(|(id, _)| evidence.archive.iter().any(|row| row.id == *id && row.body.is_none()))
}
