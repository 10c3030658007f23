//! How the program's other commands reach a server that runs: a Unix socket in the data directory, one JSON object
//! a line each way.
//!
//! - [`Request`], [`Answer`], [`Refusal`], what is said
//! - [`Handler`], what the running server implements
//! - [`serve`], the server's side of the socket
//! - [`Client`], the command's side
//!
//! The socket has mode 0600: whoever may open it may do everything the server may.

mod client;
mod server;
mod socket;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use xmpp::Jid;

pub use client::{Client, ClientError};
pub use server::serve;
pub use socket::bind;

/// Longest request, in bytes: addresses and a password.
pub const REQUEST_BYTES_MAX: usize = 16_384;
/// Longest answer a command takes, in bytes: a list of a million accounts.
pub const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What a command asks of a running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Makes an account.
    UserAdd {
        /// Its bare address.
        #[serde(with = "jid_text")]
        account: Jid,
        /// Its password.
        password: Password,
    },
    /// Removes an account with all it has; its sessions end.
    UserDelete {
        /// Its bare address.
        #[serde(with = "jid_text")]
        account: Jid,
    },
    /// Gives an account another password.
    UserPassword {
        /// Its bare address.
        #[serde(with = "jid_text")]
        account: Jid,
        /// The new one.
        password: Password,
    },
    /// All accounts; answered by [`Answer::Users`].
    UserList,
    /// All sites there is a link to; answered by [`Answer::Links`].
    LinkList,
    /// Ends all streams with a domain and refuses new ones until it is healed.
    LinkCut {
        /// The domain.
        domain: String,
    },
    /// Lets a domain connect again.
    LinkHeal {
        /// The domain.
        domain: String,
    },
    /// All rooms, led here or mirrored; answered by [`Answer::Rooms`].
    RoomList,
    /// One room; answered by [`Answer::Room`].
    RoomShow {
        /// Its address.
        #[serde(with = "jid_text")]
        room: Jid,
    },
}

/// What the server says to that, on the wire as `{"ok":…}` or `{"refused":…}`.
pub type Response = Result<Answer, Refusal>;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, and durable where it must be.
    Done,
    /// Bare addresses, in order.
    Users(Vec<String>),
    /// In the order of their domains.
    Links(Vec<Link>),
    /// In the order of their addresses.
    Rooms(Vec<Room>),
    /// The room that was asked for, with its replicas and occupants.
    Room(RoomDetail),
}

/// A link to another domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Link {
    /// The other domain.
    pub domain: String,
    /// How it is.
    pub state: LinkState,
    /// Since when, Unix seconds; `None` where that is not known.
    pub since: Option<i64>,
    /// Streams that it opened to us.
    pub streams_in: u64,
    /// Streams that we opened to it.
    pub streams_out: u64,
    /// Stanzas received from it since the start.
    pub stanzas_in: u64,
    /// Stanzas sent to it since the start.
    pub stanzas_out: u64,
    /// Bytes received from it since the start, as on the socket.
    pub bytes_in: u64,
    /// Bytes sent to it since the start, as on the socket.
    pub bytes_out: u64,
    /// Stanzas that wait for a stream to it.
    pub queued: u64,
    /// Rooms that this link distributes, in either direction.
    pub rooms: u64,
    /// Milliseconds since its replica or its rooms were heard of; `None` where no room is distributed.
    pub lag_ms: Option<u64>,
    /// Stanzas relayed from here that their primary has not confirmed, and events of rooms led here that are held for
    /// it; `None` where no room is distributed.
    pub outbox: Option<u64>,
    /// Registrations since the start that followed a loss.
    pub resumes: u64,
    /// Registrations and users since the start that were refused, by either side.
    pub refusals: u64,
    /// Times since the start that a mirror was found to differ from its room.
    pub mismatches: u64,
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// No stream is open, and nothing waits for one.
    #[default]
    Idle,
    /// A stream is being made.
    Connecting,
    /// At least one stream is open.
    Live,
    /// In doubt: pings are not answered.
    Suspect,
    /// Lost: what is said on each side stays there until it is back.
    Split,
    /// Held apart by `netjoin link cut`.
    Cut,
}

