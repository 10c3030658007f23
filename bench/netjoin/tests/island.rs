//! Alone in its process, since it is the process that is measured.

use bench_netjoin::island;

/// An island's memory grows with what is said there alone: 10,000 acts of six kinds leave less behind than 100 bytes each would.
#[test]
fn an_island_grows_with_its_archive_alone() {
    let costs = island(10_000, 2_000);
    assert!(costs.quiet < 1_000_000, "{costs:?}");
    assert!(costs.talk > costs.said as i64 / 4, "what is said is held, so this can be seen: {costs:?}");
}
