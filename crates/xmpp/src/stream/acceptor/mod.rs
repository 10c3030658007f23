//! A client's stream, the server's side.
//!
//! `header → features → [starttls → header → features] → sasl → header → features → bind → stanzas`
//!
//! RFC 6120 4.2 to 4.9 here and in `open`, 5 (STARTTLS) and 6 (SASL) in `auth`, 7 (binding) and 8.1 (addresses) in
//! `session`; XEP-0198 and XEP-0352 in `managed`; XEP-0077 3.1 in `register`; XEP-0440 and XEP-0478 in the features. While the caller owes an answer,
//! what the client sends is kept, up to a limit.

mod auth;
mod managed;
mod open;
mod register;
mod session;
#[cfg(test)]
mod tests;

pub(super) use open::version_is_ours;

use managed::state;

use super::error::StreamError;
use super::wire::{Effects, Seed, TlsPolicy, Wire};
use crate::sasl::{Credentials, Server};
use crate::stanza::{Condition, StanzaError};
use crate::xml::{Limits, Pool, StreamEvent};
use crate::{Element, Jid, ns};
use std::sync::Arc;

/// What holds for all client streams of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The domains that accounts live at, normalised; the first answers those who named none.
    pub domains: Vec<String>,
    /// What is asked of TLS on streams that begin in clear.
    pub tls: TlsPolicy,
    /// Whether PLAIN is offered without TLS too: loopback and tests only.
    pub plain_without_tls: bool,
    /// Whether SCRAM-SHA-256 is offered: not while an account has keys for SCRAM-SHA-1 alone ([`Credentials::sha256`]).
    pub sha256: bool,
    /// Whether accounts may be made over the wire, XEP-0077.
    pub registration: bool,
    /// Limits until the client is authenticated.
    pub limits_before: Limits,
    /// Limits from then on.
    pub limits: Limits,
    /// Seconds without traffic after which the server asks or closes, announced by XEP-0478; `None` says nothing.
    pub idle_seconds: Option<u32>,
    /// What invented credentials are made from; see [`Credentials::fake`].
    pub server_secret: Vec<u8>,
    /// Features announced besides those of this machine, once authenticated.
    pub features: Vec<Element>,
}

impl Config {
    /// The usual: TLS required, no registration, the limits of [`Limits`].
    pub fn new(domains: Vec<String>, server_secret: Vec<u8>) -> Config {
        Config {
            domains,
            tls: TlsPolicy::Required,
            plain_without_tls: false,
            sha256: true,
            registration: false,
            limits_before: Limits::BEFORE_AUTHENTICATION,
            limits: Limits::AUTHENTICATED,
            idle_seconds: None,
            server_secret,
            features: Vec::new(),
        }
    }
}

/// Under what a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// Nothing.
    Clear,
    /// TLS, with the tls-exporter bytes (RFC 9266) where it is TLS 1.3.
    Tls {
        /// 32 bytes, label `EXPORTER-Channel-Binding`, empty context.
        exporter: Option<Vec<u8>>,
    },
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes came.
    Bytes(&'a [u8]),
    /// TLS stands, as [`Output::StartTls`] asked.
    Secured(Channel),
    /// The answer to [`Output::NeedCredentials`].
    Credentials(Lookup),
    /// The answer to [`Output::Register`].
    Registered(Result<(), StanzaError>),
    /// The answer to [`Output::Bind`]: the full address that is bound, or why none is.
    Bound(Result<Jid, Condition>),
    /// The answer to [`Output::Resume`]: the session whose stream this is from now on, or why it is none.
    Resumed(Result<Session, Condition>),
    /// The stream is to end; why, when it is an error.
    Close(Option<StreamError>),
}

/// A client's session that outlives its stream, XEP-0198 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The full address.
    pub jid: Jid,
    /// Stanzas of the client that were taken; modulo 2^32, as `h` counts them.
    pub handled: u32,
}

