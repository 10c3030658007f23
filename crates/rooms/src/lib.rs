//! The product: rooms that live on several servers at once. Sans-IO.
//!
//! - [`Primary`] (`service`): the room service of one domain; owns a [`room`] per room and a link per replica
//! - `room/`: XEP-0045, a file per section
//! - `primary/`: XEP-0282 as the room's side of a link speaks it; `docs/wire.md`
//! - `replica/`: XEP-0282 as the site's side speaks it: [`Replica`]
//! - `flaws`: mistakes, for the simulator alone
//! - `tally`: what is counted of links
//! - `names`: the words of the field as types; `paging`: long lists
//! - [`wire`]: what stands on the link between the two, as types both share

mod activity;
#[cfg(not(feature = "flaws"))]
mod flaws;
#[cfg(feature = "flaws")]
pub mod flaws;
pub mod names;
mod paging;
mod primary;
mod replica;
mod room;
mod service;
mod service_commands;
mod service_disco;
mod tally;
pub mod wire;

pub use names::{Affiliation, Nick, Role, Status};
pub use primary::{OccupantSummary, ReplicaSummary};
pub use replica::{LinkSummary, Replica, ReplicaConfig, SplitConfig};
pub use room::{Draft, NotSaid, SPACES, check};
pub use service::{Create, Primary, PrimaryConfig, RoomSummary};
pub use service_disco::SERVICE_NAME;
pub use tally::Tally;

/// Whether these engines can be told to make mistakes: `flaws`. A program that serves anybody refuses to be built with such.
pub const FLAWED: bool = cfg!(feature = "flaws");
