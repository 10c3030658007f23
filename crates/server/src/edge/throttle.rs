//! Who tries too often: failed logins and registrations by network address, messages and joins by session.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Most addresses remembered; when there are more, those that have recovered go, and then nobody else is added.
const ADDRESSES_MAX: usize = 50_000;

/// A bucket that fills steadily and is emptied by use.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f32,
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(burst: u64, now_ms: u64) -> Bucket {
        Bucket { tokens: burst as f32, at_ms: now_ms }
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self, per_second: f32, burst: u64, now_ms: u64) -> bool {
        self.fill(per_second, burst, now_ms);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    fn fill(&mut self, per_second: f32, burst: u64, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms) as f32 / 1000.0;
        self.tokens = (self.tokens + passed * per_second).min(burst as f32);
        self.at_ms = now_ms;
    }
}

/// Failures by network address: each may have `burst`, and gets them back at a steady rate.
#[derive(Debug)]
pub struct Throttle {
    start: Instant,
    logins: Mutex<HashMap<IpAddr, Bucket>>,
    registrations: Mutex<HashMap<IpAddr, Bucket>>,
    failures_per_minute: u64,
    registrations_per_day: u64,
}

impl Throttle {
    /// With the bounds of the configuration.
    pub fn new(failures_per_minute: u64, registrations_per_day: u64) -> Throttle {
        Throttle {
            start: Instant::now(),
            logins: Mutex::default(),
            registrations: Mutex::default(),
            failures_per_minute,
            registrations_per_day,
        }
    }

    /// Milliseconds on the throttle's clock.
    pub fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Whether an address may try to log in.
    pub fn may_log_in(&self, address: IpAddr) -> bool {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = logins.get_mut(&network(address)) else { return true };
        bucket.fill(self.failures_per_minute as f32 / 60.0, self.failures_per_minute, self.now_ms());
        bucket.tokens >= 1.0
    }

    /// An address has failed to log in.
    pub fn failed(&self, address: IpAddr) {
        let per_second = self.failures_per_minute as f32 / 60.0;
        take(&self.logins, address, per_second, self.failures_per_minute, self.now_ms());
    }

    /// Whether an address may register one more account.
    pub fn may_register(&self, address: IpAddr) -> bool {
        let per_second = self.registrations_per_day as f32 / 86_400.0;
        take(&self.registrations, address, per_second, self.registrations_per_day, self.now_ms())
    }
}

fn take(table: &Mutex<HashMap<IpAddr, Bucket>>, address: IpAddr, per_second: f32, burst: u64, now_ms: u64) -> bool {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    if table.len() >= ADDRESSES_MAX {
        table.retain(|_, bucket| {
            bucket.fill(per_second, burst, now_ms);
            bucket.tokens + 1.0 < burst as f32
        });
        if table.len() >= ADDRESSES_MAX {
            return true;
        }
    }
    table.entry(network(address)).or_insert(Bucket::full(burst, now_ms)).take(per_second, burst, now_ms)
}

/// One customer has one IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_the_rate() {
        let mut bucket = Bucket::full(3, 0);
        assert_eq!([0, 0, 0, 0].map(|now| bucket.take(1.0, 3, now)), [true, true, true, false]);
        assert!(!bucket.take(1.0, 3, 500));
        assert!(bucket.take(1.0, 3, 1_100));
        assert!(!bucket.take(1.0, 3, 1_200));
    }

    #[test]
    fn failures_close_the_door_for_one_network_only() {
        let throttle = Throttle::new(2, 1);
        let [a, near, far] = ["2001:db8::1", "2001:db8::2", "2001:db8:1::1"].map(|a| a.parse::<IpAddr>().unwrap());
        throttle.failed(a);
        assert!(throttle.may_log_in(a));
        throttle.failed(near);
        assert!(!throttle.may_log_in(a));
        assert!(throttle.may_log_in(far));
    }

    #[test]
    fn registrations_have_a_quota_of_their_own() {
        let throttle = Throttle::new(2, 1);
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!([throttle.may_register(a), throttle.may_register(a)], [true, false]);
        assert!(throttle.may_log_in(a));
    }
}
