//! Who may enter, XEP-0045 7.2: every rule, read from top to bottom.

use super::{Life, Room, Whois};
use crate::names::{Affiliation, Nick, Role, Status};
use crate::service::Create;
use xmpp::Jid;
use xmpp::stanza::{Condition, StanzaError};

/// Why an entity may not enter the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// 7.2.1: presence to the room's bare address.
    NoNickname,
    /// The nickname is longer than [`NICK_BYTES_MAX`].
    NicknameTooLong,
    /// 10.1.1: not everybody may create rooms here.
    CreationRestricted,
    /// 7.2.10: the room is not open yet.
    Locked,
    /// 7.2.7.
    Banned,
    /// 8.2: it was his island that let him in, before it knew that he was kicked.
    Kicked,
    /// 7.2.6.
    MembersOnly,
    /// 7.2.5.
    PasswordRequired,
    /// 7.2.8.
    NicknameConflict,
    /// 7.2.9.
    MaxUsers,
    /// One user has [`SESSIONS_PER_SEAT_MAX`] sessions under one nick, or [`SEATS_PER_USER_MAX`] seats.
    TooManySessions,
}

impl JoinError {
    /// The error on the wire, 7.2.17.
    pub fn error(self) -> StanzaError {
        match self {
            JoinError::NoNickname => Condition::JidMalformed.into(),
            JoinError::NicknameTooLong => {
                StanzaError::new(Condition::NotAcceptable, format!("A nickname has at most {NICK_BYTES_MAX} bytes."))
            }
            JoinError::CreationRestricted => {
                StanzaError::new(Condition::NotAllowed, "There is no such room, and you may not create rooms here.")
            }
            JoinError::Locked => Condition::ItemNotFound.into(),
            JoinError::Banned => Condition::Forbidden.into(),
            JoinError::Kicked => {
                StanzaError::new(Condition::NotAllowed, "You were kicked while your server was cut off.")
            }
            JoinError::MembersOnly => Condition::RegistrationRequired.into(),
            JoinError::PasswordRequired => Condition::NotAuthorized.into(),
            JoinError::NicknameConflict => Condition::Conflict.into(),
            JoinError::MaxUsers => StanzaError::from(Condition::ServiceUnavailable).kind("wait"),
            JoinError::TooManySessions => Condition::ResourceConstraint.into(),
        }
    }
}

impl Room {
    /// Whether `user`, a full JID, may enter as `nick`.
    pub fn admit(&self, user: &Jid, nick: &Nick, password: Option<&str>) -> Result<(), JoinError> {
        let affiliation = self.affiliation_of(user);
        if nick.as_str().len() > NICK_BYTES_MAX {
            return Err(JoinError::NicknameTooLong);
        }
        if self.life == Life::Locked && affiliation != Affiliation::Owner {
            return Err(JoinError::Locked);
        }
        if affiliation == Affiliation::Outcast {
            return Err(JoinError::Banned);
        }
        if self.config.members_only && affiliation < Affiliation::Member {
            return Err(JoinError::MembersOnly);
        }
        if self.config.password.as_deref().is_some_and(|right| !same(right, password.unwrap_or_default())) {
            return Err(JoinError::PasswordRequired);
        }
        self.admit_seat(user, nick, affiliation)
    }

    /// The same for somebody whose seat was lost for a technical reason alone: the password is not asked again.
    pub fn admit_again(&self, user: &Jid, nick: &Nick) -> Result<(), JoinError> {
        self.admit(user, nick, self.config.password.as_deref())
    }

