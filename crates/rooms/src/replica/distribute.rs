//! One copy from the primary to all who are here, XEP-0282 4.7 and 4.9.
//!
//! The stanzas, and their order, are those of `room/tell.rs`: others first, then the sessions of whoever it is about.

use super::difference::Renamed;
use super::mirror::Mirror;
use super::roster::{Seat, item_of};
use super::site::Cx;
use super::snapshot::SEATS_MAX;
use crate::names::{Nick, Status};
use crate::room::{Past, add_statuses, has_status, is_subject, occupant_id, without_jids, worth_keeping};
use crate::wire::{At, RoomConfig};
use machine::{AudienceChange, Born, Class, Output};
use std::borrow::Cow;
use xmpp::{Element, Jid, Shared, ns};

impl Mirror {
    /// An event, or a part of one; the parts are applied together when the last is there.
    pub(super) fn event(
        &mut self,
        stanza: Element,
        at: At,
        said_ms: Option<i64>,
        config: Option<RoomConfig>,
        cx: &mut Cx<'_>,
    ) {
        let Some(seq) = at.seq else { return };
        let (part, parts) = at.part.unwrap_or((1, 1));
        let follows = self.link.parts.len() + 1 == part as usize
            && self.link.parts.first().is_none_or(|(_, first)| first.seq == at.seq);
        if !follows {
            cx.log(format!("link {}: part {part} of event {seq} is out of turn", self.room));
            return self.lost(cx);
        }
        self.link.parts.push((stanza, at));
        if part < parts {
            return;
        }
        if self.link.place.as_ref().is_some_and(|place| seq <= place.seq) {
            self.link.parts.clear();
            return;
        }
        for (stanza, at) in std::mem::take(&mut self.link.parts) {
            match stanza.name() {
                "presence" => self.presence(stanza, &at, cx),
                "message" => self.said(stanza, seq, said_ms.unwrap_or(cx.now.unix_ms), config.as_ref(), cx),
                _ => {}
            }
        }
        if let Some(place) = &mut self.link.place {
            place.seq = seq;
        }
    }

    fn presence(&mut self, stanza: Element, at: &At, cx: &mut Cx<'_>) {
        let from = stanza.get("from").and_then(|from| Jid::new(from).ok());
        let Some(nick) = from.as_ref().and_then(Nick::of) else {
            return self.destroyed(&stanza, cx);
        };
        if self.seats.len() >= SEATS_MAX && stanza.get("type").is_none() && !self.seats.contains_key(&nick) {
            cx.log(format!("link {}: the room is larger than allowed", self.room));
            return self.lost(cx);
        }
        if at.part.is_none() && self.is_echoed(&nick) && !self.is_of_another(&nick, &stanza) {
            return self.echoed_presence(&nick, &stanza, cx);
        }
        if self.is_of_another(&nick, &stanza) {
            // Who entered here under this nick and left again is not he.
            self.hidden.remove(&nick);
        }
        let own_statuses = at.own.clone().unwrap_or_else(|| vec![Status::SELF]);
        let hidden = at.own_only || self.hidden.contains(&nick);
        let told = self.seats.get(&nick).is_some_and(|seat| seat.told);
        let (seen_as, own, ends) = if stanza.get("type") == Some("unavailable") {
            let own = self.sessions_of(&nick);
            match renamed_to(&stanza) {
                // Who came to an island under the new name has not been of the old one, nor heard of it yet: he hears it with the rest.
                Some(new) => (self.rename(&nick, new), own, false),
                None => (nick, own, true),
            }
        } else {
            self.learn_seat(&nick, &stanza);
            let own = self.sessions_of(&nick);
            (nick, own, false)
        };
        if let Some(seat) = self.seats.get_mut(&seen_as).filter(|_| !ends) {
            seat.told = !at.own_only;
        }
        if told && at.own_only && !ends {
            self.show_out_of_sight(&seen_as, cx);
        }
        let shown = self.laid_over(&seen_as, stanza);
        self.show(&shown, &seen_as, (own, &own_statuses), hidden, cx);
        if ends {
            self.forget_seat(&seen_as);
        }
        self.reclass_of(&seen_as, cx);
    }

    /// Presence of an occupant who is shown otherwise than the primary has told: news as far as it changes what is shown.
    fn echoed_presence(&mut self, nick: &Nick, stanza: &Element, cx: &mut Cx<'_>) {
        let before = self.as_shown(nick).map(Cow::into_owned);
        if stanza.get("type") == Some("unavailable") {
            self.forget_seat(nick);
        } else {
            self.learn_seat(nick, stanza);
        }
        let before = before.iter().map(|seat| (nick, Cow::Borrowed(seat))).collect();
        let after = self.as_shown(nick).into_iter().map(|seat| (nick, seat)).collect();
        self.show_difference(&before, &after, &Renamed::default(), cx);
        self.reclass_of(nick, cx);
    }

    /// Whether this is not the occupant who is shown under that nick beforehand.
    fn is_of_another(&self, nick: &Nick, presence: &Element) -> bool {
        let mut echoes = self.echoes.iter().filter(|echo| echo.nick == *nick).peekable();
        echoes.peek().is_some() && Seat::of(presence).is_some_and(|seat| echoes.all(|echo| !echo.seat.is_of(&seat)))
    }

    fn learn_seat(&mut self, nick: &Nick, presence: &Element) {
        if let Some(seat) = Seat::of(presence) {
            let place = match self.seats.get(nick) {
                Some(known) => known.place,
                None => self.next_place(),
            };
            self.jids_stored |= seat.jid.is_some();
            self.seats.insert(nick.clone(), Seat { place, ..seat });
            self.follow_told();
        }
    }

