//! Requests of moderators and admins, `muc#admin`: XEP-0045 8.2 to 8.5, 9.1 to 9.8, 10.3 to 10.8, 17.4. Changes are parsed,
//! judged all together, made durable, and handed to `affairs`; `lists` reads.

use super::affairs::{Affair, Affairs};
use super::privileges::{Standing, judge_affiliation, judge_role};
use super::{Affiliated, Apply, Cx, Room};
use crate::flaws::flaw;
use crate::names::{Affiliation, Nick, Role, Status};
use crate::wire::Removed;
use machine::Change;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

impl Room {
    /// An iq with `<query xmlns='http://jabber.org/protocol/muc#admin'/>`.
    pub fn handle_admin(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        let done = match iq.get("type") {
            Some("get") => self.list(from, query).map(|list| self.answer(from, iq_result(iq).child(list), cx)),
            _ => self.parse_affairs(from, query).map(|affairs| self.decide_affairs(affairs, iq, cx)),
        };
        if let Err(condition) = done {
            self.refuse(iq, condition, cx);
        }
    }

    /// Carries judged changes out, once what is to be kept of them is on disk.
    pub fn decide_affairs(&mut self, affairs: Affairs, request: &Element, cx: &mut Cx<'_>) {
        let changes = self.changes_of(&affairs.affairs, affairs.actor.as_ref());
        if changes.is_empty() {
            self.carry_out(&affairs, request, cx);
        } else {
            self.decide(changes, Apply::Affairs(affairs), request, cx);
        }
    }

    /// Reads all items of a change and judges them; one that may not be refuses all.
    pub fn parse_affairs(&self, from: &Jid, query: &Element) -> Result<Affairs, Condition> {
        let items: Vec<&Element> = query.children().filter(|c| c.is("item", ns::MUC_ADMIN)).collect();
        if items.is_empty() {
            return Err(Condition::BadRequest);
        }
        if items.len() > ITEMS_MAX {
            return Err(Condition::PolicyViolation);
        }
        let mut after = Outcome::new();
        let affairs: Vec<Affair> =
            items.into_iter().map(|item| self.parse_affair(from, item, &mut after)).collect::<Result<_, _>>()?;
        self.judge_outcome(&after)?;
        Ok(Affairs { actor: self.sessions.get(from).cloned(), affairs })
    }

