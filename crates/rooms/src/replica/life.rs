//! The life of a link, XEP-0282 4.11 with `docs/wire.md`, as a table.
//!
//! ```text
//!   Asking ──announced──▶ Registering ──granted──▶ Syncing ──synced──▶ Live ──emptied──▶ Dormant
//!     │                    │    ▲   │                 │                 │                 │  │
//!     └────────┐           │ retry  └──lost──▶ Suspect ◀──────lost──────┘               join expired
//!        not announced  refused └───────────────┘                                         │  │
//!              └───────────┴──▶ Plain ──expired──▶ Over        Registering ◀──────────────┘  └──▶ Over
//! ```

/// Where a room's link is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// The service is being asked whether it speaks XEP-0282; stanzas of users are held.
    Asking,
    /// The registration is under way.
    Registering,
    /// It is granted; the snapshot is coming.
    Syncing,
    /// All is as it should be.
    Live,
    /// The primary is not reached; nobody is told, what users say is kept.
    Suspect,
    /// The last local session has left; the mirror is held for a while.
    Dormant,
    /// Not distributed, refused or late: everything passes untouched.
    Plain,
    /// Nothing is left to be held.
    Over,
}

/// What moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Announced,
    NotAnnounced,
    Granted,
    Refused,
    /// Nobody of this site is in the room, or it is not reached at all: the next join asks anew.
    Nobody,
    Synced,
    Lost,
    Retry,
    Emptied,
    Joined,
    Expired,
}

impl Life {
    /// The next life; `None` where the sign says nothing.
    pub fn after(self, sign: Sign) -> Option<Life> {
        use Life::*;
        use Sign::*;
        Some(match (self, sign) {
            (Asking, Announced) => Registering,
            (Asking, NotAnnounced | Expired) => Over,
            (Registering, Granted) => Syncing,
            (Registering | Syncing | Live | Suspect, Refused) => Plain,
            (Registering | Suspect, Nobody) => Over,
            (Syncing, Synced) => Live,
            (Registering | Syncing | Live, Lost) => Suspect,
            (Suspect, Retry) => Registering,
            (Live | Suspect, Emptied) => Dormant,
            (Dormant | Live, Joined) => Registering,
            (Dormant | Plain | Suspect, Expired) => Over,
            _ => return None,
        })
    }

    /// Whether the service is expected to send something now and then.
    pub fn talks(self) -> bool {
        matches!(self, Life::Syncing | Life::Live)
    }
}
