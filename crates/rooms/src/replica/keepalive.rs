//! Keepalive, XEP-0282 4.10, and how a loss is seen, 4.11.1: silence, bounces, heads.
//!
//! Between a service and the replica, for all rooms together. Pings say how far each room has sent; only the receiver
//! judges, since on an ordered stream nothing that is still under way can be missing.

use super::life::Life;
use super::mirror::Mirror;
use super::numbers::Outbox;
use super::site::{Asked, Cx, Due, Site};
use super::{Replica, ReplicaConfig};
use crate::wire::{HEADS_MAX, Head, Heads, Sent};
use machine::{Now, Output};
use std::collections::BTreeSet;
use xmpp::stanza::iq_result;
use xmpp::{Element, Jid, ns};

/// A service as this site knows it.
#[derive(Debug)]
pub(super) struct Service {
    /// Whether it speaks XEP-0282, and until when that is believed.
    pub announced: Option<(bool, u64)>,
    /// Whether it is being asked.
    pub asking: bool,
    heard_ms: u64,
    spoke_ms: u64,
    /// When the ping that has not been answered was sent.
    pinged_ms: Option<u64>,
    /// Pings in a row without an answer.
    lost: u32,
    /// Its rooms with a link that is in use.
    rooms: BTreeSet<Jid>,
    /// Its rooms that were not reached.
    unreached: BTreeSet<Jid>,
}

impl Service {
    pub fn new(now: Now) -> Service {
        Service {
            announced: None,
            asking: false,
            heard_ms: now.mono_ms,
            spoke_ms: now.mono_ms,
            pinged_ms: None,
            lost: 0,
            rooms: BTreeSet::new(),
            unreached: BTreeSet::new(),
        }
    }

    /// When it wants to be looked at.
    pub fn due(&self, config: &ReplicaConfig) -> Option<u64> {
        let forget = self.announced.map(|(_, until)| until);
        if self.rooms.is_empty() {
            return forget;
        }
        let quiet_since = self.pinged_ms.unwrap_or(self.heard_ms.min(self.spoke_ms));
        Some((quiet_since + config.keepalive_seconds.max(1) * 1000).min(forget.unwrap_or(u64::MAX)))
    }

    /// Milliseconds since it was heard of.
    pub fn silent_ms(&self, now: Now) -> u64 {
        now.mono_ms.saturating_sub(self.heard_ms)
    }
}

impl Site {
    /// A service has sent something: it is alive.
    pub(super) fn heard(&mut self, domain: &str, now: Now) {
        if let Some(service) = self.services.get_mut(domain) {
            (service.heard_ms, service.pinged_ms, service.lost) = (now.mono_ms, None, 0);
        }
    }

    /// After a restart a service is known by its room alone: it was asked what it is in a life before.
    fn know(&mut self, room: &Jid, matters: bool, now: Now) {
        if matters && !self.services.contains_key(room.domain()) {
            self.services.insert(room.domain().to_owned(), Service::new(now));
        }
    }

    /// A room was not reached, or that is over.
    pub(super) fn misses(&mut self, room: &Jid, unreached: bool, now: Now) {
        self.know(room, unreached, now);
        let Some(service) = self.services.get_mut(room.domain()) else { return };
        if unreached {
            service.unreached.insert(room.clone())
        } else {
            service.unreached.remove(room)
        };
    }

    /// Something has been sent to a service.
    pub(super) fn spoke(&mut self, domain: &str, now: Now) {
        if let Some(service) = self.services.get_mut(domain) {
            service.spoke_ms = now.mono_ms;
        }
    }

    /// A room's link is in use, or not any more.
    pub(super) fn talks(&mut self, room: &Jid, talks: bool, now: Now) {
        self.know(room, talks, now);
        let Some(service) = self.services.get_mut(room.domain()) else { return };
        let changed = if talks { service.rooms.insert(room.clone()) } else { service.rooms.remove(room) };
        if changed {
            let due = service.due(&self.config);
            self.timers.set(Due::Service(room.domain().to_owned()), due);
        }
    }
}

