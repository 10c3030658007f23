//! What is counted besides traffic, for `/metrics`.

use std::sync::atomic::AtomicU64;

/// Totals since the start, and a few figures of now.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections of clients now, logged in or not.
    pub client_connections: AtomicU64,
    /// Sessions of clients now.
    pub sessions: AtomicU64,
    /// Sessions of them that wait for their client to come back.
    pub sessions_asleep: AtomicU64,
    /// Sessions that their clients have gone on with on another stream.
    pub resumptions: AtomicU64,
    /// Rooms led here now.
    pub rooms: AtomicU64,
    /// Rooms mirrored here now.
    pub mirrors: AtomicU64,
    /// Logins that succeeded.
    pub logins: AtomicU64,
    /// Logins that failed.
    pub login_failures: AtomicU64,
    /// Stanzas of broadcasts that were given to a connection.
    pub deliveries: AtomicU64,
    /// Connections cut because their receiver was too slow.
    pub slow_receivers_cut: AtomicU64,
    /// Stanzas refused because their sender sent too many.
    pub throttled: AtomicU64,
}
