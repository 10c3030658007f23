//! ENTER, XEP-0282 4.5: a local session is put in, and sent what XEP-0045 7.2.2 to 7.2.16 says, in that order.

use super::island::split_text;
use super::mirror::{Mirror, Session};
use super::roster::Seat;
use super::site::Cx;
use crate::names::Nick;
use crate::room::{HistoryWanted, Past};
use crate::tally::Tally;
use crate::wire::{Refused, Wanted};
use machine::{AudienceChange, Class, Output};
use std::borrow::Cow;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

impl Mirror {
    /// ENTER for a session. Without an unanswered join of that session it is refused (4.5: "The replica MUST verify
    /// that the user has sent directed presence").
    pub(super) fn enter(&mut self, jid: &Jid, own: Element, occupant: &Jid, wanted: Wanted, cx: &mut Cx<'_>) {
        let Some(nick) = Nick::of(occupant) else { return };
        if self.is_overtaken(jid) {
            return;
        }
        if let Some(session) = self.sessions.get_mut(jid).filter(|session| session.awaits > 1) {
            // He has left the island again behind the join that this answers, and come back.
            session.awaits -= 1;
            return;
        }
        if let Some((before, shown)) = self.is_entered_here(jid, &nick) {
            self.tell_renamed(jid, (&before, shown.as_ref()), (&nick, &own), cx);
            self.reclass_of(&nick, cx);
            return self.tell_withheld(jid, cx);
        }
        if !cx.site.is_local(jid) || !self.joins.contains_key(jid) {
            return self.refuse_enter(jid, occupant, cx);
        }
        if self.joins.get(jid).is_some_and(|join| join.over > 0 && join.unanswered > join.over) {
            // He has left behind the join that this answers, and asked again behind that: he is in by the ENTER to come.
            return self.answer_join(jid, cx);
        }
        let seat = self.seats.get(&nick).cloned().or_else(|| Seat::of(&own));
        let (class, entry) = (self.class_of(seat.as_ref()), self.entries);
        self.entries += 1;
        let payload = seat.map(|seat| seat.payload).unwrap_or_default();
        self.gone.remove(jid);
        self.link.kept.remove(jid);
        self.link.handed.remove(jid);
        cx.site.direct.take(&self.room, jid);
        let session = Session { nick: nick.clone(), class, entry, payload, came: None, awaits: 0, leaving: false };
        self.sessions.insert(jid.clone(), session);
        self.show_again(&nick, cx);
        let change = AudienceChange::In(class);
        cx.out.push(Output::Audience { audience: self.audience, member: jid.clone(), change });
        self.welcome(jid, &nick, own, &history_wanted(wanted), cx);
        self.answer_join(jid, cx);
    }

    /// Those here who were told that an occupant had left while the primary was not reached learn that a session of his
    /// is in again.
    fn show_again(&mut self, nick: &Nick, cx: &mut Cx<'_>) {
        if !self.hidden.remove(nick) {
            return;
        }
        if let Some(seat) = self.as_shown(nick).filter(|seat| self.shows(seat)) {
            self.broadcast(&seat.presence(&nick.in_room(&self.room), Class::Jids), self.sessions_of(nick), cx);
        }
    }

    /// Everything a new session is sent.
    pub(super) fn welcome(&mut self, to: &Jid, me: &Nick, own: Element, wanted: &HistoryWanted, cx: &mut Cx<'_>) {
        let seats = self.all_as_shown();
        let class = self.class_of(seats.get(me).map(Cow::as_ref));
        let mut others: Vec<_> = seats.iter().filter(|(nick, seat)| **nick != me && self.shows(seat)).collect();
        others.sort_by_key(|(_, seat)| seat.place);
        for (nick, seat) in others {
            cx.pass(to, self.shown_presence(nick, seat, class));
        }
        cx.pass(to, own);
        if self.island.is_some() {
            cx.pass(to, self.announcement(split_text(cx)));
        }
        let past = self.past.lately(self.config.history as usize).chain(self.shown_here());
        let within: Vec<&Past> = past.collect();
        let within = within.iter().copied().skip(within.len().saturating_sub(self.config.history as usize));
        for past in wanted.choose(within, (&self.room, to), cx.now.unix_ms) {
            let history = Output::Send { to: to.clone(), stanza: past.delayed(&self.room) };
            match self.provisional.write_of(&past.id) {
                Some(token) => cx.when_kept(token, history),
                None => cx.out.push(history),
            }
        }
        let subject = self.past.subject_stanza(&self.room);
        cx.out.push(Output::Send { to: to.clone(), stanza: subject });
    }

    pub(super) fn refuse_enter(&mut self, jid: &Jid, occupant: &Jid, cx: &mut Cx<'_>) {
        cx.tally(&self.room, Tally::REFUSAL);
        let Some(epoch) = self.link.epoch.clone() else { return };
        let error = Element::stanza("presence")
            .attr("from", cx.site.config.jid.as_str())
            .attr("type", "error")
            .child(Refused { jid: jid.clone(), epoch }.x())
            .child(StanzaError::from(Condition::NotAllowed).element(None));
        cx.up(occupant, error);
    }
}

fn history_wanted(wanted: Wanted) -> HistoryWanted {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    HistoryWanted {
        max_chars: wanted.maxchars.map(size),
        max_stanzas: wanted.maxstanzas.map(size),
        seconds: wanted.seconds,
        since_ms: wanted.since_ms,
        behind: None,
    }
}
