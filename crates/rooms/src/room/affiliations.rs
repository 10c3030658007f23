//! What a room knows of users for good: affiliations, XEP-0045 5.2, and the nicks that are reserved for them (7.10, 7.12, 9.3).

use crate::names::{Affiliation, Nick};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xmpp::Jid;

/// What the room knows of a user for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Affiliated {
    pub affiliation: Affiliation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The nick that nobody else may use (7.2.8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<Nick>,
}

impl Affiliated {
    /// An affiliation and nothing besides.
    pub fn plain(affiliation: Affiliation) -> Affiliated {
        Affiliated { affiliation, reason: None, nick: None }
    }

    /// What is known of somebody who becomes a `to`: his reserved nick stays unless `nick` says which it is now, and goes with a
    /// ban (9.1).
    pub fn after(
        before: Option<Affiliated>,
        to: Affiliation,
        nick: Option<Option<Nick>>,
        reason: Option<String>,
    ) -> Option<Affiliated> {
        let nick = nick.unwrap_or_else(|| before.and_then(|before| before.nick));
        match to {
            Affiliation::None => None,
            Affiliation::Outcast => Some(Affiliated { affiliation: to, reason, nick: None }),
            _ => Some(Affiliated { affiliation: to, reason, nick }),
        }
    }
}

/// Everybody the room knows, by bare JID (a ban may name a whole domain, 9.2), and who has which nick reserved.
#[derive(Debug, Clone, Default)]
pub(crate) struct Affiliations {
    of: BTreeMap<Jid, Affiliated>,
    reserved: BTreeMap<Nick, Jid>,
}

impl Affiliations {
    /// What is known of exactly this address.
    pub fn get(&self, bare: &Jid) -> Option<&Affiliated> {
        self.of.get(bare)
    }

    /// Everybody in order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&Jid, &Affiliated)> {
        self.of.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whom a nick is reserved for.
    pub fn reserved_for(&self, nick: &Nick) -> Option<&Jid> {
        self.reserved.get(nick)
    }

    /// How many nicks are reserved for somebody.
    pub fn reserved(&self) -> usize {
        self.reserved.len()
    }

    /// Sets what is known of an address; `None` for nothing in particular.
    pub fn set(&mut self, bare: Jid, known: Option<Affiliated>) {
        if let Some(before) = self.of.remove(&bare).and_then(|before| before.nick)
            && self.reserved.get(&before) == Some(&bare)
        {
            self.reserved.remove(&before);
        }
        let Some(known) = known else { return };
        if let Some(nick) = &known.nick {
            self.reserved.insert(nick.clone(), bare.clone());
        }
        self.of.insert(bare, known);
    }
}

impl FromIterator<(Jid, Affiliated)> for Affiliations {
    fn from_iter<I: IntoIterator<Item = (Jid, Affiliated)>>(known: I) -> Affiliations {
        let mut all = Affiliations::default();
        for (bare, affiliated) in known {
            all.set(bare, Some(affiliated));
        }
        all
    }
}
