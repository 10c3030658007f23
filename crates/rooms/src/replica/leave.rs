//! LEAVE, XEP-0282 4.6, and leaving while the primary is not reached, 4.11.1: "react to people … leaving the room".

use super::mirror::{Mirror, Session};
use super::roster::Seat;
use super::site::Cx;
use crate::names::{Affiliation, Nick, Status};
use crate::room::add_statuses;
use crate::wire::Removed;
use machine::{AudienceChange, Class, Output};
use std::borrow::Cow;
use std::collections::BTreeSet;
use xmpp::{Element, Jid, ns};

/// How a session goes when it is this site that says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Parting {
    /// What its unavailable presence says besides.
    pub payload: Vec<Element>,
    /// Codes besides 110.
    pub statuses: Vec<Status>,
    /// The nick of who did it.
    pub actor: Option<Nick>,
    pub reason: Option<String>,
}

impl Parting {
    /// One that is explained by its codes.
    pub fn with(statuses: impl IntoIterator<Item = Status>) -> Parting {
        Parting { statuses: statuses.into_iter().collect(), ..Parting::default() }
    }
}

impl From<&Removed> for Parting {
    /// As a verdict says it.
    fn from(removed: &Removed) -> Parting {
        let (actor, reason) = (removed.actor.clone(), removed.reason.clone());
        Parting { statuses: vec![removed.status], actor, reason, payload: Vec::new() }
    }
}

impl Mirror {
    /// LEAVE for a session: it is taken out, and sent what the stanza says. One that is not known here is told as well,
    /// since its client may believe otherwise: its ENTER was refused.
    pub(super) fn leave(&mut self, jid: &Jid, own: Element, cx: &mut Cx<'_>) {
        if let (Some(nick), Some(removed)) = (Nick::of_sender(&own), Removed::of(&own)) {
            if removed.status != Status::KICKED {
                // That he is none of those any more who may enter on an island is said behind it, and may be lost.
                self.members.remove(&jid.bare());
            }
            self.half_removed.insert(nick, (jid.bare(), removed));
        }
        // A join on its way has an outcome of its own: it was sent behind this leave, or this is about a session of before a
        // restart.
        let before = self.link.kept.remove(jid).is_some() || self.joins.contains_key(jid);
        // Who entered here and has left again knows it.
        let left = self.outbox.holds_leave_of(jid);
        if self.sessions.get(jid).is_some_and(Session::awaits_enter) {
            // This is about the session before the one that came back here.
            self.gone.remove(jid);
            return;
        }
        let told = self.gone.contains_key(jid) || before || left || !cx.site.is_local(jid);
        if self.put_out(jid, cx).is_some() || !told {
            cx.pass(jid, own);
        }
        // The link has ended with its last seat at the primary too; who is about to enter needs another.
        let last = self.sessions.is_empty() && self.gone.is_empty() && self.link.kept.is_empty();
        if last && !self.joins.is_empty() {
            self.register_anew(cx);
        }
    }

    /// The room answers what somebody has sent it by telling him that he is not in it (XEP-0045 7.2.18): so he is not here either, unless
    /// he has come back since, of which the room has yet to hear.
    pub(super) fn told_outside(&mut self, own: Element, to: &Jid, cx: &mut Cx<'_>) {
        if self.sessions.get(to).is_some_and(Session::awaits_enter) {
            return;
        }
        let was = self.put_out(to, cx);
        cx.pass(to, own);
        if let Some(session) = was.filter(|_| self.island.is_some()) {
            self.tell_parted(&session.nick, &Parting::with([Status::FAILURE]), cx);
        }
    }

    /// Who has said that he leaves hears no more until the LEAVE: should he come back before it, under the same full JID, what
    /// is told meanwhile is not for the new session, which has yet to enter.
    pub(super) fn hush(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        let Some(session) = self.sessions.get_mut(jid) else { return };
        if !std::mem::replace(&mut session.leaving, true) {
            let change = AudienceChange::Out;
            cx.out.push(Output::Audience { audience: self.audience, member: jid.clone(), change });
        }
    }

    /// The link is split between the LEAVEs of an occupant whom the room has removed and what all are told of it: those of his
    /// sessions that have not had theirs are out too. Gives the users.
    pub(super) fn complete_removals(&mut self, cx: &mut Cx<'_>) -> BTreeSet<Jid> {
        let mut users = BTreeSet::new();
        for (nick, (user, removed)) in std::mem::take(&mut self.half_removed) {
            let parting = Parting::from(&removed);
            let of_before = |jid: &Jid| self.sessions.get(jid).is_some_and(|session| !session.awaits_enter());
            let left: Vec<Jid> = self.sessions_of(&nick).into_iter().filter(of_before).collect();
            for jid in left {
                self.take_out(&jid, &parting, cx);
            }
            self.tell_parted(&nick, &parting, cx);
            users.insert(user);
        }
        users
    }

