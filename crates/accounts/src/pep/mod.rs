//! A user's own pubsub service at his bare address (XEP-0163 on XEP-0060), as far as clients keep bookmarks (XEP-0402), nicks
//! (XEP-0172), avatars (XEP-0084) and keys in it.
//!
//! - `node`: nodes, their configuration and who may see them
//! - `publish`: items published and retracted (XEP-0060 7), nodes made by that
//! - `owner`: nodes made, configured, emptied and removed (XEP-0060 8)
//! - `items`: what is read (XEP-0060 6.5, 5)
//! - `notify`: who is told
//!
//! Nobody subscribes by hand: contacts, and the user's own clients, hear of what they say by their capabilities that they want.

mod items;
mod node;
mod notify;
mod owner;
mod publish;

use crate::iq::Asked;
use crate::service::{Accounts, Addressed};
use machine::Output;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

impl Accounts {
    /// An iq with `<pubsub/>` about the nodes of the account that it is for.
    pub(crate) fn pubsub(
        &mut self,
        iq: &Addressed,
        pubsub: &Element,
        asked: Asked,
        out: &mut Vec<Output>,
    ) -> Result<Option<Element>, StanzaError> {
        let owner = self.owner_of(iq);
        let action = pubsub.children().next().ok_or(Condition::BadRequest)?;
        let is_own = asked == Asked::Own;
        match (iq.stanza.get("type").unwrap_or_default(), action.name()) {
            ("get", "items") => self.items(&owner, action, asked).map(Some),
            ("set", "publish") if is_own => self.publish(iq, pubsub, action, out).map(|()| None),
            ("set", "retract") if is_own => self.retract(iq, action, out).map(|()| None),
            ("set", "create") if is_own => self.create_node(iq, pubsub, action, out).map(|()| None),
            (_, "publish" | "retract" | "create") => Err(no_owner(asked)),
            _ if asked == Asked::Stranger => Err(Condition::ServiceUnavailable.into()),
            ("set", "subscribe" | "unsubscribe") => Err(unsupported("subscribe")),
            ("get", "subscriptions") => Err(unsupported("retrieve-subscriptions")),
            ("get", "affiliations") => Err(unsupported("retrieve-affiliations")),
            _ => Err(Condition::BadRequest.into()),
        }
    }

    /// As [`Accounts::pubsub`], of `<pubsub/>` for owners.
    pub(crate) fn pubsub_owner(
        &mut self,
        iq: &Addressed,
        pubsub: &Element,
        asked: Asked,
        out: &mut Vec<Output>,
    ) -> Result<Option<Element>, StanzaError> {
        if asked != Asked::Own {
            return Err(no_owner(asked));
        }
        let action = pubsub.children().next().ok_or(Condition::BadRequest)?;
        match (iq.stanza.get("type").unwrap_or_default(), action.name()) {
            ("get", "default") => Ok(Some(owner::default_configuration())),
            ("get", "configure") => self.configuration(iq, action).map(Some),
            ("set", "configure") => self.configure_node(iq, action, out).map(|()| None),
            ("set", "delete") => self.delete_node(iq, action, out).map(|()| None),
            ("set", "purge") => self.purge_node(iq, action, out).map(|()| None),
            ("get" | "set", "subscriptions") => Err(unsupported("manage-subscriptions")),
            ("get" | "set", "affiliations") => Err(unsupported("modify-affiliations")),
            _ => Err(Condition::BadRequest.into()),
        }
    }

    /// Whose nodes a request is about.
    fn owner_of(&self, iq: &Addressed) -> Jid {
        iq.to.clone().unwrap_or_else(|| iq.from.bare())
    }
}

/// What somebody is told who asks for what is the owner's to do; a stranger is not told that there is an owner.
fn no_owner(asked: Asked) -> StanzaError {
    match asked {
        Asked::Stranger => Condition::ServiceUnavailable.into(),
        _ => Condition::Forbidden.into(),
    }
}

/// An error with what XEP-0060 16 calls it.
fn wrong(condition: Condition, what: &str) -> StanzaError {
    StanzaError { extra: Some(Element::new(what, ns::PUBSUB_ERRORS)), ..condition.into() }
}

fn unsupported(feature: &str) -> StanzaError {
    let extra = Element::new("unsupported", ns::PUBSUB_ERRORS).attr("feature", feature);
    StanzaError { extra: Some(extra), ..Condition::FeatureNotImplemented.into() }
}

/// The node that an action names.
fn node_of(action: &Element) -> Result<&str, StanzaError> {
    let node = action.get("node").filter(|node| !node.is_empty());
    node.ok_or_else(|| wrong(Condition::BadRequest, "nodeid-required"))
}

/// Whether an attribute says yes.
fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("true" | "1"))
}

/// What an account says of itself besides (XEP-0060 10, XEP-0163 6).
pub(crate) const FEATURES: &[&str] = &[
    ns::PUBSUB,
    "http://jabber.org/protocol/pubsub#access-open",
    "http://jabber.org/protocol/pubsub#access-presence",
    "http://jabber.org/protocol/pubsub#access-whitelist",
    "http://jabber.org/protocol/pubsub#auto-create",
    "http://jabber.org/protocol/pubsub#auto-subscribe",
    "http://jabber.org/protocol/pubsub#config-node",
    "http://jabber.org/protocol/pubsub#config-node-max",
    "http://jabber.org/protocol/pubsub#create-and-configure",
    "http://jabber.org/protocol/pubsub#create-nodes",
    "http://jabber.org/protocol/pubsub#delete-items",
    "http://jabber.org/protocol/pubsub#delete-nodes",
    "http://jabber.org/protocol/pubsub#filtered-notifications",
    "http://jabber.org/protocol/pubsub#item-ids",
    "http://jabber.org/protocol/pubsub#last-published",
    "http://jabber.org/protocol/pubsub#multi-items",
    "http://jabber.org/protocol/pubsub#persistent-items",
    "http://jabber.org/protocol/pubsub#publish",
    "http://jabber.org/protocol/pubsub#publish-options",
    "http://jabber.org/protocol/pubsub#purge-nodes",
    "http://jabber.org/protocol/pubsub#retract-items",
    "http://jabber.org/protocol/pubsub#retrieve-default",
    "http://jabber.org/protocol/pubsub#retrieve-items",
];
