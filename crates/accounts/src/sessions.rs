//! Binding resources (RFC 6120 7) and the end of streams.

use crate::account::Session;
use crate::config::SESSIONS_PER_ACCOUNT_MAX;
use crate::service::{Accounts, Times};
use machine::{Now, Output};
use rand_chacha::rand_core::Rng;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

/// A resource is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The full address.
    pub jid: Jid,
    /// Whether another stream had it: the host closes that one with the stream error `conflict` and hands in no
    /// `SessionEnded` for it, since its end has been dealt with.
    pub replaced: bool,
}

/// Why no resource was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// There is no such account, or not any more.
    #[error("there is no such account")]
    NoAccount,
    /// [`SESSIONS_PER_ACCOUNT_MAX`] resources are bound.
    #[error("the account has as many sessions as it may")]
    TooManySessions,
}

impl BindError {
    /// The condition, RFC 6120 7.6.2.
    pub fn condition(self) -> Condition {
        match self {
            BindError::NoAccount => Condition::NotAllowed,
            BindError::TooManySessions => Condition::ResourceConstraint,
        }
    }
}

/// A stream that the host is to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The full address it had; its end has been dealt with, no `SessionEnded` follows.
    pub jid: Jid,
    /// The stream error, RFC 6120 4.9.3.
    pub condition: &'static str,
}

impl Accounts {
    /// Binds `user`'s resource, or one made up when `user` is bare. A stream that had it ends here: its contacts
    /// and rooms are told first (RFC 6120 7.7.2.2, the newer one wins).
    pub fn bind(&mut self, user: &Jid, out: &mut Vec<Output>) -> Result<Bound, BindError> {
        let account = self.account(user).filter(|account| !account.leaving);
        let sessions = &account.ok_or(BindError::NoAccount)?.sessions;
        let taken = user.resource().is_some_and(|resource| sessions.contains_key(resource));
        if !taken && sessions.len() >= SESSIONS_PER_ACCOUNT_MAX {
            return Err(BindError::TooManySessions);
        }
        let jid = if user.is_bare() { self.made_up(user) } else { user.clone() };
        if taken {
            self.session_ended(&jid, out);
        }
        let account = jid.local().and_then(|local| self.accounts.get_mut(local)).ok_or(BindError::NoAccount)?;
        account.sessions.insert(jid.resource().unwrap_or_default().to_owned(), Box::new(Session::new(jid.clone())));
        Ok(Bound { jid, replaced: taken })
    }

    /// Whether a full address is bound.
    pub fn has_session(&self, full: &Jid) -> bool {
        self.session(full).is_some()
    }

    /// Streams to be closed since the last call; the host asks after every input.
    pub fn take_closed(&mut self) -> Vec<Closed> {
        std::mem::take(&mut self.closed)
    }

    /// A stream has ended without a word: unavailable to all who saw it (RFC 6121 4.5.2 and 4.6.3).
    pub(crate) fn session_ended(&mut self, jid: &Jid, out: &mut Vec<Output>) {
        self.withdraw(jid, None, out);
        if let (Some(local), Some(resource)) = (jid.local(), jid.resource())
            && self.is_here(jid)
            && let Some(account) = self.accounts.get_mut(local)
        {
            account.sessions.remove(resource);
        }
    }

    /// A session has ended, and its client had not acknowledged this, which it was sent (XEP-0198 4): as if it had been
    /// sent to a resource that is not there. What only that client had asked for is nobody else's: answers, pages of
    /// archives, copies of what the account has itself. Rooms keep what they say.
    pub fn undelivered(&mut self, stanza: Element, now: Now, out: &mut Vec<Output>) {
        let from = stanza.get("from").and_then(|from| Jid::new(from).ok());
        let from_own = from.is_none_or(|from| {
            from.as_str() == self.domain()
                || stanza.get("to").and_then(|to| Jid::new(to).ok()).is_some_and(|to| to.bare() == from)
        });
        let is_for_account = match (stanza.name(), stanza.get("type")) {
            ("message", Some("error" | "groupchat" | "headline")) => false,
            ("message", _) => !stanza.has_child("result", ns::MAM),
            ("iq", Some("get" | "set")) => true,
            _ => false,
        };
        if is_for_account && !from_own {
            self.stanza(for_any_resource(stanza), Times::Again, now, out);
        }
    }

    /// A full address whose resource nobody can guess (RFC 6120 7.6.1).
    fn made_up(&mut self, user: &Jid) -> Jid {
        let resource = format!("{:016x}", self.random.next_u64());
        user.with_resource(&resource).unwrap_or_else(|_| user.clone())
    }
}

/// What was said to a user is for whichever of his resources comes next, of whatever type it is; a room means the very one.
fn for_any_resource(stanza: Element) -> Element {
    let to = stanza.get("to").and_then(|to| Jid::new(to).ok());
    match to {
        Some(to) if stanza.name() == "message" && !stanza.has_child("x", ns::MUC_USER) => {
            stanza.attr("to", to.bare_str())
        }
        _ => stanza,
    }
}
