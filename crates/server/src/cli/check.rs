//! `netjoin check`: everything that is wrong with a configuration, and what it would do.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::exit::Failure;
use super::output;
use crate::config::{Checked, Config, Route, manual};

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
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the reference of all keys instead
    #[arg(long, conflicts_with_all = ["config", "json"])]
    manual: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let Some(file) = &args.config else {
        return output::line(manual::reference().trim_end());
    };
    let checked = Config::check(file);
    if args.json {
        print_json(&checked)?
    } else {
        print_text(&checked)?
    }
    // The problems are what was asked for, and have been printed.
    checked.config.map(drop).ok_or(Failure::config(""))
}

fn print_text(checked: &Checked) -> Result<(), Failure> {
    for problem in &checked.problems {
        output::line(&problem.to_string())?;
        if let Some(manual) = manual::of_key(&problem.key) {
            output::line(&format!("    {}: {manual}", problem.key))?;
        }
    }
    match &checked.config {
        Some(config) => print_plan(config),
        None => Ok(()),
    }
}

/// What the server would do.
fn print_plan(config: &Config) -> Result<(), Failure> {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    if let Some(domain) = &config.domain {
        row("accounts", format!("at {domain}"));
    }
    if let Some(rooms) = &config.rooms {
        row("rooms", format!("at {}", rooms.domain));
    }
    if let Some(replica) = &config.replica {
        row("replica", replica.jid.to_string());
    }
    for component in &config.components {
        let Route { host, port } = &component.connect;
        row("component", format!("{} of the server at {host}:{port}", component.domain));
    }
    for (what, key, addr) in config.listeners() {
        row("listens", format!("{addr} for {what} ({key})"));
    }
    for (domain, route) in &config.routes {
        row("route", format!("{domain} at {}:{}", route.host, route.port));
    }
    for files in config.certificates() {
        let domains: Vec<&str> = files.domains.iter().map(|domain| domain.as_str()).collect();
        let how = if files.made && !files.certificate.exists() { ", made at the first start" } else { "" };
        row("certificate", format!("{} for {}{how}", files.certificate.display(), domains.join(", ")));
    }
    row("keeps", config.data.display().to_string());
    output::table(["WHAT", "HOW"], &rows)
}

fn print_json(checked: &Checked) -> Result<(), Failure> {
    let problems = checked.problems.iter().map(|problem| {
        json!({
            "file": problem.file, "line": problem.line, "key": problem.key,
            "message": problem.message, "fatal": problem.fatal,
        })
    });
    let listeners = checked.config.iter().flat_map(|config| config.listeners());
    let listeners = listeners.map(|(what, key, addr)| json!({"what": what, "key": key, "addr": addr.to_string()}));
    output::json(&json!({
        "ok": checked.config.is_some(),
        "problems": problems.collect::<Vec<_>>(),
        "listens": listeners.collect::<Vec<_>>(),
    }))
}
