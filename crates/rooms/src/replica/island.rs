//! The island, XEP-0282 4.11.1 with `docs/wire.md`, Netsplit: what a split begins and ends at a site, what its users may do
//! meanwhile, and how the rest is refused.
//!
//! A lost link is *suspect* first: what is said is held and nobody is told. When that has lasted long enough it is split.
//! Roles and affiliations stay what they were mirrored as; whatever would change them waits for the primary.

use super::ReplicaConfig;
use super::echo::Echo;
use super::life::Life;
use super::mirror::{Mirror, Session};
use super::numbers::{Provisionally, author};
use super::relay::{Sent, refused};
use super::roster::Seat;
use super::site::Cx;
use crate::names::{Nick, Status};
use crate::room::{HATS, HINTS, payload_of};
use machine::{Change, Class, Now};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::{Condition, StanzaError, answerable, iq_result};
use xmpp::{Element, Jid, ns};

/// A split link as its site sees it.
#[derive(Debug, Default)]
pub(super) struct Island {
    /// Whose which nick was when it began: bare addresses of local users.
    pub seats: BTreeMap<Nick, Jid>,
    /// Who was kicked here, by bare address: not let in again before the primary is asked.
    pub kicked: BTreeSet<Jid>,
}

impl Mirror {
    /// When the link counts as split; each split within the last hour has doubled the time.
    pub(super) fn split_due(&self, config: &ReplicaConfig) -> Option<u64> {
        if self.island.is_some() || !matches!(self.life, Life::Suspect | Life::Registering | Life::Syncing) {
            return None;
        }
        let lost_at = self.link.lost_at?;
        let lately = self.link.splits.iter().filter(|at| **at + SPLITS_COUNT_MS > lost_at).count();
        Some(lost_at + ((config.suspect_seconds * 1000) << lately.min(SPLITS_COUNTED)))
    }

    /// Whether what users say can only stay here.
    pub(super) fn is_cut_off(&self) -> bool {
        self.island.is_some() && !self.life.talks()
    }

    /// The link is split.
    pub(super) fn begin_island(&mut self, cx: &mut Cx<'_>) {
        cx.log(format!("link {}: split; {} local sessions", self.room, self.sessions.len()));
        self.link.splits.push_back(cx.now.mono_ms);
        if self.link.splits.len() > SPLITS_COUNTED {
            self.link.splits.pop_front();
        }
        // They are not let in before the primary is asked.
        let kicked = self.complete_removals(cx);
        self.dismiss_displaced(cx);
        let seat = |(jid, session): (&Jid, &Session)| (session.nick.clone(), jid.bare());
        let seats = self.sessions.iter().chain(&self.gone).map(seat).collect();
        self.island = Some(Island { seats, kicked });
        self.announce(split_text(cx), cx);
        self.mark_others_away(cx);
        self.show_again_what_was_shown(cx);
        self.settle_outstanding(cx);
    }

    /// All is as it should be again. What has been shown and has had no outcome was seen by all who are here now.
    pub(super) fn end_island(&mut self, cx: &mut Cx<'_>) {
        if self.island.take().is_some() {
            cx.log(format!("link {}: joined", self.room));
            self.announce(JOINED, cx);
            self.provisional.seen_by_all_before(self.entries);
        }
    }

    /// Tells those who are here something in the room's name that no archive keeps. It names no site: where real JIDs are
    /// hidden nobody is to learn of any.
    pub(super) fn announce(&self, text: &str, cx: &mut Cx<'_>) {
        self.broadcast(&self.announcement(text), Vec::new(), cx);
    }

    pub(super) fn announcement(&self, text: &str) -> Element {
        let message = Element::stanza("message").attr("from", self.room.as_str()).attr("type", "groupchat");
        let no_store = Element::new("no-permanent-store", HINTS);
        message.child(Element::new("body", ns::CLIENT).text(text)).child(no_store)
    }

    /// How something accepted now is marked.
    pub(super) fn provisionally(&self, now: Now) -> Provisionally {
        Provisionally { said_ms: now.unix_ms, base: self.link.place.as_ref().map_or(0, |place| place.seq) }
    }

