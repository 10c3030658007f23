//! What must hold, one property a file. A check sees what users and archive queries see, and what crossed the links.

mod accounted;
mod acknowledged;
mod addresses;
mod ahead;
mod answered;
mod banned;
mod bounds;
mod buried;
mod copies;
mod delivered;
mod fates;
mod former;
mod gaps;
mod given;
mod gone;
mod islands;
mod jids;
mod kicked;
mod mirrors;
mod outside;
mod paged;
mod people;
mod powers;
mod private;
mod refused;
mod rosters;
mod sealed;
mod seats;
mod subjects;
mod taken_back;
#[cfg(test)]
mod tests;
mod upheld;
mod voided;
mod watch;
mod whole;

pub use watch::Safety;

use crate::users::archive::Archived;
use crate::users::record::Record;
use crate::users::stays::Stay;
use crate::users::view::View;
use crate::world::Tape;
use fates::Fates;
use gaps::Gaps;
use people::domain;
use std::cell::OnceCell;
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
    /// What messages clients have, by full address.
    pub records: &'a BTreeMap<String, Record>,
    /// Whether real addresses are for moderators alone.
    pub semi_anonymous: bool,
    /// Bodies of messages that nobody should have heard, and why: what [`Safety::void`] has found.
    pub void: &'a [(String, String)],
    /// Bare addresses that are banned in the end, as the room has granted it: what [`Safety::banned`] has found.
    pub banned: &'a [String],
    /// When a stream that serves a client directly, past any replica, was disturbed: (domain, from, to).
    pub disturbed: &'a [(String, u64, u64)],
    /// Which servers have lost their power, and when.
    pub crashed: &'a [(String, u64)],
    /// How long the seats of a split site are kept, milliseconds.
    pub retention_ms: u64,
    /// When all had had their time to heal and nobody had said anything more.
    pub healed_ms: u64,
    /// What several checks ask of it.
    pub worked_out: WorkedOut<'a>,
}

/// What is worked out of a run when the first check asks for it.
#[derive(Default)]
pub struct WorkedOut<'a> {
    fates: OnceCell<Fates<'a>>,
    gaps: OnceCell<Gaps<'a>>,
    /// What was said in rooms that are no more.
    former: OnceCell<BTreeSet<String>>,
}

/// A property, by name.
type Check = (&'static str, fn(&Evidence<'_>) -> Result<(), String>);

/// What must hold in the end.
pub const CHECKS: [Check; 18] = [
    ("what was acknowledged is in the archive once", acknowledged::check),
    ("what was said is answered for", accounted::check),
    ("what is said to have failed was refused", refused::check),
    ("who stayed was sent everything once, in one order", delivered::check),
    ("what is lost is found by itself", whole::check),
    ("who is on an island hears what is said there", islands::check),
    ("who pages has every message he was not sent", paged::check),
    ("everybody sees the same people", rosters::check),
    ("everybody has the same subject", subjects::check),
    ("a mirror is as the room is", mirrors::check),
    ("private messages are for one", private::check),
    ("what was taken back is in no archive", taken_back::check),
    ("real addresses are seen by those who may", jids::check),
    ("who is removed is not heard", voided::check),
    ("who is removed by nobody is heard", upheld::check),
    ("who believes to be in is", answered::check),
    ("who was in a room that is destroyed is told so", buried::check),
    ("who is banned is gone", gone::check),
];

impl<'a> Evidence<'a> {
    /// What became of each message.
    fn fates(&self) -> &Fates<'a> {
        self.worked_out.fates.get_or_init(|| Fates::of(self))
    }

    /// What sites lack, and say that they do.
    fn gaps(&self) -> &Gaps<'a> {
        self.worked_out.gaps.get_or_init(|| Gaps::of(self))
    }
}

impl Evidence<'_> {
    /// Everything that does not hold.
    pub fn violations(&self) -> Vec<String> {
        let complaints = self.tape.complaints.iter().map(|complaint| format!("the world: {complaint}"));
        let failed = CHECKS.iter().filter_map(|(name, check)| Some(format!("{name}: {}", check(self).err()?)));
        complaints.chain(failed).collect()
    }

    /// Whether a stay was served past the replica over a stream that was disturbed: there plain XEP-0045 promises nothing.
    fn is_excused(&self, stay: &Stay) -> bool {
        let site = domain(&stay.who);
        let mut disturbed = self
            .disturbed
            .iter()
            .filter(|(d, from, to)| d == site && *to >= stay.from_ms && stay.to_ms.is_none_or(|to_ms| *from <= to_ms));
        let first = disturbed.by_ref().map(|(_, from, _)| *from).min();
        first.is_some_and(|first| self.was_direct(stay) && self.handed_over_ms(stay).is_none_or(|at_ms| first <= at_ms))
    }

    /// When the room last spoke to a client itself that came in directly: from then on its site's replica did.
    fn handed_over_ms(&self, stay: &Stay) -> Option<u64> {
        let kept = |seat: &Element| seat.get("jid") == Some(&stay.who) && seat.get("verdict") == Some("kept");
        let mut granted = self.tape.crossings.iter().filter(|crossing| crossing.at_ms >= stay.from_ms);
        let handed = granted.find(|crossing| {
            crossing.stanza.get_child("granted", ns::NETJOIN).is_some_and(|granted| granted.children().any(kept))
        });
        handed.map(|crossing| crossing.at_ms)
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
