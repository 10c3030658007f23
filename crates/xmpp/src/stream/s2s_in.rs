//! A server's stream to us: RFC 6120 4 to 6 and 8.1, XEP-0178 (EXTERNAL), XEP-0220 2.2 (dialback, both inbound
//! roles).
//!
//! `header → features → [starttls → header] → [certificate] → features → EXTERNAL | db:result → stanzas`
//!
//! Each pair of domains is authenticated for itself; several may share the stream. A stanza passes when its pair
//! is one of them. Whether a certificate is good for a domain, and what the authoritative server says of a key,
//! the caller finds out.

use super::acceptor::version_is_ours;
use super::check::{self, Wrong};
use super::dialback::{self, KEY_BYTES_MAX, Pair, Verdict};
use super::error::StreamError;
use super::wire::{Effects, Lang, Opening, Seed, TlsPolicy, Wire, domain_of, sasl_message};
use crate::sasl::Failure;
use crate::stanza::Condition;
use crate::xml::{Limits, Pool, StreamEvent};
use crate::{Element, Jid, ns};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most pairs of domains on one stream, authenticated or waiting for it.
const PAIRS_MAX: usize = 64;

/// What holds for all server streams to us.
#[derive(Debug, Clone)]
pub struct Config {
    /// The domains served here, normalised.
    pub domains: Vec<String>,
    /// What is asked of TLS on streams that begin in clear.
    pub tls: TlsPolicy,
    /// Whether dialback will do where a certificate does not.
    pub dialback: bool,
    /// What our own dialback keys are made with.
    pub dialback_secret: Vec<u8>,
    /// Limits until the first pair is authenticated.
    pub limits_before: Limits,
    /// Limits from then on.
    pub limits: Limits,
}

