//! What XEP-0045 promises each occupant for each act: worked out from the story alone, never from what the servers did.

use super::cast::{Act, Person, by_nick};
use super::netsplit::Cut;
use super::sight::{Shown, Sight, What};
use std::collections::BTreeMap;

/// What users see because of an act, by the nick of the cast.
pub type Sights = BTreeMap<&'static str, Vec<Sight>>;

/// Somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Who.
    pub person: &'static Person,
    /// The nick, as it is now.
    pub nick: String,
    /// The affiliation, as it is now.
    pub affiliation: String,
    /// The role, as it is now.
    pub role: String,
}

/// The room as the story makes it.
#[derive(Debug, Default)]
pub struct Model {
    /// Who is in, in the order they entered; of a site that is cut off, as the room's own server knows of them.
    pub inside: Vec<Seat>,
    /// What has been said to all, in the room's one order: who, what.
    pub said: Vec<(String, &'static str)>,
    /// While a site is held apart, its side of the story.
    pub cut: Option<Cut>,
    affiliations: BTreeMap<&'static str, String>,
    /// Whether everybody sees real addresses.
    open: bool,
}

impl Model {
    /// What each user who is concerned will see because of `act`; order matters only where it says so: an entrant's list is
    /// in order, all others have one stanza.
    pub fn act(&mut self, act: Act) -> Sights {
        match act {
            Act::Enters(nick) => self.enters(by_nick(nick)),
            Act::Opens(_) => Sights::new(),
            Act::Affiliates(_, nick) => {
                self.affiliations.insert(nick, by_nick(nick).affiliation.into());
                Sights::new()
            }
            Act::Promotes(_, nick) => self.promotes(nick),
            Act::Says(nick, text) if self.is_cut_off(nick) => self.says_on_the_island(nick, text),
            Act::Says(nick, text) => self.says(nick, text),
            Act::Leaves(nick) => {
                let seen = self.all(|p| Sight { from: nick.into(), what: What::Gone(own(p.nick == nick)) });
                self.inside.retain(|seat| seat.person.nick != nick);
                seen
            }
            Act::Reveals(_) => {
                self.open = true;
                self.all(|_| Sight { from: String::new(), what: What::Configured(vec![172]) })
            }
            Act::Bans(_, nick, _) => self.bans(nick),
            Act::Renames(nick, new) => self.renames(nick, new),
            Act::Tries(nick, attempt) => self.tries(nick, attempt),
            Act::Cut(site) => self.cuts(site),
            Act::Heal(_) => self.heals(),
        }
    }

    fn enters(&mut self, who: &'static Person) -> Sights {
        let first = self.inside.is_empty();
        let affiliation =
            if first { "owner".into() } else { self.affiliations.get(who.nick).cloned().unwrap_or("none".into()) };
        let role = if affiliation == "owner" || affiliation == "admin" { "moderator" } else { "participant" };
        let seat = Seat { person: who, nick: who.nick.into(), affiliation, role: role.into() };
        let mut seen = self.all(|p| self.present(&seat, self.sees_jids(p), vec![]));
        self.inside.push(seat.clone());
        let mut mine: Vec<Sight> = Vec::new();
        for other in self.inside.iter().filter(|other| other.nick != seat.nick) {
            mine.push(self.present(other, self.sees_jids(who), vec![]));
        }
        let codes = [(true, 110), (self.open, 100), (true, 170), (first, 201)];
        let mut codes: Vec<u16> = codes.into_iter().filter_map(|(holds, code)| holds.then_some(code)).collect();
        codes.sort_unstable();
        mine.push(self.present(&seat, self.sees_jids(who), codes));
        for (nick, text) in &self.said {
            mine.push(Sight { from: nick.clone(), what: What::Message((*text).into(), true) });
        }
        mine.push(Sight { from: String::new(), what: What::Subject(String::new()) });
        seen.insert(who.nick, mine);
        seen
    }

    fn says(&mut self, nick: &'static str, text: &'static str) -> Sights {
        let Some(from) = self.seat(nick).map(|seat| seat.nick.clone()) else { return Sights::new() };
        self.said.push((from.clone(), text));
        if let Some(cut) = &mut self.cut {
            cut.missed.push((from.clone(), text));
        }
        self.all(|_| Sight { from: from.clone(), what: What::Message(text.into(), false) })
    }

    fn promotes(&mut self, nick: &'static str) -> Sights {
        for seat in self.inside.iter_mut().filter(|seat| seat.person.nick == nick) {
            seat.role = "moderator".into();
        }
        let Some(seat) = self.seat(nick).cloned() else { return Sights::new() };
        self.all(|p| self.present(&seat, self.sees_jids(p), own(p.nick == nick)))
    }

    fn bans(&mut self, nick: &'static str) -> Sights {
        self.affiliations.insert(nick, "outcast".into());
        let seen = self.all(|p| {
            let codes = if p.nick == nick { vec![110, 301] } else { vec![301] };
            Sight { from: nick.into(), what: What::Gone(codes) }
        });
        self.inside.retain(|seat| seat.person.nick != nick);
        seen
    }

    fn renames(&mut self, nick: &'static str, new: &'static str) -> Sights {
        let old = self.seat(nick).map(|seat| seat.nick.clone()).unwrap_or_default();
        for seat in self.inside.iter_mut().filter(|seat| seat.person.nick == nick) {
            seat.nick = new.into();
        }
        let Some(seat) = self.seat(nick).cloned() else { return Sights::new() };
        let mut seen = Sights::new();
        for person in self.reached() {
            let is_own = person.nick == nick;
            let codes = if is_own { vec![110, 303] } else { vec![303] };
            let gone = Sight { from: old.clone(), what: What::Gone(codes) };
            seen.insert(person.nick, vec![gone, self.present(&seat, self.sees_jids(person), own(is_own))]);
        }
        seen
    }

    /// Whoever is in and can be reached from the room's own server.
    pub fn reached(&self) -> Vec<&'static Person> {
        self.inside.iter().map(|seat| seat.person).filter(|p| !self.is_cut_off(p.nick)).collect()
    }

    /// The seat of one of the cast.
    pub fn seat(&self, nick: &str) -> Option<&Seat> {
        self.inside.iter().find(|seat| seat.person.nick == nick)
    }

    fn all(&self, sight: impl Fn(&'static Person) -> Sight) -> Sights {
        self.reached().into_iter().map(|p| (p.nick, vec![sight(p)])).collect()
    }

    fn sees_jids(&self, who: &Person) -> bool {
        self.open || self.seat(who.nick).is_some_and(|seat| seat.role == "moderator")
    }

    fn present(&self, seat: &Seat, jid: bool, codes: Vec<u16>) -> Sight {
        let (affiliation, role) = (seat.affiliation.clone(), seat.role.clone());
        let jid = jid.then(|| seat.person.jid());
        Sight { from: seat.nick.clone(), what: What::Present(Shown { affiliation, role, jid, codes, away: false }) }
    }

    /// The same, of somebody whom all can see and who is or was cut off.
    pub fn present_or_away(&self, seat: &Seat, away: bool) -> Sight {
        let mut sight = self.present(seat, self.open, vec![]);
        if let What::Present(shown) = &mut sight.what {
            shown.away = away;
        }
        sight
    }
}

fn own(own: bool) -> Vec<u16> {
    if own { vec![110] } else { vec![] }
}
