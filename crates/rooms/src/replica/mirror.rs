//! One room as mirrored at a site, XEP-0282 4.1, and the way everything from the primary takes through it.

use super::archive::Whole;
use super::awaited::Awaited;
use super::away::{Overlay, lay};
use super::buried::Unburied;
use super::echo::Echo;
use super::history::Remembered;
use super::hold::Hold;
use super::island::Island;
use super::life::{Life, Sign};
use super::members::Memberships;
use super::numbers::{Outbox, Provisionally};
use super::provisional::Provisionals;
use super::roster::{Seats, Stored};
use super::site::{Cx, Origin};
use super::snapshot::Staging;
use super::withheld::Withheld;
use super::{ReplicaConfig, intent, register};
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use crate::room::{has_status, is_of_versions};
use crate::wire::{At, Down, Removed, RoomConfig, Stale, Up, UpMark};
use machine::{AudienceId, Class, Now, Token};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::{Element, Jid, ns};

/// One room as mirrored at a site.
pub(super) struct Mirror {
    /// The bare address.
    pub room: Jid,
    pub life: Life,
    /// When this life began.
    pub since: Now,
    pub link: Link,
    pub config: RoomConfig,
    pub seats: Seats,
    /// Whether a real JID may stand in one of them.
    pub jids_stored: bool,
    pub past: Remembered,
    pub unburied: Unburied,
    pub audience: AudienceId,
    /// Local sessions in the room, by full JID.
    pub sessions: BTreeMap<Jid, Session>,
    /// Joins of local sessions that have not been answered.
    pub joins: BTreeMap<Jid, Join>,
    /// Sessions that left while the primary was not reached, as the primary still knows them.
    pub gone: BTreeMap<Jid, Session>,
    /// Their nicks where none of the nick is left: gone for those here, not yet for the primary.
    pub hidden: BTreeSet<Nick>,
    /// Occupants whom the room has removed, and whose user: a LEAVE of theirs has come, and what all are told of it has not.
    pub half_removed: BTreeMap<Nick, (Jid, Removed)>,
    pub outbox: Outbox,
    /// What earlier starts of this site had not got rid of, oldest first.
    pub older: Vec<Outbox>,
    /// Users of this site who may enter while the link is split.
    pub members: Memberships,
    /// What those have yet to hear who came to an island, until the room has let them in.
    pub withheld: Withheld,
    /// While the link is split.
    pub island: Option<Island>,
    /// What local sessions have seen, or are about to, before its outcome is known.
    pub provisional: Provisionals,
    /// What was relayed and has had no outcome that was heard of.
    pub awaited: Awaited,
    /// Who is shown as away because a site is not reached.
    pub away: Overlay,
    /// Presence that has been shown here and is still to come back from the primary.
    pub echoes: Vec<Echo>,
    /// What local sessions are sent when the disk has what comes before it.
    pub hold: Hold,
    /// Stanzas of users held while the service is being asked.
    pub held: VecDeque<Element>,
    /// When the mirror was last fetched anew for a digest that was not the mirror's, monotonic milliseconds.
    pub repaired_at: Option<u64>,
    /// Sessions entered so far; gives the order of the census.
    pub entries: u64,
    /// How many seats have been learned of.
    pub places: u64,
}

/// The registration with the primary.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Names it.
    pub epoch: Option<String>,
    /// The last number down that was applied.
    pub d: u64,
    /// Which life of the room, which start of the primary, the last event applied; where there was one.
    pub place: Option<Place>,
    /// Whether the disk may not know of a hole in the mirrored archive.
    pub torn: bool,
    /// What is on disk of the room, when this has not begun there.
    pub former: Option<Origin>,
    /// The write that removes what is there of it.
    pub wiping: Option<Token>,
    /// The id of the request under way.
    pub asked: Option<String>,
    /// Which request this is; 0 for none yet.
    pub attempt: u32,
    /// Whether nothing of before is to be sorted out first, so that users' stanzas follow the request at once.
    pub fresh: bool,
    /// How many of the next ENTERs answer joins that their user has left again behind: here he is out already.
    pub overtaken: BTreeMap<Jid, usize>,
    /// Seats of before a restart that the primary has kept or given back, and by which nick; their sessions are not here.
    pub kept: BTreeMap<Jid, Nick>,
    /// Sessions whose presence had no room in the census.
    pub unsaid: BTreeSet<Jid>,
    /// What the stored seats are worth.
    pub roster: Stored,
    /// Sessions that the room served itself until it granted this, and behind which event; they hear what all hear once the
    /// snapshot is whole.
    pub handed: BTreeMap<Jid, u64>,
    /// Attempts that failed in a row.
    pub failures: u32,
    pub retry_at: Option<u64>,
    /// Whether it was lost because nothing came through, so that a sign of the service is worth an attempt.
    pub unreached: bool,
    /// Since when the primary has not been reached; until all is as it should be.
    pub lost_at: Option<u64>,
    /// When it was split, the last few times.
    pub splits: VecDeque<u64>,
    /// The snapshot as far as it has come.
    pub staging: Option<Staging>,
    /// The parts of an event as far as they have come.
    pub parts: Vec<(Element, At)>,
}

