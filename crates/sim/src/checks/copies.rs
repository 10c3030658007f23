//! Protocol property P6, XEP-0282 4.9: one copy of each event crosses to a replica in an epoch, whatever the number of users behind it,
//! live or as something missed.

use super::people::{People, at, kind};
use super::watch::Watch;
use crate::users::stays::stanza_id;
use crate::world::Crossing;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid};

pub(super) struct Copies {
    room: Jid,
    /// What was sent in each epoch.
    epochs: BTreeMap<(String, String), Epoch>,
}

/// What was sent to a replica in one registration.
#[derive(Default)]
struct Epoch {
    /// The number of the last stanza.
    d: u64,
    /// Events, and their parts.
    events: BTreeSet<(u64, u64)>,
    /// Messages, by stanza-id.
    messages: BTreeSet<String>,
}

impl Copies {
    pub fn of(room: &Jid) -> Copies {
        Copies { room: room.clone(), epochs: BTreeMap::new() }
    }
}

impl Watch for Copies {
    fn crossed(&mut self, crossing: &Crossing, _: usize, _: &People) -> Result<(), String> {
        let stanza = &crossing.stanza;
        let Some(at) = at(stanza).filter(|_| crossing.from == self.room.domain()) else { return Ok(()) };
        let number = |name: &str| at.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let key = (crossing.to.clone(), at.get("epoch").unwrap_or_default().to_owned());
        let epoch = self.epochs.entry(key).or_default();
        // What could not be made durable leaves a gap, by which the replica sees it.
        if number("d") <= epoch.d {
            return Err(format!("to {} behind {}: {stanza}", crossing.to, epoch.d));
        }
        epoch.d = number("d");
        if kind(stanza) == Some("event") && !epoch.events.insert((number("seq"), number("part"))) {
            return Err(format!("a second copy to {}: {stanza}", crossing.to));
        }
        match message(stanza, &self.room).map(|id| epoch.messages.insert(id)) {
            Some(false) => Err(format!("a message for the second time to {}: {stanza}", crossing.to)),
            _ => Ok(()),
        }
    }
}

/// The id of a message to all, in whichever form it is sent; a snapshot has the subject a second time.
fn message(stanza: &Element, room: &Jid) -> Option<String> {
    matches!(kind(stanza), Some("event" | "missed" | "history")).then(|| stanza_id(stanza, room))?.map(str::to_owned)
}
