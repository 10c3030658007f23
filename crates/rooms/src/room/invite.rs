//! Invitations through the room, XEP-0045 7.8.2, and what becomes of them: a decline, or nobody is there. Direct ones (7.8.1,
//! XEP-0249) go from user to user and need no room.

use super::admin::{AFFILIATIONS_MAX, Outcome};
use super::affairs::By;
use super::keep::{Sent, delete};
use super::{Affiliated, Apply, Cx, Occupant, Room, Whois, put};
use crate::names::Affiliation;
use xmpp::stanza::{Condition, StanzaError, given_back};
use xmpp::{Element, Jid, ns};

/// An invitation that is granted.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub to: Jid,
    /// By which address the invited knows the inviter.
    pub named: String,
    /// As sent to the invited.
    pub message: Element,
}

/// An invitation on its way, so that its author hears what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Invited {
    /// Under which its record is kept.
    pub key: String,
    /// When it was sent, Unix milliseconds.
    pub at_ms: i64,
    /// The real address of the inviter's client.
    pub by: Jid,
    pub to: Jid,
    /// By which address the invited knows him.
    pub named: String,
    /// What the inviter sent, as far as an error gives it back.
    pub request: Element,
}

impl Invited {
    /// As it was kept.
    pub fn kept(key: &str, sent: &Sent) -> Option<Invited> {
        let (by, to) = (Jid::new(&sent.by).ok()?, Jid::new(&sent.to).ok()?);
        let request = Element::parse(&sent.request).ok()?;
        Some(Invited { key: key.to_owned(), at_ms: sent.at_ms, by, to, named: sent.named.clone(), request })
    }
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
            if to.bare() == self.jid {
                return Err(Condition::JidMalformed);
            }
            // The invited is a member by that, and a whole domain is the admins' to let in (9.2).
            if self.config.members_only && to.local().is_none() && self.affiliation_of(from) < Affiliation::Admin {
                return Err(Condition::Forbidden);
            }
            let message = self.invitation(&inviter, stanza.get("id"), invite);
            Ok(Invitation { to, named: inviter.clone(), message })
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
        let changes: Vec<_> = after.keys().flat_map(|bare| self.affiliation_changes(bare, Some(&member))).collect();
        if changes.is_empty() {
            self.send_invitations(invitations, stanza, cx);
        } else {
            self.decide(changes, Apply::Invitations(invitations), stanza, cx);
        }
    }

    /// The invited are on the member list, where that is needed.
    pub fn send_invitations(&mut self, invitations: Vec<Invitation>, request: &Element, cx: &mut Cx<'_>) {
        for Invitation { to, named, message } in invitations {
            let bare = to.bare();
            if self.config.members_only && self.affiliation_of(&bare) == Affiliation::None {
                self.voices.remove(&bare);
                self.had_applied(&bare);
                self.affiliations.set(bare.clone(), Some(Affiliated::plain(Affiliation::Member)));
                let mav = self.next_version(&bare);
                self.tell_version(&bare, &mav, cx);
            }
            self.remember_invited(to.clone(), named, request, cx);
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
        let id = super::create::name(&mut self.rng);
        let message = self.invitation(&inviter, Some(&id), &invite);
        self.answer(jid, message, cx);
    }

    /// The invited declines: the inviter hears of it, also when he has left meanwhile.
    pub fn handle_decline(&mut self, from: &Jid, stanza: &Element, decline: &Element, cx: &mut Cx<'_>) {
        let Some(to) = decline.get("to").and_then(|to| Jid::new(to).ok()) else {
            return self.refuse(stanza, Condition::JidMalformed, cx);
        };
        let to = match self.decliners_choice(from, &to, cx) {
            Ok(to) => to,
            Err(condition) => return self.refuse(stanza, condition, cx),
        };
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

    /// Whom a decline reaches: the client that invited. Who is a member has perhaps been invited by becoming one (9.5), and reaches the
    /// occupant he names; for anybody else that would be a way to speak through the room (17.2), or to learn by an address who is in it.
    fn decliners_choice(&mut self, from: &Jid, to: &Jid, cx: &mut Cx<'_>) -> Result<Vec<Jid>, Condition> {
        let invited = self.invited.iter().rposition(|invited| {
            invited.to.bare() == from.bare() && (invited.named == to.as_str() || invited.by.bare() == to.bare())
        });
        if let Some(invited) = invited.and_then(|at| self.forget_invited(at, cx)) {
            return Ok(vec![invited.by]);
        }
        if self.affiliation_of(from) < Affiliation::Member {
            return Err(Condition::Forbidden);
        }
        let open = self.config.whois == Whois::Anyone;
        let is_named = |o: &&Occupant| o.nick.in_room(&self.jid) == *to || (open && o.bare == to.bare());
        let inviter = self.occupants.values().find(is_named).ok_or(Condition::ItemNotFound)?;
        Ok(inviter.sessions.iter().map(|s| s.jid.clone()).collect())
    }

    /// 7.8.2: nobody is there who could be invited. RFC 6121 8.5.1 lets servers say so in several ways.
    pub fn invitation_bounced(&mut self, from: &Jid, error: &Element, cx: &mut Cx<'_>) {
        let conditions = error.get_child("error", ns::CLIENT).into_iter().flat_map(Element::children);
        if !conditions.filter(|c| c.ns() == ns::STANZA_ERRORS).any(|c| NOBODY.contains(&c.name())) {
            return;
        }
        let invited =
            self.invited.iter().position(|invited| invited.to == *from && invited.request.get("id") == error.get("id"));
        if let Some(Invited { request, .. }) = invited.and_then(|at| self.forget_invited(at, cx)) {
            self.refuse(&request, StanzaError::new(Condition::ItemNotFound, format!("There is no {from}.")), cx);
        }
    }

    /// Whose it was is known after a restart too, so that an answer finds its way.
    fn remember_invited(&mut self, to: Jid, named: String, request: &Element, cx: &mut Cx<'_>) {
        let Some(by) = request.get("from").and_then(|from| Jid::new(from).ok()) else { return };
        // Whoever invites without end forgets his own, and nobody else's.
        let his: Vec<usize> = (0..self.invited.len()).filter(|at| self.invited[*at].by.bare() == by.bare()).collect();
        if his.len() >= INVITES_MAX {
            self.forget_invited(his[0], cx);
        } else if self.invited.len() >= INVITED_MAX {
            self.forget_invited(0, cx);
        }
        let back = Element::stanza("message")
            .attr("from", by.as_str())
            .attr("to", self.jid.as_str())
            .attr_opt("id", request.get("id"))
            .with(given_back(request).cloned());
        let (key, at_ms) = (super::create::name(&mut self.rng), cx.now.unix_ms);
        let sent = Sent { at_ms, by: by.to_string(), to: to.to_string(), named: named.clone(), request: back.to_xml() };
        self.gate.persist(vec![put("invited", &self.jid, &key, &sent)], cx.out);
        self.invited.push_back(Invited { key, at_ms, by, to, named, request: back });
    }

    fn forget_invited(&mut self, at: usize, cx: &mut Cx<'_>) -> Option<Invited> {
        let invited = self.invited.remove(at)?;
        self.gate.persist(vec![delete("invited", &self.jid, &invited.key)], cx.out);
        Some(invited)
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

    /// By which address the invited knows the inviter. Where the room hides real ones it is the occupant's, or of somebody outside who
    /// has made him a member the room's own.
    fn inviter(&self, from: &Jid) -> String {
        match (self.config.whois, self.sessions.get(from)) {
            (Whois::Anyone, _) => from.bare_str().to_owned(),
            (Whois::Moderators, Some(nick)) => nick.in_room(&self.jid).to_string(),
            (Whois::Moderators, None) => self.jid.to_string(),
        }
    }
}

/// Most people invited by one message, and invitations of one inviter that may still be answered.
const INVITES_MAX: usize = 20;
/// Most invitations of which the room still knows whose they were; of older ones the inviter does not hear that nobody is there.
const INVITED_MAX: usize = 100;
/// How servers say that there is nobody of that address.
const NOBODY: [&str; 4] = ["gone", "item-not-found", "remote-server-not-found", "service-unavailable"];
