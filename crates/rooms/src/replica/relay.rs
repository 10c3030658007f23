//! What local users send to a room, XEP-0282 4.8: relayed with `from` untouched.
//!
//! What changes the room (join, leave, presence, nick, message to all) is marked and goes through the outbox; everything
//! else is between the user and the room and passes. The replica judges none of it.

use super::keepalive;
use super::leave::Parting;
use super::life::Life;
use super::mirror::{Join, Mirror};
use super::numbers::leave_of;
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::Status;
use crate::room::{is_join, payload_of};
use crate::wire::UpMark;
use std::collections::VecDeque;
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, ns};

/// Whether this asks to enter a room, which is addressed under a nick.
pub(super) fn enters_room(stanza: &Element, to: &Jid) -> bool {
    to.local().is_some() && to.resource().is_some() && is_join(stanza)
}

/// What a user's stanza is to the room.
pub(super) enum Sent {
    /// Directed presence of somebody who is not in it, or who believes not to be.
    Join,
    /// Presence of an occupant.
    Presence,
    /// A message to all.
    Message,
    /// Unavailable presence of an occupant or of somebody about to be one.
    Leave,
    /// An error of an occupant's client that shows it is not there any more.
    Ghost,
    /// Anything else.
    Other,
}

impl Mirror {
    /// A local user's stanza to the room or to an occupant.
    pub(super) fn relay(&mut self, stanza: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        let direct = cx.site.direct.knows(&self.room, from);
        let sent = self.kind_of(&stanza, from, to, direct);
        match self.life {
            Life::Asking => return self.hold(stanza, from, to, cx),
            Life::Plain | Life::Over => return cx.pass(to, stanza),
            Life::Dormant if matches!(sent, Sent::Join) => self.register_anew(cx),
            Life::Dormant => return cx.pass(to, stanza),
            _ => {}
        }
        let stanza = stanza.attr("from", from.as_str()).attr("to", to.as_str());
        match sent {
            Sent::Join if self.is_cut_off() => self.join_here(stanza, from, to, cx),
            Sent::Presence if self.island.is_some() => self.present_here(stanza, from, to, cx),
            Sent::Message if self.island.is_some() => self.say_here(stanza, from, cx),
            Sent::Other if self.is_cut_off() && self.sessions.contains_key(from) => {
                self.ask_here(stanza, from, to, cx);
            }
            Sent::Join => self.relay_join(stanza, from, cx),
            Sent::Presence => {
                if let Some(session) = self.sessions.get_mut(from) {
                    session.payload = payload_of(&stanza);
                }
                self.submit(stanza, cx);
            }
            Sent::Message => drop(self.submit(stanza, cx)),
            Sent::Leave => self.relay_leave(stanza, from, cx),
            Sent::Ghost => {
                let Some(session) = self.sessions.get(from) else { return };
                let leave = leave_of(from, &session.nick.in_room(&self.room));
                self.relay_leave(leave, from, cx);
            }
            // That he is gone, as he says under each nickname he has had, and as what bounces says: the room hears it in its turn,
            // behind what he said before.
            Sent::Other
                if stanza.name() != "iq"
                    && matches!(stanza.get("type"), Some("unavailable" | "error"))
                    && self.outbox.holds_leave_of(from) => {}
            // Whoever was taken out here has not heard it yet; on its way to the room this would be lost with the stream.
            Sent::Other if self.is_cut_off() && !direct && matches!(stanza.get("type"), Some("groupchat" | "chat")) => {
                cx.pass(from, refused(&stanza, Condition::NotAcceptable));
            }
            Sent::Other if !self.relays() && self.pings_himself(&stanza, from, to) => cx.pass(from, iq_result(&stanza)),
            Sent::Other => cx.up(to, stanza),
        }
    }

    pub(super) fn kind_of(&self, stanza: &Element, from: &Jid, to: &Jid, direct: bool) -> Sent {
        let (inside, asks) = (self.sessions.contains_key(from), self.joins.contains_key(from));
        match (stanza.name(), stanza.get("type")) {
            ("presence", None) if to.resource().is_none() => {
                if inside {
                    Sent::Presence
                } else {
                    Sent::Other
                }
            }
            // Whom the room serves itself speaks to it himself.
            ("presence", None) if direct && !inside && !stanza.has_child("x", ns::MUC) => Sent::Other,
            ("presence", None) if !inside || stanza.has_child("x", ns::MUC) => Sent::Join,
            ("presence", None) => Sent::Presence,
            ("presence", Some("unavailable")) if inside || asks => Sent::Leave,
            ("message", Some("groupchat")) if to.is_bare() && (inside || asks) => Sent::Message,
            ("message" | "presence", Some("error")) if inside && keepalive::is_gone(stanza) => Sent::Ghost,
            _ => Sent::Other,
        }
    }

