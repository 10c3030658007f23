//! Protocol property P8, XEP-0045 9.1: once a ban is granted nobody is told that the banned user is in the room, until somebody asks
//! for something else; and what he says meanwhile, on an island too, does not come into the archive. A rooms' server that has gone on
//! with a copy of its disk knows nothing of a ban that was granted since.

use super::former::End;
use super::people::{Occupant, People, bare, kind};
use super::watch::Watch;
use crate::users::stays::body_of;
use crate::users::view::has_status;
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

pub(super) struct Banned {
    room: Jid,
    end: End,
    /// Bans that were asked for: (who, id of the iq), the bare address.
    asked: BTreeMap<(String, String), String>,
    /// Who is banned, by bare address, and at which place of the tape it was granted.
    banned: BTreeMap<String, usize>,
    /// Who, a client or a server, was told that an occupant was banned.
    gone: BTreeSet<(String, Occupant)>,
    /// What the banned have said: the body, and who.
    void: Vec<(String, String)>,
}

impl Banned {
    pub fn of(room: &Jid) -> Banned {
        Banned {
            room: room.clone(),
            end: End::default(),
            asked: BTreeMap::new(),
            banned: BTreeMap::new(),
            gone: BTreeSet::new(),
            void: Vec::new(),
        }
    }

    fn sent(&mut self, who: &str, stanza: &Element) {
        let query = stanza.get_child("query", ns::MUC_ADMIN).filter(|_| stanza.get("type") == Some("set"));
        for item in query.into_iter().flat_map(Element::children) {
            let (Some(user), Some(affiliation)) = (item.get("jid"), item.get("affiliation")) else { continue };
            if affiliation == "outcast" {
                let id = stanza.get("id").unwrap_or_default().to_owned();
                self.asked.insert((who.to_owned(), id), user.to_owned());
            } else {
                // From now on the room may have heard of it.
                self.banned.remove(user);
                self.asked.retain(|_, asked| asked != user);
                self.void.retain(|(_, author)| author != user);
            }
        }
        if stanza.get("type") == Some("groupchat") && self.banned.contains_key(bare(who)) {
            self.void.extend(body_of(stanza).map(|body| (body, bare(who).to_owned())));
        }
    }

    /// Whether this shows somebody banned as present.
    fn shows(&self, stanza: &Element, people: &People) -> Option<Occupant> {
        let occupant = Occupant::of(stanza).filter(|_| stanza.name() == "presence" && stanza.get("type").is_none())?;
        let user = people.user(&occupant.id)?;
        self.banned.contains_key(user).then_some(occupant)
    }

    /// Notes to whom it was said that somebody is banned.
    fn note_gone(&mut self, to: &str, stanza: &Element) {
        if stanza.name() == "presence" && has_status(stanza, "301") {
            self.gone.extend(Occupant::of(stanza).map(|occupant| (to.to_owned(), occupant)));
        }
    }

    /// Somebody is told of a presence again who has been told that the occupant is gone.
    fn comes_back(&mut self, to: &str, stanza: &Element, people: &People) -> Result<(), String> {
        self.note_gone(to, stanza);
        match self.shows(stanza, people) {
            Some(occupant) if self.gone.contains(&(to.to_owned(), occupant.clone())) => {
                Err(format!("{to} is told that {}, who is banned, is there again", occupant.nick))
            }
            _ => Ok(()),
        }
    }
}

impl Watch for Banned {
    fn told(&mut self, telling: &Telling, _: usize, people: &People) -> Result<(), String> {
        match &telling.what {
            Scene::Connected | Scene::Ended => self.gone.retain(|(to, _)| *to != telling.who),
            Scene::Sent(stanza) => self.sent(&telling.who, stanza),
            Scene::Received(stanza) => return self.comes_back(&telling.who, stanza, people),
        }
        Ok(())
    }

    fn crossed(&mut self, crossing: &Crossing, place: usize, people: &People) -> Result<(), String> {
        let is_rooms = crossing.from == self.room.domain();
        let ends = self.end.note(crossing, is_rooms);
        if !is_rooms {
            return Ok(());
        }
        let stanza = &crossing.stanza;
        if ends {
            // Its bans end with it; what was said in it is in no archive.
            (self.banned, self.asked, self.void) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        }
        if stanza.name() == "iq" && stanza.get("type") == Some("result") {
            let address = |name| stanza.get(name).unwrap_or_default().to_owned();
            if let Some(user) = self.asked.remove(&(address("to"), address("id"))) {
                let ids = people.id(&user).map(str::to_owned);
                self.gone.retain(|(_, occupant)| Some(&occupant.id) != ids.as_ref());
                self.banned.insert(user, place);
            }
        }
        if let (Some("roster"), Some(occupant)) = (kind(stanza), self.shows(stanza, people)) {
            return Err(format!("{} is told that {}, who is banned, is in", crossing.to, occupant.nick));
        }
        self.comes_back(&crossing.to, stanza, people)
    }

    fn set_back(&mut self, lost: &SetBack) {
        self.banned.retain(|_, place| *place < lost.from);
        self.asked.clear();
        self.void.retain(|(_, author)| self.banned.contains_key(author));
    }

    fn banned(&self) -> Vec<String> {
        self.banned.keys().cloned().collect()
    }

    fn void(&self) -> Vec<(String, String)> {
        self.void.iter().map(|(body, who)| (body.clone(), format!("{who} was banned and is heard"))).collect()
    }
}
