//! XEP-0282 as a site speaks it: the replica of every distributed room its users are in. `docs/wire.md` is the wire.
//!
//! The engine does not know its edge. It is fed what local users send to rooms elsewhere, what comes back for them, and
//! what primaries send to the replica's own address; it gives back stanzas for either side and things to keep. It
//! judges nothing: roles, nicks and order come from the primary alone (4.1).
//!
//! | file | XEP-0282 | |
//! |---|---|---|
//! | `attach` | | users of another server, whose module hands over what they say |
//! | `site` | | what all rooms share: settings, requests under way, tokens, services |
//! | `life` | 4.11 | the life of a link, as a table |
//! | `mirror` | 4.1 | one room as mirrored here, and the way a stanza takes through it |
//! | `intent` | 4.2 | whether a room is distributed at all, found out while the user's join is held |
//! | `register` | 4.2 | registration, resumption, back-off, withdrawal |
//! | `census` | 4.11 | who is here, as a registration lists them |
//! | `snapshot`, `difference` | 4.3, 4.4 | roster and history at the start, and their difference at a resumption |
//! | `relay`, `outbox`, `numbers` | 4.8 | what users send, marked and kept until its outcome is known |
//! | `distribute` | 4.7, 4.9 | one copy from the primary to all who are here |
//! | `enter`, `leave` | 4.5, 4.6 | who is here |
//! | `roster` | 4.7 | the stored seats, and who may see real JIDs |
//! | `history` | 4.4 | what was said, in memory and in the mirrored archive |
//! | `deserted` | | rooms that believe somebody to be here when nobody is |
//! | `direct` | 4.2 | users whom rooms serve themselves, until they are handed over |
//! | `digest` | | whether the mirror is still what the primary has |
//! | `island` | 4.11.1 | what a split begins and ends, and what users may do meanwhile |
//! | `archive` | 4.11.1 | queries of what was said, answered from the mirror |
//! | `awaited` | 4.8 | messages whose outcome was not heard of, and what is made of it |
//! | `provisional`, `hold` | 4.11.1 | messages shown before the primary has them, and not before the disk has them |
//! | `refused` | | what people here have seen and no room has |
//! | `members`, `withheld` | 4.11.1.2 | who enters on an island, and what he hears when the room has let him in |
//! | `returning`, `private`, `kick` | 4.11.1 | who comes back, private messages and kicks among those who are here |
//! | `away` | 4.11.1 | who is shown as away because a site is not reached |
//! | `echo` | | presence that was shown here before the primary told of it |
//! | `keepalive` | 4.10, 4.11.1 | pings, heads, and how a loss is seen |
//! | `turns` | | one room after another, when many have been lost |
//! | `keep` | | records on disk |
//! | `summary` | | what an operator is shown |

mod archive;
mod attach;
mod awaited;
mod away;
mod buried;
mod census;
mod deserted;
mod difference;
mod digest;
mod direct;
mod distribute;
mod echo;
mod enter;
mod history;
mod hold;
mod intent;
mod island;
mod keep;
mod keepalive;
mod kick;
mod leave;
mod life;
mod members;
mod mirror;
mod numbers;
mod outbox;
mod owed;
mod private;
mod provisional;
mod refused;
mod register;
mod relay;
mod returning;
mod roster;
mod site;
mod snapshot;
mod summary;
mod turns;
mod withheld;

use crate::wire::{self, Withdrawn};
use life::Life;
use machine::{Input, Machine, Now, Output, Record, Row};
use mirror::{Mirror, Place};
use site::{Cx, Due, Resting, Site};
use std::collections::BTreeMap;
use xmpp::stanza::{Condition, StanzaError, answerable, iq_result};
use xmpp::{Element, Jid, ns};

pub use summary::LinkSummary;

