//! Where a stanza goes, RFC 6120 10, with the interception that XEP-0282 4.1 asks of a site.
//!
//! Unlike a server on the network this one takes nothing out of what clients send and are sent: whether the engines keep
//! their namespaces to themselves is for the checks to see.

use super::server::Server;
use accounts::is_for_accounts;
use xmpp::stanza::{Condition, answerable};
use xmpp::{Element, Jid};

/// By which way a stanza came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    Accounts,
    Primary,
    Replica,
    /// The server itself, about a stanza it could not deliver.
    Host,
    /// Another server.
    Remote,
}

/// Where a stanza goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Session,
    Accounts,
    Primary,
    Replica,
    Remote,
    Nowhere(Condition),
}

impl Server {
    /// Finds the destination of a stanza.
    pub fn route(&self, origin: Origin, stanza: &Element, from: &Jid, to: &Jid) -> Destination {
        if self.replica_jid.as_ref().is_some_and(|replica| replica.as_str() == to.bare_str()) {
            return Destination::Replica;
        }
        if self.config.rooms.as_deref() == Some(to.domain()) {
            return Destination::Primary;
        }
        let wants = |stanza| self.replica.as_ref().is_some_and(|replica| replica.wants(stanza));
        if self.config.accounts.as_deref() != Some(to.domain()) {
            let domain = self.config.accounts.as_deref().unwrap_or_default();
            return match origin {
                Origin::Remote => Destination::Nowhere(Condition::ItemNotFound),
                Origin::Client if is_for_accounts(stanza, from, Some(to), domain) => Destination::Accounts,
                Origin::Client | Origin::Accounts | Origin::Host if wants(stanza) => Destination::Replica,
                _ => Destination::Remote,
            };
        }
        if origin == Origin::Remote && wants(stanza) {
            return Destination::Replica;
        }
        let is_said_in_order = matches!(origin, Origin::Primary | Origin::Replica) && stanza.name() == "message";
        let goes_past = origin == Origin::Accounts || is_said_in_order;
        let for_accounts = !goes_past && is_for_accounts(stanza, from, Some(to), to.domain());
        match self.sessions.contains(to) && !for_accounts {
            true => Destination::Session,
            false if origin == Origin::Accounts && !to.is_bare() => Destination::Nowhere(Condition::ServiceUnavailable),
            false => Destination::Accounts,
        }
    }
}

/// Whether an undeliverable stanza is answered with an error: presence only when it asks for something.
pub(super) fn bounces(stanza: &Element) -> bool {
    answerable(stanza) && (stanza.name() != "presence" || stanza.get("type").is_none())
}
