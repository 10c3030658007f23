//! Protocol property P4: nobody ever held more than the primary gave.
//!
//! What users of a site are shown of an occupant, affiliation and role, is what the room has said to that site of him, and nothing that
//! it has taken back in the meantime as far as the site has heard; of who enters on an island it is what the room has named him as
//! beforehand (protocol 4, `members`), also where it is less than he was when he was last there. Who has asked to enter may be told late, and in order, what others there were told before
//! (`docs/wire.md`, *Netjoin* 6), from what was known there when he asked. What somebody has done, he could do by what the room had said
//! of him between his request and its answer; what his site did for him alone was a kick, and by what he was there. Likewise the archive
//! names others to him by their addresses where these are hidden: XEP-0313, *MUC Archives*, asks for the right to it "at the time of the
//! query".

use super::given::Given;
use super::people::{Occupant, People, bare, domain, item, members};
use super::watch::Watch;
use crate::users::JOIN;
use crate::users::view::has_status;
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

/// Affiliation and role.
type Standing = (String, String);

/// What the room has given, and what was made of it.
pub(super) struct Powers {
    room: Jid,
    /// Whether real addresses are for moderators alone.
    semi_anonymous: bool,
    given: Given,
    /// What the room has said to a site of an occupant, each with its place among all that it has said.
    words: BTreeMap<(String, Occupant), Vec<(usize, Standing)>>,
    /// As what it has named somebody who may enter there, by occupant-id, likewise.
    named: BTreeMap<(String, String), Vec<(usize, Standing)>>,
    /// How much it has said.
    said: usize,
    /// The place of what people at a site were shown last of an occupant.
    shown: BTreeMap<(String, Occupant), usize>,
    /// The same of each client that has asked to enter.
    clients: BTreeMap<String, Client>,
    /// Who was last shown as gone at a site, by occupant-id.
    gone: BTreeSet<(String, String)>,
    /// Which requests, and rows of the archive, the room itself has answered a client with, by their ids.
    by_room: BTreeSet<(String, String)>,
}

/// A client that has asked to enter.
#[derive(Default)]
struct Client {
    /// The place of what it was shown last of an occupant; it begins with what had been shown at its site when it asked.
    shown: BTreeMap<Occupant, usize>,
    /// Whether it was answered.
    is_in: bool,
}

impl Powers {
    pub fn of(room: &Jid, semi_anonymous: bool) -> Powers {
        Powers {
            room: room.clone(),
            semi_anonymous,
            given: Given::default(),
            words: BTreeMap::new(),
            named: BTreeMap::new(),
            said: 0,
            shown: BTreeMap::new(),
            clients: BTreeMap::new(),
            gone: BTreeSet::new(),
            by_room: BTreeSet::new(),
        }
    }

    /// Somebody is shown an occupant.
    fn see(&mut self, who: &str, stanza: &Element) -> Result<(), String> {
        if let Some(client) = self.clients.get_mut(who) {
            client.is_in |= is_own(stanza);
        }
        let (Some(occupant), Some(standing)) = (Occupant::of(stanza), standing(stanza)) else { return Ok(()) };
        let key = (domain(who).to_owned(), occupant);
        self.gone.remove(&(key.0.clone(), key.1.id.clone()));
        let shown = match self.clients.get(who) {
            Some(client) => client.shown.get(&key.1),
            None => self.shown.get(&key),
        };
        let shown = shown.copied().unwrap_or_default();
        let words = since(self.words.get(&key), shown);
        let named = since(self.named.get(&(key.0.clone(), key.1.id.clone())), shown);
        let place = |words: &[(usize, Standing)]| words.iter().find(|(_, word)| *word == standing).map(|(at, _)| *at);
        let Some(at) = place(words).into_iter().chain(place(named)).min() else {
            return Err(format!("{who} sees {} as {standing:?}; the room had said {words:?}, {named:?}", key.1.nick));
        };
        if let Some(client) = self.clients.get_mut(who) {
            client.shown.insert(key.1.clone(), at);
        }
        let shown = self.shown.entry(key).or_default();
        *shown = at.max(*shown);
        Ok(())
    }

    /// Somebody is shown that an occupant is gone.
    fn sees_go(&mut self, who: &str, stanza: &Element) {
        if let Some(occupant) = Occupant::of(stanza).filter(|_| !has_status(stanza, "303")) {
            self.gone.insert((domain(who).to_owned(), occupant.id));
        }
    }

