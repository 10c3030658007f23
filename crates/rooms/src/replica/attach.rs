//! A replica whose users are another server's, of which this one is a component; `docs/attach.md`.
//!
//! A module in that server hands over what its users send to distributed rooms, and what these send to them. It says so, and
//! who is in which room by then, each time the stream stands; when the stream ends it steps aside, and the rooms serve those
//! users themselves. So the end of the stream is to this engine what a restart is, and its next beginning brings a census.

use super::Replica;
use super::direct::Direct;
use super::life::Life;
use super::mirror::Mirror;
use super::numbers::{Outbox, leave_of};
use super::site::Cx;
use crate::names::Nick;
use crate::wire::SEATS_MAX;
use machine::{AudienceChange, Now, Output};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, ns};

/// The version of what is said between module and replica.
pub(super) const VERSION: u32 = 0;

/// Who is in which room, by session.
type Occupants = BTreeMap<Jid, BTreeMap<Jid, Nick>>;

impl Replica {
    /// Whether a module has attached; `None` where the users are this server's own.
    pub fn attached(&self) -> Option<bool> {
        self.site.is_attachable().then_some(self.site.attached)
    }

    /// The module begins: it hands over everything behind this. Gives the answer.
    pub(super) fn attach(&mut self, iq: &Element, attach: &Element, now: Now, out: &mut Vec<Output>) -> Element {
        let version = attach.get("version").and_then(|version| version.parse::<u32>().ok());
        if version != Some(VERSION) {
            let said = attach.get("version").unwrap_or("none");
            let text = format!("This netjoin speaks version {VERSION} with its module; the module speaks {said}.");
            self.cx(now, out).log(format!("the module speaks version {said}, and this netjoin {VERSION}: update one"));
            return StanzaError::new(Condition::FeatureNotImplemented, text).reply(iq);
        }
        let Some(occupants) = self.occupants(attach) else {
            return StanzaError::new(Condition::BadRequest, "An occupant cannot be read, or is none of that server's.")
                .reply(iq);
        };
        let sessions: usize = occupants.values().map(BTreeMap::len).sum();
        self.cx(now, out).log(format!("attached: {sessions} sessions in {} rooms", occupants.len()));
        self.site.attached = true;
        let services = self.site.config.primaries.iter();
        let services = services.map(|jid| Element::new("service", ns::ATTACH).attr("jid", jid.as_str()));
        let attached = Element::new("attached", ns::ATTACH).attr("version", VERSION.to_string()).with(services);
        let answer = iq_result(iq).child(attached);
        self.take_census(&occupants, now, out);
        answer
    }

    fn occupants(&self, attach: &Element) -> Option<Occupants> {
        let mut occupants = Occupants::new();
        for occupant in attach.children().filter(|child| child.is("occupant", ns::ATTACH)).take(SEATS_MAX) {
            let session = occupant.get("jid").and_then(|jid| Jid::new(jid).ok())?;
            let seat = occupant.get("in").and_then(|jid| Jid::new(jid).ok())?;
            let nick = Nick::of(&seat)?;
            if session.is_bare() || !self.site.is_local(&session) {
                return None;
            }
            occupants.entry(seat.bare()).or_default().insert(session, nick);
        }
        Some(occupants)
    }

