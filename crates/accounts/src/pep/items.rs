//! What is read of nodes: XEP-0060 6.5 (items) and 5 (discovery).

use super::{node_of, wrong};
use crate::iq::Asked;
use crate::service::Accounts;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

impl Accounts {
    /// 6.5: all items of a node, the last ones, or those named, in the order of publishing.
    pub(super) fn items(&self, owner: &Jid, wanted: &Element, asked: Asked) -> Result<Element, StanzaError> {
        let name = node_of(wanted)?;
        let node = match self.node(owner, name) {
            Some(node) if node.is_shown_to(asked) => node,
            // Of what a stranger may not see, he does not learn whether it is there.
            _ if asked == Asked::Stranger => return Err(Condition::ServiceUnavailable.into()),
            Some(_) => return Err(wrong(Condition::NotAllowed, "closed-node")),
            None => return Err(Condition::ItemNotFound.into()),
        };
        let mut items = if node.persist { self.items_of(owner, name) } else { Vec::new() };
        let ids: Vec<&str> =
            wanted.children().filter(|c| c.is("item", ns::PUBSUB)).filter_map(|item| item.get("id")).collect();
        if !ids.is_empty() {
            items.retain(|(id, _)| ids.contains(&id.as_str()));
        }
        if let Some(max) = wanted.get("max_items") {
            let max: usize = max.parse().ok().filter(|max| *max > 0).ok_or(Condition::BadRequest)?;
            items.drain(..items.len().saturating_sub(max));
        }
        let items = items.iter().map(|(id, item)| item.element(id, ns::PUBSUB));
        let items = Element::new("items", ns::PUBSUB).attr("node", name).with(items);
        Ok(Element::new("pubsub", ns::PUBSUB).child(items))
    }

    /// 5.4: what a node is.
    pub(crate) fn node_info(&self, owner: &Jid, name: &str, asked: Asked) -> Option<Element> {
        let node = self.node(owner, name).filter(|node| node.is_shown_to(asked))?;
        let query = Element::new("query", ns::DISCO_INFO)
            .attr("node", name)
            .child(Element::new("identity", ns::DISCO_INFO).attr("category", "pubsub").attr("type", "leaf"))
            .child(Element::new("feature", ns::DISCO_INFO).attr("var", ns::PUBSUB))
            .child(node.meta_data().element());
        Some(query)
    }

    /// 5.2: the nodes of an account.
    pub(crate) fn node_list(&self, owner: &Jid, asked: Asked) -> Vec<Element> {
        let item = |name| Element::new("item", ns::DISCO_ITEMS).attr("jid", owner.as_str()).attr("node", name);
        self.nodes(owner).filter(|(_, node)| node.is_shown_to(asked)).map(|(name, _)| item(name)).collect()
    }

    /// 5.5: the items of a node.
    pub(crate) fn item_list(&self, owner: &Jid, name: &str, asked: Asked) -> Option<Element> {
        self.node(owner, name).filter(|node| node.is_shown_to(asked))?;
        let items = self.items_of(owner, name).into_iter();
        let items =
            items.map(|(id, _)| Element::new("item", ns::DISCO_ITEMS).attr("jid", owner.as_str()).attr("name", id));
        Some(Element::new("query", ns::DISCO_ITEMS).attr("node", name).with(items))
    }
}