    /// A client asks to enter, or once more. Who was gone is from now on what the room has named him as, whatever he was before.
    fn asks_to_enter(&mut self, who: &str, people: &People) {
        let site = domain(who);
        let is_back = |id: &String| people.user(id) == Some(bare(who));
        let back: Vec<_> = self.gone.iter().filter(|(at, id)| at == site && is_back(id)).cloned().collect();
        for named in back {
            let last = self.named.get(&named).and_then(|named| named.last()).map(|(_, standing)| standing.clone());
            if let Some(standing) = last {
                let word = self.say(standing);
                self.named.entry(named).or_default().push(word);
            }
        }
        let here = self.shown.iter().filter(|((site, _), _)| site == domain(who));
        let here = || here.map(|((_, occupant), at)| (occupant.clone(), *at)).collect();
        self.clients.entry(who.to_owned()).or_insert_with(|| Client { shown: here(), is_in: false }).is_in = false;
    }

    /// It is out, or not let in; where it has asked and was not answered that is about its time before.
    fn is_out(&mut self, who: &str, refused: bool) {
        if refused || self.clients.get(who).is_some_and(|client| client.is_in) {
            self.clients.remove(who);
        }
    }

    /// What somebody asked for was done.
    fn judge(&self, who: &str, request: &Element, since: usize, by_room: bool, people: &People) -> Result<(), String> {
        let needs = needs(request, |nick| self.given.had_role(nick, "moderator", since));
        if needs.is_empty() {
            return Ok(());
        }
        if !by_room {
            if needs.iter().any(|needed| *needed != Need::Kick) {
                return Err(format!("{who} was granted by his site what the room alone can: {request}"));
            }
            return match self.is_moderator_here(who, people) {
                true => Ok(()),
                false => Err(format!("{who} kicks on an island and is no moderator there: {request}")),
            };
        }
        let held = self.given.held_since(bare(who), since);
        match needs.iter().find(|needed| !held.iter().any(|held| needed.is_met_by(held))) {
            None => Ok(()),
            Some(needed) => Err(format!("{who} did what takes {needed:?} and was {held:?}: {request}")),
        }
    }

    /// The room answers somebody with a row of its archive.
    fn judge_row(&self, who: &str, row: &Element, at: usize) -> Result<(), String> {
        let Some(seen) = self.address_in(who, row) else { return Ok(()) };
        let held = self.given.held_since(bare(who), self.given.page_asked(who, row).unwrap_or(at));
        match held.iter().any(|held| Need::Addresses.is_met_by(held)) {
            true => Ok(()),
            false => Err(format!("{who} was {held:?} and is told the address of {seen}: {row}")),
        }
    }

    /// His site does.
    fn judge_row_here(&self, who: &str, row: &Element, people: &People) -> Result<(), String> {
        match self.address_in(who, row) {
            Some(seen) if !self.is_moderator_here(who, people) => {
                Err(format!("{who} is no moderator on his island and is told the address of {seen}: {row}"))
            }
            _ => Ok(()),
        }
    }

    /// Whose address a row says that not everybody may know.
    fn address_in(&self, who: &str, row: &Element) -> Option<&str> {
        self.given.others_address(who, row).filter(|_| self.semi_anonymous)
    }

    /// Whether a user's site has been told that he is a moderator, and people there nothing else since.
    fn is_moderator_here(&self, who: &str, people: &People) -> bool {
        let is_him = |id: &String| people.user(id) == Some(bare(who));
        let shown = |occupant: &Occupant| self.shown.get(&(domain(who).to_owned(), occupant.clone())).copied();
        let words = self.words.iter().filter(|((site, occupant), _)| site == domain(who) && is_him(&occupant.id));
        let words = words.map(|((_, occupant), words)| since(Some(words), shown(occupant).unwrap_or_default()));
        let last_of = |id: &String| self.shown.iter().filter(|((_, o), _)| o.id == *id).map(|(_, at)| *at).max();
        let named = self.named.iter().filter(|((site, id), _)| site == domain(who) && is_him(id));
        let named = named.map(|((_, id), words)| since(Some(words), last_of(id).unwrap_or_default()));
        words.chain(named).flatten().any(|(_, (_, role))| role == "moderator")
    }

    /// The room says what somebody is.
    fn say(&mut self, standing: Standing) -> (usize, Standing) {
        self.said += 1;
        (self.said, standing)
    }

    /// It names users of a site, and as what they may enter there while it is cut off.
    fn name(&mut self, site: &str, members: &Element) {
        for member in members.children() {
            let (Some(id), Some(standing)) = (member.get("occupant-id"), standing_of(member)) else { continue };
            let word = self.say(standing);
            self.named.entry((site.to_owned(), id.to_owned())).or_default().push(word);
        }
    }
}

