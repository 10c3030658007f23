//! Presence: broadcast, probes, directed presence (RFC 6121 4). Nothing here waits for the disk.

use crate::account::Available;
use crate::blocking::Heard;
use crate::caps::caps_of;
use crate::config::DIRECTED_PER_SESSION_MAX;
use crate::service::{Accounts, Addressed, error_to};
use crate::subscription::Kind;
use machine::{Now, Output};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

impl Accounts {
    pub(crate) fn presence(&mut self, presence: Addressed, now: Now, out: &mut Vec<Output>) {
        let kind = presence.stanza.get("type").unwrap_or_default().to_owned();
        if let Some(kind) = Kind::parse(&kind) {
            return self.subscription(presence, kind, out);
        }
        match (kind.as_str(), presence.to.clone()) {
            ("" | "unavailable", None) if !presence.is_own => {}
            ("", None) => self.broadcast(presence, now, out),
            ("unavailable", None) => self.withdraw(&presence.from, Some(presence.stanza), out),
            ("" | "unavailable", Some(to)) => self.directed(presence, &to, now, out),
            ("probe", Some(to)) => self.probed(&presence.from, &to, out),
            ("error", Some(to)) if !presence.is_own => self.show(&to, &Shared::new(presence.stanza), out),
            ("probe" | "error", _) => {}
            _ => self.refuse(&presence.stanza, Condition::BadRequest, out),
        }
    }

    /// Available presence of a session to all who may see it (4.2.2 initial, 4.4.2 later).
    fn broadcast(&mut self, presence: Addressed, now: Now, out: &mut Vec<Output>) {
        let Addressed { stanza, from, .. } = presence;
        let Some(priority) = priority(&stanza) else {
            return self.refuse(&stanza, StanzaError::new(Condition::BadRequest, NO_PRIORITY), out);
        };
        let stanza = Shared::new(stanza);
        let Some(session) = self.session_mut(&from) else { return };
        let before = session.presence.replace(Available { priority, stanza: stanza.clone() });
        self.tell_all(&from, &stanza, out);
        let is_new = before.is_none();
        if is_new {
            self.entered(&from, out);
        }
        if before.is_none_or(|before| caps_of(before.stanza.element()) != caps_of(stanza.element())) {
            self.session_comes(&from, now, out);
        }
        // XEP-0160 3: behind what others show it, so that a client knows who it is from.
        if priority >= 0 {
            self.give_messages(&from, out);
            self.tell_motd(&from, out);
        }
    }

    /// What a session gets and asks for when it becomes available (4.2.2, 3.1.3).
    fn entered(&mut self, from: &Jid, out: &mut Vec<Output>) {
        let mut here = Vec::new();
        let Some(account) = self.account(from) else { return };
        for other in account.available().filter(|other| other.jid != *from) {
            out.extend(other.presence.iter().map(|p| Output::Send { to: from.clone(), stanza: p.stanza.clone() }));
        }
        let probe = Shared::new(Element::stanza("presence").attr("from", from.as_str()).attr("type", "probe"));
        for (contact, item) in account.roster.iter().filter(|(contact, _)| !self.is_blocked(from, contact)) {
            if item.state.sees() {
                match self.is_here(contact) {
                    true => here.push(contact.clone()),
                    false => out.push(Output::Send { to: contact.clone(), stanza: probe.clone() }),
                }
            }
            out.extend(item.request(contact).map(|stanza| Output::Send { to: from.clone(), stanza }));
        }
        for contact in here {
            self.probed(from, &contact, out);
        }
    }

