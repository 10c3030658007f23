//! A store in a directory of its own, and what the tests write into it.

use machine::{ArchivePage, ArchiveQuery, Change, QueryId, Row, Token};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use store::{Completion, Loaded, OnCompletion, Options, Store, StoreError};

/// Far beyond what anything here takes; only a broken store reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A store and what it says.
pub struct Bench {
    pub store: Store,
    pub loaded: Loaded,
    pub said: Receiver<Completion>,
    next: std::cell::Cell<u64>,
}

impl Bench {
    /// Opens a file with these options.
    pub fn open(path: &std::path::Path, options: Options) -> Result<Bench, StoreError> {
        let (tell, said) = listener();
        let (store, loaded) = Store::open(path, options, tell)?;
        Ok(Bench { store, loaded, said, next: std::cell::Cell::new(0) })
    }

    /// The next completion.
    pub fn hears(&self) -> Completion {
        self.said.recv_timeout(PATIENCE).expect("a completion")
    }

    /// Persists for machine 1 and says whether it was kept.
    pub fn keeps(&self, changes: Vec<Change>) -> bool {
        self.next.set(self.next.get() + 1);
        let given = Token(self.next.get());
        self.store.persist(1, given, changes);
        match self.hears() {
            Completion::Done { machine: 1, token, ok } if token == given => ok,
            other => panic!("expected the outcome of {given:?}, heard {other:?}"),
        }
    }

    /// Reads a page for machine 1.
    pub fn reads(&self, query: ArchiveQuery) -> ArchivePage {
        self.next.set(self.next.get() + 1);
        let given = QueryId(self.next.get());
        self.store.query(1, given, query);
        match self.hears() {
            Completion::Rows { machine: 1, id, page: Some(page) } if id == given => page,
            other => panic!("expected the page of {given:?}, heard {other:?}"),
        }
    }

    /// Waits until health is as wanted.
    pub fn waits_for_health(&self, green: bool) {
        let until = std::time::Instant::now() + PATIENCE;
        while self.store.health().is_ok() != green {
            assert!(std::time::Instant::now() < until, "health stays {:?}", self.store.health());
            std::thread::yield_now();
        }
    }
}

/// Something that hands completions on.
pub fn listener() -> (OnCompletion, Receiver<Completion>) {
    let (sender, receiver) = channel();
    // A test that has heard enough may have dropped its end.
    (Arc::new(move |completion| drop(sender.send(completion))), receiver)
}

/// A directory that goes with the test, and a path in it.
pub fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("netjoin.db");
    (directory, path)
}

/// The room of XEP-0282.
pub const WALLOPS: &str = "wallops@channel.avalon.irc";

/// A message in the room; its stamp is its place in seconds.
pub fn message(seq: u64, nick: &str) -> Row {
    Row {
        archive: WALLOPS.into(),
        seq,
        id: format!("id-{seq}"),
        stamp_ms: seq as i64 * 1_000,
        with: format!("{WALLOPS}/{nick}"),
        stanza: format!("<message from='{WALLOPS}/{nick}' type='groupchat'><body>number {seq}</body></message>"),
        author: None,
        born: None,
    }
}

/// A record.
pub fn put(space: &'static str, owner: &str, key: &str, value: &str) -> Change {
    Change::Put { space, owner: owner.into(), key: key.into(), value: value.into() }
}

/// A query of the whole archive, in pages of 50.
pub fn whole() -> ArchiveQuery {
    ArchiveQuery { archive: WALLOPS.into(), max: 50, ..ArchiveQuery::default() }
}

/// The places of a page's rows.
pub fn seqs(page: &ArchivePage) -> Vec<u64> {
    page.rows.iter().map(|row| row.seq).collect()
}
