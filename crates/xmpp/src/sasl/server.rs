//! The server's side of every mechanism.
//!
//! The caller looks credentials up when asked to and gives back what it found. A name without an account is led
//! through the same steps with invented credentials, and fails where a wrong password fails.

use super::scram::{self, Hash};
use super::{Credentials, Failure, MESSAGE_BYTES_MAX, Mechanism, TLS_EXPORTER};
use base64::prelude::{BASE64_STANDARD, Engine};
use subtle::ConstantTimeEq;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Look up this user and call [`Server::credentials`].
    NeedCredentials {
        /// The name after SASLprep.
        user: String,
    },
    /// EXTERNAL: the identity asked for, if any. Whether the certificate is good for it, the caller decides.
    NeedCertificate {
        /// The authorization identity.
        authzid: Option<String>,
    },
    /// Send this and wait for an answer.
    Challenge(Vec<u8>),
    /// It is who it says.
    Success {
        /// The name after SASLprep.
        user: String,
        /// The identity to act as, where one was asked for; the caller compares.
        authzid: Option<String>,
        /// To be sent with the success.
        data: Option<Vec<u8>>,
    },
    /// It is over.
    Failed(Failure),
}

/// One authentication exchange.
pub struct Server {
    mechanism: Mechanism,
    /// The tls-exporter bytes of this channel, when there are any: then -PLUS was offered.
    exporter: Option<Vec<u8>>,
    nonce: String,
    server_secret: Vec<u8>,
    state: State,
}

enum State {
    Start,
    Credentials(Pending),
    Final(Box<Final>),
    Done,
}

/// What was said before the credentials are known.
enum Pending {
    Plain { user: String, authzid: Option<String>, password: String },
    Scram(First),
}

/// The client's first message, RFC 5802 5.1.
struct First {
    gs2_header: String,
    authzid: Option<String>,
    user: String,
    bare: String,
    nonce: String,
}

/// What the client's final message is checked against.
struct Final {
    first: First,
    nonce: String,
    server_first: String,
    credentials: Credentials,
    exists: bool,
}

impl Server {
    /// Begins; `nonce` is random printable text without commas, `server_secret` what [`Credentials::fake`] wants,
    /// `exporter` the channel's tls-exporter bytes when -PLUS is offered on it.
    pub fn new(mechanism: Mechanism, exporter: Option<&[u8]>, nonce: &str, server_secret: &[u8]) -> Server {
        Server {
            mechanism,
            exporter: exporter.map(<[u8]>::to_vec),
            nonce: nonce.to_owned(),
            server_secret: server_secret.to_vec(),
            state: State::Start,
        }
    }

    /// Takes a message of the client; the initial response is the first one.
    pub fn respond(&mut self, message: &[u8]) -> Step {
        let state = std::mem::replace(&mut self.state, State::Done);
        let Some(text) = std::str::from_utf8(message).ok().filter(|text| text.len() <= MESSAGE_BYTES_MAX) else {
            return Step::Failed(Failure::MalformedRequest);
        };
        let step = match (state, self.mechanism) {
            (State::Start, Mechanism::External) => Ok(Step::NeedCertificate { authzid: some(text) }),
            (State::Start, Mechanism::Plain) => self.plain(text),
            (State::Start, mechanism) => self.scram_first(text, mechanism.binds()),
            (State::Final(expected), _) => self.scram_final(text, *expected),
            (State::Credentials(_) | State::Done, _) => Err(Failure::MalformedRequest),
        };
        step.unwrap_or_else(Step::Failed)
    }

