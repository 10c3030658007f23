//! Which rule a stanza to the room or to an occupant falls under; XEP-0045 17 (business rules).
//!
//! Everything a user sends comes through [`Room::handle_stanza`], whether it came directly or through a replica.

use super::{Cx, Life, Room, Via};
use crate::names::Affiliation;
use crate::names::Nick;
use crate::primary::Tombstone;
use crate::service::RoomSummary;
use machine::{AudienceChange, Change, Now, Output};
use xmpp::stanza::form::Form;
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

/// What remains to be done for a room that is over.
pub(crate) struct Ended {
    /// The end of its audience.
    pub audience: Output,
    /// Its records and its archive, to be removed.
    pub changes: Vec<Change>,
    /// Which life of it has ended, and what remains of it.
    pub tombstone: Option<(String, Tombstone)>,
}

impl Room {
    /// A stanza by a user, to the room's address or to an occupant's; marks of a replica are in `cx` already.
    pub fn handle_stanza(&mut self, stanza: Element, cx: &mut Cx<'_>) {
        if self.is_busy() {
            return self.wait(stanza, cx);
        }
        let (Some(from), Some(to)) = (address(&stanza, "from"), address(&stanza, "to")) else { return };
        if self.life == Life::Over {
            return self.refuse(&stanza, Condition::ItemNotFound, cx);
        }
        match stanza.name() {
            "presence" => self.handle_presence(&from, &to, &stanza, cx),
            // 17.1: nobody has a nick of nothing but spaces.
            _ if to.resource().is_some() && Nick::of(&to).is_none() => {
                self.refuse(&stanza, Condition::ItemNotFound, cx);
            }
            "message" => self.handle_message(&from, &to, &stanza, cx),
            "iq" => self.handle_iq(&from, &to, &stanza, cx),
            _ => {}
        }
    }

