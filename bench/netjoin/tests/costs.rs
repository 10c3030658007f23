//! The figures in small: each fails when what it counts grows.

use bench_netjoin::{rooms, transfer};

/// `docs/wire.md`, *Netjoin*, 2: what crosses is the difference and little else, however often each has changed and however many
/// have not.
#[test]
fn a_netjoin_transfers_the_difference() {
    for (times, stay) in [(1, 30), (5, 30), (1, 300)] {
        let costs = transfer(1_000, 100, times, stay);
        assert_eq!((costs.messages, costs.gap), (1_000, false), "{costs:?}");
        assert_eq!(costs.presences, 100, "one for each: {costs:?}");
        assert!(costs.crossed * 10 <= costs.live * 12, "{costs:?}");
    }
}

/// Rooms that come back together do so one after the other, page by page.
#[test]
fn a_live_message_waits_for_one_batch_at_the_most() {
    let costs = rooms(40, 5, 120);
    assert!(costs.live > 100, "{costs:?}");
    assert!(costs.ahead.0 <= costs.batch.0 && costs.ahead.1 <= costs.batch.1, "{costs:?}");
}
