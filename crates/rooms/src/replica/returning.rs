//! A session that comes back to an island: whoever had a nick here when the link was lost has it still, with whatever
//! client. That is no entry: no password is asked, and his role is the mirrored one at most.
//!
//! His join is kept for the primary; the ENTER that answers it shows nothing, nor does any that answers one which he has made here and
//! left again.

use super::difference::name_new;
use super::echo::Echo;
use super::mirror::{Mirror, Session};
use super::numbers::{Joins, Provisionally, author};
use super::roster::Seat;
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use crate::room::{HistoryWanted, add_statuses, has_status, outsider, payload_of};
use crate::wire::Ack;
use machine::Class;
use std::borrow::Cow;
use xmpp::{Element, Jid, ns};

impl Mirror {
    /// Somebody asks to enter while the primary is not reached.
    pub(super) fn join_here(&mut self, join: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        let own = self.sessions.get(from).map(|session| session.nick.clone());
        let (inside, asked) = (own.is_some(), Nick::of(to));
        if let Some(nick) = asked.as_ref().filter(|_| !inside && !join.has_child("x", ns::MUC)) {
            // XEP-0045 7.2.18: no join, but presence of somebody who takes himself to be in.
            return cx.pass(from, outsider(&self.room, nick));
        }
        // A client that is in and has lost sight of the room is shown it again, under the name it has.
        let Some(nick) = own.or_else(|| asked.clone().filter(|nick| self.may_return(from, nick))) else {
            return match asked {
                Some(nick) => self.enter_here(join, from, nick, cx),
                None => self.refuse_entry(&join, cx),
            };
        };
        if !inside {
            if let Err(error) = self.has_room_for(&nick) {
                return self.turn_away(&join, error.error(), cx);
            }
            let Some(n) = self.put_in_here(join.clone(), from, &nick, cx) else { return };
            self.show_return(&nick, &payload_of(&join), n, cx);
            self.join_audience(from, cx);
        }
        let own = self.own_presence(&nick, &join, asked.is_some_and(|asked| asked != nick));
        self.welcome(from, &nick, own, &HistoryWanted::of(&join), cx);
    }

    /// Whether this is the nick's holder.
    fn may_return(&self, user: &Jid, nick: &Nick) -> bool {
        let holds = self.island.as_ref().and_then(|island| island.seats.get(nick)) == Some(&user.bare());
        holds && (self.seats.contains_key(nick) || self.is_echoed(nick))
    }

    /// Those here who were told that he had left learn that he is in again.
    fn show_return(&mut self, nick: &Nick, payload: &[Element], n: u64, cx: &mut Cx<'_>) {
        if !self.hidden.remove(nick) {
            return;
        }
        // Who entered here and left again is in no seat of the room's yet.
        let entered = || self.echoes.iter().rev().find(|echo| echo.nick == *nick).map(|echo| &echo.seat);
        let Some(seat) = self.seats.get(nick).or_else(entered) else { return };
        let role = if flaw!(RoleRaised) { Role::Moderator } else { seat.role };
        let seat = Seat { payload: payload.to_vec(), role, ..seat.clone() };
        if self.shows(&seat) {
            self.broadcast(&seat.presence(&nick.in_room(&self.room), Class::Jids), self.sessions_of(nick), cx);
        }
        self.echoes.push(Echo { n, nick: nick.clone(), seat, back: true });
    }

    /// What an entrant gets of himself, XEP-0045 7.2.2.
    pub(super) fn own_presence(&self, nick: &Nick, join: &Element, assigned: bool) -> Element {
        let (seat, from) = (self.as_shown(nick), nick.in_room(&self.room));
        let class = self.class_of(seat.as_deref());
        let mut own = seat.map_or_else(|| Element::stanza("presence"), |seat| seat.presence(&from, class));
        if let Some(id) = join.get("id") {
            own.set("id", id);
        }
        let open = self.config.whois_anyone.then_some(Status::NON_ANONYMOUS);
        let logged = self.config.logging.then_some(Status::LOGGED);
        let assigned = assigned.then_some(Status::NICK_ASSIGNED);
        let statuses: Vec<Status> = [Some(Status::SELF), open, logged, assigned].into_iter().flatten().collect();
        add_statuses(&mut own, &statuses);
        own
    }

    /// How many ENTERs are to come for a session that is in here: of all its joins that are under way, since it has left again behind
    /// every one but the last. Where the room has let it in already and forgotten it again, in a restart, that is as if it had come back
    /// here: what the room says of the stays before is not for it.
    pub(super) fn await_enters(&mut self, jid: &Jid, joins: Joins) {
        let Some(session) = self.sessions.get_mut(jid) else { return };
        let waits = session.awaits_enter();
        // Whom the room has let in it tells, by its verdict, what has become of him since.
        session.awaits = if session.came.is_none() { joins.all } else { joins.all.max(1) };
        if !waits && session.awaits_enter() {
            let nick = session.nick.clone();
            self.withheld.expect();
            if let Some(seat) = self.as_known(&nick).map(Cow::into_owned) {
                self.echoes.push(Echo { n: joins.last, nick, seat, back: true });
            }
        }
    }

