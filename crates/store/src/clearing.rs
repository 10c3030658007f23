//! Archives that go, whole or their older rows, a slice to a transaction: in one, a long archive would keep everything waiting
//! that is to be written behind it.
//!
//! What has still to go stands in the table `clearing`, so that a crash in the middle only interrupts it. An archive that goes whole
//! gives its name free at once and keeps its number until its last row is gone: whatever has the name next never sees its rows.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// Rows that one transaction clears away at the most: some milliseconds' worth.
pub(crate) const CLEARED_ROWS_MAX: usize = 1_000;

const DELETE_ROWS: &str =
    "DELETE FROM archive WHERE row IN (SELECT row FROM archive WHERE archive = ?1 ORDER BY seq LIMIT ?2)";
const DELETE_OLDER: &str = "DELETE FROM archive WHERE row IN
    (SELECT row FROM archive WHERE archive = ?1 AND stamp_ms < ?3 ORDER BY stamp_ms, seq LIMIT ?2)";
/// No name that is given to an archive begins with a space.
const GIVE_NAME_FREE: &str = "UPDATE archives SET name = ' ' || number WHERE number = ?1";
/// Which archives have a name still.
pub(crate) const IS_NAMED: &str = "substr(name, 1, 1) <> ' '";

/// What one transaction may still clear away.
pub(crate) struct Clearing {
    rows_left: usize,
}

impl Clearing {
    /// Of a transaction that has cleared nothing yet.
    pub(crate) fn new() -> Clearing {
        Clearing { rows_left: CLEARED_ROWS_MAX }
    }

    /// Removes an archive, or begins to.
    pub(crate) fn remove(&mut self, connection: &Connection, archive: i64) -> rusqlite::Result<()> {
        if self.delete(connection, archive, None)? {
            return end(connection, archive, None);
        }
        connection.prepare_cached(GIVE_NAME_FREE)?.execute([archive])?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO clearing (archive, before_ms) VALUES (?1, NULL)")?
            .execute([archive])?;
        Ok(())
    }

    /// Removes the rows that are older than this, or begins to.
    pub(crate) fn trim(&mut self, connection: &Connection, archive: i64, before_ms: i64) -> rusqlite::Result<()> {
        if !self.delete(connection, archive, Some(before_ms))? {
            connection
                .prepare_cached(
                    "INSERT INTO clearing (archive, before_ms) VALUES (?1, ?2)
                     ON CONFLICT (archive) DO UPDATE SET before_ms = max(before_ms, excluded.before_ms)",
                )?
                .execute(params![archive, before_ms])?;
        }
        Ok(())
    }

    /// Deletes as many rows as may be; whether none is left.
    fn delete(&mut self, connection: &Connection, archive: i64, before_ms: Option<i64>) -> rusqlite::Result<bool> {
        let limit = self.rows_left as i64;
        let deleted = match before_ms {
            None => connection.prepare_cached(DELETE_ROWS)?.execute(params![archive, limit])?,
            Some(before_ms) => connection.prepare_cached(DELETE_OLDER)?.execute(params![archive, limit, before_ms])?,
        };
        self.rows_left -= deleted;
        Ok((deleted as i64) < limit)
    }
}

