//! The log, on standard error: for people, or one JSON object a line.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};

/// Starts it, once for the process.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    // The filter was read once by the configuration's own check.
    let filter = log.level.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    let start = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Human => start.with_ansi(std::io::stderr().is_terminal()).with_target(false).finish().try_init(),
        LogFormat::Json => start.json().flatten_event(true).finish().try_init(),
    }
}
