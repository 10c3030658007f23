//! The room's records on disk: which there are, and how they are written and read again.

use super::{Config, Room};
use machine::Change;
use serde::{Deserialize, Serialize};

/// The record `room`/(jid)/`meta`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub config: Config,
    pub incarnation: String,
    pub secret: [u8; 32],
    /// Numbers of the order reserved so far.
    pub reserved: u64,
}

impl Room {
    /// The record as it stands.
    pub fn meta_change(&self) -> Change {
        let meta = Meta {
            config: self.config.clone(),
            incarnation: self.order.incarnation.clone(),
            secret: self.order.secret,
            reserved: self.order.reserved,
        };
        Change::Put {
            space: "room",
            owner: self.jid.to_string(),
            key: "meta".into(),
            value: serde_json::to_string(&meta).expect("a record of strings and numbers"),
        }
    }
}