/// What was found for a user.
#[derive(Debug)]
pub enum Lookup {
    /// The account's credentials.
    Found(Box<Credentials>),
    /// There is no such account.
    NoAccount,
    /// The accounts cannot be read now.
    Unavailable,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Send all there is, throw away what else has come in clear, begin TLS, then [`Input::Secured`].
    StartTls,
    /// Look up what is kept for this bare address, then [`Input::Credentials`].
    NeedCredentials(Jid),
    /// Someone failed to authenticate as this bare address; for throttling and the log.
    Refused(Option<Jid>),
    /// It is this bare address.
    Authenticated(Jid),
    /// Make this account, then [`Input::Registered`].
    Register {
        /// The bare address.
        user: Jid,
        /// The password, not empty.
        password: String,
    },
    /// Bind this full address, whose resource the client wished for or the machine made up, or another one of the
    /// same account, then [`Input::Bound`].
    Bind(Jid),
    /// A stanza to the client, in turn with all others that it is sent.
    Answer(Element),
    /// From here on the client has stanzas counted (XEP-0198 3): send [`management::enabled`](crate::stream::management::enabled)
    /// and count what is sent behind it.
    Enable {
        /// Whether the client wants to be able to resume.
        resume: bool,
        /// For how many seconds at the most, if it says so.
        max: Option<u64>,
    },
    /// The client has taken so many of the stanzas sent since `Enable`, modulo 2^32.
    Acked(u32),
    /// Find a session of this bare address, then [`Input::Resumed`]; behind its answer goes what the client has not
    /// taken.
    Resume {
        /// The bare address.
        user: Jid,
        /// The id that [`Output::Enable`] was answered with.
        id: String,
        /// As [`Output::Acked`], on the stream that has ended.
        acked: u32,
    },
    /// Whether somebody looks at what the client shows (XEP-0352 4.2).
    Active(bool),
    /// A stanza of the client: `from` is its full address, `to` an address if there is one.
    Stanza(Element),
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

/// One client's stream.
pub struct Acceptor {
    config: Arc<Config>,
    wire: Wire,
    phase: Phase,
    /// Stanzas of the client that were taken since it had them counted, modulo 2^32.
    handled: Option<u32>,
    /// What is needed only until the client is bound.
    negotiation: Option<Box<Negotiation>>,
}

enum Phase {
    /// A header is to come; whose, once that is known.
    Header(Option<Jid>),
    /// STARTTLS, SASL or registration may come.
    Features,
    /// The caller makes TLS.
    Securing,
    /// The caller looks credentials up.
    Lookup,
    /// The client owes its next SASL message.
    Exchange,
    /// The caller makes an account; the request.
    Registering(Box<Element>),
    /// The client owes its bind request.
    Binding(Jid),
    /// The caller binds; the request.
    BindWait(Jid, Box<Element>),
    /// The caller looks for a session; the user, and the id of the session.
    Resuming(Jid, String),
    /// Stanzas flow.
    Bound(Jid),
}

struct Negotiation {
    seed: Seed,
    /// The domain the client named.
    domain: String,
    channel: Channel,
    /// The exchange that goes on, and who it is about once that was said.
    sasl: Option<Server>,
    claimed: Option<Jid>,
    failures: u32,
    /// Sessions that were asked for in vain.
    refused: u32,
}

impl Acceptor {
    /// At the start of a stream; `seed` is 32 random bytes used for this stream alone.
    pub fn new(config: Arc<Config>, channel: Channel, seed: [u8; 32]) -> Acceptor {
        let domain = config.domains.first().cloned().unwrap_or_default();
        let negotiation =
            Negotiation { seed: Seed::new(seed), domain, channel, sasl: None, claimed: None, failures: 0, refused: 0 };
        Acceptor {
            wire: Wire::new(ns::CLIENT, config.limits_before).passing_on(),
            config,
            phase: Phase::Header(None),
            handled: None,
            negotiation: Some(Box::new(negotiation)),
        }
    }

    /// As [`Acceptor::new`], of a stream in the messages of a WebSocket (RFC 7395), whose frames come in and go out as
    /// bytes do. Under TLS or behind a proxy that is, it does not begin it.
    pub fn websocket(config: Arc<Config>, channel: Channel, seed: [u8; 32]) -> Acceptor {
        let wire = Wire::framed(config.limits_before).passing_on();
        Acceptor { wire, ..Acceptor::new(config, channel, seed) }
    }

    /// Whether what is sent goes in messages of a WebSocket, each of one element.
    pub fn is_framed(&self) -> bool {
        self.wire.is_framed()
    }

