//! What must hold, one property a file. A check sees what users and archive queries see, and what crossed the links.

mod accounted;
mod acknowledged;
mod banned;
mod copies;
mod delivered;
mod islands;
mod jids;
mod kicked;
mod rosters;
mod sealed;
#[cfg(test)]
mod tests;

use crate::users::archive::Archived;
use crate::users::stays::{Stay, body_of};
use crate::users::view::View;
use crate::world::{Scene, Tape};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

/// A run that is over: all links whole, all servers up, time passed.
pub struct Evidence<'a> {
    /// The room.
    pub room: &'a Jid,
    /// All that was seen.
    pub tape: &'a Tape,
    /// The primary's archive, as a client was given it.
    pub archive: &'a [Archived],
    /// Who was in when, and what they heard.
    pub stays: &'a [Stay],
    /// What the clients that are connected believe in the end, by full address.
    pub views: &'a BTreeMap<String, View>,
    /// Whether real addresses are for moderators alone.
    pub semi_anonymous: bool,
    /// Bare addresses that are banned in the end.
    pub banned: &'a [String],
    /// When a stream that serves a client directly, past any replica, was disturbed: (domain, from, to).
    pub disturbed: &'a [(String, u64, u64)],
    /// Which servers have lost what they had kept.
    pub set_back: &'a [SetBack],
}

/// A server has lost its disk, and has gone on with a copy, or an empty one: what it had kept between these times is lost.
#[derive(Debug, Clone)]
pub struct SetBack {
    /// Its domain.
    pub domain: String,
    /// When the copy was made, monotonic milliseconds; 0 where there was none.
    pub from_ms: u64,
    /// When it lost its disk.
    pub to_ms: u64,
}

/// A property, by name.
type Check = (&'static str, fn(&Evidence<'_>) -> Result<(), String>);

/// All properties.
pub const CHECKS: [Check; 10] = [
    ("what was acknowledged is in the archive once", acknowledged::check),
    ("what was said is answered for", accounted::check),
    ("who stayed was sent everything once, in one order", delivered::check),
    ("who is on an island hears what is said there", islands::check),
    ("everybody sees the same people", rosters::check),
    ("real addresses are seen by those who may", jids::check),
    ("what stays between servers stays there", sealed::check),
    ("one copy of an event for each replica", copies::check),
    ("who is banned is gone", banned::check),
    ("who is kicked stays out until he asks", kicked::check),
];

impl Evidence<'_> {
    /// Everything that does not hold.
    pub fn violations(&self) -> Vec<String> {
        let complaints = self.tape.complaints.iter().map(|complaint| format!("the world: {complaint}"));
        let failed = CHECKS.iter().filter_map(|(name, check)| Some(format!("{name}: {}", check(self).err()?)));
        complaints.chain(failed).collect()
    }

    /// The texts that were said before the room was last destroyed: they are in no archive any more.
    fn of_former_rooms(&self) -> BTreeSet<String> {
        let destroys = |stanza: &Element| {
            let x = stanza.get_child("x", ns::MUC_USER).filter(|_| stanza.name() == "presence");
            x.is_some_and(|x| x.has_child("destroy", ns::MUC_USER))
        };
        let from_room = self.tape.crossings.iter().filter(|crossing| crossing.from == self.room.domain());
        let Some(last) = from_room.rev().find(|c| destroys(&c.stanza)) else { return BTreeSet::new() };
        let before = self.tape.tellings.iter().take_while(|telling| telling.at_ms <= last.at_ms);
        let said = before.filter_map(|telling| match &telling.what {
            Scene::Sent(stanza) => body_of(stanza),
            _ => None,
        });
        said.collect()
    }

    /// Whether a stay was served past the replica over a stream that was disturbed: there plain XEP-0045 promises nothing.
    fn is_excused(&self, stay: &Stay) -> bool {
        let domain = stay.who.split('/').next().and_then(|bare| bare.split('@').nth(1)).unwrap_or_default();
        let lasted_to = stay.to_ms.unwrap_or(u64::MAX);
        let disturbed =
            self.disturbed.iter().any(|(d, from, to)| d == domain && *from <= lasted_to && *to >= stay.from_ms);
        disturbed && self.was_direct(stay)
    }

    /// Whether the room spoke to the client itself when it came in.
    fn was_direct(&self, stay: &Stay) -> bool {
        let near = |at_ms: u64| at_ms <= stay.from_ms && at_ms + ENTERING_MS >= stay.from_ms;
        self.tape.crossings.iter().any(|crossing| {
            near(crossing.at_ms)
                && crossing.stanza.name() == "presence"
                && crossing.stanza.get("type").is_none()
                && crossing.stanza.get("to") == Some(&stay.who)
        })
    }
}

/// How long a stanza is under way at the most.
const ENTERING_MS: u64 = 2_000;
