//! XEP-0045 9.1: who is banned is not in the room, as nobody sees better than he.

use super::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    for (who, view) in evidence.views {
        let bare = who.split('/').next().unwrap_or_default();
        if view.me.is_some() && evidence.banned.iter().any(|banned| banned == bare) {
            return Err(format!("{who} is banned and in the room as {:?}", view.me));
        }
    }
    Ok(())
}