impl LinkState {
    /// All of them, from the best known to the worst.
    pub const ALL: [LinkState; 6] =
        [LinkState::Live, LinkState::Connecting, LinkState::Idle, LinkState::Suspect, LinkState::Split, LinkState::Cut];

    /// As it is written for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkState::Idle => "idle",
            LinkState::Connecting => "connecting",
            LinkState::Live => "live",
            LinkState::Suspect => "suspect",
            LinkState::Split => "split",
            LinkState::Cut => "cut",
        }
    }
}

/// A room, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its address.
    pub room: String,
    /// Whether it is led here or mirrored from elsewhere.
    pub held_as: HeldAs,
    /// Occupants at all sites.
    pub occupants: u64,
    /// Occupants that are served from here.
    pub local_occupants: u64,
    /// Replicas; 0 for a mirror.
    pub replicas: u64,
}

/// What this server is to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldAs {
    /// Its primary.
    Primary,
    /// A replica of it.
    Replica,
}

impl HeldAs {
    /// As it is written for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            HeldAs::Primary => "primary",
            HeldAs::Replica => "replica",
        }
    }
}

/// A room with all that is in it, bodies left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomDetail {
    /// As in the list.
    #[serde(flatten)]
    pub room: Room,
    /// The place of its last event.
    pub seq: Option<u64>,
    /// Who is in it.
    pub occupants_list: Vec<Occupant>,
    /// Which sites hold a replica of it.
    pub replicas_list: Vec<Replica>,
}

/// An occupant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupant {
    /// Nickname.
    pub nick: String,
    /// Bare address, where it is known here.
    pub jid: Option<String>,
    /// As in XEP-0045.
    pub affiliation: String,
    /// As in XEP-0045.
    pub role: String,
}

/// A replica of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its address.
    pub jid: String,
    /// How the link to it is.
    pub state: LinkState,
}

/// Why the server does not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of reason.
    pub kind: RefusalKind,
    /// A sentence with the remedy.
    pub message: String,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// There is no such account, room or site.
    NotFound,
    /// It is there already.
    Exists,
    /// The request makes no sense here.
    Invalid,
    /// It was tried and did not work.
    Failed,
}

impl Refusal {
    /// What was named is not there.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::NotFound, message: message.into() }
    }

    /// What was named is there already.
    pub fn exists(message: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Exists, message: message.into() }
    }

    /// The request makes no sense here.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Invalid, message: message.into() }
    }

    /// It was tried and did not work.
    pub fn failed(message: impl Into<String>) -> Refusal {
        Refusal { kind: RefusalKind::Failed, message: message.into() }
    }
}

/// A password on its way: shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The running server, as the socket sees it.
pub trait Handler: Send + Sync + 'static {
    /// Takes a request; answers when it is done. An answer that is dropped means that the server is ending.
    fn ask(&self, request: Request, answer: oneshot::Sender<Response>);
}

/// An address as its text.
mod jid_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use xmpp::Jid;

    pub fn serialize<S: Serializer>(jid: &Jid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(jid.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Jid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Jid::new(&text).map_err(D::Error::custom)
    }
}

/// A response as it is on the wire.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wire {
    Ok(Answer),
    Refused(Refusal),
}

impl From<Response> for Wire {
    fn from(response: Response) -> Wire {
        match response {
            Ok(answer) => Wire::Ok(answer),
            Err(refusal) => Wire::Refused(refusal),
        }
    }
}

impl From<Wire> for Response {
    fn from(wire: Wire) -> Response {
        match wire {
            Wire::Ok(answer) => Ok(answer),
            Wire::Refused(refusal) => Err(refusal),
        }
    }
}

#[cfg(test)]
mod tests;
