//! After a loss of many rooms of a service they are fetched anew one after the other, so that what is said in those that are
//! reached waits behind one snapshot at the most, and not behind all of them.

use super::Replica;
use super::life::Life;
use super::mirror::Mirror;
use machine::{Now, Output};
use std::collections::{BTreeMap, VecDeque};
use xmpp::Jid;

/// Whose turn it is, by service.
#[derive(Debug, Default)]
pub(super) struct Turns {
    services: BTreeMap<String, Turn>,
}

#[derive(Debug)]
struct Turn {
    /// The room that is being fetched anew.
    room: Option<Jid>,
    /// Those that wait, each once for each time it was lost.
    waiting: VecDeque<Jid>,
}

impl Turns {
    /// Whether it is this room's turn; if not it waits, and is told.
    pub fn take(&mut self, room: &Jid) -> bool {
        let turn = self.services.entry(room.domain().to_owned());
        let turn = turn.or_insert_with(|| Turn { room: None, waiting: VecDeque::new() });
        let is_free = turn.room.as_ref().is_none_or(|holder| holder == room);
        if is_free {
            turn.room = Some(room.clone());
        } else {
            turn.waiting.push_back(room.clone());
        }
        is_free
    }

    /// Whose turn it is.
    fn of(&self, service: &str) -> Option<&Jid> {
        self.services.get(service)?.room.as_ref()
    }

    /// Whether it is this room's turn.
    fn is_of(&self, room: &Jid) -> bool {
        self.of(room.domain()) == Some(room)
    }

    /// Nobody's turn; gives who waits next.
    fn next(&mut self, service: &str) -> Option<Jid> {
        let turn = self.services.get_mut(service)?;
        turn.room = None;
        let next = turn.waiting.pop_front();
        if next.is_none() {
            self.services.remove(service);
        }
        next
    }
}

impl Replica {
    /// A room has been touched: when its turn is over, it is the next one's. One that does not reach the service keeps it, and
    /// tries again for all.
    pub(super) fn pass_turn(&mut self, room: &Jid, (life, unreached): (Life, bool), now: Now, out: &mut Vec<Output>) {
        let goes_on = unreached || matches!(life, Life::Registering | Life::Syncing);
        if self.site.turns.is_of(room) && !goes_on {
            self.next_turn(room.domain(), now, out);
        }
    }

    /// The service has been heard of: whoever has asked before that may have asked in vain, and is not waited for.
    pub(super) fn free_turn(&mut self, service: &str, now: Now, out: &mut Vec<Output>) {
        let asks = |room: &Jid| self.mirrors.get(room).is_some_and(|mirror| mirror.life == Life::Registering);
        if self.site.turns.of(service).is_some_and(asks) {
            self.next_turn(service, now, out);
        }
    }

    /// The next that still waits registers.
    fn next_turn(&mut self, service: &str, now: Now, out: &mut Vec<Output>) {
        while let Some(next) = self.site.turns.next(service) {
            if self.mirrors.get(&next).is_some_and(Mirror::waits_for_turn) {
                self.with(&next, now, out, Mirror::retry);
            }
            if self.site.turns.is_of(&next) {
                return;
            }
        }
    }
}

impl Mirror {
    /// Whether it was lost and has no time of its own to try again.
    fn waits_for_turn(&self) -> bool {
        self.life == Life::Suspect && self.link.retry_at.is_none()
    }
}