    /// What was relayed, or waited to be, when the island began: what it says is so here from now on, or is refused. What an island
    /// before has accepted is so already.
    fn settle_outstanding(&mut self, cx: &mut Cx<'_>) {
        let provisionally = self.provisionally(cx.now);
        let (mut records, mut sent_joins): (Vec<Change>, Vec<(Jid, u64, Change)>) = (Vec::new(), Vec::new());
        for (entry, before, put) in self.outbox.settle_numbers(provisionally, &self.room) {
            let address = |name| entry.stanza.get(name).and_then(|text| Jid::new(text).ok());
            let (Some(from), Some(to)) = (address("from"), address("to")) else { continue };
            if before && !self.is_of_the_stay_before(&entry.stanza, &from) {
                continue;
            }
            if entry.is_coming_or_going() && self.sessions.get(&from).is_some_and(Session::awaits_enter) {
                // He is in by the last of them, and the room is to take them in their order.
                records.push(put);
                continue;
            }
            if let Some(nick) = entry.nick.as_ref().filter(|_| entry.stanza.name() == "message") {
                if entry.was_sent() || self.may_speak(nick) {
                    // Also of somebody who has left since.
                    self.show_relayed(&entry, put, cx);
                } else {
                    records.extend(self.void(entry.n));
                    cx.pass(&from, refused(&entry.stanza, Condition::Forbidden));
                }
                continue;
            }
            match self.kind_of(&entry.stanza, &from, &to, false) {
                Sent::Message => {
                    records.extend(self.void(entry.n));
                    self.refuse_here(&entry.stanza, cx);
                }
                Sent::Join if entry.was_sent() => sent_joins.push((from, entry.n, put)),
                Sent::Join => records.extend(self.void(entry.n)),
                Sent::Presence => {
                    if self.is_own_address(&from, &to) {
                        records.push(put);
                        self.show_present(&entry.stanza, &from, entry.n, cx);
                    } else {
                        records.extend(self.void(entry.n));
                        self.refuse_here(&entry.stanza, cx);
                    }
                }
                Sent::Leave if self.is_of_the_stay_before(&entry.stanza, &from) => {
                    records.extend(self.void(entry.n));
                }
                Sent::Leave => {
                    records.push(put);
                    self.leave_cut_off(&from, payload_of(&entry.stanza), cx);
                }
                Sent::Ghost | Sent::Other => records.push(put),
            }
        }
        // Leaves that the primary has had.
        let leaving = |(_, session): &(&Jid, &Session)| session.leaving;
        let left: Vec<Jid> = self.sessions.iter().filter(leaving).map(|(jid, _)| jid.clone()).collect();
        left.iter().for_each(|jid| self.leave_cut_off(jid, Vec::new(), cx));
        for (user, join) in std::mem::take(&mut self.joins) {
            if let Some(to) = join.stanza.get("to").and_then(|to| Jid::new(to).ok()).filter(|_| !join.is_over()) {
                self.join_here(join.stanza, &user, &to, cx);
            }
            join.behind.into_iter().for_each(|stanza| cx.pass(&user, stanza));
        }
        // Each may still be answered, and an ENTER more than are waited for puts out whom the last of them has let in.
        for (user, n, put) in sent_joins {
            let waits = self.sessions.get(&user).is_some_and(Session::awaits_enter);
            records.extend(if waits { Some(put) } else { self.void(n) });
        }
        cx.keep(records);
    }

    /// Whether this is a leave whose LEAVE has come, and the room has let him in again since.
    fn is_of_the_stay_before(&self, stanza: &Element, from: &Jid) -> bool {
        let is_in = |session: &Session| !session.leaving && !session.awaits_enter();
        stanza.get("type") == Some("unavailable") && self.sessions.get(from).is_some_and(is_in)
    }

    /// Presence of an occupant: shown here, and kept for the primary. A change of the nick is the primary's to allow.
    pub(super) fn present_here(&mut self, stanza: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        if !self.is_own_address(from, to) {
            return self.refuse_here(&stanza, cx);
        }
        let n = match self.outbox.supersede(&stanza, &self.room) {
            Some((n, put)) => {
                cx.keep(put.into_iter().collect());
                self.echoes.retain(|echo| echo.n != n);
                Some(n)
            }
            None => self.submit_with(stanza.clone(), Vec::new(), cx).map(|(n, _)| n),
        };
        if let Some(n) = n {
            self.show_present(&stanza, from, n, cx);
        }
    }

