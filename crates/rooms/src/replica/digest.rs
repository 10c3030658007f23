//! Whether the mirror is still what the primary has, `docs/wire.md`, *Digest*. One that is not is fetched anew: a
//! resumption, by which users here see the difference.

use super::mirror::Mirror;
use super::roster::Stored;
use super::site::Cx;
use crate::flaws::flaw;
use crate::tally::Tally;
use crate::wire::RosterDigest;

impl Mirror {
    /// What the roster comes to at the primary, behind all that has been told.
    pub(super) fn compare(&mut self, roster: &[u8; 32], cx: &mut Cx<'_>) {
        // What was shown here is laid over the roster until the primary has told of it.
        if !self.echoes.is_empty() || self.roster_digest() == *roster || flaw!(DigestIgnored) {
            return;
        }
        cx.tally(&self.room, Tally::MISMATCH);
        let lately = self.repaired_at.is_some_and(|at| cx.now.mono_ms < at + REPAIR_MS);
        let does = if lately { "it was fetched anew lately" } else { "it is fetched anew" };
        cx.log(format!("link {}: the roster is not the room's; {does}", self.room));
        if !lately {
            (self.repaired_at, self.link.roster) = (Some(cx.now.mono_ms), Stored::Wrong);
            self.lost(cx);
        }
    }

    /// Seats as the primary has told them, whatever is shown here of those whose leave it does not know of yet.
    fn roster_digest(&self) -> [u8; 32] {
        let mut digest = RosterDigest::default();
        for (nick, seat) in &self.seats {
            digest.seat(nick, (seat.affiliation, seat.role), seat.occupant_id.as_deref(), seat.payload.iter());
        }
        digest.finish()
    }
}

/// For a digest a mirror is fetched anew at most this often.
const REPAIR_MS: u64 = 60_000;
