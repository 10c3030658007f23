//! Drives the program from outside, as people do: starts it, logs clients in, reads what it counts.
//!
//! - [`net`]: addresses on loopback that nobody else uses
//! - [`names`]: a name server for the names of a test
//! - [`site`]: one running `netjoin serve` with a folder and a configuration of its own
//! - [`client`]: one logged-in user over TLS
//! - [`tls`]: TLS that takes any certificate
//!
//! Used by `netjoin demo`, by the tests against the built program and by the benches. It knows nothing of the inside.

pub mod client;
pub mod names;
pub mod net;
pub mod site;
pub mod tls;

pub use client::{Client, Login};
pub use net::Net;
pub use site::Site;