    /// A session is available no more, by its own word or because its stream has ended: all who saw it are told
    /// (4.5.2, 4.6.3).
    pub(crate) fn withdraw(&mut self, from: &Jid, stanza: Option<Element>, out: &mut Vec<Output>) {
        let Some(session) = self.session_mut(from) else { return };
        let was_available = session.presence.is_some();
        let directed = std::mem::take(&mut session.directed);
        session.rooms.clear();
        if stanza.is_none() {
            session.presence = None; // its stream has gone: it is not among its own audience
        }
        let stanza = Shared::new(stanza.unwrap_or_else(|| unavailable(from)));
        if was_available {
            self.tell_all(from, &stanza, out);
        }
        if let Some(session) = self.session_mut(from) {
            session.presence = None;
        }
        let Some(account) = self.account(from) else { return };
        let told = |to: &Jid| was_available && account.is_shown_to(from.bare_str(), to);
        for to in directed.iter().filter(|to| !told(to)) {
            self.show(to, &stanza, out);
        }
    }

    /// To every contact that is subscribed, and to the user's own available resources (4.2.2, 4.4.2, 4.5.2).
    fn tell_all(&self, from: &Jid, stanza: &Shared, out: &mut Vec<Output>) {
        let Some(account) = self.account(from) else { return };
        for contact in account.audience().filter(|contact| !self.is_blocked(from, contact)) {
            self.show(contact, stanza, out);
        }
        self.show(&from.bare(), stanza, out);
    }

    /// To whoever an address means: a session, all available resources of a local user (8.5.2.1.2), or elsewhere.
    pub(crate) fn show(&self, to: &Jid, stanza: &Shared, out: &mut Vec<Output>) {
        if !self.is_here(to) {
            return out.push(Output::Send { to: to.clone(), stanza: stanza.clone() });
        }
        // 8.5.1, 8.5.3.2.2: presence for nobody is dropped.
        let Some(account) = self.account(to) else { return };
        let from =
            stanza.element().get("from").filter(|_| !account.blocked.is_empty()).and_then(|from| Jid::new(from).ok());
        if from.is_some_and(|from| self.heard(stanza.element(), &from, to) != Heard::Yes) {
            return;
        }
        let sessions = account.sessions.values();
        let meant = sessions.filter(|s| if to.is_bare() { s.presence.is_some() } else { s.jid == *to });
        out.extend(meant.map(|s| Output::Send { to: s.jid.clone(), stanza: stanza.clone() }));
    }

    /// Presence with an address: from a session to anybody, remembered (4.6.2), or from elsewhere to a user here.
    fn directed(&mut self, presence: Addressed, to: &Jid, now: Now, out: &mut Vec<Output>) {
        if presence.is_own && !self.note_outgoing(&presence.stanza, &presence.from, to, now, out) {
            return;
        }
        let stanza = Shared::new(presence.stanza);
        self.show_in_turn(to, &presence.from, &stanza, out);
        self.contact_comes(stanza.element(), &presence.from, to, now, out);
    }

    /// As [`Accounts::show`], but behind a change of subscription between the two that the disk is still at: first
    /// `subscribed`, then the push, then presence (3.1.6).
    fn show_in_turn(&mut self, to: &Jid, from: &Jid, stanza: &Shared, out: &mut Vec<Output>) {
        let waits = self.is_here(to) && to.local().is_some_and(|l| self.ledger.is_under_way(l, &from.bare()));
        if !waits || self.ledger.is_full() {
            return self.show(to, stanza, out);
        }
        let mut shown = Vec::new();
        self.show(to, stanza, &mut shown);
        self.ledger.gate.pass_all(shown, out);
    }

