//! Many changes at once to a store that nobody serves: all of them, or none.

use crate::change::{Applier, Refusal};
use crate::error::StoreError;
use crate::file::{self, Lock};
use crate::schema;
use machine::Change;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Whether what was done stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It does, once all of it is done.
    Yes,
    /// It was only tried; not even a file is left of it.
    No,
}

/// A store while many changes are made to it.
pub struct Bulk<'c> {
    connection: &'c Connection,
    applier: Applier<'c>,
    path: &'c Path,
}

/// Makes changes in one transaction, however many: when `work` fails, or the machine does, nothing has happened.
///
/// The directory must be there. Fails with [`StoreError::Served`] while somebody serves the file.
pub fn bulk<T, E: From<StoreError>>(
    path: &Path,
    keep: Keep,
    work: impl FnOnce(&mut Bulk<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let _lock = Lock::take(path)?;
    let mut connection = if keep == Keep::No && !path.exists() {
        Connection::open_in_memory().map_err(StoreError::database(path))?
    } else {
        file::create_private(path)?;
        file::open_writing(path)?
    };
    schema::migrate(&mut connection, path)?;
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::database(path))?;
    let done = work(&mut Bulk { connection: &transaction, applier: Applier::new(&transaction), path })?;
    if keep == Keep::Yes {
        transaction.commit().map_err(StoreError::database(path))?;
    }
    Ok(done)
}

impl Bulk<'_> {
    /// Makes one change; whether it changed anything: a row whose id is there already does not.
    pub fn apply(&mut self, change: &Change) -> Result<bool, StoreError> {
        let before = self.connection.total_changes();
        self.applier.apply(change).map_err(|refusal| match refusal {
            Refusal::Conflict => StoreError::Conflict { path: self.path.to_owned(), what: named(change) },
            Refusal::Disk(error) => StoreError::database(self.path)(error),
        })?;
        Ok(self.connection.total_changes() != before)
    }

    /// Whether somebody has records of a kind.
    pub fn holds(&self, space: &str, owner: &str) -> Result<bool, StoreError> {
        let found = || -> rusqlite::Result<bool> {
            let mut select =
                self.connection.prepare_cached("SELECT 1 FROM state WHERE space = ?1 AND owner = ?2 LIMIT 1")?;
            select.exists([space, owner])
        };
        found().map_err(StoreError::database(self.path))
    }
}

/// What a change is about, without any body.
fn named(change: &Change) -> String {
    match change {
        Change::Put { space, owner, key, .. } | Change::Delete { space, owner, key } => {
            format!("record {space} of {owner}, {key}")
        }
        Change::DeleteAll { space, owner } => format!("records {space} of {owner}"),
        Change::Append(row) | Change::Settle { row, .. } => {
            format!("message {} of {}, at {}", row.id, row.archive, row.seq)
        }
        Change::DeleteRow { archive, .. }
        | Change::Born { archive, .. }
        | Change::MoveRows { archive, .. }
        | Change::DeleteArchive { archive }
        | Change::TrimArchive { archive, .. } => format!("archive {archive}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Store};
    use machine::Row;
    use std::sync::Arc;

    fn put(value: &str) -> Change {
        Change::Put { space: "room", owner: "wallops".into(), key: "meta".into(), value: value.into() }
    }

    fn row(seq: u64, id: &str) -> Change {
        let (archive, with, stanza) = ("wallops".into(), "wallops/WiZ".into(), "<message/>".into());
        Change::Append(Row { archive, seq, id: id.into(), stamp_ms: 1, with, stanza, author: None, born: None })
    }

    fn records(path: &Path) -> usize {
        let tell = Arc::new(|_| {});
        Store::open(path, Options::default(), tell).expect("a store").1.records.len()
    }

    #[test]
    fn all_of_it_is_there_or_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("netjoin.db");
        let failed = bulk(&path, Keep::Yes, |bulk| {
            bulk.apply(&put("{}"))?;
            bulk.apply(&row(1, "a"))?;
            bulk.apply(&row(1, "b")).map(drop)
        });
        assert!(matches!(failed, Err(StoreError::Conflict { what, .. }) if what == "message b of wallops, at 1"));
        assert_eq!(records(&path), 0);
        let there = bulk(&path, Keep::Yes, |bulk| {
            let before = bulk.holds("room", "wallops")?;
            bulk.apply(&put("{}"))?;
            let rows = [bulk.apply(&row(1, "a"))?, bulk.apply(&row(2, "a"))?];
            Ok::<_, StoreError>((before, rows, bulk.holds("room", "wallops")?))
        });
        assert_eq!(there.expect("done"), (false, [true, false], true));
        assert_eq!(records(&path), 1);
    }

    #[test]
    fn what_is_only_tried_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("netjoin.db");
        bulk(&path, Keep::No, |bulk| bulk.apply(&put("{}"))).expect("tried");
        assert!(!path.exists());
        bulk(&path, Keep::Yes, |bulk| bulk.apply(&row(1, "a"))).expect("done");
        bulk(&path, Keep::No, |bulk| bulk.apply(&put("{}"))).expect("tried");
        assert_eq!(records(&path), 0);
    }

    #[test]
    fn a_store_that_is_served_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("netjoin.db");
        let _served = Store::open(&path, Options::default(), Arc::new(|_| {})).expect("a store");
        let refused = bulk(&path, Keep::No, |bulk| bulk.apply(&put("{}")));
        assert!(matches!(refused, Err(StoreError::Served { .. })));
    }
}
