//! Marks: what of each outbox has had its outcome, and so the whole memory against duplicates; `docs/wire.md`.

use super::link::{LINKS_MAX, Links};
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::{Cx, Room};
use crate::wire::{Ack, OUTBOXES_MAX, UpMark};
use machine::{Change, Token};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// The mark of a stanza that a replica relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Up {
    /// The replica's address.
    pub replica: Jid,
    pub outbox: String,
    pub n: u64,
    /// Whether it comes from an outbox of which it is not known what the room has had.
    pub doubted: bool,
    /// The user who sent the stanza.
    pub from: Jid,
    /// What is told of it that was accepted on an island.
    pub island: Option<Island>,
}

/// What a site says of something that it accepted while it was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Island {
    /// When it was said, Unix milliseconds, within what can be.
    pub said_ms: i64,
    /// The last event of the room that the island had.
    pub base: u64,
    /// Of a leave: the nick of who kicked the leaver there.
    pub kicker: Option<Nick>,
    /// What was said about that.
    pub reason: Option<String>,
}

impl Up {
    /// What an error for the stanza bears, so that the replica knows its outcome.
    pub fn on_error(&self) -> Element {
        UpMark { outbox: self.outbox.clone(), n: self.n, epoch: None, ..UpMark::default() }.x()
    }

    /// The durable mark: everything up to `n` of this outbox has had its outcome.
    pub fn change(&self, room: &Jid) -> Change {
        Change::Put {
            space: "mark",
            owner: room.to_string(),
            key: key(&self.replica, &self.outbox),
            value: if self.doubted { format!("{} {DOUBTED}", self.n) } else { self.n.to_string() },
        }
    }
}

/// The highest number of each outbox that has had its outcome.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    marks: BTreeMap<(Jid, String), Mark>,
    uses: u64,
}

#[derive(Debug, Default)]
struct Mark {
    n: u64,
    /// Whether some of what is behind `n` may have been had.
    doubted: bool,
    /// Rises with every use; the smallest goes first.
    used: u64,
}

/// What the number of something relayed says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// The next; it counts.
    Next,
    /// It has had its outcome.
    Duplicate,
    /// Something before it is missing, from this number on.
    Gap(u64),
}

impl Marks {
    /// Whether any replica has ever relayed something.
    pub fn any(&self) -> bool {
        !self.marks.is_empty()
    }

    /// The mark as it stands; 0 for an outbox that is not known.
    pub fn get(&self, replica: &Jid, outbox: &str) -> u64 {
        self.marks.get(&(replica.clone(), outbox.to_owned())).map_or(0, |mark| mark.n)
    }

    /// Judges `n`, and raises the mark when it is the next.
    pub fn judge(&mut self, replica: &Jid, outbox: &str, n: u64) -> Judged {
        let present = self.get(replica, outbox);
        if n <= present && !flaw!(NoMarkCheck) {
            return Judged::Duplicate;
        }
        if n > present + 1 && !flaw!(UpwardGapIgnored) {
            return Judged::Gap(present + 1);
        }
        self.raise(replica, outbox, n);
        Judged::Next
    }

    /// Raises a mark, never lowers it; makes it when it is not there.
    pub fn raise(&mut self, replica: &Jid, outbox: &str, n: u64) {
        self.uses += 1;
        let mark = self.marks.entry((replica.clone(), outbox.to_owned())).or_default();
        mark.n = mark.n.max(n);
        mark.used = self.uses;
    }

    /// An older outbox of a site that has started again, as that names it: one that is not known here may have been.
    pub fn raise_older(&mut self, replica: &Jid, outbox: &str, n: u64) {
        let is_known = self.marks.contains_key(&(replica.clone(), outbox.to_owned()));
        self.raise(replica, outbox, n);
        if !is_known {
            self.doubt(replica, outbox);
        }
    }

    fn doubt(&mut self, replica: &Jid, outbox: &str) {
        if let Some(mark) = self.marks.get_mut(&(replica.clone(), outbox.to_owned())) {
            mark.doubted = true;
        }
    }

