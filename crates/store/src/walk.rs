//! Everything that a store holds, one after the other.

use crate::backup::Progress;
use crate::clearing::IS_NAMED;
use crate::error::StoreError;
use crate::page::{archived, select_rows};
use crate::{file, schema};
use machine::{Record, Row};
use rusqlite::Connection;
use std::path::Path;

/// Progress is told every so many.
const PROGRESS_EVERY: u64 = 1_000;

/// What a store holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// A record.
    Record(Record),
    /// A row of an archive.
    Row(Row),
}

/// Gives all records in their order, then all rows, archive by archive in the order of their names, each in rising order; all
/// as it is at this moment, served or not.
pub fn walk<E: From<StoreError>>(
    path: &Path,
    progress: &mut dyn FnMut(Progress),
    each: &mut dyn FnMut(Held) -> Result<(), E>,
) -> Result<(), E> {
    let connection = file::open_reading(path)?;
    if schema::version(&connection, path)? < schema::VERSION {
        return Err(StoreError::Older { path: path.to_owned() }.into());
    }
    let database = StoreError::database(path);
    let snapshot = connection.unchecked_transaction().map_err(&database)?;
    let mut at = Progress { done: 0, total: total(&snapshot).map_err(&database)? };
    let mut give = |held: Held| {
        at.done += 1;
        if at.done.is_multiple_of(PROGRESS_EVERY) {
            progress(at);
        }
        each(held)
    };
    let mut select = snapshot.prepare(RECORDS).map_err(&database)?;
    let mut records = select.query([]).map_err(&database)?;
    while let Some(row) = records.next().map_err(&database)? {
        give(Held::Record(record(row).map_err(&database)?))?;
    }
    for (number, name) in archives(&snapshot).map_err(&database)? {
        let mut select = snapshot.prepare_cached(select_rows!("WHERE archive = ?1 ORDER BY seq")).map_err(&database)?;
        let mut rows = select.query([number]).map_err(&database)?;
        while let Some(row) = rows.next().map_err(&database)? {
            give(Held::Row(archived(&name, row).map_err(&database)?))?;
        }
    }
    Ok(())
}

/// All records; [`record`] reads them.
pub(crate) const RECORDS: &str = "SELECT space, owner, key, value FROM state ORDER BY space, owner, key";

fn total(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT (SELECT count(*) FROM state) + (SELECT count(*) FROM archive)";
    connection.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
}

/// One of [`RECORDS`].
pub(crate) fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { space: row.get(0)?, owner: row.get(1)?, key: row.get(2)?, value: row.get(3)? })
}

/// The archives there are, by number and name.
pub(crate) fn archives(connection: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare(&format!("SELECT number, name FROM archives WHERE {IS_NAMED} ORDER BY name"))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
