//! Deterministic simulation: the real engines in a world where everything may go wrong, and one seed decides what.
//!
//! - [`world`]: servers, links, disks, clients, the clock
//! - [`compare`]: whether two stanzas are the same, up to names that nobody chose
//! - [`transcript`]: what users send and receive, as files that are played in several ways

pub mod compare;
pub mod rng;
pub mod transcript;
pub mod world;