    /// Takes one input; appends what is to be done.
    pub fn handle(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        if self.wire.is_closed() {
            return;
        }
        match (input, &self.phase) {
            (Input::Bytes(bytes), _) => return self.bytes(bytes, out),
            (Input::Close(error), _) => return self.wire.end(error, out),
            (Input::Secured(channel), Phase::Securing) => self.secured(channel),
            (Input::Credentials(found), Phase::Lookup) => self.looked_up(found, out),
            (Input::Registered(result), Phase::Registering(_)) => self.registered(result, out),
            (Input::Bound(result), Phase::BindWait(..)) => self.bound(result, out),
            (Input::Resumed(result), Phase::Resuming(..)) => self.resumed(result, out),
            (
                Input::Secured(_) | Input::Credentials(_) | Input::Registered(_) | Input::Bound(_) | Input::Resumed(_),
                _,
            ) => return,
        }
        let held = self.wire.take_held();
        self.bytes(&held, out);
    }

    /// The full address, once it is bound.
    pub fn jid(&self) -> Option<&Jid> {
        match &self.phase {
            Phase::Bound(jid) => Some(jid),
            _ => None,
        }
    }

    /// The session as another stream can take it up, once it is bound and its stanzas are counted.
    pub fn session(&self) -> Option<Session> {
        Some(Session { jid: self.jid()?.clone(), handled: self.handled? })
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
            match self.phase {
                // RFC 6120 5.4.3.3: what was sent in clear behind <starttls/> is not to be believed.
                Phase::Securing => return,
                Phase::Lookup | Phase::Registering(_) | Phase::BindWait(..) | Phase::Resuming(..) => {
                    if let Err(error) = self.wire.hold(input) {
                        self.wire.fail(error, out);
                    }
                    return;
                }
                _ => {}
            }
            match self.wire.next(&mut input, out) {
                Ok(Some(event)) => self.event(event, out),
                Ok(None) => return,
                Err(error) => self.wire.fail(error, out),
            }
        }
    }

    fn event(&mut self, event: StreamEvent, out: &mut Vec<Output>) {
        let result = match event {
            StreamEvent::Open(header) if matches!(self.phase, Phase::Header(_)) => self.opened(&header, out),
            StreamEvent::Open(_) => Err(StreamError::new("bad-format", "the stream is open already")),
            StreamEvent::Close => {
                self.wire.end(None, out);
                Ok(())
            }
            StreamEvent::Stanza(element) => self.element(element, out),
        };
        if let Err(error) = result {
            self.wire.fail(error, out);
        }
    }

    fn element(&mut self, element: Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        if element.is("error", ns::STREAMS) {
            // RFC 6120 4.9.1.1: whoever gets an error closes too.
            self.wire.end(None, out);
            return Ok(());
        }
        match &self.phase {
            Phase::Bound(_) if element.ns() == ns::SM => self.managed(&element, out),
            Phase::Bound(_) if element.ns() == ns::CSI => state(&element, out),
            Phase::Binding(user) if element.is("resume", ns::SM) => {
                let user = user.clone();
                self.resume(&element, user, out);
                Ok(())
            }
            Phase::Binding(_) | Phase::Features if element.ns() == ns::SM => {
                self.sm_failed(Condition::UnexpectedRequest, out);
                Ok(())
            }
            Phase::Bound(jid) => {
                let jid = jid.clone();
                self.stanza(element, &jid, out)
            }
            Phase::Binding(user) => {
                let user = user.clone();
                self.bind(element, user, out)
            }
            Phase::Features => self.choice(element, out),
            Phase::Exchange => self.exchange(&element, out),
            _ => Err("not-authorized".into()),
        }
    }

    /// What the client may choose before it is known.
    fn choice(&mut self, element: Element, out: &mut Vec<Output>) -> Result<(), StreamError> {
        match (element.name(), element.ns()) {
            ("starttls", ns::TLS) => self.starttls(out),
            ("auth", ns::SASL) => self.auth(&element, out),
            ("abort" | "response", ns::SASL) => self.sasl_failed(crate::sasl::Failure::MalformedRequest, out),
            ("iq", ns::CLIENT) if element.has_child("query", ns::REGISTER) => self.register(element, out),
            ("message" | "presence" | "iq", _) => {
                Err(StreamError::new("not-authorized", "authenticate before sending stanzas"))
            }
            _ => Err("unsupported-stanza-type".into()),
        }
    }

    /// Whether passwords may pass here.
    fn private_enough(&self) -> bool {
        self.config.tls != TlsPolicy::Required || self.is_secured()
    }

    fn is_secured(&self) -> bool {
        self.negotiation.as_ref().is_some_and(|n| n.channel != Channel::Clear)
    }

    fn negotiation(&mut self) -> &mut Negotiation {
        self.negotiation.as_mut().expect("dropped only when a client is bound, and never asked for after that")
    }
}
