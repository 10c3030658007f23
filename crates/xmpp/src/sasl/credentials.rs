//! What a server keeps in place of a password, RFC 5802 section 3: salt, iterations, StoredKey, ServerKey.

use super::scram::Hash;
use std::borrow::Cow;
use std::fmt;
use subtle::ConstantTimeEq;

/// PBKDF2 rounds for new passwords: twice RFC 7677's least, a few milliseconds for whoever logs in.
///
/// Changing it later would tell real users from invented ones; see [`Credentials::fake`].
pub const ITERATIONS: u32 = 10_000;

/// Bytes of salt for new passwords.
pub const SALT_BYTES: usize = 16;

/// What is kept for one hash function.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The salt.
    pub salt: Vec<u8>,
    /// PBKDF2 rounds.
    pub iterations: u32,
    /// H(ClientKey): whoever has it can check a proof but not make one.
    pub stored_key: Vec<u8>,
    /// The key the server proves itself with.
    pub server_key: Vec<u8>,
}

/// What is kept for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// For SCRAM-SHA-1 and its -PLUS.
    pub sha1: Keys,
    /// For SCRAM-SHA-256 and its -PLUS; `None` where another server kept keys for SCRAM-SHA-1 alone. Whoever has them may not
    /// be offered the other mechanism: he is told no more than that he has failed.
    pub sha256: Option<Keys>,
}

impl Keys {
    fn derive(hash: Hash, password: &str, salt: &[u8], iterations: u32) -> Keys {
        let salted = hash.pbkdf2(password.as_bytes(), salt, iterations);
        Keys {
            salt: salt.to_vec(),
            iterations,
            stored_key: hash.digest(&hash.hmac(&salted, b"Client Key")),
            server_key: hash.hmac(&salted, b"Server Key"),
        }
    }
}

impl Credentials {
    /// Derives what is kept from a password; [`SALT_BYTES`] random bytes and [`ITERATIONS`] are what to pass.
    pub fn new(password: &str, salt: &[u8], iterations: u32) -> Credentials {
        let password = prepare(password);
        Credentials {
            sha1: Keys::derive(Hash::Sha1, &password, salt, iterations),
            sha256: Some(Keys::derive(Hash::Sha256, &password, salt, iterations)),
        }
    }

    /// Whether this is the password, as PLAIN needs to know. Costs as much as deriving.
    pub fn verify_password(&self, password: &str) -> bool {
        let (hash, kept) = match &self.sha256 {
            Some(keys) => (Hash::Sha256, keys),
            None => (Hash::Sha1, &self.sha1),
        };
        let keys = Keys::derive(hash, &prepare(password), &kept.salt, kept.iterations);
        keys.stored_key.ct_eq(&kept.stored_key).into()
    }

    /// What a user who does not exist seems to have: always the same for one name, and nobody's password.
    ///
    /// With it an attacker is led through the whole exchange and learns nothing (RFC 5802 section 7).
    pub fn fake(server_secret: &[u8], user: &str) -> Credentials {
        let bytes = |hash: Hash, what: &[u8]| hash.hmac(server_secret, &[what, b"\0", user.as_bytes()].concat());
        let mut salt = bytes(Hash::Sha256, b"salt");
        salt.truncate(SALT_BYTES);
        let keys = |hash: Hash| Keys {
            salt: salt.clone(),
            iterations: ITERATIONS,
            stored_key: bytes(hash, b"stored"),
            server_key: bytes(hash, b"server"),
        };
        Credentials { sha1: keys(Hash::Sha1), sha256: Some(keys(Hash::Sha256)) }
    }

    pub(super) fn keys(&self, hash: Hash) -> Option<&Keys> {
        match hash {
            Hash::Sha1 => Some(&self.sha1),
            Hash::Sha256 => self.sha256.as_ref(),
        }
    }
}

/// Keys are as good as a password for whoever wants to play the server.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// SASLprep (RFC 4013). What it refuses, such as emoji, is taken as it stands: nobody is locked out by a table
/// of 2002, and clients do the same.
pub(super) fn prepare(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}
