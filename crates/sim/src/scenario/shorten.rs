//! The least of a run that still shows what should not have been: steps are left out, many at a time and then one by one, for as
//! long as the same property fails.

use super::{Outcome, run_without};
use std::collections::BTreeSet;

/// Leaves out of a seed's run what is not needed for its first violation; gives the steps, and the run without them.
pub fn shorten(whole: Outcome) -> (BTreeSet<u64>, Outcome) {
    let mut shortest = whole;
    let Some(property) = shortest.violations.first().map(|v| property_of(v).to_owned()) else {
        return (BTreeSet::new(), shortest);
    };
    let (seed, steps) = (shortest.seed, shortest.steps);
    let left_out = not_needed(steps, |left_out| {
        let outcome = run_without(seed, left_out);
        let fails = outcome.violations.iter().any(|violation| property_of(violation) == property);
        if fails {
            shortest = outcome;
        }
        fails
    });
    (left_out, shortest)
}

/// The steps without which it still fails.
fn not_needed(steps: u64, mut fails_without: impl FnMut(&BTreeSet<u64>) -> bool) -> BTreeSet<u64> {
    let mut left_out = BTreeSet::new();
    let (mut chunk, mut tries) = (steps.div_ceil(2), 0);
    while chunk > 0 {
        for first in (0..steps).step_by(usize::try_from(chunk).unwrap_or(usize::MAX)) {
            let more: BTreeSet<u64> = (first..steps.min(first + chunk)).chain(left_out.iter().copied()).collect();
            if more.len() == left_out.len() {
                continue;
            }
            tries += 1;
            if tries > TRIES_MAX {
                return left_out;
            }
            if fails_without(&more) {
                left_out = more;
            }
        }
        chunk /= 2;
    }
    left_out
}

/// Which property a violation is of.
fn property_of(violation: &str) -> &str {
    violation.split(':').next().unwrap_or_default()
}

/// `3-7,9` for the steps three to seven and nine.
pub fn spans(steps: &BTreeSet<u64>) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for &step in steps {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == step => *last = step,
            _ => spans.push((step, step)),
        }
    }
    let span = |(first, last): (u64, u64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    spans.into_iter().map(span).collect::<Vec<_>>().join(",")
}

/// Reads what [`spans`] has written; `None` where it is something else.
pub fn parse_spans(text: &str) -> Option<BTreeSet<u64>> {
    let mut steps = BTreeSet::new();
    for span in text.split(',').filter(|span| !span.is_empty()) {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        steps.extend(first..=last.min(first + STEPS_MAX));
    }
    Some(steps)
}

/// Most runs that are tried to make one shorter.
const TRIES_MAX: usize = 400;
/// Longer than any run.
const STEPS_MAX: u64 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let left_out = not_needed(100, |left_out| !left_out.contains(&3) && !left_out.contains(&71));
        assert_eq!(spans(&left_out), "0-2,4-70,72-99");
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        let steps = BTreeSet::from([0, 3, 4, 5, 9]);
        assert_eq!(spans(&steps), "0,3-5,9");
        assert_eq!(parse_spans("0,3-5,9"), Some(steps));
        assert_eq!(parse_spans("x"), None);
    }
}
