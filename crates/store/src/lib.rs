//! What the server keeps, in one SQLite file: the records and archives that machines change by [`machine::Change`].
//!
//! Generic on purpose: the store knows kinds, owners, keys and archives, never rooms or accounts. Batches go in,
//! completions come out ([`Completion`]); nothing is reported as kept that would not survive loss of power.
//!
//! - [`Store`]: the served file; one writer with group commit, a few readers
//! - [`backup()`], [`verify()`], [`stats()`], [`look()`]: for any store file, also one that another process serves
//! - [`bulk()`]: many changes to a file that nobody serves; [`walk()`]: all that a file holds
//! - [`disk`]: the same semantics in memory, with a crash, for the simulator

mod backup;
mod bulk;
mod change;
mod clearing;
pub mod disk;
mod error;
mod file;
mod health;
mod look;
mod page;
mod queue;
mod reader;
mod schema;
mod stats;
mod store;
mod verify;
mod walk;
mod writer;

pub use backup::{Progress, backup};
pub use bulk::{Bulk, Keep, bulk};
pub use error::StoreError;
pub use look::look;
pub use page::PAGE_ROWS_MAX;
pub use queue::Metrics;
pub use stats::{Stats, stats};
pub use store::{Completion, Loaded, OnCompletion, Options, Store};
pub use verify::{Report, verify};
pub use walk::{Held, walk};
