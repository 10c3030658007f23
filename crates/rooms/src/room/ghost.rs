//! Whoever cannot be reached is taken out: XEP-0045 "Ghost Users" (18.1.2) and "Service removes user because of error
//! response" (11.1). By the latter the code is 333 alone, without 307: nobody has kicked anybody.

use super::{Cx, Lost, Removal, Room, Via, add_statuses};
use crate::names::{Affiliation, Role, Status};
use machine::Output;
use xmpp::{Element, Jid, Shared, ns};

impl Room {
    /// A client has answered something of the room's with an error.
    pub fn bounced(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        match condition(stanza) {
            Some(condition) if UNREACHABLE.contains(&condition) => self.gone(from, cx),
            Some(DOUBTFUL) if self.sessions.contains_key(from) => self.doubt(from, cx),
            _ => {}
        }
    }

    /// 18.1.2: the room MAY ask by XEP-0199 whether somebody is there; at most once at a time.
    fn doubt(&mut self, session: &Jid, cx: &mut Cx<'_>) {
        let waits = self.doubted.get(session).is_some_and(|doubted| doubted.until_ms > cx.now.mono_ms);
        if waits {
            return;
        }
        let id = super::fresh_name(&mut self.rng);
        let doubted = Doubted { id: id.clone(), until_ms: cx.now.mono_ms + DOUBT_MS };
        self.doubted.insert(session.clone(), doubted);
        let ping = Element::stanza("iq")
            .attr("type", "get")
            .attr("from", self.jid.as_str())
            .attr("id", id)
            .child(Element::new("ping", ns::PING));
        self.answer(session, ping, cx);
    }

    /// The answer to that, if it is one: a server answers in this way for a client that is gone (RFC 6121 8.5.3.2.3).
    pub fn answers_doubt(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let asked = self.doubted.get(from).is_some_and(|doubted| iq.get("id") == Some(doubted.id.as_str()));
        if !asked {
            return;
        }
        self.doubted.remove(from);
        let gone = condition(iq).is_some_and(|condition| condition == DOUBTFUL || UNREACHABLE.contains(&condition));
        if iq.get("type") == Some("error") && gone {
            self.gone(from, cx);
        }
    }

    fn gone(&mut self, session: &Jid, cx: &mut Cx<'_>) {
        if self.is_unreported(session) {
            return;
        }
        self.take_session_out(session, &Removal::with([Status::FAILURE]), cx);
    }

    /// After a restart nobody is in the room; direct sessions of before are told so that they come back. Those behind a
    /// replica stay in `lost` until its census says who is still there, or it has been away for too long.
    pub fn tell_lost(&mut self, cx: &mut Cx<'_>) {
        let since = *self.lost_since_ms.get_or_insert(cx.now.mono_ms);
        let waits = cx.now.mono_ms < self.lost_until_ms();
        let waits = |lost: &Lost| lost.via != Via::Direct && waits;
        let (behind, over): (Vec<Lost>, Vec<Lost>) = std::mem::take(&mut self.lost).into_iter().partition(waits);
        for lost in over {
            if self.sessions.contains_key(&lost.jid) {
                continue;
            }
            self.forget_session(&lost.jid, cx);
            if lost.via == Via::Direct {
                let stanza = Shared::new(self.lost_presence(&lost, Status::FAILURE));
                self.gate.pass(Output::Send { to: lost.jid, stanza }, cx.out);
            }
        }
        self.lost = behind;
        // While seats behind replicas are waited for, the room is nobody else's.
        let kept_ms = if self.lost.is_empty() { RETURN_MS } else { self.retention_ms().max(RETURN_MS) };
        self.kept_until_ms = self.kept_until_ms.min(since.saturating_add(kept_ms));
    }

    /// When those in `lost` have been waited for long enough, monotonic milliseconds; 0 before the first look at them.
    pub fn lost_until_ms(&self) -> u64 {
        self.lost_since_ms.map_or(0, |since| since.saturating_add(self.retention_ms()))
    }

    /// 11.2: the service shuts down; direct sessions are told, those behind replicas keep their seats until it is back.
    pub fn shut_down(&mut self, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        for occupant in self.occupants.values() {
            for session in occupant.sessions.iter().filter(|s| s.via == Via::Direct) {
                let own = self.own_unavailable(occupant, session, &Removal::with([Status::SHUTDOWN]));
                outputs.push(Output::Send { to: session.jid.clone(), stanza: Shared::new(own) });
            }
        }
        self.gate.pass_all(outputs, cx.out);
    }

    fn lost_presence(&self, lost: &Lost, why: Status) -> Element {
        let affiliation = self.affiliation_of(&lost.jid).max(Affiliation::None);
        let item = Element::new("item", ns::MUC_USER)
            .attr("affiliation", affiliation.as_str())
            .attr("role", Role::None.as_str());
        let mut stanza = Element::stanza("presence")
            .attr("from", lost.nick.in_room(&self.jid).as_str())
            .attr("type", "unavailable")
            .child(Element::new("x", ns::MUC_USER).child(item));
        add_statuses(&mut stanza, &[Status::SELF, why]);
        stanza.child(super::occupant_id(&self.order.occupant_id(&lost.jid.bare())))
    }
}

/// A session that may be gone, and was asked.
#[derive(Debug, Clone)]
pub(crate) struct Doubted {
    /// Of the iq.
    id: String,
    /// Until when an answer is waited for, monotonic milliseconds; from then on it may be asked again.
    until_ms: u64,
}

/// The condition of an error stanza, RFC 6120 8.3.2.
fn condition(stanza: &Element) -> Option<&str> {
    let children = stanza.get_child("error", ns::CLIENT)?.children();
    children.filter(|c| c.ns() == ns::STANZA_ERRORS).map(Element::name).find(|name| *name != "text")
}

/// What servers say for a client that is not there (RFC 6121 8.5.3.2.1), and clients and those who block (XEP-0191 4) for much else:
/// the delivery-related errors of "Ghost Users" are without it.
const DOUBTFUL: &str = "service-unavailable";

/// How long an answer is waited for.
const DOUBT_MS: u64 = 60_000;

/// The delivery-related errors of 18.1.2 "Ghost Users".
const UNREACHABLE: [&str; 6] =
    ["gone", "item-not-found", "recipient-unavailable", "redirect", "remote-server-not-found", "remote-server-timeout"];

/// How long after a restart an empty temporary room waits for those who were in it, so that it is not another's
/// when they come back.
const RETURN_MS: u64 = 10 * 60 * 1_000;
