//! What is looked at while a run goes on, so that it stops at the first thing that should not have been: each watch sees everything on
//! the tape once, in its order.

use super::people::People;
use super::{addresses, banned, bounds, copies, kicked, outside, powers, sealed, seats};
use crate::world::{Crossing, SetBack, Tape, Telling};
use xmpp::Jid;

/// A property that must hold at any moment.
pub(super) trait Watch {
    /// A client did or was sent something; `at` is its place on the tape.
    fn told(&mut self, _telling: &Telling, _at: usize, _people: &People) -> Result<(), String> {
        Ok(())
    }

    /// A stanza was put on a link, between the telling at the place `at` and the one before.
    fn crossed(&mut self, _crossing: &Crossing, _at: usize, _people: &People) -> Result<(), String> {
        Ok(())
    }

    /// The rooms' server has gone on with a copy of its disk: what was done since that was made is undone.
    fn set_back(&mut self, _lost: &SetBack) {}

    /// Bodies of messages that must not be in the room's archive in the end, each with the reason.
    fn void(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Bare addresses that are banned by now.
    fn banned(&self) -> Vec<String> {
        Vec::new()
    }
}

/// All that is watched, and how far the tape has been seen.
pub struct Safety {
    rooms: String,
    /// Who is who by all that the room has said so far.
    people: People,
    watches: Vec<(&'static str, Box<dyn Watch>)>,
    told: usize,
    crossed: usize,
    set_back: usize,
}

impl Safety {
    /// Of a room that has not been opened yet, where real addresses are for moderators alone, or not.
    pub fn of(room: &Jid, semi_anonymous: bool) -> Safety {
        let mut safety = Safety {
            rooms: room.domain().to_owned(),
            people: People::default(),
            watches: vec![
                (POWERS, Box::new(powers::Powers::of(room, semi_anonymous))),
                (SEALED, Box::new(sealed::Sealed)),
                (SEATS, Box::new(seats::Seats::of(room))),
                (COPIES, Box::new(copies::Copies::of(room))),
                (BOUNDS, Box::new(bounds::Bounds::default())),
                (KICKED, Box::new(kicked::Kicked::of(room))),
                (BANNED, Box::new(banned::Banned::of(room))),
                (OUTSIDE, Box::new(outside::Outside::of(room))),
            ],
            told: 0,
            crossed: 0,
            set_back: 0,
        };
        if semi_anonymous {
            safety.watches.push((ADDRESSES, Box::new(addresses::Addresses::of(room))));
        }
        safety
    }

    /// Looks at what is new on the tape; gives everything that should not have been.
    pub fn look(&mut self, tape: &Tape) -> Vec<String> {
        let mut violations = Vec::new();
        loop {
            let crossing = tape.crossings.get(self.crossed);
            let telling = tape.tellings.get(self.told);
            if let Some(lost) = tape.set_back.get(self.set_back)
                && lost.told <= self.told
                && lost.crossed <= self.crossed
            {
                self.set_back += 1;
                let is_rooms = lost.domain == self.rooms;
                self.watches.iter_mut().filter(|_| is_rooms).for_each(|(_, watch)| watch.set_back(lost));
                continue;
            }
            match (crossing, telling) {
                (Some(crossing), _) if crossing.told <= self.told || telling.is_none() => {
                    self.crossed += 1;
                    if crossing.from == self.rooms {
                        self.people.crossed(crossing);
                    }
                    let (told, people) = (self.told, &self.people);
                    let failed = self.watches.iter_mut().filter_map(|(name, watch)| {
                        Some(format!("{name}: at {}: {}", crossing.at_ms, watch.crossed(crossing, told, people).err()?))
                    });
                    violations.extend(failed);
                }
                (_, Some(telling)) => {
                    let at = self.told;
                    self.told += 1;
                    let people = &self.people;
                    let failed = self.watches.iter_mut().filter_map(|(name, watch)| {
                        Some(format!("{name}: at {}: {}", telling.at_ms, watch.told(telling, at, people).err()?))
                    });
                    violations.extend(failed);
                }
                _ => return violations,
            }
        }
    }

    /// Bodies of messages that must not be in the archive, with the property and the reason.
    pub fn void(&self) -> Vec<(String, String)> {
        let void = |(name, watch): &(&'static str, Box<dyn Watch>)| {
            watch.void().into_iter().map(|(body, why)| (body, format!("{name}: {why}"))).collect::<Vec<_>>()
        };
        self.watches.iter().flat_map(void).collect()
    }

    /// Who is banned by the room's own word, by bare address.
    pub fn banned(&self) -> Vec<String> {
        self.watches.iter().flat_map(|(_, watch)| watch.banned()).collect()
    }
}

/// P4.
pub const POWERS: &str = "nobody holds more than the room gave";
/// P5.
pub const SEALED: &str = "what stays between servers stays there";
/// P5.
pub const ADDRESSES: &str = "real addresses go where somebody may see them";
/// P5.
pub const SEATS: &str = "nothing goes where nobody is in";
/// P6.
pub const COPIES: &str = "one copy of an event for each replica";
/// P7.
pub const BOUNDS: &str = "what is listed is within its bound";
/// P8.
pub const KICKED: &str = "who is kicked stays out until he asks";
/// P8.
pub const BANNED: &str = "who is banned stays out";
/// P10.
pub const OUTSIDE: &str = "nobody is outside untold";