/// What the operator says of the replica.
#[derive(Debug, Clone)]
pub struct ReplicaConfig {
    /// The replica's own address; no account can have it.
    pub jid: Jid,
    /// Domains whose users are served here.
    pub domains: Vec<String>,
    /// Services it will be a replica of: domains, or `*`.
    pub primaries: Vec<String>,
    /// Silence after which a service is pinged, seconds.
    pub keepalive_seconds: u64,
    /// How long a lost link is called suspect before it is called split, seconds.
    pub suspect_seconds: u64,
    /// How long the mirror of a room without local users is held before it is withdrawn, seconds.
    pub grace_seconds: u64,
    /// How long mirrored messages are kept, days.
    pub mirror_days: u32,
    /// What users may do in a room whose primary is not reached.
    pub split: SplitConfig,
}

/// What users of a site may do in a room whose primary is not reached: the MAYs of XEP-0282 4.11.1. Presence and leaving
/// always work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitConfig {
    /// They go on talking to each other; what they said is submitted when the primary is reached again.
    pub local_chat: bool,
    /// They send private messages to each other.
    pub private_messages: bool,
    /// Moderators among them kick others of them.
    pub kick: bool,
    /// Those of them enter whom the room has named as its members beforehand; the room judges it when it is reached again.
    pub enter_members: bool,
    /// Occupants at other sites are shown as away, in rooms that show real JIDs to everybody.
    pub mark_away: bool,
}

impl Default for SplitConfig {
    fn default() -> SplitConfig {
        SplitConfig { local_chat: true, private_messages: true, kick: true, enter_members: false, mark_away: true }
    }
}

/// The replica of one site, for all rooms its users are in.
pub struct Replica {
    site: Site,
    mirrors: BTreeMap<Jid, Mirror>,
}

impl Replica {
    /// Starts with what is on disk: all sessions of before are gone, what they had said and no primary has acknowledged
    /// is sent as soon as it can be. `recent` are the last rows of the mirrored archives, in any number.
    pub fn new(config: ReplicaConfig, seed: [u8; 32], records: Vec<Record>, recent: Vec<Row>) -> Replica {
        let mut replica = Replica { site: Site::new(config, seed), mirrors: BTreeMap::new() };
        replica.load(records, recent);
        replica
    }

