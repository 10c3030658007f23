//! What everybody is promised while a site is cut off and when it is back: `docs/wire.md`, Netsplit and Netjoin, again from
//! the story alone.

use super::cast::{Attempt, by_nick};
use super::expect::{Model, Seat, Sights};
use super::sight::{Sight, What};

/// A site that is held apart.
#[derive(Debug)]
pub struct Cut {
    /// Its domain.
    pub site: &'static str,
    /// Who was in when it began: all that the island knows.
    pub mirrored: Vec<Seat>,
    /// What has been said elsewhere since.
    pub missed: Vec<(String, &'static str)>,
    /// What has been said on the island.
    pub said: Vec<(&'static str, &'static str)>,
}

impl Cut {
    /// Who is on the island, as it knows of them.
    pub fn islanders(&self) -> impl Iterator<Item = &Seat> {
        self.mirrored.iter().filter(|seat| seat.person.site == self.site)
    }

    fn others(&self) -> impl Iterator<Item = &Seat> {
        self.mirrored.iter().filter(|seat| seat.person.site != self.site)
    }
}

impl Model {
    /// Whether somebody is on the island.
    pub fn is_cut_off(&self, nick: &str) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.site == by_nick(nick).site)
    }

    /// Each side is told once, and shown who is away on the other.
    pub(super) fn cuts(&mut self, site: &'static str) -> Sights {
        let cut = Cut { site, mirrored: self.inside.clone(), missed: Vec::new(), said: Vec::new() };
        let on_the_island: Vec<Sight> =
            std::iter::once(notice(ISLAND)).chain(cut.others().map(|seat| self.present_or_away(seat, true))).collect();
        let elsewhere: Vec<Sight> = std::iter::once(notice(&format!("{site} {CUT_OFF}")))
            .chain(cut.islanders().map(|seat| self.present_or_away(seat, true)))
            .collect();
        let sights = |seat: &Seat| if seat.person.site == site { on_the_island.clone() } else { elsewhere.clone() };
        let seen = self.inside.iter().map(|seat| (seat.person.nick, sights(seat))).collect();
        self.cut = Some(cut);
        seen
    }

    pub(super) fn says_on_the_island(&mut self, nick: &'static str, text: &'static str) -> Sights {
        let Some(cut) = &mut self.cut else { return Sights::new() };
        cut.said.push((nick, text));
        let sight = Sight { from: nick.into(), what: What::Message(text.into(), false) };
        cut.islanders().map(|seat| (seat.person.nick, vec![sight.clone()])).collect()
    }

    /// Who tries in vain is told so, and nobody else.
    pub(super) fn tries(&self, nick: &'static str, attempt: Attempt) -> Sights {
        let refused = Sight { from: String::new(), what: What::Refused(self.refusal(nick, attempt).into()) };
        match attempt {
            // Answers to iq are looked at where they are asked for.
            Attempt::Ownership | Attempt::Ban(_) => Sights::new(),
            Attempt::Subject(_) | Attempt::Nick(_) | Attempt::Entry => Sights::from([(nick, vec![refused])]),
        }
    }

    /// The condition with which an attempt is refused.
    pub fn refusal(&self, nick: &str, attempt: Attempt) -> &'static str {
        match attempt {
            _ if self.is_cut_off(nick) => "remote-server-timeout",
            Attempt::Nick(_) => "conflict",
            Attempt::Ownership | Attempt::Ban(_) | Attempt::Subject(_) | Attempt::Entry => "forbidden",
        }
    }

    /// The island is judged by the room as it is now: whoever was removed meanwhile has said nothing, what the others said
    /// stands behind what was said elsewhere, and each side learns what it has missed.
    pub(super) fn heals(&mut self) -> Sights {
        let Some(cut) = self.cut.take() else { return Sights::new() };
        let (kept, voided): (Vec<_>, Vec<_>) = cut.said.iter().partition(|(nick, _)| self.seat(nick).is_some());
        let mut seen = Sights::new();
        for seat in &self.inside {
            let sights = if seat.person.site == cut.site {
                self.island_learns(&cut, &voided)
            } else {
                self.others_learn(&cut, &kept)
            };
            seen.insert(seat.person.nick, sights);
        }
        for seat in cut.islanders().filter(|seat| self.seat(seat.person.nick).is_none()) {
            let gone = Sight { from: seat.nick.clone(), what: What::Gone(vec![110, 301]) };
            let own = voided.iter().filter(|(nick, _)| *nick == seat.person.nick);
            let refused = own.map(|_| Sight { from: String::new(), what: What::Refused("not-acceptable".into()) });
            seen.insert(seat.person.nick, std::iter::once(gone).chain(refused).collect());
        }
        self.said.extend(kept.into_iter().map(|(nick, text)| (nick.to_string(), text)));
        seen
    }

    fn others_learn(&self, cut: &Cut, kept: &[(&'static str, &'static str)]) -> Vec<Sight> {
        let back = notice(&format!("{} {BACK}", cut.site));
        let present = self.inside.iter().filter(|seat| seat.person.site == cut.site);
        let present = present.map(|seat| self.present_or_away(seat, false));
        std::iter::once(back).chain(kept.iter().map(|(nick, text)| said(nick, text))).chain(present).collect()
    }

    /// What differs from the roster as it was: who has gone, who is called otherwise, who is there and was out of reach; then
    /// what has been said, and what is taken back.
    fn island_learns(&self, cut: &Cut, voided: &[(&'static str, &'static str)]) -> Vec<Sight> {
        let gone = cut.mirrored.iter().filter(|seat| self.seat(seat.person.nick).is_none());
        let gone = gone.map(|seat| Sight { from: seat.nick.clone(), what: What::Gone(vec![]) });
        let renamed =
            cut.mirrored.iter().filter(|seat| self.seat(seat.person.nick).is_some_and(|now| now.nick != seat.nick));
        let renamed = renamed.map(|seat| Sight { from: seat.nick.clone(), what: What::Gone(vec![303]) });
        let others = self.inside.iter().filter(|seat| seat.person.site != cut.site);
        let others = others.map(|seat| self.present_or_away(seat, false));
        let missed = cut.missed.iter().map(|(nick, text)| said(nick, text));
        let retracted = |text: &&str| Sight { from: String::new(), what: What::Retracted((*text).into()) };
        let back = voided.iter().map(|(_, text)| retracted(text));
        gone.chain(renamed).chain(others).chain([notice(JOINED)]).chain(missed).chain(back).collect()
    }
}

fn notice(text: &str) -> Sight {
    Sight { from: String::new(), what: What::Message(text.into(), false) }
}

fn said(nick: &str, text: &str) -> Sight {
    Sight { from: nick.into(), what: What::Message(text.into(), true) }
}

const CUT_OFF: &str = "is cut off: who is there neither hears nor is heard until it is back.";
const BACK: &str = "is back.";
const ISLAND: &str = "The server of this room is not reached any more. Those in the room who are on this server can go on \
                      talking to each other; the others hear it when the room is reached again.";
const JOINED: &str = "The server of this room is reached again.";
