//! A client's stream, the client's side: RFC 6120 4 to 7 up to a bound address, then stanzas.
//!
//! Used by what plays a user: the demo, the tests. The first thing to give it is [`Input::Connected`].

use super::error::StreamError;
use super::wire::{self, Effects, Lang, Opening, Seed, TlsPolicy, Wire, sasl_message, sasl_text};
use crate::sasl::{self, Login};
use crate::xml::{Limits, StreamEvent};
use crate::{Element, Jid, ns};

/// How a user logs in.
#[derive(Clone)]
pub struct Config {
    /// The domain of the account.
    pub domain: String,
    /// Name and password.
    pub login: Login,
    /// The resource wished for.
    pub resource: Option<String>,
    /// Whether STARTTLS is asked for, or used where offered; off also for direct TLS.
    pub tls: TlsPolicy,
    /// Whether a password may be sent in clear: loopback and tests only.
    pub plain_without_tls: bool,
    /// The mechanism to use, in place of the strongest that is offered.
    pub mechanism: Option<sasl::Mechanism>,
    /// Whether to make the account first (XEP-0077); one that is there already is used.
    pub register: bool,
    /// The session to go on with in place of binding (XEP-0198 5).
    pub resume: Option<Resume>,
}

/// A session whose stream has broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Its full address.
    pub jid: Jid,
    /// The id the server gave it.
    pub id: String,
    /// Stanzas of the server that were taken, modulo 2^32.
    pub handled: u32,
}

