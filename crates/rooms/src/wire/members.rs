//! `<members/>`: which of a site's own users may enter the room while the link is lost, and as what.

use super::MEMBERS_MAX;
use super::read::{Damaged, Reader, name};
use crate::names::{Affiliation, Role};
use xmpp::{Element, Jid, ns};

/// Users of a site whom the room knows: owners, admins, members. In a snapshot all of them, else those of whom it is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(pub Vec<Member>);

/// One user and what he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The bare address.
    pub jid: Jid,
    /// What he would enter as; `None` for one who may not any more.
    pub standing: Option<Membership>,
}

/// What a user would enter as, at the most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// `member`, `admin` or `owner`.
    pub affiliation: Affiliation,
    /// XEP-0045 5.1.2.
    pub role: Role,
    /// XEP-0421.
    pub occupant_id: String,
}

impl Members {
    /// Reads `<members/>`.
    pub fn parse(element: &Element) -> Result<Members, Damaged> {
        Reader::new(element, ("members", ns::NETJOIN), &[])?;
        if element.children().count() > MEMBERS_MAX {
            return Err(Damaged::TooMany("members"));
        }
        element.children().map(Member::parse).collect::<Result<_, _>>().map(Members)
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("members", ns::NETJOIN).with(self.0.iter().map(Member::element))
    }
}

impl Member {
    fn parse(element: &Element) -> Result<Member, Damaged> {
        let bare = |text: &str| Jid::new(text).ok().filter(|jid| jid.is_bare() && jid.local().is_some());
        if element.name() == "gone" {
            let gone = Reader::new(element, ("gone", ns::NETJOIN), &["jid"])?.empty()?;
            return Ok(Member { jid: gone.get("jid", bare)?, standing: None });
        }
        let known = ["jid", "affiliation", "role", "occupant-id"];
        let member = Reader::new(element, ("member", ns::NETJOIN), &known)?.empty()?;
        let standing = Membership {
            affiliation: member.get("affiliation", |t| Affiliation::parse(t).filter(|a| *a >= Affiliation::Member))?,
            role: member.get("role", |t| Role::parse(t).filter(|role| *role != Role::None))?,
            occupant_id: member.get("occupant-id", name)?,
        };
        Ok(Member { jid: member.get("jid", bare)?, standing: Some(standing) })
    }

    fn element(&self) -> Element {
        match &self.standing {
            None => Element::new("gone", ns::NETJOIN).attr("jid", self.jid.as_str()),
            Some(Membership { affiliation, role, occupant_id }) => Element::new("member", ns::NETJOIN)
                .attr("jid", self.jid.as_str())
                .attr("affiliation", affiliation.as_str())
                .attr("role", role.as_str())
                .attr("occupant-id", occupant_id),
        }
    }
}
