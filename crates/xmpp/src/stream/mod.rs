//! Streams without sockets (RFC 6120 4 to 8): machines that are fed bytes and answers, and say what is to be done.
//!
//! - [`Acceptor`]: a client's stream, our side: STARTTLS, SASL, registration, binding, and every stanza checked
//! - [`Client`]: the same from the client's side
//! - [`Incoming`]: a server's stream to us: EXTERNAL or dialback, several pairs of domains on one stream
//! - [`Outgoing`]: our stream to a server, which may also ask whether keys are valid
//! - [`dialback`]: keys, pairs, verdicts
//!
//! The caller owns sockets, TLS and accounts. It executes outputs in order, and may write stanzas of its own to
//! a stream once that is ready.

pub mod acceptor;
mod check;
pub mod client;
pub mod dialback;
mod error;
pub mod s2s_in;
pub mod s2s_out;
mod wire;

pub use acceptor::Acceptor;
pub use client::Client;
pub use error::StreamError;
pub use s2s_in::Incoming;
pub use s2s_out::Outgoing;
pub use wire::TlsPolicy;
