//! How much a store file holds.

use crate::clearing::IS_NAMED;
use crate::error::StoreError;
use crate::file;
use crate::schema;
use rusqlite::Connection;
use std::path::Path;

/// Sizes and counts of a store file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Version of the schema.
    pub schema: u32,
    /// Bytes of the database.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log beside it.
    pub wal_bytes: u64,
    /// Bytes within the database that are free to be used again.
    pub free_bytes: u64,
    /// Records.
    pub records: u64,
    /// Archives.
    pub archives: u64,
    /// Rows of all archives, and those that are still to be cleared away.
    pub rows: u64,
}

/// Measures a store file, served or not.
pub fn stats(path: &Path) -> Result<Stats, StoreError> {
    let connection = file::open_reading(path)?;
    let schema = schema::version(&connection, path)?;
    measure(&connection, path, schema).map_err(StoreError::database(path))
}

fn measure(connection: &Connection, path: &Path, schema: u32) -> rusqlite::Result<Stats> {
    let snapshot = connection.unchecked_transaction()?;
    let number = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
    let page = number("PRAGMA page_size")?;
    let wal = std::fs::metadata(file::beside(path, "-wal"));
    Ok(Stats {
        schema,
        file_bytes: number("PRAGMA page_count")? * page,
        wal_bytes: wal.map_or(0, |wal| wal.len()),
        free_bytes: number("PRAGMA freelist_count")? * page,
        records: number("SELECT count(*) FROM state")?,
        archives: number(&format!("SELECT count(*) FROM archives WHERE {IS_NAMED}"))?,
        rows: number("SELECT count(*) FROM archive")?,
    })
}
