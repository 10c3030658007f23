//! What occupants send each other through the room: private messages, XEP-0045 7.5; iqs, 17.4; the self-ping of XEP-0410.

use super::message::clean;
use super::{Cx, PrivateMessages, Room};
use crate::names::{Nick, Role};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, ns};

/// An iq passed on to an occupant, whose answer is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    /// Who asked, and under which id.
    pub asker: Jid,
    pub id: String,
    /// The occupant's address that was asked.
    pub asked: Jid,
    /// The real address it was passed to.
    pub passed_to: Jid,
    /// Monotonic milliseconds after which no answer is waited for.
    pub until_ms: u64,
}

/// A private message that was sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Who sent it.
    pub sender: Nick,
    /// The recipient's bare address.
    pub recipient: Jid,
    /// What it called itself; empty where it did not.
    pub id: String,
}

impl Room {
    /// 7.5: a private message, to all of the recipient's clients.
    pub fn handle_private(&mut self, from: &Jid, nick: &Nick, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(sender) = self.sessions.get(from).and_then(|nick| self.occupants.get(nick)) else {
            return self.refuse(stanza, Condition::NotAcceptable, cx);
        };
        let allowed = match self.config.private_messages {
            PrivateMessages::Anyone => true,
            PrivateMessages::Participants => sender.role >= Role::Participant,
            PrivateMessages::Moderators => sender.role >= Role::Moderator,
            PrivateMessages::None => false,
        };
        if !allowed {
            return self.refuse(stanza, Condition::Forbidden, cx);
        }
        let message = as_private(stanza, &self.jid, &sender.nick, Some(&sender.occupant_id));
        let sender = sender.nick.clone();
        let Some(recipient) = self.occupants.get(nick).map(|occupant| occupant.bare.clone()) else {
            return self.refuse(stanza, Condition::ItemNotFound, cx);
        };
        self.send_to_seat(nick, &message, cx);
        let id = id_of(stanza);
        if id.len() > ID_BYTES_MAX {
            return;
        }
        if self.private.len() >= PRIVATE_MAX {
            self.private.pop_front();
        }
        self.private.push_back(Sent { sender, recipient, id });
    }

    /// An error that answers a private message goes to whoever sent that; one that answers what he said to all is none of his.
    pub fn pass_error(&mut self, from: &Jid, nick: &Nick, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(sender) = self.sessions.get(from) else { return };
        let answered = Sent { sender: nick.clone(), recipient: from.bare(), id: id_of(stanza) };
        if !self.private.contains(&answered) {
            return;
        }
        let error = as_private(stanza, &self.jid, sender, None);
        self.send_to_seat(nick, &error, cx);
    }

