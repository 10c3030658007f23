//! `netjoin init`: from an empty directory to a server that can be started, and what to tell the world about it.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::json;

use super::exit::{self, Failure};
use super::output;
use crate::config::Domain;
use crate::control::Password;
use crate::init::{InitError, Made, Plan, dns_records, init, password};

/// Longest password that is read from standard input, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1_024;

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin init ./try --domain localhost --rooms rooms.localhost
  netjoin init /etc/netjoin --domain montague.lit --rooms rooms.montague.lit
  pass show xmpp | netjoin init ./try --domain localhost --password-stdin

Nothing is ever overwritten. The certificate is signed by itself: put the files of a real one in its place and send
the server SIGHUP.

Exit codes: 0 done; 3 what was asked for is no configuration; 4 something is there already.")]
pub struct Args {
    /// The directory to make it in
    dir: PathBuf,
    /// The domain of the accounts, the part behind the @
    #[arg(long, value_name = "D")]
    domain: String,
    /// The domain of the rooms, if this server is to lead rooms
    #[arg(long, value_name = "D2")]
    rooms: Option<String>,
    /// Take the first account's password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    let given = if args.password_stdin { Some(password_from_stdin()?) } else { None };
    let generated = given.is_none();
    let plan = Plan {
        dir: args.dir.clone(),
        domain: domain(&args.domain)?,
        rooms: args.rooms.as_deref().map(domain).transpose()?,
        password: match given {
            Some(password) => password,
            None => password::generate().map_err(|error| Failure::failed(error.to_string()))?,
        },
    };
    let made = init(&plan).map_err(failure)?;
    let shown = generated.then_some(&plan.password);
    if args.json { print_json(&plan, &made, shown) } else { print_text(&plan, &made, shown) }
}

/// The first line of standard input.
pub fn password_from_stdin() -> Result<Password, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || text.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(Failure::usage("standard input has no password, or one longer than 1024 bytes"));
    }
    Ok(Password(line.to_owned()))
}

fn domain(text: &str) -> Result<Domain, Failure> {
    Domain::new(text).ok_or_else(|| Failure::usage(format!("{text:?} is no domain; write a name without '@' and '/'")))
}

fn failure(error: InitError) -> Failure {
    let code = match &error {
        InitError::Exists(_) => exit::NAMED,
        InitError::Config(_) => exit::CONFIG,
        InitError::Io(..) | InitError::Account(_) => exit::FAILED,
    };
    Failure { code, message: error.to_string() }
}

fn print_text(plan: &Plan, made: &Made, password: Option<&Password>) -> Result<(), Failure> {
    output::line(&format!("Made {} with everything a server needs.\n", plan.dir.display()))?;
    match password {
        Some(Password(password)) => {
            output::line(&format!("  account   {}\n  password  {password}   (shown this once)\n", made.account))?;
        }
        None => output::line(&format!("  account   {}, with the password you gave\n", made.account))?,
    }
    output::line("Publish in DNS, so that clients and servers elsewhere find it (not needed to try it here):\n")?;
    for record in dns_records(&plan.domain, plan.rooms.as_ref()) {
        output::line(&format!("  {record}"))?;
    }
    output::line(&format!("  {}. 3600 IN A <the address of this machine>\n", plan.domain))?;
    output::line(&format!("Next:\n\n  netjoin serve --config {}\n", made.config.display()))?;
    let room = plan.rooms.as_ref().map(|rooms| format!(", then join lobby@{rooms}")).unwrap_or_default();
    output::line(&format!("and log in with any XMPP client as {}{room}. The certificate is", made.account))?;
    output::line("signed by itself, so the client asks once whether to trust it.")
}

fn print_json(plan: &Plan, made: &Made, password: Option<&Password>) -> Result<(), Failure> {
    output::json(&json!({
        "config": made.config,
        "account": made.account.as_str(),
        "password": password.map(|password| &password.0),
        "dns": dns_records(&plan.domain, plan.rooms.as_ref()),
    }))
}
