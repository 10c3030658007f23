//! The command line: what an operator types. Each command is a file; this one parses and hands over.

mod ask;
mod check;
mod demo;
pub mod exit;
mod init;

mod link;
mod output;
mod progress;
mod room;
mod serve;
mod store;
mod transfer;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use exit::Failure;

/// Everything `netjoin` can be told.
#[derive(Debug, Parser)]
#[command(name = "netjoin", version, about = ABOUT, after_help = AFTER, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const ABOUT: &str = "Chat rooms that live on several XMPP servers (XEP-0282)";

const AFTER: &str = "\
From nothing to a room:
  netjoin init ./try --domain localhost --rooms rooms.localhost
  netjoin serve --config ./try/netjoin.toml
  then log in with any XMPP client as admin@localhost and join lobby@rooms.localhost

Exit codes:
  0  done
  1  could not be done; standard error says why
  2  the command line is wrong
  3  the configuration is wrong
  4  what was named is not there, or is there already
  5  it needs a server that runs with this configuration, and none does";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a configuration, a certificate and the first account
    Init(init::Args),
    /// Run, until SIGTERM
    Serve(serve::Args),
    /// Play the story of XEP-0282 on four servers on loopback, and check all of it
    Demo(demo::Args),
    /// Say what is wrong with a configuration, by line and key, and what would be listened on
    Check(check::Args),
    /// Accounts: make, remove, list them, change a password; also while it serves
    User(user::Args),
    /// Sites and their links: list them, hold one apart, let it join again
    Link(link::Args),
    /// Rooms: those led here, and those mirrored from elsewhere
    Room(room::Args),
    /// What is kept: copy it while it is served, check every record, measure it
    Store(store::Args),
}

/// The option that names the configuration.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE")]
    pub file: PathBuf,
}

impl ConfigFile {
    /// Reads it, or says everything that is wrong with it.
    pub fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.file).map_err(|error| Failure::config(error.to_string()))
    }
}

/// Parses the command line and carries it out.
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Check(args) => check::run(&args),
        Command::User(args) => user::run(&args),
        Command::Link(args) => link::run(&args),
        Command::Room(args) => room::run(&args),
        Command::Store(args) => store::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
