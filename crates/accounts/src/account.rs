//! What is held of a user: the durable part (credentials, roster) and the sessions of the moment.

use crate::kept::Kept;
use crate::roster::Item;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::sasl::Credentials;
use xmpp::stanza::caps::Caps;
use xmpp::{Jid, Shared};

/// One user of the domain.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// In place of the password; `None` where the record cannot be read, so that nobody logs in and nobody else gets
    /// the name.
    pub credentials: Option<Credentials>,
    /// Whether its removal is on its way to the disk.
    pub leaving: bool,
    /// When its user last changed the password, on the clock of `Now::mono_ms`.
    pub password_changed_ms: Option<u64>,
    /// Contacts, and requests not answered yet, by bare address as a rule.
    pub roster: BTreeMap<Jid, Item>,
    /// Addresses, XEP-0191.
    pub blocked: BTreeSet<String>,
    /// What else is kept, as it is on disk.
    pub kept: Kept,
    /// Clients of contacts elsewhere that have shown themselves, and what they can.
    pub watching: BTreeMap<Jid, Caps>,
    /// What has been archived today.
    pub archived: Archived,
    /// Bound resources. Most users have one, and a map has room for eleven: boxes keep that room small.
    pub sessions: BTreeMap<String, Box<Session>>,
}

/// What has been archived of an account on a day.
#[derive(Debug, Default)]
pub(crate) struct Archived {
    /// Counted from the first of 1970.
    pub day: i64,
    pub bytes: usize,
}

/// A bound resource (RFC 6121 1.4: a connected resource).
#[derive(Debug)]
pub(crate) struct Session {
    /// The full address.
    pub jid: Jid,
    /// Its last broadcast presence while it is available.
    pub presence: Option<Available>,
    /// Whether it has asked for the roster and so gets its changes (RFC 6121 2.2).
    pub interested: bool,
    /// Whether it keeps the roster and so gets versions of it (XEP-0237 2.3).
    pub versions: bool,
    /// Whom it has shown itself to by directed presence (RFC 6121 4.6).
    pub directed: BTreeSet<Jid>,
    /// Bare addresses among these that it has entered as rooms (XEP-0045 7.2.2).
    pub rooms: BTreeSet<String>,
    /// Whether it has asked for the blocked addresses and so gets their changes (XEP-0191 3.3).
    pub knows_blocked: bool,
    /// Whether it wants copies of what its user's other sessions say and hear (XEP-0280 4).
    pub carbons: bool,
}

/// The presence of an available resource.
#[derive(Debug, Clone)]
pub(crate) struct Available {
    /// RFC 6121 4.7.2.3.
    pub priority: i8,
    /// The stanza, from the full address.
    pub stanza: Shared,
}

impl Session {
    /// A resource just bound: connected, not available.
    pub fn new(jid: Jid) -> Session {
        Session {
            jid,
            presence: None,
            interested: false,
            versions: false,
            directed: BTreeSet::new(),
            rooms: BTreeSet::new(),
            knows_blocked: false,
            carbons: false,
        }
    }
}

impl Account {
    /// Sessions that have sent available presence.
    pub fn available(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(Box::as_ref).filter(|s| s.presence.is_some())
    }

    /// Sessions that get roster pushes.
    pub fn interested(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(Box::as_ref).filter(|s| s.interested)
    }

    /// Available sessions with a priority of at least 0, each with that priority.
    pub fn reachable(&self) -> impl Iterator<Item = (&Session, i8)> {
        self.sessions
            .values()
            .filter_map(|s| s.presence.as_ref().map(|p| (s.as_ref(), p.priority)))
            .filter(|(_, priority)| *priority >= 0)
    }

    /// Contacts that get this user's presence.
    pub fn audience(&self) -> impl Iterator<Item = &Jid> {
        self.roster.iter().filter(|(_, item)| item.state.shows()).map(|(jid, _)| jid)
    }

    /// Whether `who` may know of this account: itself, or who gets its presence.
    pub fn is_shown_to(&self, own: &str, who: &Jid) -> bool {
        who.bare_str() == own || self.roster.get(&who.bare()).is_some_and(|item| item.state.shows())
    }
}
