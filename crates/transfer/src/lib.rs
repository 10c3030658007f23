//! Switching over: what another server kept, read into a store; and a store written out.
//!
//! - [`import()`]: from Prosody's folders and database, ejabberd's dumps, XEP-0227, and what [`export()`] wrote
//! - `source`: which of these a path is
//! - `prosody/`, `ejabberd/`: their formats; `lua` and `terms` read the two data languages and execute nothing
//! - `lines`: the format of our own, a JSON object a line
//! - `pie`: XEP-0227, in and out
//! - `sink`: the one way into the store: what is there already stays, what cannot be carried over is told
//!
//! An import is one transaction: all of it, or nothing. `docs/switching.md` is the operator's page.

mod ejabberd;
mod error;
mod export;
mod file;
mod lines;
mod lua;
mod pie;
mod prosody;
mod report;
mod sink;
mod source;
mod stanza;
mod terms;

pub use error::TransferError;
pub use export::{Format, export};
pub use report::{Left, Report};
pub use sink::{Target, There};
pub use source::{How, Source, import};
