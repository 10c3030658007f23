//! XEP-0282 2: nothing of either namespace reaches a client, nor what a client forges in the room's name.

use super::Evidence;
use crate::world::Scene;
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    for telling in &evidence.tape.tellings {
        if let Scene::Received(stanza) = &telling.what {
            // An error gives back what its receiver has sent himself (RFC 6120 8.3.1).
            if stanza.get("type") == Some("error") {
                continue;
            }
            if has(stanza, &|e| matches!(e.ns(), ns::DMUC | ns::NETJOIN)) {
                return Err(format!("{} was sent {stanza}", telling.who));
            }
            if has(stanza, &|e| e.get("id") == Some("forged")) {
                return Err(format!("{} was sent what was forged: {stanza}", telling.who));
            }
        }
    }
    Ok(())
}

fn has(element: &Element, is: &dyn Fn(&Element) -> bool) -> bool {
    is(element) || element.children().any(|child| has(child, is))
}
