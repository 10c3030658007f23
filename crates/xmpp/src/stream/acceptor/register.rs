//! Accounts made over the wire before authentication, XEP-0077 3.1 and 8.

use super::{Acceptor, Output, Phase};
use crate::stanza::{Condition, StanzaError, iq_result};
use crate::stream::error::StreamError;
use crate::{Element, Jid, ns};

/// Longest password in bytes; as long as any part of an address.
const PASSWORD_BYTES_MAX: usize = 1023;

impl Acceptor {
    pub(super) fn register(&mut self, iq: Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        if !self.config.registration || !self.private_enough() {
            let error = StanzaError::new(Condition::NotAllowed, "accounts are not made here");
            self.wire.send(&self.addressed(error.reply(&iq)), out);
            return Ok(());
        }
        match iq.get("type") {
            Some("get") => self.wire.send(&self.addressed(iq_result(&iq).child(form())), out),
            Some("set") => match self.wanted(&iq) {
                Ok((user, password)) => {
                    self.phase = Phase::Registering(Box::new(iq));
                    out.push(Output::Register { user, password });
                }
                Err(error) => self.wire.send(&self.addressed(error.reply(&iq)), out),
            },
            _ => return Err("not-authorized".into()),
        }
        Ok(())
    }

    /// The answer to [`Output::Register`].
    pub(super) fn registered(&mut self, result: Result<(), StanzaError>, out: &mut Vec<Output>) {
        let Phase::Registering(iq) = std::mem::replace(&mut self.phase, Phase::Features) else { return };
        let answer = match result {
            Ok(()) => iq_result(&iq),
            Err(error) => error.reply(&iq),
        };
        self.wire.send(&self.addressed(answer), out);
    }

    /// The account asked for; fields that may not be left out are named to whoever does.
    fn wanted(&self, iq: &Element) -> Result<(Jid, String), Box<StanzaError>> {
        let bad = |condition, text: &str| Box::new(StanzaError::new(condition, text));
        let query =
            iq.get_child("query", ns::REGISTER).ok_or_else(|| bad(Condition::BadRequest, "a query is needed"))?;
        let field = |name| query.get_child(name, ns::REGISTER).map(Element::content).filter(|text| !text.is_empty());
        if query.has_child("remove", ns::REGISTER) {
            return Err(bad(Condition::RegistrationRequired, "log in to remove an account"));
        }
        let username = field("username").ok_or_else(|| bad(Condition::NotAcceptable, "a username is needed"))?;
        let password = field("password").ok_or_else(|| bad(Condition::NotAcceptable, "a password is needed"))?;
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(bad(Condition::NotAcceptable, "the password is too long"));
        }
        let domain = self.negotiation.as_ref().map_or("", |n| n.domain.as_str());
        let user = Jid::from_parts(Some(&username), domain, None);
        Ok((user.map_err(|_| bad(Condition::JidMalformed, "that name has no address"))?, password))
    }

    /// Nobody is known yet, so answers come from the domain and go to the stream itself.
    fn addressed(&self, mut answer: Element) -> Element {
        answer.unset("to");
        if let Some(negotiation) = &self.negotiation {
            answer.set("from", &negotiation.domain);
        }
        answer
    }
}

/// XEP-0077 example 2.
fn form() -> Element {
    Element::new("query", ns::REGISTER)
        .child(Element::new("instructions", ns::REGISTER).text("Choose a username and a password."))
        .child(Element::new("username", ns::REGISTER))
        .child(Element::new("password", ns::REGISTER))
}
