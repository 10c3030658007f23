//! The ids of what a replica relays: made by whoever knows the key of the outbox, chosen by nobody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key of an outbox: HMAC-SHA-256 under the room's secret over replica and outbox, each ended by a zero byte.
pub fn outbox_key(room_secret: &[u8; 32], replica: &str, outbox: &str) -> [u8; 32] {
    hmac(room_secret, &[b"outbox\0", replica.as_bytes(), b"\0", outbox.as_bytes(), b"\0"])
}

/// The stanza-id (XEP-0359) of number `n` of an outbox: 18 bytes of the HMAC of `relayed` and `n` in decimal, each ended
/// by a zero byte, in base64url.
pub fn message_id(outbox_key: &[u8; 32], n: u64) -> String {
    URL_SAFE_NO_PAD.encode(&hmac(outbox_key, &[b"relayed\0", n.to_string().as_bytes(), b"\0"])[..ID_BYTES])
}

/// A key as it stands in an attribute.
pub fn encode_key(key: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The other way; `None` for what is no key.
pub fn decode_key(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// 144 bits: never the same by chance, and no padding in base64.
const ID_BYTES: usize = 18;
