//! What was said before: discussion history and subject on entering, XEP-0045 7.2.14 and 7.2.15.

use super::{HistoryWanted, Past, Room};
use crate::names::Affiliation;
use xmpp::{Element, Jid, Shared, ns, stanza};

impl Room {
    /// What the entrant `to` gets of the history, oldest first.
    pub fn history_for(&self, wanted: HistoryWanted, to: &Jid, now_ms: i64) -> Vec<&Past> {
        let within = self.history.len().saturating_sub(self.config.history_stanzas);
        wanted.choose(self.history.range(within..), (&self.jid, to), now_ms)
    }

    /// XEP-0437: whether something was said since this user was here last.
    pub fn has_news_for(&self, bare: &Jid) -> bool {
        let here = self.occupants.values().any(|occupant| occupant.bare == *bare);
        !here && self.said_seq > self.left.get(bare).copied().unwrap_or(0)
    }

    /// XEP-0437: whether this user hears of what is said here while he is elsewhere: who is on a list and may come in.
    pub fn indicates_to(&self, bare: &Jid) -> bool {
        self.affiliations.get(bare).is_some_and(|known| known.affiliation >= Affiliation::Member)
    }

    /// Takes a message into the history.
    pub fn remember(&mut self, past: Past) {
        self.said_seq = self.said_seq.max(past.seq);
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(past);
    }

    /// The subject as an entrant gets it; empty and from the room itself when none was ever set.
    pub fn subject_stanza(&self) -> Shared {
        self.subject_stanza_of(self.subject.as_ref())
    }

    /// The same for a subject of another time; `None` where none had ever been set.
    pub fn subject_stanza_of(&self, subject: Option<&Past>) -> Shared {
        match subject {
            Some(past) => past.delayed(&self.jid),
            None => Shared::new(
                Element::stanza("message")
                    .attr("from", self.jid.as_str())
                    .attr("type", "groupchat")
                    .child(Element::new("subject", ns::CLIENT)),
            ),
        }
    }
}

impl Past {
    /// As sent to an entrant: with a delay by the room, where it does not bear one already that says when it was said on an
    /// island.
    pub fn delayed(&self, room: &Jid) -> Shared {
        let by_room = |c: &Element| c.is("delay", ns::DELAY) && c.get("from") == Some(room.as_str());
        if self.stanza.element().children().any(by_room) {
            return self.stanza.clone();
        }
        let delay = stanza::delay(Some(room.as_str()), self.stamp_ms);
        Shared::new(self.stanza.element().clone().child(delay))
    }
}

/// Most messages of history a room holds in memory, whatever its owner asks for.
pub(crate) const HISTORY_MAX: usize = 100;
