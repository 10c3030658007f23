//! Writing a store out, to a file that is whole or not there.

use crate::error::TransferError;
use crate::report::Report;
use crate::sink::Target;
use crate::{lines, pie};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use store::Progress;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own: all that rooms and accounts are.
    Netjoin,
    /// XEP-0227: what of accounts it has words for.
    Pie,
}

/// Writes what a store holds of rooms and accounts to a new file that only its owner may read, since what lets people log in
/// stands in it; as it is at this moment, served or not.
pub fn export(
    from: &Path,
    to: &Path,
    target: &Target,
    format: Format,
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, TransferError> {
    let exists = || std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists already; nothing is overwritten");
    if to.exists() {
        return Err(TransferError::io(to)(exists()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(partial);
    let mut out = BufWriter::new(file.map_err(TransferError::io(partial))?);
    let written = match format {
        Format::Netjoin => lines::write(from, target, (partial, &mut out), tell),
        Format::Pie => pie::write(from, target, (partial, &mut out), tell),
    };
    let finish = |mut out: BufWriter<std::fs::File>| {
        out.flush()?;
        out.get_ref().sync_all()?;
        std::fs::rename(partial, to)
    };
    let done = written.and_then(|report| finish(out).map(|()| report).map_err(TransferError::io(to)));
    done.inspect_err(|_| {
        // The reason for failing is the one to be told; half an export is of no use.
        let _ = std::fs::remove_file(partial);
    })
}
