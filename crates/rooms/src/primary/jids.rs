//! Real JIDs, XEP-0282 4.7: only to a replica one of whose occupants may see them, and before the stanza that needs them.
//!
//! A replica is *entitled* while the room shows JIDs to everybody or one of its sessions is a moderator's.

use crate::flaws::flaw;
use crate::names::{Nick, Role};
use crate::room::{Occupant, Part, Room, Via, Whois};
use crate::wire::{Down, JIDS_MAX, Kind, SeatJid};
use machine::Output;
use xmpp::{Element, Jid, Shared};

impl Room {
    /// Before an event is told: replicas that become entitled by it are given what they must know first.
    pub fn entitle(&mut self, parts: &[Part], outputs: &mut Vec<Output>) {
        if self.links.links.is_empty() {
            return;
        }
        for part in parts.iter().filter(|part| part.stanza.name() == "presence") {
            for nick in Nick::of_sender(&part.stanza).iter().chain(&part.of) {
                self.note_moderator(nick);
            }
        }
        self.give_jids(outputs);
    }

    /// A session has come or gone without an event.
    pub fn entitle_session(&mut self, nick: &Nick, outputs: &mut Vec<Output>) {
        self.note_moderator(nick);
        self.give_jids(outputs);
    }

    /// Whether a replica with these moderators may know real JIDs.
    pub(super) fn entitles(&self, moderators: usize) -> bool {
        self.config.whois == Whois::Anyone || moderators > 0
    }

    /// Brings up to date through which replicas this occupant is a moderator.
    pub(super) fn note_moderator(&mut self, nick: &Nick) {
        let occupant = self.occupants.get(nick).filter(|occupant| occupant.role == Role::Moderator);
        for (replica, link) in &mut self.links.links {
            let through = |via: &Via| matches!(via, Via::Replica(by) if by == replica);
            if occupant.is_some_and(|o| o.sessions.iter().any(|s| through(&s.via))) {
                link.moderators.insert(nick.clone());
            } else {
                link.moderators.remove(nick);
            }
        }
    }

    fn give_jids(&mut self, outputs: &mut Vec<Output>) {
        let replicas: Vec<(Jid, bool)> = self
            .links
            .links
            .iter()
            .map(|(replica, link)| (replica.clone(), link.moderators.len(), link.entitled))
            .filter(|(_, moderators, entitled)| self.entitles(*moderators) != *entitled)
            .filter(|(.., entitled)| !(flaw!(JidsForgottenLate) && *entitled))
            .map(|(replica, _, entitled)| (replica, !entitled))
            .collect();
        for (replica, entitled) in replicas {
            if let Some(link) = self.links.links.get_mut(&replica) {
                link.entitled = entitled;
            }
            if entitled {
                self.send_jids(&replica, outputs);
            }
        }
    }

    fn send_jids(&mut self, replica: &Jid, outputs: &mut Vec<Output>) {
        let seats: Vec<SeatJid> = self.seat_jids(|_| true);
        let Some(link) = self.links.links.get_mut(replica) else { return };
        for seats in seats.chunks(JIDS_MAX) {
            let at = link.next(Kind::Jids);
            let stanza = Element::stanza("message").attr("from", self.jid.as_str());
            link.pass(replica, Shared::new(stanza.child(Down::Jids(seats.to_vec()).x())), at, outputs);
        }
    }

    /// Every session of these occupants with its address.
    pub(super) fn seat_jids(&self, of: impl Fn(&Occupant) -> bool) -> Vec<SeatJid> {
        let seat = |nick: &Nick, jid: &Jid| SeatJid { nick: nick.clone(), jid: jid.clone() };
        self.occupants
            .values()
            .filter(|o| of(o))
            .flat_map(|o| o.sessions.iter().map(move |s| seat(&o.nick, &s.jid)))
            .collect()
    }
}
