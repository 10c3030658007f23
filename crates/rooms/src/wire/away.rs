//! `<away/>`: what a replica lays over its roster while another site is split.

use super::AWAY_MAX;
use super::read::{Damaged, Reader, domain};
use crate::names::Nick;
use xmpp::{Element, ns};

/// Occupants whom a split has put out of reach, or who can be reached again; their presence stays what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The site, by its domain; none where the room hides real addresses.
    pub site: Option<String>,
    /// Whether the overlay is taken away again.
    pub lifted: bool,
    /// The occupants.
    pub nicks: Vec<Nick>,
}

impl Away {
    /// Reads `<away/>`.
    pub fn parse(element: &Element) -> Result<Away, Damaged> {
        let away = Reader::new(element, ("away", ns::NETJOIN), &["site", "lifted"])?;
        if element.children().count() > AWAY_MAX {
            return Err(Damaged::TooMany("away"));
        }
        let nick = |child: &Element| {
            Reader::new(child, ("seat", ns::NETJOIN), &["nick"])?.empty()?.get("nick", |text| text.parse().ok())
        };
        Ok(Away {
            site: away.read("site", domain)?,
            lifted: away.read("lifted", |text| (text == "true").then_some(true))?.unwrap_or(false),
            nicks: element.children().map(nick).collect::<Result<_, _>>()?,
        })
    }

    /// The element.
    pub fn element(&self) -> Element {
        let seat = |nick: &Nick| Element::new("seat", ns::NETJOIN).attr("nick", nick.as_str());
        Element::new("away", ns::NETJOIN)
            .attr_opt("site", self.site.as_ref())
            .attr_opt("lifted", self.lifted.then_some("true"))
            .with(self.nicks.iter().map(seat))
    }
}
