//! The socket's file: private from its first moment, put in place in one step, found however long the path is.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Longest path that a Unix socket's address holds, unix(7).
const SUN_PATH_BYTES_MAX: usize = 107;

/// Listens at a path, in place of what a server that was killed may have left there.
///
/// The caller holds the store, so that no other server listens at the same path.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let parent = path.parent().unwrap_or(Path::new("."));
    // Made in a directory of mode 0700: there is no moment in which others could connect.
    let private = tempfile::Builder::new().prefix(".control-").tempdir_in(parent)?;
    let made = private.path().join("socket");
    let listener = Reached::new(&made)?.with(|made| UnixListener::bind(made))?;
    fs::set_permissions(&made, Permissions::from_mode(0o600))?;
    fs::rename(&made, path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A path short enough for a socket's address, by way of its open directory where it is too long itself.
pub(super) struct Reached {
    path: PathBuf,
    _directory: Option<File>,
}

impl Reached {
    /// Makes it reachable.
    pub(super) fn new(path: &Path) -> io::Result<Reached> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        if path.as_os_str().len() <= SUN_PATH_BYTES_MAX {
            return Ok(Reached { path: path.to_owned(), _directory: None });
        }
        let directory = File::open(path.parent().unwrap_or(Path::new(".")))?;
        let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
        Ok(Reached { path, _directory: Some(directory) })
    }

    /// Uses it while the directory is open.
    pub(super) fn with<T>(&self, act: impl FnOnce(&Path) -> T) -> T {
        act(&self.path)
    }
}
