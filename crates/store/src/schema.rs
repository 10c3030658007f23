//! The tables, by version. A file is brought up one step at a time, each step whole or not at all.

use crate::error::StoreError;
use crate::file::not_ours;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks a SQLite file as ours: `njst`.
const APPLICATION_ID: i64 = 0x6e6a_7374;

/// Step n brings a file from version n to version n + 1. Steps that were released are never edited.
pub(crate) const STEPS: [&str; 5] = [TABLES, FILTERS, ISLANDS, CLEARING, AUTHORS];

/// Records and archives. An archive's name is kept once; rows carry its number.
const TABLES: &str = r#"
    CREATE TABLE state (
        space TEXT NOT NULL,
        owner TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (space, owner, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE archives (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE archive (
        row INTEGER PRIMARY KEY,
        archive INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        stamp_ms INTEGER NOT NULL,
        "with" TEXT NOT NULL,
        stanza TEXT NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX archive_seq ON archive (archive, seq);
    CREATE UNIQUE INDEX archive_id ON archive (archive, id);
"#;

/// What pages filtered by time or occupant need, so that they never read an archive through; and a place where a
/// write can be tried.
const FILTERS: &str = r#"
    CREATE INDEX archive_stamp ON archive (archive, stamp_ms, seq);
    CREATE INDEX archive_with ON archive (archive, "with", seq);
    CREATE TABLE probe (number INTEGER PRIMARY KEY, filling BLOB NOT NULL) STRICT;
"#;

/// Where a row was said on an island: which, and what of the order it had.
const ISLANDS: &str = r#"
    ALTER TABLE archive ADD COLUMN born_base INTEGER;
    ALTER TABLE archive ADD COLUMN born_site TEXT;
"#;

/// What is being cleared away: an archive whole, or its rows before a time.
const CLEARING: &str = "CREATE TABLE clearing (archive INTEGER PRIMARY KEY, before_ms INTEGER) STRICT;";

/// Who said it: for those who may know, and may look for it. Of older rows nobody knows.
const AUTHORS: &str = r#"
    ALTER TABLE archive ADD COLUMN author TEXT;
    ALTER TABLE archive ADD COLUMN resource TEXT;
    ALTER TABLE archive ADD COLUMN affiliation TEXT;
    ALTER TABLE archive ADD COLUMN role TEXT;
    CREATE INDEX archive_author ON archive (archive, author, seq, resource) WHERE author IS NOT NULL;
"#;

/// The version this program writes.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// Brings a file that is empty or of an older version up to [`VERSION`].
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let mut version = version(connection, path)?;
    while let Some(step) = STEPS.get(version as usize) {
        version += 1;
        step_to(connection, step, version).map_err(StoreError::database(path))?;
    }
    Ok(())
}

/// The version of a file of ours; 0 of an empty one. A newer one and a foreign one are errors.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let read_all = || -> rusqlite::Result<(i64, i64, i64)> {
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((read("application_id")?, read("user_version")?, tables))
    };
    let (application, version, tables) = read_all().map_err(|error| not_ours(path, error))?;
    if application != APPLICATION_ID && (application, version, tables) != (0, 0, 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    match u32::try_from(version) {
        Ok(version) if version <= VERSION => Ok(version),
        other => Err(StoreError::Newer { path: path.to_owned(), found: other.unwrap_or(u32::MAX), known: VERSION }),
    }
}

/// One step, with the version it leads to, in one transaction.
pub(crate) fn step_to(connection: &mut Connection, step: &str, version: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as version 1 left it, with a record and a row, is brought up with both.
    #[test]
    fn a_file_of_version_1_is_brought_up_with_what_it_holds() {
        let mut connection = Connection::open_in_memory().expect("memory");
        step_to(&mut connection, STEPS[0], 1).expect("version 1");
        connection
            .execute_batch(
                "INSERT INTO state VALUES ('room', 'wallops', 'config', '{}');
                 INSERT INTO archives VALUES (1, 'wallops');
                 INSERT INTO archive VALUES (1, 1, 7, 'id', 70, 'wallops/WiZ', '<message/>');",
            )
            .expect("what version 1 kept");
        let path = Path::new("netjoin.db");
        migrate(&mut connection, path).expect("brought up");
        assert_eq!(version(&connection, path).expect("ours"), VERSION);
        let query = machine::ArchiveQuery {
            archive: "wallops".to_owned(),
            start_ms: Some(70),
            with: Some(machine::By::Occupant("wallops/WiZ".to_owned())),
            max: 5,
            ..Default::default()
        };
        let page = crate::page::read(&connection, &query).expect("a page");
        assert_eq!(page.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [7]);
        let value: String = connection.query_row("SELECT value FROM state", [], |row| row.get(0)).expect("the record");
        assert_eq!(value, "{}");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().expect("memory");
        step_to(&mut connection, STEPS[0], 1).expect("version 1");
        step_to(&mut connection, "CREATE TABLE half (x); CREATE TABLE state (x);", 2).expect_err("state is there");
        assert_eq!(version(&connection, Path::new("netjoin.db")).expect("ours"), 1);
        let half: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(half, 0);
    }
}
