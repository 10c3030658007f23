//! What an import did, and what it could not.

use accounts::records;
use serde::Serialize;

/// What was carried over, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rooms.
    pub rooms: u64,
    /// Entries of their lists: owners, admins, members, the banned.
    pub affiliations: u64,
    /// Messages in archives.
    pub messages: u64,
    /// Accounts.
    pub accounts: u64,
    /// Their contacts and requests.
    pub contacts: u64,
    /// Records of other kinds.
    pub records: u64,
    /// Rooms and accounts that are here already, and were left as they are.
    pub there: Vec<String>,
    /// What cannot be carried over; the first of it.
    pub left: Vec<Left>,
    /// How much that is in all.
    pub left_count: u64,
}

/// Something that cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The room, the account, or the domain.
    pub of: String,
    /// What of it, by the name the other server has for it.
    pub key: String,
    /// Why.
    pub why: String,
}

impl Report {
    /// Counts a record.
    pub fn count(&mut self, space: &str, key: &str) {
        let count = match (space, key) {
            ("room", "meta") => &mut self.rooms,
            ("affiliation", _) => &mut self.affiliations,
            (records::SPACE_ACCOUNT, _) => &mut self.accounts,
            (records::SPACE_ROSTER, _) => &mut self.contacts,
            _ => &mut self.records,
        };
        *count += 1;
    }

    /// Says that something stays behind.
    pub fn leave(&mut self, of: impl Into<String>, key: impl Into<String>, why: impl Into<String>) {
        self.left_count += 1;
        if self.left.len() < LEFT_MAX {
            self.left.push(Left { of: of.into(), key: key.into(), why: why.into() });
        }
    }
}

/// Told in full; more are only counted: a million bad rows are one mistake.
const LEFT_MAX: usize = 10_000;
