//! The users of one domain: roster, subscriptions, presence and one-to-one stanzas (RFC 6121 and around it).
//!
//! [`Accounts`] is a machine without I/O, driven through [`machine::Machine`]; what the host asks of it at once
//! (binding a resource, looking up credentials) are methods beside that.
//!
//! - [`config`][]: what the host decides
//! - [`service`][]: the way in; who gets which stanza
//! - `account`: what is held of a user, durable and not
//! - `manage`: accounts made, removed, given other passwords; `register` in band (XEP-0077)
//! - [`records`][]: what is kept, for whoever opens the store without this machine
//! - `draft`: an account that another server kept, on its way into these
//! - `sessions`: binding and the end of streams (RFC 6120 7)
//! - `roster`: items and the roster's own protocol (RFC 6121 2)
//! - [`subscription`][]: the tables of RFC 6121 appendix A; `subscribe` acts on them (section 3)
//! - `presence`: broadcast, probes, directed presence (RFC 6121 4)
//! - `blocking`: whom a user does not want to hear from (XEP-0191)
//! - `carbons`: copies for a user's other sessions (XEP-0280)
//! - `message`: messages and what they are answered with (RFC 6121 5 and 8)
//! - `admin`: administration by ad-hoc commands (XEP-0133)
//! - `archive`: one's own messages (XEP-0313)
//! - `offline`: messages for who is not there (XEP-0160)
//! - `private`: private XML (XEP-0049) and vCards (XEP-0054)
//! - `pep`: the user's own pubsub service (XEP-0163); `caps`: who wants to hear of it (XEP-0115)
//! - `kept`: the records that these are made of
//! - `iq`: what the domain and its accounts answer themselves
//! - `ledger`: what is not durable yet, and what becomes of it

mod account;
mod admin;
mod archive;
mod blocking;
mod caps;
mod carbons;
pub mod config;
mod draft;
mod iq;
mod kept;
mod ledger;
mod manage;
mod message;
mod offline;
mod pep;
mod presence;
mod private;
pub mod records;
mod register;
mod roster;
pub mod service;
mod sessions;
mod subscribe;
pub mod subscription;

pub use config::AccountsConfig;
pub use draft::Draft;
pub use manage::AccountError;
pub use service::{Accounts, is_for_accounts};
pub use sessions::{BindError, Bound, Closed};
