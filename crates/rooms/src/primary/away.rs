//! The overlay by which occupants behind a split link are shown away; `docs/wire.md`, *Netsplit*.
//!
//! It is laid over their presence as it is shown and nowhere else: it is neither numbered nor kept. Direct occupants get
//! presences that say so, live replicas are told once whom it is about.

use super::link::Links;
use crate::flaws::flaw;
use crate::names::Nick;
use crate::room::{Cx, Occupant, Part, Room, Whois, shown_away};
use crate::wire::{AWAY_MAX, Away, Down, Kind};
use machine::{Class, Output};
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid, Shared, ns};

/// Who is shown away for a split.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// The replica that cannot be reached, by occupant.
    away: BTreeMap<Nick, Jid>,
    /// Whose site is back and who is still to be shown as he is, in this order.
    lifting: VecDeque<Nick>,
    /// When the next of them are, monotonic milliseconds.
    next_ms: u64,
}

impl Overlay {
    /// When the next are shown as they are, monotonic milliseconds.
    pub fn next_ms(&self) -> Option<u64> {
        (!self.lifting.is_empty()).then_some(self.next_ms)
    }

    /// Takes an occupant out, who is shown as he is by something else.
    fn forget(&mut self, nick: &Nick) -> Option<Jid> {
        self.lifting.retain(|waiting| waiting != nick);
        self.away.remove(nick)
    }
}

impl Room {
    /// A link is split: occupants who have no other are shown away, and all are told once that it is.
    pub(super) fn mark_away(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        self.announce_site(replica, "is cut off: who is there neither hears nor is heard until it is back.", cx);
        if !self.service.mark_away || self.config.whois != Whois::Anyone {
            return;
        }
        let is_away = |o: &&Occupant| o.sessions.iter().all(|session| self.links.is_lost(&session.via));
        let mut away: Vec<Nick> = self.occupants.values().filter(is_away).map(|o| o.nick.clone()).collect();
        away.retain(|nick| !self.links.overlay.away.contains_key(nick));
        for nick in &away {
            self.links.overlay.forget(nick);
            self.links.overlay.away.insert(nick.clone(), replica.clone());
        }
        if flaw!(AwayIsState) {
            self.occupants
                .values_mut()
                .filter(|o| away.contains(&o.nick))
                .flat_map(|o| &mut o.sessions)
                .for_each(|session| session.payload = [Element::new("show", ns::CLIENT).text("away")].into());
        }
        self.show_as_it_stands(&away, cx);
        self.tell_away(replica, &away, Lifted::No, cx);
    }

    /// A site that was split is back: all others are told once.
    pub(super) fn announce_back(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        self.announce_site(replica, "is back.", cx);
    }

    /// The report of a site is over: who is left of it is shown as he is, a few at a time.
    pub(super) fn begin_lifting(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        if flaw!(AwayStays) {
            return;
        }
        let overlay = &mut self.links.overlay;
        let of_site = overlay.away.iter().filter(|(nick, by)| *by == replica && !overlay.lifting.contains(nick));
        let nicks: Vec<Nick> = of_site.map(|(nick, _)| nick.clone()).collect();
        overlay.lifting.extend(nicks);
        overlay.next_ms = cx.now.mono_ms;
        self.lift_some(cx);
    }

    /// Shows the next few as they are whose time has come.
    pub(super) fn lift_some(&mut self, cx: &mut Cx<'_>) {
        if self.links.overlay.next_ms > cx.now.mono_ms {
            return;
        }
        self.links.overlay.next_ms = cx.now.mono_ms + LIFT_EVERY_MS;
        let next = self.links.overlay.lifting.len().min(LIFT_MAX);
        let nicks: Vec<Nick> = self.links.overlay.lifting.drain(..next).collect();
        let mut by_replica: BTreeMap<Jid, Vec<Nick>> = BTreeMap::new();
        for nick in &nicks {
            if let Some(replica) = self.links.overlay.away.remove(nick) {
                by_replica.entry(replica).or_default().push(nick.clone());
            }
        }
        self.show_as_it_stands(&nicks, cx);
        for (replica, nicks) in by_replica {
            self.tell_away(&replica, &nicks, Lifted::Yes, cx);
        }
    }

    /// An occupant shows himself, or is gone: before the event that says so, the overlay ends without a presence of its own.
    pub fn lift_for_event(&mut self, parts: &[Part], cx: &mut Cx<'_>) {
        if self.links.overlay.away.is_empty() {
            return;
        }
        for part in parts.iter().filter(|part| part.stanza.name() == "presence") {
            let Some(nick) = Nick::of_sender(&part.stanza) else { continue };
            let is_gone = part.stanza.get("type").is_some();
            let is_back = self
                .occupants
                .get(&nick)
                .is_some_and(|o| o.sessions.last().is_some_and(|s| !self.links.is_lost(&s.via)));
            if (is_gone || is_back)
                && let Some(replica) = self.links.overlay.forget(&nick)
                && !is_gone
            {
                self.tell_away(&replica, &[nick], Lifted::Yes, cx);
            }
        }
    }