    /// 17.4: an iq for an occupant is passed to his real address, hiding both from each other.
    pub fn handle_occupant_iq(&mut self, from: &Jid, nick: &Nick, iq: &Element, cx: &mut Cx<'_>) {
        let payload = iq.children().next();
        let Some(own) = self.sessions.get(from).cloned() else {
            // 6.6: a stranger's disco is a bad request; XEP-0410: a ping tells a client that it is not in the room.
            let disco = payload.is_some_and(|p| matches!(p.ns(), ns::DISCO_INFO | ns::DISCO_ITEMS));
            return self.refuse(iq, if disco { Condition::BadRequest } else { Condition::NotAcceptable }, cx);
        };
        if own == *nick && payload.is_some_and(|p| p.is("ping", ns::PING)) {
            return self.answer(from, iq_result(iq), cx);
        }
        let Some(target) =
            self.occupants.get(nick).and_then(|o| Some((o.bare.clone(), o.sessions.last()?.jid.clone())))
        else {
            return self.refuse(iq, Condition::ItemNotFound, cx);
        };
        if iq.get("id").is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return self.refuse(iq, StanzaError::new(Condition::PolicyViolation, "The id is too long."), cx);
        }
        let his = self.passed.values().filter(|passed| passed.asker.bare_str() == from.bare_str()).count();
        if self.passed.len() >= PASSED_MAX || his >= PASSED_OF_ONE_MAX {
            return self.refuse(iq, StanzaError::new(Condition::ResourceConstraint, "Too many requests wait."), cx);
        }
        // A vCard is the account's to give (XEP-0054 3.2), and so is what it publishes (XEP-0163); everything else the client's.
        let (bare, full) = target;
        let of_account = |p: &Element| p.is("vCard", "vcard-temp") || p.is("pubsub", ns::PUBSUB);
        let passed_to = if payload.is_some_and(of_account) { bare } else { full };
        self.pass_iq(from, &own, nick, iq, passed_to, cx);
    }

    /// The answer to an iq that was passed on.
    pub fn handle_answer(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let Some(id) = iq.get("id") else { return };
        let Some(passed) = self.passed.get(id).filter(|passed| passed.passed_to == *from) else { return };
        let passed = passed.clone();
        self.passed.remove(id);
        let mut answer = iq.clone();
        answer.set("from", passed.asked.as_str());
        answer.set("id", &passed.id);
        hide_addresses(&mut answer);
        self.answer(&passed.asker, answer, cx);
    }

    /// Iqs that nobody has answered in time are answered by the room (RFC 6120 8.2.3: each is answered once).
    pub fn expire_passed(&mut self, cx: &mut Cx<'_>) {
        let late: Vec<String> = self
            .passed
            .iter()
            .filter(|(_, passed)| passed.until_ms <= cx.now.mono_ms)
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            let Some(passed) = self.passed.remove(&id) else { continue };
            let error = StanzaError::from(Condition::RemoteServerTimeout).element(Some(self.jid.as_str()));
            let answer = Element::stanza("iq")
                .attr("type", "error")
                .attr("id", &passed.id)
                .attr("from", passed.asked.as_str())
                .child(error);
            self.answer(&passed.asker, answer, cx);
        }
    }

    fn pass_iq(&mut self, from: &Jid, own: &Nick, nick: &Nick, iq: &Element, to: Jid, cx: &mut Cx<'_>) {
        let id = super::create::name(&mut self.rng);
        let mut request = iq.clone();
        request.set("from", own.in_room(&self.jid).as_str());
        request.set("id", &id);
        let passed = Passed {
            asker: from.clone(),
            id: iq.get("id").unwrap_or_default().to_owned(),
            asked: nick.in_room(&self.jid),
            passed_to: to.clone(),
            until_ms: cx.now.mono_ms + PASSED_MS,
        };
        self.passed.insert(id, passed);
        self.answer(&to, request, cx);
    }

    fn send_to_seat(&mut self, nick: &Nick, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let sessions: Vec<Jid> = occupant.sessions.iter().map(|s| s.jid.clone()).collect();
        for jid in &sessions {
            self.answer(jid, stanza.clone(), cx);
        }
    }
}

/// A private message as its recipient is sent it, without `to`, or the error that answers one.
pub(crate) fn as_private(stanza: &Element, room: &Jid, sender: &Nick, occupant_id: Option<&str>) -> Element {
    let mut message = clean(stanza, room);
    message.set("from", sender.in_room(room).as_str());
    message.unset("to");
    if stanza.get("type") == Some("error") {
        hide_addresses(&mut message);
        return message;
    }
    message.push(Element::new("x", ns::MUC_USER));
    message.with(occupant_id.map(super::occupant_id))
}

/// 17.4: what an error says of real addresses, who has noticed it (RFC 6120 8.3.1) and where the recipient is to be found now (8.3.3.5
/// and 8.3.3.14), is not for who asked.
fn hide_addresses(answer: &mut Element) {
    let Some(error) = answer.get_child_mut("error", ns::CLIENT) else { return };
    error.unset("by");
    for moved in ["gone", "redirect"] {
        if let Some(condition) = error.get_child_mut(moved, ns::STANZA_ERRORS) {
            *condition = Element::new(moved, ns::STANZA_ERRORS);
        }
    }
}

fn id_of(stanza: &Element) -> String {
    stanza.get("id").unwrap_or_default().to_owned()
}

/// Private messages of one room that may still be answered with an error.
const PRIVATE_MAX: usize = 500;
/// Most iqs of one room that wait for an occupant's answer.
const PASSED_MAX: usize = 500;
/// And of one user, so that whoever asks clients that do not answer is in nobody else's way; more than a client asks of a roster at once.
const PASSED_OF_ONE_MAX: usize = 50;
/// Longest id of another's that is kept until its answer comes, bytes; what clients make up is a tenth of that.
const ID_BYTES_MAX: usize = 1_000;
/// How long an answer is waited for.
const PASSED_MS: u64 = 60_000;