    /// Takes what was found for [`Step::NeedCredentials`]; `None` when there is no such account.
    pub fn credentials(&mut self, found: Option<Credentials>) -> Step {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Credentials(Pending::Plain { user, authzid, password }) => {
                let exists = found.is_some();
                let credentials = found.unwrap_or_else(|| Credentials::fake(&self.server_secret, &user));
                match credentials.verify_password(&password) && exists {
                    true => Step::Success { user, authzid, data: None },
                    false => Step::Failed(Failure::NotAuthorized),
                }
            }
            State::Credentials(Pending::Scram(first)) => self.scram_challenge(first, found),
            _ => Step::Failed(Failure::MalformedRequest),
        }
    }

    /// RFC 4616 section 2: `[authzid] NUL user NUL password`.
    fn plain(&mut self, text: &str) -> Result<Step, Failure> {
        let mut parts = text.split('\0');
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Failure::MalformedRequest);
        };
        if user.is_empty() || password.is_empty() {
            return Err(Failure::MalformedRequest);
        }
        let user = super::credentials::prepare(user).into_owned();
        let pending = Pending::Plain { user: user.clone(), authzid: some(authzid), password: password.to_owned() };
        self.state = State::Credentials(pending);
        Ok(Step::NeedCredentials { user })
    }

    fn scram_first(&mut self, text: &str, plus: bool) -> Result<Step, Failure> {
        let first = First::parse(text).ok_or(Failure::MalformedRequest)?;
        let flag = first.gs2_header.split(',').next().unwrap_or_default();
        match (flag, plus, &self.exporter) {
            ("n", false, _) | ("y", false, None) => {}
            // RFC 5802 section 6: the client would have bound the channel but was not offered to; we did offer.
            ("y", false, Some(_)) => return Err(Failure::NotAuthorized),
            (_, true, Some(_)) if flag.strip_prefix("p=") == Some(TLS_EXPORTER) => {}
            (_, true, _) if flag.starts_with("p=") => return Err(Failure::NotAuthorized),
            _ => return Err(Failure::MalformedRequest),
        }
        let user = first.user.clone();
        self.state = State::Credentials(Pending::Scram(first));
        Ok(Step::NeedCredentials { user })
    }

    fn scram_challenge(&mut self, first: First, found: Option<Credentials>) -> Step {
        // Who has no keys for this mechanism fails as nobody does.
        let found = found.filter(|credentials| credentials.keys(self.hash()).is_some());
        let exists = found.is_some();
        let credentials = found.unwrap_or_else(|| Credentials::fake(&self.server_secret, &first.user));
        let keys = credentials.keys(self.hash()).expect("invented credentials have all keys");
        let nonce = format!("{}{}", first.nonce, self.nonce);
        let server_first = format!("r={nonce},s={},i={}", BASE64_STANDARD.encode(&keys.salt), keys.iterations);
        let challenge = server_first.clone().into_bytes();
        self.state = State::Final(Box::new(Final { first, nonce, server_first, credentials, exists }));
        Step::Challenge(challenge)
    }

    /// RFC 5802 section 3: the proof gives back ClientKey, whose hash we keep.
    fn scram_final(&self, text: &str, expected: Final) -> Result<Step, Failure> {
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::MalformedRequest)?;
        let mut parts = without_proof.split(',');
        let channel = scram::attribute(parts.next(), 'c').ok_or(Failure::MalformedRequest)?;
        let nonce = scram::attribute(parts.next(), 'r').ok_or(Failure::MalformedRequest)?;
        let proof = BASE64_STANDARD.decode(proof).map_err(|_| Failure::MalformedRequest)?;

        let binding = self.exporter.as_deref().filter(|_| self.mechanism.binds());
        if channel != scram::channel_input(&expected.first.gs2_header, binding) || nonce != expected.nonce {
            return Err(Failure::NotAuthorized);
        }
        let hash = self.hash();
        let keys = expected.credentials.keys(hash).expect("the challenge was made from them");
        let auth_message = format!("{},{},{without_proof}", expected.first.bare, expected.server_first);
        let client_key = scram::xor(&proof, &hash.hmac(&keys.stored_key, auth_message.as_bytes()));
        let proved: bool = hash.digest(&client_key).ct_eq(&keys.stored_key).into();
        if proof.len() != keys.stored_key.len() || !proved || !expected.exists {
            return Err(Failure::NotAuthorized);
        }
        let signature = hash.hmac(&keys.server_key, auth_message.as_bytes());
        Ok(Step::Success {
            user: expected.first.user,
            authzid: expected.first.authzid,
            data: Some(format!("v={}", BASE64_STANDARD.encode(signature)).into_bytes()),
        })
    }

    fn hash(&self) -> Hash {
        match self.mechanism {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Hash::Sha1,
            _ => Hash::Sha256,
        }
    }
}

impl First {
    /// `gs2-cbind-flag "," [a=authzid] "," n=user "," r=nonce ["," extensions]`; `m=` must be refused.
    fn parse(text: &str) -> Option<First> {
        let (flag, rest) = text.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let authzid = match authzid.is_empty() {
            true => None,
            false => Some(scram::unescape_name(scram::attribute(Some(authzid), 'a')?)?),
        };
        let mut parts = bare.split(',');
        let user = scram::unescape_name(scram::attribute(parts.next(), 'n')?)?;
        let nonce = scram::attribute(parts.next(), 'r')?;
        if user.is_empty() || nonce.is_empty() {
            return None;
        }
        Some(First {
            gs2_header: text[..text.len() - bare.len()].to_owned(),
            authzid,
            user: super::credentials::prepare(&user).into_owned(),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
        .filter(|_| matches!(flag, "n" | "y") || flag.starts_with("p="))
    }
}

fn some(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty()).map(str::to_owned)
}
