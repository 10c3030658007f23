//! Accounts made, removed and given other passwords: by an operator, by registration, or by their users.

use crate::account::Account;
use crate::ledger::{Afterwards, Before, Step};
use crate::records;
use crate::roster::Item;
use crate::service::Accounts;
use crate::sessions::Closed;
use machine::{Output, Token};
use xmpp::sasl::Credentials;
use xmpp::stanza::Condition;
use xmpp::{Jid, JidError};

/// Why an account is not made, removed or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The name is no localpart.
    #[error("{0}")]
    Name(#[from] JidError),
    /// The name is kept for something else on this domain.
    #[error("this name is kept for a service of the domain")]
    Reserved,
    /// There is such an account.
    #[error("there is such an account already")]
    Exists,
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// Too many changes are on their way to the disk.
    #[error("too many changes are on their way to the disk; try again in a moment")]
    Busy,
}

impl AccountError {
    /// The condition, XEP-0077 3.1 and 3.2.
    pub fn condition(self) -> Condition {
        match self {
            AccountError::Name(_) | AccountError::Reserved => Condition::NotAcceptable,
            AccountError::Exists => Condition::Conflict,
            AccountError::Unknown => Condition::RegistrationRequired,
            AccountError::Busy => Condition::ResourceConstraint,
        }
    }
}

impl Accounts {
    /// What is kept in place of a user's password; `None` for nobody. The name is normalised here.
    pub fn credentials(&self, user: &str) -> Option<&Credentials> {
        let local = self.localpart(user).ok()?;
        self.accounts.get(&local).filter(|account| !account.leaving)?.credentials.as_ref()
    }

    /// How many accounts have keys for SCRAM-SHA-1 alone.
    pub fn with_sha1_alone(&self) -> usize {
        let credentials = self.accounts.values().filter_map(|account| account.credentials.as_ref());
        credentials.filter(|credentials| credentials.sha256.is_none()).count()
    }

    /// The localparts that have accounts.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().filter(|(_, account)| !account.leaving).map(|(local, _)| local.as_str())
    }

    /// Makes an account. Its maker may be told once the token is durable.
    pub fn create(
        &mut self,
        user: &str,
        credentials: Credentials,
        out: &mut Vec<Output>,
    ) -> Result<Token, AccountError> {
        let step = self.create_step(user, credentials)?;
        Ok(self.ledger.commit(step, out))
    }

    pub(crate) fn create_step(&mut self, user: &str, credentials: Credentials) -> Result<Step, AccountError> {
        let local = self.localpart(user)?;
        if self.config.reserved.contains(&local) {
            return Err(AccountError::Reserved);
        }
        if self.accounts.contains_key(&local) {
            return Err(AccountError::Exists);
        }
        self.has_room()?;
        let mut changes = records::delete_account(&local);
        changes.push(records::put_credentials(&local, &credentials));
        let account = Account { credentials: Some(credentials), ..Account::default() };
        self.accounts.insert(local.clone(), account);
        let before = vec![Before::Nobody { local }];
        Ok(Step { changes, before, ..Step::default() })
    }

    /// Gives an account another password. Once the token is durable its sessions end (see [`Accounts::take_closed`]):
    /// whoever knew the old one is out.
    pub fn set_credentials(
        &mut self,
        user: &str,
        credentials: Credentials,
        out: &mut Vec<Output>,
    ) -> Result<Token, AccountError> {
        let step = self.credentials_step(user, credentials)?;
        let afterwards = Some(Afterwards::EndSessions { local: self.localpart(user)? });
        Ok(self.ledger.commit(Step { afterwards, ..step }, out))
    }

    /// Removes an account with its roster. Once the token is durable, its sessions end (see
    /// [`Accounts::take_closed`]) and its contacts are told that nothing is left of their subscriptions.
    pub fn delete(&mut self, user: &str, out: &mut Vec<Output>) -> Result<Token, AccountError> {
        let step = self.delete_step(user)?;
        Ok(self.ledger.commit(step, out))
    }

    pub(crate) fn credentials_step(&mut self, user: &str, credentials: Credentials) -> Result<Step, AccountError> {
        let local = self.localpart(user)?;
        self.has_room()?;
        let account = self.staying(&local)?;
        let changes = vec![records::put_credentials(&local, &credentials)];
        let before = Before::Credentials { local, credentials: account.credentials.replace(credentials) };
        Ok(Step { changes, before: vec![before], ..Step::default() })
    }

    pub(crate) fn delete_step(&mut self, user: &str) -> Result<Step, AccountError> {
        let local = self.localpart(user)?;
        self.has_room()?;
        self.staying(&local)?.leaving = true;
        Ok(Step {
            changes: records::delete_account(&local),
            before: vec![Before::Staying { local: local.clone() }],
            afterwards: Some(Afterwards::Forget { local }),
            ..Step::default()
        })
    }

    /// An account has been removed for good: XEP-0077 3.2, and subscriptions end as RFC 6121 2.5.2 has it.
    pub(crate) fn forget(&mut self, local: &str, out: &mut Vec<Output>) {
        self.end_sessions(local, out);
        let Some(account) = self.accounts.remove(local) else { return };
        for (contact, Item { state, .. }) in &account.roster {
            out.extend(self.farewell(local, contact, *state));
        }
    }

    /// All streams of an account end.
    pub(crate) fn end_sessions(&mut self, local: &str, out: &mut Vec<Output>) {
        self.end_sessions_of(local, |_| true, "not-authorized", out);
    }

    /// Those streams of an account end that are meant, with this stream error (RFC 6120 4.9.3).
    pub(crate) fn end_sessions_of(
        &mut self,
        local: &str,
        meant: impl Fn(&Jid) -> bool,
        condition: &'static str,
        out: &mut Vec<Output>,
    ) {
        let sessions = self.accounts.get(local).map(|account| &account.sessions);
        let jids = sessions.into_iter().flat_map(|s| s.values()).map(|s| s.jid.clone()).filter(meant);
        for jid in jids.collect::<Vec<Jid>>() {
            self.session_ended(&jid, out);
            self.closed.push(Closed { jid, condition });
        }
    }

    /// An account that is not on its way out.
    fn staying(&mut self, local: &str) -> Result<&mut Account, AccountError> {
        self.accounts.get_mut(local).filter(|account| !account.leaving).ok_or(AccountError::Unknown)
    }

    fn has_room(&self) -> Result<(), AccountError> {
        if self.ledger.is_full() { Err(AccountError::Busy) } else { Ok(()) }
    }

    /// A user's name, normalised.
    fn localpart(&self, user: &str) -> Result<String, AccountError> {
        let jid = Jid::from_parts(Some(user), self.domain(), None)?;
        jid.local().map(str::to_owned).ok_or(AccountError::Name(JidError::Local))
    }
}
