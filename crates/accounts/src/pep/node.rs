//! Nodes: how one is configured (XEP-0060 16.4.4) and kept, its items, and who may see it (4.5).

use super::wrong;
use crate::iq::Asked;
use crate::kept::Setting;
use crate::records::{SPACE_ITEM, SPACE_NODE};
use crate::service::Accounts;
use serde::{Deserialize, Serialize};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// Configuration of a node; its record is this as JSON. The default is XEP-0163's: contacts see the last item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub title: String,
    pub access: Access,
    /// Whether items are kept, or only told.
    pub persist: bool,
    pub max_items: usize,
    pub send_last: SendLast,
    pub notify_retract: bool,
    pub notify_delete: bool,
}

/// Who may see a node, XEP-0060 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    Open,
    Presence,
    /// The owner alone: there is no list.
    Whitelist,
}

/// When the last item is sent unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SendLast {
    Never,
    OnSub,
    OnSubAndPresence,
}

/// An item as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    /// Its place in the order of publishing.
    pub n: u64,
    /// The bare address of who published it.
    pub publisher: String,
    /// The payload.
    pub xml: String,
}

impl Default for Node {
    fn default() -> Node {
        Node {
            title: String::new(),
            access: Access::Presence,
            persist: true,
            max_items: 1,
            send_last: SendLast::OnSubAndPresence,
            notify_retract: true,
            notify_delete: true,
        }
    }
}

impl Node {
    /// The node with what a form says instead.
    ///
    /// # Errors
    /// A field that there is not, or a value that it cannot have.
    pub fn with(&self, form: &Form) -> Result<Node, StanzaError> {
        let mut node = self.clone();
        for field in &form.fields {
            let value = field.values.first().map(String::as_str).unwrap_or_default();
            let boolean = || form.boolean(&field.var).ok_or(StanzaError::from(Condition::NotAcceptable));
            match field.var.as_str() {
                "FORM_TYPE" => {}
                "pubsub#title" if value.len() <= crate::config::NAME_BYTES_MAX => node.title = value.to_owned(),
                "pubsub#access_model" => node.access = parse(&ACCESS, value)?,
                "pubsub#persist_items" => node.persist = boolean()?,
                "pubsub#max_items" => node.max_items = max_items(value)?,
                "pubsub#send_last_published_item" => node.send_last = parse(&SEND_LAST, value)?,
                "pubsub#notify_retract" => node.notify_retract = boolean()?,
                "pubsub#notify_delete" => node.notify_delete = boolean()?,
                // Nothing is told without what it is.
                "pubsub#deliver_payloads" if boolean()? => {}
                _ => return Err(Condition::NotAcceptable.into()),
            }
        }
        Ok(node)
    }

    /// The form, filled in.
    pub fn form(&self) -> Form {
        let list = |var: &str, options: &[&str], value: &str| {
            options.iter().fold(Field::new("list-single", var).value(value), |field, name| field.option(name, name))
        };
        let max = self.max_items.to_string();
        Form::new("form")
            .with_type(NODE_CONFIG)
            .field(Field::new("text-single", "pubsub#title").label("A name for people").value(&self.title))
            .field(
                list("pubsub#access_model", &ACCESS.map(|a| a.0), name(&ACCESS, self.access)).label("Who may see it"),
            )
            .field(Field::boolean("pubsub#persist_items", self.persist).label("Whether items are kept"))
            .field(Field::new("text-single", "pubsub#max_items").label("How many are").value(max))
            .field(
                list("pubsub#send_last_published_item", &SEND_LAST.map(|s| s.0), name(&SEND_LAST, self.send_last))
                    .label("When the last item is sent"),
            )
            .field(Field::boolean("pubsub#notify_retract", self.notify_retract).label("Whether retractions are told"))
            .field(Field::boolean("pubsub#notify_delete", self.notify_delete).label("Whether its removal is told"))
    }

    /// What is said of it to whoever may see it (XEP-0060 5.4).
    pub fn meta_data(&self) -> Form {
        Form::new("result")
            .with_type(META_DATA)
            .field(Field::submitted("pubsub#title", &self.title))
            .field(Field::submitted("pubsub#access_model", name(&ACCESS, self.access)))
            .field(Field::submitted("pubsub#max_items", self.max_items.to_string()))
    }

    /// Whether somebody may see it.
    pub fn is_shown_to(&self, asked: Asked) -> bool {
        match asked {
            Asked::Own => true,
            Asked::Contact => self.access != Access::Whitelist,
            Asked::Stranger => self.access == Access::Open,
            Asked::Domain => false,
        }
    }