impl Config {
    /// The usual: TLS required, the strongest mechanism, the server's choice of a resource.
    pub fn new(user: &Jid, password: &str) -> Config {
        let login =
            Login { user: user.local().unwrap_or_default().to_owned(), password: password.to_owned(), authzid: None };
        Config {
            domain: user.domain().to_owned(),
            login,
            resource: user.resource().map(str::to_owned),
            tls: TlsPolicy::Required,
            plain_without_tls: false,
            mechanism: None,
            register: false,
            resume: None,
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection stands; under TLS already when it is direct TLS, with the channel's exporter bytes.
    Connected(Option<Channel>),
    /// Bytes came.
    Bytes(&'a [u8]),
    /// TLS stands, as [`Output::StartTls`] asked.
    Secured(Channel),
    /// Say good-bye.
    Close,
}

/// A channel under TLS.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    /// tls-exporter bytes (RFC 9266) where it is TLS 1.3.
    pub exporter: Option<Vec<u8>>,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Begin TLS, then [`Input::Secured`].
    StartTls,
    /// Logged in with this full address; stanzas may be sent.
    Ready(Jid),
    /// A stanza came, or an element of stream management, which the caller has asked for.
    Stanza(Element),
    /// The stream is over; why, when it was not asked for.
    Closed(Option<Failure>),
}

/// Why a client's stream failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The server ended the stream, or we did because of what it sent.
    #[error("stream error {0}")]
    Stream(StreamError),
    /// SASL failed with this condition.
    #[error("not logged in: {0}")]
    Sasl(String),
    /// The exchange could not go on.
    #[error(transparent)]
    Exchange(#[from] sasl::ClientError),
    /// The server has no STARTTLS, or refused it.
    #[error("the server does not do STARTTLS")]
    NoTls,
    /// No resource was bound, or no account made; the condition of the error.
    #[error("refused: {0}")]
    Refused(String),
}

/// One client.
pub struct Client {
    config: Config,
    wire: Wire,
    seed: Seed,
    phase: Phase,
    channel: Option<Channel>,
    sasl: Option<sasl::Client>,
    registered: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// A header and features are to come.
    Features,
    Starttls,
    Securing,
    Registering,
    Sasl,
    /// Header and features once more.
    Authenticated,
    Binding,
    Resuming,
    Ready,
}

impl Effects for Vec<Output> {
    fn write(&mut self, bytes: Vec<u8>) {
        self.push(Output::Write(bytes));
    }

    fn closed(&mut self, error: Option<StreamError>) {
        self.push(Output::Closed(error.map(Failure::Stream)));
    }
}

impl Client {
    /// A client about to connect; `seed` is 32 random bytes used for this stream alone.
    pub fn new(config: Config, seed: [u8; 32]) -> Client {
        Client {
            config,
            wire: Wire::new(ns::CLIENT, Limits { stanza_bytes: STANZA_BYTES_MAX, ..Limits::AUTHENTICATED }),
            seed: Seed::new(seed),
            phase: Phase::Features,
            channel: None,
            sasl: None,
            registered: false,
        }
    }

    /// Takes one input; appends what is to be done.
    pub fn handle(&mut self, input: Input<'_>, out: &mut Vec<Output>) {
        if self.wire.is_closed() {
            return;
        }
        match input {
            Input::Connected(channel) => {
                self.channel = channel;
                self.open(out);
            }
            Input::Bytes(bytes) => self.bytes(bytes, out),
            Input::Secured(channel) => {
                self.channel = Some(channel);
                self.wire.restart();
                self.phase = Phase::Features;
                self.open(out);
            }
            Input::Close => self.wire.end(None, out),
        }
    }

    /// A stanza as bytes for the socket.
    pub fn write(stanza: &Element) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::write_in_stream(stanza, &mut bytes);
        bytes
    }

    fn open(&mut self, out: &mut Vec<Output>) {
        self.wire.open(Opening { to: Some(&self.config.domain), lang: Lang::Unsaid, ..Opening::default() }, out);
    }

    fn bytes(&mut self, mut input: &[u8], out: &mut Vec<Output>) {
        while !self.wire.is_closed() && self.phase != Phase::Securing {
            let result = match self.wire.next(&mut input, out) {
                Ok(Some(StreamEvent::Open(header))) => self.wire.check_header(&header).map_err(Failure::Stream),
                Ok(Some(StreamEvent::Stanza(element))) => self.element(element, out),
                Ok(Some(StreamEvent::Close)) => {
                    self.wire.end(None, out);
                    Ok(())
                }
                Ok(None) => return,
                Err(error) => Err(Failure::Stream(error)),
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

    fn element(&mut self, element: Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if let Some(error) = StreamError::parse(&element) {
            return Err(Failure::Stream(error));
        }
        match (self.phase, element.name(), element.ns()) {
            (Phase::Features, "features", ns::STREAMS) => self.features(&element, out),
            (Phase::Starttls, "proceed", ns::TLS) => {
                self.phase = Phase::Securing;
                out.push(Output::StartTls);
                Ok(())
            }
            (Phase::Starttls, "failure", ns::TLS) => Err(Failure::NoTls),
            (Phase::Registering, "iq", ns::CLIENT) => self.registered(&element, out),
            (Phase::Sasl, _, ns::SASL) => self.sasl(&element, out),
            (Phase::Authenticated, "features", ns::STREAMS) => {
                if let Some(resume) = &self.config.resume {
                    let h = resume.handled.to_string();
                    let resume = Element::new("resume", ns::SM).attr("previd", &resume.id).attr("h", h);
                    self.wire.send(&resume, out);
                    self.phase = Phase::Resuming;
                    return Ok(());
                }
                let resource = self.config.resource.as_ref();
                let resource = resource.map(|r| Element::new("resource", ns::BIND).text(r.as_str()));
                self.request("bind", Element::new("bind", ns::BIND).with(resource), out);
                self.phase = Phase::Binding;
                Ok(())
            }
            (Phase::Binding, "iq", ns::CLIENT) => self.bound(&element, out),
            (Phase::Resuming, "resumed", ns::SM) => {
                self.phase = Phase::Ready;
                out.extend(self.config.resume.take().map(|resume| Output::Ready(resume.jid)));
                out.push(Output::Stanza(element));
                Ok(())
            }
            (Phase::Resuming, "failed", ns::SM) => {
                Err(Failure::Refused(element.children().next().map_or("", Element::name).to_owned()))
            }
            (Phase::Ready, "message" | "presence" | "iq", ns::CLIENT) | (Phase::Ready, _, ns::SM) => {
                out.push(Output::Stanza(element));
                Ok(())
            }
            _ => Err(Failure::Stream("unsupported-stanza-type".into())),
        }
    }

    fn features(&mut self, features: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if self.channel.is_none() && self.config.tls != TlsPolicy::Off {
            if features.has_child("starttls", ns::TLS) {
                self.phase = Phase::Starttls;
                self.wire.send(&Element::new("starttls", ns::TLS), out);
                return Ok(());
            }
            if self.config.tls == TlsPolicy::Required {
                return Err(Failure::NoTls);
            }
        }
        let list = features.get_child("mechanisms", ns::SASL);
        let offered: Vec<String> = list.into_iter().flat_map(Element::children).map(Element::content).collect();
        let plus_offered = offered.iter().any(|name| name.ends_with("-PLUS"));
        let exporter = self.channel.as_ref().and_then(|channel| channel.exporter.clone());
        let private = self.channel.is_some() || self.config.plain_without_tls;
        let offered = offered.iter().map(String::as_str);
        let mechanism = match self.config.mechanism {
            Some(mechanism) => mechanism,
            None => sasl::Client::choose(offered, &self.config.login, exporter.as_deref(), private)?,
        };
        let nonce = self.seed.text();
        let login = self.config.login.clone();
        self.sasl = Some(sasl::Client::new(mechanism, login, exporter.as_deref(), plus_offered, &nonce));
        if self.config.register && !self.registered {
            let field = |name: &str, text: &str| Element::new(name, ns::REGISTER).text(text);
            let query = Element::new("query", ns::REGISTER)
                .child(field("username", &self.config.login.user))
                .child(field("password", &self.config.login.password));
            self.request("register", query, out);
            self.phase = Phase::Registering;
            return Ok(());
        }
        self.auth(out);
        Ok(())
    }

    fn auth(&mut self, out: &mut Vec<Output>) {
        let Some(sasl) = &mut self.sasl else { return };
        let auth = Element::new("auth", ns::SASL).attr("mechanism", sasl.mechanism().name());
        let auth = auth.text(sasl_text(&sasl.initial()));
        self.phase = Phase::Sasl;
        self.wire.send(&auth, out);
    }

    fn registered(&mut self, iq: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        let condition = error_condition(iq);
        if condition.as_deref().is_some_and(|condition| condition != "conflict") {
            return Err(Failure::Refused(condition.unwrap_or_default()));
        }
        self.registered = true;
        self.auth(out);
        Ok(())
    }

    fn sasl(&mut self, element: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        let sasl = self.sasl.as_mut().ok_or(sasl::ClientError::Malformed)?;
        if element.name() == "failure" {
            let condition = element.children().map(Element::name).find(|name| *name != "text");
            return Err(Failure::Sasl(condition.unwrap_or("not-authorized").to_owned()));
        }
        let message = sasl_message(element).ok_or(sasl::ClientError::Malformed)?;
        match element.name() {
            "challenge" => {
                let answer = sasl.challenge(&message)?;
                self.wire.send(&Element::new("response", ns::SASL).text(sasl_text(&answer)), out);
                Ok(())
            }
            "success" => {
                sasl.success(&message)?;
                self.sasl = None;
                self.phase = Phase::Authenticated;
                self.wire.restart();
                self.open(out);
                Ok(())
            }
            _ => Err(sasl::ClientError::Malformed.into()),
        }
    }

    fn bound(&mut self, iq: &Element, out: &mut Vec<Output>) -> Result<(), Failure> {
        if let Some(condition) = error_condition(iq) {
            return Err(Failure::Refused(condition));
        }
        let address = iq.get_child("bind", ns::BIND).and_then(|bind| bind.get_child("jid", ns::BIND));
        let jid = address.and_then(|jid| Jid::new(&jid.content()).ok());
        let jid = jid.ok_or_else(|| Failure::Refused("no address was bound".to_owned()))?;
        self.phase = Phase::Ready;
        out.push(Output::Ready(jid));
        Ok(())
    }

    fn request(&self, id: &str, payload: Element, out: &mut Vec<Output>) {
        let iq = Element::stanza("iq").attr("type", "set").attr("id", id);
        self.wire.send(&iq.child(payload), out);
    }
}

/// Most bytes of one stanza that a client takes: archives and rosters come whole.
const STANZA_BYTES_MAX: u32 = 1_048_576;

/// The condition of an iq error; `None` when it is none.
fn error_condition(iq: &Element) -> Option<String> {
    if iq.get("type") != Some("error") {
        return None;
    }
    let error = iq.get_child("error", ns::CLIENT);
    let condition = error.and_then(|e| e.children().find(|c| c.ns() == ns::STANZA_ERRORS && c.name() != "text"));
    Some(condition.map_or("undefined-condition", Element::name).to_owned())
}
