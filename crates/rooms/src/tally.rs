//! What has been counted of the links to a domain since the start, for operators: it stays when the rooms are gone, so that it
//! never falls.

use std::collections::BTreeMap;

/// What has been counted of all rooms between this server and another domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Registrations granted that followed a loss.
    pub resumes: u64,
    /// Registrations and ENTERs refused, by either side.
    pub refusals: u64,
    /// Digests of a roster that a mirror did not match; at a primary, repairs that were asked for on their account.
    pub mismatches: u64,
}

/// By domain.
#[derive(Debug, Default)]
pub(crate) struct Tallies(BTreeMap<String, Tally>);

impl Tallies {
    /// Adds to what is known of a domain.
    pub fn add(&mut self, domain: &str, more: Tally) {
        if self.0.len() >= DOMAINS_MAX && !self.0.contains_key(domain) {
            return;
        }
        let tally = self.0.entry(domain.to_owned()).or_default();
        tally.resumes += more.resumes;
        tally.refusals += more.refusals;
        tally.mismatches += more.mismatches;
    }

    /// All of them, in the order of their domains.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.0.iter().map(|(domain, tally)| (domain.as_str(), *tally))
    }
}

impl Tally {
    pub(crate) const RESUME: Tally = Tally { resumes: 1, refusals: 0, mismatches: 0 };
    pub(crate) const REFUSAL: Tally = Tally { resumes: 0, refusals: 1, mismatches: 0 };
    pub(crate) const MISMATCH: Tally = Tally { resumes: 0, refusals: 0, mismatches: 1 };
}

/// Most domains that are counted; anybody may ask to be refused. What is over it is counted nowhere.
const DOMAINS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_bounded_and_known_ones_go_on() {
        let mut tallies = Tallies::default();
        (0..DOMAINS_MAX).for_each(|n| tallies.add(&format!("{n}.lit"), Tally::REFUSAL));
        tallies.add("one.more.lit", Tally::REFUSAL);
        tallies.add("7.lit", Tally::REFUSAL);
        assert_eq!(tallies.iter().count(), DOMAINS_MAX);
        assert!(tallies.iter().any(|(domain, tally)| (domain, tally.refusals) == ("7.lit", 2)));
    }
}
