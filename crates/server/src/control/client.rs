//! A command's side: connect, ask, read one line.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::socket::Reached;
use super::{ANSWER_BYTES_MAX, Refusal, Request, Response, Wire};

/// How long an answer may take: as long as a disk may.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// A connection to a server that runs.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no server runs with this configuration; start it with `netjoin serve`")]
    NotRunning,
    /// The socket belongs to another user.
    #[error("the server belongs to another user; run this as that user, or with sudo")]
    NotAllowed,
    /// The connection broke or the answer is none.
    #[error("the server could not be asked: {0}")]
    Broken(#[from] io::Error),
}

impl Client {
    /// Connects to the socket of a running server.
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        let stream = Reached::new(path).and_then(|path| path.with(|path| UnixStream::connect(path)));
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            io::ErrorKind::PermissionDenied => ClientError::NotAllowed,
            _ => ClientError::Broken(error),
        })?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.set_write_timeout(Some(ANSWER_TIME))?;
        Ok(Client { stream: BufReader::new(stream) })
    }

    /// Asks one thing.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        if line.len() > super::REQUEST_BYTES_MAX {
            return Ok(Err(Refusal::invalid("the name or the password is too long")));
        }
        self.stream.get_mut().write_all(&line)?;
        line.clear();
        (&mut self.stream).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let wire: Wire = serde_json::from_slice(&line).map_err(io::Error::from)?;
        Ok(wire.into())
    }
}
