//! What a path leads to, and reading it.

use crate::ejabberd;
use crate::error::TransferError;
use crate::lines;
use crate::pie;
use crate::prosody;
use crate::report::Report;
use crate::sink::{Sink, Target, There};
use std::io::Read as _;
use std::path::Path;
use store::{Keep, Progress};

/// What somebody else wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Prosody's folder of data, `internal` storage.
    ProsodyFolder,
    /// Prosody's SQLite database.
    ProsodyDatabase,
    /// What `ejabberdctl dump` writes.
    EjabberdDump,
    /// XEP-0227.
    Pie,
    /// An export of our own.
    Netjoin,
}

/// How an import is done.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Whether it is done, or only said what would be.
    pub keep: Keep,
    /// What becomes of who is here already.
    pub there: There,
}

impl Source {
    /// What stands at a path, by its looks.
    pub fn at(path: &Path) -> Result<Source, TransferError> {
        if path.is_dir() {
            let known = prosody::internal::is_one(path);
            return known.then_some(Source::ProsodyFolder).ok_or_else(|| TransferError::Unknown(path.to_owned()));
        }
        let mut beginning = Vec::new();
        let file = std::fs::File::open(path).map_err(TransferError::io(path))?;
        file.take(BEGINNING_BYTES).read_to_end(&mut beginning).map_err(TransferError::io(path))?;
        if prosody::sqlite::is_one(&beginning) {
            return Ok(Source::ProsodyDatabase);
        }
        if ejabberd::is_one(&beginning) {
            return Ok(Source::EjabberdDump);
        }
        if lines::is_one(&beginning) {
            return Ok(Source::Netjoin);
        }
        if pie::is_one(&beginning) {
            return Ok(Source::Pie);
        }
        Err(TransferError::Unknown(path.to_owned()))
    }

    /// Whose it is, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::ProsodyFolder => "a folder of Prosody",
            Source::ProsodyDatabase => "a database of Prosody",
            Source::EjabberdDump => "a dump of ejabberd",
            Source::Pie => "XEP-0227",
            Source::Netjoin => "an export of netjoin",
        }
    }
}

/// Reads what is at `from` into the store `to`, which nobody may be serving: all of it, or nothing.
pub fn import(
    from: &Path,
    to: &Path,
    target: &Target,
    how: How,
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, TransferError> {
    let source = Source::at(from)?;
    store::bulk(to, how.keep, |bulk| {
        let mut sink = Sink::new(bulk, target, how.there);
        match source {
            Source::ProsodyFolder => prosody::internal::read(from, &mut sink, tell)?,
            Source::ProsodyDatabase => prosody::sqlite::read(from, &mut sink, tell)?,
            Source::EjabberdDump => ejabberd::read(from, &mut sink, tell)?,
            Source::Pie => pie::read(from, &mut sink, tell)?,
            Source::Netjoin => lines::read(from, &mut sink, tell)?,
        }
        Ok(sink.report)
    })
}

/// Enough to tell them apart.
const BEGINNING_BYTES: u64 = 4_096;