    /// Whether this ENTER answers a join that somebody has left again behind, as those here have seen.
    pub(super) fn is_overtaken(&mut self, jid: &Jid) -> bool {
        let Some(to_come) = self.link.overtaken.get_mut(jid) else { return false };
        *to_come -= 1;
        if *to_come == 0 {
            self.link.overtaken.remove(jid);
        }
        true
    }

    /// ENTER for a session that is in already, where it is one; gives the nick it had so far, and how that was shown.
    pub(super) fn is_entered_here(&mut self, jid: &Jid, nick: &Nick) -> Option<(Nick, Option<Seat>)> {
        let before = self.sessions.get(jid).filter(|session| session.awaits_enter())?.nick.clone();
        let shown = self.as_shown(&before).map(Cow::into_owned);
        let session = self.sessions.get_mut(jid)?;
        session.awaits -= 1;
        session.came = None;
        session.nick = nick.clone();
        self.gone.remove(jid);
        self.link.kept.remove(jid);
        Some((before, shown))
    }

    /// The seat to which it came back has another name by now, and had it before the session was one of it, so it is told what the
    /// others of that seat were; or who entered here was given another nick than he had here, which his ENTER (`own`) says. Others were
    /// shown the old name (`shown`) for as long as he was to come back to it.
    pub(super) fn tell_renamed(
        &self,
        to: &Jid,
        (before, shown): (&Nick, Option<&Seat>),
        (now, own): (&Nick, &Element),
        cx: &mut Cx<'_>,
    ) {
        let Some(seat) = self.as_shown(now).filter(|_| before != now) else { return };
        if let Some(shown) = shown.filter(|shown| self.shows(shown) && self.as_shown(before).is_none()) {
            let gone = shown.unavailable(&before.in_room(&self.room), &[], Class::Jids);
            self.broadcast(&gone, vec![to.clone()], cx);
        }
        let class = self.class_of(Some(&seat));
        let mut old = seat.unavailable(&before.in_room(&self.room), &[], class);
        name_new(&mut old, now, &seat);
        let mut new = seat.presence(&now.in_room(&self.room), class);
        if has_status(own, Status::NICK_ASSIGNED) {
            add_statuses(&mut new, &[Status::NICK_ASSIGNED]);
        }
        for mut own in [old, new] {
            add_statuses(&mut own, &[Status::SELF]);
            cx.pass(to, own);
        }
        // By that nobody has the old name any more; another client of his own may, which is no news to the others.
        if let Some(still) = self.as_shown(before).filter(|still| still.is_of(&seat) && self.shows(still)) {
            cx.pass(to, self.shown_presence(before, &still, class));
        }
    }

    /// Joins that the primary has had and of which nothing has come are made again: each ENTER needs one of its own.
    pub(super) fn join_again(&mut self, joins: Vec<Element>, cx: &mut Cx<'_>) {
        for join in joins {
            self.submit(join, cx);
        }
        self.return_again(cx);
        self.count_joins();
    }

    /// All that the room has told of what it has had has come, since it says that this is all: a join of which nothing has was refused, and
    /// the word of that was lost. Who is in by the room's word may have changed his nick by it.
    pub(super) fn ask_unanswered_again(&mut self, ack: &Ack, cx: &mut Cx<'_>) {
        if ack.outbox != self.outbox.name || ack.n != self.outbox.acked() {
            return;
        }
        let mut joins = self.lost_joins(cx);
        joins.retain(|join| author(join).is_some_and(|user| !self.sessions.contains_key(&user)));
        let held = self.outbox.joins();
        let waits = |(jid, session): (&Jid, &Session)| session.came.is_some() && !held.contains_key(jid);
        if !joins.is_empty() || self.sessions.iter().any(waits) {
            self.join_again(joins, cx);
        }
    }

    /// Joins of those who are in already and that the primary has had, with an ENTER that was lost. They are what they were, so that the
    /// room judges them as it did, and by what it has decided since.
    fn return_again(&mut self, cx: &mut Cx<'_>) {
        let held = self.outbox.joins();
        let lost = |(jid, session): (&Jid, &Session)| {
            let came = session.came.as_ref().filter(|_| !held.contains_key(jid))?;
            let join = Element::stanza("presence")
                .attr("from", jid.as_str())
                .attr("to", session.nick.in_room(&self.room).as_str())
                .with(session.payload.iter().cloned())
                .child(Element::new("x", ns::MUC));
            Some((join, came.accepted))
        };
        let lost: Vec<(Element, Provisionally)> = self.sessions.iter().filter_map(lost).collect();
        for (join, came) in lost {
            self.submit_again(join, came, cx);
        }
    }
}