/// Clears away one slice, in a transaction of its own; `false` when there was nothing to clear.
pub(crate) fn slice(connection: &Connection) -> rusqlite::Result<bool> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let next: Option<(i64, Option<i64>)> = transaction
        .prepare_cached("SELECT archive, before_ms FROM clearing LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((archive, before_ms)) = next else { return Ok(false) };
    if Clearing::new().delete(&transaction, archive, before_ms)? {
        end(&transaction, archive, before_ms)?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Nothing is left of what was to go.
fn end(connection: &Connection, archive: i64, before_ms: Option<i64>) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM clearing WHERE archive = ?1")?.execute([archive])?;
    if before_ms.is_none() {
        connection.prepare_cached("DELETE FROM archives WHERE number = ?1")?.execute([archive])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Applier;
    use crate::{Options, Store, file, schema};
    use machine::{Change, Row};
    use std::path::Path;
    use std::sync::Arc;

    const WALLOPS: &str = "wallops@channel.avalon.irc";
    /// Long enough for several slices.
    const ROWS: usize = 3 * CLEARED_ROWS_MAX + 500;

    fn row(seq: usize) -> Change {
        Change::Append(Row {
            archive: WALLOPS.into(),
            seq: seq as u64,
            id: format!("id-{seq}"),
            stamp_ms: seq as i64,
            with: format!("{WALLOPS}/WiZ"),
            stanza: "<message/>".into(),
            author: None,
            born: None,
        })
    }

    /// A file with a long archive.
    fn long(path: &Path) -> Connection {
        file::create_private(path).expect("a file");
        let mut connection = file::open_writing(path).expect("a connection");
        schema::migrate(&mut connection, path).expect("the tables");
        apply(&connection, &(1..=ROWS).map(row).collect::<Vec<_>>());
        connection
    }

    fn apply(connection: &Connection, changes: &[Change]) {
        let transaction = connection.unchecked_transaction().expect("a transaction");
        let mut applier = Applier::new(&transaction);
        changes.iter().for_each(|change| applier.apply(change).expect("no conflict"));
        drop(applier);
        transaction.commit().expect("committed");
    }

    fn rows(connection: &Connection) -> usize {
        let count: i64 = connection.query_row("SELECT count(*) FROM archive", [], |row| row.get(0)).expect("a count");
        count as usize
    }

    /// No transaction clears away more than it may, whatever else it does, and the last slice leaves nothing behind.
    #[test]
    fn a_long_archive_goes_in_slices() {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = long(&directory.path().join("netjoin.db"));
        apply(&connection, &[Change::DeleteArchive { archive: WALLOPS.into() }, row(1)]);
        let mut left = vec![rows(&connection)];
        while slice(&connection).expect("a slice") {
            left.push(rows(&connection));
        }
        assert_eq!(left, [2_501, 1_501, 501, 1]);
        let names: i64 = connection.query_row("SELECT count(*) FROM archives", [], |row| row.get(0)).expect("a count");
        assert_eq!(names, 1, "that of the one made anew");
    }

    /// Rows older than what is to be kept go likewise; a later word for more of them counts too.
    #[test]
    fn old_rows_go_in_slices() {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = long(&directory.path().join("netjoin.db"));
        let trim = |before_ms| Change::TrimArchive { archive: WALLOPS.into(), before_ms };
        apply(&connection, &[trim(2_001), trim(3_001), trim(1_001)]);
        let mut left = vec![rows(&connection)];
        while slice(&connection).expect("a slice") {
            left.push(rows(&connection));
        }
        assert_eq!(left, [2_500, 1_500, 500, 500]);
    }

    /// A crash in the middle: the archive is gone all the same, also for who makes it anew, and the file gives up the rest.
    #[test]
    fn an_archive_half_gone_is_gone_and_goes_on_going() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("netjoin.db");
        let connection = long(&path);
        apply(&connection, &[Change::DeleteArchive { archive: WALLOPS.into() }]);
        slice(&connection).expect("a slice");
        assert!(rows(&connection) > 0);
        drop(connection);

        let (said, hears) = std::sync::mpsc::channel();
        let tell = Arc::new(move |completion| drop(said.send(completion)));
        let (store, loaded) = Store::open(&path, Options::default(), tell).expect("the file after a crash");
        assert_eq!(loaded.recent, []);
        store.persist(1, machine::Token(1), vec![row(7)]);
        assert!(matches!(hears.recv(), Ok(crate::Completion::Done { ok: true, .. })));
        let query = machine::ArchiveQuery { archive: WALLOPS.into(), max: 50, count: true, ..Default::default() };
        store.query(1, machine::QueryId(1), query);
        let Ok(crate::Completion::Rows { page: Some(page), .. }) = hears.recv() else { panic!("a page") };
        assert_eq!((page.rows.len(), page.count), (1, Some(1)));
        while store.stats().expect("stats").rows != 1 {
            std::thread::yield_now();
        }
        assert_eq!(store.stats().expect("stats").archives, 1);
        drop(store);
        assert!(crate::verify(&path, &mut |_| ()).expect("verified").is_sound());
    }
}