    /// For others an occupant is gone whose role is one whose presence is not broadcast any more.
    fn show_out_of_sight(&self, nick: &Nick, cx: &mut Cx<'_>) {
        if let Some(seat) = self.seats.get(nick) {
            self.broadcast(&seat.unavailable(&nick.in_room(&self.room), &[], Class::Jids), self.sessions_of(nick), cx);
        }
    }

    fn forget_seat(&mut self, nick: &Nick) {
        self.away.remove(nick);
        self.seats.remove(nick);
        self.half_removed.remove(nick);
        // Who came back here since and has left again is told of once more, and is not shown for it.
        if !self.is_echoed(nick) {
            self.hidden.remove(nick);
        }
    }

    /// Shows an occupant's presence to the others, and to the occupant's own sessions with codes of their own.
    pub(super) fn show(
        &mut self,
        stanza: &Element,
        of: &Nick,
        (own, own_statuses): (Vec<Jid>, &[Status]),
        hidden: bool,
        cx: &mut Cx<'_>,
    ) {
        if !hidden {
            self.broadcast(stanza, own.clone(), cx);
        }
        if own.is_empty() {
            return;
        }
        let mut own_stanza = match self.class_of(self.seats.get(of)) {
            Class::Jids => stanza.clone(),
            Class::Plain => without_jids(stanza).unwrap_or_else(|| stanza.clone()),
        };
        add_statuses(&mut own_stanza, own_statuses);
        let shared = Shared::new(own_stanza);
        cx.out.extend(own.into_iter().map(|to| Output::Send { to, stanza: shared.clone() }));
    }

    /// One stanza for all who are here.
    pub(super) fn broadcast(&self, stanza: &Element, except: Vec<Jid>, cx: &mut Cx<'_>) {
        if self.sessions.is_empty() {
            return;
        }
        let jids = Shared::new(stanza.clone());
        let plain = without_jids(stanza).map_or_else(|| jids.clone(), Shared::new);
        cx.out.push(Output::Broadcast { audience: self.audience, plain: Some(plain), jids: Some(jids), except });
    }

    /// A whole seat changes name, with all its sessions; gives the name it has now.
    fn rename(&mut self, from: &Nick, to: Nick) -> Nick {
        if let Some(seat) = self.seats.remove(from) {
            self.seats.insert(to.clone(), seat);
        }
        // Whoever does that is there; and who has the nick after him may be too.
        self.away.remove(from);
        if self.hidden.remove(from) {
            self.hidden.insert(to.clone());
        }
        self.rename_echoes(from, &to);
        for session in self.sessions.values_mut().chain(self.gone.values_mut()).filter(|s| s.nick == *from) {
            session.nick = to.clone();
        }
        to
    }

    /// A message for all: something said, the subject, or what the room says of its configuration.
    fn said(&mut self, stanza: Element, seq: u64, said_ms: i64, config: Option<&RoomConfig>, cx: &mut Cx<'_>) {
        let past = self.past_of(stanza, seq, said_ms);
        let shown = self.comes(&past.id, cx);
        self.broadcast(past.stanza.element(), shown.seen_by, cx);
        if let Some(config) = config {
            return self.configured(config.clone(), cx);
        }
        self.remember(past, shown.was, cx);
    }

    /// The room is configured anew.
    pub(super) fn configured(&mut self, config: RoomConfig, cx: &mut Cx<'_>) {
        self.config = config;
        self.reclass(cx);
    }

    /// Keeps a message that is worth it, in the place of what `was` provisional.
    pub(super) fn remember(&mut self, past: Past, was: Option<Born>, cx: &mut Cx<'_>) {
        let message = past.stanza.element();
        self.bury_retracted(message, cx);
        if is_subject(message) {
            self.archive_next(&past, was, cx);
            self.past.came_to(past.seq, &past.id);
            self.past.subject = Some(past);
        } else if worth_keeping(message) {
            self.archive_next(&past, was, cx);
            self.past.push(past);
        }
    }

    /// XEP-0045 10.9: each of those here is told as an occupant; the mirror is at its end.
    pub(super) fn destroyed(&mut self, stanza: &Element, cx: &mut Cx<'_>) {
        let destroy = stanza.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("destroy", ns::MUC_USER)).cloned();
        let mut all: Vec<(u64, Jid, Nick)> =
            self.sessions.iter().map(|(jid, session)| (session.entry, jid.clone(), session.nick.clone())).collect();
        all.sort();
        for (_, to, nick) in all {
            let item = Element::new("item", ns::MUC_USER).attr("affiliation", "none").attr("role", "none");
            let x = Element::new("x", ns::MUC_USER).child(item).with(destroy.clone());
            let own = Element::stanza("presence")
                .attr("from", nick.in_room(&self.room).as_str())
                .attr("type", "unavailable")
                .child(x)
                .with(self.seats.get(&nick).and_then(|seat| seat.occupant_id.as_deref()).map(occupant_id));
            let change = AudienceChange::Out;
            cx.out.push(Output::Audience { audience: self.audience, member: to.clone(), change });
            cx.pass(&to, own);
        }
        self.sessions.clear();
        self.forget(cx);
    }
}

/// The new name, where an unavailable presence is a nick change (XEP-0045 7.6).
pub(super) fn renamed_to(stanza: &Element) -> Option<Nick> {
    item_of(stanza).filter(|_| has_status(stanza, Status::NICK_CHANGE))?.get("nick")?.parse().ok()
}
