//! Protocol property P8, XEP-0045 9.1: who is banned in the end is not in the room, as nobody sees better than he.

use super::Evidence;
use super::people::bare;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    for (who, view) in evidence.views {
        if view.me.is_some() && evidence.banned.iter().any(|banned| banned == bare(who)) {
            return Err(format!("{who} is banned and in the room as {:?}", view.me));
        }
    }
    Ok(())
}
