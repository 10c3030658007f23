//! Deterministic simulation: the real engines in a world where everything may go wrong, and one seed decides what.
//!
//! - [`world`]: servers, links, disks, clients, the clock
//! - [`users`]: scripted users, as clients behave
//! - [`scenario`]: a run, from opening the room to looking at what must hold
//! - [`checks`]: what must hold, one property a file
//! - [`coverage`]: how often what was there to be seen was seen
//! - [`compare`]: whether two stanzas are the same, up to names that nobody chose
//! - [`document`]: the examples of the protocol's text
//! - [`listings`]: stanzas beside the listings of XEP-0282
//! - [`transcript`]: what users send and receive, as files that are played in several ways

mod address;
pub mod checks;
pub mod compare;
pub mod coverage;
pub mod document;
pub mod listings;
pub mod rng;
pub mod scenario;
pub mod transcript;
pub mod users;
pub mod world;
