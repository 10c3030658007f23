//! XEP-0045 7.2.15 and 8.1: in the end all who are in have the same subject, whichever way they came to know it.

use super::Evidence;
use crate::users::stays::body_of;
use crate::world::Scene;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut last: BTreeMap<&str, String> = BTreeMap::new();
    for telling in &evidence.tape.tellings {
        match &telling.what {
            Scene::Connected | Scene::Ended => drop(last.remove(telling.who.as_str())),
            Scene::Sent(_) => {}
            Scene::Received(stanza) => {
                last.extend(subject_of(stanza).map(|subject| (&*telling.who, subject)));
            }
        }
    }
    let stays = evidence.stays.iter().filter(|stay| stay.to_ms.is_none() && !evidence.is_excused(stay));
    let mut known: Option<(&str, Option<&String>)> = None;
    for stay in stays {
        let subject = last.get(stay.who.as_str());
        let (other, as_told) = *known.get_or_insert((&stay.who, subject));
        if as_told != subject {
            return Err(format!("it is {as_told:?} to {other} and {subject:?} to {}", stay.who));
        }
    }
    Ok(())
}

/// The subject that a message says the room has.
fn subject_of(stanza: &Element) -> Option<String> {
    let told = stanza.name() == "message" && stanza.get("type") == Some("groupchat") && body_of(stanza).is_none();
    stanza.get_child("subject", ns::CLIENT).filter(|_| told).map(Element::content)
}
