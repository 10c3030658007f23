//! Admins and owners in the configuration form, XEP-0045 10.1.3 and 10.2: `muc#roomconfig_roomadmins` and `_roomowners`, each the
//! full list and no delta (10.5 and 10.8, the notes).

use super::admin::Outcome;
use super::affairs::Affair;
use super::config_form::{FormError, read_jids};
use super::{Affiliated, Config, Room};
use crate::names::Affiliation;
use std::collections::BTreeSet;
use xmpp::Jid;
use xmpp::stanza::form::{Field, Form};

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";

/// Most addresses in one of the two fields; a longer list is read and changed by 10.5 and 10.8, and is not in the form.
const LIST_MAX: usize = 500;

impl Room {
    /// The two fields, filled in.
    pub fn list_fields(&self) -> [Field; 2] {
        [(ADMINS, "Room Admins", Affiliation::Admin), (OWNERS, "Room Owners", Affiliation::Owner)].map(
            |(var, label, of)| {
                let listed: Vec<&str> = self.all_of(of).map(Jid::as_str).take(LIST_MAX + 1).collect();
                let field = Field::new("jid-multi", var).label(label);
                if listed.len() > LIST_MAX {
                    Field::fixed("The list is too long for this form.")
                } else {
                    field.values(listed)
                }
            },
        )
    }

    /// What of affiliations a submitted form changes, `config` being the configuration it asks for; a list that is not there
    /// stays as it is.
    pub fn read_lists(&self, config: &Config, form: &Form) -> Result<Vec<Affair>, FormError> {
        let admins = read_jids(form, ADMINS, LIST_MAX)?;
        let owners = read_jids(form, OWNERS, LIST_MAX)?;
        let mut wanted: std::collections::BTreeMap<Jid, Affiliation> = std::collections::BTreeMap::new();
        if let Some(admins) = admins {
            for jid in self.all_of(Affiliation::Admin) {
                wanted.insert(jid.clone(), self.after_admin(jid, config));
            }
            let owners: BTreeSet<&Jid> = self.all_of(Affiliation::Owner).collect();
            wanted.extend(admins.into_iter().filter(|jid| !owners.contains(jid)).map(|jid| (jid, Affiliation::Admin)));
        }
        if let Some(owners) = owners {
            if owners.is_empty() {
                return Err(FormError::NoOwner);
            }
            // 10.2: who loses owner status in the form is an admin then.
            wanted.extend(self.all_of(Affiliation::Owner).map(|jid| (jid.clone(), Affiliation::Admin)));
            wanted.extend(owners.into_iter().map(|jid| (jid, Affiliation::Owner)));
        }
        let known = |jid: &Jid| self.affiliations.get(jid);
        wanted.retain(|jid, to| known(jid).map_or(Affiliation::None, |known| known.affiliation) != *to);
        let affair = |(jid, to): (Jid, Affiliation)| {
            let kept = Affiliated::after(known(&jid).cloned(), to, None, None);
            Affair::Affiliation { jid, kept, reason: None }
        };
        let affairs: Vec<Affair> = wanted.into_iter().map(affair).collect();
        self.judge_outcome(&outcome(&affairs)).map_err(|_| FormError::TooLong(ADMINS))?;
        Ok(affairs)
    }

    /// 10.7: who is no admin any more stays a member where only members are let in, and where a nick is reserved for him.
    fn after_admin(&self, jid: &Jid, config: &Config) -> Affiliation {
        let has_nick = self.affiliations.get(jid).is_some_and(|known| known.nick.is_some());
        if config.members_only || has_nick { Affiliation::Member } else { Affiliation::None }
    }

    fn all_of(&self, affiliation: Affiliation) -> impl Iterator<Item = &Jid> {
        self.affiliations.iter().filter(move |(_, known)| known.affiliation == affiliation).map(|(jid, _)| jid)
    }
}

fn outcome(affairs: &[Affair]) -> Outcome {
    let kept = |affair: &Affair| match affair {
        Affair::Affiliation { jid, kept, .. } => Some((jid.clone(), kept.clone())),
        Affair::Role { .. } => None,
    };
    affairs.iter().filter_map(kept).collect()
}
