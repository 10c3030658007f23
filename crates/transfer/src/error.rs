//! Why nothing was carried over; each a sentence for the operator.

use std::fmt;
use std::path::{Path, PathBuf};
use store::StoreError;

/// Why an import or export did not happen. Nothing of it is there then.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file could not be read, or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}{place}: {what}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong.
        what: String,
    },
    /// The path leads to nothing that can be read here.
    #[error(
        "{} is neither a folder or SQLite database of Prosody, nor a dump of ejabberd, nor XEP-0227, nor an export of netjoin",
        .0.display()
    )]
    Unknown(PathBuf),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no chance to be had from the system.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// Where in a file something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a text.
    Line {
        /// From 1.
        line: usize,
        /// In bytes, from 1.
        column: usize,
    },
    /// In a table of a database, or under a name of its own.
    Named(String),
}

/// What a parser of bytes says: where it had come to, and what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The byte, from 0.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

impl Wrong {
    /// The error for a file that was read whole.
    pub fn within(self, path: &Path, text: &[u8]) -> TransferError {
        let before = &text[..self.at.min(text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        TransferError::Broken { path: path.to_owned(), place: Place::Line { line, column }, what: self.what }
    }
}

impl TransferError {
    /// The file system's refusal, with the file it is about.
    pub fn io(path: &Path) -> impl Fn(std::io::Error) -> TransferError + use<> {
        let path = path.to_owned();
        move |source| TransferError::Io { path: path.clone(), source }
    }

    /// A file that is wrong somewhere that has a name.
    pub fn broken(path: &Path, place: impl Into<String>, what: impl Into<String>) -> TransferError {
        TransferError::Broken { path: path.to_owned(), place: Place::Named(place.into()), what: what.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { line, column } => write!(f, ":{line}:{column}"),
            Place::Named(name) if name.is_empty() => Ok(()),
            Place::Named(name) => write!(f, ", {name}"),
        }
    }
}