    /// Whoever is here and not listed has gone; whoever is listed and not here is served by the room itself, until it grants
    /// what it is asked for now.
    fn take_census(&mut self, occupants: &Occupants, now: Now, out: &mut Vec<Output>) {
        let rooms: BTreeSet<Jid> = self.mirrors.keys().chain(occupants.keys()).cloned().collect();
        let nobody = BTreeMap::new();
        for room in rooms {
            let listed = occupants.get(&room).unwrap_or(&nobody);
            self.with(&room, now, out, |mirror, cx| mirror.lose_unlisted(listed, cx));
            let here = self.mirrors.get(&room).map(|mirror| &mirror.sessions);
            let direct = listed.iter().filter(|(session, _)| here.is_none_or(|here| !here.contains_key(session)));
            let direct: Vec<(Jid, Nick)> = direct.map(|(session, nick)| (session.clone(), nick.clone())).collect();
            let asks = !direct.is_empty() && self.site.may_ask(room.domain());
            direct.into_iter().for_each(|(session, nick)| self.site.direct.put(room.clone(), session, nick));
            match self.mirrors.get(&room).map(|mirror| mirror.life) {
                None if asks => self.intend_for_direct(&room, now, out),
                Some(Life::Dormant) if asks => self.with(&room, now, out, Mirror::register_anew),
                Some(Life::Suspect) => self.with(&room, now, out, |mirror, cx| {
                    mirror.link.retry_at.get_or_insert(cx.now.mono_ms);
                }),
                _ => {}
            }
        }
    }

    /// Rooms of this service are left to themselves: the module need hand over nothing of them for so long.
    pub(super) fn leave_alone(&mut self, service: &str, for_ms: u64, now: Now, out: &mut Vec<Output>) {
        if !self.site.attached {
            return;
        }
        for domain in self.site.config.domains.clone() {
            let Ok(domain) = Jid::new(&domain) else { continue };
            let plain = Element::new("plain", ns::ATTACH)
                .attr("service", service)
                .attr("seconds", for_ms.div_ceil(1_000).to_string());
            let from = self.site.config.jid.clone();
            self.cx(now, out).pass(&domain, Element::stanza("message").attr("from", from.as_str()).child(plain));
        }
    }

    /// The stream to the server of the users has ended.
    pub(super) fn detach(&mut self, now: Now, out: &mut Vec<Output>) {
        self.site.attached = false;
        self.site.direct = Direct::default();
        // No answer comes any more.
        self.site.asked.clear();
        self.site.services.values_mut().for_each(|service| service.asking = false);
        let rooms: Vec<Jid> = self.mirrors.keys().cloned().collect();
        for room in rooms {
            self.with(&room, now, out, Mirror::detach);
        }
    }
}

impl Mirror {
    /// What is left is what a restart would find: the words of users that no room has confirmed.
    fn detach(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.life, Life::Plain | Life::Over) {
            return;
        }
        self.island = None;
        self.sessions.clear();
        self.joins.clear();
        self.gone.clear();
        self.hidden.clear();
        self.echoes.clear();
        self.held.clear();
        self.seats.clear();
        self.provisional = Default::default();
        self.awaited.clear();
        self.link.kept.clear();
        self.link.handed.clear();
        let change = AudienceChange::End;
        cx.out.push(Output::Audience { audience: self.audience, member: self.room.clone(), change });
        let outbox = std::mem::replace(&mut self.outbox, Outbox::new(cx.site.name()));
        self.older.extend(Some(outbox.as_found_on_disk()).filter(|outbox| !outbox.is_empty()));
        (self.link.epoch, self.link.asked, self.link.retry_at, self.link.staging) = (None, None, None, None);
        self.link.unreached = false;
        self.life = if self.older.is_empty() { Life::Over } else { Life::Suspect };
        self.since = cx.now;
        cx.log(format!("link {}: detached", self.room));
    }

    /// Sessions that their server does not have any more leave.
    fn lose_unlisted(&mut self, listed: &BTreeMap<Jid, Nick>, cx: &mut Cx<'_>) {
        let gone = self.sessions.iter().filter(|(jid, session)| !session.leaving && !listed.contains_key(jid));
        let gone: Vec<(Jid, Nick)> = gone.map(|(jid, session)| (jid.clone(), session.nick.clone())).collect();
        for (jid, nick) in gone {
            let leave = leave_of(&jid, &nick.in_room(&self.room));
            let to = nick.in_room(&self.room);
            self.relay(leave, &jid, &to, cx);
        }
    }
}