    /// Its record.
    pub fn setting(&self, node: &str) -> Setting {
        Setting::put(SPACE_NODE, node, serde_json::to_string(self).expect("texts and numbers are JSON"))
    }
}

impl Item {
    /// Its record.
    pub fn setting(&self, node: &str, id: &str) -> Setting {
        Setting::put(SPACE_ITEM, item_key(node, id), serde_json::to_string(self).expect("texts and a number are JSON"))
    }

    /// As it is shown, in the namespace of an answer or of a notification.
    pub fn element(&self, id: &str, ns: &'static str) -> Element {
        Element::new("item", ns).attr("id", id).with(Element::parse(&self.xml).ok())
    }
}

impl Accounts {
    /// A node of an account.
    pub(super) fn node(&self, owner: &Jid, node: &str) -> Option<Node> {
        serde_json::from_str(self.account(owner)?.kept.get(SPACE_NODE, node)?).ok()
    }

    /// A node that is there.
    pub(super) fn node_there(&self, owner: &Jid, node: &str) -> Result<Node, StanzaError> {
        self.node(owner, node).ok_or(Condition::ItemNotFound.into())
    }

    /// The nodes of an account.
    pub(super) fn nodes(&self, owner: &Jid) -> impl Iterator<Item = (&str, Node)> {
        let kept = self.account(owner).into_iter().flat_map(|account| account.kept.under(SPACE_NODE, ""));
        kept.filter_map(|(node, value)| Some((node, serde_json::from_str(value).ok()?)))
    }

    /// The items of a node by their ids, in the order of publishing.
    pub(super) fn items_of(&self, owner: &Jid, node: &str) -> Vec<(String, Item)> {
        let prefix = item_key(node, "");
        let Some(account) = self.account(owner) else { return Vec::new() };
        let kept = account.kept.under(SPACE_ITEM, &prefix);
        let item = |(key, value): (&str, &str)| {
            Some((key.strip_prefix(&prefix)?.to_owned(), serde_json::from_str(value).ok()?))
        };
        let mut items: Vec<(String, Item)> = kept.filter_map(item).collect();
        items.sort_by_key(|(_, item)| item.n);
        items
    }
}

/// The key of an item's record; no node's name has a line feed in it.
pub(super) fn item_key(node: &str, id: &str) -> String {
    format!("{node}\n{id}")
}

/// Refuses what cannot be the name of a node or of an item.
pub(super) fn check_name(name: &str) -> Result<(), StanzaError> {
    match name.len() <= crate::config::NAME_BYTES_MAX && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(StanzaError::new(Condition::NotAcceptable, "the name is too long, or has line ends in it")),
    }
}

/// The form in which a node is configured or made, where there is one.
pub(super) fn form_in(parent: Option<&Element>, form_type: &str) -> Result<Option<Form>, StanzaError> {
    let Some(x) = parent.and_then(|parent| parent.children().next()) else { return Ok(None) };
    match Form::parse(x) {
        Some(form) if form.form_type().is_none_or(|found| found == form_type) => Ok(Some(form)),
        _ => Err(wrong(Condition::BadRequest, "invalid-options")),
    }
}

fn max_items(value: &str) -> Result<usize, StanzaError> {
    match value {
        "max" => Ok(ITEMS_MAX),
        number => number.parse().ok().filter(|n| (1..=ITEMS_MAX).contains(n)).ok_or(Condition::NotAcceptable.into()),
    }
}

fn parse<T: Copy>(names: &[(&str, T)], value: &str) -> Result<T, StanzaError> {
    names.iter().find(|(name, _)| *name == value).map(|(_, it)| *it).ok_or(Condition::NotAcceptable.into())
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, it)| *it == value).map_or("", |(name, _)| name)
}

const ACCESS: [(&str, Access); 3] =
    [("open", Access::Open), ("presence", Access::Presence), ("whitelist", Access::Whitelist)];
const SEND_LAST: [(&str, SendLast); 3] =
    [("never", SendLast::Never), ("on_sub", SendLast::OnSub), ("on_sub_and_presence", SendLast::OnSubAndPresence)];
/// FORM_TYPE of a node's configuration.
pub(super) const NODE_CONFIG: &str = "http://jabber.org/protocol/pubsub#node_config";
/// FORM_TYPE of what is said of a node.
const META_DATA: &str = "http://jabber.org/protocol/pubsub#meta-data";
/// Most items of a node: each publication goes through them all.
const ITEMS_MAX: usize = 1_000;
