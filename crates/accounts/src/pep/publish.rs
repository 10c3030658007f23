//! XEP-0060 7: items published and retracted.

use super::node::{Item, Node, check_name, form_in, item_key};
use super::{is_true, node_of, wrong};
use crate::kept::Setting;
use crate::records::{SPACE_ITEM, SPACE_NODE};
use crate::service::{Accounts, Addressed};
use machine::Output;
use rand_chacha::rand_core::Rng;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, ns};

impl Accounts {
    /// 7.1: an item is published; the node is made where there is none (XEP-0163 5), and must be as the publisher believes
    /// (7.1.5) where there is.
    pub(super) fn publish(
        &mut self,
        iq: &Addressed,
        pubsub: &Element,
        publish: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        let name = node_of(publish)?;
        check_name(name)?;
        let (id, payload) = self.published(publish)?;
        let there = self.node(&owner, name);
        let options = form_in(pubsub.get_child("publish-options", ns::PUBSUB), PUBLISH_OPTIONS)?;
        let node = match (&there, options) {
            (None, options) => {
                self.room_for_node(&owner)?;
                let form = options.as_ref();
                form.map_or(Ok(Node::default()), |form| Node::default().with(form)).map_err(|_| not_met())?
            }
            (Some(node), Some(form)) if node.with(&form).as_ref() != Ok(node) => return Err(not_met()),
            (Some(node), _) => node.clone(),
        };
        let items = self.items_of(&owner, name);
        let n = items.last().map_or(1, |(_, last)| last.n.saturating_add(1));
        let item = Item { n, publisher: owner.to_string(), xml: payload.to_xml() };
        let mut settings: Vec<Setting> = there.is_none().then(|| node.setting(name)).into_iter().collect();
        if node.persist {
            settings.push(item.setting(name, &id));
            let others: Vec<&String> = items.iter().map(|(other, _)| other).filter(|other| **other != id).collect();
            let over = (others.len() + 1).saturating_sub(node.max_items);
            settings.extend(others.iter().take(over).map(|old| Setting::delete(SPACE_ITEM, item_key(name, old))));
        }
        let answer = Element::new("item", ns::PUBSUB).attr("id", &id);
        let answer = Element::new("publish", ns::PUBSUB).attr("node", name).child(answer);
        let event =
            Element::new("items", ns::PUBSUB_EVENT).attr("node", name).child(item.element(&id, ns::PUBSUB_EVENT));
        let told = self.told(&owner, name, &node, event);
        self.settle(iq, settings, Some(Element::new("pubsub", ns::PUBSUB).child(answer)), told, out)
    }

    /// 7.2: an item is taken back.
    pub(super) fn retract(
        &mut self,
        iq: &Addressed,
        retract: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let owner = iq.from.bare();
        let name = node_of(retract)?;
        let node = self.node_there(&owner, name)?;
        let item = retract.children().next().filter(|item| item.is("item", ns::PUBSUB)).and_then(|item| item.get("id"));
        let id = item.ok_or_else(|| wrong(Condition::BadRequest, "item-required"))?;
        let key = item_key(name, id);
        self.account(&owner).and_then(|account| account.kept.get(SPACE_ITEM, &key)).ok_or(Condition::ItemNotFound)?;
        let event = Element::new("retract", ns::PUBSUB_EVENT).attr("id", id);
        let event = Element::new("items", ns::PUBSUB_EVENT).attr("node", name).child(event);
        let is_told = node.notify_retract || is_true(retract.get("notify"));
        let told = if is_told { self.told(&owner, name, &node, event) } else { Vec::new() };
        self.settle(iq, vec![Setting::delete(SPACE_ITEM, key)], None, told, out)
    }

    /// The id and the payload of what is published; without an id it gets one (7.1.2).
    fn published<'a>(&mut self, publish: &'a Element) -> Result<(String, &'a Element), StanzaError> {
        let mut items = publish.children().filter(|child| child.is("item", ns::PUBSUB));
        let item = items.next().ok_or_else(|| wrong(Condition::BadRequest, "item-required"))?;
        if items.next().is_some() {
            return Err(wrong(Condition::NotAllowed, "max-items-exceeded"));
        }
        let mut payloads = item.children();
        let payload = payloads.next().ok_or_else(|| wrong(Condition::BadRequest, "payload-required"))?;
        if payloads.next().is_some() {
            return Err(wrong(Condition::BadRequest, "invalid-payload"));
        }
        let id = item.get("id").filter(|id| !id.is_empty()).map(str::to_owned);
        let id = id.unwrap_or_else(|| format!("{:016x}", self.random.next_u64()));
        check_name(&id)?;
        Ok((id, payload))
    }

    /// Whether an account may have one node more.
    pub(super) fn room_for_node(&self, owner: &xmpp::Jid) -> Result<(), StanzaError> {
        let nodes = self.account(owner).map_or(0, |account| account.kept.under(SPACE_NODE, "").count());
        match nodes < NODES_MAX {
            true => Ok(()),
            false => Err(StanzaError::new(Condition::ResourceConstraint, "you have as many nodes as you may")),
        }
    }
}

/// 7.1.5: the node is not as the publisher believes.
fn not_met() -> StanzaError {
    wrong(Condition::Conflict, "precondition-not-met")
}

/// FORM_TYPE of what a publisher believes of a node.
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// Most nodes of an account: each that comes is looked at for its last item.
const NODES_MAX: usize = 200;
