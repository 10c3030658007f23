//! SASL on a client's stream, RFC 6120 6.

use super::{Acceptor, Channel, Lookup, Output, Phase};
use crate::sasl::{Failure, Mechanism, Server, Step};
use crate::stream::error::StreamError;
use crate::stream::wire::{sasl_message, sasl_text};
use crate::{Element, Jid, ns};

/// Attempts on one stream before it is closed (RFC 6120 6.4.5: at least two, at most five).
const ATTEMPTS_MAX: u32 = 3;

impl Acceptor {
    /// What is offered here: -PLUS where the channel can be bound, PLAIN where nobody listens.
    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        let offered = |m: &Mechanism| match m {
            Mechanism::External => false,
            Mechanism::Plain => self.is_secured() || self.config.plain_without_tls,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus if !self.config.sha256 => false,
            m => !m.binds() || self.exporter().is_some(),
        };
        Mechanism::ALL.into_iter().filter(offered).collect()
    }

    pub(super) fn exporter(&self) -> Option<&[u8]> {
        match &self.negotiation.as_ref()?.channel {
            Channel::Tls { exporter } => exporter.as_deref(),
            Channel::Clear => None,
        }
    }

    pub(super) fn auth(&mut self, auth: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        if !self.private_enough() {
            return self.sasl_failed(Failure::EncryptionRequired, out);
        }
        let asked = auth.get("mechanism").and_then(Mechanism::from_name);
        let Some(mechanism) = asked.filter(|m| self.mechanisms().contains(m)) else {
            return self.sasl_failed(Failure::InvalidMechanism, out);
        };
        let exporter = self.exporter().map(<[u8]>::to_vec);
        let secret = self.config.server_secret.clone();
        let negotiation = self.negotiation();
        let nonce = negotiation.seed.text();
        negotiation.sasl = Some(Server::new(mechanism, exporter.as_deref(), &nonce, &secret));
        negotiation.claimed = None;
        self.phase = Phase::Exchange;
        if auth.nodes().is_empty() {
            // RFC 6120 6.4.2: no initial response, so an empty challenge asks for it.
            self.wire.send(&Element::new("challenge", ns::SASL), out);
            return Ok(());
        }
        self.respond(auth, out)
    }

    /// What may come while an exchange goes on.
    pub(super) fn exchange(&mut self, element: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        match (element.name(), element.ns()) {
            ("response", ns::SASL) => self.respond(element, out),
            ("abort", ns::SASL) => self.sasl_failed(Failure::Aborted, out),
            (_, ns::SASL) => self.sasl_failed(Failure::MalformedRequest, out),
            _ => Err(StreamError::new("not-authorized", "authenticate before sending stanzas")),
        }
    }

    fn respond(&mut self, element: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let Some(message) = sasl_message(element) else {
            return self.sasl_failed(Failure::IncorrectEncoding, out);
        };
        let step = match &mut self.negotiation().sasl {
            Some(server) => server.respond(&message),
            None => Step::Failed(Failure::MalformedRequest),
        };
        self.step(step, out)
    }

    /// The answer to [`Output::NeedCredentials`].
    pub(super) fn looked_up(&mut self, found: Lookup, out: &mut Vec<Output>) {
        self.phase = Phase::Exchange;
        let step = match (&mut self.negotiation().sasl, found) {
            (Some(server), Lookup::Found(credentials)) => server.credentials(Some(*credentials)),
            (Some(server), Lookup::NoAccount) => server.credentials(None),
            _ => Step::Failed(Failure::TemporaryAuthFailure),
        };
        if let Err(error) = self.step(step, out) {
            self.wire.fail(error, out);
        }
    }

    fn step(&mut self, step: Step, out: &mut Vec<Output>) -> Result<(), StreamError> {
        match step {
            Step::NeedCredentials { user } => {
                let domain = self.negotiation().domain.clone();
                match Jid::from_parts(Some(&user), &domain, None) {
                    Ok(jid) => {
                        self.negotiation().claimed = Some(jid.clone());
                        self.phase = Phase::Lookup;
                        out.push(Output::NeedCredentials(jid));
                        Ok(())
                    }
                    Err(_) => self.sasl_failed(Failure::NotAuthorized, out),
                }
            }
            Step::Challenge(message) => {
                self.wire.send(&Element::new("challenge", ns::SASL).text(sasl_text(&message)), out);
                Ok(())
            }
            Step::Success { authzid, data, .. } => self.sasl_succeeded(authzid, data, out),
            Step::NeedCertificate { .. } => self.sasl_failed(Failure::InvalidMechanism, out),
            Step::Failed(failure) => self.sasl_failed(failure, out),
        }
    }

    fn sasl_succeeded(
        &mut self,
        authzid: Option<String>,
        data: Option<Vec<u8>>,
        out: &mut Vec<Output>,
    ) -> Result<(), StreamError> {
        let claimed = self.negotiation().claimed.clone();
        // RFC 6120 6.3.8: nobody acts as somebody else here.
        let allowed = |user: &Jid| authzid.as_ref().is_none_or(|a| Jid::new(a).is_ok_and(|a| a == *user));
        let Some(user) = claimed.filter(allowed) else {
            return self.sasl_failed(Failure::InvalidAuthzid, out);
        };
        let mut success = Element::new("success", ns::SASL);
        if let Some(data) = data {
            success.push_text(sasl_text(&data));
        }
        self.wire.send(&success, out);
        self.wire.restart();
        self.wire.set_limits(self.config.limits);
        self.negotiation().sasl = None;
        self.phase = Phase::Header(Some(user.clone()));
        out.push(Output::Authenticated(user));
        Ok(())
    }

    pub(super) fn sasl_failed(&mut self, failure: Failure, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let negotiation = self.negotiation();
        negotiation.sasl = None;
        negotiation.failures += 1;
        let (failures, claimed) = (negotiation.failures, negotiation.claimed.take());
        self.phase = Phase::Features;
        let condition = Element::new(failure.condition(), ns::SASL);
        self.wire.send(&Element::new("failure", ns::SASL).child(condition), out);
        out.push(Output::Refused(claimed));
        if failures >= ATTEMPTS_MAX {
            return Err(StreamError::new("policy-violation", "too many failed attempts"));
        }
        Ok(())
    }
}
