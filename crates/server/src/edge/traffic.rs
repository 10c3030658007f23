//! What has crossed: bytes counted at the socket, stanzas where they are read and written.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters of one kind of stream or of one link. Two of them never share what a processor keeps of memory: each shard
/// counts its own clients without taking a line from another.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    stanzas_in: AtomicU64,
    stanzas_out: AtomicU64,
}

/// The figures at one moment; they add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Stanzas read.
    pub stanzas_in: u64,
    /// Stanzas written.
    pub stanzas_out: u64,
}

impl std::iter::Sum for Figures {
    fn sum<I: Iterator<Item = Figures>>(all: I) -> Figures {
        all.fold(Figures::default(), |sum, one| Figures {
            bytes_in: sum.bytes_in + one.bytes_in,
            bytes_out: sum.bytes_out + one.bytes_out,
            stanzas_in: sum.stanzas_in + one.stanzas_in,
            stanzas_out: sum.stanzas_out + one.stanzas_out,
        })
    }
}

impl Traffic {
    /// Counts bytes read.
    pub fn bytes_in(&self, n: usize) {
        self.bytes_in.fetch_add(n as u64, Relaxed);
    }

    /// Counts bytes written.
    pub fn bytes_out(&self, n: usize) {
        self.bytes_out.fetch_add(n as u64, Relaxed);
    }

    /// Counts a stanza read.
    pub fn stanza_in(&self) {
        self.stanzas_in.fetch_add(1, Relaxed);
    }

    /// Counts stanzas written.
    pub fn stanzas_out(&self, n: usize) {
        self.stanzas_out.fetch_add(n as u64, Relaxed);
    }

    /// Reads all four.
    pub fn figures(&self) -> Figures {
        Figures {
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            stanzas_in: self.stanzas_in.load(Relaxed),
            stanzas_out: self.stanzas_out.load(Relaxed),
        }
    }

    /// Adds what was counted before it was known whose it was.
    pub fn carry_to(&self, other: &Traffic) {
        let figures = self.figures();
        other.bytes_in.fetch_add(figures.bytes_in, Relaxed);
        other.bytes_out.fetch_add(figures.bytes_out, Relaxed);
    }
}
