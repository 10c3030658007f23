//! Who is shown otherwise than before, so that a replica that comes back is sent the difference alone; `docs/wire.md`,
//! *Netjoin*.

use super::link::Links;
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::{Occupant, Part, Room};
use crate::wire::{Resume, RosterHeld, RosterSent};
use std::collections::{BTreeMap, BTreeSet};

/// A bounded memory of the events that changed a roster.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The last event of presence under each nick, whether or not anybody has it now.
    last: BTreeMap<Nick, u64>,
    /// Behind this event nothing is missing here.
    whole_behind: u64,
}

impl Changes {
    /// An event has said something of the occupant of this nick, or that there is none any more.
    fn note(&mut self, nick: Nick, seq: u64) {
        self.last.insert(nick, seq);
        if self.last.len() > CHANGES_MAX {
            let mut seqs: Vec<u64> = self.last.values().copied().collect();
            let (_, median, _) = seqs.select_nth_unstable(CHANGES_MAX / 2);
            self.whole_behind = *median;
            self.last.retain(|_, seq| *seq > self.whole_behind);
        }
    }

    /// An event that is not noted.
    fn skip(&mut self, seq: u64) {
        self.last.clear();
        self.whole_behind = seq;
    }

    /// Of which nicks something has been told behind an event; `None` when that is not known any more.
    fn since(&self, seq: u64) -> Option<BTreeSet<&Nick>> {
        let behind = self.last.iter().filter(|(_, at)| **at > seq);
        (seq >= self.whole_behind).then(|| behind.map(|(nick, _)| nick).collect())
    }
}

impl Links {
    /// An event is about to be told. While there is no replica nobody can come back for it.
    pub fn note_changes(&mut self, seq: u64, parts: &[Part]) {
        for part in parts.iter().filter(|part| part.stanza.name() == "presence") {
            match Nick::of_sender(&part.stanza) {
                Some(nick) if self.any() => self.changes.note(nick, seq),
                _ => self.changes.skip(seq),
            }
        }
    }
}

/// What a snapshot says of who is there.
pub(super) enum RosterWanted {
    /// All of it.
    Full,
    /// Of these nicks alone.
    Changes {
        nicks: BTreeSet<Nick>,
        /// Whether the replica has the real addresses of all others.
        jids: bool,
    },
}

impl RosterWanted {
    /// How the answer calls it.
    pub fn sent(&self) -> RosterSent {
        match self {
            RosterWanted::Full => RosterSent::Full,
            RosterWanted::Changes { .. } => RosterSent::Changes,
        }
    }

    /// Whether a seat is to be sent.
    pub fn has(&self, occupant: &Occupant) -> bool {
        match self {
            RosterWanted::Full => true,
            RosterWanted::Changes { nicks, .. } => nicks.contains(&occupant.nick),
        }
    }

    /// Whether the real addresses of a seat are to be sent to a replica that may know them.
    pub fn has_jids(&self, occupant: &Occupant) -> bool {
        matches!(self, RosterWanted::Changes { jids: false, .. }) || self.has(occupant)
    }
}

impl Room {
    /// What of the roster a replica has to be sent: the difference, where that is known, and no more than the whole.
    pub(super) fn roster_wanted(&self, resume: Option<&Resume>) -> RosterWanted {
        let Some(Resume { incarnation, term, seq, roster: RosterHeld::AsOfSeq { jids }, .. }) = resume else {
            return RosterWanted::Full;
        };
        let is_of_term = *term == self.order.term || flaw!(TermForgotten);
        let is_of_now = *incarnation == self.order.incarnation && is_of_term && *seq <= self.order.seq;
        match self.links.changes.since(*seq).filter(|nicks| is_of_now && nicks.len() <= self.occupants.len()) {
            Some(nicks) => RosterWanted::Changes { nicks: nicks.into_iter().cloned().collect(), jids: *jids },
            None => RosterWanted::Full,
        }
    }
}

/// Most nicks remembered per room; the older half goes when there are more, and whoever comes back for it is sent the whole
/// roster. As many as one census may list.
const CHANGES_MAX: usize = crate::wire::SEATS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn nick(n: usize) -> Nick {
        format!("user{n}").parse().expect("a nick")
    }

    #[test]
    fn the_last_event_of_each_nick_counts() {
        let mut changes = Changes::default();
        for (n, seq) in [(1, 5), (2, 6), (1, 7)] {
            changes.note(nick(n), seq);
        }
        assert_eq!(changes.since(0), Some([&nick(1), &nick(2)].into()));
        assert_eq!(changes.since(6), Some([&nick(1)].into()));
        changes.skip(8);
        assert_eq!((changes.since(7), changes.since(8)), (None, Some(BTreeSet::new())));
    }

    #[test]
    fn the_memory_is_bounded_and_knows_where_it_begins() {
        let mut changes = Changes::default();
        (1..=CHANGES_MAX + 1).for_each(|n| changes.note(nick(n), n as u64));
        let begins = CHANGES_MAX as u64 / 2 + 1;
        assert_eq!(
            (changes.since(begins - 1), changes.since(begins).map(|nicks| nicks.len())),
            (None, Some(CHANGES_MAX / 2))
        );
        (1..=3 * CHANGES_MAX).for_each(|n| changes.note(nick(n), (CHANGES_MAX + 1 + n) as u64));
        assert!(changes.last.len() <= CHANGES_MAX);
    }
}
