//! A bounded memory of who was removed while a replica was away: whom a split alone has cost the seat may enter again,
//! whoever was kicked or banned is told so.
//!
//! What somebody has done stands in the record of the seat until it is forgotten, and so outlives a restart.

use crate::names::{Nick, Status};
use crate::room::{PutOut, Seated, Session, statuses_of};
use crate::wire::Removed;
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// Who was removed, by session.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    removals: BTreeMap<Jid, Removal>,
    /// Those over the bound, whose records are still on disk.
    over: Vec<Jid>,
}

/// One session that was removed.
#[derive(Debug, Clone)]
pub(crate) struct Removal {
    pub nick: Nick,
    pub why: Why,
    /// Monotonic milliseconds; `None` for one of before a restart that nobody has looked at since.
    at_ms: Option<u64>,
    /// The last event of the room before that.
    behind: u64,
}

impl Removal {
    /// What is kept of it: that somebody did it. Whom a split has cost the seat is kept as if he had it, and who has left is not.
    pub fn record(&self) -> Option<Seated> {
        let Why::Done(removed) = &self.why else { return None };
        Some(Seated::removed(&self.nick, removed, self.behind))
    }

    /// Until when it is remembered, monotonic milliseconds: 0 before the first look at it. An island's seats are kept for the
    /// retention, and for as long again as whom a split has cost his; so long it is to be known there who was kicked meanwhile.
    fn until_ms(&self, retention_ms: u64) -> u64 {
        let times = if matches!(self.why, Why::Done(_)) { 2 } else { 1 };
        self.at_ms.map_or(0, |at_ms| at_ms.saturating_add(retention_ms.saturating_mul(times)))
    }
}

/// Why a session was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its replica could not be reached any more; here is what its presence said.
    Split(Vec<Element>),
    /// Somebody did it.
    Done(Removed),
    /// It left of its own.
    Left,
}

impl Removals {
    /// Notes that a session was removed by a split.
    pub fn split(&mut self, session: &Session, nick: Nick, behind: u64, now_ms: u64) {
        let why = Why::Split(session.payload.to_vec());
        self.put(session.jid.clone(), Removal { nick, why, at_ms: Some(now_ms), behind });
    }

    /// One of before a restart, as it was kept.
    pub fn restore(&mut self, jid: Jid, nick: Nick, put_out: PutOut) {
        let behind = put_out.behind;
        self.put(jid, Removal { nick, why: Why::Done(put_out.removed()), at_ms: None, behind });
    }

    /// Notes a removal that somebody has done, or that a session has left of its own: should its replica miss the LEAVE, and name
    /// it in a census, it is not in again for that. `behind` is the last event before.
    pub fn note(&mut self, session: &Session, behind: u64, own: &Element, now_ms: u64) {
        let Some(nick) = Nick::of_sender(own) else { return };
        if let Some(removed) = Removed::of(own) {
            self.put(session.jid.clone(), Removal { nick, why: Why::Done(removed), at_ms: Some(now_ms), behind });
        } else if statuses_of(own).all(|code| code == Status::SELF) && self.removals.len() < REMOVALS_MAX {
            self.put(session.jid.clone(), Removal { nick, why: Why::Left, at_ms: Some(now_ms), behind });
        }
    }

    /// What is known of a session.
    pub fn get(&self, jid: &Jid) -> Option<&Removal> {
        self.removals.get(jid)
    }

    /// Whether a split has cost a session of this user the seat of that nick.
    pub fn split_seat(&self, bare: &Jid, nick: &Nick) -> bool {
        let is_it = |(jid, removal): (&Jid, &Removal)| {
            removal.nick == *nick && matches!(removal.why, Why::Split(_)) && jid.bare() == *bare
        };
        self.removals.iter().any(is_it)
    }

    /// Whether this user was kicked behind that event.
    pub fn kicked_since(&self, user: &Jid, base: u64) -> bool {
        let is_kick = |why: &Why| matches!(why, Why::Done(removed) if removed.status == Status::KICKED);
        let mut removals = self.removals.iter().filter(|(_, removal)| removal.behind >= base && is_kick(&removal.why));
        removals.any(|(jid, _)| jid.bare_str() == user.bare_str())
    }

    /// It has been told, or is back.
    pub fn forget(&mut self, jid: &Jid) {
        self.removals.remove(jid);
    }

    /// Whether somebody whom a split has cost the seat may still come back.
    pub fn awaits(&self) -> bool {
        self.removals.values().any(|removal| matches!(removal.why, Why::Split(_)))
    }

    /// The sessions whom a split has cost the seat, and when, monotonic milliseconds.
    pub fn splits(&self) -> impl Iterator<Item = (&Jid, u64)> {
        let splits = self.removals.iter().filter(|(_, removal)| matches!(removal.why, Why::Split(_)));
        splits.filter_map(|(jid, removal)| Some((jid, removal.at_ms?)))
    }

    /// Whose records are to go, since there are more than are remembered.
    pub fn take_over(&mut self) -> Vec<Jid> {
        std::mem::take(&mut self.over)
    }

    /// When the next of them is forgotten.
    pub fn next_expiry(&self, retention_ms: u64) -> Option<u64> {
        self.removals.values().map(|removal| removal.until_ms(retention_ms)).min()
    }

    /// Forgets what is old enough; gives whom.
    pub fn expire(&mut self, now_ms: u64, retention_ms: u64) -> Vec<Jid> {
        for removal in self.removals.values_mut() {
            removal.at_ms.get_or_insert(now_ms);
        }
        let is_old = |removal: &Removal| removal.until_ms(retention_ms) <= now_ms;
        let old: Vec<Jid> = self.removals.iter().filter(|(_, r)| is_old(r)).map(|(jid, _)| jid.clone()).collect();
        self.removals.retain(|_, removal| !is_old(removal));
        old
    }

    fn put(&mut self, jid: Jid, removal: Removal) {
        if self.removals.len() >= REMOVALS_MAX
            && let Some(oldest) = self.removals.iter().min_by_key(|(_, r)| r.at_ms).map(|(jid, _)| jid.clone())
        {
            self.removals.remove(&oldest);
            self.over.push(oldest);
        }
        self.removals.insert(jid, removal);
    }
}

/// Most sessions remembered per room; the oldest goes first.
const REMOVALS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// One over the bound is forgotten, the oldest, and its record is named as one that is to go.
    #[test]
    fn the_memory_is_bounded_and_so_is_what_is_kept() {
        let mut removals = Removals::default();
        let jid = |n: usize| Jid::new(&format!("user{n}@eris.dclxvii.irc/a")).expect("an address");
        let removed = || Removed { status: Status::KICKED, actor: None, reason: None };
        let nick: Nick = "WiZ".parse().expect("a nick");
        for n in 0..=REMOVALS_MAX {
            let why = Why::Done(removed());
            removals.put(jid(n), Removal { nick: nick.clone(), why, at_ms: Some(n as u64), behind: 0 });
        }
        assert_eq!((removals.removals.len(), removals.get(&jid(0)).is_none()), (REMOVALS_MAX, true));
        assert_eq!((removals.take_over(), removals.take_over()), (vec![jid(0)], vec![]));
    }
}
