//! Stream management, the server's side of what goes out (XEP-0198 4 and 5): which stanzas a client has not
//! acknowledged, so that they can be sent again on another stream or be given to somebody else.

use super::error::StreamError;
use crate::{Element, Shared, ns};
use std::collections::VecDeque;

/// Asks for an acknowledgement.
pub const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";

/// Stanzas that go out until the client is asked what it has taken: seldom enough to cost nobody anything, often
/// enough for the bounds to be far away.
const ASK_EVERY_STANZAS: u64 = 20;

/// The answer to a request to have stanzas counted; with an id where the session may be resumed, for `max_seconds`.
pub fn enabled(resumption: Option<(&str, u64)>) -> Element {
    let enabled = Element::new("enabled", ns::SM);
    match resumption {
        Some((id, max_seconds)) => enabled.attr("id", id).attr("resume", "true").attr("max", max_seconds.to_string()),
        None => enabled,
    }
}

/// How much may be kept for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Stanzas.
    pub stanzas: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// A stanza that is not acknowledged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The stanza.
    pub stanza: Shared,
    /// When it was sent, in seconds on whatever clock the caller has.
    pub second: u32,
}

/// What was sent since stream management began.
#[derive(Debug)]
pub struct Outbound {
    kept: VecDeque<Sent>,
    bytes: usize,
    bounds: Bounds,
    /// Stanzas ever sent; on the wire modulo 2^32.
    sent: u64,
    /// Those of them that are acknowledged.
    acked: u64,
    /// What `sent` was when the client was asked; none while no answer is owed.
    asked: Option<u64>,
}

impl Outbound {
    /// Nothing sent yet.
    pub fn new(bounds: Bounds) -> Outbound {
        Outbound { kept: VecDeque::new(), bytes: 0, bounds, sent: 0, acked: 0, asked: None }
    }

    /// A stanza is sent, or would be if there were a stream.
    pub fn push(&mut self, stanza: Shared, second: u32) {
        self.bytes += stanza.size();
        self.kept.push_back(Sent { stanza, second });
        self.sent += 1;
    }

    /// Whether more is kept than may be.
    pub fn is_over(&self) -> bool {
        self.kept.len() > self.bounds.stanzas || self.bytes > self.bounds.bytes
    }

    /// Forgets the oldest until the rest is within bounds. They can not be sent again; a client that turns out to have
    /// taken them can still resume.
    pub fn forget_oldest(&mut self) {
        while self.is_over() {
            self.forget_one();
        }
    }

    /// The client has handled so many stanzas, modulo 2^32. An error where fewer were sent (XEP-0198 6).
    pub fn acknowledge(&mut self, handled: u32) -> Result<(), StreamError> {
        let more = u64::from(handled.wrapping_sub(self.acked as u32));
        if more > self.sent - self.acked {
            return Err(handled_too_high(handled, self.sent as u32));
        }
        self.acked += more;
        while self.kept.len() as u64 > self.sent - self.acked {
            self.forget_one();
        }
        self.asked = self.asked.filter(|asked| *asked > self.acked);
        if self.kept.is_empty() {
            // An idle connection keeps no buffer.
            self.kept = VecDeque::new();
        }
        Ok(())
    }

    /// Whether all that is not acknowledged is still kept.
    pub fn is_whole(&self) -> bool {
        self.kept.len() as u64 == self.sent - self.acked
    }

    /// Whether enough has gone out to ask now; it counts as asked then.
    pub fn wants_request(&mut self) -> bool {
        self.asked.is_none() && self.sent - self.acked >= ASK_EVERY_STANZAS && self.ask()
    }

    /// Whether something went out before this second, of which the client was not asked; it counts as asked then.
    pub fn wants_late_request(&mut self, before: u32) -> bool {
        self.asked.is_none() && self.kept.back().is_some_and(|last| last.second < before) && self.ask()
    }

    /// The client is asked. Always true.
    pub fn ask(&mut self) -> bool {
        self.asked = Some(self.sent);
        true
    }

    /// No answer comes from the stream that has ended.
    pub fn stream_ended(&mut self) {
        self.asked = None;
    }

    /// What is kept, oldest first.
    pub fn unacknowledged(&self) -> impl ExactSizeIterator<Item = &Sent> {
        self.kept.iter()
    }

    /// Bytes of it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn forget_one(&mut self) {
        if let Some(sent) = self.kept.pop_front() {
            self.bytes -= sent.stanza.size();
        }
    }
}

/// XEP-0198 6.
fn handled_too_high(handled: u32, sent: u32) -> StreamError {
    let extra = Element::new("handled-count-too-high", ns::SM)
        .attr("h", handled.to_string())
        .attr("send-count", sent.to_string());
    let text = format!("{handled} stanzas were acknowledged, but only {sent} were sent");
    StreamError { extra: Some(Box::new(extra)), ..StreamError::new("undefined-condition", text) }
}

#[cfg(test)]
mod tests;