    /// Whether a stanza between a local user and somewhere else is the replica's to look at. What is, is fed to it as
    /// [`Input::Stanza`], and comes back as [`Output::Send`] where it has nothing to do with it.
    pub fn wants(&self, stanza: &Element) -> bool {
        let address = |name| stanza.get(name).and_then(|text| Jid::new(text).ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else { return false };
        if stanza.children().any(|child| matches!(child.ns(), ns::DMUC | ns::NETJOIN)) {
            return true;
        }
        if self.touches_direct(stanza, &from, &to) {
            return true;
        }
        if self.site.is_local(&from) {
            match self.mirrors.get(&to.bare()) {
                Some(mirror) => mirror.life != Life::Plain,
                None => relay::enters_room(stanza, &to) && self.site.may_ask(to.domain()),
            }
        } else {
            self.mirrors.get(&from.bare()).is_some_and(|mirror| mirror.life != Life::Plain)
        }
    }

    /// Whether it says who is in a room that serves him itself.
    fn touches_direct(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        match (self.site.is_local(from), self.site.is_local(to)) {
            (true, false) => self.site.direct.wants(stanza, from, to, true),
            (false, true) => self.site.allows(from.domain()) && self.site.direct.wants(stanza, from, to, false),
            _ => false,
        }
    }

    /// Takes one stanza to where it is dealt with.
    fn stanza(&mut self, mut stanza: Element, now: Now, out: &mut Vec<Output>) {
        let address = |name| stanza.get(name).and_then(|text| Jid::new(text).ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else { return };
        if to == self.site.config.jid || (self.site.is_attachable() && to == self.site.config.jid.server()) {
            return self.addressed(&stanza, &from, now, out);
        }
        if self.site.is_local(&from) && !self.site.is_local(&to) {
            // Nothing of either namespace is taken from a client.
            wire::strip(&mut stanza);
            if self.site.direct.wants(&stanza, &from, &to, true) {
                self.site.direct.leaves(&to.bare(), &from);
            }
            return self.sent_by_user(stanza, &from, &to, now, out);
        }
        self.heard(&stanza, from.domain(), now, out);
        if self.site.allows(from.domain()) && self.site.is_local(&to) {
            self.site.direct.sent(&stanza, &from, &to);
        }
        let room = from.bare();
        if !self.mirrors.contains_key(&room) {
            wire::strip(&mut stanza);
            self.cx(now, out).pass(&to, stanza);
        } else {
            self.with(&room, now, out, |mirror, cx| mirror.one_to_one(stanza, &from, &to, cx));
        }
    }

    /// What a local user sends to somebody elsewhere.
    fn sent_by_user(&mut self, stanza: Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) {
        let room = to.bare();
        if self.mirrors.contains_key(&room) {
            self.with(&room, now, out, |mirror, cx| mirror.relay(stanza, from, to, cx));
        } else if relay::enters_room(&stanza, to) && self.site.may_ask(to.domain()) {
            self.intend(stanza, from, to, now, out);
        } else {
            self.cx(now, out).pass(to, stanza);
        }
    }

    /// What is addressed to the replica itself: by a room, by a service, by anybody.
    fn addressed(&mut self, stanza: &Element, from: &Jid, now: Now, out: &mut Vec<Output>) {
        self.heard(stanza, from.domain(), now, out);
        match (stanza.name(), stanza.get("type")) {
            ("iq", Some("result" | "error")) => self.answered(stanza, from, now, out),
            ("iq", _) => self.asked(stanza, from, now, out),
            _ if self.mirrors.contains_key(&from.bare()) => {
                self.with(&from.bare(), now, out, |mirror, cx| mirror.down(stanza, from, cx));
            }
            _ => self.unknown_down(stanza, from, now, out),
        }
    }

    /// A request to the replica.
    fn asked(&mut self, stanza: &Element, from: &Jid, now: Now, out: &mut Vec<Output>) {
        let payload = stanza.children().next();
        let reply = match payload.map(|p| (p.name(), p.ns())) {
            Some(("ping", ns::PING)) if stanza.get("type") == Some("get") => {
                return self.pinged(stanza, from, now, out);
            }
            Some(("query", ns::DISCO_INFO)) if stanza.get("type") == Some("get") => {
                iq_result(stanza).child(self_info())
            }
            Some(("attach", ns::ATTACH))
                if stanza.get("type") == Some("set")
                    && self.site.is_attachable()
                    && from.local().is_none()
                    && self.site.is_local(from) =>
            {
                let Some(attach) = payload else { return };
                self.attach(stanza, attach, now, out)
            }
            Some(("withdrawn", ns::NETJOIN)) if self.mirrors.contains_key(from) => {
                match payload.map(Withdrawn::parse) {
                    Some(Ok(Withdrawn { seq })) => {
                        self.with(from, now, out, |mirror, cx| mirror.revoked(seq, cx));
                        iq_result(stanza)
                    }
                    _ => StanzaError::from(Condition::BadRequest).reply(stanza),
                }
            }
            _ if answerable(stanza) => StanzaError::from(Condition::ServiceUnavailable).reply(stanza),
            _ => return,
        };
        self.cx(now, out).up(from, reply);
    }

    fn cx<'a>(&'a mut self, now: Now, out: &'a mut Vec<Output>) -> Cx<'a> {
        Cx { now, out, site: &mut self.site, waits: Vec::new() }
    }

    /// Lets one room work, and afterwards sees to its timers and its end.
    fn with(&mut self, room: &Jid, now: Now, out: &mut Vec<Output>, work: impl FnOnce(&mut Mirror, &mut Cx<'_>)) {
        let Some(mirror) = self.mirrors.get_mut(room) else { return };
        let first = out.len();
        let mut cx = Cx { now, out, site: &mut self.site, waits: Vec::new() };
        work(mirror, &mut cx);
        mirror.settle(&mut cx);
        mirror.withhold(first, &mut cx);
        let waits = cx.waits;
        mirror.hold.settle(out, first, &waits, |to| self.site.is_local(to));
        if mirror.life == Life::Over {
            mirror.hold.give_up(out);
        }
        let due = mirror.due(&self.site.config);
        let (life, over, talks) = (mirror.life, mirror.life == Life::Over, mirror.life.talks());
        self.site.timers.set(Due::Room(room.clone()), if over { None } else { due });
        let unreached = mirror.life == Life::Suspect && mirror.link.unreached;
        self.site.misses(room, unreached, now);
        self.site.talks(room, talks, now);
        if over && let Some(mirror) = self.mirrors.remove(room) {
            let of = mirror.link.place.map(Place::origin).or(mirror.link.former);
            let resting = of.map(|of| Resting { of, used_ms: now.unix_ms });
            self.site.resting.extend(resting.map(|resting| (mirror.room, resting)));
        }
        self.pass_turn(room, (life, unreached), now, out);
    }

    /// Lets all rooms of a service work.
    fn with_all_of(&mut self, domain: &str, now: Now, out: &mut Vec<Output>, work: impl Fn(&mut Mirror, &mut Cx<'_>)) {
        let rooms: Vec<Jid> = self.mirrors.keys().filter(|room| room.domain() == domain).cloned().collect();
        for room in rooms {
            self.with(&room, now, out, &work);
        }
    }

    fn timeout(&mut self, now: Now, out: &mut Vec<Output>) {
        while let Some(due) = self.site.timers.pop(now.mono_ms) {
            match due {
                Due::Room(room) => self.with(&room, now, out, |mirror, cx| mirror.expire(cx)),
                Due::Service(domain) => self.keep_alive(&domain, now, out),
                Due::Old => self.clear_out(now, out),
                Due::Owed => self.pay(now, out),
            }
        }
    }
}

impl Machine for Replica {
    fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Output>) {
        match input {
            Input::Stanza(stanza) => self.stanza(stanza, now, out),
            Input::Persisted(token) => {
                self.site.owed.kept(token);
                if let Some(room) = self.site.tokens.remove(&token) {
                    self.with(&room, now, out, |mirror, _| mirror.kept(token));
                }
            }
            Input::PersistFailed(token) => {
                self.owes(token, now);
                if let Some(room) = self.site.tokens.remove(&token) {
                    self.with(&room, now, out, |mirror, cx| mirror.not_kept(token, cx));
                }
            }
            Input::StreamEnded(domain) if self.site.is_attachable() && self.site.config.domains.contains(&domain) => {
                self.detach(now, out);
            }
            Input::StreamEnded(domain) => self.with_all_of(&domain, now, out, Mirror::unreached),
            Input::Reachable(domain) => self.with_all_of(&domain, now, out, Mirror::hurry),
            Input::Timeout => self.timeout(now, out),
            Input::Rows(id, page) => self.rows(id, page, now, out),
            Input::SessionEnded(_) => {}
        }
    }

    fn next_timeout(&self) -> Option<u64> {
        self.site.timers.next()
    }
}

/// What the replica says of itself, XEP-0030.
fn self_info() -> Element {
    let feature = |var| Element::new("feature", ns::DISCO_INFO).attr("var", var);
    let identity = Element::new("identity", ns::DISCO_INFO).attr("category", "component").attr("type", "generic");
    Element::new("query", ns::DISCO_INFO)
        .child(identity.attr("name", "Replica of rooms elsewhere"))
        .with([ns::DISCO_INFO, ns::PING].map(feature))
}
