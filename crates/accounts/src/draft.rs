//! An account that another server kept, on its way to be kept here, within the bounds of this one. What more accounts come to
//! have is taken here as well.

use crate::config::{BLOCKED_MAX, GROUPS_PER_ITEM_MAX, NAME_BYTES_MAX, REQUEST_BYTES_MAX, ROSTER_ITEMS_MAX};
use crate::offline::Waiting;
use crate::private::xml_value;
use crate::records::{self, SPACE_BLOCKED, SPACE_OFFLINE, SPACE_PRIVATE, SPACE_ROSTER, SPACE_VCARD, put_credentials};
use crate::roster::Item;
use crate::subscription::{Half, State};
use machine::{Change, Record};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::sasl::Credentials;
use xmpp::{Element, Jid, ns};

/// An account that is being put together.
#[derive(Debug)]
pub struct Draft {
    local: String,
    credentials: Credentials,
    roster: BTreeMap<Jid, Item>,
    blocked: BTreeSet<String>,
    /// Records that are held as they are: space, key, value.
    kept: Vec<(&'static str, String, String)>,
    /// How many messages wait.
    waiting: u64,
}

impl Draft {
    /// An account without contacts; the localpart is normalised.
    pub fn new(local: &str, credentials: Credentials) -> Draft {
        let (roster, blocked) = (BTreeMap::new(), BTreeSet::new());
        Draft { local: local.to_owned(), credentials, roster, blocked, kept: Vec::new(), waiting: 0 }
    }

    /// Its localpart.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// A contact, as RFC 6121 2.1.2 shows it: `<item/>` in `jabber:iq:roster`. The error says why it is not taken.
    pub fn contact(&mut self, item: &Element) -> Result<(), String> {
        let to = |sees| if sees { Half::Yes } else { Half::No };
        let state = match item.get("subscription").unwrap_or("none") {
            "none" => State::default(),
            "to" => State { to: to(true), from: to(false) },
            "from" => State { to: to(false), from: to(true) },
            "both" => State { to: to(true), from: to(true) },
            other => return Err(format!("{other:?} is no subscription")),
        };
        let asks = item.get("ask") == Some("subscribe") && state.to == Half::No;
        let groups = item.children().filter(|child| child.is("group", ns::ROSTER)).map(Element::content);
        let groups: BTreeSet<String> = groups.filter(|group| !group.is_empty()).collect();
        let name = item.get("name").filter(|name| !name.is_empty());
        if name.map_or(0, str::len).max(groups.iter().map(String::len).max().unwrap_or(0)) > NAME_BYTES_MAX {
            return Err(format!("a name is longer than {NAME_BYTES_MAX} bytes"));
        }
        if groups.len() > GROUPS_PER_ITEM_MAX {
            return Err(format!("it is in more than {GROUPS_PER_ITEM_MAX} groups"));
        }
        let approved = matches!(item.get("approved"), Some("true" | "1"));
        let own = self.entry(item.get("jid").unwrap_or_default())?;
        (own.listed, own.approved) = (true, approved);
        (own.name, own.groups) = (name.map(str::to_owned), groups);
        own.state.to = if asks { Half::Pending } else { state.to };
        if state.from != Half::No {
            own.state.from = state.from;
        }
        Ok(())
    }

    /// Somebody's request to see the presence of the user, which he has not answered (RFC 6121 3.1.3).
    pub fn request(&mut self, presence: &Element) -> Result<(), String> {
        let kept = presence.to_xml();
        let own = self.entry(presence.get("from").unwrap_or_default())?;
        if own.state.from == Half::No {
            own.state.from = Half::Pending;
            own.request = Some(kept).filter(|kept| kept.len() <= REQUEST_BYTES_MAX);
        }
        Ok(())
    }

    /// An address that the user does not want to hear from (XEP-0191).
    pub fn block(&mut self, jid: &str) -> Result<(), String> {
        let jid = Jid::new(jid).map_err(|error| error.to_string())?;
        if self.blocked.len() >= BLOCKED_MAX {
            return Err(format!("more than {BLOCKED_MAX} addresses"));
        }
        self.blocked.insert(jid.to_string());
        Ok(())
    }

    /// An element of private storage (XEP-0049).
    pub fn private(&mut self, element: &Element) -> Result<(), String> {
        if matches!(element.ns(), ns::PRIVATE | ns::CLIENT) {
            return Err("it has no namespace of its own".to_owned());
        }
        self.keep(SPACE_PRIVATE, format!("{} {}", element.ns(), element.name()), xml_value(element))
    }

    /// The user's vCard (XEP-0054).
    pub fn vcard(&mut self, vcard: &Element) -> Result<(), String> {
        self.keep(SPACE_VCARD, String::new(), xml_value(vcard))
    }

    /// A message that waits, oldest first; it came at this time, Unix milliseconds.
    pub fn offline(&mut self, message: &Element, stamp_ms: i64) -> Result<(), String> {
        self.waiting += 1;
        let waiting = Waiting { stamp_ms, stanza: message.to_xml() };
        let value = serde_json::to_string(&waiting).expect("a number and a string are JSON");
        self.keep(SPACE_OFFLINE, format!("{:020}", self.waiting), value)
    }

    fn keep(&mut self, space: &'static str, key: String, value: String) -> Result<(), String> {
        let record = Record { space: space.to_owned(), owner: self.local.clone(), key, value };
        records::check(&record)?;
        self.kept.push((space, record.key, record.value));
        Ok(())
    }

    /// The account's records.
    pub fn records(self) -> Vec<Change> {
        let mut changes = vec![put_credentials(&self.local, &self.credentials)];
        let mut put = |space, key: String, value: String| {
            changes.push(Change::Put { space, owner: self.local.clone(), key, value });
        };
        for (jid, item) in &self.roster {
            let value = serde_json::to_string(item).expect("an item is of strings and truth values");
            put(SPACE_ROSTER, jid.to_string(), value);
        }
        self.blocked.into_iter().for_each(|jid| put(SPACE_BLOCKED, jid, "{}".to_owned()));
        self.kept.into_iter().for_each(|(space, key, value)| put(space, key, value));
        changes
    }

    fn entry(&mut self, jid: &str) -> Result<&mut Item, String> {
        let jid = Jid::new(jid).map_err(|error| error.to_string())?.bare();
        if self.roster.len() >= ROSTER_ITEMS_MAX && !self.roster.contains_key(&jid) {
            return Err(format!("a roster has {ROSTER_ITEMS_MAX} contacts at the most"));
        }
        Ok(self.roster.entry(jid).or_default())
    }
}
