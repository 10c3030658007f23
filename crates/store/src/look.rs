//! A page of any store file, for operators.

use crate::error::StoreError;
use crate::{file, page, schema};
use machine::{ArchivePage, ArchiveQuery};
use std::path::Path;

/// Reads a page of a store file, served or not.
pub fn look(path: &Path, query: &ArchiveQuery) -> Result<ArchivePage, StoreError> {
    let connection = file::open_reading(path)?;
    schema::version(&connection, path)?;
    page::read(&connection, query).map_err(StoreError::database(path))
}
