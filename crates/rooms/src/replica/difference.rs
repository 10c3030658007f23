//! The net difference of two rosters as those here are shown it: who is gone, who has another name, who is new, who has
//! changed. It goes by occupants, since another may have a nick by now.

use super::mirror::Mirror;
use super::roster::{Seat, Shown};
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::{Nick, Status};
use crate::room::{add_statuses, without_jids};
use machine::Class;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

/// An occupant under a name.
type Named<'a> = (&'a Nick, &'a Seat);

/// Who has another nick since the link was down.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    /// Sessions here, by which nick they had and which they have.
    pub sessions: BTreeMap<Jid, (Nick, Nick)>,
    /// Nicks that the room has given to some of them in place of theirs.
    pub assigned: BTreeSet<Nick>,
}

impl Renamed {
    /// Who had this nick, and has which.
    fn from<'a>(&'a self, nick: &'a Nick) -> impl Iterator<Item = (&'a Jid, &'a Nick)> {
        self.sessions.iter().filter(move |(_, (had, _))| had == nick).map(|(jid, (_, has))| (jid, has))
    }
}

impl Mirror {
    /// Shows those who are here the difference.
    pub(super) fn show_difference(&self, before: &Shown<'_>, after: &Shown<'_>, renamed: &Renamed, cx: &mut Cx<'_>) {
        if self.sessions.len() == self.link.handed.len() {
            return;
        }
        let (moved, gone): (Vec<(Named<'_>, Option<Nick>)>, _) =
            departed(before, after).into_iter().partition(|(_, new)| new.is_some());
        for (old, _) in gone.into_iter().filter(|_| !flaw!(GoneNotShown)) {
            self.show_gone(old, None, renamed, cx);
            self.show_merged(old.0, after, renamed, cx);
        }
        let mut shown = BTreeSet::new();
        let mut moved: Vec<(Named<'_>, Nick)> = moved.into_iter().filter_map(|(old, new)| Some((old, new?))).collect();
        while !moved.is_empty() {
            // Whose new name is free goes first, and is shown under it at once (XEP-0045 7.6); of those who have changed theirs
            // around all give them up first.
            let free = moved.iter().position(|(_, new)| !moved.iter().any(|((nick, _), _)| *nick == new));
            let next: Vec<_> = match free {
                Some(at) => vec![moved.remove(at)],
                None => std::mem::take(&mut moved),
            };
            for (old, new) in &next {
                self.show_gone(*old, Some((new, before.get(new).map(Cow::as_ref))), renamed, cx);
            }
            for (_, new) in next {
                if let Some(seat) = after.get(&new) {
                    self.show_there((&new, seat), before.get(&new).map(Cow::as_ref), renamed, cx);
                }
                shown.insert(new);
            }
        }
        for (&nick, seat) in after.iter().filter(|(nick, _)| !shown.contains(**nick)) {
            let known = before.get(nick).map(Cow::as_ref);
            if known.is_none_or(|known| !known.is_of(seat) || known.presence_differs(seat)) {
                self.show_there((nick, seat), known, renamed, cx);
            }
        }
    }

    /// An occupant has this nick no more; `new` is the one he has, if any, and who had that before.
    fn show_gone(
        &self,
        (nick, seat): Named<'_>,
        new: Option<(&Nick, Option<&Seat>)>,
        renamed: &Renamed,
        cx: &mut Cx<'_>,
    ) {
        let mut stanza = seat.unavailable(&nick.in_room(&self.room), &[], Class::Jids);
        // Who came back to that nick is in it, whatever the primary knows, until it has answered him.
        let waiting = self.sessions.iter().filter(|(_, session)| session.nick == *nick && session.awaits_enter());
        let mut except: Vec<Jid> = waiting.map(|(jid, _)| jid.clone()).collect();
        let mut own = Vec::new();
        if let Some((new, known)) = new {
            name_new(&mut stanza, new, seat);
            own = self.own_sessions((new, seat), known, renamed);
            except.extend(own.iter().cloned());
        } else {
            // The seat is no more, and whose it was has come to another that he has.
            for (jid, new) in renamed.from(nick) {
                let mut stanza = stanza.clone();
                name_new(&mut stanza, new, seat);
                self.show_seat(seat, false, &stanza, Vec::new(), (std::slice::from_ref(jid), &[Status::SELF]), cx);
                except.push(jid.clone());
            }
        }
        self.show_seat(seat, seat.told, &stanza, except, (&own, &[Status::SELF]), cx);
    }

    /// Those who were of a seat that is no more, and are of another of theirs, are shown that one at once (XEP-0045 7.6).
    fn show_merged(&self, gone: &Nick, after: &Shown<'_>, renamed: &Renamed, cx: &mut Cx<'_>) {
        for (jid, new) in renamed.from(gone) {
            let Some(seat) = after.get(new) else { continue };
            let stanza = self.shown_presence(new, seat, Class::Jids);
            let own = (std::slice::from_ref(jid), own_codes(new, renamed));
            self.show_seat(seat, false, &stanza, Vec::new(), own, cx);
        }
    }

    /// An occupant is there, or is shown otherwise than before; `known` is who had that nick before.
    fn show_there(&self, (nick, seat): Named<'_>, known: Option<&Seat>, renamed: &Renamed, cx: &mut Cx<'_>) {
        let stanza = self.shown_presence(nick, seat, Class::Jids);
        let own = self.own_sessions((nick, seat), known, renamed);
        let shows = self.shows(seat);
        if let Some(known) = known.filter(|known| known.told && known.is_of(seat) && !shows) {
            // His role is one whose presence is not broadcast any more.
            self.broadcast(&known.unavailable(&nick.in_room(&self.room), &[], Class::Jids), own.clone(), cx);
        }
        self.show_seat(seat, shows, &stanza, own.clone(), (&own, own_codes(nick, renamed)), cx);
    }

    /// The sessions of an occupant. Who came back to the name when it was another's (`known`) is that one's, and is told so when the room
    /// has answered him; what he is told of this one waits for that, unless he came under another and the room has named him so.
    fn own_sessions(&self, (nick, seat): Named<'_>, known: Option<&Seat>, renamed: &Renamed) -> Vec<Jid> {
        let another = known.is_some_and(|known| !known.is_of(seat));
        let came = |jid: &Jid| another && self.waits(jid) && !renamed.sessions.contains_key(jid);
        self.sessions_of(nick).into_iter().filter(|jid| !came(jid)).collect()
    }

    /// Whether this session has come back to an island and the primary has not answered.
    fn waits(&self, jid: &Jid) -> bool {
        self.sessions.get(jid).is_some_and(|session| session.awaits_enter())
    }

    /// Shows a presence to all but some, and with codes of their own to those whose it is.
    fn show_seat(
        &self,
        seat: &Seat,
        to_all: bool,
        stanza: &Element,
        except: Vec<Jid>,
        (own, codes): (&[Jid], &[Status]),
        cx: &mut Cx<'_>,
    ) {
        if to_all {
            self.broadcast(stanza, except, cx);
        }
        for to in own.iter().filter(|jid| !self.link.handed.contains_key(*jid)) {
            let mut own_stanza = match self.class_of(Some(seat)) {
                Class::Jids => stanza.clone(),
                Class::Plain => without_jids(stanza).unwrap_or_else(|| stanza.clone()),
            };
            add_statuses(&mut own_stanza, codes);
            cx.pass(to, own_stanza);
        }
    }
}

/// What an occupant's own sessions are told besides.
fn own_codes(nick: &Nick, renamed: &Renamed) -> &'static [Status] {
    if renamed.assigned.contains(nick) { &[Status::SELF, Status::NICK_ASSIGNED] } else { &[Status::SELF] }
}

/// Who is not there any more under the nick he had, and the one he has now, by occupant-id (XEP-0421).
fn departed<'a>(before: &'a Shown<'_>, after: &Shown<'_>) -> Vec<(Named<'a>, Option<Nick>)> {
    let come = after.iter().filter(|(nick, seat)| !is_among(before, nick, seat));
    let come: BTreeMap<&str, &Nick> =
        come.filter_map(|(nick, seat)| Some((seat.occupant_id.as_deref()?, *nick))).collect();
    let gone = before.iter().filter(|(nick, seat)| !is_among(after, nick, seat));
    let new = |seat: &Seat| Some((*come.get(seat.occupant_id.as_deref()?)?).clone());
    gone.map(|(nick, seat)| ((*nick, seat.as_ref()), new(seat))).collect()
}

/// Whether this occupant has this nick among those.
fn is_among(seats: &Shown<'_>, nick: &Nick, seat: &Seat) -> bool {
    seats.get(nick).is_some_and(|other| other.is_of(seat))
}

/// Makes an unavailable presence one of a nick change, XEP-0045 7.6.
pub(super) fn name_new(stanza: &mut Element, new: &Nick, seat: &Seat) {
    let item = stanza.get_child_mut("x", ns::MUC_USER).and_then(|x| x.get_child_mut("item", ns::MUC_USER));
    if let Some(item) = item {
        item.set("role", seat.role.as_str());
        item.set("nick", new.as_str());
    }
    add_statuses(stanza, &[Status::NICK_CHANGE]);
}
