//! Mistakes one could make, for showing that the properties see them.

use crate::bounds::{self, Bounds};

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// The primary takes what is at or below the mark for new.
    NoMarkCheck,
    /// The primary tells and acknowledges what is not on disk yet.
    AckBeforeDurable,
    /// After a crash a site resumes from where it was, not from where its disk is.
    ResumeVolatile,
    /// A site carries on as if every seat were kept.
    SkipVerdict,
    /// After a crash a site numbers what it still has anew, under its new outbox.
    RenumberOutbox,
    /// A site shows an event to somebody who saw the message on the island.
    ShowAgain,
    /// A site goes on after a gap.
    IgnoreGap,
    /// The primary takes what comes under an epoch that is over.
    NoEpochCheck,
    /// An island shows what it has not written.
    ShowBeforeDurable,
    /// The outbox does not survive a crash.
    OutboxInMemory,
    /// The census lists only the sessions that are here: neither who has left meanwhile nor who spoke before a crash.
    CensusOfSessions,
    /// A ping says the last number of the present outbox alone.
    HeadsOfPresentOutbox,
    /// A kick is told before it is on disk.
    KickNotAwaited,
    /// Presence relayed while the link was live is not written when the island begins.
    PresenceNotKept,
    /// A site whose last user is removed forgets what it has not had an answer to.
    LeaveForgetsOutbox,
}

impl Flaw {
    /// All of them: what one might get wrong in programming it, then what one might read into the text.
    pub const ALL: [Flaw; 15] = [
        Flaw::NoMarkCheck,
        Flaw::AckBeforeDurable,
        Flaw::ResumeVolatile,
        Flaw::SkipVerdict,
        Flaw::RenumberOutbox,
        Flaw::ShowAgain,
        Flaw::IgnoreGap,
        Flaw::NoEpochCheck,
        Flaw::ShowBeforeDurable,
        Flaw::OutboxInMemory,
        Flaw::CensusOfSessions,
        Flaw::HeadsOfPresentOutbox,
        Flaw::KickNotAwaited,
        Flaw::PresenceNotKept,
        Flaw::LeaveForgetsOutbox,
    ];

    /// Bounds within which it shows.
    pub fn shows_in(self) -> Bounds {
        match self {
            Flaw::SkipVerdict | Flaw::LeaveForgetsOutbox => bounds::KICK,
            Flaw::ShowAgain => bounds::SPLITS,
            Flaw::NoMarkCheck | Flaw::IgnoreGap => bounds::TAIL,
            Flaw::HeadsOfPresentOutbox => bounds::OLDER,
            Flaw::KickNotAwaited => bounds::KICK_CRASH,
            Flaw::PresenceNotKept => bounds::PRESENCE,
            _ => bounds::CRASH,
        }
    }
}
