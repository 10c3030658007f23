//! Protocol property P8, XEP-0045 8.2: whom people have been told was kicked is not in again without having asked, whatever crashes and whatever a
//! census says of him; and what he says before he asks, on an island too, does not come into the archive.

use super::former::End;
use super::people::{Occupant, People, bare, domain, item, kind};
use super::watch::Watch;
use crate::users::answers_join;
use crate::users::stays::body_of;
use crate::users::view::{View, has_status};
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// What has been seen so far; times are places on the tape.
pub(super) struct Kicked {
    room: Jid,
    end: End,
    views: BTreeMap<String, View>,
    /// When each user last asked to enter, by whichever client.
    asked: BTreeMap<String, usize>,
    /// How often clients have asked to enter and were not answered.
    asking: BTreeMap<String, usize>,
    /// When the room first told of each kick, by the number of the event.
    kicks: BTreeMap<(Occupant, String), Kick>,
    /// The kicks that it has told to each domain, and when.
    told: BTreeMap<(String, Occupant), Vec<(usize, Kick)>>,
    /// The kicks of which those have been told whom the room serves itself and no replica yet, and when: a link that is doubted holds
    /// them, and he may be in again by then.
    directly: BTreeMap<Occupant, Vec<(usize, Kick)>>,
    /// When each domain was last granted a link, on which it is told of what comes behind.
    granted: BTreeMap<String, usize>,
    /// When an island was told of a kick of its own, of which the room has not told yet: that is when he was kicked.
    on_islands: BTreeMap<Occupant, usize>,
    /// The last of them that each client may know of.
    known: BTreeMap<(String, Occupant), usize>,
    /// When each client has connected.
    connected: BTreeMap<String, usize>,
    /// Who is gone to an onlooker, by which kick.
    gone: BTreeMap<(String, Occupant), Kick>,
    /// Who is out as the room has told it, by which kick.
    out: BTreeMap<Occupant, Kick>,
    /// What somebody said whom the room had kicked: the body, who, and by which kick.
    void: Vec<(String, String, Kick)>,
}

/// When somebody was kicked, and whether a request of his was under way then: he may have been let in again before all are told. So he
/// may where the room has lost the kick with its disk.
#[derive(Debug, Clone, Copy)]
struct Kick {
    at: usize,
    under_way: bool,
}

impl Kicked {
    pub fn of(room: &Jid) -> Kicked {
        Kicked {
            room: room.clone(),
            end: End::default(),
            views: BTreeMap::new(),
            asked: BTreeMap::new(),
            asking: BTreeMap::new(),
            kicks: BTreeMap::new(),
            told: BTreeMap::new(),
            directly: BTreeMap::new(),
            granted: BTreeMap::new(),
            on_islands: BTreeMap::new(),
            known: BTreeMap::new(),
            connected: BTreeMap::new(),
            gone: BTreeMap::new(),
            out: BTreeMap::new(),
            void: Vec::new(),
        }
    }

    fn sent(&mut self, at: usize, who: &str, stanza: &Element, people: &People) {
        if stanza.name() == "presence" && stanza.has_child("x", ns::MUC) {
            self.asked.insert(bare(who).to_owned(), at);
            *self.asking.entry(who.to_owned()).or_default() += 1;
        }
        let me = self.views.get(who).and_then(|view| view.me.clone());
        if stanza.get("type") == Some("groupchat")
            && let (Some(nick), Some(id)) = (me, people.id(bare(who)))
            && let Some(since) = self.out.get(&Occupant { nick, id: id.to_owned() }).copied()
            && self.is_unasked(bare(who), since)
        {
            self.void.extend(body_of(stanza).map(|body| (body, who.to_owned(), since)));
        }
    }

    /// Whether a user has not asked to enter since he was kicked, nor was his asking under way.
    fn is_unasked(&self, user: &str, kick: Kick) -> bool {
        !kick.under_way && self.asked.get(user).is_none_or(|asked| *asked < kick.at)
    }

