//! Who is here, as a registration lists them; `docs/wire.md`, *Registration*.

use super::echo::Echo;
use super::mirror::{Mirror, Session};
use super::numbers::Outbox;
use super::roster::Seat;
use super::site::Cx;
use crate::flaws::flaw;
use crate::room::presence_with;
use crate::wire::{self, CensusSeat, Verdict};
use std::collections::BTreeSet;
use xmpp::Jid;

impl Mirror {
    /// Who the primary has in the room by what it has acknowledged: those here, those whose leave it does not know of
    /// yet, those of before a restart whose words are still to be sent, and those it serves itself. `None` for nobody, the
    /// first time.
    pub(super) fn census(&mut self, cx: &Cx<'_>) -> Option<Vec<CensusSeat>> {
        let seat = |jid: &Jid, session: &Session| CensusSeat {
            nick: session.nick.clone(),
            jid: jid.clone(),
            payload: session.payload.clone(),
        };
        let known = self.sessions.iter().filter(|(_, session)| session.came.is_none());
        // Of whom the primary has had the leave it has taken out, whether or not the word of that arrived.
        let leaving = self.gone.iter().filter(|(jid, _)| self.outbox.holds_leave_of(jid) && !flaw!(LeavesFirst));
        let mut here: Vec<(&Jid, &Session)> = known.chain(leaving).collect();
        here.sort_by_key(|(_, session)| session.entry);
        let mut seats: Vec<CensusSeat> = here.into_iter().map(|(jid, session)| seat(jid, session)).collect();
        for (jid, nick) in self.older.iter().flat_map(Outbox::authors) {
            if !seats.iter().any(|seat| seat.jid == jid) && !flaw!(CensusOfSessions) {
                seats.push(CensusSeat { nick, jid, payload: Vec::new() });
            }
        }
        for direct in cx.site.direct.census(&self.room) {
            // One who spoke before a restart may have been served by the room since.
            seats.retain(|seat| seat.jid != direct.jid);
            seats.push(direct);
        }
        seats.truncate(wire::SEATS_MAX);
        self.link.unsaid = cut(&mut seats);
        (!self.link.fresh || !seats.is_empty()).then_some(seats)
    }

    /// Whose presence had no room in the census, and who was entered again without it, shows it by an update. Those here have seen
    /// nothing else of him.
    pub(super) fn say_unsaid(&mut self, seats: &[wire::Seat], cx: &mut Cx<'_>) {
        let unsaid = std::mem::take(&mut self.link.unsaid);
        for found in seats.iter().filter(|seat| seat.verdict == Verdict::Reenter && unsaid.contains(&seat.jid)) {
            let Some(session) = self.sessions.get(&found.jid).cloned() else { continue };
            let update = presence_with(&session.payload)
                .attr("from", found.jid.as_str())
                .attr("to", found.nick.in_room(&self.room).as_str());
            if let Some((n, _)) = self.submit_with(update, Vec::new(), cx)
                && let Some(seat) = self.as_shown(&session.nick)
            {
                let seat = Seat { payload: session.payload, ..seat.into_owned() };
                self.echoes.push(Echo { n, nick: session.nick, seat, back: false });
            }
        }
    }
}

/// Takes the payloads away that are too much; gives the sessions whose they were.
fn cut(seats: &mut [CensusSeat]) -> BTreeSet<Jid> {
    let (mut left, mut unsaid) = (wire::PAYLOADS_BYTES_MAX, BTreeSet::new());
    for seat in seats {
        let bytes: usize = seat.payload.iter().map(|payload| payload.to_xml().len()).sum();
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => {
                seat.payload.clear();
                unsaid.insert(seat.jid.clone());
            }
        }
    }
    unsaid
}
