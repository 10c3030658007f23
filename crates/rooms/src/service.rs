//! The room service of one domain: finds the room a stanza is for, makes rooms, answers for the service itself.

use crate::room::Room;
use std::collections::BTreeMap;
use xmpp::Jid;

/// What the operator says of the service.
#[derive(Debug, Clone)]
pub struct PrimaryConfig {
    /// The domain of the rooms.
    pub domain: Jid,
    /// Who may create rooms.
    pub create: Create,
    /// Domains of this server's own users, for [`Create::Local`].
    pub local_domains: Vec<String>,
    /// Bare JIDs that may do anything.
    pub admins: Vec<Jid>,
    /// Sites that may hold replicas: domains, or `*`.
    pub replicas: Vec<String>,
    /// Silence after which a link is pinged, seconds.
    pub keepalive_seconds: u64,
    /// How long a suspect link is waited for, seconds.
    pub suspect_seconds: u64,
}

/// Who may create rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Everybody.
    Anyone,
    /// Users of this server.
    Local,
    /// Admins of the service.
    Admins,
}

/// The room service of one domain.
pub struct Primary {
    config: PrimaryConfig,
    rooms: BTreeMap<Jid, Room>,
}
