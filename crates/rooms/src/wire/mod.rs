//! What stands on the link between primary and replica, as types both ends share; the forms are `docs/wire.md`,
//! the schema `docs/dmuc.xsd` and `docs/netjoin.xsd`.
//!
//! Every type has `parse()`, which refuses whatever the schema refuses by a named [`Damaged`], and `element()`.
//! One file per element or pair of elements; nothing here knows a room or a replica.

mod at;
mod away;
mod check;
mod config;
mod digest;
mod down;
mod end;
mod granted;
mod heads;
pub mod ids;
mod members;
mod read;
mod replicate;
mod up;

pub use at::{Ack, At, Kind};
pub use away::Away;
pub use check::check;
pub use config::RoomConfig;
pub use digest::RosterDigest;
pub(crate) use digest::is_said;
pub use down::{Down, SeatJid, Wanted};
pub use end::{Destroyed, Retry, Withdraw, Withdrawn};
pub use granted::{Granted, HistorySent, Mark, Removed, RosterSent, Seat, Verdict};
pub use heads::{Head, Heads, Sent};
pub use members::{Member, Members, Membership};
pub use read::{Damaged, NAME_CHARS_MAX};
pub use replicate::{CensusSeat, Outbox, Replicate, Resume, RosterHeld};
pub use up::{Refused, Reported, Stale, Up, UpMark, strip};

/// The version of `urn:netjoin:dmuc:0` spoken here; where two ends know different ones they speak the lower.
pub const VERSION: u32 = 0;
/// Most outboxes of one replica that a room remembers: the present one, and a few that crashes left behind.
pub const OUTBOXES_MAX: usize = 4;
/// Most sessions in one census or one list of verdicts: as many as one site may have in one room.
pub const SEATS_MAX: usize = 10_000;
/// Most bytes of presences in one census, so that it fits the 4 MiB that servers on a link take from each other; a seat
/// whose presence finds no room is listed without.
pub const PAYLOADS_BYTES_MAX: usize = 2 << 20;
/// Most rooms in one `<heads/>`, so that a ping fits the stanza size any server takes; more rooms take more pings.
pub const HEADS_MAX: usize = 200;
/// Most domains besides its own that a replica may ask to serve.
pub const DOMAINS_MAX: usize = 16;
/// Most sessions in one `<jids/>`, so that it fits the stanza size any server takes; more take more stanzas.
pub const JIDS_MAX: usize = 200;
/// Most occupants in one `<away/>`, so that it fits the stanza size any server takes; more take more stanzas.
pub const AWAY_MAX: usize = 200;
/// Most users in one `<members/>`, so that it fits the stanza size any server takes; more take more stanzas.
pub const MEMBERS_MAX: usize = 200;
/// Most users of one site of whom a room tells it, and of whom it keeps in mind, that they may enter on an island.
pub const SITE_MEMBERS_MAX: usize = 10_000;
/// Most stanzas one event may be; a nick change is two.
pub const PARTS_MAX: u32 = 8;

#[cfg(test)]
mod tests;
