//! `netjoin serve`: runs until SIGTERM.

use std::io::{self, Write as _};

use serde_json::json;

use super::ConfigFile;
use super::exit::Failure;
use crate::config::Config;
use crate::log;
use crate::serve::{Event, serve};

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin serve --config netjoin.toml
  netjoin serve --config netjoin.toml --json | head -n 3      addresses, then that it is ready

Signals: SIGTERM and SIGINT end it in order, streams are told and the store is made durable. SIGHUP reads the
configuration and the certificates again: certificates, routes and the log's level change at once, the log says what
else waits for the next start.

With --json, standard output has one object a line:
  {\"event\":\"listening\",\"what\":\"c2s\",\"addr\":\"127.0.0.1:5222\"}   for each address, port 0 made real
  {\"event\":\"ready\"}

Exit codes: 0 it was ended; 1 it could not start; 3 the configuration is wrong.")]
pub struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON object a line: what is listened on, then that it is ready
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let checked = Config::check(&args.config.file);
    let Some(config) = checked.config else {
        let problems: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        return Err(Failure::config(problems.join("\n")));
    };
    log::start(&config.log).map_err(|error| Failure::failed(error.to_string()))?;
    for warning in &checked.problems {
        tracing::warn!("{warning}");
    }
    serve(config, |event| tell(event, args.json)).map_err(|error| Failure::failed(format!("{error:#}")))
}

/// Whoever started the program may have stopped listening to it; that is no reason to stop serving.
fn tell(event: &Event, as_json: bool) {
    let line = match (event, as_json) {
        (Event::Listening { what, addr }, true) => {
            json!({ "event": "listening", "what": what, "addr": addr.to_string() }).to_string()
        }
        (Event::Ready, true) => json!({ "event": "ready" }).to_string(),
        (Event::Listening { what, addr }, false) => format!("listens on {addr} for {what}"),
        (Event::Ready, false) => "ready".to_owned(),
    };
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
