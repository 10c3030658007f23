//! Our stream to a server: RFC 6120 4 to 6, XEP-0178 (EXTERNAL), XEP-0220 2.1 (dialback, both outbound roles).
//!
//! One stream carries one pair of domains. It may also, or only, ask whether keys are valid. The caller
//! writes its stanzas itself once [`Output::Ready`] came; the first thing to give it is [`Input::Connected`].

use super::dialback::{self, Pair, Verdict};
use super::error::StreamError;
use super::wire::{self, Effects, Lang, Opening, TlsPolicy, Wire, sasl_text};
use crate::stanza::Condition;
use crate::xml::{Limits, Pool, StreamEvent};
use crate::{Element, ns};
use std::collections::{BTreeSet, VecDeque};

/// Most requests for verification without an answer on one stream.
const REQUESTS_MAX: usize = 64;

/// What our stream is for, and what may be used to get there.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our domain and theirs, normalised.
    pub pair: Pair,
    /// Whether stanzas are to be sent; else keys are verified only, for which nobody need be authenticated.
    pub stanzas: bool,
    /// What is asked of TLS; off for direct TLS too.
    pub tls: TlsPolicy,
    /// Whether we have a certificate that may convince the other side.
    pub external: bool,
    /// Whether dialback may be used.
    pub dialback: bool,
    /// What our dialback keys are made with.
    pub dialback_secret: Vec<u8>,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection stands; under TLS already when it is direct TLS.
    Connected {
        /// Whether it is under TLS.
        secured: bool,
    },
    /// Bytes came.
    Bytes(&'a [u8]),
    /// TLS stands, as [`Output::StartTls`] asked.
    Secured,
    /// Ask the other side whether it made this key (XEP-0220 2.1.2); answered by [`Output::Verified`].
    Verify {
        /// The pair that wants to send to us: `from` is the domain asked, `to` ours.
        pair: Pair,
        /// The id of the stream on which the key came.
        id: String,
        /// The key.
        key: String,
    },
    /// The stream is to end; why, when it is an error.
    Close(Option<StreamError>),
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Begin TLS, then [`Input::Secured`].
    StartTls,
    /// Stanzas of the pair may be sent.
    Ready,
    /// The answer to [`Input::Verify`].
    Verified {
        /// The pair that was asked about.
        pair: Pair,
        /// The id that was asked about.
        id: String,
        /// What the other side says.
        verdict: Verdict,
    },
    /// Close the connection once all is sent; why, when it was not asked for. Nothing follows: requests for
    /// verification that are not answered by now never will be.
    Closed(Option<Failure>),
}

/// Why a stream could not be made, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The other side ended the stream, or we did because of what it sent.
    #[error("stream error {0}")]
    Stream(StreamError),
    /// There is no STARTTLS, or it was refused.
    #[error("the server does not do STARTTLS")]
    NoTls,
    /// Neither EXTERNAL nor dialback may be used with this server.
    #[error("the server offers no way to authenticate")]
    NoWay,
    /// The server did not believe us; the condition of XEP-0220 2.4.2 where it is an error.
    #[error("the server did not verify us")]
    NotVerified(Option<Condition>),
    /// The server closed the stream.
    #[error("the server closed the stream")]
    Ended,
}

impl Failure {
    /// What to tell those whose stanzas waited (RFC 6120 8.3.3, XEP-0220 2.1.1).
    pub fn condition(&self) -> Condition {
        match self {
            Failure::Stream(error) if matches!(error.condition, "host-unknown" | "host-gone") => {
                Condition::RemoteServerNotFound
            }
            Failure::NotVerified(None) => Condition::InternalServerError,
            Failure::NoTls | Failure::NoWay => Condition::RemoteServerNotFound,
            Failure::Stream(_) | Failure::NotVerified(_) | Failure::Ended => Condition::RemoteServerTimeout,
        }
    }
}

impl Effects for Vec<Output> {
    fn write(&mut self, bytes: Vec<u8>) {
        self.push(Output::Write(bytes));
    }

    fn closed(&mut self, error: Option<StreamError>) {
        self.push(Output::Closed(error.map(Failure::Stream)));
    }
}

