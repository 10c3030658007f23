//! What an owner configures, XEP-0045 10.1 and 16.5.3.

use crate::names::Role;
use serde::{Deserialize, Serialize};

/// A room's configuration; every field has a default so that older records load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub name: String,
    pub description: String,
    /// Whether the room outlives its last occupant.
    pub persistent: bool,
    /// Whether the service lists it.
    pub public: bool,
    pub members_only: bool,
    pub moderated: bool,
    pub password: Option<String>,
    pub whois: Whois,
    /// Whether participants may change the subject.
    pub change_subject: bool,
    /// Whose presence others see; moderators' presence is always shown.
    pub presence_broadcast: Vec<Role>,
    /// Who may send private messages.
    pub private_messages: PrivateMessages,
    /// Whether members of a members-only room may invite others (9.5); in an open room all may.
    pub allow_invites: bool,
    /// Roles that may read the member list of a non-anonymous room, besides members (9.5).
    pub member_list: Vec<Role>,
    /// Most messages of history on entering.
    pub history_stanzas: usize,
    /// Most occupants; 0 for no bound of the room's own.
    pub max_users: usize,
    /// Whether the archive keeps what is said.
    pub logging: bool,
    /// Whether sites may hold replicas of this room (XEP-0282).
    pub replicas: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            name: String::new(),
            description: String::new(),
            persistent: false,
            public: true,
            members_only: false,
            moderated: false,
            password: None,
            whois: Whois::Moderators,
            change_subject: false,
            presence_broadcast: vec![Role::Visitor, Role::Participant, Role::Moderator],
            private_messages: PrivateMessages::Anyone,
            allow_invites: false,
            member_list: vec![Role::Visitor, Role::Participant, Role::Moderator],
            history_stanzas: 20,
            max_users: 0,
            logging: true,
            replicas: true,
        }
    }
}

/// Who may see real JIDs, XEP-0045 4.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whois {
    Moderators,
    Anyone,
}

/// Who may send private messages, `muc#roomconfig_allowpm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PrivateMessages {
    Anyone,
    Participants,
    Moderators,
    None,
}