    /// Whether a stanza to `to` changes no nick.
    fn is_own_address(&self, user: &Jid, to: &Jid) -> bool {
        let nick = self.sessions.get(user).map(|session| session.nick.as_str());
        nick.is_some() && to.resource().is_none_or(|to| Some(to) == nick)
    }

    fn show_present(&mut self, stanza: &Element, from: &Jid, n: u64, cx: &mut Cx<'_>) {
        let Some(session) = self.sessions.get_mut(from) else { return };
        session.payload = payload_of(stanza);
        let (nick, mut payload) = (session.nick.clone(), session.payload.clone());
        let Some(seat) = self.as_shown(&nick) else { return };
        // Hats are the room's to give, and stay (XEP-0317).
        payload.extend(seat.payload.iter().filter(|child| child.ns() == HATS).cloned());
        let seat = Seat { payload, ..seat.into_owned() };
        let (shown, hidden) = (seat.presence(&nick.in_room(&self.room), Class::Jids), !self.shows(&seat));
        self.echoes.push(Echo { n, nick: nick.clone(), seat, back: false });
        let own = self.sessions_of(&nick);
        self.show(&shown, &nick, (own, &[Status::SELF]), hidden, cx);
    }

    /// What else an occupant asks for while the primary is not reached.
    pub(super) fn ask_here(&mut self, stanza: Element, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        if self.pings_himself(&stanza, from, to) {
            return cx.pass(from, iq_result(&stanza));
        }
        match (stanza.name(), Nick::of(to)) {
            ("iq", None) if stanza.has_child("query", ns::MUC_ADMIN) => self.kick_here(&stanza, from, cx),
            ("iq", None)
                if answerable(&stanza)
                    && let Some(query) =
                        stanza.get_child("query", ns::MAM).or_else(|| stanza.get_child("metadata", ns::MAM)) =>
            {
                self.read_here(&stanza, query, from, cx);
            }
            ("message", Some(nick)) if stanza.get("type") != Some("groupchat") => {
                self.whisper_here(&stanza, from, &nick, cx);
            }
            _ => self.refuse_here(&stanza, cx),
        }
    }

    /// What only the primary could do is refused, and says why.
    pub(super) fn refuse_here(&self, stanza: &Element, cx: &mut Cx<'_>) {
        if let Some(from) = author(stanza).filter(|_| answerable(stanza)) {
            cx.pass(&from, StanzaError::new(Condition::RemoteServerTimeout, WHY).reply(stanza));
        }
    }

    /// The same for somebody who asks to enter; his password is not sent back (XEP-0045 7.2.6).
    pub(super) fn refuse_entry(&self, join: &Element, cx: &mut Cx<'_>) {
        self.turn_away(join, StanzaError::new(Condition::RemoteServerTimeout, WHY), cx);
    }

    /// Refuses a join for another reason.
    pub(super) fn turn_away(&self, join: &Element, why: StanzaError, cx: &mut Cx<'_>) {
        let mut bare = join.clone();
        bare.retain(|_| false);
        if let Some(from) = author(join) {
            cx.pass(&from, why.reply(&bare.child(Element::new("x", ns::MUC))));
        }
    }
}

/// What those are told who are on an island.
pub(super) fn split_text(cx: &Cx<'_>) -> &'static str {
    if cx.site.config.split.local_chat { SPLIT } else { SPLIT_SILENT }
}

/// What those are told who are there when a link is split.
const SPLIT: &str = "The server of this room is not reached any more. Those in the room who are on this server can go on \
                     talking to each other; the others hear it when the room is reached again.";
/// The same where they cannot talk.
const SPLIT_SILENT: &str =
    "The server of this room is not reached any more. What you say here has to wait until it is.";
/// What they are told when all is as it should be again.
const JOINED: &str = "The server of this room is reached again.";
/// What people are told whose request has to wait for the primary.
const WHY: &str = "The server of this room is not reached at present. Until it is, those who are in the room on this \
                   server can talk to each other; everything else has to wait.";
/// How long a split makes the next one slower to be told.
const SPLITS_COUNT_MS: u64 = 3_600_000;
/// How many do: 2 to the power of it is the most that the wait is multiplied by.
const SPLITS_COUNTED: usize = 3;
