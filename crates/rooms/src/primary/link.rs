//! The table of a room's replicas.

use crate::room::{HistoryWanted, Part, Session};
use machine::{Change, Output};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// A room's replicas.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<Jid, Link>,
}

/// One replica of one room.
#[derive(Debug)]
struct Link {}

/// The mark of a stanza that a replica relayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Up {
    /// The replica's address.
    pub replica: Jid,
    pub outbox: String,
    pub n: u64,
    /// The user who sent the stanza.
    pub from: Jid,
}

impl Links {
    /// The replicas, by address.
    pub fn replicas(&self) -> Vec<Jid> {
        self.links.keys().cloned().collect()
    }

    /// Tells every live replica one part of an event; `acked` is the mark whose outcome this event is.
    pub fn tell(
        &mut self,
        room: &Jid,
        seq: u64,
        (part, parts): (usize, usize),
        what: &Part,
        acked: Option<&Up>,
        outputs: &mut Vec<Output>,
    ) {
        let _ = (room, seq, part, parts, what, acked, outputs, &self.links);
    }

    /// ENTER, XEP-0282 4.5.
    pub fn enter(
        &mut self,
        replica: &Jid,
        room: &Jid,
        session: &Session,
        own: Element,
        history: HistoryWanted,
        outputs: &mut Vec<Output>,
    ) {
        let _ = (replica, room, session, own, history, outputs);
    }

    /// LEAVE, XEP-0282 4.6.
    pub fn leave(&mut self, replica: &Jid, room: &Jid, session: &Session, own: Element, outputs: &mut Vec<Output>) {
        let _ = (replica, room, session, own, outputs);
    }
}

impl Up {
    /// What an error for the stanza bears, so that the replica knows its outcome.
    pub fn on_error(&self) -> Element {
        let up = Element::new("up", ns::NETJOIN).attr("outbox", &self.outbox).attr("n", self.n.to_string());
        Element::new("x", ns::DMUC).child(up)
    }

    /// The durable mark: everything up to `n` of this outbox has had its outcome.
    pub fn change(&self, room: &Jid) -> Change {
        Change::Put {
            space: "mark",
            owner: room.to_string(),
            key: format!("{} {}", self.replica, self.outbox),
            value: self.n.to_string(),
        }
    }
}
