//! Ids that only this room can give: occupant-ids (XEP-0421), stanza-ids (XEP-0359 3.1).
//!
//! All are keyed hashes under the room's secret: stable, unguessable, and telling nothing.

use super::Order;
use crate::primary::Up;
use crate::wire::ids::message_id;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use xmpp::Jid;

/// A room's secret, and what HMAC makes of it before anything is said: half of what an id costs. Never leaves the primary.
pub(crate) struct Secret {
    bytes: [u8; 32],
    mac: Hmac<Sha256>,
}

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Secret {
        Secret { bytes, mac: Hmac::new_from_slice(&bytes).expect("any length of key will do") }
    }

    /// As it is kept on disk.
    pub fn bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// HMAC-SHA-256 over parts, each ended so that no two lists of parts are alike.
    fn keyed(&self, parts: &[&str]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Order {
    /// The occupant-id of a user: the same for all his sessions and visits, for this life of the room.
    pub fn occupant_id(&self, bare: &Jid) -> String {
        text_of(&self.secret.keyed(&["occupant", bare.as_str()]))
    }

    /// The stanza-id of the message with this number, or of what a replica relayed under a number of its own.
    pub fn message_id(&self, seq: u64, up: Option<&Up>) -> String {
        match up {
            Some(up) => message_id(&self.outbox_key(&up.replica, &up.outbox), up.n),
            // A room that comes back from a backup gives numbers anew; each start has ids of its own.
            None => text_of(&self.secret.keyed(&["message", &self.term, &seq.to_string()])),
        }
    }

    /// The key of an outbox, of which its replica makes the ids of what it relays (`docs/wire.md`, *Registration*).
    pub fn outbox_key(&self, replica: &Jid, outbox: &str) -> [u8; 32] {
        self.secret.keyed(&["outbox", replica.as_str(), outbox])
    }
}

fn text_of(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&hash[..ID_BYTES])
}

/// Enough that two never meet, short enough to ride in every message.
const ID_BYTES: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ids::encode_key;

    /// `docs/wire.md`, *Registration*, byte by byte.
    #[test]
    fn a_keyed_hash_is_of_the_bytes_that_are_stated() {
        let key = Secret::new([1; 32]).keyed(&["outbox", "replica@vesa.yeggmaex.irc", "o7f3"]);
        assert_eq!(encode_key(&key), "bP1_fz1Bx4XyNlWGMMj_Umn2tquXOqcR6qla_OxofbA");
    }
}
