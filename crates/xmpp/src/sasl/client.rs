//! The client's side of every mechanism.

use super::scram::{self, Hash};
use super::{Mechanism, TLS_EXPORTER};
use base64::prelude::{BASE64_STANDARD, Engine};
use subtle::ConstantTimeEq;

/// Most rounds a server may ask for: about a second of work, so that no server can hang its clients.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Who logs in, and with what.
#[derive(Clone, Default)]
pub struct Login {
    /// The name to prove; empty for EXTERNAL.
    pub user: String,
    /// The password; empty for EXTERNAL.
    pub password: String,
    /// The identity to act as, where it is another.
    pub authzid: Option<String>,
}

/// Why the client stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server offers nothing that is safe here.
    #[error("the server offers no mechanism that is safe to use here")]
    NoMechanism,
    /// The server's message breaks the mechanism's grammar.
    #[error("the server's message is malformed")]
    Malformed,
    /// The server did not prove that it knows the credentials.
    #[error("the server did not prove itself")]
    ServerNotAuthentic,
}

/// One authentication exchange.
pub struct Client {
    mechanism: Mechanism,
    login: Login,
    gs2_header: String,
    exporter: Option<Vec<u8>>,
    nonce: String,
    state: State,
}

enum State {
    Start,
    /// The first message is sent.
    First,
    /// The proof is sent; this signature is what the server must answer.
    Proved(Vec<u8>),
    Done,
}

impl Client {
    /// The strongest mechanism offered that can be used: EXTERNAL without a password, -PLUS with the channel's
    /// exporter bytes, PLAIN only where the caller says that the channel is private.
    pub fn choose<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        login: &Login,
        exporter: Option<&[u8]>,
        private: bool,
    ) -> Result<Mechanism, ClientError> {
        let usable = |m: &Mechanism| match m {
            Mechanism::External => login.password.is_empty(),
            Mechanism::Plain => private && !login.password.is_empty(),
            m => !login.password.is_empty() && (!m.binds() || exporter.is_some()),
        };
        offered.into_iter().filter_map(Mechanism::from_name).filter(usable).min().ok_or(ClientError::NoMechanism)
    }

    /// Begins; `nonce` is random printable text without commas, `exporter` the channel's tls-exporter bytes,
    /// `plus_offered` whether the server offers any -PLUS (RFC 5802 6: only if not, an able client says `y`).
    pub fn new(mechanism: Mechanism, login: Login, exporter: Option<&[u8]>, plus_offered: bool, nonce: &str) -> Client {
        let flag = match (mechanism.binds(), exporter) {
            (true, _) => format!("p={TLS_EXPORTER}"),
            (false, Some(_)) if !plus_offered => "y".to_owned(),
            (false, _) => "n".to_owned(),
        };
        let authzid = login.authzid.as_ref().map(|a| format!("a={}", scram::escape_name(a))).unwrap_or_default();
        Client {
            mechanism,
            gs2_header: format!("{flag},{authzid},"),
            login,
            exporter: exporter.map(<[u8]>::to_vec),
            nonce: nonce.to_owned(),
            state: State::Start,
        }
    }

    /// The mechanism in use.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The initial response.
    pub fn initial(&mut self) -> Vec<u8> {
        self.state = State::First;
        let authzid = self.login.authzid.as_deref().unwrap_or_default();
        match self.mechanism {
            Mechanism::External => authzid.as_bytes().to_vec(),
            Mechanism::Plain => format!("{authzid}\0{}\0{}", self.login.user, self.login.password).into_bytes(),
            _ => format!("{}{}", self.gs2_header, self.first_bare()).into_bytes(),
        }
    }

    /// Answers a challenge.
    pub fn challenge(&mut self, message: &[u8]) -> Result<Vec<u8>, ClientError> {
        match (std::mem::replace(&mut self.state, State::Done), self.mechanism) {
            (State::First, Mechanism::External | Mechanism::Plain) => Err(ClientError::Malformed),
            (State::First, _) => self.prove(message),
            _ => Err(ClientError::Malformed),
        }
    }

    /// Takes what came with the success; SCRAM's server must have proved itself by now.
    pub fn success(&mut self, message: &[u8]) -> Result<(), ClientError> {
        match (std::mem::replace(&mut self.state, State::Done), self.mechanism) {
            (State::First, Mechanism::External | Mechanism::Plain) => Ok(()),
            (State::Proved(expected), _) => {
                let signature = message.strip_prefix(b"v=").ok_or(ClientError::ServerNotAuthentic)?;
                let signature = BASE64_STANDARD.decode(signature).map_err(|_| ClientError::Malformed)?;
                match signature.ct_eq(&expected).into() {
                    true => Ok(()),
                    false => Err(ClientError::ServerNotAuthentic),
                }
            }
            _ => Err(ClientError::ServerNotAuthentic),
        }
    }

    fn first_bare(&self) -> String {
        let user = super::credentials::prepare(&self.login.user);
        format!("n={},r={}", scram::escape_name(&user), self.nonce)
    }

    /// RFC 5802 section 3, the client's half.
    fn prove(&mut self, message: &[u8]) -> Result<Vec<u8>, ClientError> {
        let server_first = std::str::from_utf8(message).map_err(|_| ClientError::Malformed)?;
        let (nonce, salt, iterations) = server_message(server_first).ok_or(ClientError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ClientError::ServerNotAuthentic);
        }
        let hash = match self.mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Hash::Sha1,
            _ => Hash::Sha256,
        };
        let password = super::credentials::prepare(&self.login.password);
        let salted = hash.pbkdf2(password.as_bytes(), &salt, iterations);
        let client_key = hash.hmac(&salted, b"Client Key");

        let binding = self.exporter.as_deref().filter(|_| self.mechanism.binds());
        let without_proof = format!("c={},r={nonce}", scram::channel_input(&self.gs2_header, binding));
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = hash.hmac(&hash.digest(&client_key), auth_message.as_bytes());
        self.state = State::Proved(hash.hmac(&hash.hmac(&salted, b"Server Key"), auth_message.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64_STANDARD.encode(scram::xor(&client_key, &signature))).into_bytes())
    }
}

/// `r=nonce,s=salt,i=iterations`.
fn server_message(text: &str) -> Option<(&str, Vec<u8>, u32)> {
    let mut parts = text.split(',');
    let nonce = scram::attribute(parts.next(), 'r')?;
    let salt = BASE64_STANDARD.decode(scram::attribute(parts.next(), 's')?).ok()?;
    let iterations = scram::attribute(parts.next(), 'i')?.parse().ok()?;
    (1..=ITERATIONS_MAX).contains(&iterations).then_some((nonce, salt, iterations))
}