    fn is_asking(&self, id: &str, people: &People) -> bool {
        people.user(id).is_some_and(|user| self.asking.iter().any(|(who, times)| *times > 0 && bare(who) == user))
    }

    fn received(&mut self, at: usize, who: &str, stanza: &Element, people: &People) -> Result<(), String> {
        let told = |code: &str| has_status(stanza, code);
        if let Some(asking) = self.asking.get_mut(who).filter(|_| answers_join(stanza)) {
            *asking = asking.saturating_sub(1);
        }
        let Some(occupant) = Occupant::of(stanza).filter(|_| stanza.name() == "presence") else { return Ok(()) };
        match stanza.get("type") {
            Some("unavailable") if told("307") => {
                let (told_at, kick) = self.kick_seen(at, who, &occupant, people);
                self.known.insert((who.to_owned(), occupant.clone()), told_at);
                self.gone.insert((who.to_owned(), occupant), kick);
            }
            // Somebody who has another seat of his gives it this nick.
            Some("unavailable") if told("303") => drop(self.gone.remove(&(who.to_owned(), renamed(occupant, stanza)))),
            None => {
                let gone = self.gone.remove(&(who.to_owned(), occupant.clone()));
                return self.judge(occupant, gone, who, people);
            }
            _ => {}
        }
        Ok(())
    }

    /// Of which kick a client is told, and when its server was: the first that it does not know, or else one on an island.
    fn kick_seen(&mut self, at: usize, who: &str, occupant: &Occupant, people: &People) -> (usize, Kick) {
        let known = self.known.get(&(who.to_owned(), occupant.clone())).or(self.connected.get(who));
        let told = self.told.get(&(domain(who).to_owned(), occupant.clone())).into_iter().flatten();
        let next = told.copied().find(|(told_at, _)| known.is_none_or(|known| told_at > known));
        next.unwrap_or_else(|| {
            let since = *self.on_islands.entry(occupant.clone()).or_insert(at);
            (at, Kick { at: since, under_way: self.is_asking(&occupant.id, people) })
        })
    }

    /// The room tells of a kick for the first time.
    fn kick(&mut self, at: usize, occupant: &Occupant, people: &People) -> Kick {
        let since = self.on_islands.remove(occupant).unwrap_or(at);
        let kick = Kick { at: since, under_way: self.is_asking(&occupant.id, people) };
        self.out.insert(occupant.clone(), kick);
        kick
    }

    /// A replica is told of a kick before any other: the first one behind its grant that only others have been told of, or a new one.
    fn kick_told_first(&mut self, at: usize, site: &str, occupant: &Occupant, people: &People) -> Kick {
        let granted = self.granted.get(site).copied().unwrap_or_default();
        let known = self.directly.get_mut(occupant).and_then(|kicks| {
            let first = kicks.iter().position(|(told_at, _)| *told_at >= granted)?;
            kicks.drain(..=first).next_back()
        });
        known.map_or_else(|| self.kick(at, occupant, people), |(_, kick)| kick)
    }

    /// Somebody is there who was gone since then.
    fn judge(&self, occupant: Occupant, gone: Option<Kick>, to: &str, people: &People) -> Result<(), String> {
        let user = people.user(&occupant.id).unwrap_or_default();
        match gone.filter(|gone| self.is_unasked(user, *gone)) {
            Some(_) => Err(format!("{} was kicked, has not asked, and is in again as {to} sees it", occupant.nick)),
            None => Ok(()),
        }
    }
}

impl Watch for Kicked {
    fn told(&mut self, telling: &Telling, at: usize, people: &People) -> Result<(), String> {
        let view = self.views.entry(telling.who.clone()).or_insert_with(|| View::own(&self.room));
        match &telling.what {
            Scene::Connected | Scene::Ended => {
                *view = View::own(&self.room);
                self.connected.insert(telling.who.clone(), at);
                self.known.retain(|(who, _), _| *who != telling.who);
                self.gone.retain(|(who, _), _| *who != telling.who);
            }
            Scene::Sent(stanza) => self.sent(at, &telling.who, stanza, people),
            Scene::Received(stanza) => {
                view.hear(stanza);
                return self.received(at, &telling.who, stanza, people);
            }
        }
        Ok(())
    }

