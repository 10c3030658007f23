//! The words of XEP-0045 as types.

use serde::{Deserialize, Serialize};
use std::fmt;
use xmpp::{Element, Jid, JidError};

/// A nickname: a valid resourcepart (XEP-0045 4.1), not only spaces.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nick(String);

impl Nick {
    /// Takes the nick of an occupant's address `room@service/nick`, normalised already.
    pub fn of(occupant: &Jid) -> Option<Nick> {
        occupant.resource().filter(|nick| !nick.trim().is_empty()).map(|nick| Nick(nick.to_owned()))
    }

    /// Takes the nick of whoever a stanza of a room is from.
    pub(crate) fn of_sender(stanza: &Element) -> Option<Nick> {
        Nick::of(&Jid::new(stanza.get("from")?).ok()?)
    }

    /// The nick as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The occupant's address in `room`.
    pub fn in_room(&self, room: &Jid) -> Jid {
        room.with_resource(&self.0).expect("a nick is a normalised resourcepart")
    }
}

impl std::str::FromStr for Nick {
    type Err = JidError;
    fn from_str(text: &str) -> Result<Nick, JidError> {
        let address = Jid::from_parts(None, "n", Some(text))?;
        Nick::of(&address).ok_or(JidError::Resource)
    }
}

impl TryFrom<String> for Nick {
    type Error = JidError;
    fn try_from(text: String) -> Result<Nick, JidError> {
        text.parse()
    }
}

impl From<Nick> for String {
    fn from(nick: Nick) -> String {
        nick.0
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an occupant may do while in the room, XEP-0045 5.1; greater means more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Not in the room.
    None,
    /// May read.
    Visitor,
    /// May speak.
    Participant,
    /// May kick and grant voice.
    Moderator,
}

impl Role {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::None => "none",
            Role::Visitor => "visitor",
            Role::Participant => "participant",
            Role::Moderator => "moderator",
        }
    }

    /// The other way.
    pub fn parse(text: &str) -> Option<Role> {
        [Role::None, Role::Visitor, Role::Participant, Role::Moderator].into_iter().find(|r| r.as_str() == text)
    }
}

/// What a user is to a room for good, XEP-0045 5.2; greater means more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// Nothing in particular.
    None,
    /// May enter a members-only room.
    Member,
    /// May ban.
    Admin,
    /// May configure and destroy.
    Owner,
}

impl Affiliation {
    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    /// The other way.
    pub fn parse(text: &str) -> Option<Affiliation> {
        use Affiliation::*;
        [Outcast, None, Member, Admin, Owner].into_iter().find(|a| a.as_str() == text)
    }
}

/// A status code of XEP-0045 16.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(pub u16);

impl Status {
    /// Entering: any occupant may see the user's full JID.
    pub const NON_ANONYMOUS: Status = Status(100);
    /// One's affiliation has changed while one was not in the room.
    pub const AFFILIATION: Status = Status(101);
    /// The configuration has changed.
    pub const CONFIG: Status = Status(104);
    /// This presence is the receiver's own.
    pub const SELF: Status = Status(110);
    /// The room is logged.
    pub const LOGGED: Status = Status(170);
    /// The room has been created.
    pub const CREATED: Status = Status(201);
    /// The service has assigned or changed the nick.
    pub const NICK_ASSIGNED: Status = Status(210);
    /// Banned.
    pub const BANNED: Status = Status(301);
    /// The nick changes.
    pub const NICK_CHANGE: Status = Status(303);
    /// Kicked.
    pub const KICKED: Status = Status(307);
    /// Removed because of an affiliation change.
    pub const AFFILIATION_CHANGE: Status = Status(321);
    /// Removed because the room is now for members only.
    pub const MEMBERS_ONLY: Status = Status(322);
    /// Removed because the service shuts down.
    pub const SHUTDOWN: Status = Status(332);
    /// Removed because of a technical problem.
    pub const FAILURE: Status = Status(333);
}
