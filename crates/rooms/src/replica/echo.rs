//! Presence that was shown here before the primary told of it: when it comes back as an event it is no news to anybody.
//!
//! Until then the roster that entrants get has what was shown, not what the primary still has.

use super::mirror::{Mirror, Session};
use super::roster::{Seat, Seats, item_of};
use crate::names::Nick;
use xmpp::{Element, Jid, ns};

/// Something shown here whose event is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Echo {
    /// Its number in the outbox.
    pub n: u64,
    pub nick: Nick,
    /// A leave that another session of the seat has undone here since; else presence of somebody who is there.
    pub leaves: bool,
}

impl Mirror {
    /// What has had its outcome, told of or not, is no longer waited for.
    pub(super) fn forget_echoes(&mut self) {
        if !self.echoes.is_empty() {
            let acked = self.outbox.acked();
            self.echoes.retain(|echo| echo.n > acked);
        }
    }

    /// A new roster does not know yet what was shown here.
    pub(super) fn lay_over_echoes(&mut self, before: &Seats) {
        for echo in self.echoes.iter().filter(|echo| !echo.leaves) {
            let back = |(_, session): (&Jid, &Session)| session.awaits_enter && session.nick == echo.nick;
            match (self.seats.get_mut(&echo.nick), before.get(&echo.nick)) {
                (Some(seat), Some(shown)) => seat.payload = shown.payload.clone(),
                // The primary has heard that he left, and not that he is back.
                (None, Some(shown)) if self.sessions.iter().any(back) => {
                    self.seats.insert(echo.nick.clone(), shown.clone());
                }
                _ => {}
            }
        }
    }

    /// Whether an event tells nothing but what was shown here; it is over then.
    pub(super) fn is_echo(&mut self, nick: &Nick, event: &Element) -> bool {
        let leaves = event.get("type") == Some("unavailable");
        let Some(at) = self.echoes.iter().position(|echo| echo.nick == *nick && echo.leaves == leaves) else {
            return false;
        };
        let plain = if leaves {
            !event.get_child("x", ns::MUC_USER).is_some_and(|x| x.has_child("status", ns::MUC_USER))
        } else {
            let (known, told) = (self.seats.get(nick), item_of(event).and_then(|_| Seat::of(event)));
            known
                .zip(told)
                .is_some_and(|(known, told)| (known.affiliation, known.role) == (told.affiliation, told.role))
        };
        if !plain {
            return false;
        }
        self.echoes.remove(at);
        let last = !leaves && !self.echoes.iter().any(|echo| echo.nick == *nick);
        if let (true, Some(told), Some(seat)) = (last, Seat::of(event), self.seats.get_mut(nick)) {
            (seat.payload, seat.jid) = (told.payload, told.jid);
        }
        true
    }
}
