//! The file itself: who may serve it, and connections to it.
//!
//! Serving is exclusive by a lock on a file beside the store, which ends with the process however it ends. The
//! store's own file is never opened but by SQLite while it is served: closing any other handle to it would drop
//! SQLite's locks (<https://sqlite.org/howtocorrupt.html>, section 2.2).

use crate::error::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a connection waits for another process that holds the database; longer is a failure.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after something long, as a backup, has let it grow.
pub(crate) const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The write-ahead log is written back to the file from this length on: 16 MiB. A page that many commits touch is
/// then written back once for all of them.
const CHECKPOINT_PAGES: i64 = 4_096;
/// What the writer keeps of the file in memory, at the most: ids are random, so that a commit of many rows touches
/// pages all over their index, and what does not fit is written twice.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
/// Prepared statements a connection keeps: more than there are texts of them.
const STATEMENTS_MAX: usize = 64;
/// What the lock's file may say about its holder.
const HOLDER_BYTES_MAX: u64 = 64;

/// The right to serve a file, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, or says who has it.
    pub(crate) fn take(path: &Path) -> Result<Lock, StoreError> {
        let beside = beside(path, ".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&beside)
            .map_err(StoreError::io(&beside))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the sentence; an unreadable holder is still a holder.
                let _ = (&file).take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
                return Err(StoreError::Served { path: path.to_owned(), holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&beside)(error)),
        }
        file.set_len(0).map_err(StoreError::io(&beside))?;
        // A full disk must not keep the server from starting: the lock holds without its holder's name.
        let _ = writeln!(file, "process {}", std::process::id());
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said aloud: a child process between its fork and its exec has this file open too, and closing it here
        // alone would leave the lock in place until then. An error would leave it to the same end.
        let _ = self.file.unlock();
    }
}

/// The path with an ending put behind its file name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Makes an empty file that only its owner may read, since secrets go into it; one that exists is left.
pub(crate) fn create_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

/// A connection that writes; a commit on it is on disk when it returns.
pub(crate) fn open_writing(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(StoreError::database(path))?;
    let set = |connection: &Connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX as i64)
    };
    set(&connection).map_err(|error| not_ours(path, error))?;
    Ok(connection)
}

/// A connection that can only read; the file may be served by this or another process.
pub(crate) fn open_reading(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(StoreError::database(path))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(StoreError::database(path))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// What a first failure says about a file: often that it is no database at all.
pub(crate) fn not_ours(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign { path: path.to_owned() },
        _ => StoreError::database(path)(error),
    }
}