    fn crossed(&mut self, crossing: &Crossing, at: usize, people: &People) -> Result<(), String> {
        let is_rooms = crossing.from == self.room.domain();
        let ends = self.end.note(crossing, is_rooms);
        if !is_rooms {
            return Ok(());
        }
        if ends {
            (self.out, self.void) = (BTreeMap::new(), Vec::new());
            self.directly.clear();
        }
        let stanza = &crossing.stanza;
        if stanza.has_child("granted", ns::NETJOIN) {
            self.granted.insert(crossing.to.clone(), at);
        }
        let Some(occupant) = Occupant::of(stanza).filter(|_| stanza.name() == "presence") else { return Ok(()) };
        let told = |code: &str| has_status(stanza, code);
        match stanza.get("type") {
            Some("unavailable") if told("307") && kind(stanza) == Some("event") => {
                let seq = super::people::at(stanza).and_then(|at| at.get("seq")).unwrap_or_default().to_owned();
                let number = (occupant.clone(), seq);
                let kick = match self.kicks.get(&number) {
                    Some(kick) => *kick,
                    None => self.kick_told_first(at, &crossing.to, &occupant, people),
                };
                self.kicks.insert(number, kick);
                self.told.entry((crossing.to.clone(), occupant)).or_default().push((at, kick));
            }
            // To somebody who is served directly.
            Some("unavailable") if told("307") && kind(stanza).is_none() => {
                let kick = match self.out.get(&occupant) {
                    Some(kick) => *kick,
                    // One client alone hears that it is not in, which others of his may be.
                    None if told("333") => Kick { at, under_way: self.is_asking(&occupant.id, people) },
                    None => {
                        let kick = self.kick(at, &occupant, people);
                        self.directly.entry(occupant.clone()).or_default().push((at, kick));
                        kick
                    }
                };
                self.told.entry((crossing.to.clone(), occupant)).or_default().push((at, kick));
            }
            Some("unavailable") if told("303") => drop(self.out.remove(&renamed(occupant, stanza))),
            None => {
                let out = self.out.get(&occupant).copied();
                if kind(stanza) == Some("roster") {
                    self.judge(occupant, out, &crossing.to, people)?;
                } else if out.is_some_and(|kick| !self.is_unasked(people.user(&occupant.id).unwrap_or_default(), kick))
                {
                    self.out.remove(&occupant);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// It knows nothing of a kick that it has told since; and gives numbers anew.
    fn set_back(&mut self, lost: &SetBack) {
        let is_known = |kick: &Kick| kick.at < lost.from;
        self.kicks.retain(|_, kick| is_known(kick));
        self.gone.retain(|_, kick| is_known(kick));
        self.out.retain(|_, kick| is_known(kick));
        self.void.retain(|(.., kick)| is_known(kick));
        self.directly.clear();
        // What is still on its way to somebody is news of what is not so.
        let told = self.told.values_mut().flatten().map(|(_, kick)| kick);
        told.filter(|kick| !is_known(kick)).for_each(|kick| kick.under_way = true);
    }

    fn void(&self) -> Vec<(String, String)> {
        self.void
            .iter()
            .map(|(body, who, _)| (body.clone(), format!("{who} was kicked, has not asked, and is heard")))
            .collect()
    }
}

/// Under the nickname that somebody will have, XEP-0045 7.6.
fn renamed(occupant: Occupant, stanza: &Element) -> Occupant {
    let nick = item(stanza).and_then(|item| item.get("nick")).unwrap_or_default().to_owned();
    Occupant { nick, ..occupant }
}