impl Replica {
    /// A service has sent something: rooms of it that were not reached are tried again.
    pub(super) fn heard(&mut self, stanza: &Element, domain: &str, now: Now, out: &mut Vec<Output>) {
        if is_bounce(stanza) {
            return;
        }
        self.site.heard(domain, now);
        let unreached = self.site.services.get_mut(domain).map(|service| std::mem::take(&mut service.unreached));
        let unreached = unreached.unwrap_or_default();
        if !unreached.is_empty() {
            self.free_turn(domain, now, out);
        }
        for room in &unreached {
            self.with(room, now, out, Mirror::hurry);
        }
    }

    /// A service's time has come: forget what is too old, ping after silence, judge when pings stay unanswered.
    pub(super) fn keep_alive(&mut self, domain: &str, now: Now, out: &mut Vec<Output>) {
        let Some(service) = self.site.services.get_mut(domain) else { return };
        service.announced = service.announced.filter(|(_, until)| *until > now.mono_ms);
        let interval_ms = self.site.config.keepalive_seconds.max(1) * 1000;
        let since = service.pinged_ms.unwrap_or(service.heard_ms.min(service.spoke_ms));
        if !service.rooms.is_empty() && now.mono_ms >= since + interval_ms {
            if service.pinged_ms.is_some() {
                service.lost += 1;
            }
            if service.lost >= PINGS_LOST_MAX {
                (service.pinged_ms, service.lost) = (None, 0);
                // A stream may stand that carries nothing any more.
                out.push(Output::Renew(domain.to_owned()));
                self.with_all_of(domain, now, out, Mirror::unreached);
            } else {
                service.pinged_ms = Some(now.mono_ms);
                self.ping(domain, now, out);
            }
        }
        let Some(service) = self.site.services.get(domain) else { return };
        let due = service.due(&self.site.config);
        if due.is_none() && !service.asking && service.unreached.is_empty() {
            self.site.services.remove(domain);
        }
        self.site.timers.set(Due::Service(domain.to_owned()), due);
    }

    fn ping(&mut self, domain: &str, now: Now, out: &mut Vec<Output>) {
        let Ok(to) = Jid::new(domain) else { return };
        for heads in self.heads(domain).chunks(HEADS_MAX) {
            let ping = Element::new("ping", ns::PING).child(Heads::Up(heads.to_vec()).element());
            self.cx(now, out).ask(&to, "get", ping, Asked::Ping(domain.to_owned()));
        }
    }

    /// How far this site has sent in each room of a service.
    fn heads(&self, domain: &str) -> Vec<Sent> {
        let rooms = self.site.services.get(domain).into_iter().flat_map(|service| &service.rooms);
        rooms.filter_map(|room| self.mirrors.get(room)).flat_map(Mirror::sent).collect()
    }

    /// A ping to the replica; only a service's own says anything of rooms.
    pub(super) fn pinged(&mut self, stanza: &Element, from: &Jid, now: Now, out: &mut Vec<Output>) {
        let heads = stanza.get_child("ping", ns::PING).and_then(|ping| ping.get_child("heads", ns::NETJOIN));
        let mut reply = iq_result(stanza);
        if let Some(heads) = heads.filter(|_| *from == from.server()) {
            self.judge(from.domain(), heads, now, out);
            let mut own = self.heads(from.domain());
            own.truncate(HEADS_MAX);
            reply.push(Heads::Up(own).element());
        }
        self.cx(now, out).up(from, reply);
    }

    /// An answer to a ping; an error means alive as well, unless it says that the service was not reached.
    pub(super) fn ponged(&mut self, domain: &str, stanza: &Element, now: Now, out: &mut Vec<Output>) {
        if matches!(condition(stanza), Some("remote-server-not-found" | "remote-server-timeout")) {
            self.with_all_of(domain, now, out, Mirror::unreached);
        } else if let Some(heads) = stanza.get_child("heads", ns::NETJOIN) {
            self.judge(domain, heads, now, out);
        }
    }

