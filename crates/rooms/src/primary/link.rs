//! The table of a room's replicas, and the life of one.
//!
//! ```text
//!  request ──▶ pending ──admitted──▶ syncing ──snapshot whole──▶ live ──withdrawn, last seat gone──▶ (none)
//!                 │                     │                         │ ▲
//!          refused, expired        bounce, silence, stream's end  ▼ │ sign of life
//!                 ▼                     └──────────────────────▶ suspect ──`suspect_seconds`──▶ split
//!                                                                                              │  │
//!                             pending, and at once syncing under another epoch ◀───registers───┘  │
//!                                               seats removed (333), (none) ◀──`retention_seconds`┘
//! ```
//!
//! What is told while a link is syncing or suspect is numbered and held; a link that holds too much is split at once. To a
//! split one nothing is told and nothing is held: its replica asks for it when it registers again.

use super::away::Overlay;
use super::changes::Changes;
use super::marks::Marks;
use super::removals::Removals;
use super::replicate::{HeldUp, Request};
use super::snapshot::From;
use super::syncs::Syncs;
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::Standing;
use crate::wire::{Ack, At, Kind};
use machine::{Output, Token};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::{Element, Jid, Shared};

/// A room's replicas.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(super) links: BTreeMap<Jid, Link>,
    /// Requests that wait for a user of their site to be admitted.
    pub(super) pending: BTreeMap<Jid, Request>,
    /// What was relayed before the request of its site came, in order.
    pub(super) early: VecDeque<HeldUp>,
    /// Outboxes of requests that were refused, with the replica's domain and when that is forgotten, oldest first.
    pub(super) refused: VecDeque<(String, String, u64)>,
    pub(super) marks: Marks,
    pub(super) syncs: Syncs,
    pub removals: Removals,
    pub(super) overlay: Overlay,
    pub(super) changes: Changes,
    /// Marks that are being written without anybody waiting, oldest first.
    pub(super) lazy: VecDeque<(Token, Jid, Ack)>,
    /// When links were split lately, by replica, monotonic milliseconds, oldest first.
    pub(super) splits: BTreeMap<Jid, Vec<u64>>,
    /// When a replica was last told that its epoch is stale, monotonic milliseconds.
    pub(super) stale_told: BTreeMap<Jid, u64>,
    /// The mark of the stanza being handled, for a LEAVE that is the end of its link.
    pub(super) handling: Option<(Jid, Ack)>,
    /// The time of the input being handled, monotonic milliseconds.
    pub(super) now_ms: u64,
    /// Ids of iqs sent, so that they are told apart.
    pub(super) iqs: u64,
}

/// One replica of one room.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Domains whose users it speaks for.
    pub domains: BTreeSet<String>,
    /// Names this registration.
    pub epoch: String,
    /// The last number down.
    pub d: u64,
    pub phase: Phase,
    /// Since when it is doubted, monotonic milliseconds.
    pub suspect_ms: Option<u64>,
    /// What waits for the snapshot or a sign of life.
    pub held: VecDeque<(Shared, At)>,
    /// Its outboxes, the present one first.
    pub outboxes: Vec<String>,
    /// What has become durable and was not said yet.
    pub due: BTreeMap<String, u64>,
    /// What was said to be durable, or may be said when nothing waits for the disk.
    pub acked: BTreeMap<String, u64>,
    /// The first missing number that was asked for, by outbox, and when.
    pub asked: BTreeMap<String, (u64, u64)>,
    /// The sessions in the room through it.
    pub seats: BTreeSet<Jid>,
    /// Whether it has had any: the first is put in behind the snapshot.
    pub begun: bool,
    /// Nicks of moderators with a session through it.
    pub moderators: BTreeSet<Nick>,
    /// Which users of its site it has been told may enter while it is lost, and as what; none where it is not told.
    pub members: Option<BTreeMap<Jid, Standing>>,
    /// Whether it has been given real JIDs.
    pub entitled: bool,
    /// Sessions entered again at registration, for whom there is no ENTER.
    pub silent: BTreeSet<Jid>,
    /// Sessions that were direct until this registration or an ENTER of it, and the number of what the room had told last by then.
    /// Whoever has spoken through the replica since is known to be there.
    pub handed: BTreeMap<Jid, u64>,
    /// Nicks of the census that are others here.
    pub renamed: BTreeMap<Nick, Nick>,
    /// Sessions that its census did not name: what they said before they left may still be on its way.
    pub unlisted: BTreeSet<Jid>,
    /// Whether another start of this service, which may have been lost with its disk, may have told all what is in its report.
    pub told_before: bool,
    /// When its report is taken to be over, monotonic milliseconds; none when it is.
    pub report_ms: Option<u64>,
    /// The last event that its site had when it asked, where it was here before.
    pub resumed: Option<u64>,
    /// The earliest time, Unix milliseconds, at which its island may have accepted something.
    pub island_from_ms: i64,
    /// When it was last heard, Unix milliseconds.
    pub heard_ms: i64,
    /// The same on the clock that never goes back.
    pub heard_mono_ms: u64,
    /// When something was last sent to it, monotonic milliseconds.
    pub sent_ms: u64,
    /// When it was last given the roster or a digest of it, monotonic milliseconds.
    pub digest_ms: u64,
    /// How many missed messages, and bytes of them, it takes at a time.
    pub page_stanzas: usize,
    pub page_bytes: usize,
}

