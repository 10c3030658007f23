//! XEP-0060 8: nodes made, configured, emptied and removed by their owner.

use super::node::{NODE_CONFIG, Node, check_name, form_in, item_key};
use super::{node_of, wrong};
use crate::kept::Setting;
use crate::records::{SPACE_ITEM, SPACE_NODE};
use crate::service::{Accounts, Addressed};
use machine::Output;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

impl Accounts {
    /// 8.1: a node is made before anything is published.
    pub(super) fn create_node(
        &mut self,
        iq: &Addressed,
        pubsub: &Element,
        create: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        // 8.1.3: there are no instant nodes.
        let name = node_of(create).map_err(|_| wrong(Condition::NotAcceptable, "nodeid-required"))?;
        check_name(name)?;
        if self.node(&owner, name).is_some() {
            return Err(Condition::Conflict.into());
        }
        self.room_for_node(&owner)?;
        let form = form_in(pubsub.get_child("configure", ns::PUBSUB), NODE_CONFIG)?;
        let node = form.map_or(Ok(Node::default()), |form| Node::default().with(&form))?;
        self.settle(iq, vec![node.setting(name)], None, Vec::new(), out)
    }

    /// 8.2.1: how a node is configured.
    pub(super) fn configuration(&self, iq: &Addressed, configure: &Element) -> Result<Element, StanzaError> {
        let name = node_of(configure)?;
        let node = self.node_there(&iq.from.bare(), name)?;
        let configure = Element::new("configure", ns::PUBSUB_OWNER).attr("node", name).child(node.form().element());
        Ok(Element::new("pubsub", ns::PUBSUB_OWNER).child(configure))
    }

    /// 8.2.4: it is configured otherwise; items that are over go.
    pub(super) fn configure_node(
        &mut self,
        iq: &Addressed,
        configure: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        let name = node_of(configure)?;
        let node = self.node_there(&owner, name)?;
        let form = form_in(Some(configure), NODE_CONFIG)?.ok_or(Condition::BadRequest)?;
        if form.kind == "cancel" {
            return self.settle(iq, Vec::new(), None, Vec::new(), out);
        }
        let node = node.with(&form)?;
        let items = self.items_of(&owner, name);
        let over = if node.persist { items.len().saturating_sub(node.max_items) } else { items.len() };
        let old = items.iter().take(over).map(|(id, _)| Setting::delete(SPACE_ITEM, item_key(name, id)));
        let settings = [node.setting(name)].into_iter().chain(old).collect();
        self.settle(iq, settings, None, Vec::new(), out)
    }

    /// 8.4: it is removed with all it has.
    pub(super) fn delete_node(
        &mut self,
        iq: &Addressed,
        delete: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        let name = node_of(delete)?;
        let node = self.node_there(&owner, name)?;
        let event = Element::new("delete", ns::PUBSUB_EVENT).attr("node", name);
        let told = if node.notify_delete { self.told(&owner, name, &node, event) } else { Vec::new() };
        let mut settings = self.emptied(&owner, name);
        settings.push(Setting::delete(SPACE_NODE, name));
        self.settle(iq, settings, None, told, out)
    }

    /// 8.5: all its items are removed.
    pub(super) fn purge_node(
        &mut self,
        iq: &Addressed,
        purge: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        let name = node_of(purge)?;
        let node = self.node_there(&owner, name)?;
        if !node.persist {
            return Err(super::unsupported("persistent-items"));
        }
        let event = Element::new("purge", ns::PUBSUB_EVENT).attr("node", name);
        let told = self.told(&owner, name, &node, event);
        let settings = self.emptied(&owner, name);
        self.settle(iq, settings, None, told, out)
    }

    fn emptied(&self, owner: &Jid, name: &str) -> Vec<Setting> {
        let items = self.items_of(owner, name).into_iter();
        items.map(|(id, _)| Setting::delete(SPACE_ITEM, item_key(name, &id))).collect()
    }
}

/// 8.3: the form of a node nobody has configured.
pub(super) fn default_configuration() -> Element {
    let default = Element::new("default", ns::PUBSUB_OWNER).child(Node::default().form().element());
    Element::new("pubsub", ns::PUBSUB_OWNER).child(default)
}