    fn judge(&mut self, domain: &str, heads: &Element, now: Now, out: &mut Vec<Output>) {
        let Ok(Heads::Down(heads)) = Heads::parse(heads) else { return };
        for head in heads.iter().filter(|head| head.room.domain() == domain) {
            if !self.mirrors.contains_key(&head.room) {
                self.cx(now, out).say_deserted(&head.room, &head.epoch);
            }
            self.with(&head.room, now, out, |mirror, cx| mirror.head(head, cx));
        }
    }
}

impl Mirror {
    /// How far this site has sent of each outbox the primary has been told of, where there is a link.
    fn sent(&self) -> Vec<Sent> {
        let Some(epoch) = &self.link.epoch else { return Vec::new() };
        let older = self.older.iter().filter(|outbox| outbox.offered);
        let sent = |outbox: &Outbox| Sent {
            room: self.room.clone(),
            epoch: epoch.clone(),
            outbox: outbox.name.clone(),
            n: outbox.last(),
        };
        std::iter::once(&self.outbox).chain(older).map(sent).collect()
    }

    /// How far the room has sent: more than has come is a loss, and so is another registration.
    fn head(&mut self, head: &Head, cx: &mut Cx<'_>) {
        if self.life == Life::Dormant {
            return cx.say_deserted(&self.room, &head.epoch);
        }
        if !self.life.talks() {
            return;
        }
        if self.link.epoch.as_deref() != Some(head.epoch.as_str()) || head.d > self.link.d {
            cx.log(format!("link {}: {} of {} came", self.room, self.link.d, head.d));
            return self.lost(cx);
        }
        if let Some(ack) = &head.ack {
            self.acknowledged(&ack.outbox, ack.n, cx);
            if self.life == Life::Live {
                self.settle_told(ack, cx);
                self.ask_unanswered_again(ack, cx);
            }
        }
    }
}

/// The condition of an error stanza, RFC 6120 8.3.2.
pub(super) fn condition(stanza: &Element) -> Option<&str> {
    let error = stanza.get_child("error", ns::CLIENT)?;
    error.children().find(|c| c.ns() == ns::STANZA_ERRORS && c.name() != "text").map(Element::name)
}

/// Whether one's own server says this in the other's name (RFC 6120 8.3.3.16 and 8.3.3.17).
fn is_bounce(stanza: &Element) -> bool {
    stanza.get("type") == Some("error")
        && matches!(condition(stanza), Some("remote-server-not-found" | "remote-server-timeout"))
}

/// Whether an error says that the other side was not reached (`docs/wire.md`, Keepalive).
pub(super) fn is_unreachable(stanza: &Element) -> bool {
    stanza.get("type") == Some("error")
        && matches!(
            condition(stanza),
            Some(
                "remote-server-not-found"
                    | "remote-server-timeout"
                    | "service-unavailable"
                    | "gone"
                    | "recipient-unavailable"
            )
        )
}

/// Whether an error is the room's own word: all of them say so (RFC 6120 8.3.1, `by`). A full room is no lost link (XEP-0045 7.2.9).
pub(super) fn is_said_by(stanza: &Element, room: &Jid) -> bool {
    stanza.get_child("error", ns::CLIENT).and_then(|error| error.get("by")) == Some(room.as_str())
}

/// Whether a client's error shows that the client is gone (XEP-0045 18.1.2 "Ghost Users"); where it is doubtful the room asks.
pub(super) fn is_gone(stanza: &Element) -> bool {
    let condition = condition(stanza);
    (is_unreachable(stanza) && condition != Some("service-unavailable"))
        || matches!(condition, Some("item-not-found" | "redirect"))
}

/// Pings without an answer after which a link is suspect, `docs/wire.md`.
const PINGS_LOST_MAX: u32 = 2;
