//! Whom a user does not want to hear from (XEP-0191), and what that means for stanzas both ways.
//!
//! Rooms are a case of their own: an error would have them take the user for gone (XEP-0045 18), and one who does not
//! hear of an occupant's coming and going has another roster than the room. So a room that a session is in goes on being
//! heard: its groupchat and its presence, whomever they are from. Private messages of who is blocked are dropped
//! without a word.

use crate::account::{Account, Session};
use crate::config::BLOCKED_MAX;
use crate::ledger::{Afterwards, Before, Step};
use crate::records::SPACE_BLOCKED;
use crate::service::{Accounts, Addressed, error_to};
use crate::subscription::Kind;
use machine::{Change, Output};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, Shared, ns};

/// What becomes of a stanza for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is delivered.
    Yes,
    /// It is not, and its sender is told what is told of somebody who is away.
    Refused,
    /// It is not, and nobody is told.
    Dropped,
}

impl Accounts {
    /// A request about the sender's own list, 3.2 to 3.5; the caller has seen that it is a session's own.
    pub(crate) fn blocking(
        &mut self,
        iq: &Addressed,
        payload: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        match (iq.stanza.get("type"), payload.name()) {
            (Some("get"), "blocklist") => self.blocklist(iq, out),
            (Some("set"), "block" | "unblock") => self.change_blocked(iq, payload, out)?,
            _ => return Err(Condition::BadRequest.into()),
        }
        Ok(())
    }

    /// 3.2: the list; from now on the session hears of its changes.
    fn blocklist(&mut self, iq: &Addressed, out: &mut Vec<Output>) {
        let Some(session) = self.session_mut(&iq.from) else { return };
        session.knows_blocked = true;
        let blocked = self.account(&iq.from).into_iter().flat_map(|account| &account.blocked);
        let list = Element::new("blocklist", ns::BLOCKING).with(blocked.map(|jid| item(jid)));
        let result = Shared::new(iq_result(&iq.stanza).child(list));
        // Behind the changes it shows, which may not be durable yet.
        self.ledger.gate.pass(Output::Send { to: iq.from.clone(), stanza: result }, out);
    }

    /// 3.3 to 3.5: the change is durable before anybody hears of it.
    fn change_blocked(&mut self, iq: &Addressed, payload: &Element, out: &mut Vec<Output>) -> Result<(), StanzaError> {
        let (Some(local), Some(account)) = (iq.from.local(), self.account(&iq.from)) else { return Ok(()) };
        let blocks = payload.name() == "block";
        let mut named = Vec::new();
        for item in payload.children().filter(|child| child.is("item", ns::BLOCKING)) {
            named.push(Jid::new(item.get("jid").unwrap_or_default()).map_err(|_| Condition::JidMalformed)?);
        }
        if blocks && named.is_empty() {
            return Err(StanzaError::new(Condition::BadRequest, "name whom to block"));
        }
        if self.ledger.is_full() {
            return Err(StanzaError::new(
                Condition::ResourceConstraint,
                "too many changes are on their way to the disk",
            ));
        }
        if account.leaving {
            return Err(Condition::NotAllowed.into());
        }
        let mut changed: Vec<Jid> = match (blocks, named.is_empty()) {
            (false, true) => account.blocked.iter().filter_map(|jid| Jid::new(jid).ok()).collect(),
            _ => named.clone(),
        };
        changed.sort();
        changed.dedup();
        changed.retain(|jid| account.blocked.contains(jid.as_str()) != blocks);
        if blocks && account.blocked.len() + changed.len() > BLOCKED_MAX {
            return Err(StanzaError::new(Condition::PolicyViolation, "the list is full; unblock somebody first"));
        }
        let local = local.to_owned();
        let mut then = if blocks { self.hide_from(&local, &changed) } else { Vec::new() };
        let mut step = Step::default();
        for jid in &changed {
            step.changes.push(record(&local, jid.as_str(), blocks));
            step.before.push(Before::Blocked { local: local.clone(), jid: jid.clone(), blocked: !blocks });
            self.set_blocked(&local, jid, blocks);
        }
        then.extend(self.push_blocked(&local, payload));
        then.push(Output::Send { to: iq.from.clone(), stanza: Shared::new(iq_result(&iq.stanza)) });
        let otherwise = error_to(&iq.stanza, Condition::InternalServerError).into_iter().collect();
        let afterwards = (!blocks).then_some(Afterwards::ShowAgain { local, to: changed });
        if step.changes.is_empty() {
            self.ledger.gate.pass_all(then, out);
        } else {
            self.ledger.commit(Step { then, otherwise, afterwards, ..step }, out);
        }
        Ok(())
    }

    /// Puts an address into the list in memory, or takes it out.
    pub(crate) fn set_blocked(&mut self, local: &str, jid: &Jid, blocked: bool) {
        let Some(account) = self.accounts.get_mut(local) else { return };
        match blocked {
            true => account.blocked.insert(jid.as_str().to_owned()),
            false => account.blocked.remove(jid.as_str()),
        };
    }

