//! A room that was destroyed, or is gone with the disk that it was on, and another of its name since: what was said in it is in no archive
//! any more.

use super::Evidence;
use super::people::{domain, is_destroyed};
use crate::users::stays::body_of;
use crate::users::view::{condition, is_new};
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

impl Evidence<'_> {
    /// The texts that were said before the last room was gone, or at a site that was cut off and had not heard of it.
    pub(super) fn of_former_rooms(&self) -> &BTreeSet<String> {
        self.worked_out.former.get_or_init(|| self.find_of_former_rooms())
    }

    fn find_of_former_rooms(&self) -> BTreeSet<String> {
        let (mut end, mut asks) = (End::default(), BTreeSet::new());
        let mut heard_ms: BTreeMap<&str, u64> = BTreeMap::new();
        let is_emptied = |lost: &&SetBack| lost.domain == self.room.domain() && lost.is_empty();
        let mut emptied = self.tape.set_back.iter().filter(is_emptied).peekable();
        for (place, crossing) in self.tape.crossings.iter().enumerate() {
            while let Some(lost) = emptied.next_if(|lost| lost.crossed <= place) {
                end = End { at_ms: lost.to_ms, is_over: true, asked: None };
            }
            let (stanza, is_rooms) = (&crossing.stanza, crossing.from == self.room.domain());
            if stanza.has_child("replicate", ns::NETJOIN) && !is_rooms {
                asks.extend(stanza.get("id"));
            }
            // A site that asks when nobody remembers any more that there was a room is told no better.
            let answers = || stanza.get("id").is_some_and(|id| asks.contains(id));
            let is_unknown = || end.is_over && condition(stanza) == "item-not-found" && answers();
            if is_rooms && stanza.name() == "iq" && (is_destroyed(stanza) || is_unknown()) {
                heard_ms.insert(&crossing.to, crossing.at_ms);
            }
            end.note(crossing, is_rooms);
        }
        // A site that is far away has heard of it when those there have, who may have spoken meanwhile.
        for telling in self.tape.tellings.iter().filter(|telling| is_told_of_end(telling)) {
            let heard_ms = heard_ms.entry(domain(&telling.who)).or_default();
            *heard_ms = telling.at_ms.max(*heard_ms);
        }
        let is_former = |telling: &&Telling| {
            let heard_ms = heard_ms.get(domain(&telling.who)).copied().unwrap_or_default();
            telling.at_ms <= end.at_ms.max(heard_ms)
        };
        let said = self.tape.tellings.iter().filter(is_former).filter_map(|telling| match &telling.what {
            Scene::Sent(stanza) => body_of(stanza),
            _ => None,
        });
        said.collect()
    }
}

/// Whether a client learns that its room was destroyed.
fn is_told_of_end(telling: &Telling) -> bool {
    matches!(&telling.what, Scene::Received(stanza) if stanza.name() == "presence" && is_destroyed(stanza))
}

/// When the room was last gone, as far as it can be seen.
#[derive(Default)]
pub(super) struct End {
    at_ms: u64,
    /// Whether there has been no new one since.
    is_over: bool,
    /// The id of a request for it, which has not been refused. Who asked for it, and those who were in, may all have been cut off or put
    /// out when it was granted: then nobody is told, and that it was is seen when a room of this name is new (XEP-0045 10.1.1).
    asked: Option<String>,
}

impl End {
    /// Takes in what crosses a link; whether it shows that the room has ended.
    pub fn note(&mut self, crossing: &Crossing, is_rooms: bool) -> bool {
        let (stanza, at_ms) = (&crossing.stanza, crossing.at_ms);
        if !is_rooms {
            self.asked = asks(stanza).or(self.asked.take());
            return false;
        }
        if stanza.get("type") == Some("error") && self.asked.as_deref() == stanza.get("id") {
            self.asked = None;
        }
        let is_told = stanza.name() != "iq" && is_destroyed(stanza);
        let ends = is_told || is_new(stanza) && self.asked.is_some();
        if ends {
            *self = End { at_ms, is_over: is_told, asked: None };
        }
        self.is_over &= !is_new(stanza);
        ends
    }
}

/// Whether it asks that the room is destroyed (10.9), and under which id.
fn asks(stanza: &Element) -> Option<String> {
    let query = stanza.get_child("query", ns::MUC_OWNER)?;
    stanza.get("id").filter(|_| query.has_child("destroy", ns::MUC_OWNER)).map(str::to_owned)
}
