//! Stock clients in one room at another site, and what each of them shows its user: the matrix behind `docs/clients.md`.
//!
//! - [`client`]: which they are, and how each is started
//! - [`person`]: one that runs, is told what to do, and is looked at
//! - [`story`]: what they do together: log in, enter, talk, change nicks, are kicked, live through splits, log out
//! - [`verdict`]: what each has shown against what the room has archived
//! - [`page`]: the page of it

pub mod client;
pub mod page;
pub mod person;
pub mod story;
pub mod verdict;
