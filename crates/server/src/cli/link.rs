//! `netjoin link`: sites and their links, and holding them apart by hand.

use clap::Subcommand;
use serde_json::json;

use super::exit::Failure;
use super::{ConfigFile, ask, output};
use crate::config::Domain;
use crate::control::{Answer, Link, Request};

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin link list --config netjoin.toml
  netjoin link list --json --config netjoin.toml | jq '.links[] | select(.state != \"live\")'
  netjoin link cut eris.dclxvii.irc --config netjoin.toml     a netsplit by hand
  netjoin link heal eris.dclxvii.irc --config netjoin.toml    and the netjoin

States: live; connecting; idle, no stream is needed now; suspect, pings are not answered; split, lost, each side goes
on by itself; cut, held apart by `link cut`. All of these need the server to run.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All sites: state and since when, stanzas and bytes, what waits
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// End all streams with a domain, and refuse new ones until it is healed
    Cut {
        /// The other domain
        domain: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Let a domain connect again
    Heal {
        /// The other domain
        domain: String,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::List { config, json } => list(config, *json),
        What::Cut { domain, config } => cut(config, parsed(domain)?),
        What::Heal { domain, config } => change(config, Request::LinkHeal { domain: parsed(domain)? }),
    }
}

fn parsed(domain: &str) -> Result<String, Failure> {
    let parsed = Domain::new(domain).ok_or_else(|| Failure::usage(format!("{domain:?} is no domain")))?;
    Ok(parsed.as_str().to_owned())
}

/// Cuts a link; where there has never been one, says so: a misspelt name would hold nobody apart.
fn cut(config: &ConfigFile, domain: String) -> Result<(), Failure> {
    let Answer::Links(links) = ask::running(&config.load()?, &Request::LinkList)? else {
        return Err(ask::unexpected());
    };
    change(config, Request::LinkCut { domain: domain.clone() })?;
    if !links.iter().any(|link| link.domain == domain) {
        eprintln!("there has been no link to {domain} since the start; it is held apart from now on");
    }
    Ok(())
}

fn change(config: &ConfigFile, request: Request) -> Result<(), Failure> {
    match ask::running(&config.load()?, &request)? {
        Answer::Done => Ok(()),
        _ => Err(ask::unexpected()),
    }
}

fn list(config: &ConfigFile, as_json: bool) -> Result<(), Failure> {
    let Answer::Links(links) = ask::running(&config.load()?, &Request::LinkList)? else {
        return Err(ask::unexpected());
    };
    if as_json {
        return output::json(&json!({ "links": links }));
    }
    let heads = [
        "SITE",
        "STATE",
        "SINCE",
        "IN",
        "OUT",
        "WAITING",
        "ROOMS",
        "LAG",
        "OUTBOX",
        "RESUMES",
        "REFUSALS",
        "MISMATCHES",
    ];
    output::table(heads, &links.iter().map(row).collect::<Vec<_>>())
}

fn row(link: &Link) -> [String; 12] {
    let traffic = |stanzas: u64, bytes: u64| format!("{stanzas} ({})", output::bytes(bytes));
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    [
        link.domain.clone(),
        link.state.as_str().into(),
        or_dash(link.since.map(output::since)),
        traffic(link.stanzas_in, link.bytes_in),
        traffic(link.stanzas_out, link.bytes_out),
        link.queued.to_string(),
        link.rooms.to_string(),
        or_dash(link.lag_ms.map(output::lag)),
        or_dash(link.outbox.map(|stanzas| stanzas.to_string())),
        link.resumes.to_string(),
        link.refusals.to_string(),
        link.mismatches.to_string(),
    ]
}