/// How far a mirror has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub incarnation: String,
    pub term: String,
    pub seq: u64,
    /// From where on the mirrored archive has no hole.
    pub whole: Whole,
}

impl Place {
    /// What a mirror that has come here is of.
    pub fn origin(self) -> Origin {
        Origin { incarnation: self.incarnation, term: self.term }
    }
}

/// A local session in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub nick: Nick,
    pub class: Class,
    /// Its place among all entries here.
    pub entry: u64,
    /// Of its last presence.
    pub payload: Vec<Element>,
    /// How it came to an island, until the room has let it in; who was let in and is forgotten again did not.
    pub came: Option<Came>,
    /// It has come back to an island, or the room has forgotten that it has let it in: how many ENTERs are to come until that which
    /// answers its own join; 0 for one that is in.
    pub awaits: usize,
    /// Its leave is relayed: it hears nothing more but the LEAVE.
    pub leaving: bool,
}

impl Session {
    /// Whether it is in by this site's word, and the primary has not said so yet.
    pub fn awaits_enter(&self) -> bool {
        self.awaits > 0
    }
}

/// How somebody came to an island.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Came {
    /// When, and on what.
    pub accepted: Provisionally,
    /// Whose nick it was (XEP-0421), where the mirror knew: it may be another's before the room has let him in.
    pub occupant_id: Option<String>,
}

/// A join that has not been answered.
#[derive(Debug, Clone)]
pub(super) struct Join {
    /// The join itself, should it have to be sent again; the last, where there are several.
    pub stanza: Element,
    /// How many of them are under way: each permits one ENTER (4.5).
    pub unanswered: usize,
    /// How many of those, the first ones, he has left again behind: their ENTER lets nobody in where another join is under way.
    pub over: usize,
    /// What came for this user alone and waits for the ENTER.
    pub behind: VecDeque<Element>,
}

impl Join {
    /// Whether he has left again behind them all.
    pub fn is_over(&self) -> bool {
        self.over >= self.unanswered
    }
}

impl Mirror {
    /// A room nothing is known of yet.
    pub fn new(room: Jid, cx: &mut Cx<'_>) -> Mirror {
        let (audience, outbox) = (AudienceId(cx.site.random()), Outbox::new(cx.site.name()));
        Mirror::with(room, audience, outbox, cx.now)
    }

    /// The same, from its parts.
    pub fn with(room: Jid, audience: AudienceId, outbox: Outbox, now: Now) -> Mirror {
        Mirror {
            room,
            life: Life::Asking,
            since: now,
            link: Link::default(),
            config: UNKNOWN,
            seats: Seats::default(),
            jids_stored: false,
            past: Remembered::default(),
            unburied: Unburied::default(),
            audience,
            sessions: BTreeMap::new(),
            joins: BTreeMap::new(),
            gone: BTreeMap::new(),
            hidden: BTreeSet::new(),
            half_removed: BTreeMap::new(),
            outbox,
            older: Vec::new(),
            members: Memberships::new(),
            withheld: Withheld::default(),
            island: None,
            provisional: Provisionals::default(),
            awaited: Awaited::default(),
            away: Overlay::new(),
            echoes: Vec::new(),
            hold: Hold::default(),
            held: VecDeque::new(),
            repaired_at: None,
            entries: 0,
            places: 0,
        }
    }

    /// Moves on as the table says; `false` where the sign says nothing.
    pub fn sign(&mut self, sign: Sign, cx: &Cx<'_>) -> bool {
        let Some(life) = self.life.after(sign) else { return false };
        self.life = life;
        self.since = cx.now;
        true
    }