    /// Whether it is not known of an outbox what the room has had.
    pub fn is_doubted(&self, replica: &Jid, outbox: &str) -> bool {
        self.marks.get(&(replica.clone(), outbox.to_owned())).is_some_and(|mark| mark.doubted)
    }

    /// The last that was taken has had no outcome.
    pub fn take_back(&mut self, up: &Up) {
        if let Some(mark) = self.marks.get_mut(&(up.replica.clone(), up.outbox.clone())).filter(|mark| mark.n == up.n) {
            mark.n -= 1;
        }
    }

    /// Forgets what is over the bounds, the least recently used first; gives back what is to be forgotten on disk.
    pub fn trim(&mut self, replica: &Jid) -> Option<(Jid, String)> {
        let of_replica = |(jid, _): &&(Jid, String)| jid == replica;
        let oldest = if self.marks.keys().filter(of_replica).count() > OUTBOXES_MAX {
            self.marks.iter().filter(|(key, _)| key.0 == *replica).min_by_key(|(_, mark)| mark.used)
        } else if self.marks.len() > LINKS_MAX * OUTBOXES_MAX {
            self.marks.iter().min_by_key(|(_, mark)| mark.used)
        } else {
            None
        };
        let key = oldest.map(|(key, _)| key.clone())?;
        self.marks.remove(&key);
        Some(key)
    }

    /// The replica of an outbox that was known here, for a user of its own domain.
    pub fn replica_of(&self, user: &Jid, outbox: &str) -> Option<Jid> {
        self.marks
            .keys()
            .find(|(replica, name)| name == outbox && replica.domain() == user.domain())
            .map(|k| k.0.clone())
    }
}

impl Links {
    /// Takes a mark as it was kept; gives why it cannot be read.
    pub fn load_mark(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (replica, outbox) = key.split_once(' ').ok_or_else(|| format!("mark {key}: no outbox"))?;
        let replica = Jid::new(replica).map_err(|e| format!("mark {key}: {e}"))?;
        let (n, doubted) = value.split_once(' ').map_or((value, false), |(n, word)| (n, word == DOUBTED));
        let n = n.parse().map_err(|_| format!("mark {key}: {value} is no number"))?;
        self.marks.raise(&replica, outbox, n);
        if doubted {
            self.marks.doubt(&replica, outbox);
        }
        Ok(())
    }

    /// Everything up to `token` is on disk: marks written without waiting may be acknowledged.
    pub fn persisted(&mut self, token: Token) {
        while let Some((_, replica, ack)) = self.lazy.pop_front_if(|(lazy, ..)| *lazy <= token) {
            if let Some(link) = self.links.get_mut(&replica).filter(|link| link.outboxes.contains(&ack.outbox)) {
                let due = link.due.entry(ack.outbox).or_default();
                *due = ack.n.max(*due);
            }
        }
    }

    /// Nothing of `token` is on disk.
    pub fn persist_failed(&mut self, token: Token) {
        self.lazy.retain(|(lazy, ..)| *lazy != token);
    }
}

impl Room {
    /// Writes the mark of what was handled, unless it has gone with its outcome; nobody waits for it.
    pub fn settle_mark(&mut self, cx: &mut Cx<'_>) {
        let Some(change) = cx.take_mark(&self.jid) else { return };
        let token = self.gate.persist(vec![change], cx.out);
        let Some(up) = &cx.up else { return };
        self.links.lazy.push_back((token, up.replica.clone(), Ack { outbox: up.outbox.clone(), n: up.n }));
        if self.links.lazy.len() > LAZY_MAX {
            self.links.lazy.pop_front();
        }
    }

    /// Keeps the number of marks within its bounds.
    pub(super) fn trim_marks(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        while let Some((replica, outbox)) = self.links.marks.trim(replica) {
            let change = Change::Delete { space: "mark", owner: self.jid.to_string(), key: key(&replica, &outbox) };
            self.gate.persist(vec![change], cx.out);
        }
    }
}

fn key(replica: &Jid, outbox: &str) -> String {
    format!("{replica} {outbox}")
}

/// Stands behind the number where something behind it may have been had.
const DOUBTED: &str = "doubted";
/// Most marks being written at a time; one over it is acknowledged by a later one.
const LAZY_MAX: usize = 10_000;
