//! `netjoin user`: accounts, whether the server runs or not.

use clap::Subcommand;
use serde_json::json;
use xmpp::Jid;

use super::exit::{Failure, NOT_RUNNING};
use super::init::password_from_stdin;
use super::{ConfigFile, ask, output};
use crate::config::Config;
use crate::control::{Answer, Password, Request};
use crate::init::password;
use crate::users::Offline;

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin user add romeo@montague.lit --config netjoin.toml              a password is made, and shown once
  pass show romeo | netjoin user add romeo@montague.lit --password-stdin --config netjoin.toml
  netjoin user passwd romeo@montague.lit --password-stdin --config netjoin.toml
  netjoin user list --json --config netjoin.toml
  netjoin user del romeo@montague.lit --config netjoin.toml

A password given by --password can be seen in the list of processes: for scripts and tests.

Exit codes: 0 done; 2 no account can have this name; 4 there is no such account, or there is one already.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an account
    Add(WithPassword),
    /// Remove an account with all it has
    Del {
        /// The account
        jid: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Give an account another password
    Passwd(WithPassword),
    /// All accounts
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct WithPassword {
    /// The account
    jid: String,
    #[command(flatten)]
    config: ConfigFile,
    /// The password
    #[arg(long, value_name = "P", conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Take the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::Add(with) => set(with, |account, password| Request::UserAdd { account, password }),
        What::Passwd(with) => set(with, |account, password| Request::UserPassword { account, password }),
        What::Del { jid, config } => {
            let config = config.load()?;
            done(&config, &Request::UserDelete { account: account(jid, &config)? })
        }
        What::List { config, json } => list(&config.load()?, *json),
    }
}

fn set(with: &WithPassword, request: impl FnOnce(Jid, Password) -> Request) -> Result<(), Failure> {
    let config = with.config.load()?;
    let account = account(&with.jid, &config)?;
    let (password, made) = with.password()?;
    done(&config, &request(account.clone(), password.clone()))?;
    let shown = made.then_some(&password.0);
    if with.json {
        return output::json(&json!({ "account": account.as_str(), "password": shown }));
    }
    match shown {
        Some(password) => output::line(&format!("{account} has the password {password}   (shown this once)")),
        None => Ok(()),
    }
}

impl WithPassword {
    /// The password, and whether it was made here.
    fn password(&self) -> Result<(Password, bool), Failure> {
        match &self.password {
            Some(password) if password.is_empty() => Err(Failure::usage("an empty password lets nobody in")),
            Some(password) => Ok((Password(password.clone()), false)),
            None if self.password_stdin => Ok((password_from_stdin()?, false)),
            None => match password::generate() {
                Ok(password) => Ok((password, true)),
                Err(error) => Err(Failure::failed(error.to_string())),
            },
        }
    }
}

fn list(config: &Config, as_json: bool) -> Result<(), Failure> {
    let Answer::Users(users) = carry_out(config, &Request::UserList)? else { return Err(ask::unexpected()) };
    if as_json {
        return output::json(&json!({ "users": users }));
    }
    users.iter().try_for_each(|user| output::line(user))
}

fn done(config: &Config, request: &Request) -> Result<(), Failure> {
    match carry_out(config, request)? {
        Answer::Done => Ok(()),
        _ => Err(ask::unexpected()),
    }
}

/// By the server that runs, else in the store itself.
fn carry_out(config: &Config, request: &Request) -> Result<Answer, Failure> {
    match ask::running(config, request) {
        Err(failure) if failure.code == NOT_RUNNING => Ok(Offline::open(config)?.carry_out(request)?),
        done => done,
    }
}

fn account(text: &str, config: &Config) -> Result<Jid, Failure> {
    let jid = Jid::new(text).map_err(|error| Failure::usage(format!("{text:?} is no address: {error}")))?;
    let Some(domain) = &config.domain else {
        return Err(Failure::config("this server is for rooms only: its configuration has no `domain` for accounts"));
    };
    if jid.domain() != domain.as_str() || jid.local().is_none() || !jid.is_bare() {
        return Err(Failure::usage(format!("{jid} is no account here; write it like \"romeo@{domain}\"")));
    }
    Ok(jid)
}
