//! What the host decides about a domain's accounts, and every limit there is.

use xmpp::Jid;
use xmpp::stanza::contact::Contacts;

/// How one domain's accounts are kept.
#[derive(Debug, Clone)]
pub struct AccountsConfig {
    /// The domain, without local part and resource.
    pub domain: Jid,
    /// Shown in the domain's disco#items, in this order.
    pub disco_services: Vec<Service>,
    /// Localparts that no account can have, normalised; the replica's is one.
    pub reserved: Vec<String>,
    /// Whom to write to about the service (XEP-0157).
    pub contacts: Contacts,
    /// Bare addresses that may administer the accounts (XEP-0133).
    pub admins: Vec<Jid>,
    /// Messages that one account may have waiting for it while nobody is there; 0 for none.
    pub offline_messages: usize,
    /// Bytes that one account may keep of private XML, vCard and its own pubsub nodes together; they are held in memory.
    pub kept_bytes: usize,
    /// Days that what an account says and is told is archived for it (XEP-0313); 0 for no archive.
    pub archive_days: u32,
}

/// A service that a domain has.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its address.
    pub jid: Jid,
    /// Its name for people, where it is known.
    pub name: Option<String>,
}

impl AccountsConfig {
    /// A domain without services or reserved names.
    pub fn new(domain: Jid) -> AccountsConfig {
        AccountsConfig {
            domain,
            disco_services: Vec::new(),
            reserved: Vec::new(),
            contacts: Contacts::default(),
            admins: Vec::new(),
            offline_messages: 100,
            kept_bytes: 524_288,
            archive_days: 0,
        }
    }
}

/// Bound resources of one account; a further one is refused (RFC 6120 7.6.2.1).
pub const SESSIONS_PER_ACCOUNT_MAX: usize = 20;
/// Contacts of one account, with the requests that it has not answered; each is sent presence at every change.
pub const ROSTER_ITEMS_MAX: usize = 1_000;
/// Unanswered requests that are in no roster; strangers lengthen this list, so further ones are not taken.
pub const REQUESTS_PENDING_MAX: usize = 100;
/// Bytes of a kept subscription request; of a longer one only the fact is kept (RFC 6121 3.1.3).
pub const REQUEST_BYTES_MAX: usize = 2_048;
/// Groups of one contact.
pub const GROUPS_PER_ITEM_MAX: usize = 32;
/// Bytes of a contact's name, and of a group's (RFC 6121 2.3.3 leaves the number to us).
pub const NAME_BYTES_MAX: usize = 1_023;
/// Addresses outside its contacts that a session shows itself to at a time: rooms, mostly.
pub const DIRECTED_PER_SESSION_MAX: usize = 1_000;
/// Addresses that one account blocks; each stanza for it is looked up among them.
pub const BLOCKED_MAX: usize = 1_000;
/// Clients of contacts elsewhere whose wishes for notifications (XEP-0163) are known to one account; further ones hear nothing.
pub const WATCHING_MAX: usize = 1_000;
/// Bytes that are archived for one account in a day; what is over is delivered, and not in the archive.
pub const ARCHIVED_BYTES_PER_DAY_MAX: usize = 16_777_216;
/// Queries of its archive that one account may have under way.
pub const READINGS_PER_ACCOUNT_MAX: usize = 10;
/// Bytes of what waits for one account: strangers fill it, and it is held in memory.
pub const OFFLINE_BYTES_MAX: usize = 262_144;
/// Bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1_023;
/// An account's least time between two changes of its password, each of which costs all others milliseconds.
pub const PASSWORD_CHANGE_INTERVAL_MS: u64 = 10_000;
/// Changes on their way to the disk, of all accounts together; over it they are refused for now.
pub const CHANGES_IN_FLIGHT_MAX: usize = 10_000;
