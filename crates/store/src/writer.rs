//! The one thread that writes: it commits whatever waits when it is free, and there is no timer in it but the one
//! that tries a write now and then while writes fail. What is to be cleared away goes a slice at a time, between commits.

use crate::change::{Applier, Refusal, clears};
use crate::clearing;
use crate::health::Health;
use crate::queue::{Batch, Queue, Work};
use crate::store::OnCompletion;
use machine::Change;
use rusqlite::{Connection, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// What a tried write must have room for.
const PROBE_BYTES: i64 = 64 * 1024;
/// The page limit that is none: SQLite's own.
const PAGES_MAX: u32 = 0xffff_fffe;

/// The writer's end of the store.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) queue: Arc<Queue>,
    pub(crate) health: Arc<Health>,
    pub(crate) tell: OnCompletion,
    pub(crate) probe_every: Duration,
    /// Whether something may be left to be cleared away.
    pub(crate) clearing: bool,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let _lost = LostUnlessEnded { queue: self.queue.clone(), health: self.health.clone(), tell: self.tell.clone() };
        loop {
            let clears = self.clearing && !self.health.is_red();
            let patience = if clears { Some(Duration::ZERO) } else { self.health.is_red().then_some(self.probe_every) };
            match self.queue.next_work(patience) {
                Work::Commit(batches) => self.commit(batches),
                Work::PageLimit(pages) => {
                    if let Err(error) = limit_pages(&self.connection, pages) {
                        self.health.red(error.to_string());
                    }
                }
                Work::Idle if clears => {}
                Work::Idle => self.probe(),
                Work::End => return,
            }
            // Behind each commit too: who always has something to write must not keep it from going.
            if self.clearing && !self.health.is_red() {
                self.clear();
            }
        }
    }

    /// Commits all of them together; when that fails each by itself, so that only those fail that must.
    fn commit(&mut self, batches: Vec<Batch>) {
        match self.transaction(batches.iter().flat_map(|batch| &batch.changes)) {
            Ok(()) => {
                for batch in &batches {
                    self.queue.settle(batch.machine, batch.token, true, &self.tell);
                }
            }
            // Another process has kept the database locked for all the time a write waits; waiting again for each
            // would only make the queue longer.
            Err(Refusal::Disk(error)) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                self.health.red(error.to_string());
                for batch in &batches {
                    self.queue.settle(batch.machine, batch.token, false, &self.tell);
                }
            }
            Err(refusal) => {
                let alone = batches.len() == 1;
                let mut first = Some(refusal);
                for batch in &batches {
                    let outcome = match first.take_if(|_| alone) {
                        Some(refusal) => Err(refusal),
                        None => self.transaction(&batch.changes),
                    };
                    if let Err(Refusal::Disk(error)) = &outcome {
                        self.health.red(error.to_string());
                    }
                    self.queue.settle(batch.machine, batch.token, outcome.is_ok(), &self.tell);
                }
            }
        }
    }

    /// Clears away a slice. One that cannot be is a write that failed.
    fn clear(&mut self) {
        match clearing::slice(&self.connection) {
            Ok(more) => self.clearing = more,
            Err(error) => self.health.red(error.to_string()),
        }
    }

    /// Makes changes durable, all of them or none.
    fn transaction<'c>(&mut self, changes: impl IntoIterator<Item = &'c Change>) -> Result<(), Refusal> {
        let outcome = self.attempt(changes);
        if let Ok(cleared) = outcome {
            self.health.green();
            self.queue.committed();
            self.clearing |= cleared;
        } else if !self.connection.is_autocommit() {
            // Some failures have rolled back by themselves; this is for the others, and cannot fail usefully.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        outcome.map(|_| ())
    }

    /// Whether there may be something to be cleared away besides.
    fn attempt<'c>(&self, changes: impl IntoIterator<Item = &'c Change>) -> Result<bool, Refusal> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut applier = Applier::new(&self.connection);
        let mut cleared = false;
        for change in changes {
            applier.apply(change)?;
            cleared |= clears(change);
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(cleared)
    }

    /// Finds out whether there is room again, by writing something of some size and taking it away.
    fn probe(&mut self) {
        // What the log holds may be all that fills the disk. A checkpoint that fails loses nothing.
        if self.checkpoint_needs_no_room() {
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        let tried = self
            .connection
            .execute("INSERT OR REPLACE INTO probe (number, filling) VALUES (1, zeroblob(?1))", [PROBE_BYTES])
            .and_then(|_| self.connection.execute("DELETE FROM probe", []));
        match tried {
            Ok(_) => self.health.green(),
            Err(error) => self.health.red(error.to_string()),
        }
    }

    /// Whether the pages in the log all have their place in the file already. Otherwise a checkpoint on a full disk
    /// would use up whatever room comes, and cut the log by nothing.
    fn checkpoint_needs_no_room(&self) -> bool {
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (Ok(pages), Ok(bytes)) = (number("page_count"), number("page_size")) else { return false };
        let file = self.connection.path().and_then(|path| std::fs::metadata(path).ok());
        file.is_some_and(|file| file.len() >= pages.unsigned_abs() * bytes.unsigned_abs())
    }
}

/// Limits how far the database may grow: what it already has stays.
pub(crate) fn limit_pages(connection: &Connection, pages: Option<u32>) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA max_page_count = {}", pages.unwrap_or(PAGES_MAX)), [], |_| Ok(()))
}

/// Turns health red and fails what waits if the writer's thread panics.
struct LostUnlessEnded {
    queue: Arc<Queue>,
    health: Arc<Health>,
    tell: OnCompletion,
}

impl Drop for LostUnlessEnded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.health.red("the store's writer has ended".to_owned());
            self.queue.lose_writer(&self.tell);
        }
    }
}