    /// A stanza from the room to the replica: XEP-0282 4.3 to 4.9.
    pub fn down(&mut self, stanza: &Element, from: &Jid, cx: &mut Cx<'_>) {
        if stanza.get("type") == Some("error") {
            return self.bounced(stanza, cx);
        }
        if let Some(Ok(Up::Stale(stale))) = stanza.get_child("x", ns::DMUC).map(Up::parse) {
            return self.told_stale(&stale, cx);
        }
        let (down, at) = match Down::find(stanza) {
            Some(Ok(found)) => found,
            Some(Err(damaged)) => {
                cx.log(format!("link {}: {damaged}", self.room));
                return self.lost(cx);
            }
            None => return,
        };
        let present = self.link.epoch.as_deref() == Some(at.epoch.as_str());
        if present && self.life == Life::Dormant {
            return self.down_while_dormant(down, &at, stanza, from, cx);
        }
        if !present || !self.life.talks() {
            return self.say_stale(&at.epoch, cx);
        }
        if at.d <= self.link.d {
            return;
        }
        if at.d != self.link.d + 1 && !flaw!(GapIgnored) {
            cx.log(format!("link {}: {} follows {}", self.room, at.d, self.link.d));
            return self.lost(cx);
        }
        self.link.d = at.d;
        self.forget_echoes(cx);
        if let Some(ack) = &at.ack {
            self.acknowledged(&ack.outbox, ack.n, cx);
        }
        let mut stanza = stanza.clone();
        stanza.unset("to");
        crate::wire::strip(&mut stanza);
        // What was relayed while a snapshot is on its way is told behind it.
        let ack = at.ack.clone().filter(|_| self.life == Life::Live);
        self.apply(down, at, stanza, from, cx);
        if let Some(ack) = ack.filter(|_| self.life == Life::Live) {
            self.settle_told(&ack, cx);
        }
    }

    /// Nobody is here any more, and the room has yet to hear of it: who is to enter is not waiting for it, who is put out is told.
    fn down_while_dormant(&mut self, down: Down, at: &At, stanza: &Element, from: &Jid, cx: &mut Cx<'_>) {
        match down {
            Down::Enter { jid, .. } => self.refuse_enter(&jid, from, cx),
            Down::Leave { jid } if cx.site.is_local(&jid) => {
                let mut own = stanza.clone();
                own.unset("to");
                crate::wire::strip(&mut own);
                cx.pass(&jid, own);
            }
            _ => self.say_stale(&at.epoch, cx),
        }
    }

    fn apply(&mut self, down: Down, at: At, stanza: Element, from: &Jid, cx: &mut Cx<'_>) {
        match (down, self.life) {
            (Down::Jids(jids), _) => self.learn_jids(jids),
            (Down::Members(members), Life::Syncing | Life::Live) if cx.site.config.split.enter_members => {
                self.learn_members(members, cx);
            }
            (Down::Resend { outbox, from }, _) => self.resend(&outbox, from, cx),
            (Down::Config(config), Life::Syncing) => self.stage(|staging| staging.config = Some(config), cx),
            (Down::Config(config), Life::Live) => self.configured(config, cx),
            (Down::Roster, Life::Syncing) => self.stage_seat(&stanza, cx),
            (Down::Away(away), Life::Syncing) => self.stage(|staging| lay(&mut staging.away, &away), cx),
            (Down::Away(away), Life::Live) => self.mark_away(&away, cx),
            (Down::Past { said_ms }, Life::Syncing) => self.stage_past(said_ms, &at, stanza, cx),
            (Down::Synced { gap }, Life::Syncing) => self.synced(at.seq.unwrap_or_default(), gap, cx),
            (Down::Event { said_ms, config }, Life::Live) => self.event(stanza, at, said_ms, config, cx),
            (Down::Enter { jid, history }, Life::Live) => self.enter(&jid, stanza, from, history, cx),
            (Down::Leave { jid }, Life::Live) => self.leave(&jid, stanza, cx),
            (Down::Digest(roster), Life::Live) => self.compare(&roster, cx),
            _ => {
                cx.log(format!("link {}: '{}' is out of turn", self.room, at.kind.as_str()));
                self.lost(cx);
            }
        }
    }

    /// A stanza from the room to one local user: an error, a private message, an answer. On the wire it is the user's own.
    pub fn one_to_one(&mut self, mut stanza: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        let mark = UpMark::find(&stanza).and_then(Result::ok);
        crate::wire::strip(&mut stanza);
        stanza.unset("to");
        if stanza.get("type") == Some("error") && stanza.name() != "iq" {
            return self.error_for(stanza, mark, from, to, cx);
        }
        if stanza.name() == "presence" && stanza.get("type") == Some("unavailable") && has_status(&stanza, Status::SELF)
        {
            return self.told_outside(stanza, to, cx);
        }
        let Some(join) = self.joins.get_mut(to) else { return cx.pass(to, stanza) };
        if is_of_versions(&stanza) {
            // XEP-0463 5.2.1: before any presence.
            return cx.pass(to, stanza);
        }
        let plain = stanza.name() == "presence" || stanza.get("type") == Some("groupchat");
        if plain {
            // The room serves this user itself; or it did once, and has yet to hear of a join under this registration.
            if !self.life.talks() {
                self.forget_join(to, cx);
            }
            return cx.pass(to, stanza);
        }
        let is_in = self.sessions.get(to).is_some_and(|session| !session.leaving);
        if !is_in && join.behind.len() < BEHIND_MAX { join.behind.push_back(stanza) } else { cx.pass(to, stanza) }
    }