    /// Each join permits one ENTER.
    fn relay_join(&mut self, stanza: Element, from: &Jid, cx: &mut Cx<'_>) {
        if self.joins.len() >= JOINS_MAX && !self.joins.contains_key(from) {
            // Whom the primary serves itself is not this site's to count.
            let Some(to) = stanza.get("to").and_then(|to| Jid::new(to).ok()) else { return };
            return cx.up(&to, stanza);
        }
        if !stanza.has_child("x", ns::MUC) {
            // Presence of somebody who will be in by then, or is told that he is not (XEP-0045 7.2.18): no ENTER comes of it.
            self.submit(stanza, cx);
        } else if self.submit(stanza.clone(), cx) {
            let (unanswered, over, behind) = match self.joins.remove(from) {
                Some(join) => (join.unanswered, join.over, join.behind),
                None => (0, 0, VecDeque::new()),
            };
            self.joins.insert(from.clone(), Join { stanza, unanswered: unanswered + 1, over, behind });
        }
    }

    /// Leaving works whether the primary is reached or not: it is told when it is.
    fn relay_leave(&mut self, stanza: Element, from: &Jid, cx: &mut Cx<'_>) {
        let payload = payload_of(&stanza);
        if !self.submit(stanza, cx) {
            return;
        }
        let awaited = self.sessions.get(from).map_or(0, |session| session.awaits);
        if self.relays() && self.island.is_none() && awaited == 0 {
            if let Some(join) = self.joins.get_mut(from) {
                join.over = join.unanswered;
            }
            return self.hush(from, cx);
        }
        // Who is in by this site's word is out by it.
        let unanswered = self.joins.remove(from).map_or(0, |join| join.unanswered);
        if self.relays() && awaited + unanswered > 0 {
            *self.link.overtaken.entry(from.clone()).or_default() += awaited + unanswered;
        }
        self.leave_cut_off(from, payload, cx);
    }

    /// Whether a client asks if it is still in (XEP-0410); while the primary is not reached it is told so from here.
    pub(super) fn pings_himself(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        stanza.name() == "iq"
            && stanza.get("type") == Some("get")
            && stanza.has_child("ping", ns::PING)
            && self.sessions.get(from).is_some_and(|session| to.resource() == Some(session.nick.as_str()))
    }

    /// An error on its way to a local user. One for what was relayed is its outcome; one that only says that the primary was
    /// not reached is the replica's to deal with, since the outbox has the stanza.
    pub(super) fn error_for(&mut self, stanza: Element, mark: Option<UpMark>, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        let unreachable = keepalive::is_unreachable(&stanza) && !keepalive::is_said_by(&stanza, &self.room);
        let ours = mark.is_some() || stanza.name() == "presence" || from.is_bare();
        let waits = self.life == Life::Registering && self.link.fresh;
        let here = self.sessions.contains_key(to) || self.joins.contains_key(to);
        let kept = mark.as_ref().is_some_and(|mark| self.keeps(mark));
        if unreachable && !waits && (kept || ours && here) && !flaw!(BounceGiven) {
            return self.unreached(cx);
        }
        // What has been asked anew in another registration has its outcome there.
        if stanza.name() == "presence" && mark.as_ref().is_some_and(|mark| self.is_asked_anew(to, mark)) {
            return;
        }
        // Whoever is told that it failed must not hear it said later.
        if let Some(mark) = mark {
            self.refuse_provisional(&mark, &stanza, cx);
            self.had_outcome(&mark, cx);
        }
        let join_refused = stanza.name() == "presence";
        if join_refused && self.is_overtaken(to) {
            return;
        }
        if join_refused && self.sessions.get(to).is_some_and(|session| session.awaits_enter()) {
            // He is in here by the roster of before; now he is not.
            return self.showing(cx, |mirror, cx| drop(mirror.take_out(to, &not_let_in(&stanza), cx)));
        }
        cx.pass(to, stanza);
        if join_refused {
            self.answer_join(to, cx);
            self.give_up_kept(to, cx);
        }
    }

    /// An error for something of the replica's own that was not a request.
    pub(super) fn bounced(&mut self, stanza: &Element, cx: &mut Cx<'_>) {
        if keepalive::is_unreachable(stanza) {
            self.unreached(cx);
        }
    }
}

/// How somebody goes whom an island has let in and the room does not.
fn not_let_in(error: &Element) -> Parting {
    let condition = keepalive::condition(error).unwrap_or_default();
    let status = match condition {
        "forbidden" => Status::BANNED,
        "registration-required" => Status::MEMBERS_ONLY,
        "not-allowed" => Status::KICKED,
        _ => Status::FAILURE,
    };
    let reason = format!("The room was reached again and does not let you in: {condition}.");
    Parting { reason: Some(reason), ..Parting::with([status]) }
}

/// The answer to what may not be.
pub(super) fn refused(stanza: &Element, condition: Condition) -> Element {
    StanzaError::from(condition).reply(stanza)
}

/// Most unanswered joins per room; whoever comes on top is served by the room itself.
const JOINS_MAX: usize = 10_000;
