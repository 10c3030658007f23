//! Requests of moderators and admins, `muc#admin`: XEP-0045 8.2 to 8.5, 9.1 to 9.8, 10.3 to 10.8, 16.4. Lists are read here;
//! changes are parsed, judged all together, made durable, and handed to `affairs`.

use super::affairs::{Affair, Affairs};
use super::privileges::{Standing, judge_affiliation, judge_role};
use super::{Affiliated, Apply, Cx, Room, Whois};
use crate::names::{Affiliation, Nick, Role};
use machine::Change;
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

impl Room {
    /// An iq with `<query xmlns='http://jabber.org/protocol/muc#admin'/>`.
    pub fn handle_admin(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        let done = match iq.get("type") {
            Some("get") => self.list(from, query).map(|items| {
                let answer = iq_result(iq).child(Element::new("query", ns::MUC_ADMIN).with(items));
                self.answer(from, answer, cx);
            }),
            _ => self.parse_affairs(from, query).map(|affairs| {
                let changes = self.changes_of(&affairs);
                if changes.is_empty() {
                    // Roles are of this visit only; nothing is to be kept.
                    self.carry_out(&affairs, iq, cx);
                } else {
                    self.decide(changes, Apply::Affairs(affairs), iq, cx);
                }
            }),
        };
        if let Err(condition) = done {
            self.refuse(iq, condition, cx);
        }
    }

    /// A list: of an affiliation (9.2, 9.5, 10.5, 10.8) or of those present with a role (8.5, 9.8).
    fn list(&self, from: &Jid, query: &Element) -> Result<Vec<Element>, Condition> {
        let item = query.get_child("item", ns::MUC_ADMIN).ok_or(Condition::BadRequest)?;
        match (item.get("affiliation"), item.get("role")) {
            (Some(text), None) => {
                let affiliation = Affiliation::parse(text).ok_or(Condition::BadRequest)?;
                self.may_read_list(from, affiliation)?;
                let listed = self.affiliations.iter().filter(|(_, known)| known.affiliation == affiliation);
                Ok(listed.map(|(jid, known)| self.affiliation_item(jid, known)).collect())
            }
            (None, Some(text)) => {
                let role = Role::parse(text).filter(|role| *role != Role::None).ok_or(Condition::BadRequest)?;
                let standing = self.standing_of(from);
                if standing.role != Role::Moderator && standing.affiliation < Affiliation::Admin {
                    return Err(Condition::Forbidden);
                }
                Ok(self.occupants.values().filter(|o| o.role == role).map(role_item).collect())
            }
            _ => Err(Condition::BadRequest),
        }
    }

    fn may_read_list(&self, from: &Jid, affiliation: Affiliation) -> Result<(), Condition> {
        let least = match affiliation {
            Affiliation::None => return Err(Condition::BadRequest),
            Affiliation::Owner | Affiliation::Admin => Affiliation::Owner,
            // 9.5: where addresses are open anyway, members may know each other.
            Affiliation::Member if self.config.whois == Whois::Anyone => Affiliation::Member,
            Affiliation::Member | Affiliation::Outcast => Affiliation::Admin,
        };
        if self.affiliation_of(from) >= least { Ok(()) } else { Err(Condition::Forbidden) }
    }

    fn affiliation_item(&self, jid: &Jid, known: &Affiliated) -> Element {
        let present = self.occupants.values().find(|o| o.bare == *jid);
        let reason = known.reason.as_ref().map(|text| Element::new("reason", ns::MUC_ADMIN).text(text.clone()));
        Element::new("item", ns::MUC_ADMIN)
            .attr("affiliation", known.affiliation.as_str())
            .attr("jid", jid.as_str())
            .attr_opt("nick", present.map(|o| o.nick.as_str()))
            .with(reason)
    }

    /// Reads all items of a change and judges them; one that may not be refuses all.
    fn parse_affairs(&self, from: &Jid, query: &Element) -> Result<Affairs, Condition> {
        let items: Vec<&Element> = query.children().filter(|c| c.is("item", ns::MUC_ADMIN)).collect();
        if items.is_empty() || items.len() > ITEMS_MAX {
            return Err(Condition::BadRequest);
        }
        let affairs = items.into_iter().map(|item| self.parse_affair(from, item)).collect::<Result<Vec<_>, _>>()?;
        let actor = self.sessions.get(from).cloned();
        let affairs = Affairs { actor, affairs };
        self.judge_lists(&affairs)?;
        Ok(affairs)
    }

