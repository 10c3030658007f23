//! XEP-0282 as the primary speaks it; the wire forms are in `docs/wire.md`.
//!
//! | file | XEP-0282 |
//! |---|---|
//! | `receive` | 4.8: the way in for every stanza to a room; marks judged and taken off |
//! | `link` | the table of replicas, the life of one |
//! | `replicate` | 4.2: requests, and who may make them |
//! | `grant` | 4.2: what is granted: verdicts, the link, the snapshot |
//! | `syncs` | how often a site may ask |
//! | `snapshot` | 4.3 and 4.4: configuration, roster, history or what was missed, subject |
//! | `enter` | 4.5 and 4.6: ENTER and LEAVE |
//! | `fanout` | 4.7 and 4.9: one copy of every event per replica |
//! | `jids` | 4.7: who is given real JIDs, and when |
//! | `marks`, `sought` | what of each outbox has had its outcome |
//! | `changes` | whom a replica that comes back has to be sent |
//! | `digest` | now and then, what the roster of each replica must come to |
//! | `keepalive` | 4.10: pings between the service and a replica |
//! | `members` | 4.11.1: which users of a site may enter while its link is lost |
//! | `split`, `removals` | 4.11: a link that is lost, and whoever comes back by it |
//! | `away` | 4.11: occupants behind a link that is lost, as others see them |
//! | `netjoin` | what an island reports, judged against the room as it is |
//! | `end` | withdrawal |
//! | `tombstone` | rooms that are no more, for sites that come back |
//! | `summary` | what an operator is shown |
//!
//! A room owns [`Links`] and calls into it at few places: [`Links::tell`] for every event, with `Room::entitle` before it;
//! [`Links::enter`] and [`Links::leave`] for ENTER and LEAVE; `Room::via_for` when somebody is admitted, `Room::turned_away`
//! when somebody is not; `Room::settle_mark` behind every stanza that was relayed.

mod away;
mod changes;
mod digest;
mod end;
mod enter;
mod fanout;
mod grant;
mod jids;
mod keepalive;
mod link;
mod marks;
mod members;
mod netjoin;
mod receive;
mod removals;
mod replicate;
mod snapshot;
mod sought;
mod split;
mod summary;
mod syncs;
mod tombstone;

pub(crate) use keepalive::Keepalive;
pub(crate) use link::Links;
pub(crate) use marks::Up;
pub(crate) use sought::Sought;
pub use summary::{OccupantSummary, ReplicaSummary};
pub(crate) use tombstone::{Tombstone, Tombstones, kept_since};

#[cfg(test)]
pub(crate) mod tests;
