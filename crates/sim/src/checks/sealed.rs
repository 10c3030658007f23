//! Protocol property P5, XEP-0282 2: nothing of either namespace reaches a client, nor what a client forges in the room's name.

use super::people::People;
use super::watch::Watch;
use crate::world::{Scene, Telling};
use xmpp::{Element, ns};

pub(super) struct Sealed;

impl Watch for Sealed {
    fn told(&mut self, telling: &Telling, _: usize, _: &People) -> Result<(), String> {
        // An error gives back what its receiver has sent himself (RFC 6120 8.3.1).
        let Scene::Received(stanza) = &telling.what else { return Ok(()) };
        if stanza.get("type") == Some("error") {
            return Ok(());
        }
        if has(stanza, &|e| matches!(e.ns(), ns::DMUC | ns::NETJOIN)) {
            return Err(format!("{} was sent {stanza}", telling.who));
        }
        match has(stanza, &|e| e.get("id") == Some("forged")) {
            true => Err(format!("{} was sent what was forged: {stanza}", telling.who)),
            false => Ok(()),
        }
    }
}

fn has(element: &Element, is: &dyn Fn(&Element) -> bool) -> bool {
    is(element) || element.children().any(|child| has(child, is))
}
