//! The room service of one domain: finds the room a stanza is for, makes rooms, keeps their time, takes away those that are
//! over. What it says of itself is in `service_disco`.

use crate::activity::Activity;
use crate::names::Nick;
use crate::primary::{Keepalive, Tombstones, kept_since};
use crate::room::{Cx, Kept, Life, Room, is_join};
use crate::tally::Tallies;
use machine::{Gate, Input, Machine, Now, Output, Record, Row, Token};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use xmpp::stanza::contact::Contacts;
use xmpp::stanza::{Condition, StanzaError, answerable};
use xmpp::{Element, Jid, Shared, ns};

/// What the operator says of the service.
#[derive(Debug, Clone)]
pub struct PrimaryConfig {
    /// The domain of the rooms.
    pub domain: Jid,
    /// Who may create rooms.
    pub create: Create,
    /// Domains of this server's own users, for [`Create::Local`].
    pub local_domains: Vec<String>,
    /// Bare JIDs that may do anything.
    pub admins: Vec<Jid>,
    /// Whom to write to about the service (XEP-0157).
    pub contacts: Contacts,
    /// Sites that may hold replicas: domains, or `*`.
    pub replicas: Vec<String>,
    /// Silence after which a link is pinged, seconds.
    pub keepalive_seconds: u64,
    /// How long a suspect link is waited for, seconds.
    pub suspect_seconds: u64,
    /// How long the seats of a split site are kept, seconds.
    pub retention_seconds: u64,
    /// Whether occupants of a split site are shown away, where a room does not hide real addresses.
    pub mark_away: bool,
    /// Whether sites that ask for it are told which of their own users are members, admins and owners of a room, so that these
    /// may enter while the link is lost.
    pub supply_members: bool,
}

/// Who may create rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Everybody.
    Anyone,
    /// Users of this server.
    Local,
    /// Admins of the service.
    Admins,
}

/// One room as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// The bare address.
    pub jid: Jid,
    /// Its name for people; may be empty.
    pub name: String,
    /// Whether it outlives its last occupant.
    pub persistent: bool,
    /// How many seats are taken.
    pub occupants: usize,
    /// How many of their sessions are served directly and not through a replica.
    pub direct_sessions: usize,
    /// The replicas it has, by address.
    pub replicas: Vec<Jid>,
}

/// The room service of one domain.
pub struct Primary {
    pub(crate) config: Arc<PrimaryConfig>,
    pub(crate) rooms: BTreeMap<Jid, Room>,
    by_number: BTreeMap<u32, Jid>,
    last_number: u32,
    /// What is due when: rooms by the time they asked for.
    due: BTreeSet<(u64, Jid)>,
    due_of: BTreeMap<Jid, u64>,
    /// For what is not any room's: number 0.
    gate: Gate,
    /// What could not be loaded, to be logged.
    unread: Vec<String>,
    /// XEP-0282: what is known of the replicas of all rooms.
    pub(crate) keepalive: Keepalive,
    pub(crate) tombstones: Tombstones,
    pub(crate) tallies: Tallies,
    pub(crate) activity: Activity,
    pub(crate) rng: ChaCha12Rng,
}

impl Primary {
    /// The service as it was kept: `records` are all of the spaces [`crate::SPACES`] and `tombstone`; `recent` the
    /// last rows of each room's archive (100 are used), in rising order. `seed` is fresh for every start.
    pub fn new(config: PrimaryConfig, seed: [u8; 32], records: Vec<Record>, recent: Vec<Row>) -> Primary {
        let mut service = Primary {
            config: Arc::new(config),
            rooms: BTreeMap::new(),
            by_number: BTreeMap::new(),
            last_number: 0,
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            gate: Gate::numbered(0),
            unread: Vec::new(),
            keepalive: Keepalive::default(),
            tombstones: Tombstones::default(),
            tallies: Tallies::default(),
            activity: Activity::default(),
            rng: ChaCha12Rng::from_seed(seed),
        };
        service.load(&records);
        for row in &recent {
            if let Some(room) = Jid::new(&row.archive).ok().and_then(|jid| service.rooms.get_mut(&jid)) {
                room.recall(row);
            }
        }
        let rooms: Vec<Jid> = service.rooms.keys().cloned().collect();
        for jid in rooms {
            service.note_due(&jid);
        }
        service.look_for_lost();
        service
    }

    /// All rooms, in order of their addresses.
    pub fn rooms(&self) -> Vec<RoomSummary> {
        let born = self.rooms.values().filter(|room| matches!(room.life, Life::Locked | Life::Open));
        born.map(Room::summary).collect()
    }

    /// XEP-0045 11.2: tells direct occupants that the service shuts down. Nothing is to be handled afterwards.
    pub fn shutdown(&mut self, now: Now, out: &mut Vec<Output>) {
        for room in self.rooms.values_mut() {
            room.shut_down(&mut Cx::new(now, out));
        }
    }

