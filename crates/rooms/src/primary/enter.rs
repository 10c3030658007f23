//! ENTER and LEAVE, XEP-0282 4.5 and 4.6, and an ENTER that is refused.

use super::link::Links;
use crate::names::Status;
use crate::room::{Cx, HistoryWanted, Room, Session, Via};
use crate::tally::Tally;
use crate::wire::{Down, Kind, Refused, Wanted};
use machine::Output;
use xmpp::{Element, Jid, Shared};

impl Links {
    /// ENTER: the replica is to add this session; `own` is what the entrant gets of himself.
    pub fn enter(
        &mut self,
        replica: &Jid,
        _room: &Jid,
        session: &Session,
        own: Element,
        history: HistoryWanted,
        outputs: &mut Vec<Output>,
    ) {
        // What became of an earlier stay is over.
        self.removals.forget(&session.jid);
        let Some(link) = self.links.get_mut(replica) else { return };
        link.seats.insert(session.jid.clone());
        link.begun = true;
        if link.silent.remove(&session.jid) {
            return;
        }
        link.unlisted.remove(&session.jid);
        let wanted = Wanted {
            maxchars: history.max_chars.map(|n| n as u64),
            maxstanzas: history.max_stanzas.map(|n| n as u64),
            seconds: history.seconds,
            since_ms: history.since_ms,
        };
        let at = link.next(Kind::Enter);
        let x = Down::Enter { jid: session.jid.clone(), history: wanted }.x();
        link.sent_ms = self.now_ms;
        link.pass(replica, Shared::new(own.child(x)), at, outputs);
    }

    /// A direct session has been handed over by its join, if it was: until it speaks through its replica the ENTER may be
    /// refused.
    pub fn note_handed(&mut self, session: &Jid, seq: u64) {
        let Some((replica, _)) = &self.handling else { return };
        if let Some(link) = self.links.get_mut(replica) {
            link.handed.insert(session.clone(), seq);
        }
    }

    /// LEAVE: the replica is to take this session out; `own` is what the leaver gets, `behind` the last event before. The last
    /// seat's is the last thing sent.
    pub fn leave(&mut self, replica: &Jid, behind: u64, session: &Session, own: Element, outputs: &mut Vec<Output>) {
        self.removals.note(session, behind, &own, self.now_ms);
        let Some(link) = self.links.get_mut(replica) else { return };
        let holds = link.holds();
        link.seats.remove(&session.jid);
        link.handed.remove(&session.jid);
        if link.is_split() {
            return self.end_if_empty(replica);
        }
        let mut at = link.next(Kind::Leave);
        if let Some((_, ack)) = self.handling.take_if(|(by, _)| by == replica && link.seats.is_empty()) {
            // There is nothing later to say it with; a mark lost in a crash is made good by the next request.
            at.ack = Some(link.say(ack.outbox, ack.n));
        }
        let x = Down::Leave { jid: session.jid.clone() }.x();
        link.sent_ms = self.now_ms;
        let stanza = Shared::new(own.child(x));
        match holds {
            // Also that of the last, behind which nothing goes.
            false => outputs.push(link.stamp(replica, stanza, at)),
            true => link.pass(replica, stanza, at, outputs),
        }
        self.end_if_empty(replica);
    }

    /// Nothing of a room goes to a site that has no seat in it.
    pub(super) fn end_if_empty(&mut self, replica: &Jid) {
        if self.links.get(replica).is_some_and(|link| link.is_over() && link.held.is_empty()) {
            self.links.remove(replica);
        }
    }
}

impl Room {
    /// Somebody is in behind a replica, perhaps the first since all had left it in the middle of its report: what has happened
    /// meanwhile goes ahead of his ENTER.
    pub fn seated(&mut self, replica: &Jid, session: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.get_mut(replica) else { return };
        let held = link.begun && link.seats.is_empty();
        link.seats.insert(session.clone());
        if held {
            self.release(replica, cx);
        }
    }

    /// 4.5: the replica knows no unanswered join of that session, so it is not in the room.
    pub(super) fn enter_refused(&mut self, replica: &Jid, refused: &Refused, cx: &mut Cx<'_>) {
        cx.tally(replica, Tally::REFUSAL);
        let current = self.links.links.get(replica).is_some_and(|link| link.epoch == refused.epoch);
        let through = |room: &Room| {
            let nick = room.sessions.get(&refused.jid)?;
            let session = room.occupants.get(nick)?.sessions.iter().find(|s| s.jid == refused.jid)?;
            (session.via == Via::Replica(replica.clone())).then_some(())
        };
        if current && self.stay_direct(replica, &refused.jid, cx) {
            return;
        }
        if current && through(self).is_some() {
            self.remove_session(&refused.jid, &[Status::FAILURE], None, cx);
        }
    }

    /// A direct occupant whose replica never had the word that handed him over stays direct. He is told again who is there,
    /// which answers his join where there was one, and what was said since. Whether he was one.
    pub(super) fn stay_direct(&mut self, replica: &Jid, session: &Jid, cx: &mut Cx<'_>) -> bool {
        let link = self.links.links.get_mut(replica);
        let Some(behind) = link.and_then(|link| link.handed.remove(session)) else { return false };
        if let Some(link) = self.links.links.get_mut(replica) {
            link.seats.remove(session);
        }
        self.carry_back(session, replica, cx);
        self.welcome_back(session, behind, cx);
        self.links.end_if_empty(replica);
        true
    }
}
