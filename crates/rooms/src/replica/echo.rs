//! Presence that was shown here before the primary told of it: laid over the mirrored seats until its outcome is known.
//!
//! Seats are what the primary has told, whatever was shown meanwhile. What it tells of an occupant who is shown otherwise
//! is news as far as it changes what is shown; so is what is not laid over him any more, should nothing ever have come of it.

use super::difference::Renamed;
use super::life::Life;
use super::mirror::Mirror;
use super::roster::{Seat, Shown};
use super::site::Cx;
use crate::names::Nick;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Something shown here whose outcome is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Echo {
    /// Its number in the outbox.
    pub n: u64,
    pub nick: Nick,
    /// How the occupant was shown.
    pub seat: Seat,
    /// Whether he came back here, and the primary may have heard in between that his nick is gone.
    pub back: bool,
}

impl Mirror {
    /// An occupant as those here see him, but for who is away; `None` where they see none of that nick.
    pub(super) fn as_shown(&self, nick: &Nick) -> Option<Cow<'_, Seat>> {
        if self.hidden.contains(nick) { None } else { self.as_known(nick) }
    }

    /// The same whether or not those here have seen him leave.
    pub(super) fn as_known(&self, nick: &Nick) -> Option<Cow<'_, Seat>> {
        let told = self.seats.get(nick);
        let of_him = |echo: &&Echo| echo.nick == *nick && told.is_none_or(|seat| seat.is_of(&echo.seat));
        let is_back = || {
            let comes = self.sessions.values().any(|session| session.awaits_enter() && session.nick == *nick);
            comes && self.echoes.iter().filter(of_him).any(|echo| echo.back)
        };
        let last = self.echoes.iter().rev().find(of_him);
        match (told, last) {
            (Some(told), Some(echo)) => Some(Cow::Owned(Seat { payload: echo.seat.payload.clone(), ..told.clone() })),
            // The primary has heard that he left, and not that he is back.
            (None, Some(echo)) if is_back() => Some(Cow::Borrowed(&echo.seat)),
            (told, _) => told.map(Cow::Borrowed),
        }
    }

    /// All occupants as those here see them. Whoever enters asks for it: nothing is copied but what is laid over somebody.
    pub(super) fn all_as_shown(&self) -> Shown<'_> {
        let mut shown: Shown<'_> = self.seats.iter().map(|(nick, seat)| (nick, Cow::Borrowed(seat))).collect();
        for nick in self.shown_otherwise() {
            match self.as_shown(nick) {
                Some(seat) => drop(shown.insert(nick, seat)),
                None => drop(shown.remove(nick)),
            }
        }
        shown
    }

    /// Whoever is shown otherwise than told, and how; `None` where he is not shown.
    pub(super) fn all_shown_otherwise(&self) -> BTreeMap<Nick, Option<Seat>> {
        let shown = |nick: &Nick| (nick.clone(), self.as_shown(nick).map(Cow::into_owned));
        self.shown_otherwise().into_iter().map(shown).collect()
    }

    /// Whoever may be shown otherwise than told.
    fn shown_otherwise(&self) -> BTreeSet<&Nick> {
        self.echoes.iter().map(|echo| &echo.nick).chain(&self.hidden).collect()
    }

    /// Whether something is laid over this occupant.
    pub(super) fn is_echoed(&self, nick: &Nick) -> bool {
        self.echoes.iter().any(|echo| echo.nick == *nick)
    }

    /// What has had its outcome is as the primary has told it. While a snapshot is coming that is told together with it.
    pub(super) fn forget_echoes(&mut self, cx: &mut Cx<'_>) {
        let acked = self.outbox.acked();
        if self.echoes.iter().any(|echo| echo.n <= acked) {
            self.showing(cx, |_, _| {});
        }
    }

    /// Does something that changes no seat but may change what is laid over one, and shows it; what has had its outcome is laid over
    /// nobody any more.
    pub(super) fn showing(&mut self, cx: &mut Cx<'_>, change: impl FnOnce(&mut Mirror, &mut Cx<'_>)) {
        let before = self.all_shown_otherwise();
        change(self, cx);
        if self.life == Life::Live {
            let acked = self.outbox.acked();
            self.echoes.retain(|echo| echo.n > acked);
            self.hidden.retain(|nick| self.seats.contains_key(nick) || self.echoes.iter().any(|e| e.nick == *nick));
        }
        let after: Shown<'_> = before.keys().filter_map(|nick| Some((nick, self.as_shown(nick)?))).collect();
        let before = before.iter().filter_map(|(nick, seat)| Some((nick, Cow::Borrowed(seat.as_ref()?)))).collect();
        self.show_difference(&before, &after, &Renamed::default(), cx);
    }

    /// What the primary tells of an occupant holds for what is laid over him too, should it be all that is shown of him for a while: of
    /// here is what he says of himself alone.
    pub(super) fn follow_told(&mut self) {
        for echo in &mut self.echoes {
            if let Some(told) = self.seats.get(&echo.nick).filter(|told| told.is_of(&echo.seat)) {
                let payload = std::mem::take(&mut echo.seat.payload);
                echo.seat = Seat { payload, ..told.clone() };
            }
        }
    }

    /// An occupant has another nick now: what was shown of him goes with it.
    pub(super) fn rename_echoes(&mut self, from: &Nick, to: &Nick) {
        for echo in self.echoes.iter_mut().filter(|echo| echo.nick == *from) {
            echo.nick = to.clone();
        }
    }
}
