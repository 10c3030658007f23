//! `<config/>`: what a replica must know of a room's configuration.

use super::read::{Damaged, Reader, small, truth};
use crate::names::Role;
use xmpp::{Element, ns};

/// What a replica must know of a room's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomConfig {
    /// Whether everybody may see real addresses, or moderators only.
    pub whois_anyone: bool,
    /// Whether visitors are silent.
    pub moderated: bool,
    /// Whose presence others see; moderators' is always shown.
    pub broadcast: Vec<Role>,
    /// Who may send private messages: the least role, or nobody.
    pub private_messages: Option<Role>,
    /// Most messages of history on entering.
    pub history: u32,
    /// Whether the archive keeps what is said.
    pub logging: bool,
}

impl RoomConfig {
    /// Reads `<config/>`.
    pub fn parse(element: &Element) -> Result<RoomConfig, Damaged> {
        let known = ["whois", "moderated", "broadcast", "pm", "history", "logging"];
        let config = Reader::new(element, ("config", ns::NETJOIN), &known)?.empty()?;
        Ok(RoomConfig {
            whois_anyone: config.get("whois", |text| match text {
                "anyone" => Some(true),
                "moderators" => Some(false),
                _ => None,
            })?,
            moderated: config.get("moderated", truth)?,
            broadcast: config.get("broadcast", roles)?,
            private_messages: config.get("pm", |text| match text {
                "anyone" => Some(Some(Role::Visitor)),
                "participants" => Some(Some(Role::Participant)),
                "moderators" => Some(Some(Role::Moderator)),
                "none" => Some(None),
                _ => None,
            })?,
            history: config.get("history", small)?,
            logging: config.get("logging", truth)?,
        })
    }

    /// The element.
    pub fn element(&self) -> Element {
        let roles: Vec<&str> = self.broadcast.iter().map(|role| role.as_str()).collect();
        Element::new("config", ns::NETJOIN)
            .attr("whois", if self.whois_anyone { "anyone" } else { "moderators" })
            .attr("moderated", self.moderated.to_string())
            .attr("broadcast", roles.join(" "))
            .attr(
                "pm",
                match self.private_messages {
                    Some(Role::Moderator) => "moderators",
                    Some(Role::Participant) => "participants",
                    Some(_) => "anyone",
                    None => "none",
                },
            )
            .attr("history", self.history.to_string())
            .attr("logging", self.logging.to_string())
    }
}

/// Roles an occupant can have, separated by one space; empty for none.
fn roles(text: &str) -> Option<Vec<Role>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(' ').map(|role| Role::parse(role).filter(|role| *role != Role::None)).collect()
}
