//! Now and then each replica is told what its roster must come to, so that one gone wrong is found; `docs/wire.md`, *Digest*.

use super::link::Link;
use crate::room::{Cx, Room};
use crate::service::Primary;
use crate::wire::{At, Down, Kind, RosterDigest};
use machine::{Class, Now, Output};
use xmpp::{Element, Jid, Shared};

impl Primary {
    /// Sends the digests that are due, room by room; what is too much for one look waits for the next.
    pub(super) fn send_digests(&mut self, keepalive_ms: u64, now: Now, out: &mut Vec<Output>) {
        let since_ms = now.mono_ms.saturating_sub(keepalive_ms.saturating_mul(DIGEST_KEEPALIVES));
        let due = self.rooms.iter().filter(|(_, room)| room.wants_digest(since_ms));
        let due: Vec<(Jid, usize)> = due.map(|(jid, room)| (jid.clone(), room.occupants.len())).collect();
        let mut seats = 0;
        for (jid, occupants) in due {
            seats += occupants;
            self.with_room(&jid, now, out, |room, cx| room.send_digest(since_ms, cx));
            if seats >= SEATS_PER_LOOK {
                break;
            }
        }
    }
}

impl Room {
    fn wants_digest(&self, since_ms: u64) -> bool {
        self.links.links.values().any(|link| link.wants_digest(since_ms))
    }

    /// Made once for all replicas that are to have it.
    fn send_digest(&mut self, since_ms: u64, cx: &mut Cx<'_>) {
        let stanza = Element::stanza("message").attr("from", self.jid.as_str());
        let stanza = Shared::new(stanza.child(Down::Digest(self.roster_digest()).x()));
        let seq = Some(self.order.seq);
        let mut outputs = Vec::new();
        for (replica, link) in self.links.links.iter_mut().filter(|(_, link)| link.wants_digest(since_ms)) {
            (link.digest_ms, link.sent_ms) = (cx.now.mono_ms, cx.now.mono_ms);
            let at = At { seq, ..link.next(Kind::Digest) };
            link.pass(replica, stanza.clone(), at, &mut outputs);
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// What every mirror must come to once it has all that was told.
    fn roster_digest(&self) -> [u8; 32] {
        let mut digest = RosterDigest::default();
        for occupant in self.occupants.values() {
            let presence = self.roster_presence(occupant, Class::Plain);
            let is = (occupant.affiliation, occupant.role);
            digest.seat(&occupant.nick, is, Some(&occupant.occupant_id), presence.element().children());
        }
        digest.finish()
    }
}

impl Link {
    /// Only one that is sent what is told at once, so that the digest is of what stands before it.
    fn wants_digest(&self, since_ms: u64) -> bool {
        !self.holds() && !self.is_over() && self.digest_ms <= since_ms
    }
}

/// A digest goes to a replica every so many keepalive intervals.
const DIGEST_KEEPALIVES: u64 = 5;
/// Seats digested at one look, after which the rest waits for the next: some milliseconds of arithmetic.
const SEATS_PER_LOOK: usize = 10_000;
