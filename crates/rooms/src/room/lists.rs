//! The lists of a room, `muc#admin` asked with `get`: who has voice (XEP-0045 8.5), who moderates (9.8), who is banned (9.2), a
//! member (9.5), an owner (10.5) or an admin (10.8). Long ones come in pages (XEP-0059).

use super::{Affiliated, Occupant, Room, Whois};
use crate::names::{Affiliation, Nick, Role};
use crate::paging::page;
use std::collections::BTreeMap;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

impl Room {
    /// The answer to a query for a list.
    pub fn list(&self, from: &Jid, query: &Element) -> Result<Element, Condition> {
        let mut asked = query.children().filter(|c| c.is("item", ns::MUC_ADMIN));
        let (Some(item), None) = (asked.next(), asked.next()) else { return Err(Condition::BadRequest) };
        let items = match (item.get("affiliation"), item.get("role")) {
            (Some(text), None) => {
                let affiliation = Affiliation::parse(text).ok_or(Condition::BadRequest)?;
                self.may_read_affiliations(from, affiliation)?;
                let listed: Vec<_> = self.affiliations.iter().filter(|(_, k)| k.affiliation == affiliation).collect();
                let present: BTreeMap<&Jid, &Nick> = self.occupants.values().map(|o| (&o.bare, &o.nick)).collect();
                let item = |(jid, known): &(&Jid, &Affiliated)| affiliation_item(jid, known, present.get(jid).copied());
                page(&listed, |(jid, _)| jid.as_str(), item, query, ITEMS_MAX)?
            }
            (None, Some(text)) => {
                let role = Role::parse(text).filter(|role| *role != Role::None).ok_or(Condition::BadRequest)?;
                self.may_read_roles(from, role)?;
                let listed: Vec<&Occupant> = self.occupants.values().filter(|o| o.role == role).collect();
                page(&listed, |occupant| occupant.nick.as_str(), |occupant| role_item(occupant), query, ITEMS_MAX)?
            }
            // 17.4: one or the other.
            _ => return Err(Condition::BadRequest),
        };
        Ok(Element::new("query", ns::MUC_ADMIN).with(items))
    }

    pub fn may_read_affiliations(&self, from: &Jid, affiliation: Affiliation) -> Result<(), Condition> {
        let asker = self.affiliation_of(from);
        let may = match affiliation {
            // 5.2: there is no list of those who are nothing in particular.
            Affiliation::None => return Err(Condition::BadRequest),
            Affiliation::Owner | Affiliation::Admin => asker == Affiliation::Owner,
            Affiliation::Outcast => asker >= Affiliation::Admin,
            Affiliation::Member => asker >= Affiliation::Admin || self.may_read_members(from, asker),
        };
        if may { Ok(()) } else { Err(Condition::Forbidden) }
    }

    /// 9.5, the note, and 5.2.1: where addresses are open anyway, members may read the list, and occupants of the roles that the
    /// owner has chosen (`muc#roomconfig_getmemberlist`).
    fn may_read_members(&self, from: &Jid, asker: Affiliation) -> bool {
        let role = self.standing_of(from).role;
        self.config.whois == Whois::Anyone && (asker == Affiliation::Member || self.config.member_list.contains(&role))
    }

    /// 8 and 9, the introductions: the voice list is the moderators', the moderator list the admins'.
    fn may_read_roles(&self, from: &Jid, role: Role) -> Result<(), Condition> {
        let standing = self.standing_of(from);
        let may = match role {
            Role::Moderator => standing.affiliation >= Affiliation::Admin,
            _ => standing.role == Role::Moderator,
        };
        if may { Ok(()) } else { Err(Condition::Forbidden) }
    }
}

/// 17.4: never a role; the nick reserved or used, but none for the banned (9.2).
fn affiliation_item(jid: &Jid, known: &Affiliated, present: Option<&Nick>) -> Element {
    let nick = known.nick.as_ref().or(present).filter(|_| known.affiliation != Affiliation::Outcast);
    let reason = known.reason.as_ref().map(|text| Element::new("reason", ns::MUC_ADMIN).text(text.clone()));
    Element::new("item", ns::MUC_ADMIN)
        .attr("affiliation", known.affiliation.as_str())
        .attr("jid", jid.as_str())
        .attr_opt("nick", nick.map(|nick| nick.as_str()))
        .with(reason)
}

/// 17.4: nick, role, affiliation and the full JID.
fn role_item(occupant: &Occupant) -> Element {
    let jid = occupant.sessions.last().map(|session| session.jid.as_str().to_owned());
    Element::new("item", ns::MUC_ADMIN)
        .attr("affiliation", occupant.affiliation.as_str())
        .attr_opt("jid", jid)
        .attr("nick", occupant.nick.as_str())
        .attr("role", occupant.role.as_str())
}

/// Most items in one answer; more are paged (XEP-0059).
const ITEMS_MAX: usize = 1_000;