impl Watch for Powers {
    fn told(&mut self, telling: &Telling, at: usize, people: &People) -> Result<(), String> {
        self.given.told(telling, at);
        match &telling.what {
            Scene::Connected | Scene::Ended => {
                self.clients.remove(&telling.who);
                Ok(())
            }
            Scene::Sent(stanza) if stanza.name() == "presence" && stanza.has_child("x", ns::MUC) => {
                self.asks_to_enter(&telling.who, people);
                Ok(())
            }
            Scene::Received(stanza) if is_of(stanza, &self.room) => match (stanza.name(), stanza.get("type")) {
                ("presence", None) => self.see(&telling.who, stanza),
                ("presence", Some(kind)) => {
                    if is_end(stanza) {
                        self.is_out(&telling.who, kind == "error");
                    }
                    if kind == "unavailable" {
                        self.sees_go(&telling.who, stanza);
                    }
                    Ok(())
                }
                ("iq", Some("result")) => {
                    let by_room = self.by_room.remove(&answer_to(&telling.who, stanza));
                    match self.given.answered(&telling.who, stanza) {
                        Some((request, since)) => self.judge(&telling.who, &request, since, by_room, people),
                        None => Ok(()),
                    }
                }
                ("message", _) => match stanza.get_child("result", ns::MAM) {
                    Some(row) if !self.by_room.remove(&answer_to(&telling.who, row)) => {
                        self.judge_row_here(&telling.who, row, people)
                    }
                    _ => Ok(()),
                },
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn set_back(&mut self, lost: &SetBack) {
        self.given.set_back(lost);
    }

    fn crossed(&mut self, crossing: &Crossing, at: usize, people: &People) -> Result<(), String> {
        let stanza = &crossing.stanza;
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        self.given.crossed(crossing, at, people);
        let to = stanza.get("to").unwrap_or_default();
        if let Some(row) = stanza.get_child("result", ns::MAM) {
            self.by_room.insert(answer_to(to, row));
            return self.judge_row(to, row, at);
        }
        if stanza.name() == "iq" && stanza.get("type") == Some("result") {
            self.by_room.insert(answer_to(to, stanza));
        }
        if let Some(members) = members(stanza) {
            self.name(&crossing.to, members);
        }
        if stanza.name() != "presence" || stanza.get("type").is_some() {
            return Ok(());
        }
        let (Some(occupant), Some(standing)) = (Occupant::of(stanza), standing(stanza)) else { return Ok(()) };
        let word = self.say(standing);
        self.words.entry((crossing.to.clone(), occupant)).or_default().push(word);
        Ok(())
    }
}

/// What a client is answered with, a result or a row of the archive, by its id.
fn answer_to(who: &str, answer: &Element) -> (String, String) {
    (who.to_owned(), answer.get("id").unwrap_or_default().to_owned())
}

/// What a request takes, XEP-0045 5.1.2 and 5.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// To remove an occupant: a moderator.
    Kick,
    /// To give and take voice: a moderator.
    Voice,
    /// To make a participant of somebody who is a moderator, or was a moment ago: an admin, in the room or not (XEP-0045 9.7), or a
    /// moderator.
    Participant,
    /// To have a message taken back, XEP-0425: a moderator.
    Retract,
    /// To make moderators, members and outcasts: an admin.
    Admin,
    /// To make admins and owners, to configure and to destroy: an owner.
    Owner,
    /// To be told real addresses by the archive: a moderator, or an admin, who may ask for lists of them (XEP-0045 9.2).
    Addresses,
}

impl Need {
    /// Whether an affiliation or a role is enough.
    fn is_met_by(self, held: &str) -> bool {
        match self {
            Need::Kick | Need::Voice | Need::Retract => held == "moderator",
            Need::Admin => matches!(held, "admin" | "owner"),
            Need::Owner => held == "owner",
            Need::Participant | Need::Addresses => matches!(held, "moderator" | "admin" | "owner"),
        }
    }
}

fn needs(request: &Element, was_moderator: impl Fn(&str) -> bool) -> Vec<Need> {
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
        (None, Some("participant")) if item.get("nick").is_some_and(&was_moderator) => Need::Participant,
        (None, _) => Need::Voice,
    };
    items.map(need).collect()
}

fn standing(stanza: &Element) -> Option<Standing> {
    standing_of(item(stanza)?)
}

fn standing_of(item: &Element) -> Option<Standing> {
    Some((item.get("affiliation")?.to_owned(), item.get("role")?.to_owned()))
}

/// Whether this is the end of its receiver's stay, or of his asking for one; of who is given another nick it is the end of the old one
/// alone.
fn is_end(stanza: &Element) -> bool {
    let refused = stanza.get("type") == Some("error") && stanza.get("id").is_some_and(|id| id.starts_with(JOIN));
    refused || is_own(stanza) && !has_status(stanza, "303")
}

fn is_own(stanza: &Element) -> bool {
    has_status(stanza, "110")
}

/// What was said at this place or later.
fn since(words: Option<&Vec<(usize, Standing)>>, place: usize) -> &[(usize, Standing)] {
    let words = words.map(Vec::as_slice).unwrap_or_default();
    &words[words.partition_point(|(at, _)| *at < place)..]
}

fn is_of(stanza: &Element, room: &Jid) -> bool {
    stanza.get("from").is_some_and(|from| bare(from) == room.as_str())
}
