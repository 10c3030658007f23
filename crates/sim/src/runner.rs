//! Seeds on all cores. What is told of them stands in the order of the seeds, whichever was done first.

use sim::coverage::Coverage;
use sim::scenario::{self, Counts};
use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// A run that is over, without its tape: what failed is run again by whoever wants to know more.
pub struct Ran {
    /// What there was to look at.
    pub counts: Counts,
    /// What there was to be seen.
    pub coverage: Coverage,
    /// How long it took on its core.
    pub took: Duration,
    /// What should not have been.
    pub violations: Vec<String>,
}

/// Runs seeds on so many threads and gives each run in the order of the seeds, until no more are wanted.
pub fn each<R: Send>(
    seeds: Range<u64>,
    jobs: usize,
    run: impl Fn(u64) -> R + Sync,
    mut take: impl FnMut(u64, R) -> ControlFlow<()>,
) {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (ran, runs) = sync_channel(WAITING_MAX);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (ran, next, stop, end, run) = (ran.clone(), &next, &stop, seeds.end, &run);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || ran.send((seed, run(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ran);
        let (mut due, mut early) = (seeds.start, BTreeMap::new());
        for (seed, run) in runs {
            early.insert(seed, run);
            while let Some(run) = early.remove(&due) {
                due += 1;
                if take(due - 1, run).is_break() {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    });
}

/// How many run at a time where nobody says.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs a seed, and keeps what it puts on links for the schema.
pub fn run(seed: u64) -> Ran {
    let begun = Instant::now();
    let outcome = scenario::run(seed);
    let took = begun.elapsed();
    schema::collect(outcome.tape.on_links());
    let mut coverage = Coverage::default();
    coverage.add(&outcome);
    Ran { counts: outcome.counts, coverage, took, violations: outcome.violations }
}

/// Runs that wait to be taken note of, which takes no time: enough that no core waits.
const WAITING_MAX: usize = 64;
