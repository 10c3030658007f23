//! A copy of a store, made while it is served.

use crate::error::StoreError;
use crate::file;
use crate::schema;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

/// Pages copied at a time: a megabyte.
const STEP_PAGES: i32 = 256;
/// Pause between them, in which the server has the disk to itself. Short, since the write-ahead log cannot be cut
/// while a copy is being made.
const STEP_PAUSE: Duration = Duration::from_millis(2);

/// How far something long has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all, as far as is known.
    pub total: u64,
}

/// Copies a store, served or not, to a new file and returns its size in bytes.
///
/// The copy is the store as it was when the copying began, one file that can be served in place of the original.
/// It is whole or not there: until it is on disk it has the ending `.partial`. Progress counts pages.
pub fn backup(from: &Path, to: &Path, progress: &mut dyn FnMut(Progress)) -> Result<u64, StoreError> {
    if to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let source = file::open_reading(from)?;
    schema::version(&source, from)?;
    let partial = file::beside(to, ".partial");
    let bytes = copy(&source, &partial, progress).inspect_err(|_| {
        // The reason for failing is the one to be told; what is left of the copy is of no use.
        let _ = std::fs::remove_file(&partial);
    })?;
    std::fs::rename(&partial, to).map_err(StoreError::io(to))?;
    sync_directory_of(to)?;
    Ok(bytes)
}

fn copy(source: &Connection, partial: &Path, progress: &mut dyn FnMut(Progress)) -> Result<u64, StoreError> {
    if let Err(error) = std::fs::remove_file(partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(StoreError::io(partial)(error));
    }
    file::create_private(partial)?;
    let mut target = Connection::open(partial).map_err(StoreError::database(partial))?;
    copy_pages(source, &mut target, progress).map_err(StoreError::database(partial))?;
    target.close().map_err(|(_, error)| StoreError::database(partial)(error))?;
    let file = File::open(partial).map_err(StoreError::io(partial))?;
    file.sync_all().map_err(StoreError::io(partial))?;
    Ok(file.metadata().map_err(StoreError::io(partial))?.len())
}

fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    progress: &mut dyn FnMut(Progress),
) -> rusqlite::Result<()> {
    // Within one read transaction: otherwise every commit of the server would make the copying start again.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    {
        let backup = Backup::new(&snapshot, target)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let at = backup.progress();
            let total = u64::from(at.pagecount.unsigned_abs());
            progress(Progress { done: total.saturating_sub(u64::from(at.remaining.unsigned_abs())), total });
            if step == StepResult::Done {
                break;
            }
            std::thread::sleep(STEP_PAUSE);
        }
    }
    // One file, without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")
}

/// Makes a new name durable.
fn sync_directory_of(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(StoreError::io(directory))
}
