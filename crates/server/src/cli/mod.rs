//! The command line: what an operator types. Each command is a file; this one parses and sums up the exit codes.

mod check;
pub mod exit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything `netjoin` can be told.
#[derive(Debug, Parser)]
#[command(name = "netjoin", version, about = ABOUT, after_help = exit::MANUAL)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const ABOUT: &str = "Chat rooms that live on several XMPP servers (XEP-0282)";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what is wrong with a configuration, by line and key, and what would be listened on
    Check(check::Args),
}

/// The option that names the configuration.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE")]
    pub file: PathBuf,
}

/// Parses the command line and carries it out.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
    }
}