    /// One of the unanswered joins of a user is answered; what waited goes on when he is in, or behind the last.
    pub fn answer_join(&mut self, user: &Jid, cx: &mut Cx<'_>) {
        let Some(join) = self.joins.get_mut(user) else { return };
        join.unanswered = join.unanswered.saturating_sub(1);
        join.over = join.over.saturating_sub(1);
        if join.unanswered == 0 {
            return self.forget_join(user, cx);
        }
        let behind = if self.sessions.contains_key(user) { std::mem::take(&mut join.behind) } else { VecDeque::new() };
        behind.into_iter().for_each(|stanza| cx.pass(user, stanza));
    }

    /// What a user's joins were waiting for will not come, or has; what waited behind them goes on.
    pub fn forget_join(&mut self, user: &Jid, cx: &mut Cx<'_>) {
        for stanza in self.joins.remove(user).into_iter().flat_map(|join| join.behind) {
            cx.pass(user, stanza);
        }
    }

    /// What becomes of a stanza of another registration: not applied, and said so, once a second at the most.
    fn say_stale(&mut self, epoch: &str, cx: &mut Cx<'_>) {
        // While a registration is under way what is still coming of the one before is no news to anybody.
        if self.life == Life::Registering || !cx.site.may_say_stale(&self.room, cx.now.mono_ms) {
            return;
        }
        let stale = Stale { epoch: epoch.to_owned() };
        let message = Element::stanza("message").attr("from", cx.site.config.jid.as_str()).child(stale.x());
        cx.up(&self.room, message);
    }

    fn told_stale(&mut self, stale: &Stale, cx: &mut Cx<'_>) {
        if self.link.epoch.as_deref() == Some(stale.epoch.as_str()) {
            self.lost(cx);
        }
    }

    /// After each input: a room without local users is not held open for long.
    pub fn settle(&mut self, cx: &mut Cx<'_>) {
        let nobody = self.sessions.is_empty() && self.joins.is_empty() && self.gone.is_empty();
        let expected = !self.link.kept.is_empty() || !self.link.overtaken.is_empty();
        if self.life == Life::Live && nobody && !expected && self.older.iter().all(Outbox::is_empty) {
            self.fall_dormant(cx);
        }
    }

    /// When this room wants to be woken.
    pub fn due(&self, config: &ReplicaConfig) -> Option<u64> {
        self.life_due(config).into_iter().chain(self.split_due(config)).min()
    }

    fn life_due(&self, config: &ReplicaConfig) -> Option<u64> {
        let after = |ms: u64| Some(self.since.mono_ms + ms);
        match self.life {
            Life::Asking => after(intent::HELD_MS),
            Life::Registering => after(register::ANSWER_MS),
            Life::Syncing => after(self.snapshot_ms()),
            Life::Suspect => self.link.retry_at,
            Life::Dormant => after(config.grace_seconds * 1000),
            Life::Plain => after(register::PLAIN_MS),
            Life::Live | Life::Over => None,
        }
    }

    /// The time asked for has come.
    pub fn expire(&mut self, cx: &mut Cx<'_>) {
        let now_ms = cx.now.mono_ms;
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now_ms);
        if is_due(self.split_due(&cx.site.config)) {
            self.begin_island(cx);
        }
        if !is_due(self.life_due(&cx.site.config)) {
            return;
        }
        match self.life {
            Life::Asking => self.not_announced(cx),
            Life::Registering => self.unanswered(cx),
            Life::Syncing => self.lost(cx),
            Life::Suspect => self.retry(cx),
            Life::Dormant => self.withdraw(cx),
            Life::Plain => drop(self.sign(Sign::Expired, cx)),
            Life::Live | Life::Over => {}
        }
    }
}

/// Until a snapshot says.
const UNKNOWN: RoomConfig = RoomConfig {
    whois_anyone: false,
    moderated: false,
    broadcast: Vec::new(),
    private_messages: Some(Role::Visitor),
    history: 0,
    logging: false,
};

/// Most stanzas that wait for one user's ENTER; more go ahead of it.
const BEHIND_MAX: usize = 100;