    /// Remembers to whom a session shows itself, so that they learn of its end (4.6.3): the host calls it with every
    /// stanza of a local client that it routes past this machine. `false` when the stanza has been refused and must not
    /// be routed: its recipient is blocked, or the session shows itself to [`DIRECTED_PER_SESSION_MAX`] addresses already.
    #[must_use]
    pub fn note_outgoing(&mut self, stanza: &Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) -> bool {
        if self.refuses_blocked(stanza, from, to, out) {
            return false;
        }
        if stanza.name() != "presence" {
            if stanza.name() == "message" {
                self.say(stanza, from, to, now, out);
            }
            return true;
        }
        let Some(session) = self.session_mut(from) else { return true };
        match stanza.get("type") {
            None if session.directed.len() >= DIRECTED_PER_SESSION_MAX && !session.directed.contains(to) => {
                out.extend(error_to(stanza, StanzaError::new(Condition::ResourceConstraint, TOO_MANY_DIRECTED)));
                return false;
            }
            None => {
                session.directed.insert(to.clone());
                if stanza.has_child("x", ns::MUC) {
                    session.rooms.insert(to.bare_str().to_owned());
                }
            }
            Some("unavailable") => {
                session.directed.remove(to);
                if !session.directed.iter().any(|other| other.bare_str() == to.bare_str()) {
                    session.rooms.remove(to.bare_str());
                }
            }
            Some(_) => {}
        }
        true
    }

    /// Answers a probe, 4.3.2: to a subscriber all there is, to anybody else that there is no subscription, whether
    /// the account exists or not.
    fn probed(&mut self, from: &Jid, to: &Jid, out: &mut Vec<Output>) {
        // XEP-0191 3.3: who is blocked learns nothing.
        if self.is_blocked(to, from) {
            return;
        }
        let Some(account) = self.account(to).filter(|account| account.is_shown_to(to.bare_str(), from)) else {
            if to.local().is_some() {
                out.push(Output::Send { to: from.bare(), stanza: bare_presence(to, "unsubscribed") });
            }
            return;
        };
        let mut shown: Vec<_> =
            account.available().filter_map(|s| s.presence.as_ref().map(|p| p.stanza.clone())).collect();
        if shown.is_empty() {
            shown.push(bare_presence(to, "unavailable"));
        }
        for stanza in shown {
            self.show_in_turn(from, to, &stanza, out);
        }
    }

    /// All available resources of a user are shown to a new subscriber (3.1.5), if it still is one: it may have been
    /// taken back while the disk was at work.
    pub(crate) fn announce(&self, local: &str, to: &Jid, out: &mut Vec<Output>) {
        let Some(account) = self.accounts.get(local) else { return };
        if !account.roster.get(to).is_some_and(|item| item.state.shows()) {
            return;
        }
        if self.is_here(to) {
            // Handed in again behind `subscribed`, which is on its way to the other account just so.
            let user = account.available().next().map(|s| s.jid.bare());
            let probe = bare_presence(to, "probe");
            return out.extend(user.map(|to| Output::Send { to, stanza: probe }));
        }
        for presence in account.available().filter_map(|s| s.presence.as_ref()) {
            self.show(to, &presence.stanza, out);
        }
    }

    /// Unavailable presence of every available resource, for who is a subscriber no more (3.2.2, 3.3.3).
    pub(crate) fn retreat(&self, local: &str, to: &Jid) -> Vec<Output> {
        let mut out = Vec::new();
        for session in self.accounts.get(local).iter().flat_map(|account| account.available()) {
            self.show(to, &Shared::new(unavailable(&session.jid)), &mut out);
        }
        out
    }
}

/// RFC 6121 4.7.2.3: a number from -128 to 127, 0 where there is none.
fn priority(stanza: &Element) -> Option<i8> {
    match stanza.get_child("priority", xmpp::ns::CLIENT) {
        Some(priority) => priority.content().trim().parse().ok(),
        None => Some(0),
    }
}

pub(crate) fn unavailable(from: &Jid) -> Element {
    Element::stanza("presence").attr("from", from.as_str()).attr("type", "unavailable")
}

fn bare_presence(from: &Jid, kind: &str) -> Shared {
    Shared::new(Element::stanza("presence").attr("from", from.bare_str()).attr("type", kind))
}

const NO_PRIORITY: &str = "the priority is a number from -128 to 127";
const TOO_MANY_DIRECTED: &str = "you are in as many rooms as you may be; leave one first";
