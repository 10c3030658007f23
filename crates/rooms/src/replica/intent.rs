//! Whether a room is distributed at all, XEP-0282 4.2 with `docs/wire.md`: found out while the first join is held.
//!
//! The service is asked once what it is (XEP-0030), and the answer kept for a while, either way. Not distributed, late or
//! broken: what was held goes out untouched in its order, and the user notices nothing.

use super::keepalive::Service;
use super::life::Sign;
use super::mirror::Mirror;
use super::site::{Asked, Cx, Due, Site};
use super::{Replica, keepalive};
use machine::{Now, Output};
use xmpp::{Element, Jid, ns};

impl Replica {
    /// The first join of a local user to a room nothing is known of.
    pub(super) fn intend(&mut self, stanza: Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) {
        if self.mirrors.len() >= ROOMS_MAX {
            return self.cx(now, out).pass(to, stanza);
        }
        let mut mirror = Mirror::new(to.bare(), &mut self.cx(now, out));
        mirror.hold(stanza, from, to, &mut self.cx(now, out));
        self.begin(mirror, now, out);
    }

    /// Users are in a room of which nothing is known here: they are taken over where it is distributed.
    pub(super) fn intend_for_direct(&mut self, room: &Jid, now: Now, out: &mut Vec<Output>) {
        if self.mirrors.len() < ROOMS_MAX {
            let mirror = Mirror::new(room.clone(), &mut self.cx(now, out));
            self.begin(mirror, now, out);
        }
    }

    /// Asks what the room is, unless that is known.
    fn begin(&mut self, mut mirror: Mirror, now: Now, out: &mut Vec<Output>) {
        let (room, service) = (mirror.room.clone(), mirror.room.server());
        mirror.link.former = self.site.resting.remove(&room).map(|resting| resting.of);
        self.mirrors.insert(room.clone(), mirror);
        match self.site.announced(service.domain()) {
            Some(_) => self.with(&room, now, out, Mirror::announced),
            None => {
                self.ask_service(&service, now, out);
                self.with(&room, now, out, |_, _| ());
            }
        }
    }

    fn ask_service(&mut self, service: &Jid, now: Now, out: &mut Vec<Output>) {
        let known = self.site.services.entry(service.domain().to_owned()).or_insert_with(|| Service::new(now));
        if std::mem::replace(&mut known.asking, true) {
            return;
        }
        let query = Element::new("query", ns::DISCO_INFO);
        self.cx(now, out).ask(service, "get", query, Asked::Info(service.domain().to_owned()));
    }

    /// A service has said what it is, or that it cannot.
    pub(super) fn informed(&mut self, domain: &str, stanza: &Element, now: Now, out: &mut Vec<Output>) {
        let features = stanza.get_child("query", ns::DISCO_INFO).into_iter().flat_map(Element::children);
        let announced = stanza.get("type") == Some("result")
            && features.filter(|f| f.name() == "feature").any(|f| f.get("var") == Some(ns::DMUC));
        let lasts = match (announced, keepalive::is_unreachable(stanza)) {
            (true, _) => ANNOUNCED_MS,
            (false, false) => NOT_ANNOUNCED_MS,
            (false, true) => UNREACHED_MS,
        };
        self.site.learn(domain, announced, lasts, now);
        if !announced {
            // Behind what was held for it.
            self.with_all_of(domain, now, out, Mirror::not_announced);
            return self.leave_alone(domain, lasts, now, out);
        }
        self.with_all_of(domain, now, out, Mirror::announced);
    }
}

impl Site {
    /// Whether a room of this service may turn out to be distributed.
    pub(super) fn may_ask(&self, domain: &str) -> bool {
        self.allows(domain) && self.announced(domain) != Some(false)
    }

    /// What is known of a service; `None` when it has not been asked lately.
    pub(super) fn announced(&self, domain: &str) -> Option<bool> {
        self.services.get(domain)?.announced.map(|(announced, _)| announced)
    }

    /// Keeps in mind what a service has said.
    pub(super) fn learn(&mut self, domain: &str, announced: bool, lasts_ms: u64, now: Now) {
        if self.services.len() >= SERVICES_MAX && !self.services.contains_key(domain) {
            return;
        }
        let service = self.services.entry(domain.to_owned()).or_insert_with(|| Service::new(now));
        service.asking = false;
        service.announced = Some((announced, now.mono_ms + lasts_ms));
        let due = service.due(&self.config);
        self.timers.set(Due::Service(domain.to_owned()), due);
    }
}

impl Mirror {
    /// Holds a stanza of a user until it is known what the room is.
    pub(super) fn hold(&mut self, stanza: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        self.held.push_back(stanza.attr("from", from.as_str()).attr("to", to.as_str()));
        if self.held.len() > HELD_MAX {
            self.not_announced(cx);
        }
    }

    /// The service speaks XEP-0282: the registration, and what was held right behind it on the same stream.
    pub(super) fn announced(&mut self, cx: &mut Cx<'_>) {
        if !self.sign(Sign::Announced, cx) {
            return;
        }
        self.register(cx);
        for stanza in std::mem::take(&mut self.held) {
            let address = |name| stanza.get(name).and_then(|text| Jid::new(text).ok());
            if let (Some(from), Some(to)) = (address("from"), address("to")) {
                self.relay(stanza, &from, &to, cx);
            }
        }
    }

    /// It does not, or does not say in time.
    pub(super) fn not_announced(&mut self, cx: &mut Cx<'_>) {
        if !self.sign(Sign::NotAnnounced, cx) {
            return;
        }
        for stanza in std::mem::take(&mut self.held) {
            if let Some(to) = stanza.get("to").and_then(|to| Jid::new(to).ok()) {
                cx.pass(&to, stanza);
            }
        }
    }
}

/// How long a user's stanzas are held while the service is asked; a user waits for this.
pub(super) const HELD_MS: u64 = 10_000;
/// Most stanzas held per room meanwhile; over it the room is taken for one that is not distributed.
const HELD_MAX: usize = 100;
/// Most rooms mirrored at a site; users of others are served by the rooms themselves.
const ROOMS_MAX: usize = 10_000;
/// Most services remembered.
const SERVICES_MAX: usize = 10_000;
/// How long a service that speaks XEP-0282 is believed to.
const ANNOUNCED_MS: u64 = 3_600_000;
/// How long one that does not is believed not to.
const NOT_ANNOUNCED_MS: u64 = 3_600_000;
/// How soon one that could not be asked is asked again.
const UNREACHED_MS: u64 = 60_000;
