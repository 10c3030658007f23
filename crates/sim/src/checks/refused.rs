//! Protocol 4.2 and 5.5: what a replica has relayed it keeps until it has had its outcome. Whoever is told of that by his own site hears
//! no more than the room has decided: not that the room was not reached, which is the site's to make good, and not that the room
//! has refused what it never did.

use super::Evidence;
use super::people::domain;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::ns;

/// A message, by the full address of its author and by what that calls it.
type Named<'a> = (&'a str, &'a str);

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let (relayed, refused) = said_on_links(evidence);
    for stay in evidence.stays {
        for (id, why) in &stay.refused {
            let named = (&*stay.who, &**id);
            let Some(first_ms) = relayed.get(&named) else { continue };
            if UNREACHED.contains(&&**why) {
                return Err(format!("{} was told {why} of {id}, which his site had relayed", stay.who));
            }
            let lost = |(domain, when): &(String, u64)| domain == evidence.room.domain() && when >= first_ms;
            if why == "undefined-condition" && !refused.contains(&named) && !evidence.crashed.iter().any(lost) {
                return Err(format!("{} was told that the room did not take {id}, which it has not refused", stay.who));
            }
        }
    }
    Ok(())
}

/// What replicas have relayed, and when first; and what the room has said an error of, heard or not.
fn said_on_links<'a>(evidence: &Evidence<'a>) -> (BTreeMap<Named<'a>, u64>, BTreeSet<Named<'a>>) {
    let (mut relayed, mut refused, mut granted) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for crossing in &evidence.tape.crossings {
        if crossing.stanza.has_child("granted", ns::NETJOIN) {
            granted.insert(&*crossing.to);
        }
    }
    for crossing in evidence.tape.crossings.iter().filter(|crossing| crossing.stanza.name() == "message") {
        let stanza = &crossing.stanza;
        let Some(id) = stanza.get("id") else { continue };
        let is_relayed = stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("up", ns::NETJOIN));
        if crossing.from == evidence.room.domain() {
            if let Some(to) = stanza.get("to").filter(|_| stanza.get("type") == Some("error")) {
                refused.insert((to, id));
            }
        } else if let Some(from) = stanza.get("from").filter(|from| is_relayed && granted.contains(domain(from))) {
            relayed.entry((from, id)).or_insert(crossing.at_ms);
        }
    }
    (relayed, refused)
}

/// Conditions by which a server says that it could not pass something on.
const UNREACHED: [&str; 3] = ["remote-server-not-found", "remote-server-timeout", "recipient-unavailable"];
