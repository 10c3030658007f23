//! `kill -9` at random moments, again and again, while people talk; what was acknowledged is there exactly once, in
//! one order, for everybody. `NETJOIN_SEED` plays a seed again, `NETJOIN_KILLS` sets the number.

use interop::kills::story;
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::test]
#[ignore = "takes minutes: .ci/run kills"]
async fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = number("NETJOIN_SEED").unwrap_or(now);
    let kills = number("NETJOIN_KILLS").map_or(KILLS, |n| n as u32);
    println!("again: NETJOIN_SEED={seed} NETJOIN_KILLS={kills} .ci/run kills");
    let outcome = story::run(seed, kills).await.unwrap();
    println!("{} kills, {} messages in the archive", outcome.kills, outcome.archived);
    assert_eq!(outcome.wrong, Vec::<String>::new(), "seed {seed}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// As many as fit into the gate's budget with room to spare.
const KILLS: u32 = 50;
