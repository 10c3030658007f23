//! What is not durable yet: the gate, how memory goes back when the store refuses, and what is done afterwards.
//!
//! Memory changes at once, so that the next change builds on it. Each change keeps what was there before; when the
//! store refuses it, that comes back, unless a later change of the same record has taken its place, which then
//! keeps it instead. What must be sent only once the change is durable goes through [`machine::Gate`].

use crate::admin::Motd;
use crate::records::{SPACE_ACCOUNT, SPACE_BLOCKED, SPACE_DOMAIN, SPACE_ROSTER};
use crate::roster::Item;
use crate::service::Accounts;
use machine::{Change, Gate, Output, Token};
use std::collections::BTreeMap;
use xmpp::Jid;
use xmpp::sasl::Credentials;

/// Changes under way.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub gate: Gate,
    before: BTreeMap<Token, Vec<Before>>,
    afterwards: BTreeMap<Token, Vec<Afterwards>>,
}

/// What a record held before a change.
#[derive(Debug)]
pub(crate) enum Before {
    /// A contact of an account.
    Contact {
        /// The account's localpart.
        local: String,
        /// The contact.
        contact: Jid,
        /// What was there.
        item: Option<Item>,
    },
    /// An address that an account blocks or not.
    Blocked {
        /// The account's localpart.
        local: String,
        /// The address.
        jid: Jid,
        /// What was true.
        blocked: bool,
    },
    /// One of the records that are held as they are.
    Kept {
        /// The account's localpart.
        local: String,
        /// The kind of record.
        space: &'static str,
        /// Which one.
        key: String,
        /// What was there.
        value: Option<String>,
    },
    /// The message of the day.
    Motd {
        /// What was there.
        motd: Option<Motd>,
    },
    /// No account of this name.
    Nobody {
        /// The localpart.
        local: String,
    },
    /// An account's credentials.
    Credentials {
        /// The localpart.
        local: String,
        /// What was there.
        credentials: Option<Credentials>,
    },
    /// An account that was not to be removed.
    Staying {
        /// The localpart.
        local: String,
    },
}

impl Before {
    /// Whether both are about the same record.
    fn same_record(&self, other: &Before) -> bool {
        self.record() == other.record()
    }

    /// The space, the owner and the key of the record.
    fn record(&self) -> (&'static str, &str, &str) {
        match self {
            Before::Contact { local, contact, .. } => (SPACE_ROSTER, local, contact.as_str()),
            Before::Blocked { local, jid, .. } => (SPACE_BLOCKED, local, jid.as_str()),
            Before::Kept { local, space, key, .. } => (space, local, key),
            Before::Nobody { local } | Before::Credentials { local, .. } => (SPACE_ACCOUNT, local, ""),
            Before::Motd { .. } => (SPACE_DOMAIN, "", ""),
            Before::Staying { local } => ("", local, ""),
        }
    }
}

/// What is done when a change is durable, from what is true then.
#[derive(Debug)]
pub(crate) enum Afterwards {
    /// The contact has become a subscriber and is sent the user's presence (RFC 6121 3.1.5).
    Announce {
        /// The user's localpart.
        local: String,
        /// The new subscriber.
        to: Jid,
    },
    /// Contacts are not blocked any more and are sent the user's presence (XEP-0191 3.4).
    ShowAgain {
        /// The user's localpart.
        local: String,
        /// Whom the list had.
        to: Vec<Jid>,
    },
    /// There is another message of the day, or none.
    TellMotd,
    /// An account has another password.
    EndSessions {
        /// The localpart.
        local: String,
    },
    /// An account's records are gone.
    Forget {
        /// The localpart.
        local: String,
    },
}

/// One step for the store with all that hangs on it.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub changes: Vec<Change>,
    pub before: Vec<Before>,
    /// Sent once it is durable.
    pub then: Vec<Output>,
    /// Sent when the store refuses.
    pub otherwise: Vec<Output>,
    pub afterwards: Option<Afterwards>,
}