    /// A session leaves while the primary is not reached: those here see it now, the others when the outbox is heard.
    pub(super) fn leave_cut_off(&mut self, jid: &Jid, payload: Vec<Element>, cx: &mut Cx<'_>) {
        let parting = Parting { payload, ..Parting::default() };
        if let Some(nick) = self.part_here(jid, &parting, cx) {
            self.tell_parted(&nick, &parting, cx);
            self.forget_jids();
        }
    }

    /// Takes a session out that the primary still has; gives its nick.
    pub(super) fn part_here(&mut self, jid: &Jid, parting: &Parting, cx: &mut Cx<'_>) -> Option<Nick> {
        let still_there = self.gone.get(jid).cloned();
        if !self.sessions.contains_key(jid) {
            return None;
        }
        let session = self.take_out(jid, parting, cx)?;
        let nick = session.nick.clone();
        // Of one that came back here the primary knows what was before, if anything.
        if let Some(known) = if session.came.is_none() { Some(session) } else { still_there } {
            self.gone.insert(jid.clone(), known);
        }
        Some(nick)
    }

    /// Those here see that an occupant is gone, when that was the last of his sessions.
    pub(super) fn tell_parted(&mut self, nick: &Nick, parting: &Parting, cx: &mut Cx<'_>) {
        if !self.sessions_of(nick).is_empty() || self.hidden.contains(nick) {
            return;
        }
        let back = || self.echoes.iter().rev().find(|echo| echo.nick == *nick && echo.back);
        let shown = self.as_shown(nick).map(Cow::into_owned).or_else(|| Some(back()?.seat.clone()));
        self.hidden.insert(nick.clone());
        if let Some(seat) = shown.filter(|seat| seat.told || self.shows(seat)) {
            let mut stanza = seat.unavailable(&nick.in_room(&self.room), &parting.payload, Class::Jids);
            add_statuses(&mut stanza, &parting.statuses);
            describe(&mut stanza, parting);
            self.broadcast(&stanza, Vec::new(), cx);
        }
    }

    /// Takes a session out and tells it so; gives what it was.
    pub(super) fn take_out(&mut self, jid: &Jid, parting: &Parting, cx: &mut Cx<'_>) -> Option<Session> {
        let session = self.put_out(jid, cx)?;
        let seat = self.seats.get(&session.nick).filter(|_| !self.is_displaced(&session));
        cx.pass(jid, self.own_unavailable(&session.nick, seat, session.class, parting));
        Some(session)
    }

    /// What a session is sent when it goes.
    pub(super) fn own_unavailable(&self, nick: &Nick, seat: Option<&Seat>, class: Class, parting: &Parting) -> Element {
        let from = nick.in_room(&self.room);
        let mut own = match seat {
            Some(seat) => seat.unavailable(&from, &parting.payload, class),
            None => unknown_unavailable(&from),
        };
        add_statuses(&mut own, &[&[Status::SELF], parting.statuses.as_slice()].concat());
        describe(&mut own, parting);
        own
    }

    /// Takes a session out of all tables.
    fn put_out(&mut self, jid: &Jid, cx: &mut Cx<'_>) -> Option<Session> {
        self.gone.remove(jid);
        self.link.handed.remove(jid);
        let session = self.sessions.remove(jid)?;
        let change = AudienceChange::Out;
        cx.out.push(Output::Audience { audience: self.audience, member: jid.clone(), change });
        Some(session)
    }
}

/// Puts actor and reason into the item, XEP-0045 8.2, and what a ban has made of the affiliation, 9.1.
fn describe(own: &mut Element, parting: &Parting) {
    let item = own.get_child_mut("x", ns::MUC_USER).and_then(|x| x.get_child_mut("item", ns::MUC_USER));
    let Some(item) = item else { return };
    if parting.statuses.contains(&Status::BANNED) {
        item.set("affiliation", Affiliation::Outcast.as_str());
    }
    if let Some(actor) = &parting.actor {
        item.push(Element::new("actor", ns::MUC_USER).attr("nick", actor.as_str()));
    }
    if let Some(reason) = &parting.reason {
        item.push(Element::new("reason", ns::MUC_USER).text(reason.clone()));
    }
}

fn unknown_unavailable(from: &Jid) -> Element {
    let item = Element::new("item", ns::MUC_USER).attr("affiliation", "none").attr("role", "none");
    Element::stanza("presence")
        .attr("from", from.as_str())
        .attr("type", "unavailable")
        .child(Element::new("x", ns::MUC_USER).child(item))
}