    /// When [`Room::expire`] is wanted, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<u64> {
        let told = (!self.lost.is_empty()).then(|| self.lost_until_ms());
        let given_up = (self.is_idle() && self.life != Life::Over).then_some(self.kept_until_ms);
        let passed = self.passed.values().map(|passed| passed.until_ms).min();
        [told, given_up, passed].into_iter().flatten().min()
    }

    /// The time asked for has come.
    pub fn expire(&mut self, cx: &mut Cx<'_>) {
        self.tell_lost(cx);
        self.expire_passed(cx);
        self.give_up_if_empty(cx.now);
    }

    /// 7.14: a room that is not persistent ends with its last occupant.
    pub fn give_up_if_empty(&mut self, now: Now) {
        if self.is_idle() && now.mono_ms >= self.kept_until_ms {
            self.life = Life::Over;
        }
    }

    /// What remains to be done for a room that is over.
    pub fn end(&self, now: Now) -> Ended {
        let audience = self.audience_change(&self.jid, AudienceChange::End);
        let was_there = self.kept || self.destruction.is_some();
        let destruction = self.destruction.clone().unwrap_or_default();
        let tombstone = self.tombstone(&destruction, now).filter(|_| was_there);
        // Of one that was destroyed everything is on disk.
        let mut changes = if self.kept { self.removal_changes() } else { Vec::new() };
        let buried = tombstone.iter().filter(|_| self.kept);
        changes.extend(buried.map(|tombstone| tombstone.change(&self.jid, &self.order.incarnation)));
        Ended { audience, changes, tombstone: tombstone.map(|it| (self.order.incarnation.clone(), it)) }
    }

    /// One room as an operator sees it.
    pub fn summary(&self) -> RoomSummary {
        let sessions = self.occupants.values().flat_map(|o| &o.sessions);
        RoomSummary {
            jid: self.jid.clone(),
            name: self.config.name.clone(),
            persistent: self.config.persistent,
            occupants: self.occupants.len(),
            direct_sessions: sessions.filter(|s| s.via == Via::Direct).count(),
            replicas: self.links.replicas(),
        }
    }

    /// Whether this user owns the room by its own list.
    pub fn is_owned_by(&self, bare: &Jid) -> bool {
        self.affiliations.get(bare).is_some_and(|known| known.affiliation == Affiliation::Owner)
    }

    fn is_idle(&self) -> bool {
        let kept = self.config.persistent && matches!(self.life, Life::Open | Life::Locked);
        self.occupants.is_empty() && !kept && !self.is_busy() && self.waiting.is_empty() && !self.links_hold()
    }

    fn handle_presence(&mut self, from: &Jid, to: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        match stanza.get("type") {
            None if from.is_bare() => self.refuse(stanza, Condition::JidMalformed, cx),
            None => self.handle_available(from, to, stanza, cx),
            // 17.3: from somebody who is not in the room it is ignored.
            Some("unavailable") => self.leave(from, stanza, cx),
            Some("error") => self.bounced(from, stanza, cx),
            Some("probe") => self.handle_probe(from, to, cx),
            // 17.3: neither a join nor a leave.
            Some(_) => {}
        }
    }

    fn handle_available(&mut self, from: &Jid, to: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let joins = stanza.has_child("x", ns::MUC);
        let Some(nick) = Nick::of(to) else {
            return self.turn_away(from, stanza, super::admit::JoinError::NoNickname, cx);
        };
        let nick = self.nick_meant(from, nick, cx);
        match self.sessions.get(from) {
            None if joins => self.enter(from, nick, stanza, cx),
            // Whoever showed it on an island and is not here has left since, or has been told why he is not.
            None if cx.up.as_ref().is_some_and(|up| up.island.is_some()) => {}
            None => self.tell_outsider(from, &nick, cx),
            Some(present) if *present == nick && joins => self.enter_once_more(from, stanza, cx),
            Some(present) if *present == nick => self.update_presence(from, stanza, cx),
            Some(_) => self.change_nick(from, nick, stanza, cx),
        }
    }

    fn handle_message(&mut self, from: &Jid, to: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        if stanza.get("type") == Some("error") {
            return self.handle_error(from, to, stanza, cx);
        }
        if matches!(self.life, Life::Unborn | Life::Locked) {
            // 17.2: not yet unlocked is not yet there.
            return self.refuse(stanza, Condition::ItemNotFound, cx);
        }
        match (Nick::of(to), stanza.get("type")) {
            (None, Some("groupchat")) => self.handle_groupchat(from, stanza, cx),
            (None, _) => self.handle_request(from, stanza, cx),
            // 7.5: the recipient's client would take it for one to all.
            (Some(_), Some("groupchat")) => self.refuse(stanza, Condition::BadRequest, cx),
            (Some(nick), _) => self.handle_private(from, &nick, stanza, cx),
        }
    }

    /// A message to the room that is not for all: an invitation, the answer to one, a word about voice.
    fn handle_request(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let x = stanza.get_child("x", ns::MUC_USER);
        if let Some(x) = x.filter(|x| x.has_child("invite", ns::MUC_USER)) {
            return self.handle_invites(from, stanza, x, cx);
        }
        if let Some(decline) = x.and_then(|x| x.get_child("decline", ns::MUC_USER)) {
            return self.handle_decline(from, stanza, decline, cx);
        }
        let form = Form::find(stanza);
        let (kind, of) = form.as_ref().map_or(("", None), |form| (form.kind.as_str(), form.form_type()));
        match form.as_ref() {
            Some(form) if (kind, of) == ("submit", Some(ns::MUC_REQUEST)) => self.handle_voice(from, stanza, form, cx),
            Some(form) if (kind, of) == ("submit", Some(ns::MUC_REGISTER)) => {
                self.handle_approval(from, stanza, form, cx);
            }
            // 8.6 and 9.9: who cancels skips the request.
            _ if kind == "cancel" && self.may_be_asked(from) => {}
            // 17.2: from outside nothing goes through the room; from inside it is improperly typed.
            _ if !self.sessions.contains_key(from) => self.refuse(stanza, Condition::Forbidden, cx),
            _ => self.refuse(stanza, Condition::BadRequest, cx),
        }
    }

    /// Whether the room may have sent somebody a form: a moderator (8.6) or an admin (9.9).
    fn may_be_asked(&self, from: &Jid) -> bool {
        self.sessions.contains_key(from) || self.affiliation_of(from) >= Affiliation::Admin
    }

    /// An error: its sender is gone, or it answers what another occupant sent.
    fn handle_error(&mut self, from: &Jid, to: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        self.bounced(from, stanza, cx);
        match Nick::of(to) {
            Some(nick) => self.pass_error(from, &nick, stanza, cx),
            None => self.invitation_bounced(from, stanza, cx),
        }
    }

    fn handle_iq(&mut self, from: &Jid, to: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        if !matches!(iq.get("type"), Some("get" | "set")) {
            self.answers_doubt(from, iq, cx);
            return self.handle_answer(from, iq, cx);
        }
        if self.life == Life::Unborn {
            return self.refuse(iq, Condition::ItemNotFound, cx);
        }
        if let Some(nick) = Nick::of(to) {
            return self.handle_occupant_iq(from, &nick, iq, cx);
        }
        let Some(payload) = iq.children().next() else { return self.refuse(iq, Condition::BadRequest, cx) };
        match (payload.name(), payload.ns(), iq.get("type")) {
            ("query", ns::MUC_OWNER, _) => self.handle_owner(from, iq, payload, cx),
            // 17.2 and 7.2.10: to all but its owner a locked room is not there.
            _ if self.life == Life::Locked && self.affiliation_of(from) != Affiliation::Owner => {
                self.refuse(iq, Condition::ItemNotFound, cx);
            }
            ("query", ns::MUC_ADMIN, _) => self.handle_admin(from, iq, payload, cx),
            ("query", ns::DISCO_INFO, Some("get")) => self.handle_info(from, iq, payload, cx),
            ("query", ns::DISCO_ITEMS, Some("get")) => self.handle_items(from, iq, payload, cx),
            ("vCard", super::avatar::VCARD, _) => self.handle_vcard(from, iq, payload, cx),
            ("moderate", ns::MODERATE, Some("set")) => self.handle_moderate(from, iq, payload, cx),
            ("command", ns::COMMANDS, Some("set")) => self.handle_command(from, iq, cx),
            ("query", ns::REGISTER, _) => self.handle_register(from, iq, payload, cx),
            ("query", ns::MAM, _) | ("metadata", ns::MAM, Some("get")) => self.handle_archive(from, iq, payload, cx),
            ("ping", ns::PING, Some("get")) => self.answer(from, iq_result(iq), cx),
            _ => self.refuse(iq, Condition::ServiceUnavailable, cx),
        }
    }
}

/// A parsed address of a stanza; the edge has seen to it that there is one.
fn address(stanza: &Element, which: &str) -> Option<Jid> {
    stanza.get(which).and_then(|text| Jid::new(text).ok())
}
