//! Records as they are kept: what another process that holds the store reads and writes without this machine.

use crate::offline::Waiting;
use crate::roster::Item;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use machine::{Change, Record};
use serde::{Deserialize, Serialize};
use xmpp::sasl::{Credentials, Keys};
use xmpp::{Element, Jid};

/// Records of accounts: owner is the normalised localpart. An account is there when its credentials are.
pub const SPACE_ACCOUNT: &str = "account";
/// Key of the record with an account's credentials.
pub const KEY_CREDENTIALS: &str = "credentials";
/// Records of contacts: owner is the localpart, key the contact's address.
pub const SPACE_ROSTER: &str = "roster";
/// Records of blocked addresses: owner is the localpart, key the address.
pub const SPACE_BLOCKED: &str = "blocked";
/// Messages for who is not there: owner is the localpart, keys are numbers of 20 digits in the order of their coming, values
/// `{"stamp_ms": Unix milliseconds, "stanza": XML}`.
pub const SPACE_OFFLINE: &str = "offline";
/// Private XML (XEP-0049): owner is the localpart, key the element's namespace, a space and its name; value the XML as a
/// JSON string.
pub const SPACE_PRIVATE: &str = "private";
/// vCards (XEP-0054): owner is the localpart, key empty; value the XML as a JSON string.
pub const SPACE_VCARD: &str = "vcard";
/// Nodes of a user's own pubsub service (XEP-0163): owner is the localpart, key the node; value its configuration.
pub const SPACE_NODE: &str = "pep-node";
/// Their items: owner is the localpart, key the node, a line feed and the item's id; value
/// `{"n": place in the order of publishing, "publisher": bare address, "xml": payload}`.
pub const SPACE_ITEM: &str = "pep-item";
/// Which message of the day a user has been told: owner is the localpart, key empty, value its id as a JSON string.
pub const SPACE_MOTD_SEEN: &str = "motd-seen";
/// Records of the domain itself: owner empty.
pub const SPACE_DOMAIN: &str = "domain";
/// Key of the one with the message of the day: `{"id": text, "text": text}`.
pub const KEY_MOTD: &str = "motd";

/// Archives of accounts: this, and the localpart.
pub const ARCHIVE_PREFIX: &str = "account:";

/// All spaces of accounts.
pub const SPACES: [&str; 9] = [
    SPACE_ACCOUNT,
    SPACE_ROSTER,
    SPACE_BLOCKED,
    SPACE_OFFLINE,
    SPACE_PRIVATE,
    SPACE_VCARD,
    SPACE_NODE,
    SPACE_ITEM,
    SPACE_MOTD_SEEN,
];

/// Whether a record is one of this crate's.
pub fn is_ours(record: &Record) -> bool {
    SPACES.contains(&record.space.as_str()) || record.space == SPACE_DOMAIN
}

/// Spaces whose records are held as they are, account by account.
pub(crate) const SPACES_KEPT: [&str; 6] =
    [SPACE_OFFLINE, SPACE_PRIVATE, SPACE_VCARD, SPACE_NODE, SPACE_ITEM, SPACE_MOTD_SEEN];
/// Those of them that a user fills himself; they have a bound in common.
pub(crate) const SPACES_OF_CHOICE: &[&str] = &[SPACE_PRIVATE, SPACE_VCARD, SPACE_NODE, SPACE_ITEM];

/// [`Keys`] as JSON, bytes in base64.
#[derive(Serialize, Deserialize)]
struct KeysRecord {
    salt: String,
    iterations: u32,
    stored_key: String,
    server_key: String,
}

/// [`Credentials`] as JSON.
#[derive(Serialize, Deserialize)]
struct CredentialsRecord {
    sha1: KeysRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<KeysRecord>,
}

/// The changes that make an account, or give it another password when it is there.
pub fn put_credentials(local: &str, credentials: &Credentials) -> Change {
    let sha256 = credentials.sha256.as_ref().map(to_record);
    let record = CredentialsRecord { sha1: to_record(&credentials.sha1), sha256 };
    Change::Put {
        space: SPACE_ACCOUNT,
        owner: local.to_owned(),
        key: KEY_CREDENTIALS.to_owned(),
        value: serde_json::to_string(&record).expect("strings and a number are JSON"),
    }
}

