//! What the program's exit codes mean, and how a failure becomes one.

use std::process::ExitCode;

use crate::control::{ClientError, Refusal, RefusalKind};

/// It could not be done; standard error says why.
pub const FAILED: u8 = 1;
/// The command line is wrong; clap's own code too.
pub const USAGE: u8 = 2;
/// The configuration is wrong.
pub const CONFIG: u8 = 3;
/// What was named is not there, or is there already.
pub const NAMED: u8 = 4;
/// It needs a server that runs, and none does.
pub const NOT_RUNNING: u8 = 5;

/// Why a command ends without having done it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to say on standard error; nothing when it has been said.
    pub message: String,
}

impl Failure {
    /// It was tried and did not work.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure { code: FAILED, message: message.into() }
    }

    /// The configuration is wrong.
    pub fn config(message: impl Into<String>) -> Failure {
        Failure { code: CONFIG, message: message.into() }
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into() }
    }

    /// Says it, and gives the code to the process.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("netjoin: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let code = if matches!(error, ClientError::NotRunning) { NOT_RUNNING } else { FAILED };
        Failure { code, message: error.to_string() }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let code = match refusal.kind {
            RefusalKind::NotFound | RefusalKind::Exists => NAMED,
            RefusalKind::Invalid => USAGE,
            RefusalKind::Failed => FAILED,
        };
        Failure { code, message: refusal.message }
    }
}

impl From<::store::StoreError> for Failure {
    fn from(error: ::store::StoreError) -> Failure {
        let named = matches!(error, ::store::StoreError::Exists { .. } | ::store::StoreError::Missing { .. });
        Failure { code: if named { NAMED } else { FAILED }, message: error.to_string() }
    }
}
