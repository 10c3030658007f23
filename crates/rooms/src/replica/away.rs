//! Occupants who are out of reach, shown as away, `docs/wire.md`, Netsplit: those of other sites that are split, as the
//! primary says; on an island all who are elsewhere.
//!
//! It is laid over what is shown. Stored seats, and digests of them, know nothing of it.

use super::mirror::Mirror;
use super::roster::Seat;
use super::site::Cx;
use crate::names::Nick;
use crate::room::shown_away;
use crate::wire::Away;
use machine::Class;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::Element;

/// Who is shown as away, and the site that is not reached, where it may be named.
pub(super) type Overlay = BTreeMap<Nick, Option<String>>;

impl Mirror {
    /// Another site is split, or is back.
    pub(super) fn mark_away(&mut self, away: &Away, cx: &mut Cx<'_>) {
        let before = self.away.clone();
        if cx.site.config.split.mark_away {
            lay(&mut self.away, away);
        }
        self.show_overlay(&before, cx);
    }

    /// All who are elsewhere, for an island. Where real JIDs are hidden nothing is shown that tells who is where.
    pub(super) fn mark_others_away(&mut self, cx: &mut Cx<'_>) {
        if !cx.site.config.split.mark_away || !self.config.whois_anyone {
            return;
        }
        let before = self.away.clone();
        let here: BTreeSet<&Nick> =
            self.sessions.values().chain(self.gone.values()).map(|session| &session.nick).collect();
        let others = self.seats.keys().filter(|nick| !here.contains(*nick));
        let others: Vec<Nick> = others.cloned().collect();
        for nick in others {
            self.away.entry(nick).or_insert(None);
        }
        self.show_overlay(&before, cx);
    }

    /// Shows those whom the overlay covers now and did not, or the other way round.
    pub(super) fn show_overlay(&mut self, before: &Overlay, cx: &mut Cx<'_>) {
        self.away.retain(|nick, _| self.seats.contains_key(nick));
        let changed = |nick: &&Nick| before.contains_key(*nick) != self.away.contains_key(*nick);
        let known = |nick: &&Nick| !self.hidden.contains(*nick);
        let nicks = self.seats.keys().filter(changed).filter(known);
        for (nick, seat) in nicks.filter_map(|nick| Some((nick, self.seats.get(nick)?))) {
            if self.shows(seat) {
                self.broadcast(&self.shown_presence(nick, seat, Class::Jids), self.sessions_of(nick), cx);
            }
        }
    }

    /// An occupant's presence as others are shown it.
    pub(super) fn shown_presence(&self, nick: &Nick, seat: &Seat, class: Class) -> Element {
        let presence = seat.presence(&nick.in_room(&self.room), class);
        self.laid_over(nick, presence)
    }

    /// The same for a presence that is there already.
    pub(super) fn laid_over(&self, nick: &Nick, presence: Element) -> Element {
        let Some(site) = self.away.get(nick).filter(|_| presence.get("type").is_none()) else { return presence };
        let why = match site {
            Some(site) => format!("{site} is not reached at present"),
            None => "not reached at present".to_owned(),
        };
        shown_away(presence, why)
    }
}

/// Adds what a stanza says to an overlay, or takes it away.
pub(super) fn lay(overlay: &mut Overlay, away: &Away) {
    for nick in &away.nicks {
        if away.lifted {
            overlay.remove(nick);
        } else {
            overlay.insert(nick.clone(), away.site.clone());
        }
    }
}
