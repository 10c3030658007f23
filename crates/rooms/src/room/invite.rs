//! Invitations through the room, XEP-0045 7.8.2, and what the invited say to them. Direct ones (7.8.1) need no room.

use super::{Affiliated, Apply, Cx, Room, Whois};
use crate::names::Affiliation;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

/// An invitation that is granted.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub to: Jid,
    /// As sent to the invited.
    pub message: Element,
}

impl Room {
    /// An occupant invites somebody.
    pub fn handle_invites(&mut self, from: &Jid, stanza: &Element, x: &Element, cx: &mut Cx<'_>) {
        if !self.sessions.contains_key(from) {
            return self.refuse(stanza, Condition::NotAcceptable, cx);
        }
        // Into a members-only room only those invite who may make members.
        if self.config.members_only && self.affiliation_of(from) < Affiliation::Admin {
            return self.refuse(stanza, Condition::Forbidden, cx);
        }
        let invites: Vec<&Element> = x.children().filter(|c| c.is("invite", ns::MUC_USER)).collect();
        if invites.len() > INVITES_MAX {
            return self.refuse(stanza, Condition::NotAcceptable, cx);
        }
        let to: Option<Vec<Jid>> =
            invites.iter().map(|invite| invite.get("to").and_then(|to| Jid::new(to).ok())).collect();
        let Some(to) = to else { return self.refuse(stanza, Condition::JidMalformed, cx) };
        let inviter = self.inviter(from);
        let invitations: Vec<Invitation> = to
            .into_iter()
            .zip(invites)
            .map(|(to, invite)| Invitation { message: self.invitation(&inviter, stanza.get("id"), invite), to })
            .collect();
        self.grant_invitations(invitations, stanza, cx);
    }

    /// Makes members of the invited where that is needed, then invites them.
    fn grant_invitations(&mut self, invitations: Vec<Invitation>, stanza: &Element, cx: &mut Cx<'_>) {
        let strangers = invitations
            .iter()
            .map(|invitation| invitation.to.bare())
            .filter(|bare| self.config.members_only && self.affiliation_of(bare) == Affiliation::None);
        let member = Affiliated { affiliation: Affiliation::Member, reason: None };
        let changes: Vec<_> = strangers.map(|bare| self.affiliation_change(&bare, Some(&member))).collect();
        if changes.is_empty() {
            self.send_invitations(invitations, cx);
        } else {
            self.decide(changes, Apply::Invitations(invitations), stanza, cx);
        }
    }

    /// The invited are on the member list, where that is needed.
    pub fn send_invitations(&mut self, invitations: Vec<Invitation>, cx: &mut Cx<'_>) {
        for Invitation { to, message } in invitations {
            let bare = to.bare();
            if self.config.members_only && self.affiliation_of(&bare) == Affiliation::None {
                self.affiliations.insert(bare, Affiliated { affiliation: Affiliation::Member, reason: None });
            }
            self.answer(&to, message, cx);
        }
    }

    /// 9.5: a new member of a members-only room is invited by the room itself.
    pub fn invite_member(&mut self, jid: &Jid, reason: Option<&str>, cx: &mut Cx<'_>) {
        let mut invite = Element::new("invite", ns::MUC_USER);
        if let Some(reason) = reason {
            invite.push(Element::new("reason", ns::MUC_USER).text(reason));
        }
        let message = self.invitation(self.jid.as_str(), None, &invite);
        self.answer(jid, message, cx);
    }

    /// The invited declines: the inviter hears of it, if he is still here.
    pub fn handle_decline(&mut self, from: &Jid, stanza: &Element, decline: &Element, cx: &mut Cx<'_>) {
        let Some(to) = decline.get("to").and_then(|to| Jid::new(to).ok()) else {
            return self.refuse(stanza, Condition::JidMalformed, cx);
        };
        let inviter = self.occupants.values().find(|o| o.nick.in_room(&self.jid) == to || o.bare == to.bare());
        let Some(inviter) = inviter else { return self.refuse(stanza, Condition::ItemNotFound, cx) };
        let sessions: Vec<Jid> = inviter.sessions.iter().map(|s| s.jid.clone()).collect();
        let mut declined = decline.clone().attr("from", from.bare_str());
        declined.unset("to");
        let message = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr_opt("id", stanza.get("id"))
            .child(Element::new("x", ns::MUC_USER).child(declined));
        for jid in &sessions {
            self.answer(jid, message.clone(), cx);
        }
    }

    fn invitation(&self, inviter: &str, id: Option<&str>, invite: &Element) -> Element {
        let mut invite = invite.clone().attr("from", inviter);
        invite.unset("to");
        let password = self.config.password.as_ref();
        let password = password.map(|text| Element::new("password", ns::MUC_USER).text(text.clone()));
        Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr_opt("id", id)
            .child(Element::new("x", ns::MUC_USER).child(invite).with(password))
    }

    /// By which address the invited knows the inviter: the occupant's where the room hides real ones.
    fn inviter(&self, from: &Jid) -> String {
        match self.sessions.get(from) {
            Some(nick) if self.config.whois == Whois::Moderators => nick.in_room(&self.jid).to_string(),
            _ => from.bare_str().to_owned(),
        }
    }
}

/// Most people invited by one message.
const INVITES_MAX: usize = 20;
