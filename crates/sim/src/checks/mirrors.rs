//! A mirror is as the room is: no digest shows another roster than the site has, unless the world itself has altered what the site
//! was told.

use super::Evidence;
use super::people::domain;
use xmpp::ns;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    for crossing in &evidence.tape.crossings {
        let asked = crossing.stanza.get_child("replicate", ns::NETJOIN);
        let roster = asked.and_then(|asked| asked.get_child("resume", ns::NETJOIN)?.get("roster"));
        if roster == Some("full") && !evidence.tape.altered.contains(domain(&crossing.from)) {
            return Err(format!("{} finds at {} that its is not", crossing.from, crossing.at_ms));
        }
    }
    Ok(())
}
