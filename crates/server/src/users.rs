//! Accounts changed by an operator: what a request means, and carrying it out while no server runs.
//!
//! The machine of the accounts itself is driven in both cases, so that what is kept is decided in one place.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use accounts::config::Service;
use accounts::records::ARCHIVE_PREFIX;
use accounts::{AccountError, Accounts, AccountsConfig};
use machine::{Change, Input, Machine as _, Now, Output, Token};
use store::{Completion, Options, Store, StoreError};
use xmpp::Jid;
use xmpp::sasl::{Credentials, ITERATIONS, SALT_BYTES};

use crate::config::{Config, Domain};
use crate::control::{Answer, Password, Refusal, Request, Response};

/// The store's name for the one machine there is while no server runs.
const MACHINE: u8 = 0;
/// How long a disk may take.
const DISK_TIME: Duration = Duration::from_secs(30);
/// Stanzas between accounts that one change may lead to: a farewell and its answer for each contact of a full roster.
const STEPS_MAX: usize = 10_000;

/// What the accounts of a configuration are made with; `None` for a server of rooms only.
pub fn accounts_config(config: &Config) -> Option<AccountsConfig> {
    let domain = config.domain.as_ref()?;
    let service =
        |domain: &Domain, name: Option<&str>| Service { jid: domain.jid().clone(), name: name.map(str::to_owned) };
    let rooms = config.rooms.iter().map(|rooms| service(&rooms.domain, Some(rooms::SERVICE_NAME)));
    let services = rooms.chain(config.disco.services.iter().map(|domain| service(domain, None)));
    let replica = config.replica.iter().filter_map(|replica| replica.jid.local().map(str::to_owned));
    Some(AccountsConfig {
        disco_services: services.collect(),
        reserved: replica.collect(),
        contacts: config.contacts(),
        admins: config.admins.clone(),
        offline_messages: config.accounts.offline_messages as usize,
        kept_bytes: config.accounts.kept_bytes as usize,
        archive_days: config.accounts.archive_days as u32,
        ..AccountsConfig::new(domain.jid().clone())
    })
}

/// What is kept in place of a password; takes some milliseconds.
pub fn credentials(password: &Password) -> Result<Credentials, Refusal> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| Refusal::failed(error.to_string()))?;
    Ok(Credentials::new(&password.0, &salt, ITERATIONS))
}

/// What a command is told when the accounts refuse.
pub fn refusal(account: &Jid, error: AccountError) -> Refusal {
    let message = format!("{account}: {error}");
    match error {
        AccountError::Exists => Refusal::exists(message),
        AccountError::Unknown => Refusal::not_found(message),
        AccountError::Name(_) | AccountError::Reserved => Refusal::invalid(message),
        AccountError::Busy => Refusal::failed(message),
    }
}

/// The accounts of a configuration, while no server runs.
pub struct Offline {
    accounts: Accounts,
    domain: String,
    store: Store,
    completions: mpsc::Receiver<Completion>,
}

impl Offline {
    /// Opens the store; fails while a server has it.
    pub fn open(config: &Config) -> Result<Offline, Refusal> {
        let accounts_config = accounts_config(config).ok_or_else(|| Refusal::invalid("there are no accounts here"))?;
        let (sender, completions) = mpsc::channel();
        // The receiver lives as long as the store: a completion that nobody takes is one that nobody waits for.
        let tell = Arc::new(move |completion| drop(sender.send(completion)));
        let options = Options { readers: 1, recent_rows: 0, brief: Some(ARCHIVE_PREFIX), ..Options::default() };
        std::fs::create_dir_all(&config.data)
            .map_err(|error| Refusal::failed(format!("{}: {error}", config.data.display())))?;
        let (store, loaded) = Store::open(&config.store_file(), options, tell)
            .map_err(|error: StoreError| Refusal::failed(error.to_string()))?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Refusal::failed(error.to_string()))?;
        let domain = accounts_config.domain.domain().to_owned();
        let accounts = Accounts::new(accounts_config, seed, loaded.records, &loaded.recent);
        Ok(Offline { accounts, domain, store, completions })
    }

    /// Carries out a request about accounts; the answer is durable.
    pub fn carry_out(&mut self, request: &Request) -> Response {
        let mut out = Vec::new();
        let (account, done) = match request {
            Request::UserAdd { account, password } => {
                (account, self.accounts.create(local(account)?, credentials(password)?, &mut out))
            }
            Request::UserPassword { account, password } => {
                (account, self.accounts.set_credentials(local(account)?, credentials(password)?, &mut out))
            }
            Request::UserDelete { account } => (account, self.accounts.delete(local(account)?, &mut out)),
            Request::UserList => {
                let users = self.accounts.list().map(|local| format!("{local}@{}", self.domain));
                return Ok(Answer::Users(users.collect()));
            }
            _ => return Err(Refusal::invalid("needs a server that runs")),
        };
        done.map_err(|error| refusal(account, error))?;
        self.settle(out)
    }

    /// Does what the machine asks for, and what follows from that: a removed account's contacts here are told.
    /// Contacts elsewhere learn of it when they ask for presence next.
    fn settle(&mut self, out: Vec<Output>) -> Response {
        let mut todo = VecDeque::from(out);
        for _ in 0..STEPS_MAX {
            let Some(output) = todo.pop_front() else { break };
            let input = match output {
                Output::Persist { token, changes } => self.persist(token, changes)?,
                Output::Send { to, stanza } if to.domain() == self.domain && to.is_bare() => {
                    Input::Stanza(stanza.addressed(to.as_str()))
                }
                _ => continue,
            };
            let mut out = Vec::new();
            self.accounts.handle(input, now(), &mut out);
            todo.extend(out);
        }
        Ok(Answer::Done)
    }

    fn persist(&self, token: Token, changes: Vec<Change>) -> Result<Input, Refusal> {
        self.store.persist(MACHINE, token, changes);
        match self.completions.recv_timeout(DISK_TIME) {
            Ok(Completion::Done { ok: true, .. }) => Ok(Input::Persisted(token)),
            _ => {
                let reason = self.store.health().err().unwrap_or_else(|| "the disk does not answer".into());
                Err(Refusal::failed(format!("nothing was changed: {reason}")))
            }
        }
    }
}

fn local(account: &Jid) -> Result<&str, Refusal> {
    account.local().ok_or_else(|| Refusal::invalid(format!("{account} is no account")))
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono_ms: 0, unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX) }
}
