//! XEP-0227, 1.1: accounts as any server may write them, and as ejabberd (`export_piefxis`) and Prosody do. It has no words for rooms
//! (section 2), nor for much of ours: what is left is told.

mod read;
mod write;

pub(crate) use read::{is_one, read};
pub(crate) use write::write;

/// The namespace of the whole.
const PIE: &str = "urn:xmpp:pie:0";
/// Of credentials, section 4.3.
const SCRAM: &str = "urn:xmpp:pie:0#scram";
/// XEP-0016.
const PRIVACY: &str = "jabber:iq:privacy";