    /// Runs `with` on a room, and afterwards what every touch of a room needs.
    pub(crate) fn with_room(
        &mut self,
        jid: &Jid,
        now: Now,
        out: &mut Vec<Output>,
        with: impl FnOnce(&mut Room, &mut Cx<'_>),
    ) {
        if let Some(room) = self.rooms.get_mut(jid) {
            let said = room.said_seq;
            let mut cx = Cx::new(now, out);
            with(room, &mut cx);
            if room.life == Life::Over {
                room.refuse_requests(&mut cx);
            }
            let Cx { tallied, left, .. } = cx;
            for (domain, tally) in tallied {
                self.tallies.add(&domain, tally);
            }
            if !self.activity.is_empty() {
                if room.said_seq > said {
                    self.activity.said(&self.config.domain, room, out);
                }
                left.iter().for_each(|session| self.activity.left(session, room));
            }
            self.settle(jid, now, out);
        }
    }

    fn handle_stanza(&mut self, stanza: Element, now: Now, out: &mut Vec<Output>) {
        let Some(to) = stanza.get("to").and_then(|to| Jid::new(to).ok()) else { return };
        if to.local().is_none() {
            if !self.link_stanza(&stanza, now, out) {
                self.handle_own(&stanza, now, out);
            }
            return;
        }
        let room = to.bare();
        if let Some(error) = self.buried(&room, &stanza, now) {
            return reply(&stanza, &error, out);
        }
        if !self.rooms.contains_key(&room) && !self.begin_room(&room, &stanza, out) {
            return;
        }
        self.with_room(&room, now, out, |room, cx| room.receive(stanza, cx));
    }

    /// A stanza for an address that has no room: a join or a registration may bring one into being, all else is answered.
    fn begin_room(&mut self, jid: &Jid, stanza: &Element, out: &mut Vec<Output>) -> bool {
        let joins = is_join(stanza);
        let registers = stanza.name() == "iq" && stanza.has_child("replicate", ns::NETJOIN);
        if !joins && !registers {
            self.answer_for_none(jid, stanza, out);
            return false;
        }
        if self.rooms.len() >= ROOMS_MAX || (joins && self.owns_too_many(stanza)) {
            let error = StanzaError::new(Condition::ResourceConstraint, "There are as many rooms as there may be.");
            reply(stanza, &error, out);
            return false;
        }
        self.add_room(jid);
        true
    }

    /// An address that is to have a room.
    pub(crate) fn add_room(&mut self, jid: &Jid) {
        let (number, seed) = self.next_room();
        let room = Room::unborn(jid.clone(), number, self.config.clone(), seed);
        self.by_number.insert(number, jid.clone());
        self.rooms.insert(jid.clone(), room);
    }

    fn answer_for_none(&self, jid: &Jid, stanza: &Element, out: &mut Vec<Output>) {
        let from = stanza.get("from").and_then(|from| Jid::new(from).ok());
        let nick = stanza.get("to").and_then(|to| Jid::new(to).ok()).as_ref().and_then(Nick::of);
        match (stanza.name(), stanza.get("type"), from, nick) {
            // 7.2.17: it believes to be in a room that is gone.
            ("presence", None, Some(from), Some(nick)) => {
                out.push(Output::Send { to: from, stanza: Shared::new(crate::room::outsider(jid, &nick)) });
            }
            ("presence", None, ..) => reply(stanza, &Condition::JidMalformed.into(), out),
            ("presence", ..) => {}
            _ => reply(stanza, &Condition::ItemNotFound.into(), out),
        }
    }

    fn owns_too_many(&self, join: &Element) -> bool {
        let Some(user) = join.get("from").and_then(|from| Jid::new(from).ok()).map(|from| from.bare()) else {
            return true;
        };
        let owned = self.rooms.values().filter(|room| room.is_owned_by(&user)).count();
        owned >= ROOMS_PER_OWNER_MAX && !self.config.admins.contains(&user)
    }

    /// A number that no room has, and randomness of its own. Number 0 is the service's.
    fn next_room(&mut self) -> (u32, [u8; 32]) {
        self.last_number = self.last_number.wrapping_add(1).max(1);
        while self.by_number.contains_key(&self.last_number) {
            self.last_number = self.last_number.wrapping_add(1).max(1);
        }
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        (self.last_number, seed)
    }

    fn load(&mut self, records: &[Record]) {
        let mut kept: BTreeMap<Jid, Kept> = BTreeMap::new();
        for record in records {
            // A server hands over all that it keeps; accounts and mirrors have other owners.
            let owner = Jid::new(&record.owner).ok().filter(|owner| owner.domain() == self.config.domain.as_str());
            let Some(owner) = owner else { continue };
            let taken = match record.space.as_str() {
                "tombstone" => self.tombstones.load(owner, record),
                _ => kept.entry(owner).or_default().take(record),
            };
            self.unread.extend(taken.err());
        }
        for (jid, kept) in kept {
            let (number, seed) = self.next_room();
            match Room::load(jid.clone(), number, self.config.clone(), seed, kept) {
                Some(room) => {
                    self.by_number.insert(number, jid.clone());
                    self.rooms.insert(jid, room);
                }
                None => self.unread.push(format!("room {jid} has records but no main record")),
            }
        }
    }

    fn expire(&mut self, now: Now, out: &mut Vec<Output>) {
        // Only what is due now: a room that asks for the same moment again has its turn at the next one.
        let due: Vec<Jid> =
            self.due.iter().take_while(|(at, _)| *at <= now.mono_ms).map(|(_, jid)| jid.clone()).collect();
        for jid in due {
            self.with_room(&jid, now, out, |room, cx| {
                room.expire(cx);
                room.link_timeout(cx);
            });
        }
        if self.next_service_link_timeout().is_some_and(|at| at <= now.mono_ms) {
            self.service_link_timeout(now, out);
        }
    }

    /// After a room has been touched: it is taken away when it is over, else its time is noted.
    fn settle(&mut self, jid: &Jid, now: Now, out: &mut Vec<Output>) {
        self.note_links(jid, now);
        let Some(room) = self.rooms.get_mut(jid) else { return };
        room.give_up_if_empty(now);
        if room.life != Life::Over || room.gate.held() > 0 {
            return self.note_due(jid);
        }
        let ended = room.end(now);
        self.by_number.remove(&room.number);
        self.rooms.remove(jid);
        if let Some(at) = self.due_of.remove(jid) {
            self.due.remove(&(at, jid.clone()));
        }
        out.push(ended.audience);
        let mut changes = ended.changes;
        if let Some((incarnation, tombstone)) = ended.tombstone {
            let kept_since = kept_since(&self.config, now);
            changes.extend(self.tombstones.put(jid.clone(), incarnation, tombstone, kept_since));
        }
        if !changes.is_empty() {
            self.gate.persist(changes, out);
        }
    }

    fn note_due(&mut self, jid: &Jid) {
        let next = self
            .rooms
            .get(jid)
            .and_then(|room| [room.next_timeout(), room.next_link_timeout()].into_iter().flatten().min());
        if self.due_of.get(jid).copied() == next {
            return;
        }
        if let Some(at) = self.due_of.remove(jid) {
            self.due.remove(&(at, jid.clone()));
        }
        if let Some(at) = next {
            self.due.insert((at, jid.clone()));
            self.due_of.insert(jid.clone(), at);
        }
    }

    fn room_of(&self, number: u32) -> Option<Jid> {
        self.by_number.get(&number).cloned()
    }
}

impl Machine for Primary {
    fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Output>) {
        out.extend(self.unread.drain(..).map(Output::Log));
        match input {
            Input::Stanza(stanza) => self.handle_stanza(stanza, now, out),
            Input::Persisted(token) => {
                if let Some(room) = self.room_of(Gate::number_of(token)) {
                    self.with_room(&room, now, out, |room, cx| room.persisted(token, cx));
                }
            }
            Input::PersistFailed(token) => {
                if let Some(room) = self.room_of(Gate::number_of(token)) {
                    self.with_room(&room, now, out, |room, cx| room.persist_failed(token, cx));
                }
            }
            Input::Rows(id, page) => {
                if let Some(room) = self.room_of(Gate::number_of(Token(id.0))) {
                    self.with_room(&room, now, out, |room, cx| room.rows(id, page, cx));
                }
            }
            Input::SessionEnded(_) => {}
            Input::StreamEnded(domain) => self.link_stream_ended(&domain, now, out),
            Input::Reachable(domain) => self.link_reachable(&domain, now, out),
            Input::Timeout => self.expire(now, out),
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        let rooms = self.due.first().map(|(at, _)| *at);
        [rooms, self.next_service_link_timeout()].into_iter().flatten().min()
    }
}

/// Answers a stanza with an error in the name of the address it was sent to.
pub(crate) fn reply(stanza: &Element, error: &StanzaError, out: &mut Vec<Output>) {
    if let Some(to) = stanza.get("from").and_then(|from| Jid::new(from).ok())
        && answerable(stanza)
    {
        out.push(Output::Send { to, stanza: Shared::new(error.reply(stanza)) });
    }
}

/// Most rooms of a service: what fits in memory with room to spare.
pub(crate) const ROOMS_MAX: usize = 100_000;
/// Most rooms one user owns; others he must give up first.
const ROOMS_PER_OWNER_MAX: usize = 100;
