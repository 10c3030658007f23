//! The ids of what a replica relays: made by whoever knows the key of the outbox, chosen by nobody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The stanza-id (XEP-0359) of number `n` of an outbox: 18 bytes of the HMAC of `relayed` and `n` in decimal, each ended
/// by a zero byte, in base64url.
pub fn message_id(outbox_key: &[u8; 32], n: u64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(outbox_key).expect("HMAC takes keys of any length");
    mac.update(format!("relayed\0{n}\0").as_bytes());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..ID_BYTES])
}

/// A key as it stands in an attribute.
pub fn encode_key(key: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The other way; `None` for what is no key.
pub fn decode_key(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// 144 bits: never the same by chance, and no padding in base64.
const ID_BYTES: usize = 18;
