//! What happens when. Two things at one moment happen in the order in which they were put down.

use super::trap::Trap;
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// What has been put down, by time.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BTreeMap<(u64, u64), Happening>,
    /// How many there have been.
    count: u64,
}

/// Something that will happen. `life` is the life of a server it belongs to; in another it does not happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// A stanza of a link is there.
    Arrive { from: String, to: String, number: u64 },
    /// The server gives up on a stanza it could not hand over; this is the error.
    Bounce { server: usize, life: u64, stanza: Element },
    /// The disk has done what it was doing.
    Synced { server: usize, life: u64 },
    /// A server notices that a stream to or from the domain has ended.
    StreamEnded { server: usize, domain: String },
    /// A server that was down starts.
    Restart { server: usize },
    /// A link works again.
    Clear { from: String, to: String },
    /// A disk that was full has room again.
    DiskWorks { server: usize },
    /// A server notices that a client is gone, unless it has another stream by then.
    Missed { client: Jid, stream: u64 },
    /// A join has come as far as a trap.
    Sprung(Trap),
}

impl Agenda {
    /// Puts something down.
    pub fn put(&mut self, at_ms: u64, happening: Happening) {
        self.count += 1;
        self.entries.insert((at_ms, self.count), happening);
    }

    /// When the next thing is due.
    pub fn next_ms(&self) -> Option<u64> {
        self.entries.first_key_value().map(|((at_ms, _), _)| *at_ms)
    }

    /// The next thing, if it is due.
    pub fn pop(&mut self, now_ms: u64) -> Option<Happening> {
        let entry = self.entries.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(entry.remove())
    }
}
