//! `netjoin store import` and `export`: what another server kept, taken over; what is kept here, written out. docs/switching.md.

use std::path::PathBuf;

use serde_json::json;
use transfer::{Format, How, Report, Source, Target, There};

use super::exit::Failure;
use super::{ConfigFile, output, progress};
use crate::config::Config;
use crate::users::accounts_config;

/// The arguments of an import.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What FROM may be is found out by looking at it:
  Prosody's folder of data (internal storage), as /var/lib/prosody
  Prosody's SQLite database, as /var/lib/prosody/prosody.sqlite
  what `ejabberdctl dump FILE` writes, and `ejabberdctl export_piefxis FOLDER`
  any server's XEP-0227: accounts alone
  what `netjoin store export` has written

Stop the other server first, or import from a copy: what it writes meanwhile is missed. This server must not run either.
Rooms must be at the domain of [rooms], accounts at `domain`; what belongs to other domains is told and left.

All of it is imported or, after an error, nothing. Rooms and accounts that are here already stay as they are, so that a
second import changes nothing; --replace removes them first. What cannot be carried over is listed at the end.

Exit codes: 0 done; 1 it could not be read or written, and nothing is changed; 4 there is no such file.")]
pub struct Import {
    /// What the other server kept
    from: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the other server's word for rooms and accounts that are here already
    #[arg(long)]
    replace: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The arguments of an export.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It is written as it is at this moment, whether the server runs or not, to a new file that only its owner may read: what
lets people log in stands in it. Without --xep-0227 it has rooms with their archives, and accounts, a JSON object a line;
`netjoin store import` reads it. With it, what XEP-0227 has words for: accounts alone.

Exit codes: 0 done; 1 it could not be read or written; 4 there is no store.")]
pub struct Export {
    /// The new file; it must not be there
    to: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Write XEP-0227 instead
    #[arg(long)]
    xep_0227: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Exports.
pub fn export(args: &Export) -> Result<(), Failure> {
    let config = args.config.load()?;
    let format = if args.xep_0227 { Format::Pie } else { Format::Netjoin };
    let report = progress::with("exporting", |tell| {
        ::transfer::export(&config.store_file(), &args.to, &target(&config), format, tell)
    })?;
    if args.json {
        return output::json(&json!({ "to": args.to, "report": report }));
    }
    told(&report, "exported", &format!("to {}", args.to.display()))
}

/// Imports.
pub fn import(args: &Import) -> Result<(), Failure> {
    let config = args.config.load()?;
    if !args.from.exists() {
        return Err(Failure { code: super::exit::NAMED, message: format!("{} does not exist", args.from.display()) });
    }
    let source = Source::at(&args.from)?;
    std::fs::create_dir_all(&config.data)
        .map_err(|error| Failure::failed(format!("{}: {error}", config.data.display())))?;
    let keep = if args.dry_run { ::store::Keep::No } else { ::store::Keep::Yes };
    let there = if args.replace { There::Replaced } else { There::Stays };
    let how = How { keep, there };
    let report = progress::with("importing", |tell| {
        ::transfer::import(&args.from, &config.store_file(), &target(&config), how, tell)
    })?;
    if args.json {
        return output::json(&json!({ "from": source.as_str(), "dry_run": args.dry_run, "report": report }));
    }
    let did = if args.dry_run { "would import" } else { "imported" };
    told(&report, did, &format!("from {}", source.as_str()))
}

fn told(report: &Report, did: &str, whence: &str) -> Result<(), Failure> {
    for there in &report.there {
        output::line(&format!("{there}: is here already, and stays as it is"))?;
    }
    for left in &report.left {
        let key = if left.key.is_empty() { String::new() } else { format!(", {}", left.key) };
        output::line(&format!("{}{key}: left: {}", left.of, left.why))?;
    }
    let more = report.left_count - report.left.len() as u64;
    if more > 0 {
        output::line(&format!("and {more} more"))?;
    }
    let Report { rooms, affiliations, messages, accounts, contacts, .. } = report;
    output::line(&format!(
        "{did} {whence}: {rooms} rooms with {affiliations} on their lists and {messages} messages, {accounts} accounts with \
         {contacts} contacts"
    ))
}

/// What belongs here.
fn target(config: &Config) -> Target {
    let accounts = accounts_config(config);
    Target {
        domain: accounts.as_ref().map(|accounts| accounts.domain.clone()),
        reserved: accounts.map(|accounts| accounts.reserved).unwrap_or_default(),
        rooms: config.rooms.as_ref().map(|rooms| rooms.domain.jid().clone()),
    }
}

impl From<::transfer::TransferError> for Failure {
    fn from(error: ::transfer::TransferError) -> Failure {
        match error {
            ::transfer::TransferError::Store(error) => error.into(),
            other => Failure::failed(other.to_string()),
        }
    }
}
