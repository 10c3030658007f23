//! Streams without sockets (RFC 6120 4 to 8): machines that are fed bytes and answers, and say what is to be done.
//!
//! - [`Acceptor`]: a client's stream, our side: STARTTLS, SASL, registration, binding, and every stanza checked
//! - [`Client`]: the same from the client's side
//!
//! The caller owns sockets, TLS and accounts. It executes outputs in order, and may write stanzas of its own to
//! a stream once that is ready.

pub mod acceptor;
mod check;
pub mod client;
mod error;
mod wire;

pub use acceptor::Acceptor;
pub use client::Client;
pub use error::StreamError;
pub use wire::TlsPolicy;
