//! The log, on standard error: for people, or one JSON object a line. How much can be changed while it runs.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{Log, LogFormat};

/// Puts another filter in place.
type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// The process's one log, once it has been started.
static CHANGE: OnceLock<Change> = OnceLock::new();

/// Starts it, once for the process.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    let start = tracing_subscriber::fmt().with_env_filter(filter(log)).with_writer(std::io::stderr);
    let change: Change = match log.format {
        LogFormat::Human => {
            let start = start.with_ansi(std::io::stderr().is_terminal()).with_target(false).with_filter_reloading();
            let handle = start.reload_handle();
            start.finish().try_init()?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
        LogFormat::Json => {
            let start = start.json().flatten_event(true).with_filter_reloading();
            let handle = start.reload_handle();
            start.finish().try_init()?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
    };
    // The first one stands: `try_init` has refused all others.
    let _ = CHANGE.set(change);
    Ok(())
}

/// Changes how much is logged; whether a log was there to be changed.
pub fn change_level(log: &Log) -> bool {
    CHANGE.get().is_some_and(|change| change(filter(log)))
}

fn filter(log: &Log) -> EnvFilter {
    // It was read once by the configuration's own check.
    log.level.parse().unwrap_or_else(|_| EnvFilter::new("info"))
}
