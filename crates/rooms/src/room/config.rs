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
    /// Whose presence others see.
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
    /// Who becomes a member by registering (7.10).
    pub registration: Registration,
    /// Whether anybody may list the occupants (6.5).
    pub list_occupants: bool,
    /// The natural language of what is said here, as a language tag; may be empty.
    pub lang: String,
    /// The XMPP URI of a publish-subscribe node that belongs to the room; may be empty.
    pub pubsub: String,
    /// Whom to ask about the room, for everybody to see (6.4).
    pub contacts: Vec<String>,
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
            registration: Registration::Open,
            list_occupants: false,
            lang: String::new(),
            pubsub: String::new(),
            contacts: Vec::new(),
            replicas: true,
        }
    }
}

impl Config {
    /// 7.10: whether who registers is a member at once. Where membership opens a door or gives voice, an admin has the word.
    pub fn registers_at_once(&self) -> bool {
        self.registration == Registration::Open && !self.members_only && !self.moderated
    }
}

/// Who becomes a member by registering, XEP-0045 7.10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registration {
    /// Anybody; in a moderated or members-only room whom an admin approves.
    Open,
    /// Whom an admin approves (9.9).
    Approval,
    /// Nobody: admins alone make members.
    Closed,
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

impl Registration {
    /// The value in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Approval => "approval",
            Registration::Closed => "closed",
        }
    }

    /// The other way.
    pub fn parse(text: &str) -> Option<Registration> {
        [Registration::Open, Registration::Approval, Registration::Closed].into_iter().find(|r| r.as_str() == text)
    }
}

impl Whois {
    /// The value in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Whois::Moderators => "moderators",
            Whois::Anyone => "anyone",
        }
    }

    /// The other way.
    pub fn parse(text: &str) -> Option<Whois> {
        [Whois::Moderators, Whois::Anyone].into_iter().find(|whois| whois.as_str() == text)
    }
}

impl PrivateMessages {
    /// The value in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            PrivateMessages::Anyone => "anyone",
            PrivateMessages::Participants => "participants",
            PrivateMessages::Moderators => "moderators",
            PrivateMessages::None => "none",
        }
    }

    /// The other way.
    pub fn parse(text: &str) -> Option<PrivateMessages> {
        use PrivateMessages::*;
        [Anyone, Participants, Moderators, None].into_iter().find(|who| who.as_str() == text)
    }
}
