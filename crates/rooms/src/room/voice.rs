//! Asking for voice and granting it by form, XEP-0045 7.13 and 8.6.

use super::affairs::{Affair, Affairs};
use super::privileges::{Standing, judge_role};
use super::{Cx, Room};
use crate::names::{Nick, Role};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

impl Room {
    /// A message with a form of type `muc#request`.
    pub fn handle_voice(&mut self, from: &Jid, stanza: &Element, form: &Form, cx: &mut Cx<'_>) {
        let Some(occupant) = self.sessions.get(from).and_then(|nick| self.occupants.get(nick)) else {
            // 17.2.
            return self.refuse(stanza, Condition::Forbidden, cx);
        };
        match (occupant.role, form.boolean("muc#request_allow")) {
            (Role::Moderator, Some(allow)) => self.judge_voice(from, stanza, form, allow, cx),
            // 8, the introduction: only moderators decide.
            (_, Some(_)) => self.refuse(stanza, Condition::Forbidden, cx),
            (Role::Visitor, None) if form.get("muc#role") == Some("participant") => {
                let nick = occupant.nick.clone();
                self.ask_moderators(from, &nick, cx);
            }
            (Role::Visitor, _) => self.refuse(stanza, Condition::BadRequest, cx),
            _ => self.refuse(stanza, StanzaError::new(Condition::BadRequest, "You have voice already."), cx),
        }
    }

    /// 8.6: the request as a form to every moderator.
    fn ask_moderators(&mut self, from: &Jid, nick: &Nick, cx: &mut Cx<'_>) {
        let form = Form::new("form")
            .title("Voice request")
            .instructions("To let this person speak, choose so and submit; to skip the request, cancel.")
            .with_type(ns::MUC_REQUEST)
            .field(Field::new("list-single", "muc#role").label("Requested role").value("participant"))
            .field(Field::new("jid-single", "muc#jid").label("User ID").value(from.as_str()))
            .field(Field::new("text-single", "muc#roomnick").label("Room Nickname").value(nick.as_str()))
            .field(Field::boolean("muc#request_allow", false).label("Grant voice to this person?"));
        let message = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr("id", super::create::name(&mut self.rng))
            .child(form.element());
        let moderators = self.occupants.values().filter(|o| o.role == Role::Moderator);
        let to: Vec<Jid> = moderators.flat_map(|o| &o.sessions).map(|s| s.jid.clone()).collect();
        for jid in &to {
            self.answer(jid, message.clone(), cx);
        }
    }

    /// A moderator has submitted the form.
    fn judge_voice(&mut self, from: &Jid, stanza: &Element, form: &Form, allow: bool, cx: &mut Cx<'_>) {
        let nick: Option<Nick> = form.get("muc#roomnick").and_then(|text| text.parse().ok());
        let Some(target) = nick.and_then(|nick| self.occupants.get(&nick)) else {
            return self.refuse(stanza, Condition::ItemNotFound, cx);
        };
        // The nick may be another's by now.
        let asked = form.get("muc#jid").and_then(|jid| Jid::new(jid).ok());
        if asked.is_some_and(|jid| jid.bare() != target.bare) {
            return self.refuse(stanza, Condition::ItemNotFound, cx);
        }
        let (nick, standing) = (target.nick.clone(), Standing { role: target.role, affiliation: target.affiliation });
        if !allow || standing.role >= Role::Participant {
            return;
        }
        match judge_role(self.standing_of(from), standing, Role::Participant) {
            Ok(()) => {
                let affair = Affair::Role { nick, to: Role::Participant, reason: None };
                self.decide_affairs(Affairs { actor: None, affairs: vec![affair] }, stanza, cx);
            }
            Err(condition) => self.refuse(stanza, condition, cx),
        }
    }
}
