//! In-band registration for those who are logged in: another password, or the account removed (XEP-0077 3.2, 3.3).
//! Registering anew is a matter of the stream, before authentication; it ends in [`Accounts::create`].

use crate::config::{PASSWORD_BYTES_MAX, PASSWORD_CHANGE_INTERVAL_MS};
use crate::ledger::Step;
use crate::manage::AccountError;
use crate::service::{Accounts, Addressed, error_to};
use machine::{Now, Output};
use rand_chacha::rand_core::Rng;
use xmpp::sasl::{Credentials, ITERATIONS, SALT_BYTES};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, Shared, ns};

/// What a client asks of its own account.
enum Wanted {
    Password(String),
    Removal,
}

/// Why an account is not changed in band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum RegisterError {
    #[error("name your user and the new password, or ask for removal alone")]
    Incomplete,
    #[error("you are another user")]
    AnotherUser,
    #[error("the password is empty or too long")]
    Password,
    #[error("the password was changed a moment ago; try again in some seconds")]
    TooSoon,
    #[error("{0}")]
    Account(#[from] AccountError),
}

impl From<RegisterError> for StanzaError {
    fn from(error: RegisterError) -> StanzaError {
        let condition = match error {
            RegisterError::Incomplete => Condition::BadRequest,
            RegisterError::AnotherUser => Condition::NotAllowed,
            RegisterError::Password => Condition::NotAcceptable,
            RegisterError::TooSoon => Condition::ResourceConstraint,
            RegisterError::Account(error) => error.condition(),
        };
        StanzaError::new(condition, error.to_string())
    }
}

impl Wanted {
    /// Reads `<query/>` of the user `local`.
    fn parse(query: &Element, local: &str, own: &Jid) -> Result<Wanted, RegisterError> {
        if query.has_child("remove", ns::REGISTER) {
            return if query.children().count() == 1 { Ok(Wanted::Removal) } else { Err(RegisterError::Incomplete) };
        }
        let field = |name| query.get_child(name, ns::REGISTER).map(Element::content);
        let (Some(user), Some(password)) = (field("username"), field("password")) else {
            return Err(RegisterError::Incomplete);
        };
        let user = Jid::from_parts(Some(&user), own.domain(), None).map_err(|_| RegisterError::AnotherUser)?;
        if user.local() != Some(local) {
            return Err(RegisterError::AnotherUser);
        }
        match password.len() {
            1..=PASSWORD_BYTES_MAX => Ok(Wanted::Password(password)),
            _ => Err(RegisterError::Password),
        }
    }
}

impl Accounts {
    /// A request about the sender's own account; the caller has seen that it comes from one of its sessions.
    pub(crate) fn register(&mut self, iq: &Addressed, query: &Element, now: Now, out: &mut Vec<Output>) {
        let Some(local) = iq.from.local() else { return };
        let mut result = iq_result(&iq.stanza);
        if iq.stanza.get("type") == Some("get") {
            result.push(registered(local));
            return out.push(Output::Send { to: iq.from.clone(), stanza: Shared::new(result) });
        }
        match Wanted::parse(query, local, &iq.from).and_then(|wanted| self.register_step(local, wanted, now)) {
            Ok(step) => {
                let then = vec![Output::Send { to: iq.from.clone(), stanza: Shared::new(result) }];
                let otherwise = error_to(&iq.stanza, Condition::InternalServerError).into_iter().collect();
                self.ledger.commit(Step { then, otherwise, ..step }, out);
            }
            Err(error) => self.refuse(&iq.stanza, error, out),
        }
    }

    fn register_step(&mut self, local: &str, wanted: Wanted, now: Now) -> Result<Step, RegisterError> {
        let Wanted::Password(password) = wanted else { return Ok(self.delete_step(local)?) };
        let account = self.accounts.get_mut(local).ok_or(AccountError::Unknown)?;
        if account
            .password_changed_ms
            .is_some_and(|then| now.mono_ms.saturating_sub(then) < PASSWORD_CHANGE_INTERVAL_MS)
        {
            return Err(RegisterError::TooSoon);
        }
        account.password_changed_ms = Some(now.mono_ms);
        let mut salt = [0; SALT_BYTES];
        self.random.fill_bytes(&mut salt);
        Ok(self.credentials_step(local, Credentials::new(&password, &salt, ITERATIONS))?)
    }
}

/// XEP-0077 3.1: what a registered user is told; the password is not known here.
fn registered(local: &str) -> Element {
    Element::new("query", ns::REGISTER)
        .child(Element::new("registered", ns::REGISTER))
        .child(Element::new("username", ns::REGISTER).text(local))
        .child(Element::new("password", ns::REGISTER))
}
