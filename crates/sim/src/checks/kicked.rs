//! XEP-0045 8.2: whom people have been told was kicked is not in again without having asked, whatever crashes and whatever a
//! census says of him. A nickname, with the occupant-id behind it (XEP-0421), is somebody.

use super::Evidence;
use crate::users::view::statuses;
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut watch = Watch { users: users(evidence), ..Watch::default() };
    for (at, telling) in evidence.tape.tellings.iter().enumerate() {
        match &telling.what {
            Scene::Sent(stanza) => watch.sent(at, &telling.who, stanza),
            Scene::Received(stanza) => watch.received(at, &telling.who, stanza)?,
            Scene::Connected | Scene::Ended => {}
        }
    }
    Ok(())
}

/// What has been seen so far; times are places on the tape.
#[derive(Default)]
struct Watch {
    /// Whose occupant-id it is: bare addresses.
    users: BTreeMap<String, String>,
    /// When each user last asked to enter, by whichever client.
    asked: BTreeMap<String, usize>,
    /// Clients that have asked to enter and were not answered.
    asking: BTreeSet<String>,
    /// When anybody was first told that somebody was kicked, and whether a request of his was under way then: he may have
    /// been let in again before others are told.
    told: BTreeMap<(String, String), (usize, bool)>,
    /// Since when somebody is gone to an onlooker, and whether another of his requests was under way: (onlooker, nick, occupant-id).
    kicked: BTreeMap<(String, String, String), (usize, bool)>,
}

impl Watch {
    fn sent(&mut self, at: usize, who: &str, stanza: &Element) {
        if stanza.name() == "presence" && stanza.has_child("x", ns::MUC) {
            self.asked.insert(bare(who).to_owned(), at);
            self.asking.insert(who.to_owned());
        }
    }

    fn received(&mut self, at: usize, who: &str, stanza: &Element) -> Result<(), String> {
        let codes = statuses(stanza);
        let told = |code: &str| codes.iter().any(|known| known == code);
        // That somebody is out answers no request of his.
        let answers = match stanza.get("type") {
            None => told("110"),
            kind => kind == Some("error"),
        };
        if stanza.name() == "presence" && answers {
            self.asking.remove(who);
        }
        let Some((nick, id)) = occupant(stanza) else { return Ok(()) };
        let seen = |nick: &str| (who.to_owned(), nick.to_owned(), id.clone());
        match stanza.get("type") {
            Some("unavailable") if told("307") => {
                let under_way = self.users.get(&id).is_some_and(|user| self.asking.iter().any(|j| bare(j) == user));
                let (since, then) = *self.told.entry((nick.clone(), id.clone())).or_insert((at, under_way));
                self.kicked.insert(seen(&nick), (since, under_way || then));
            }
            // Somebody who has another seat of his gives it this nick.
            Some("unavailable") if told("303") => drop(self.kicked.remove(&seen(&new_nick(stanza)))),
            None => {
                let kicked = self.kicked.remove(&seen(&nick)).filter(|(_, under_way)| !under_way);
                let asked = self.users.get(&id).and_then(|user| self.asked.get(user));
                if kicked.is_some_and(|(since, _)| asked.is_none_or(|asked| *asked < since)) {
                    return Err(format!("{nick} was kicked, has not asked, and is in again as {who} sees it"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whose occupant-ids are whose, by what each client has been sent of himself.
fn users(evidence: &Evidence<'_>) -> BTreeMap<String, String> {
    let own = evidence.tape.tellings.iter().filter_map(|telling| match &telling.what {
        Scene::Received(stanza) if statuses(stanza).iter().any(|code| code == "110") => {
            Some((occupant(stanza)?.1, bare(&telling.who).to_owned()))
        }
        _ => None,
    });
    own.collect()
}

/// Nickname and occupant-id of whom a presence is about.
fn occupant(stanza: &Element) -> Option<(String, String)> {
    let nick = stanza.get("from").filter(|_| stanza.name() == "presence")?.split_once('/')?.1;
    let id = stanza.get_child("occupant-id", ns::OCCUPANT_ID)?.get("id")?;
    Some((nick.to_owned(), id.to_owned()))
}

/// The nickname that somebody will have, XEP-0045 7.6.
fn new_nick(stanza: &Element) -> String {
    let item = stanza.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("item", ns::MUC_USER));
    item.and_then(|item| item.get("nick")).unwrap_or_default().to_owned()
}

fn bare(full: &str) -> &str {
    full.split('/').next().unwrap_or_default()
}
