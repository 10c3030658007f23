//! Mistakes that one could make in these engines, for showing that the simulator sees them.
//!
//! Only with the feature `flaws`, which no program but the simulator asks for. Without it `flaw!` is the constant `false`, and nothing
//! of this is compiled.

/// Whether the engines make this mistake now.
#[cfg(not(feature = "flaws"))]
macro_rules! flaw {
    ($name:ident) => {
        false
    };
}

#[cfg(feature = "flaws")]
macro_rules! flaw {
    ($name:ident) => {
        $crate::flaws::is_made($crate::flaws::Flaw::$name)
    };
}

pub(crate) use flaw;

/// One variant for each, and its sentence.
#[cfg(feature = "flaws")]
macro_rules! flaws {
    ($($name:ident $what:literal)*) => {
        /// A mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Flaw {
            $(#[doc = $what] $name,)*
        }

        impl Flaw {
            /// All of them, each with what is done wrong.
            pub const ALL: &[(Flaw, &str)] = &[$((Flaw::$name, $what),)*];
        }
    };
}

#[cfg(feature = "flaws")]
mod made {
    use super::Flaw;
    use std::cell::Cell;

    thread_local! {
        static MADE: Cell<Option<Flaw>> = const { Cell::new(None) };
    }

    /// Runs something whose engines make a mistake, or none; on this thread alone.
    pub fn making<T>(flaw: Option<Flaw>, run: impl FnOnce() -> T) -> T {
        let before = MADE.replace(flaw);
        let result = run();
        MADE.set(before);
        result
    }

    pub(crate) fn is_made(flaw: Flaw) -> bool {
        MADE.get() == Some(flaw)
    }
}

#[cfg(feature = "flaws")]
pub(crate) use made::is_made;
#[cfg(feature = "flaws")]
pub use made::making;

#[cfg(feature = "flaws")]
flaws! {
    NoMarkCheck "the primary takes what is at or below the mark for new"
    UpwardGapIgnored "the primary takes what comes behind a gap"
    MarkApart "the mark is written behind the message, not with it"
    EpochNotChecked "the primary takes what comes under an epoch that is over"
    ToldBeforeDurable "the primary tells and acknowledges what is not on disk yet"
    HeldLost "what happens while a link syncs or is doubted is not kept for it"
    MergeByClock "what was missed is sent in the order of the clocks"
    RemovalsDropped "a roster sent as a difference has no removals"
    TermForgotten "a difference is worked out for a place of before the primary's restart"
    KickUndone "a census undoes a kick"
    LeavesFirst "an island's leaves are taken before its messages"
    GhostsStay "whom the census does not name is not taken out when the report is over"
    RetentionVoids "whom a split has cost the seat is not remembered"
    RetentionGoesOn "a registration does not stop the retention"
    AwayIsState "the away mark is stored as what its occupant shows"
    AwayStays "the away marks are not lifted"
    JidsForgottenLate "a replica whose last moderator is gone goes on getting real addresses"
    ArchiveNamesAll "the archive says to anybody who has said what"
    RoleWithoutRank "anybody kicks, and gives and takes voice"
    SiteNamed "a room that hides addresses names the site that is cut off"
    EmptySiteTold "a site whose last seat is gone is told more"
    StaleEachTime "a stale epoch is said each time"
    BaseForgotten "a row born on an island does not keep its base"
    ForgedIdKept "a stanza-id that a client made up in the room's name is kept"
    GapIgnored "a replica goes on after a gap"
    ResumeTooFar "a replica resumes one event too far"
    AcknowledgedTooFar "a replica takes one more for acknowledged than is"
    OutboxRenamed "after a restart a replica offers what it still has under a new name"
    OutboxNotKept "an island's outbox is kept in memory"
    ShownBeforeKept "an island shows what is not on disk yet"
    ShownAgain "what was seen on the island is shown again when it comes back"
    VerdictSkipped "a replica carries on as if every seat were kept"
    NickKept "a replica's users keep their nicks whatever the primary has given them"
    GoneNotShown "those who stayed are not shown who is gone since"
    CensusOfSessions "a census leaves out who spoke before the restart"
    LeaveForgetsOutbox "a replica whose last user was removed forgets what has had no outcome"
    BounceGiven "an error that only says that the primary was not reached goes to the author"
    RefusedStays "what was shown and refused is not retracted"
    TakenBackStays "what a moderator has taken back stays in the mirror"
    UnstableDenied "a page with provisional rows says that it is stable"
    SubjectMissed "the subject that was changed meanwhile is not shown"
    KickWithoutRank "anybody kicks anybody on an island"
    RoleRaised "who comes back to an island comes back as a moderator"
    WhisperToAll "a private message on an island goes to all who are there"
    DigestIgnored "a digest that is not the mirror's is ignored"
    SetBackUnnoticed "a replica takes what a room has lost with its disk for the room's"
    ToldTwice "what a room has lost, and tells once more, is shown again"
    OthersOutboxTaken "the primary takes marks of an outbox from users of other sites"
}
