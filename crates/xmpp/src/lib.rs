//! XMPP without I/O: bytes to stanzas to streams.
//!
//! - [`jid`]: addresses, in form RFC 7622, normalised as Prosody and ejabberd do
//! - [`xml`]: the element tree, the framer that turns bytes into stanzas under limits, the writer
//! - [`ns`]: every namespace name the project knows
//! - [`sasl`]: who someone is: SCRAM, PLAIN, EXTERNAL, both sides
//! - [`stream`]: streams as machines without sockets, for clients and servers
//! - [`stanza`]: what several crates say the same way: errors, delays, forms, result sets

pub mod jid;
pub mod ns;
pub mod sasl;
pub mod stanza;
pub mod stream;
pub mod xml;

pub use jid::{Jid, JidError};
pub use xml::{Element, Node, ParseError, Shared};
