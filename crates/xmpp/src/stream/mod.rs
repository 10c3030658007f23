//! Streams without sockets (RFC 6120 4 to 8): machines that are fed bytes and answers, and say what is to be done.
//!
//! - [`Acceptor`]: a client's stream, our side: STARTTLS, SASL, registration, binding, and every stanza checked
//! - [`Client`]: the same from the client's side
//! - [`Incoming`]: a server's stream to us: EXTERNAL or dialback, several pairs of domains on one stream
//! - [`Outgoing`]: our stream to a server, which may also ask whether keys are valid
//! - [`client_state`]: what may wait while nobody looks (XEP-0352)
//! - [`management`]: what was sent to a client and is not acknowledged yet (XEP-0198)
//! - [`websocket`]: the frames of a stream that comes by WebSocket (RFC 7395)
//! - [`Component`]: our stream to a server that we are a component of
//! - [`dialback`]: keys, pairs, verdicts
//!
//! The caller owns sockets, TLS and accounts. It executes outputs in order, and may write stanzas of its own to
//! a stream once that is ready.

pub mod acceptor;
mod check;
pub mod client;
pub mod client_state;
pub mod component;
pub mod dialback;
mod error;
pub mod management;
pub mod s2s_in;
pub mod s2s_out;
pub mod websocket;
mod wire;

pub use acceptor::Acceptor;
pub use client::Client;
pub use component::Component;
pub use error::StreamError;
pub use s2s_in::Incoming;
pub use s2s_out::Outgoing;
pub use wire::{BROKEN, TlsPolicy};
