//! Invitations through the room, XEP-0045 7.8.2, and what becomes of them: a decline, or nobody is there. Direct ones (7.8.1,
//! XEP-0249) go from user to user and need no room.

use super::admin::{AFFILIATIONS_MAX, Outcome};
use super::affairs::By;
use super::{Affiliated, Apply, Cx, Room, Whois};
use crate::names::Affiliation;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

/// An invitation that is granted.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub to: Jid,
    /// As sent to the invited.
    pub message: Element,
}

/// An invitation on its way, so that its author hears what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Invited {
    /// The real address of the inviter's client.
    pub by: Jid,
    pub to: Jid,
    /// As the inviter sent it.
    pub request: Element,
}

impl Room {
    /// An occupant invites somebody.
    pub fn handle_invites(&mut self, from: &Jid, stanza: &Element, x: &Element, cx: &mut Cx<'_>) {
        match self.parse_invites(from, stanza, x) {
            Ok(invitations) => self.grant_invitations(invitations, stanza, cx),
            Err(condition) => self.refuse(stanza, condition, cx),
        }
    }

    fn parse_invites(&self, from: &Jid, stanza: &Element, x: &Element) -> Result<Vec<Invitation>, Condition> {
        // 17.2: who is not in the room sends nothing through it; 9.5: into a members-only room only those invite who may.
        if !self.sessions.contains_key(from) || !self.may_invite(from) {
            return Err(Condition::Forbidden);
        }
        let invites: Vec<&Element> = x.children().filter(|c| c.is("invite", ns::MUC_USER)).collect();
        if invites.len() > INVITES_MAX {
            return Err(Condition::PolicyViolation);
        }
        let inviter = self.inviter(from);
        let parse = |invite: &Element| {
            let to = Jid::new(invite.get("to").ok_or(Condition::BadRequest)?).map_err(|_| Condition::JidMalformed)?;
            Ok(Invitation { message: self.invitation(&inviter, stanza.get("id"), invite), to })
        };
        invites.into_iter().map(parse).collect()
    }

    fn may_invite(&self, from: &Jid) -> bool {
        let least = match (self.config.members_only, self.config.allow_invites) {
            (false, _) => return true,
            (true, true) => Affiliation::Member,
            (true, false) => Affiliation::Admin,
        };
        self.affiliation_of(from) >= least
    }

    /// Makes members of the invited where that is needed, then invites them.
    fn grant_invitations(&mut self, invitations: Vec<Invitation>, stanza: &Element, cx: &mut Cx<'_>) {
        let strangers = invitations
            .iter()
            .map(|invitation| invitation.to.bare())
            .filter(|bare| self.config.members_only && self.affiliation_of(bare) == Affiliation::None);
        let member = Affiliated::plain(Affiliation::Member);
        let after: Outcome = strangers.map(|bare| (bare, Some(member.clone()))).collect();
        if self.affiliations.len() + after.len() > AFFILIATIONS_MAX {
            return self.refuse(
                stanza,
                StanzaError::new(Condition::ResourceConstraint, "The member list is full."),
                cx,
            );
        }
        let changes: Vec<_> = after.keys().map(|bare| self.affiliation_change(bare, Some(&member))).collect();
        if changes.is_empty() {
            self.send_invitations(invitations, stanza, cx);
        } else {
            self.decide(changes, Apply::Invitations(invitations), stanza, cx);
        }
    }

    /// The invited are on the member list, where that is needed.
    pub fn send_invitations(&mut self, invitations: Vec<Invitation>, request: &Element, cx: &mut Cx<'_>) {
        for Invitation { to, message } in invitations {
            let bare = to.bare();
            if self.config.members_only && self.affiliation_of(&bare) == Affiliation::None {
                self.affiliations.set(bare, Some(Affiliated::plain(Affiliation::Member)));
            }
            if let Some(by) = request.get("from").and_then(|from| Jid::new(from).ok()) {
                self.remember_invited(Invited { by, to: to.clone(), request: request.clone() });
            }
            self.answer(&to, message, cx);
        }
    }

    /// 9.5: a new member of a members-only room is invited in the name of who made him one.
    pub fn invite_member(&mut self, jid: &Jid, by: By<'_>, cx: &mut Cx<'_>) {
        let mut invite = Element::new("invite", ns::MUC_USER);
        if let Some(reason) = by.reason {
            invite.push(Element::new("reason", ns::MUC_USER).text(reason));
        }
        let inviter = by.inviter.map_or_else(|| self.jid.to_string(), |inviter| self.inviter(inviter));
        let message = self.invitation(&inviter, None, &invite);
        self.answer(jid, message, cx);
    }

    /// The invited declines: the inviter hears of it, also when he has left meanwhile.
    pub fn handle_decline(&mut self, from: &Jid, stanza: &Element, decline: &Element, cx: &mut Cx<'_>) {
        let Some(to) = decline.get("to").and_then(|to| Jid::new(to).ok()) else {
            return self.refuse(stanza, Condition::JidMalformed, cx);
        };
        let to = self.decliners_choice(from, &to);
        if to.is_empty() {
            return self.refuse(stanza, Condition::ItemNotFound, cx);
        }
        let mut declined = decline.clone().attr("from", from.bare_str());
        declined.unset("to");
        let message = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr_opt("id", stanza.get("id"))
            .child(Element::new("x", ns::MUC_USER).child(declined));
        for jid in &to {
            self.answer(jid, message.clone(), cx);
        }
    }

    /// Whom a decline reaches: the client that invited, else the occupant it names.
    fn decliners_choice(&mut self, from: &Jid, to: &Jid) -> Vec<Jid> {
        let invited = self.invited.iter().rposition(|invited| {
            let named = self.inviter(&invited.by);
            invited.to.bare() == from.bare() && (named == to.as_str() || invited.by.bare() == to.bare())
        });
        if let Some(invited) = invited.and_then(|at| self.invited.remove(at)) {
            return vec![invited.by];
        }
        let inviter = self.occupants.values().find(|o| o.nick.in_room(&self.jid) == *to || o.bare == to.bare());
        inviter.map(|o| o.sessions.iter().map(|s| s.jid.clone()).collect()).unwrap_or_default()
    }

    /// 7.8.2: nobody is there who could be invited. RFC 6121 8.5.1 lets servers say so in several ways.
    pub fn invitation_bounced(&mut self, from: &Jid, error: &Element, cx: &mut Cx<'_>) {
        let conditions = error.get_child("error", ns::CLIENT).into_iter().flat_map(Element::children);
        if !conditions.filter(|c| c.ns() == ns::STANZA_ERRORS).any(|c| NOBODY.contains(&c.name())) {
            return;
        }
        let invited =
            self.invited.iter().position(|invited| invited.to == *from && invited.request.get("id") == error.get("id"));
        if let Some(Invited { request, .. }) = invited.and_then(|at| self.invited.remove(at)) {
            self.refuse(&request, StanzaError::new(Condition::ItemNotFound, format!("There is no {from}.")), cx);
        }
    }

    fn remember_invited(&mut self, invited: Invited) {
        if self.invited.len() >= INVITED_MAX {
            self.invited.pop_front();
        }
        self.invited.push_back(invited);
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
/// Most invitations of which the room still knows whose they were; of older ones the inviter does not hear that nobody is there.
const INVITED_MAX: usize = 100;
/// How servers say that there is nobody of that address.
const NOBODY: [&str; 4] = ["gone", "item-not-found", "remote-server-not-found", "service-unavailable"];
