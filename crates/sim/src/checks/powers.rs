//! Protocol property P4: nobody ever held more than the primary gave.
//!
//! What users of a site are shown of an occupant, affiliation and role, is what the room has said to that site of him, and nothing that
//! it has taken back in the meantime as far as the site has heard. What somebody has done, he could do by what the room had said of
//! him between his request and its answer; what his site did for him alone was a kick, and by what he was there.

use super::people::{Occupant, People, bare, domain, item};
use super::watch::Watch;
use crate::world::{Crossing, Scene, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

/// Affiliation and role.
type Standing = (String, String);

/// What the room has given, and what was made of it.
pub(super) struct Powers {
    room: Jid,
    people: People,
    /// What the room has said to a site of an occupant, in order and without repetition.
    words: BTreeMap<(String, Occupant), Vec<Standing>>,
    /// Which of them people there were shown last.
    shown: BTreeMap<(String, Occupant), usize>,
    /// What the room has said of a user, to anybody: the place on the tape, and what.
    given: BTreeMap<String, Vec<(usize, Standing)>>,
    /// What was asked and not answered: the request, its place on the tape.
    asked: BTreeMap<(String, String), (Element, usize)>,
    /// Which of them the room has answered itself.
    by_room: BTreeSet<(String, String)>,
}

impl Powers {
    pub fn of(room: &Jid) -> Powers {
        Powers {
            room: room.clone(),
            people: People::default(),
            words: BTreeMap::new(),
            shown: BTreeMap::new(),
            given: BTreeMap::new(),
            asked: BTreeMap::new(),
            by_room: BTreeSet::new(),
        }
    }

    /// Somebody is shown an occupant.
    fn see(&mut self, who: &str, stanza: &Element) -> Result<(), String> {
        let (Some(occupant), Some(standing)) = (Occupant::of(stanza), standing(stanza)) else { return Ok(()) };
        let key = (domain(who).to_owned(), occupant);
        let shown = self.shown.get(&key).copied().unwrap_or_default();
        let words = self.words.get(&key).map(Vec::as_slice).unwrap_or_default();
        match words.iter().skip(shown).position(|word| *word == standing) {
            Some(further) => {
                self.shown.insert(key, shown + further);
                Ok(())
            }
            None => {
                Err(format!("{who} sees {} as {standing:?}; the room had said {:?}", key.1.nick, words.get(shown..)))
            }
        }
    }

    /// What somebody asked for was done.
    fn judge(&self, who: &str, request: &Element, since: usize, by_room: bool) -> Result<(), String> {
        let needs = needs(request);
        if needs.is_empty() {
            return Ok(());
        }
        if !by_room {
            if needs.iter().any(|needed| *needed != Need::Kick) {
                return Err(format!("{who} was granted by his site what the room alone can: {request}"));
            }
            return match self.is_moderator_here(who) {
                true => Ok(()),
                false => Err(format!("{who} kicks on an island and is no moderator there: {request}")),
            };
        }
        let held = self.held_since(bare(who), since);
        match needs.iter().find(|needed| !held.iter().any(|standing| needed.is_met_by(standing))) {
            None => Ok(()),
            Some(needed) => Err(format!("{who} did what takes {needed:?} and was {held:?}: {request}")),
        }
    }

    /// What a user was at the place `since` and later.
    fn held_since(&self, user: &str, since: usize) -> Vec<&Standing> {
        let given = self.given.get(user).map(Vec::as_slice).unwrap_or_default();
        let before = given.iter().rev().find(|(at, _)| *at <= since);
        let later = given.iter().filter(|(at, _)| *at > since);
        before.into_iter().chain(later).map(|(_, standing)| standing).collect()
    }

    /// Whether a user's site has been told that he is a moderator, and people there nothing else since.
    fn is_moderator_here(&self, who: &str) -> bool {
        let is_him = |occupant: &Occupant| self.people.user(&occupant.id) == Some(bare(who));
        let here = self.words.iter().filter(|((site, occupant), _)| site == domain(who) && is_him(occupant));
        here.into_iter().any(|(key, words)| {
            let shown = self.shown.get(key).copied().unwrap_or_default();
            words.iter().skip(shown).any(|(_, role)| role == "moderator")
        })
    }
}

impl Watch for Powers {
    fn told(&mut self, telling: &Telling, at: usize) -> Result<(), String> {
        match &telling.what {
            Scene::Sent(stanza) if stanza.name() == "iq" && stanza.get("type") == Some("set") => {
                if let Some(id) = stanza.get("id") {
                    self.asked.insert((telling.who.clone(), id.to_owned()), (stanza.clone(), at));
                }
                Ok(())
            }
            Scene::Received(stanza) if is_of(stanza, &self.room) => match (stanza.name(), stanza.get("type")) {
                ("presence", None) => self.see(&telling.who, stanza),
                ("iq", Some("result")) => {
                    let key = (telling.who.clone(), stanza.get("id").unwrap_or_default().to_owned());
                    let by_room = self.by_room.remove(&key);
                    match self.asked.remove(&key) {
                        Some((request, since)) => self.judge(&telling.who, &request, since, by_room),
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn crossed(&mut self, crossing: &Crossing, at: usize) -> Result<(), String> {
        let stanza = &crossing.stanza;
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        self.people.crossed(crossing);
        if stanza.name() == "iq" && stanza.get("type") == Some("result") {
            let address = |name| stanza.get(name).unwrap_or_default().to_owned();
            self.by_room.insert((address("to"), address("id")));
        }
        if stanza.name() != "presence" || stanza.get("type").is_some() {
            return Ok(());
        }
        let (Some(occupant), Some(standing)) = (Occupant::of(stanza), standing(stanza)) else { return Ok(()) };
        if let Some(user) = self.people.user(&occupant.id) {
            self.given.entry(user.to_owned()).or_default().push((at, standing.clone()));
        }
        let words = self.words.entry((crossing.to.clone(), occupant)).or_default();
        if words.last() != Some(&standing) {
            words.push(standing);
        }
        Ok(())
    }
}

/// What a request takes, XEP-0045 5.1.2 and 5.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// To remove an occupant: a moderator.
    Kick,
    /// To give and take voice: a moderator.
    Voice,
    /// To have a message taken back, XEP-0425: a moderator.
    Retract,
    /// To make moderators, members and outcasts: an admin.
    Admin,
    /// To make admins and owners, to configure and to destroy: an owner.
    Owner,
}

impl Need {
    fn is_met_by(self, (affiliation, role): &Standing) -> bool {
        match self {
            Need::Kick | Need::Voice | Need::Retract => role == "moderator",
            Need::Admin => matches!(affiliation.as_str(), "admin" | "owner"),
            Need::Owner => affiliation == "owner",
        }
    }
}

fn needs(request: &Element) -> Vec<Need> {
    if request.has_child("query", ns::MUC_OWNER) {
        return vec![Need::Owner];
    }
    if request.has_child("moderate", ns::MODERATE) {
        return vec![Need::Retract];
    }
    let items = request.get_child("query", ns::MUC_ADMIN).into_iter().flat_map(Element::children);
    let need = |item: &Element| match (item.get("affiliation"), item.get("role")) {
        (Some("admin" | "owner"), _) => Need::Owner,
        (Some(_), _) | (None, Some("moderator")) => Need::Admin,
        (None, Some("none")) => Need::Kick,
        (None, _) => Need::Voice,
    };
    items.map(need).collect()
}

fn standing(stanza: &Element) -> Option<Standing> {
    let item = item(stanza)?;
    Some((item.get("affiliation")?.to_owned(), item.get("role")?.to_owned()))
}

fn is_of(stanza: &Element, room: &Jid) -> bool {
    stanza.get("from").is_some_and(|from| bare(from) == room.as_str())
}
