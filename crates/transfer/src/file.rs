//! Files that are held in memory whole, as those who wrote them do.

use crate::error::TransferError;
use std::io::Read as _;
use std::path::Path;

/// Largest such file, bytes: an archive of Prosody has 10,000 messages at the most, each within a stanza's size; tables of Mnesia
/// on disk end at 2 GB, which their text exceeds a little.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Reads a file whole.
pub(crate) fn whole(path: &Path) -> Result<Vec<u8>, TransferError> {
    let file = std::fs::File::open(path).map_err(TransferError::io(path))?;
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(TransferError::io(path))?;
    if text.len() as u64 == FILE_BYTES_MAX {
        return Err(TransferError::broken(path, "", "is too large"));
    }
    Ok(text)
}