    fn parse_affair(&self, from: &Jid, item: &Element, after: &mut Outcome) -> Result<Affair, Condition> {
        let reason = item.get_child("reason", ns::MUC_ADMIN).map(Element::content).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > REASON_BYTES_MAX) {
            return Err(Condition::PolicyViolation);
        }
        match (item.get("role"), item.get("affiliation")) {
            // 17.4: one or the other.
            (Some(_), Some(_)) | (None, None) => Err(Condition::BadRequest),
            (Some(role), None) => self.parse_role(from, item, role, reason),
            (None, Some(affiliation)) => self.parse_affiliation(from, item, affiliation, reason, after),
        }
    }

    fn parse_role(&self, from: &Jid, item: &Element, to: &str, reason: Option<String>) -> Result<Affair, Condition> {
        let to = Role::parse(to).ok_or(Condition::BadRequest)?;
        let nick: Nick = item.get("nick").ok_or(Condition::BadRequest)?.parse().map_err(|_| Condition::JidMalformed)?;
        let asker = match flaw!(RoleWithoutRank) {
            true => Standing { role: Role::Moderator, ..self.standing_of(from) },
            false => self.standing_of(from),
        };
        // 8: who may ask for no role at all is not told either who is here.
        if asker.role != Role::Moderator && asker.affiliation < Affiliation::Admin {
            return Err(Condition::Forbidden);
        }
        let target = self.occupants.get(&nick).ok_or(Condition::ItemNotFound)?;
        judge_role(asker, Standing { role: target.role, affiliation: target.affiliation }, to)?;
        Ok(Affair::Role { nick, to, reason })
    }

    /// 9.3, 9.5: with a JID beside it, a nick is the one to be reserved, and an empty one none; without a JID it says who is
    /// meant.
    fn parse_affiliation(
        &self,
        from: &Jid,
        item: &Element,
        to: &str,
        reason: Option<String>,
        after: &mut Outcome,
    ) -> Result<Affair, Condition> {
        let to = Affiliation::parse(to).ok_or(Condition::BadRequest)?;
        let asker = self.affiliation_of(from);
        if asker < Affiliation::Admin {
            return Err(Condition::Forbidden);
        }
        let nick = match item.get("nick") {
            None | Some("") => None,
            Some(text) => Some(text.parse::<Nick>().map_err(|_| Condition::JidMalformed)?),
        };
        let (jid, nick) = match (item.get("jid"), nick) {
            (Some(jid), nick) => {
                (Jid::new(jid).map_err(|_| Condition::JidMalformed)?.bare(), item.get("nick").map(|_| nick))
            }
            (None, Some(nick)) => (self.occupants.get(&nick).ok_or(Condition::ItemNotFound)?.bare.clone(), None),
            (None, None) => return Err(Condition::BadRequest),
        };
        judge_affiliation(asker, self.affiliation_of(&jid), to, jid == from.bare())?;
        let before = after.get(&jid).cloned().unwrap_or_else(|| self.affiliations.get(&jid).cloned());
        let kept = Affiliated::after(before, to, nick, reason.clone());
        after.insert(jid.clone(), kept.clone());
        Ok(Affair::Affiliation { jid, kept, reason })
    }

    /// What all items come to: a room keeps an owner (10.4), a nick is reserved for one (7.10), the lists are bounded.
    pub fn judge_outcome(&self, after: &Outcome) -> Result<(), Condition> {
        if after.is_empty() {
            return Ok(());
        }
        let unchanged = || self.affiliations.iter().filter(|(jid, _)| !after.contains_key(jid)).map(|(_, known)| known);
        let is_owner = |known: &Affiliated| known.affiliation == Affiliation::Owner;
        let had_owner = self.affiliations.iter().any(|(_, known)| is_owner(known));
        if had_owner && !unchanged().chain(after.values().flatten()).any(is_owner) {
            return Err(Condition::Conflict);
        }
        let mut reserved = BTreeSet::new();
        for (jid, kept) in after {
            let Some(nick) = kept.as_ref().and_then(|kept| kept.nick.as_ref()) else { continue };
            let others = self.affiliations.reserved_for(nick).is_some_and(|of| of != jid && !after.contains_key(of));
            if others || !reserved.insert(nick) {
                return Err(Condition::Conflict);
            }
        }
        let len = unchanged().count() + after.values().flatten().count();
        if len > AFFILIATIONS_MAX.max(self.affiliations.len()) { Err(Condition::ResourceConstraint) } else { Ok(()) }
    }

    /// What is kept of changes. That somebody is kicked is on disk before anybody hears of it: else a crash would leave a seat
    /// that looks as if the crash alone had cost it, and a census would have it entered again.
    pub fn changes_of(&self, affairs: &[Affair], actor: Option<&Nick>) -> Vec<Change> {
        let changes = |affair: &Affair| match affair {
            Affair::Role { nick, to: Role::None, reason } => {
                let kicked = Removed { status: Status::KICKED, actor: actor.cloned(), reason: reason.clone() };
                self.seat_removal_changes(nick, &kicked)
            }
            Affair::Role { nick, to, .. } => self.voice_changes(nick, *to),
            Affair::Affiliation { jid, kept, .. } => self.affiliation_changes(jid, kept.as_ref()),
        };
        affairs.iter().flat_map(changes).collect()
    }

    /// What somebody is here and now; 8 and 9 go by the bare address, so any of his clients may ask.
    pub fn standing_of(&self, user: &Jid) -> Standing {
        let seats = self.occupants.values().filter(|o| o.bare.as_str() == user.bare_str());
        Standing { role: seats.map(|o| o.role).max().unwrap_or(Role::None), affiliation: self.affiliation_of(user) }
    }
}

/// What is known of users after a set of changes.
pub(crate) type Outcome = BTreeMap<Jid, Option<Affiliated>>;

/// Most items in one request.
const ITEMS_MAX: usize = 500;
/// Most users with an affiliation in one room: 10,000 members, and room for those who lead or are banned.
pub(crate) const AFFILIATIONS_MAX: usize = 20_000;
/// Longest reason, bytes.
pub(crate) const REASON_BYTES_MAX: usize = 1_000;
