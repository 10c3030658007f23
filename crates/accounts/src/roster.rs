//! The roster: items, how they are kept, and the protocol of RFC 6121 2.

use crate::account::{Account, Session};
use crate::config::{GROUPS_PER_ITEM_MAX, NAME_BYTES_MAX, REQUESTS_PENDING_MAX, ROSTER_ITEMS_MAX};
use crate::ledger::{Before, Step};
use crate::records::SPACE_ROSTER;
use crate::service::{Accounts, error_to};
use crate::subscription::{Half, Kind, State};
use machine::{Change, Output};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, Shared, ns};

/// A contact, or somebody whose request is not answered. Its record is this as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Whether it is in the roster that clients see; a request alone is not (2.1.2.5, 3.1.3).
    #[serde(default)]
    pub listed: bool,
    /// The handle, 2.1.2.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 2.1.2.6.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Appendix A.1.
    #[serde(flatten)]
    pub state: State,
    /// Pre-approval, 3.4.
    #[serde(default)]
    pub approved: bool,
    /// The stanza that asked, while that is not answered (3.1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Item {
    /// From a record's value.
    pub fn from_record(json: &str) -> Option<Item> {
        serde_json::from_str(json).ok()
    }

    /// Whether there is anything left to keep.
    pub fn is_empty(&self) -> bool {
        !self.listed && self.state == State::default() && !self.approved
    }

    /// The request to be shown to a client, if one is waiting for an answer.
    pub fn request(&self, contact: &Jid) -> Option<Shared> {
        (self.state.from == Half::Pending).then(|| {
            let kept = self.request.as_deref().and_then(|xml| Element::parse(xml).ok());
            let bare = || Element::stanza("presence").attr("from", contact.as_str()).attr("type", "subscribe");
            Shared::new(kept.unwrap_or_else(bare))
        })
    }

    /// `<item/>` of 2.1.2, where the roster has it.
    pub fn element(&self, contact: &Jid) -> Option<Element> {
        self.listed.then(|| {
            Element::new("item", ns::ROSTER)
                .attr_opt("approved", self.approved.then_some("true"))
                .attr_opt("ask", (self.state.to == Half::Pending).then_some("subscribe"))
                .attr("jid", contact.as_str())
                .attr_opt("name", self.name.as_ref())
                .attr("subscription", self.state.as_str())
                .with(self.groups.iter().map(|group| Element::new("group", ns::ROSTER).text(group)))
        })
    }
}

/// Why a roster is not changed, 2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RosterError {
    #[error("a roster set has exactly one item")]
    NotOneItem,
    #[error("the item has no valid address")]
    NoAddress,
    #[error("the name is too long")]
    NameTooLong,
    #[error("a group's name is empty or too long")]
    GroupName,
    #[error("a group is named twice")]
    GroupTwice,
    #[error("the contact is in too many groups")]
    TooManyGroups,
    #[error("there is no such contact")]
    NoSuchContact,
    #[error("you need no roster item for yourself")]
    Oneself,
    #[error("the account is being removed")]
    Leaving,
    #[error("the roster is full; remove a contact first")]
    Full,
    #[error("too many changes are on their way to the disk; try again in a moment")]
    Busy,
}

impl From<RosterError> for StanzaError {
    fn from(error: RosterError) -> StanzaError {
        let condition = match error {
            RosterError::NotOneItem | RosterError::NoAddress | RosterError::GroupTwice => Condition::BadRequest,
            RosterError::NameTooLong | RosterError::GroupName | RosterError::TooManyGroups => Condition::NotAcceptable,
            RosterError::NoSuchContact => Condition::ItemNotFound,
            RosterError::Oneself | RosterError::Leaving => Condition::NotAllowed,
            RosterError::Full => Condition::PolicyViolation,
            RosterError::Busy => Condition::ResourceConstraint,
        };
        StanzaError::new(condition, error.to_string())
    }
}

/// A roster set as the client wants it, 2.3 and 2.5.
enum Wanted {
    Update { contact: Jid, name: Option<String>, groups: BTreeSet<String> },
    Remove { contact: Jid },
}

impl Wanted {
    /// Reads `<query/>`, with the errors of 2.3.3.
    fn parse(query: &Element) -> Result<Wanted, RosterError> {
        let mut items = query.children().filter(|child| child.is("item", ns::ROSTER));
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(RosterError::NotOneItem);
        };
        let Some(contact) = item.get("jid").and_then(|jid| Jid::new(jid).ok()) else {
            return Err(RosterError::NoAddress);
        };
        if item.get("subscription") == Some("remove") {
            return Ok(Wanted::Remove { contact });
        }
        let name = item.get("name").map(str::to_owned);
        if name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(RosterError::NameTooLong);
        }
        Ok(Wanted::Update { contact, name, groups: groups(item)? })
    }
}

