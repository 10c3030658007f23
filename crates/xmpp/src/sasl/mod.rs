//! SASL as XMPP uses it (RFC 6120 6): mechanisms as state machines that are fed messages and give messages.
//!
//! - [`Credentials`]: what is kept in place of a password (RFC 5802 3)
//! - [`Server`]: SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS (RFC 5802, RFC 7677, tls-exporter of RFC 9266),
//!   PLAIN (RFC 4616), EXTERNAL (RFC 4422 A)
//! - [`Client`]: the same from the other side
//!
//! Who may use which mechanism where is decided by the streams; base64 and elements are theirs too.

mod client;
mod credentials;
mod scram;
mod server;

pub use client::{Client, ClientError, Login};
pub use credentials::{Credentials, ITERATIONS, Keys, SALT_BYTES};
pub use server::{Server, Step};

/// The only channel-binding type spoken: RFC 9266, on TLS 1.3.
pub const TLS_EXPORTER: &str = "tls-exporter";

/// Longest message taken from the other side, in bytes before base64.
///
/// A proof is under 200 bytes; names may be 1023 bytes each, and EXTERNAL and PLAIN carry two of them.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// A mechanism, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// The other side's certificate says who it is.
    External,
    /// SCRAM-SHA-256-PLUS.
    ScramSha256Plus,
    /// SCRAM-SHA-1-PLUS.
    ScramSha1Plus,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-1.
    ScramSha1,
    /// The password in clear.
    Plain,
}

impl Mechanism {
    /// All of them, the strongest first.
    pub const ALL: [Mechanism; 6] = [
        Mechanism::External,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ];

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::Plain => "PLAIN",
        }
    }

    /// The mechanism of a registered name.
    pub fn from_name(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|m| m.name() == name)
    }

    /// Whether it binds to the TLS channel.
    pub fn binds(self) -> bool {
        matches!(self, Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus)
    }
}

/// Why authentication failed, RFC 6120 6.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The initiating side gave up.
    Aborted,
    /// Nothing is said in clear here.
    EncryptionRequired,
    /// What came is not base64.
    IncorrectEncoding,
    /// The identity asked for is not the one that was proved, or is no address here.
    InvalidAuthzid,
    /// A mechanism that is not offered.
    InvalidMechanism,
    /// A mechanism's message that breaks its grammar.
    MalformedRequest,
    /// Wrong name, password, certificate or channel.
    NotAuthorized,
    /// The store of accounts cannot be read now.
    TemporaryAuthFailure,
}

impl Failure {
    /// The condition's element name.
    pub fn condition(self) -> &'static str {
        match self {
            Failure::Aborted => "aborted",
            Failure::EncryptionRequired => "encryption-required",
            Failure::IncorrectEncoding => "incorrect-encoding",
            Failure::InvalidAuthzid => "invalid-authzid",
            Failure::InvalidMechanism => "invalid-mechanism",
            Failure::MalformedRequest => "malformed-request",
            Failure::NotAuthorized => "not-authorized",
            Failure::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

#[cfg(test)]
mod tests;
