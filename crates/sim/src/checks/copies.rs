//! XEP-0282 4.9: one copy of each event crosses to a replica, whatever the number of users behind it.

use super::Evidence;
use std::collections::BTreeSet;
use xmpp::ns;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for crossing in evidence.tape.crossings.iter().filter(|c| c.from == evidence.room.domain()) {
        let at = crossing.stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
        let Some(at) = at.filter(|at| at.get("kind") == Some("event")) else { continue };
        let told = |name| at.get(name).unwrap_or_default().to_owned();
        let key = (crossing.to.clone(), told("epoch"), told("seq"), told("part"));
        if !seen.insert(key) {
            return Err(format!("a second copy to {}: {}", crossing.to, crossing.stanza));
        }
    }
    Ok(())
}
