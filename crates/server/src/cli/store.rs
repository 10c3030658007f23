//! `netjoin store`: a copy while it is served, a check of every record, how much there is; what another server kept (`transfer`).

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::exit::Failure;
use super::{ConfigFile, output, progress, transfer};

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin store backup /backup/netjoin-$(date +%F).db --config netjoin.toml
  netjoin store verify --config netjoin.toml
  netjoin store verify --file /backup/netjoin-2026-11-21.db
  netjoin store stats --config netjoin.toml --json

  netjoin store import /var/lib/prosody --dry-run --config netjoin.toml
  netjoin store export rooms.jsonl --config netjoin.toml

All of these but import work whether the server runs or not. To go back to a copy, stop the server and put the copy in the place
of netjoin.db in the data directory, with netjoin.db-wal and netjoin.db-shm removed.

Exit codes: 0 done, and for verify nothing is wrong; 1 something is wrong; 4 the file is not there, or there already.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Copy everything to a new file, as it is at this moment
    Backup {
        /// The new file; it must not be there
        to: PathBuf,
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check the file, every record and every archived message
    Verify {
        #[command(flatten)]
        which: Which,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Take over what another server kept: rooms, archives, accounts
    Import(transfer::Import),
    /// Write out rooms, archives and accounts, in a documented format or as XEP-0227
    Export(transfer::Export),
    /// Sizes and counts
    Stats {
        #[command(flatten)]
        which: Which,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// A store: that of a configuration, or any file.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The configuration file whose store is meant
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A store file itself, such as a copy
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Which {
    fn file(&self) -> Result<PathBuf, Failure> {
        match (&self.file, &self.config) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(config)) => Ok(ConfigFile { file: config.clone() }.load()?.store_file()),
            (None, None) => Err(Failure::usage("name a store by --config or --file")),
        }
    }
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Backup { to, config, json } => backup(to, config, *json),
        What::Verify { which, json } => verify(which, *json),
        What::Import(args) => transfer::import(args),
        What::Export(args) => transfer::export(args),
        What::Stats { which, json } => stats(which, *json),
    }
}

fn backup(to: &std::path::Path, config: &ConfigFile, as_json: bool) -> Result<(), Failure> {
    let from = config.load()?.store_file();
    let size = progress::with("copying", |tell| ::store::backup(&from, to, tell))?;
    if as_json {
        return output::json(&json!({ "file": to, "bytes": size }));
    }
    output::line(&format!("copied {} to {}", output::bytes(size), to.display()))
}

fn verify(which: &Which, as_json: bool) -> Result<(), Failure> {
    let file = which.file()?;
    let report = progress::with("checking", |tell| ::store::verify(&file, tell))?;
    if as_json {
        output::json(&json!({
            "ok": report.is_sound(), "records": report.records, "archives": report.archives, "rows": report.rows,
            "problems": report.problems, "problems_count": report.problems_count,
        }))?;
    } else {
        for problem in &report.problems {
            output::line(problem)?;
        }
        let (records, rows, archives) = (report.records, report.rows, report.archives);
        output::line(&format!("{records} records, {rows} messages in {archives} archives"))?;
    }
    match report.problems_count {
        0 => Ok(()),
        wrong => Err(Failure::failed(format!("{wrong} problems in {}; go back to a copy", file.display()))),
    }
}

fn stats(which: &Which, as_json: bool) -> Result<(), Failure> {
    let file = which.file()?;
    let stats = ::store::stats(&file)?;
    if as_json {
        return output::json(&json!({
            "file": file, "schema": stats.schema, "file_bytes": stats.file_bytes, "wal_bytes": stats.wal_bytes,
            "free_bytes": stats.free_bytes, "records": stats.records, "archives": stats.archives, "rows": stats.rows,
        }));
    }
    let rows = [
        ["file".into(), file.display().to_string()],
        ["size".into(), output::bytes(stats.file_bytes)],
        ["write-ahead log".into(), output::bytes(stats.wal_bytes)],
        ["free within".into(), output::bytes(stats.free_bytes)],
        ["records".into(), stats.records.to_string()],
        ["archives".into(), stats.archives.to_string()],
        ["messages in them".into(), stats.rows.to_string()],
        ["schema version".into(), stats.schema.to_string()],
    ];
    output::table(["WHAT", "VALUE"], &rows)
}
