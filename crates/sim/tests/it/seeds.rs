//! Seeds: a few hundred runs. What a seed has once found is a test of the engines, since a seed is another run as soon as the
//! scenario is another.

use sim::coverage::Coverage;
use sim::scenario::{run, run_without};

fn hold(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = run(seed);
        schema::collect(outcome.tape.on_links());
        if !outcome.violations.is_empty() {
            for (at_ms, line) in &outcome.story {
                println!("{at_ms:>9} {line}");
            }
            panic!("replay: cargo run -p sim -- --seed {seed}\n{}", outcome.violations.join("\n"));
        }
    }
}

#[test]
fn what_must_hold_holds_for_the_first_seeds() {
    hold(0..100);
}

#[test]
fn what_must_hold_holds_for_more_seeds() {
    hold(1_000..1_100);
}

/// A long one; and one whose steps are left out, which takes nothing of the others.
#[test]
fn what_must_hold_holds_for_long_seeds_and_for_parts_of_one() {
    hold([99, 199]);
    let (whole, part) = (run(14), run_without(14, &(0..10).collect()));
    assert!(part.violations.is_empty(), "{:?}", part.violations);
    assert!(part.story.len() < whole.story.len());
}

/// Seeds that found something in the engines when the scenario was what it is: who was kicked after a restart, a leave of before an
/// island, a full disk when a room was destroyed.
#[test]
fn what_must_hold_holds_where_it_once_did_not() {
    hold([148, 1_420, 2_687]);
}

/// What there is to be seen is seen: each fault, each effect on links and to users.
#[test]
fn every_fault_and_every_effect_is_seen() {
    let mut coverage = Coverage::default();
    (0..60).for_each(|seed| coverage.add(&run(seed)));
    let of_joins =
        |name: &str| ["split:", "join:", "island:", "rule ", "set back:"].iter().any(|part| name.starts_with(part));
    let never: Vec<&str> =
        coverage.never().into_iter().filter(|name| !RARE.contains(name) && !of_joins(name)).collect();
    assert_eq!(never, [""; 0], "\n{coverage}");
}

/// Once in a hundred seeds or less, as much of a netjoin and of disks that come back: the long runs look for them, with `--coverage`.
const RARE: [&str; 2] = ["said: an ENTER is refused", "sent: asked again for what was relayed"];

/// One seed, one run: nothing in the engines or here depends on anything else.
#[test]
fn a_seed_gives_the_same_run_again() {
    let (first, second) = (run(14), run(14));
    assert_eq!(first.story, second.story);
    assert_eq!(first.tape.lines(), second.tape.lines());
    assert!(first.counts.messages > 0 && first.counts.faults > 0 && first.counts.stays > 0);
}
