//! Versions of the affiliations, XEP-0463: every entrant is told which there is now (5.2.1), presence that shows a change says from
//! which version to which (5.2.2), and whoever asks for it in his join is told what has changed since he was here last, and of those
//! who are not in the room each change while he is here. A version is a name that nobody can guess, so a difference tells nobody of a
//! time he has not seen. After a restart every version is unknown, and the answer a full one.

use super::{Cx, Room, fresh_name};
use crate::names::{Affiliation, Role};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

/// What is known of versions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions {
    /// The present version.
    now: String,
    /// The last changes, oldest first: the version before it, and whose affiliation it was.
    changes: VecDeque<(String, Jid)>,
    /// Sessions that have asked for it.
    asked: BTreeSet<Jid>,
}

/// What a join asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Since(Option<String>);

impl Since {
    /// 5.1: reads a join; `None` where it asks for nothing.
    pub fn of(join: &Element) -> Option<Since> {
        let mav = join.get_child("x", ns::MUC)?.get_child("mav", MAV)?;
        Some(Since(mav.get("since").map(str::to_owned)))
    }
}

impl Room {
    /// 5.2.1: what goes before all presence to somebody who enters and asks for it: the affiliations that he may read, or what has
    /// changed in them; nothing when nothing has.
    pub fn tell_affiliations(&mut self, to: &Jid, since: &Since, id: Option<&str>, cx: &mut Cx<'_>) {
        if !LISTS.iter().any(|list| self.may_read_affiliations(to, *list).is_ok()) {
            let error = StanzaError::from(Condition::Forbidden).element(Some(self.jid.as_str()));
            let refusal = Element::stanza("message").attr("from", self.jid.as_str()).attr_opt("id", id);
            return self.answer(to, refusal.attr("type", "error").child(error), cx);
        }
        if self.versions.asked.len() < ASKED_MAX {
            self.versions.asked.insert(to.clone());
        }
        let until = self.version();
        let known = since.0.as_ref().filter(|since| **since == until || self.versions.begins_at(since).is_some());
        let items: BTreeMap<Jid, Affiliation> = match known {
            Some(since) if *since == until => return,
            Some(since) => {
                let behind = self.versions.begins_at(since).unwrap_or_default();
                let changed = self.versions.changes.range(behind..).map(|(_, jid)| jid.clone());
                changed.map(|jid| (jid.clone(), self.affiliation_as_read(to, &jid))).collect()
            }
            None => {
                let all = self.affiliations.iter().map(|(jid, _)| (jid.clone(), self.affiliation_as_read(to, jid)));
                all.filter(|(_, affiliation)| *affiliation != Affiliation::None).collect()
            }
        };
        for message in self.version_messages(known.cloned(), until, items) {
            self.answer(to, message, cx);
        }
    }

    /// 5.2.1: what stands in the own presence of who has entered: which version there is now.
    pub fn version_now(&mut self) -> Element {
        Element::new("mav", MAV).attr("until", self.version())
    }

    /// 5.2.2: somebody's affiliation is another now; gives what stands in every presence that shows it.
    pub fn next_version(&mut self, jid: &Jid) -> Element {
        let since = self.version();
        self.versions.now = fresh_name(&mut self.rng);
        let mav = Element::new("mav", MAV).attr("since", &since).attr("until", &self.versions.now);
        self.versions.changes.push_back((since, jid.clone()));
        if self.versions.changes.len() > CHANGES_MAX {
            self.versions.changes.pop_front();
        }
        mav
    }

    /// 5.2.2: the same in a message, to those who have asked and may know; where no presence tells whose affiliation it is.
    pub fn tell_version(&mut self, jid: &Jid, mav: &Element, cx: &mut Cx<'_>) {
        let here = self.occupants.values().find(|occupant| occupant.bare == *jid);
        let role = here.map_or(Role::None, |occupant| occupant.role);
        for to in self.versions.asked.clone() {
            if !LISTS.iter().any(|list| self.may_read_affiliations(&to, *list).is_ok()) {
                continue;
            }
            let item = item(jid, self.affiliation_as_read(&to, jid)).attr("role", role.as_str());
            self.answer(&to, self.version_message(mav.clone(), vec![item]), cx);
        }
    }

    /// A session is gone.
    pub fn forget_asked(&mut self, jid: &Jid) {
        self.versions.asked.remove(jid);
    }

    fn version(&mut self) -> String {
        if self.versions.now.is_empty() {
            self.versions.now = fresh_name(&mut self.rng);
        }
        self.versions.now.clone()
    }

    /// What somebody may know of another's affiliation: one in a list that is not his to read is none.
    fn affiliation_as_read(&self, reader: &Jid, of: &Jid) -> Affiliation {
        let affiliation = self.affiliations.get(of).map_or(Affiliation::None, |known| known.affiliation);
        let may = self.may_read_affiliations(reader, affiliation).is_ok();
        if may { affiliation } else { Affiliation::None }
    }

    /// One message, or several whose versions meet, each as long as a stanza may be.
    fn version_messages(
        &mut self,
        since: Option<String>,
        until: String,
        items: BTreeMap<Jid, Affiliation>,
    ) -> Vec<Element> {
        let items: Vec<Element> = items.iter().map(|(jid, affiliation)| item(jid, *affiliation)).collect();
        let mut parts: Vec<Vec<Element>> = items.chunks(ITEMS_MAX).map(<[Element]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let (last, mut since) = (parts.len() - 1, since);
        let mut messages = Vec::new();
        for (at, part) in parts.into_iter().enumerate() {
            // What stands between two parts is no version of the room: who has only that much starts again.
            let meets = if at == last { until.clone() } else { fresh_name(&mut self.rng) };
            let mav = Element::new("mav", MAV).attr_opt("since", since.as_ref()).attr("until", &meets);
            messages.push(self.version_message(mav, part));
            since = Some(meets);
        }
        messages
    }

    fn version_message(&self, mav: Element, items: Vec<Element>) -> Element {
        let x = Element::new("x", ns::MUC_USER).child(mav).with(items);
        Element::stanza("message").attr("from", self.jid.as_str()).child(x)
    }
}

impl Versions {
    /// Where in `changes` that begins which comes after this version.
    fn begins_at(&self, since: &str) -> Option<usize> {
        self.changes.iter().position(|(before, _)| before == since)
    }
}

/// Whether this is what a room says of its affiliations to somebody who enters: it goes before all presence.
pub(crate) fn is_of_versions(message: &Element) -> bool {
    message.get_child("x", ns::MUC_USER).is_some_and(|x| x.has_child("mav", MAV))
}

fn item(jid: &Jid, affiliation: Affiliation) -> Element {
    Element::new("item", ns::MUC_USER).attr("affiliation", affiliation.as_str()).attr("jid", jid.as_str())
}

/// XEP-0463.
pub(crate) const MAV: &str = "urn:xmpp:muc:affiliations:1";
/// The lists there are.
const LISTS: [Affiliation; 4] = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member, Affiliation::Outcast];
/// Changes that are remembered; who was away for more is told everything.
const CHANGES_MAX: usize = 200;
/// Items in one message: each at most some 3 KB of address, mostly 60 bytes.
const ITEMS_MAX: usize = 500;
/// Sessions of a room that are told of each change; further ones ask again at their next join.
const ASKED_MAX: usize = 1_000;