/// The groups of an item: none twice, none empty, none too long (2.3.3).
fn groups(item: &Element) -> Result<BTreeSet<String>, RosterError> {
    let mut groups = BTreeSet::new();
    for group in item.children().filter(|child| child.is("group", ns::ROSTER)) {
        let name = group.content();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(RosterError::GroupName);
        }
        if !groups.insert(name) {
            return Err(RosterError::GroupTwice);
        }
    }
    match groups.len() > GROUPS_PER_ITEM_MAX {
        true => Err(RosterError::TooManyGroups),
        false => Ok(groups),
    }
}

impl Accounts {
    /// A request about the sender's own roster; the caller has seen that it is a session's own.
    pub(crate) fn roster(&mut self, iq: &Element, from: &Jid, query: &Element, out: &mut Vec<Output>) {
        if iq.get("type") == Some("get") {
            return self.roster_get(iq, from, query.get("ver"), out);
        }
        let refused = match Wanted::parse(query) {
            Ok(_) if self.ledger.is_full() => RosterError::Busy,
            Ok(_) if self.account(from).is_none_or(|account| account.leaving) => RosterError::Leaving,
            Ok(Wanted::Update { contact, .. } | Wanted::Remove { contact }) if contact == from.bare() => {
                RosterError::Oneself
            }
            Ok(Wanted::Update { contact, name, groups }) => match self.update(iq, from, contact, name, groups, out) {
                Ok(()) => return,
                Err(error) => error,
            },
            Ok(Wanted::Remove { contact }) => match self.remove(iq, from, contact, out) {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.refuse(iq, refused, out);
    }

    /// 2.2: the whole roster; from now on the session gets its changes. A client that has this roster already (XEP-0237
    /// 2.4) is told so by an empty result.
    fn roster_get(&mut self, iq: &Element, from: &Jid, ver: Option<&str>, out: &mut Vec<Output>) {
        if self.ledger.is_full() {
            return self.refuse(iq, RosterError::Busy, out);
        }
        let Some(session) = self.session_mut(from) else { return };
        session.interested = true;
        session.versions = ver.is_some();
        let Some(account) = self.account(from) else { return };
        let now = account.roster_digest();
        let has_it = ver.and_then(|ver| ver.split('.').next()).is_some_and(|digest| digest == now);
        let query = (!has_it).then(|| {
            let items = account.roster.iter().filter_map(|(jid, item)| item.element(jid));
            Element::new("query", ns::ROSTER).attr_opt("ver", ver.map(|_| &now)).with(items)
        });
        let result = Shared::new(iq_result(iq).with(query));
        // Behind the changes it shows, which may not be durable yet.
        self.ledger.gate.pass(Output::Send { to: from.clone(), stanza: result }, out);
    }

    /// 2.3, 2.4: a new contact or another name and other groups; never another subscription.
    fn update(
        &mut self,
        iq: &Element,
        from: &Jid,
        contact: Jid,
        name: Option<String>,
        groups: BTreeSet<String>,
        out: &mut Vec<Output>,
    ) -> Result<(), RosterError> {
        let (Some(local), Some(account)) = (from.local(), self.account(from)) else { return Ok(()) };
        let before = account.roster.get(&contact).cloned();
        if before.is_none() {
            account.room_for_contact()?;
        }
        let item = Item { listed: true, name, groups, ..before.unwrap_or_default() };
        let mut step = self.item_step(local, &contact, item, PushOn::Always);
        step.then.push(Output::Send { to: from.clone(), stanza: Shared::new(iq_result(iq)) });
        step.otherwise.extend(error_to(iq, Condition::InternalServerError));
        self.ledger.commit(step, out);
        Ok(())
    }

    /// 2.5: the contact is removed, and both halves of the subscription ended (2.5.2).
    fn remove(&mut self, iq: &Element, from: &Jid, contact: Jid, out: &mut Vec<Output>) -> Result<(), RosterError> {
        let (Some(local), Some(account)) = (from.local(), self.account(from)) else { return Ok(()) };
        let Some(before) = account.roster.get(&contact).filter(|item| item.listed).cloned() else {
            return Err(RosterError::NoSuchContact);
        };
        let mut then = self.farewell(local, &contact, before.state);
        let step = self.item_step(local, &contact, Item::default(), PushOn::Always);
        then.extend(step.then);
        then.push(Output::Send { to: from.clone(), stanza: Shared::new(iq_result(iq)) });
        let otherwise = error_to(iq, Condition::InternalServerError).into_iter().collect();
        self.ledger.commit(Step { then, otherwise, ..step }, out);
        Ok(())
    }

    /// What ends both halves of a subscription towards the contact.
    pub(crate) fn farewell(&self, local: &str, contact: &Jid, state: State) -> Vec<Output> {
        let mut out = Vec::new();
        let own = self.bare(local);
        let say = |kind: Kind| {
            let stanza = Element::stanza("presence").attr("from", &own).attr("type", kind.as_str());
            Output::Send { to: contact.clone(), stanza: Shared::new(stanza) }
        };
        if state.to != Half::No {
            out.push(say(Kind::Unsubscribe));
        }
        if state.shows() {
            out.extend(self.retreat(local, contact));
        }
        if state.from != Half::No {
            out.push(say(Kind::Unsubscribed));
        }
        out
    }

    /// Puts an item into memory and gives the step that makes it durable and then pushes it. An empty one is removed.
    pub(crate) fn item_step(&mut self, local: &str, contact: &Jid, item: Item, push: PushOn) -> Step {
        let after = item.element(contact);
        let owner = local.to_owned();
        let key = contact.as_str().to_owned();
        let (change, item) = match serde_json::to_string(&item) {
            Ok(value) if !item.is_empty() => (Change::Put { space: SPACE_ROSTER, owner, key, value }, Some(item)),
            _ => (Change::Delete { space: SPACE_ROSTER, owner, key }, None),
        };
        let before = self.set_item(local, contact.clone(), item);
        let shown = before.as_ref().and_then(|item| item.element(contact));
        let pushed = match after {
            None if shown.is_none() => None,
            None => Some(removed(contact)),
            Some(after) if push == PushOn::Always || shown.as_ref() != Some(&after) => Some(after),
            Some(_) => None,
        };
        Step {
            changes: vec![change],
            then: pushed.map(|item| self.push(local, item)).unwrap_or_default(),
            before: vec![Before::Contact { local: local.to_owned(), contact: contact.clone(), item: before }],
            ..Step::default()
        }
    }

    /// 2.1.6: a roster push to every interested session, with the new version to those that keep the roster.
    fn push(&mut self, local: &str, item: Element) -> Vec<Output> {
        self.pushes += 1;
        let Some(account) = self.accounts.get(local).filter(|account| account.interested().next().is_some()) else {
            return Vec::new();
        };
        // XEP-0237 2.4: no two pushes have the same version; what is compared is the digest alone.
        let version = format!("{}.{}", account.roster_digest(), self.pushes);
        let push = |version: Option<&String>| {
            let query = Element::new("query", ns::ROSTER).attr_opt("ver", version).child(item.clone());
            let push = Element::stanza("iq")
                .attr("from", self.bare(local))
                .attr("id", format!("push{}", self.pushes))
                .attr("type", "set");
            Shared::new(push.child(query))
        };
        let (plain, versioned) = (push(None), push(Some(&version)));
        let stanza = |s: &Session| if s.versions { versioned.clone() } else { plain.clone() };
        account.interested().map(|s| Output::Send { to: s.jid.clone(), stanza: stanza(s) }).collect()
    }
}

impl Account {
    /// Tells one roster from another, as clients see it (XEP-0237 4.2): it needs no record, and a roster from a backup is not
    /// taken for the one that was lost.
    fn roster_digest(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for item in self.roster.iter().filter_map(|(jid, item)| item.element(jid)) {
            item.to_xml().hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// Whether the roster has room for a further contact.
    pub(crate) fn room_for_contact(&self) -> Result<(), RosterError> {
        match self.roster.len() < ROSTER_ITEMS_MAX {
            true => Ok(()),
            false => Err(RosterError::Full),
        }
    }

    /// Whether a further request of a stranger can be kept.
    pub(crate) fn has_room_for_request(&self) -> bool {
        self.roster.len() < ROSTER_ITEMS_MAX
            && self.roster.values().filter(|item| !item.listed).count() < REQUESTS_PENDING_MAX
    }
}

/// When an item is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushOn {
    /// After a roster set, also one that changes nothing (2.3.2).
    Always,
    /// Only when what clients see has changed: a request that comes in is not to be seen.
    Difference,
}

fn removed(contact: &Jid) -> Element {
    Element::new("item", ns::ROSTER).attr("jid", contact.as_str()).attr("subscription", "remove")
}
