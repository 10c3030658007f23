//! The threads that read pages, each on a connection of its own.

use crate::page;
use crate::queue::Queue;
use crate::store::{Completion, OnCompletion};
use rusqlite::Connection;
use std::sync::Arc;

/// A reader's end of the store.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) queue: Arc<Queue>,
    pub(crate) tell: OnCompletion,
}

impl Reader {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(self) {
        while let Some(reading) = self.queue.next_reading() {
            let page = page::read(&self.connection, &reading.query).ok();
            (self.tell)(Completion::Rows { machine: reading.machine, id: reading.id, page });
        }
    }
}