    /// Somebody who was out of reach has come back by another way, and nothing else says so.
    pub fn lift_one(&mut self, nick: &Nick, cx: &mut Cx<'_>) {
        let reached = self.occupants.get(nick).is_some_and(|o| o.sessions.iter().any(|s| !self.links.is_lost(&s.via)));
        if reached && let Some(replica) = self.links.overlay.forget(nick) {
            self.show_as_it_stands(std::slice::from_ref(nick), cx);
            self.tell_away(&replica, std::slice::from_ref(nick), Lifted::Yes, cx);
        }
    }

    /// An occupant's presence as direct occupants are shown it; `None` when there is nothing laid over it.
    pub fn overlaid(&self, presence: &Element) -> Option<Element> {
        if self.links.overlay.away.is_empty() || presence.name() != "presence" || presence.get("type").is_some() {
            return None;
        }
        let replica = self.links.overlay.away.get(&Nick::of_sender(presence)?)?;
        Some(shown_away(presence.clone(), format!("{} is cut off", replica.domain())))
    }

    /// An occupant's presence as direct occupants see it in the roster.
    pub fn shown_presence_to(&self, occupant: &Occupant, class: Class) -> Shared {
        let presence = self.roster_presence(occupant, class);
        self.overlaid(presence.element()).map_or(presence, Shared::new)
    }

    /// Of the snapshot: whom the replica is to show away, once for each split site.
    pub(super) fn send_overlay(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let mut by_site: BTreeMap<Jid, Vec<Nick>> = BTreeMap::new();
        for (nick, by) in self.links.overlay.away.iter().filter(|(_, by)| *by != replica) {
            by_site.entry(by.clone()).or_default().push(nick.clone());
        }
        for (by, nicks) in by_site {
            for nicks in nicks.chunks(AWAY_MAX) {
                let away = Away { site: self.site_named(&by), lifted: false, nicks: nicks.to_vec() };
                let stanza = Element::stanza("message").attr("from", self.jid.as_str());
                self.send_down(replica, Kind::Away, None, stanza, Down::Away(away).x(), cx);
            }
        }
    }

    /// Tells direct occupants how these are shown now.
    fn show_as_it_stands(&mut self, nicks: &[Nick], cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        for occupant in nicks.iter().filter_map(|nick| self.occupants.get(nick)).filter(|o| self.shows(o)) {
            let shown = |class| self.shown_presence_to(occupant, class);
            outputs.push(Output::Broadcast {
                audience: self.audience,
                plain: Some(shown(Class::Plain)),
                jids: Some(shown(Class::Jids)),
                except: Vec::new(),
            });
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// Tells live replicas whom the overlay is about, or no longer.
    fn tell_away(&mut self, by: &Jid, nicks: &[Nick], lifted: Lifted, cx: &mut Cx<'_>) {
        let site = self.site_named(by);
        let mut outputs = Vec::new();
        for nicks in nicks.chunks(AWAY_MAX) {
            let away = Away { site: site.clone(), lifted: lifted == Lifted::Yes, nicks: nicks.to_vec() };
            let stanza = Element::stanza("message").attr("from", self.jid.as_str()).child(Down::Away(away).x());
            self.links.tell_unnumbered(Kind::Away, &Shared::new(stanza), &mut outputs);
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// Tells all who can be reached something about a site; no archive keeps it, and where real addresses are hidden no site
    /// is named.
    fn announce_site(&mut self, replica: &Jid, what: &str, cx: &mut Cx<'_>) {
        let site = self.site_named(replica).unwrap_or_else(|| "Another site".to_owned());
        self.announce(&format!("{site} {what}"), cx);
    }

    fn site_named(&self, replica: &Jid) -> Option<String> {
        (self.config.whois == Whois::Anyone || flaw!(SiteNamed)).then(|| replica.domain().to_owned())
    }
}

impl Links {
    /// Tells every live replica something that is no event.
    fn tell_unnumbered(&mut self, kind: Kind, stanza: &Shared, outputs: &mut Vec<Output>) {
        for (replica, link) in self.links.iter_mut().filter(|(_, link)| !link.is_over() && !link.is_split()) {
            let at = link.next(kind);
            link.sent_ms = self.now_ms;
            link.pass(replica, stanza.clone(), at, outputs);
        }
    }
}

/// Which way the overlay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lifted {
    No,
    Yes,
}

/// How many occupants of a site that is back are shown as they are at a time, so that it is no flood.
const LIFT_MAX: usize = 20;
/// How long between two such times.
const LIFT_EVERY_MS: u64 = 1_000;
