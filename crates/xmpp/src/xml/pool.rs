//! Parsers lent to connections while a stanza is coming in.
//!
//! A parser that has read a stream header keeps kilobytes of buffers, a connection that waits for its next stanza
//! needs none of them: it keeps the bindings of its header, and takes any parser that stands behind a root of
//! the same name.

use super::names::Header;
use super::parse::Work;
use compact_str::CompactString;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most parsers kept for one root name; a shard seldom has more stanzas half read at once.
const PARSERS_MAX: usize = 64;

/// Most root names kept; nearly everybody says `stream:stream`, and names are the peer's to choose.
const ROOTS_MAX: usize = 16;

/// Most different headers shared between connections; one for each kind of software, more or less.
const HEADERS_MAX: usize = 64;

/// Parsers at rest, and the headers their connections share.
#[derive(Default)]
pub struct Pool {
    #[allow(clippy::vec_box)] // they move between pool and connections without being copied
    parsers: BTreeMap<CompactString, Vec<Box<Work>>>,
    headers: Vec<Arc<Header>>,
}

impl Pool {
    /// An empty pool; one for each thread that reads.
    pub fn new() -> Pool {
        Pool::default()
    }

    /// How many parsers are waiting.
    pub fn parsers(&self) -> usize {
        self.parsers.values().map(Vec::len).sum()
    }

    pub(super) fn take(&mut self, root: &str) -> Option<Box<Work>> {
        self.parsers.get_mut(root)?.pop()
    }

    pub(super) fn give(&mut self, root: &CompactString, work: Box<Work>) {
        if self.parsers.len() >= ROOTS_MAX && !self.parsers.contains_key(root) {
            return;
        }
        let parsers = self.parsers.entry(root.clone()).or_default();
        if parsers.len() < PARSERS_MAX {
            parsers.push(work);
        }
    }

    /// The header all connections with the same bindings share.
    pub(super) fn share(&mut self, header: &Arc<Header>) -> Arc<Header> {
        if let Some(shared) = self.headers.iter().find(|shared| *shared == header) {
            return shared.clone();
        }
        if self.headers.len() < HEADERS_MAX {
            self.headers.push(header.clone());
        }
        header.clone()
    }
}
