//! Domains that could not be reached are left alone for a while, each failure in a row for longer; what is sent to them
//! meanwhile bounces at once, with the condition of the failure (RFC 6120 8.3.3.16 and 8.3.3.17).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use xmpp::stanza::StanzaError;
use xmpp::stream::dialback::Pair;

/// The rest after the second failure in a row; the first may have been an accident, and is followed by none.
const FIRST_REST: Duration = Duration::from_secs(1);

/// Most failures that double the rest: 2^16 seconds are beyond any bound.
const DOUBLINGS_MAX: u32 = 16;

/// Most pairs remembered per shard. Over it the one whose rest ends first is forgotten: it is tried once too often.
const PAIRS_MAX: usize = 1_000;

/// The pairs of a shard that no stream could be made for.
#[derive(Default)]
pub(super) struct Backoff(BTreeMap<Pair, Failed>);

struct Failed {
    in_a_row: u32,
    until: Instant,
    /// What was known of the domain by then.
    news: u64,
    error: StanzaError,
}

impl Backoff {
    /// Why a pair is not tried now. `news` counts what may have made a domain reachable: once it has gone on, the rest
    /// is over.
    pub fn refuses(&self, pair: &Pair, news: u64, now: Instant) -> Option<StanzaError> {
        let failed = self.0.get(pair)?;
        (failed.news == news && now < failed.until).then(|| failed.error.clone())
    }

    /// A stream could not be made. The rest is at most `rest_max`, and shortened by up to half with `chance`: many who
    /// lost the same domain are not to come back to it as one.
    pub fn failed(
        &mut self,
        pair: &Pair,
        error: &StanzaError,
        news: u64,
        chance: u8,
        rest_max: Duration,
        now: Instant,
    ) {
        let before = self.0.remove(pair).filter(|failed| failed.news == news);
        let in_a_row = before.map_or(1, |failed| failed.in_a_row.saturating_add(1));
        let until = now + rest(in_a_row, chance, rest_max);
        if self.0.len() >= PAIRS_MAX {
            let first = self.0.iter().min_by_key(|(_, failed)| failed.until).map(|(pair, _)| pair.clone());
            first.and_then(|pair| self.0.remove(&pair));
        }
        self.0.insert(pair.clone(), Failed { in_a_row, until, news, error: error.clone() });
    }

    /// A stream was made.
    pub fn succeeded(&mut self, pair: &Pair) {
        self.0.remove(pair);
    }
}

/// How long to rest after so many failures in a row: at most `rest_max`, and shortened by up to half with `chance`.
pub fn rest(in_a_row: u32, chance: u8, rest_max: Duration) -> Duration {
    let rest = match in_a_row {
        0 | 1 => Duration::ZERO,
        n => FIRST_REST.saturating_mul(1 << (n - 2).min(DOUBLINGS_MAX)).min(rest_max),
    };
    rest - rest / 2 * u32::from(chance) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xmpp::stanza::Condition;

    const MINUTE: Duration = Duration::from_secs(60);

    fn pair(to: &str) -> Pair {
        Pair { from: "montague.lit".into(), to: to.into() }
    }

    fn not_found() -> StanzaError {
        Condition::RemoteServerNotFound.into()
    }

    /// Seconds of rest after so many failures in a row, each with this chance.
    fn rested(failures: u32, chance: u8) -> f64 {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..failures {
            backoff.failed(&pair("gone.lit"), &not_found(), 0, chance, MINUTE, now);
        }
        backoff.0[&pair("gone.lit")].until.duration_since(now).as_secs_f64()
    }

    #[test]
    fn the_rest_grows_to_its_bound_and_chance_takes_up_to_half() {
        assert_eq!([1, 2, 3, 4, 7, 8, 200].map(|n| rested(n, 0)), [0.0, 1.0, 2.0, 4.0, 32.0, 60.0, 60.0]);
        assert_eq!([1, 2, 3, 4, 7, 8, 200].map(|n| rested(n, 255)), [0.0, 0.5, 1.0, 2.0, 16.0, 30.0, 30.0]);
    }

    #[test]
    fn during_the_rest_the_failure_is_told_and_then_no_more() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let gone = pair("gone.lit");
        backoff.failed(&gone, &not_found(), 0, 0, MINUTE, now);
        assert_eq!(backoff.refuses(&gone, 0, now), None);
        backoff.failed(&gone, &not_found(), 0, 0, MINUTE, now);
        assert_eq!(backoff.refuses(&gone, 0, now), Some(not_found()));
        assert_eq!(backoff.refuses(&pair("capulet.lit"), 0, now), None);
        assert_eq!(backoff.refuses(&gone, 0, now + FIRST_REST), None);
        // It has shown itself, or there is another route: tried at once, and the row begins anew.
        assert_eq!(backoff.refuses(&gone, 1, now), None);
        backoff.failed(&gone, &not_found(), 1, 0, MINUTE, now);
        assert_eq!(backoff.refuses(&gone, 1, now), None);
        backoff.failed(&gone, &not_found(), 1, 0, MINUTE, now);
        backoff.succeeded(&gone);
        assert_eq!(backoff.refuses(&gone, 1, now), None);
    }

    #[test]
    fn no_more_pairs_are_remembered_than_the_bound() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for n in 0..=PAIRS_MAX {
            let at = now + Duration::from_millis(n as u64);
            backoff.failed(&pair(&format!("gone{n}.lit")), &not_found(), 0, 0, MINUTE, at);
        }
        assert_eq!(backoff.0.len(), PAIRS_MAX);
        assert!(!backoff.0.contains_key(&pair("gone0.lit")));
    }
}
