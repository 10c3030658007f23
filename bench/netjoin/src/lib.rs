//! What a netjoin and an island cost, counted from what engines put on links and hold in memory; no formula says it.

mod island;
mod net;
mod rooms;
mod transfer;

pub use island::{Island, island};
pub use rooms::{Rooms, rooms};
pub use transfer::{Transfer, transfer};

use xmpp::{Element, ns};

/// The sites of a scene; their names are of one length, so that what goes to one is as long as what goes to another.
const SITES: [&str; 3] = ["main", "live", "isle"];
/// Where most people are, and the room's owner.
const MAIN: usize = 0;
/// A site that stays reached.
const LIVE: usize = 1;
/// A site that is cut off.
const ISLE: usize = 2;

/// What a stanza down is, as its marks say.
fn kind(stanza: &Element) -> Option<&str> {
    stanza.get_child("x", ns::DMUC)?.get_child("at", ns::NETJOIN)?.get("kind")
}
