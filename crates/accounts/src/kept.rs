//! What is kept of a user beside credentials, roster and blocked addresses: records of several kinds, whose values only
//! their own files read. They are held in memory as they are on disk, so that whoever asks is answered at once.

use crate::ledger::{Before, Step};
use crate::service::{Accounts, Addressed, error_to};
use machine::{Change, Output};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, Shared};

/// The records of one account, by space and key.
#[derive(Debug, Default)]
pub(crate) struct Kept(BTreeMap<(&'static str, String), String>);

impl Kept {
    /// The value of a record.
    pub fn get(&self, space: &'static str, key: &str) -> Option<&str> {
        self.0.get(&(space, key.to_owned())).map(String::as_str)
    }

    /// The records of a space whose keys begin so, in the order of their keys.
    pub fn under<'a>(&'a self, space: &'static str, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let behind = self.0.range((space, prefix.to_owned())..);
        let under = behind.take_while(move |((other, key), _)| *other == space && key.starts_with(prefix));
        under.map(|((_, key), value)| (key.as_str(), value.as_str()))
    }

    /// Bytes of the records of some spaces.
    pub fn bytes(&self, spaces: &[&str]) -> usize {
        let counted = self.0.iter().filter(|((space, _), _)| spaces.contains(space));
        counted.map(|((_, key), value)| key.len() + value.len()).sum()
    }

    /// Sets a record or removes it; gives back what was there.
    pub fn set(&mut self, space: &'static str, key: &str, value: Option<String>) -> Option<String> {
        let at = (space, key.to_owned());
        match value {
            Some(value) => self.0.insert(at, value),
            None => self.0.remove(&at),
        }
    }
}

/// A record to be set, or removed where there is no value.
#[derive(Debug)]
pub(crate) struct Setting {
    pub space: &'static str,
    pub key: String,
    pub value: Option<String>,
}

impl Setting {
    pub fn put(space: &'static str, key: impl Into<String>, value: String) -> Setting {
        Setting { space, key: key.into(), value: Some(value) }
    }

    pub fn delete(space: &'static str, key: impl Into<String>) -> Setting {
        Setting { space, key: key.into(), value: None }
    }
}

impl Accounts {
    /// Puts records into memory and gives the step that makes them durable.
    pub(crate) fn keep(&mut self, local: &str, settings: Vec<Setting>) -> Step {
        let mut step = Step::default();
        let Some(account) = self.accounts.get_mut(local) else { return step };
        for Setting { space, key, value } in settings {
            let owner = local.to_owned();
            step.changes.push(match &value {
                Some(value) => Change::Put { space, owner, key: key.clone(), value: value.clone() },
                None => Change::Delete { space, owner, key: key.clone() },
            });
            let value = account.kept.set(space, &key, value);
            step.before.push(Before::Kept { local: local.to_owned(), space, key, value });
        }
        step
    }

    /// Bytes that an account may still keep of what it chooses to keep itself; the records named are to be replaced.
    pub(crate) fn room_left(&self, local: &str, replaced: &BTreeSet<(&'static str, &str)>) -> usize {
        let Some(account) = self.accounts.get(local) else { return 0 };
        let given_up = replaced.iter().filter_map(|(space, key)| Some(key.len() + account.kept.get(space, key)?.len()));
        let held = account.kept.bytes(crate::records::SPACES_OF_CHOICE) - given_up.sum::<usize>();
        self.config.kept_bytes.saturating_sub(held)
    }

    /// Makes records of the sender durable; then he is answered, and others are told.
    pub(crate) fn settle(
        &mut self,
        iq: &Addressed,
        settings: Vec<Setting>,
        answer: Option<Element>,
        told: Vec<Output>,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let local = self.may_keep(&iq.from, &settings)?;
        let result = Shared::new(iq_result(&iq.stanza).with(answer));
        let mut then = vec![Output::Send { to: iq.from.clone(), stanza: result }];
        then.extend(told);
        if settings.is_empty() {
            self.ledger.gate.pass_all(then, out);
            return Ok(());
        }
        let step = self.keep(&local, settings);
        let otherwise = error_to(&iq.stanza, Condition::InternalServerError).into_iter().collect();
        self.ledger.commit(Step { then, otherwise, ..step }, out);
        Ok(())
    }

    /// Whose records are set: a user who stays, and has room for them.
    pub(crate) fn may_keep(&self, from: &Jid, settings: &[Setting]) -> Result<String, StanzaError> {
        let (Some(local), Some(account)) = (from.local(), self.account(from)) else {
            return Err(Condition::NotAllowed.into());
        };
        if account.leaving {
            return Err(Condition::NotAllowed.into());
        }
        if self.ledger.is_full() {
            let busy = "too many changes are on their way to the disk; try again in a moment";
            return Err(StanzaError::new(Condition::ResourceConstraint, busy));
        }
        let replaced: BTreeSet<(&'static str, &str)> = settings.iter().map(|s| (s.space, s.key.as_str())).collect();
        let wanted = settings.iter().filter_map(|s| Some(s.key.len() + s.value.as_ref()?.len()));
        if wanted.sum::<usize>() > self.room_left(local, &replaced) {
            return Err(StanzaError::new(Condition::ResourceConstraint, FULL).kind("modify"));
        }
        Ok(local.to_owned())
    }
}

const FULL: &str = "your account keeps as much as it may; remove something first";
