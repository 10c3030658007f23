//! `netjoin check`: everything that is wrong with a configuration, and what it would do.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use serde_json::json;

use super::exit;
use crate::config::{Checked, Config, manual};

/// Its arguments.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  netjoin check --config /etc/netjoin/netjoin.toml
  netjoin check --config netjoin.toml --json      one object, for programs
  netjoin check --manual                          every key there is, as Markdown

Exit codes: 0 it can run, perhaps with warnings; 3 it cannot.")]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", required_unless_present = "manual")]
    config: Option<std::path::PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the reference of all keys instead
    #[arg(long, conflicts_with_all = ["config", "json"])]
    manual: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let Some(file) = &args.config else {
        print!("{}", manual::reference());
        return exit::code(exit::OK);
    };
    let checked = Config::check(file);
    if args.json {
        print_json(&checked)
    } else {
        print_text(&checked)
    }
    exit::code(if checked.config.is_some() { exit::OK } else { exit::CONFIG })
}

fn print_text(checked: &Checked) {
    for problem in &checked.problems {
        println!("{problem}");
        if let Some(manual) = manual::of_key(&problem.key) {
            println!("    {manual}");
        }
    }
    let Some(config) = &checked.config else { return };
    if let Some(domain) = &config.domain {
        println!("accounts at {domain}");
    }
    if let Some(rooms) = &config.rooms {
        println!("rooms at {}", rooms.domain);
    }
    if let Some(replica) = &config.replica {
        println!("replica {}", replica.jid);
    }
    for (what, key, addr) in config.listeners() {
        println!("listens on {addr} for {what} ({key})");
    }
    for files in config.certificates() {
        let domains: Vec<&str> = files.domains.iter().map(|domain| domain.as_str()).collect();
        let how = if files.made && !files.certificate.exists() { ", made at the first start" } else { "" };
        println!("shows {} for {}{how}", files.certificate.display(), domains.join(", "));
    }
    println!("keeps everything in {}", config.data.display());
}

fn print_json(checked: &Checked) {
    let problems = checked.problems.iter().map(|problem| {
        json!({
            "file": problem.file, "line": problem.line, "key": problem.key,
            "message": problem.message, "fatal": problem.fatal,
        })
    });
    let listeners = checked.config.iter().flat_map(|config| config.listeners());
    let listeners = listeners.map(|(what, key, addr)| json!({"what": what, "key": key, "addr": addr.to_string()}));
    println!(
        "{}",
        json!({
            "ok": checked.config.is_some(),
            "problems": problems.collect::<Vec<_>>(),
            "listens": listeners.collect::<Vec<_>>(),
        })
    );
}