/// Everything kept of an account, to be removed; also what a new account of that name must not inherit.
pub fn delete_account(local: &str) -> Vec<Change> {
    let archive = Change::DeleteArchive { archive: archive_of(local) };
    let records = SPACES.iter().map(|space| Change::DeleteAll { space, owner: local.to_owned() });
    records.chain([archive]).collect()
}

/// The archive of an account's own messages: rows as [`machine::Row`] has them, `with` the bare address of the other.
pub fn archive_of(local: &str) -> String {
    format!("{ARCHIVE_PREFIX}{local}")
}

/// Whether a record of an account can be loaded; else why not.
pub fn check(record: &Record) -> Result<(), String> {
    let Record { space, owner, key, value } = record;
    let is_jid = || Jid::new(key).is_ok();
    let sound = match space.as_str() {
        SPACE_ACCOUNT => key == KEY_CREDENTIALS && parse_credentials(value).is_some(),
        SPACE_ROSTER => is_jid() && Item::from_record(value).is_some(),
        SPACE_BLOCKED => is_jid(),
        SPACE_PRIVATE | SPACE_VCARD => parse_xml(value).is_some(),
        SPACE_OFFLINE => key.parse::<u64>().is_ok() && parse_offline(value).is_some(),
        _ => serde_json::from_str::<serde_json::Value>(value).is_ok(),
    };
    if sound { Ok(()) } else { Err(format!("record {space} of {owner}, {key:?}, is none")) }
}

/// What stands for a contact in the roster that clients see, and the request of his that is not answered.
pub fn parse_contact(jid: &str, json: &str) -> Option<(Option<Element>, Option<Element>)> {
    let (jid, item) = (Jid::new(jid).ok()?, Item::from_record(json)?);
    Some((item.element(&jid), item.request(&jid).map(|request| request.element().clone())))
}

/// When a message came that waits, Unix milliseconds, and the message.
pub fn parse_offline(json: &str) -> Option<(i64, Element)> {
    let waiting: Waiting = serde_json::from_str(json).ok()?;
    Some((waiting.stamp_ms, Element::parse(&waiting.stanza).ok()?))
}

/// The XML of private storage, and of a vCard.
pub fn parse_xml(json: &str) -> Option<Element> {
    crate::private::xml_of(json)
}

/// Credentials from a record's value; `None` when it is not one.
pub fn parse_credentials(json: &str) -> Option<Credentials> {
    let record: CredentialsRecord = serde_json::from_str(json).ok()?;
    let sha256 = match record.sha256 {
        Some(keys) => Some(from_record(keys)?),
        None => None,
    };
    Some(Credentials { sha1: from_record(record.sha1)?, sha256 })
}

fn to_record(keys: &Keys) -> KeysRecord {
    KeysRecord {
        salt: STANDARD.encode(&keys.salt),
        iterations: keys.iterations,
        stored_key: STANDARD.encode(&keys.stored_key),
        server_key: STANDARD.encode(&keys.server_key),
    }
}

fn from_record(record: KeysRecord) -> Option<Keys> {
    Some(Keys {
        salt: STANDARD.decode(record.salt).ok()?,
        iterations: record.iterations,
        stored_key: STANDARD.decode(record.stored_key).ok()?,
        server_key: STANDARD.decode(record.server_key).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_back_as_they_were_kept() {
        let credentials = Credentials::new("R0m30", b"0123456789abcdef", 1);
        let Change::Put { value, .. } = put_credentials("juliet", &credentials) else { panic!("it is a Put") };
        assert_eq!(parse_credentials(&value).as_ref(), Some(&credentials));
        let alone = Credentials { sha256: None, ..credentials };
        let Change::Put { value, .. } = put_credentials("juliet", &alone) else { panic!("it is a Put") };
        assert_eq!(parse_credentials(&value), Some(alone));
        assert_eq!(parse_credentials("{}"), None);
    }
}
