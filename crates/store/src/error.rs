//! Why a store file could not be opened, copied or read; each a sentence for the operator.

use std::path::{Path, PathBuf};

/// Why something could not be done with a store file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process serves from this file.
    #[error("{} is served by another process ({holder}); stop that one first", path.display())]
    Served {
        /// The file.
        path: PathBuf,
        /// Who holds it, as that process wrote it down.
        holder: String,
    },
    /// The file was written by a later version.
    #[error(
        "{} has schema version {found}, and this netjoin knows versions up to {known}; use the newer netjoin that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The highest version known here.
        known: u32,
    },
    /// The file is something else.
    #[error("{} is not a netjoin store", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by an earlier version, and serving it brings it up.
    #[error("{} is of an earlier version; start the server once, which brings it up", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// What was to be written contradicts what is kept, or itself.
    #[error("{}: {what} contradicts what is there", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        what: String,
    },
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A backup would overwrite something.
    #[error("{} exists already; a backup never overwrites", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The database refused.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

impl StoreError {
    /// The database's refusal, with the file it is about.
    pub(crate) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| StoreError::Database { path: path.clone(), source }
    }

    /// The file system's refusal, with the file it is about.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| StoreError::Io { path: path.clone(), source }
    }
}