    /// 3.3: unavailable presence to all who saw the user and are to see it no more; rooms are not left.
    fn hide_from(&mut self, local: &str, blocked: &[Jid]) -> Vec<Output> {
        let Some(account) = self.accounts.get(local) else { return Vec::new() };
        let own = self.bare(local);
        let covered = |jid: &Jid| jid.bare_str() != own && blocked.iter().any(|entry| covers(entry, jid));
        let hidden: Vec<Jid> = account.audience().filter(|contact| covered(contact)).cloned().collect();
        let mut directed = Vec::new();
        for session in account.sessions.values() {
            let others = session.directed.iter().filter(|to| covered(to) && !session.is_in_room(to));
            directed.extend(others.map(|to| (session.jid.clone(), to.clone())));
        }
        let mut out: Vec<Output> = hidden.iter().flat_map(|contact| self.retreat(local, contact)).collect();
        for (from, to) in directed {
            if let Some(session) = self.session_mut(&from) {
                session.directed.remove(&to);
            }
            if !hidden.contains(&to.bare()) {
                self.show(&to, &Shared::new(crate::presence::unavailable(&from)), &mut out);
            }
        }
        out
    }

    /// 3.4: the user's presence for those who may see it again.
    pub(crate) fn show_again(&self, local: &str, unblocked: &[Jid], out: &mut Vec<Output>) {
        let Some(account) = self.accounts.get(local) else { return };
        let covered = |contact: &&Jid| unblocked.iter().any(|entry| covers(entry, contact));
        for contact in account.audience().filter(covered) {
            self.announce(local, contact, out);
        }
    }

    /// 3.3 to 3.5: the change as it was asked for, to every session that has asked for the list.
    fn push_blocked(&mut self, local: &str, payload: &Element) -> Vec<Output> {
        self.pushes += 1;
        let items = payload.children().filter(|child| child.is("item", ns::BLOCKING));
        let items = items.filter_map(|child| child.get("jid")).map(item);
        let push = Element::stanza("iq")
            .attr("from", self.bare(local))
            .attr("id", format!("push{}", self.pushes))
            .attr("type", "set")
            .child(Element::new(payload.name(), ns::BLOCKING).with(items));
        let push = Shared::new(push);
        let sessions = self.accounts.get(local).into_iter().flat_map(|account| account.sessions.values());
        let sessions = sessions.filter(|session| session.knows_blocked);
        sessions.map(|s| Output::Send { to: s.jid.clone(), stanza: push.clone() }).collect()
    }

    /// Whether a user does not want anything from or to an address. Itself and its server are never blocked.
    pub(crate) fn is_blocked(&self, user: &Jid, other: &Jid) -> bool {
        self.account(user).is_some_and(|account| {
            account.blocks(other) && other.bare_str() != user.bare_str() && *other != self.config.domain
        })
    }

    /// What becomes of a stanza that `from` sends to a user of this domain.
    pub(crate) fn heard(&self, stanza: &Element, from: &Jid, to: &Jid) -> Heard {
        if !self.is_blocked(to, from) {
            return Heard::Yes;
        }
        let session = self.session(to);
        let kind = stanza.get("type");
        let is_room = session.is_some_and(|session| session.is_in_room(from));
        match stanza.name() {
            "presence" if is_room && kind.and_then(Kind::parse).is_none() => Heard::Yes,
            "presence" => Heard::Dropped,
            "message" if is_room && kind == Some("groupchat") => Heard::Yes,
            // XEP-0045 18: the room would take the error for the end of the occupant.
            "message" if stanza.has_child("x", ns::MUC_USER) => Heard::Dropped,
            "message" if session.is_some_and(|session| session.is_shown_at(from)) => Heard::Dropped,
            _ => Heard::Refused,
        }
    }

    /// Whether a session's stanza is for somebody whom its user has blocked, and has been refused for that (3.3).
    pub(crate) fn refuses_blocked(&self, stanza: &Element, from: &Jid, to: &Jid, out: &mut Vec<Output>) -> bool {
        if !self.is_blocked(from, to) {
            return false;
        }
        // Whoever has blocked a room that a session is in can still leave it.
        let leaves = stanza.name() == "presence" && stanza.get("type") == Some("unavailable");
        if leaves && self.session(from).is_some_and(|session| session.is_shown_at(to)) {
            return false;
        }
        let extra = Some(Element::new("blocked", ns::BLOCKING_ERRORS));
        let error = StanzaError { extra, ..StanzaError::from(Condition::NotAcceptable).kind("cancel") };
        self.refuse(stanza, error, out);
        true
    }
}

impl Account {
    /// 5: an address is blocked itself, by its bare one or with its whole domain.
    fn blocks(&self, jid: &Jid) -> bool {
        !self.blocked.is_empty()
            && [jid.as_str(), jid.bare_str(), jid.domain()].iter().any(|entry| self.blocked.contains(*entry))
    }
}

impl Session {
    /// Whether the session has entered a room, of which this is the address or an occupant's.
    pub(crate) fn is_in_room(&self, jid: &Jid) -> bool {
        self.rooms.contains(jid.bare_str())
    }

    /// Whether the session shows itself to a room or an occupant of it, as far as addresses tell.
    fn is_shown_at(&self, jid: &Jid) -> bool {
        self.is_in_room(jid) || self.directed.iter().any(|to| to.bare_str() == jid.bare_str())
    }
}

/// 5: whether an entry of the list means an address.
fn covers(entry: &Jid, jid: &Jid) -> bool {
    [jid.as_str(), jid.bare_str(), jid.domain()].contains(&entry.as_str())
}

fn item(jid: &str) -> Element {
    Element::new("item", ns::BLOCKING).attr("jid", jid)
}

/// The record of an address in the list: that it is there says it all.
fn record(local: &str, jid: &str, blocked: bool) -> Change {
    let (space, owner, key) = (SPACE_BLOCKED, local.to_owned(), jid.to_owned());
    match blocked {
        true => Change::Put { space, owner, key, value: "{}".to_owned() },
        false => Change::Delete { space, owner, key },
    }
}
