//! The served file: batches in, completions out.

use crate::backup::{Progress, backup};
use crate::error::StoreError;
use crate::file::{self, Lock};
use crate::health::Health;
use crate::page::{archived, select_rows};
use crate::queue::{Batch, Metrics, Queue, Reading};
use crate::reader::Reader;
use crate::schema;
use crate::stats::{Stats, stats};
use crate::walk::{RECORDS, archives, record};
use crate::writer::{Writer, limit_pages};
use machine::{ArchivePage, ArchiveQuery, Change, QueryId, Record, Row, Token};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The answer to a [`Store::persist`] or a [`Store::query`].
#[derive(Debug, Clone, PartialEq)]
pub enum Completion {
    /// A persist is on disk, or nothing of it is. In the order of one machine's persists.
    Done {
        /// Whose.
        machine: u8,
        /// Which.
        token: Token,
        /// Whether it would survive loss of power.
        ok: bool,
    },
    /// A page was read; `None` when it could not be.
    Rows {
        /// Whose.
        machine: u8,
        /// Which.
        id: QueryId,
        /// The page.
        page: Option<ArchivePage>,
    },
}

/// Takes completions, on the store's threads: it must be quick, must not wait, and must not own the store. For a
/// persist that is refused it is called within [`Store::persist`].
pub type OnCompletion = Arc<dyn Fn(Completion) + Send + Sync>;

/// How a store is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads that read pages.
    pub readers: usize,
    /// Rows of each archive that are loaded at the start.
    pub recent_rows: usize,
    /// Archives whose names begin so are loaded with their last row alone: whoever is shown them asks.
    pub brief: Option<&'static str>,
    /// Persists that wait at the most; one over it fails at once.
    pub waiting_max: usize,
    /// How often a write is tried while writes fail and none are asked for.
    pub probe_every: Duration,
    /// How many pages of 4096 bytes the database may grow to: a quota, and a full disk for tests.
    pub max_page_count: Option<u32>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            readers: 2,
            recent_rows: 100,
            brief: None,
            waiting_max: 20_000,
            probe_every: Duration::from_secs(1),
            max_page_count: None,
        }
    }
}

/// What was kept, as machines are restored from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// All records, in order.
    pub records: Vec<Record>,
    /// The last rows of every archive, archive by archive in the order of their names, each in rising order.
    pub recent: Vec<Row>,
}

/// A store that is being served. Dropping it makes everything durable that was given to it.
pub struct Store {
    path: PathBuf,
    queue: Arc<Queue>,
    health: Arc<Health>,
    tell: OnCompletion,
    writer: Option<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
    _lock: Lock,
}

impl Store {
    /// Opens a file for serving, makes it if there is none, migrates it if it is older.
    ///
    /// The directory must be there. Fails with [`StoreError::Served`] while another process, or another `Store`,
    /// serves from the file.
    pub fn open(path: &Path, options: Options, tell: OnCompletion) -> Result<(Store, Loaded), StoreError> {
        let lock = Lock::take(path)?;
        file::create_private(path)?;
        let mut connection = file::open_writing(path)?;
        schema::migrate(&mut connection, path)?;
        let loaded = load(&connection, &options).map_err(StoreError::database(path))?;
        limit_pages(&connection, options.max_page_count).map_err(StoreError::database(path))?;

        let queue = Arc::new(Queue::new(options.waiting_max));
        let health = Arc::new(Health::default());
        let mut store = Store {
            path: path.to_owned(),
            queue: queue.clone(),
            health: health.clone(),
            tell: tell.clone(),
            writer: None,
            readers: Vec::new(),
            _lock: lock,
        };
        for _ in 0..options.readers.max(1) {
            let reader = Reader { connection: file::open_reading(path)?, queue: queue.clone(), tell: tell.clone() };
            store.readers.push(store.thread("store-reader", move || reader.run())?);
        }
        let writer = Writer { connection, queue, health, tell, probe_every: options.probe_every, clearing: true };
        store.writer = Some(store.thread("store-writer", move || writer.run())?);
        Ok((store, loaded))
    }

    /// Asks for changes to be made durable, all of them or none; answered by [`Completion::Done`]. Never waits.
    pub fn persist(&self, machine: u8, token: Token, changes: Vec<Change>) {
        self.queue.persist(Batch { machine, token, changes }, &self.tell);
    }

    /// Asks for a page; answered by [`Completion::Rows`]. Sees every change its machine persisted before. Never
    /// waits.
    pub fn query(&self, machine: u8, id: QueryId, query: ArchiveQuery) {
        self.queue.query(Reading { machine, id, query }, &self.tell);
    }

    /// Whether what is given to the store can be kept; the reason when the last write failed.
    pub fn health(&self) -> Result<(), String> {
        self.health.read()
    }

    /// What was done since it was opened and what waits; cheap.
    pub fn metrics(&self) -> Metrics {
        self.queue.metrics()
    }

    /// What the file holds; reads through indexes, so not for every scrape.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        stats(&self.path)
    }

    /// Copies the file as it is now, while it is served; see [`backup()`].
    pub fn backup(&self, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<u64, StoreError> {
        backup(&self.path, to, progress)
    }

    /// Changes [`Options::max_page_count`] while it is served; takes effect before what is persisted after it.
    pub fn set_page_limit(&self, pages: Option<u32>) {
        self.queue.limit_pages(pages);
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn thread(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
        std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StoreError::io(&self.path))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue.close();
        // A thread that panicked has already said so; the others must still be waited for.
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.queue.close_readers();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

fn load(connection: &Connection, options: &Options) -> rusqlite::Result<Loaded> {
    let records = connection.prepare(RECORDS)?.query_map([], record)?.collect::<Result<_, _>>()?;
    let mut last = connection.prepare(select_rows!("WHERE archive = ?1 ORDER BY seq DESC LIMIT ?2"))?;
    let mut recent = Vec::new();
    for (number, name) in archives(connection)? {
        let is_brief = options.brief.is_some_and(|prefix| name.starts_with(prefix));
        let limit = if is_brief { 1 } else { i64::try_from(options.recent_rows).unwrap_or(i64::MAX) };
        let mut rows =
            last.query_map((number, limit), |row| archived(&name, row))?.collect::<rusqlite::Result<Vec<Row>>>()?;
        rows.reverse();
        recent.extend(rows);
    }
    Ok(Loaded { records, recent })
}
