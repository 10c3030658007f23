//! What all are told when the configuration changes: XEP-0045 10.2.1, codes 104 and 170 to 174.

use super::{Config, Cx, Event, Part, PrivateMessages, Room, Shown, Whois, add_statuses};
use crate::names::{Role, Status};
use crate::wire::RoomConfig;
use xmpp::Element;

/// The codes of a change: one for each that touches privacy, 104 for any other, the lists in the form (`lists`) included.
pub(crate) fn of_config_change(before: &Config, after: &Config, lists: bool) -> Vec<Status> {
    let mut statuses = Vec::new();
    if before.logging != after.logging {
        statuses.push(if after.logging { Status::LOGGED } else { Status(171) });
    }
    if before.whois != after.whois {
        statuses.push(if after.whois == Whois::Anyone { Status(172) } else { Status(173) });
    }
    let private = Config { logging: after.logging, whois: after.whois, ..before.clone() };
    if lists || private != *after {
        statuses.insert(0, Status::CONFIG);
    }
    statuses
}

impl Room {
    /// Tells all that the configuration has changed, replicas with what they must know of it.
    pub fn tell_config(&mut self, statuses: &[Status], cx: &mut Cx<'_>) {
        let mut stanza = Element::stanza("message").attr("from", self.jid.as_str()).attr("type", "groupchat");
        add_statuses(&mut stanza, statuses);
        let dmuc = vec![self.config_for_replicas().element()];
        let part = Part { stanza, of: None, own: Vec::new(), shown: Shown::ToAll, dmuc };
        self.tell(Event { parts: vec![part], durable: Vec::new(), otherwise: Vec::new() }, cx);
    }

    /// What a replica must know of the configuration, `docs/wire.md`.
    pub fn config_for_replicas(&self) -> RoomConfig {
        RoomConfig {
            whois_anyone: self.config.whois == Whois::Anyone,
            moderated: self.config.moderated,
            broadcast: self.config.presence_broadcast.clone(),
            private_messages: match self.config.private_messages {
                PrivateMessages::Anyone => Some(Role::Visitor),
                PrivateMessages::Participants => Some(Role::Participant),
                PrivateMessages::Moderators => Some(Role::Moderator),
                PrivateMessages::None => None,
            },
            history: u32::try_from(self.config.history_stanzas).unwrap_or(u32::MAX),
            logging: self.config.logging,
        }
    }
}