/// How far a link has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The snapshot is not whole. Missed messages are being read: those up to `upto` have to be sent, the last query is `query`.
    Syncing {
        query: u64,
        upto: u64,
        /// Behind which number all was missed, should the archive not know the message that it is asked for.
        behind: u64,
        /// How many have been looked through backwards, to find the last that may be sent, and from where on all are missed;
        /// none once they are being sent.
        looking: Option<(usize, From)>,
        /// Whether there were more than may be sent.
        gap: bool,
        /// What the replica was asked behind a page, and from where the next one is read when it has answered: by then it has all
        /// that was before.
        turn: Option<(String, From)>,
    },
    Live,
    /// Lost, since this time on the monotonic clock; its seats are kept.
    Split {
        since_ms: u64,
    },
}

impl Phase {
    /// A snapshot that stands at the event `upto`, for a replica that has all up to the event `behind`.
    pub fn syncing(behind: u64, upto: u64) -> Phase {
        Phase::Syncing { query: 0, upto, behind, looking: None, gap: false, turn: None }
    }
}

impl Link {
    /// Marks for a stanza down, without its number, which it gets when it goes; takes one acknowledgement along when some
    /// are due.
    pub fn next(&mut self, kind: Kind) -> At {
        let mut at = At::new(&self.epoch, 0, kind);
        if let Some((outbox, n)) = self.due.pop_first() {
            at.ack = Some(self.say(outbox, n));
        }
        at
    }

    /// Notes that `n` is said to be durable.
    pub fn say(&mut self, outbox: String, n: u64) -> Ack {
        let acked = self.acked.entry(outbox.clone()).or_default();
        *acked = n.max(*acked);
        Ack { n: *acked, outbox }
    }

    /// Since when it is lost, monotonic milliseconds; `None` when it is not.
    pub fn split_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Split { since_ms } => Some(since_ms),
            _ => None,
        }
    }

    /// Whether it is lost, so that nothing is sent to it and nothing counts that comes from it.
    pub fn is_split(&self) -> bool {
        self.split_ms().is_some()
    }

    /// Whether what is told is held back.
    pub fn holds(&self) -> bool {
        self.phase != Phase::Live || self.suspect_ms.is_some() || self.is_between()
    }

    /// Whether nobody is behind it at this place of its report: the next to come may be a join, as of who left his island and came
    /// back to it.
    fn is_between(&self) -> bool {
        self.begun && self.seats.is_empty() && self.report_ms.is_some()
    }

    /// Whether it holds more than it may.
    pub fn overflows(&self) -> bool {
        self.held.len() > HELD_MAX
    }

    /// Sends, holds or drops a stanza whose last child is the dmuc element.
    pub fn pass(&mut self, replica: &Jid, stanza: Shared, at: At, outputs: &mut Vec<Output>) {
        if !self.holds() {
            outputs.push(self.stamp(replica, stanza, at));
        } else if !self.is_split() && self.held.len() <= HELD_MAX && !flaw!(HeldLost) {
            self.held.push_back((stanza, at));
        }
    }

    /// Numbers a stanza whose last child is the dmuc element.
    pub fn stamp(&mut self, replica: &Jid, stanza: Shared, at: At) -> Output {
        Output::Fan { stanza, copies: vec![(replica.clone(), self.number(at))] }
    }

    /// The marks as they go.
    pub fn number(&mut self, at: At) -> Element {
        self.d += 1;
        At { d: self.d, ..at }.element()
    }

    /// What is held behind the LEAVE of its last seat is for somebody who might have come, and goes to nobody. Where that LEAVE has been
    /// sent, this is all that is held.
    pub fn drop_behind_last(&mut self) {
        let last = self.held.iter().rposition(|(_, at)| at.kind == Kind::Leave);
        self.held.truncate(last.map_or(0, |last| last + 1));
    }

    /// Whether its last seat is gone, so that nothing of the room may follow.
    pub fn is_over(&self) -> bool {
        self.begun && self.seats.is_empty() && self.report_ms.is_none() && !flaw!(EmptySiteTold)
    }
}

impl Links {
    /// The replicas, by address.
    pub fn replicas(&self) -> Vec<Jid> {
        self.links.keys().cloned().collect()
    }

    /// Whether there is any replica.
    pub fn any(&self) -> bool {
        !self.links.is_empty()
    }

    /// Whether the request of this outbox was refused just now, to a replica that may have been the user's.
    pub(super) fn was_refused(&self, user: &Jid, outbox: &str, now_ms: u64) -> bool {
        let is_of = |domain: &str| {
            let above = domain.strip_suffix(user.domain());
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        };
        self.refused.iter().any(|(name, domain, until)| name == outbox && is_of(domain) && now_ms < *until)
    }

    /// Whether a replica has a link, or has asked for one.
    pub(super) fn has_asked(&self, replica: &Jid) -> bool {
        self.links.contains_key(replica) || self.pending.contains_key(replica)
    }

    /// The replica that speaks for a user's domain and has this outbox; a registered one or a pending one.
    pub(super) fn speaker(&self, user: &Jid, outbox: &str) -> Option<Jid> {
        let has = |names: &[String]| names.iter().any(|name| name == outbox);
        let speaks = |domains: &BTreeSet<String>| domains.contains(user.domain()) || flaw!(OthersOutboxTaken);
        let live = self.links.iter().find(|(_, l)| speaks(&l.domains) && has(&l.outboxes));
        if let Some((replica, _)) = live {
            return Some(replica.clone());
        }
        let pending = self.pending.iter().find(|(_, r)| speaks(&r.domains) && has(&r.outbox_names()));
        pending.map(|(replica, _)| replica.clone())
    }
}

/// Most outputs held for one link, while it syncs or is doubted; over it the replica registers anew.
pub(super) const HELD_MAX: usize = 10_000;
/// Most replicas of one room: one per site.
pub(super) const LINKS_MAX: usize = 1_000;
