//! Addresses on loopback that nobody else uses: a random block of 127.0.0.0/8, so that the usual ports can be used.

use anyhow::{Result, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A block of 254 loopback addresses, free at the time it was chosen.
#[derive(Debug, Clone, Copy)]
pub struct Net {
    block: [u8; 2],
}

impl Net {
    /// Chooses a block on which nobody listens on `port`.
    pub fn new(port: u16) -> Result<Net> {
        for attempt in 0..ATTEMPTS_MAX {
            let seed = u64::from(std::process::id()) ^ nanos().rotate_left(attempt);
            let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let net = Net { block: [(mixed >> 56) as u8 % 200 + 20, (mixed >> 40) as u8] };
            // Bound only to see whether it can be; released at once.
            if TcpListener::bind(SocketAddr::new(net.host(1).into(), port)).is_ok() {
                return Ok(net);
            }
        }
        bail!("no loopback address with port {port} could be bound; are addresses of 127.0.0.0/8 usable here?")
    }

    /// The address numbered `n`, from 1.
    pub fn host(&self, n: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.block[0], self.block[1], n)
    }
}

fn nanos() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// Blocks tried before giving up; each is one of 50,000.
const ATTEMPTS_MAX: u32 = 20;