    fn parse_affair(&self, from: &Jid, item: &Element) -> Result<Affair, Condition> {
        let reason = item.get_child("reason", ns::MUC_ADMIN).map(Element::content).filter(|text| !text.is_empty());
        if reason.as_ref().is_some_and(|text| text.len() > REASON_BYTES_MAX) {
            return Err(Condition::NotAcceptable);
        }
        let nick = item.get("nick").map(|text| text.parse::<Nick>().map_err(|_| Condition::JidMalformed)).transpose();
        match (item.get("role"), item.get("affiliation")) {
            // 16.4: one or the other.
            (Some(_), Some(_)) | (None, None) => Err(Condition::BadRequest),
            (Some(role), None) => {
                let to = Role::parse(role).ok_or(Condition::BadRequest)?;
                let nick = nick?.ok_or(Condition::BadRequest)?;
                let target = self.occupants.get(&nick).ok_or(Condition::ItemNotFound)?;
                let target = Standing { role: target.role, affiliation: target.affiliation };
                judge_role(self.standing_of(from), target, to)?;
                Ok(Affair::Role { nick, to, reason })
            }
            (None, Some(affiliation)) => {
                let to = Affiliation::parse(affiliation).ok_or(Condition::BadRequest)?;
                let jid = match item.get("jid") {
                    Some(jid) => Jid::new(jid).map_err(|_| Condition::JidMalformed)?.bare(),
                    None => self.bare_of(nick?.ok_or(Condition::BadRequest)?).ok_or(Condition::ItemNotFound)?,
                };
                let himself = jid == from.bare();
                judge_affiliation(self.affiliation_of(from), self.affiliation_of(&jid), to, himself)?;
                Ok(Affair::Affiliation { jid, to, reason })
            }
        }
    }

    /// What all items come to: a room keeps an owner (10.4), and its lists are bounded.
    fn judge_lists(&self, affairs: &Affairs) -> Result<(), Condition> {
        let mut after: std::collections::BTreeMap<&Jid, Affiliation> =
            self.affiliations.iter().map(|(jid, known)| (jid, known.affiliation)).collect();
        let had_owner = after.values().any(|a| *a == Affiliation::Owner);
        let mut any = false;
        for affair in &affairs.affairs {
            if let Affair::Affiliation { jid, to, .. } = affair {
                any = true;
                after.insert(jid, *to);
            }
        }
        after.retain(|_, affiliation| *affiliation != Affiliation::None);
        if any && had_owner && !after.values().any(|a| *a == Affiliation::Owner) {
            return Err(Condition::Conflict);
        }
        if any && after.len() > AFFILIATIONS_MAX { Err(Condition::ResourceConstraint) } else { Ok(()) }
    }

    fn changes_of(&self, affairs: &Affairs) -> Vec<Change> {
        let change = |affair: &Affair| match affair {
            Affair::Role { .. } => None,
            Affair::Affiliation { jid, to: Affiliation::None, .. } => Some(self.affiliation_change(jid, None)),
            Affair::Affiliation { jid, to, reason } => {
                Some(self.affiliation_change(jid, Some(&Affiliated { affiliation: *to, reason: reason.clone() })))
            }
        };
        affairs.affairs.iter().filter_map(change).collect()
    }

    /// What somebody is here and now.
    pub fn standing_of(&self, user: &Jid) -> Standing {
        let occupant = self.sessions.get(user).and_then(|nick| self.occupants.get(nick));
        Standing { role: occupant.map_or(Role::None, |o| o.role), affiliation: self.affiliation_of(user) }
    }

    fn bare_of(&self, nick: Nick) -> Option<Jid> {
        self.occupants.get(&nick).map(|o| o.bare.clone())
    }
}

fn role_item(occupant: &super::Occupant) -> Element {
    let jid = occupant.sessions.last().map(|session| session.jid.as_str().to_owned());
    Element::new("item", ns::MUC_ADMIN)
        .attr("affiliation", occupant.affiliation.as_str())
        .attr_opt("jid", jid)
        .attr("nick", occupant.nick.as_str())
        .attr("role", occupant.role.as_str())
}

/// Most items in one request.
const ITEMS_MAX: usize = 100;
/// Most users with an affiliation in one room.
const AFFILIATIONS_MAX: usize = 10_000;
/// Longest reason, bytes.
const REASON_BYTES_MAX: usize = 1_000;