impl Ledger {
    /// Hands a step to the store.
    pub fn commit(&mut self, step: Step, out: &mut Vec<Output>) -> Token {
        let token = self.gate.persist_first(step.changes, step.then, step.otherwise, out);
        if !step.before.is_empty() {
            self.before.insert(token, step.before);
        }
        if let Some(afterwards) = step.afterwards {
            self.afterwards.entry(token).or_default().push(afterwards);
        }
        token
    }

    /// Whether a further change would be over [`crate::config::CHANGES_IN_FLIGHT_MAX`].
    pub fn is_full(&self) -> bool {
        self.gate.held() >= crate::config::CHANGES_IN_FLIGHT_MAX
    }

    /// Whether a change of this contact is not durable yet.
    pub fn is_under_way(&self, local: &str, contact: &Jid) -> bool {
        self.before.values().flatten().any(|before| before.record() == (SPACE_ROSTER, local, contact.as_str()))
    }

    /// The store has everything up to `token`; gives back what is to be done now.
    fn persisted(&mut self, token: Token, out: &mut Vec<Output>) -> Vec<Afterwards> {
        let later = self.before.split_off(&Token(token.0.saturating_add(1)));
        self.before = later;
        let later = self.afterwards.split_off(&Token(token.0.saturating_add(1)));
        let due = std::mem::replace(&mut self.afterwards, later);
        self.gate.persisted(token, out);
        due.into_values().flatten().collect()
    }

    /// The store has nothing of `token`; gives back what memory must hold again.
    fn failed(&mut self, token: Token, out: &mut Vec<Output>) -> Vec<Before> {
        self.afterwards.remove(&token);
        self.gate.failed(token, out);
        let undone = self.before.remove(&token).unwrap_or_default();
        undone.into_iter().filter_map(|before| self.hand_on(token, before)).collect()
    }

    /// A later change of the same record takes over what was there; without one it is given back.
    fn hand_on(&mut self, failed: Token, before: Before) -> Option<Before> {
        match self.before.range_mut(failed..).flat_map(|(_, later)| later).find(|later| later.same_record(&before)) {
            Some(later) => {
                *later = before;
                None
            }
            None => Some(before),
        }
    }
}

impl Accounts {
    pub(crate) fn persisted(&mut self, token: Token, out: &mut Vec<Output>) {
        for afterwards in self.ledger.persisted(token, out) {
            match afterwards {
                Afterwards::Announce { local, to } => self.announce(&local, &to, out),
                Afterwards::ShowAgain { local, to } => self.show_again(&local, &to, out),
                Afterwards::TellMotd => self.tell_motd_to_all(out),
                Afterwards::EndSessions { local } => self.end_sessions(&local, out),
                Afterwards::Forget { local } => self.forget(&local, out),
            }
        }
    }

    pub(crate) fn persist_failed(&mut self, token: Token, out: &mut Vec<Output>) {
        for before in self.ledger.failed(token, out) {
            match before {
                Before::Contact { local, contact, item } => {
                    self.set_item(&local, contact, item);
                }
                Before::Blocked { local, jid, blocked } => {
                    self.set_blocked(&local, &jid, blocked);
                    // What it did not see while it was blocked.
                    self.show_again(&local, &[jid], out);
                }
                Before::Kept { local, space, key, value } => {
                    if let Some(account) = self.accounts.get_mut(&local) {
                        account.kept.set(space, &key, value);
                    }
                }
                Before::Motd { motd } => self.motd = motd,
                Before::Nobody { local } => {
                    self.end_sessions(&local, out);
                    self.accounts.remove(&local);
                }
                Before::Credentials { local, credentials } => {
                    if let Some(account) = self.accounts.get_mut(&local) {
                        account.credentials = credentials;
                    }
                }
                Before::Staying { local } => {
                    if let Some(account) = self.accounts.get_mut(&local) {
                        account.leaving = false;
                    }
                }
            }
        }
    }

    /// Sets or removes a contact in memory.
    pub(crate) fn set_item(&mut self, local: &str, contact: Jid, item: Option<Item>) -> Option<Item> {
        let account = self.accounts.get_mut(local)?;
        match item {
            Some(item) => account.roster.insert(contact, item),
            None => account.roster.remove(&contact),
        }
    }
}