    /// The rules about nicks and numbers, 7.2.8 and 7.2.9.
    fn admit_seat(&self, user: &Jid, nick: &Nick, affiliation: Affiliation) -> Result<(), JoinError> {
        if self.is_anothers(nick, user) {
            return Err(JoinError::NicknameConflict);
        }
        if let Some(holder) = self.occupants.get(nick) {
            return match holder.bare == user.bare() {
                false => Err(JoinError::NicknameConflict),
                true if holder.sessions.len() >= SESSIONS_PER_SEAT_MAX => Err(JoinError::TooManySessions),
                true => Ok(()),
            };
        }
        // A seat of before a restart is its holder's until his replica has said whether he is still there.
        let is_waited_for = |lost: &super::Lost| lost.via != super::Via::Direct && lost.nick == *nick;
        if self.lost.iter().any(|lost| is_waited_for(lost) && lost.jid.bare() != user.bare()) {
            return Err(JoinError::NicknameConflict);
        }
        let present = self.occupants.len();
        let limit = match self.config.max_users {
            0 => OCCUPANTS_MAX,
            limit => limit.min(OCCUPANTS_MAX),
        };
        // 7.2.9: admins and owners still find room, so that nobody can shut them out by filling it.
        let limit = limit + if affiliation >= Affiliation::Admin { EXTRA_ADMINS_MAX } else { 0 };
        if present >= limit {
            return Err(JoinError::MaxUsers);
        }
        if self.occupants.values().filter(|o| o.bare.as_str() == user.bare_str()).count() >= SEATS_PER_USER_MAX {
            return Err(JoinError::TooManySessions);
        }
        Ok(())
    }

    /// What a user is to the room. Admins of the service are owners everywhere; a ban or a membership may name a whole domain
    /// (9.2), higher ranks are for people.
    pub fn affiliation_of(&self, user: &Jid) -> Affiliation {
        let bare = user.bare();
        if self.service.admins.contains(&bare) {
            return Affiliation::Owner;
        }
        let of_domain = || self.affiliations.get(&bare.server()).filter(|known| known.affiliation < Affiliation::Admin);
        let known = self.affiliations.get(&bare).or_else(of_domain);
        known.map_or(Affiliation::None, |known| known.affiliation)
    }

    /// The role somebody enters with, 5.1.2.
    pub fn role_on_entering(&self, affiliation: Affiliation) -> Role {
        match affiliation {
            Affiliation::Owner | Affiliation::Admin => Role::Moderator,
            Affiliation::Outcast | Affiliation::None if self.config.moderated => Role::Visitor,
            _ => Role::Participant,
        }
    }

    /// The role of somebody who comes back: 5.1, in a moderated room voice lasts across visits.
    pub fn role_of_entrant(&self, bare: &Jid, affiliation: Affiliation) -> Role {
        let role = self.role_on_entering(affiliation);
        match self.voices.get(bare) {
            Some(kept) if self.config.moderated && role != Role::Moderator => *kept,
            _ => role,
        }
    }

    /// Whether `user` may bring this room into being, 10.1.1.
    pub fn may_create(&self, user: &Jid) -> bool {
        match self.service.create {
            Create::Anyone => true,
            Create::Local if self.service.local_domains.iter().any(|domain| domain == user.domain()) => true,
            _ => self.service.admins.contains(&user.bare()),
        }
    }

    /// The codes an entrant's own presence bears, 7.2.2 to 7.2.12, in rising order. Who enters a room that is still locked is its owner, and
    /// is told once more that it waits for him (10.1.1): he may not have heard it.
    pub fn statuses_on_entering(&self, created: bool) -> Vec<Status> {
        let public = (self.config.whois == Whois::Anyone).then_some(Status::NON_ANONYMOUS);
        let logged = self.config.logging.then_some(Status::LOGGED);
        let created = (created || self.life == Life::Locked).then_some(Status::CREATED);
        [public, Some(Status::SELF), logged, created].into_iter().flatten().collect()
    }
}

/// Compares a password in a time that does not tell where it differs.
fn same(right: &str, given: &str) -> bool {
    let (right, given) = (right.as_bytes(), given.as_bytes());
    let differs = right.iter().zip(given).fold(0, |differs, (a, b)| differs | (a ^ b));
    right.len() == given.len() && differs == 0
}

/// Longest nickname, in bytes: what a client can still show in a line.
pub(crate) const NICK_BYTES_MAX: usize = 256;
/// Most seats in a room, whatever its owner says: a broadcast to all is one effect, and this bounds it.
pub(crate) const OCCUPANTS_MAX: usize = 20_000;
/// How many admins and owners may enter a full room.
pub(crate) const EXTRA_ADMINS_MAX: usize = 20;
/// Most clients of one user under one nick.
pub(crate) const SESSIONS_PER_SEAT_MAX: usize = 16;
/// Most nicks of one user in one room.
pub(crate) const SEATS_PER_USER_MAX: usize = 8;
