//! What the room has told all since an island was joined, for those who came to that island and whom it has yet to let in: a
//! member who was banned meanwhile hears none of it, one who is let in all of it, once.

use super::leave::Parting;
use super::mirror::{Mirror, Session};
use super::numbers::leave_of;
use super::site::Cx;
use crate::names::{Nick, Status};
use machine::{AudienceId, Class, Output};
use std::collections::VecDeque;
use xmpp::{Jid, Shared};

/// In the order in which it was told.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    told: VecDeque<Told>,
    /// Whether there may be somebody for whom it is; most rooms have nobody, and need not look.
    is_for_some: bool,
}

/// One stanza for all.
#[derive(Debug)]
struct Told {
    plain: Option<Shared>,
    jids: Option<Shared>,
    except: Vec<Jid>,
    /// Only sessions that entered before this one were here then.
    before: u64,
}

impl Withheld {
    /// Somebody has come to the island.
    pub(super) fn expect(&mut self) {
        self.is_for_some = true;
    }

    /// Keeps back what the outputs from `first` on tell all; `waiting` are those who do not hear it yet.
    fn take(&mut self, out: &mut [Output], first: usize, audience: AudienceId, waiting: &[Jid], before: u64) {
        for output in out.iter_mut().skip(first) {
            let Output::Broadcast { audience: of, plain, jids, except } = output else { continue };
            if *of == audience {
                let (plain, jids) = (plain.clone(), jids.clone());
                self.told.push_back(Told { plain, jids, except: except.clone(), before });
                except.extend(waiting.iter().cloned());
            }
        }
    }
}

impl Mirror {
    /// After each input: what is told all while the room is reached waits for those who are not let in yet.
    pub(super) fn withhold(&mut self, first: usize, cx: &mut Cx<'_>) {
        if !self.withheld.is_for_some {
            return;
        }
        let waits = |(_, session): &(&Jid, &Session)| session.awaits_enter();
        let waiting: Vec<Jid> = self.sessions.iter().filter(waits).map(|(jid, _)| jid.clone()).collect();
        if waiting.is_empty() {
            self.withheld = Withheld::default();
            return;
        }
        if self.life == super::life::Life::Live {
            self.withheld.take(cx.out, first, self.audience, &waiting, self.entries);
        }
        if self.withheld.told.len() > WITHHELD_MAX {
            self.withheld.told.clear();
            // They wait for too long.
            for jid in &waiting {
                self.give_up_waiting(jid, cx);
            }
        }
    }

    /// Somebody has been let in: he hears what the others have. His own presence he has been sent.
    pub(super) fn tell_withheld(&mut self, to: &Jid, cx: &mut Cx<'_>) {
        let Some(session) = self.sessions.get(to) else { return };
        let own = session.nick.in_room(&self.room);
        let is_own = |stanza: &Shared| {
            stanza.element().name() == "presence" && stanza.element().get("from") == Some(own.as_str())
        };
        let news = |told: &&mut Told| session.entry < told.before && !told.except.contains(to);
        for told in self.withheld.told.iter_mut().filter(news) {
            // Should he have to be let in once more, he has heard it.
            told.except.push(to.clone());
            let stanza = if session.class == Class::Jids { &told.jids } else { &told.plain };
            let stanza = stanza.clone().filter(|stanza| !is_own(stanza));
            cx.out.extend(stanza.map(|stanza| Output::Send { to: to.clone(), stanza }));
        }
    }

    /// An island begins, and others have the nicks of some who came to the one before: here they would be taken for those, with all that
    /// those may. They are out until the room has given them others.
    pub(super) fn dismiss_displaced(&mut self, cx: &mut Cx<'_>) {
        let all: Vec<Jid> = self
            .sessions
            .iter()
            .filter(|(_, session)| self.is_displaced(session))
            .map(|(jid, _)| jid.clone())
            .collect();
        for jid in all {
            self.give_up_waiting(&jid, cx);
        }
    }

    /// He is out, told so, and may come again.
    fn give_up_waiting(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(jid).map(|session: &Session| session.nick.clone()) else { return };
        let leave = leave_of(jid, &Nick::in_room(&nick, &self.room));
        self.submit(leave, cx);
        self.showing(cx, |mirror, cx| drop(mirror.take_out(jid, &Parting::with([Status::FAILURE]), cx)));
    }
}

/// Most stanzas that wait for somebody to be let in, twice what a room sends as missed; over it he enters anew.
const WITHHELD_MAX: usize = 20_000;