impl Config {
    /// The usual: TLS required, dialback where a certificate does not do.
    pub fn new(domains: Vec<String>, dialback_secret: Vec<u8>) -> Config {
        Config {
            domains,
            tls: TlsPolicy::Required,
            dialback: true,
            dialback_secret,
            limits_before: Limits::BEFORE_AUTHENTICATION,
            limits: Limits::AUTHENTICATED,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes came.
    Bytes(&'a [u8]),
    /// TLS stands, as [`Output::StartTls`] asked.
    Secured,
    /// The answer to [`Output::CheckCertificate`]: whether it is good for that domain.
    Certificate(bool),
    /// The answer to [`Output::Verify`].
    Verified(Pair, Verdict),
    /// The stream is to end; why, when it is an error.
    Close(Option<StreamError>),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Send all there is, throw away what else has come in clear, begin TLS, then [`Input::Secured`].
    StartTls,
    /// Say whether the peer's certificate is good for this domain: [`Input::Certificate`].
    CheckCertificate(String),
    /// Ask the server of `pair.from` whether it made this key (XEP-0220 2.1.2), then [`Input::Verified`].
    Verify {
        /// Who wants to send to whom.
        pair: Pair,
        /// The id of this stream, which goes into the request.
        id: String,
        /// The key.
        key: String,
    },
    /// This pair may send.
    Authenticated(Pair),
    /// A stanza of an authenticated pair; `from` and `to` are addresses.
    Stanza(Element),
    /// An error stanza for whoever sent something unfit; it goes over our own stream to its domain.
    Bounce(Element),
    /// Close the connection once all is sent. Nothing follows.
    Closed(Option<StreamError>),
}

impl Effects for Vec<Output> {
    fn write(&mut self, bytes: Vec<u8>) {
        self.push(Output::Write(bytes));
    }

    fn closed(&mut self, error: Option<StreamError>) {
        self.push(Output::Closed(error));
    }
}

/// One server's stream to us.
pub struct Incoming {
    config: Arc<Config>,
    wire: Wire,
    phase: Phase,
    secured: bool,
    seed: Seed,
    id: String,
    /// The pair that the header names.
    named: Option<Pair>,
    authenticated: BTreeSet<Pair>,
    /// Pairs whose keys are being verified.
    waiting: BTreeSet<Pair>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Header,
    Securing,
    /// The caller judges the certificate.
    Judging,
    /// EXTERNAL is offered: the certificate is good for the domain that the header names.
    External,
    /// EXTERNAL was begun without saying who.
    Authzid,
    Open,
}

impl Incoming {
    /// At the start of a stream; `secured` for direct TLS, `seed` is 32 random bytes used for this stream alone.
    pub fn new(config: Arc<Config>, secured: bool, seed: [u8; 32]) -> Incoming {
        Incoming {
            wire: Wire::new(ns::SERVER, config.limits_before).passing_on(),
            config,
            phase: Phase::Header,
            secured,
            seed: Seed::new(seed),
            id: String::new(),
            named: None,
            authenticated: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Takes one input; appends what is to be done.
    pub fn handle(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        if self.wire.is_closed() {
            return;
        }
        match (input, self.phase) {
            (Input::Bytes(bytes), _) => self.bytes(bytes, out),
            (Input::Secured, Phase::Securing) => {
                self.secured = true;
                self.wire.restart();
                self.phase = Phase::Header;
            }
            (Input::Certificate(good), Phase::Judging) => {
                self.features(good, out);
                let held = self.wire.take_held();
                self.bytes(&held, out);
            }
            (Input::Verified(pair, verdict), _) => self.verified(pair, verdict, out),
            (Input::Close(error), _) => self.wire.end(error, out),
            (Input::Secured | Input::Certificate(_), _) => {}
        }
    }

    /// The pairs that may send.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.authenticated.iter()
    }

    /// Gives the parser's buffers away when nothing is half read; whether it did.
    pub fn rest(&mut self, pool: &mut Pool) -> bool {
        self.wire.rest(pool)
    }

    /// Takes buffers for the parser before bytes are handled.
    pub fn wake(&mut self, pool: &mut Pool) {
        self.wire.wake(pool);
    }

    fn bytes(&mut self, mut input: &[u8], out: &mut Vec<Output>) {
        while !self.wire.is_closed() {
            let result = match self.phase {
                // RFC 6120 5.4.3.3: what was sent in clear behind <starttls/> is not to be believed.
                Phase::Securing => return,
                Phase::Judging => match self.wire.hold(input) {
                    Ok(()) => return,
                    Err(error) => Err(error),
                },
                _ => match self.wire.next(&mut input, out) {
                    Ok(Some(StreamEvent::Open(header))) => self.opened(&header, out),
                    Ok(Some(StreamEvent::Stanza(element))) => self.element(element, out),
                    Ok(Some(StreamEvent::Close)) => {
                        self.wire.end(None, out);
                        Ok(())
                    }
                    Ok(None) => return,
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = result {
                self.wire.fail(error, out);
            }
        }
    }

    fn opened(&mut self, header: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let from = header.get("from").and_then(domain_of);
        let to = header.get("to").and_then(domain_of);
        self.id = self.seed.text();
        let ours = to.clone().filter(|to| self.config.domains.contains(to));
        self.wire
            .open(Opening { id: Some(&self.id), from: ours.as_deref(), to: from.as_deref(), lang: Lang::English }, out);

        self.wire.check_header(header)?;
        if header.get("to").is_some() && ours.is_none() {
            return Err(StreamError::new("host-unknown", "that domain is not served here"));
        }
        if header.get("from").is_some() && from.is_none() {
            return Err(StreamError::new("invalid-from", "from is not a domain"));
        }
        version_is_ours(header)?;
        self.named = from.zip(to).map(|(from, to)| Pair { from, to });
        match &self.named {
            Some(pair) if self.secured && !self.authenticated.contains(pair) => {
                self.phase = Phase::Judging;
                out.push(Output::CheckCertificate(pair.from.clone()));
            }
            _ => self.features(false, out),
        }
        Ok(())
    }

    /// RFC 6120 4.3.2; EXTERNAL only where it will succeed, so that nobody tries in vain (XEP-0178 3).
    fn features(&mut self, certificate_is_good: bool, out: &mut Vec<Output>) {
        let mut features = Element::new("features", ns::STREAMS);
        if !self.secured && self.config.tls != TlsPolicy::Off {
            let required = (self.config.tls == TlsPolicy::Required).then(|| Element::new("required", ns::TLS));
            features.push(Element::new("starttls", ns::TLS).with(required));
        }
        if certificate_is_good {
            let external = Element::new("mechanism", ns::SASL).text("EXTERNAL");
            features.push(Element::new("mechanisms", ns::SASL).child(external));
        }
        if self.config.dialback && self.may_authenticate() {
            features.push(dialback::feature());
        }
        self.phase = if certificate_is_good { Phase::External } else { Phase::Open };
        self.wire.send(&features, out);
    }

    fn may_authenticate(&self) -> bool {
        self.secured || self.config.tls != TlsPolicy::Required
    }

    fn element(&mut self, element: Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        match (element.name(), element.ns()) {
            ("error", ns::STREAMS) => self.wire.end(None, out),
            ("starttls", ns::TLS) => self.starttls(out),
            ("auth", ns::SASL) => self.auth(&element, out),
            ("response", ns::SASL) if self.phase == Phase::Authzid => self.external(&element, out),
            (_, ns::SASL) => self.sasl_failed(Failure::MalformedRequest, out),
            (_, ns::DIALBACK) if !self.may_authenticate() => {
                return Err(StreamError::new("policy-violation", "TLS comes first here"));
            }
            ("result", ns::DIALBACK) => return self.result(&element, out),
            ("verify", ns::DIALBACK) => return self.verify(&element, out),
            _ => return self.stanza(element, out),
        }
        Ok(())
    }

    fn starttls(&mut self, out: &mut Vec<Output>) {
        if self.secured || self.config.tls == TlsPolicy::Off {
            self.wire.send(&Element::new("failure", ns::TLS), out);
            return self.wire.end(None, out);
        }
        self.wire.send(&Element::new("proceed", ns::TLS), out);
        self.phase = Phase::Securing;
        out.push(Output::StartTls);
    }

    fn auth(&mut self, auth: &Element, out: &mut Vec<Output>) {
        if self.phase != Phase::External || auth.get("mechanism") != Some("EXTERNAL") {
            return self.sasl_failed(Failure::InvalidMechanism, out);
        }
        if auth.nodes().is_empty() {
            self.phase = Phase::Authzid;
            return self.wire.send(&Element::new("challenge", ns::SASL), out);
        }
        self.external(auth, out);
    }

    /// XEP-0178 3: the identity is the domain that the header names, said again or left out.
    fn external(&mut self, element: &Element, out: &mut Vec<Output>) {
        let Some(message) = sasl_message(element) else {
            return self.sasl_failed(Failure::IncorrectEncoding, out);
        };
        let authzid = String::from_utf8(message).ok();
        let same = |pair: &Pair| match authzid.as_deref() {
            Some("") => true,
            Some(authzid) => domain_of(authzid).is_some_and(|domain| domain == pair.from),
            None => false,
        };
        match self.named.clone().filter(same) {
            Some(pair) => {
                self.wire.send(&Element::new("success", ns::SASL), out);
                self.wire.restart();
                self.phase = Phase::Header;
                self.admit(pair, out);
            }
            None => self.sasl_failed(Failure::InvalidAuthzid, out),
        }
    }

    fn sasl_failed(&mut self, failure: Failure, out: &mut Vec<Output>) {
        let condition = Element::new(failure.condition(), ns::SASL);
        self.wire.send(&Element::new("failure", ns::SASL).child(condition), out);
        self.phase = Phase::Open; // dialback may still follow
    }

    fn admit(&mut self, pair: Pair, out: &mut Vec<Output>) {
        self.wire.set_limits(self.config.limits);
        self.authenticated.insert(pair.clone());
        out.push(Output::Authenticated(pair));
    }

    /// XEP-0220 2.2.1: we are the receiving server.
    fn result(&mut self, result: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let pair = addresses(result)?;
        let refuse = |condition| dialback::told("result", &pair, Verdict::Error(condition));
        let key = result.content().trim().to_owned();
        if !self.config.domains.contains(&pair.to) {
            self.wire.send(&refuse(Condition::ItemNotFound), out);
        } else if !self.config.dialback {
            self.wire.send(&refuse(Condition::NotAuthorized), out);
        } else if key.is_empty() || key.len() > KEY_BYTES_MAX {
            self.wire.send(&refuse(Condition::NotAcceptable), out);
        } else if self.authenticated.contains(&pair) {
            self.wire.send(&dialback::told("result", &pair, Verdict::Valid), out);
        } else if self.waiting.contains(&pair) {
            return Err(StreamError::new("policy-violation", "one key to a pair of domains"));
        } else if self.authenticated.len() + self.waiting.len() >= PAIRS_MAX {
            self.wire.send(&refuse(Condition::ResourceConstraint), out);
        } else {
            self.waiting.insert(pair.clone());
            out.push(Output::Verify { pair, id: self.id.clone(), key });
        }
        Ok(())
    }

    /// The answer to [`Output::Verify`]; one that nobody waits for is nothing.
    fn verified(&mut self, pair: Pair, verdict: Verdict, out: &mut Vec<Output>) {
        if !self.waiting.remove(&pair) {
            return;
        }
        self.wire.send(&dialback::told("result", &pair, verdict), out);
        match verdict {
            Verdict::Valid => self.admit(pair, out),
            // XEP-0220 2.2.1: who forged one key is not heard further, unless others already share the stream.
            Verdict::Invalid if self.authenticated.is_empty() && self.waiting.is_empty() => self.wire.end(None, out),
            Verdict::Invalid | Verdict::Error(_) => {}
        }
    }

    /// XEP-0220 2.2.2: we are the authoritative server.
    fn verify(&mut self, verify: &Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let asked = addresses(verify)?;
        let id = verify.get("id").ok_or(StreamError::new("improper-addressing", "an id is needed"))?;
        // The request comes from the receiving server: the pair it asks about is the other way round.
        let pair = Pair { from: asked.to.clone(), to: asked.from.clone() };
        let verdict = if !self.config.domains.contains(&asked.to) {
            Verdict::Error(Condition::ItemNotFound)
        } else if dialback::key_is_ours(&self.config.dialback_secret, &pair, id, verify.content().trim()) {
            Verdict::Valid
        } else {
            Verdict::Invalid
        };
        self.wire.send(&dialback::told("verify", &asked, verdict).attr("id", id), out);
        Ok(())
    }

    /// RFC 6120 8.1.1.2 and 8.1.2.2.
    fn stanza(&mut self, mut stanza: Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        if self.authenticated.is_empty() {
            return Err(StreamError::new("not-authorized", "authenticate before sending stanzas"));
        }
        let (Some(from), Some(to)) = (stanza.get("from"), stanza.get("to")) else {
            return Err(StreamError::new("improper-addressing", "from and to are needed between servers"));
        };
        let from = Jid::new(from).map_err(|_| StreamError::new("invalid-from", "from is not an address"))?;
        let to = Jid::new(to);
        let may_send =
            |pair: &Pair| pair.from == from.domain() && to.as_ref().map_or(true, |to| pair.to == to.domain());
        if !self.authenticated.iter().any(may_send) {
            return Err(StreamError::new("invalid-from", "these domains are not authenticated on this stream"));
        }
        stanza.set("from", from.as_str());
        let checked = check::is_stanza(&stanza)
            .and_then(|()| check::to_is_an_address(&mut stanza))
            .and_then(|()| check::is_whole(&stanza));
        match checked {
            Ok(()) => out.push(Output::Stanza(stanza)),
            Err(Wrong::Stanza(error)) => {
                let mut bounce = error.reply(&stanza);
                if let Err(_) = to
                    && let Some(pair) = self.authenticated.iter().find(|pair| pair.from == from.domain())
                {
                    bounce.set("from", &pair.to);
                }
                out.push(Output::Bounce(bounce));
            }
            Err(Wrong::Silent) => {}
            Err(Wrong::Stream(error)) => return Err(error),
        }
        Ok(())
    }
}

/// `from` and `to` of a dialback element; without them nothing can be said to anybody.
fn addresses(element: &Element) -> Result<Pair, StreamError> {
    let domain = |name| element.get(name).and_then(domain_of);
    match (domain("from"), domain("to")) {
        (Some(from), Some(to)) => Ok(Pair { from, to }),
        _ => Err(StreamError::new("improper-addressing", "from and to must be domains")),
    }
}

#[cfg(test)]
mod tests;