/// One stream of ours to a server.
pub struct Outgoing {
    config: Config,
    wire: Wire,
    phase: Phase,
    secured: bool,
    /// The id the other side gave this stream.
    id: String,
    /// What became of EXTERNAL, where it was tried.
    external: Option<bool>,
    /// Requests to send once the stream stands, as elements.
    requests: VecDeque<Element>,
    /// What was asked and not answered: pair and stream id.
    asked: BTreeSet<(Pair, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Header,
    Features,
    Starttls,
    Securing,
    External,
    Dialback,
    /// Keys can be verified; stanzas flow if they are meant to.
    Open,
}

impl Outgoing {
    /// A stream about to be made.
    pub fn new(config: Config) -> Outgoing {
        Outgoing {
            config,
            wire: Wire::new(ns::SERVER, Limits::AUTHENTICATED),
            phase: Phase::Header,
            secured: false,
            id: String::new(),
            external: None,
            requests: VecDeque::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Takes one input; appends what is to be done.
    pub fn handle(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        if self.wire.is_closed() {
            return;
        }
        match input {
            Input::Connected { secured } => {
                self.secured = secured;
                self.open(out);
            }
            Input::Bytes(bytes) => self.bytes(bytes, out),
            Input::Secured if self.phase == Phase::Securing => {
                self.secured = true;
                self.open(out);
            }
            Input::Secured => {}
            Input::Verify { pair, id, key } => self.verify(pair, id, key, out),
            Input::Close(error) => self.wire.end(error, out),
        }
    }

    /// A stanza as bytes for the socket.
    pub fn write(stanza: &Element) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::write_in_stream(stanza, &mut bytes);
        bytes
    }

    /// Gives the parser's buffers away when nothing is half read; whether it did.
    pub fn rest(&mut self, pool: &mut Pool) -> bool {
        self.wire.rest(pool)
    }

    /// Takes buffers for the parser before bytes are handled.
    pub fn wake(&mut self, pool: &mut Pool) {
        self.wire.wake(pool);
    }

    /// Our header, the first one or a new one.
    fn open(&mut self, out: &mut Vec<Output>) {
        self.wire.restart();
        self.phase = Phase::Header;
        let Pair { from, to } = &self.config.pair;
        self.wire.open(Opening { id: None, from: Some(from), to: Some(to), lang: Lang::Unsaid }, out);
    }

    fn bytes(&mut self, mut input: &[u8], out: &mut Vec<Output>) {
        while !self.wire.is_closed() && self.phase != Phase::Securing {
            let result = match self.wire.next(&mut input, out) {
                Ok(Some(StreamEvent::Open(header))) => self.opened(&header, out),
                Ok(Some(StreamEvent::Stanza(element))) => self.element(&element, out),
                Ok(Some(StreamEvent::Close)) => Err(Failure::Ended),
                Ok(None) => return,
                Err(error) => {
                    self.wire.fail(error, out);
                    Ok(())
                }
            };
            if let Err(failure) = result {
                self.fail(failure, out);
            }
        }
    }

    /// Ends the stream; the failure is told the caller in place of a quiet end.
    fn fail(&mut self, failure: Failure, out: &mut Vec<Output>) {
        self.wire.end(None, out);
        if let Some(Output::Closed(why)) = out.last_mut() {
            *why = Some(failure);
        }
    }

    fn opened(&mut self, header: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        self.wire.check_header(header).map_err(Failure::Stream)?;
        self.id = header.get("id").unwrap_or_default().to_owned();
        self.phase = Phase::Features;
        if header.get("version").is_some() {
            return Ok(());
        }
        // RFC 6120 4.7.5: before 1.0 there are no features; dialback is all there is.
        match self.config.tls == TlsPolicy::Required && !self.secured {
            true => Err(Failure::NoTls),
            false => self.authenticate(false, self.wire.speaks_dialback(), out),
        }
    }

    fn element(&mut self, element: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if let Some(error) = StreamError::parse(element) {
            return Err(Failure::Stream(error));
        }
        match (self.phase, element.name(), element.ns()) {
            (Phase::Features, "features", ns::STREAMS) => self.features(element, out),
            (Phase::Starttls, "proceed", ns::TLS) => {
                self.phase = Phase::Securing;
                out.push(Output::StartTls);
                Ok(())
            }
            (Phase::Starttls, "failure", ns::TLS) => Err(Failure::NoTls),
            (Phase::External, "challenge", ns::SASL) => {
                let domain = sasl_text(self.config.pair.from.as_bytes());
                self.wire.send(&Element::new("response", ns::SASL).text(domain), out);
                Ok(())
            }
            (Phase::External, "success", ns::SASL) => {
                self.external = Some(true);
                self.open(out);
                Ok(())
            }
            (Phase::External, "failure", ns::SASL) => {
                self.external = Some(false);
                self.authenticate(false, self.config.dialback, out)
            }
            (Phase::Dialback, "result", ns::DIALBACK) => self.result(element, out),
            (_, "verify", ns::DIALBACK) => {
                self.verified(element, out);
                Ok(())
            }
            // XEP-0220 2.2: a stream goes one way, whatever else is sent against it is nothing.
            (Phase::Open | Phase::Dialback, _, _) => Ok(()),
            _ => Err(Failure::Stream("unsupported-stanza-type".into())),
        }
    }

    fn features(&mut self, features: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if !self.secured && self.config.tls != TlsPolicy::Off {
            if features.has_child("starttls", ns::TLS) {
                self.phase = Phase::Starttls;
                self.wire.send(&Element::new("starttls", ns::TLS), out);
                return Ok(());
            }
            if self.config.tls == TlsPolicy::Required {
                return Err(Failure::NoTls);
            }
        }
        let mechanisms = features.get_child("mechanisms", ns::SASL);
        let external = mechanisms.is_some_and(|list| list.children().any(|m| m.content() == "EXTERNAL"));
        let dialback = features.has_child("dialback", ns::DIALBACK_FEATURE) || self.wire.speaks_dialback();
        self.authenticate(external, dialback, out)
    }

    /// The strongest way that both sides have. Behind EXTERNAL's success there is nothing more to show.
    fn authenticate(&mut self, external: bool, dialback: bool, out: &mut Vec<Output>) -> Result<(), Failure> {
        if self.config.stanzas && external && self.config.external && self.external.is_none() {
            self.phase = Phase::External;
            let auth = Element::new("auth", ns::SASL).attr("mechanism", "EXTERNAL");
            self.wire.send(&auth.text(sasl_text(self.config.pair.from.as_bytes())), out);
            return Ok(());
        }
        if !self.config.stanzas {
            self.phase = Phase::Open;
        } else if self.external == Some(true) {
            self.phase = Phase::Open;
            out.push(Output::Ready);
        } else if dialback && self.config.dialback {
            self.phase = Phase::Dialback;
            let Pair { from, to } = &self.config.pair;
            let key = dialback::key(&self.config.dialback_secret, &self.config.pair, &self.id);
            self.wire.send(&dialback::element("result", from, to).text(key), out);
        } else {
            return Err(Failure::NoWay);
        }
        while let Some(request) = self.requests.pop_front() {
            self.wire.send(&request, out);
        }
        Ok(())
    }

    /// XEP-0220 2.1.1: we are the initiating server.
    fn result(&mut self, result: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        let Pair { from, to } = &self.config.pair;
        if result.get("from") != Some(to) || result.get("to") != Some(from) {
            return Ok(());
        }
        match dialback::heard(result) {
            Some(Verdict::Valid) => {
                self.phase = Phase::Open;
                out.push(Output::Ready);
                Ok(())
            }
            Some(Verdict::Invalid) => Err(Failure::NotVerified(None)),
            Some(Verdict::Error(condition)) => Err(Failure::NotVerified(Some(condition))),
            None => Ok(()),
        }
    }

    /// XEP-0220 2.1.2: we are the receiving server of another stream.
    fn verify(&mut self, pair: Pair, id: String, key: String, out: &mut Vec<Output>) {
        if self.asked.len() >= REQUESTS_MAX {
            let verdict = Verdict::Error(Condition::ResourceConstraint);
            return out.push(Output::Verified { pair, id, verdict });
        }
        let request = dialback::element("verify", &pair.to, &pair.from).attr("id", &id).text(key);
        self.asked.insert((pair, id));
        match self.phase {
            Phase::Open | Phase::Dialback => self.wire.send(&request, out),
            _ => self.requests.push_back(request),
        }
    }

    /// An answer counts for what was asked on this stream, XEP-0220 3.1.
    fn verified(&mut self, verify: &Element, out: &mut Vec<Output>) {
        let domain = |name| verify.get(name).and_then(wire::domain_of);
        let (Some(from), Some(to), Some(id)) = (domain("from"), domain("to"), verify.get("id")) else { return };
        let Some(verdict) = dialback::heard(verify) else { return };
        if let Some((pair, id)) = self.asked.take(&(Pair { from, to }, id.to_owned())) {
            out.push(Output::Verified { pair, id, verdict });
        }
    }
}

#[cfg(test)]
mod tests;
