//! Ids that only this room can give: occupant-ids (XEP-0421), stanza-ids (XEP-0359 3.1).
//!
//! All are keyed hashes under the room's secret: stable, unguessable, and telling nothing.

use super::Order;
use crate::primary::Up;
use crate::wire;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use xmpp::Jid;

impl Order {
    /// The occupant-id of a user: the same for all his sessions and visits, for this life of the room.
    pub fn occupant_id(&self, bare: &Jid) -> String {
        text_of(&keyed(&self.secret, &["occupant", bare.as_str()]))
    }

    /// The stanza-id of the message with this number, or of what a replica relayed under a number of its own.
    pub fn message_id(&self, seq: u64, up: Option<&Up>) -> String {
        match up {
            Some(up) => {
                wire::ids::message_id(&wire::ids::outbox_key(&self.secret, up.replica.as_str(), &up.outbox), up.n)
            }
            // A room that comes back from a backup gives numbers anew; each start has ids of its own.
            None => text_of(&keyed(&self.secret, &["message", &self.term, &seq.to_string()])),
        }
    }
}

/// HMAC-SHA-256 over parts, each ended so that no two lists of parts are alike.
fn keyed(key: &[u8; 32], parts: &[&str]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length of key will do");
    for part in parts {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

fn text_of(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(&hash[..ID_BYTES])
}

/// Enough that two never meet, short enough to ride in every message.
const ID_BYTES: usize = 18;
