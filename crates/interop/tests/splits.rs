//! The network between servers breaks, again and again, in every way, while people talk with slixmpp; servers are killed
//! meanwhile. In the end everybody has one history and sees the same people. `NETJOIN_SEED` plays a seed again,
//! `NETJOIN_ROUNDS` sets the number of cuts.

use interop::{peer, splits::story};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::test]
#[ignore = "takes minutes, installs slixmpp: .ci/run splits"]
async fn a_cut_network_leaves_everybody_one_history() {
    let python = match peer::slixmpp(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("slixmpp")).await {
        Ok(python) => python,
        Err(error) => return peer::skip("slixmpp", format!("{error:#}")),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = number("NETJOIN_SEED").unwrap_or(now);
    let rounds = number("NETJOIN_ROUNDS").map_or(ROUNDS, |n| n as u32);
    println!("again: NETJOIN_SEED={seed} NETJOIN_ROUNDS={rounds} .ci/run splits");
    let outcome = story::run(&python, seed, rounds).await.unwrap();
    let story::Outcome { archived, on_islands, kills, wrong } = outcome;
    println!("{rounds} rounds, {kills} kills, {archived} messages archived, {on_islands} of them said on islands");
    assert_eq!(wrong, Vec::<String>::new(), "seed {seed}");
    assert!(on_islands > 0, "nobody was ever cut off");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// As many as fit into the gate's budget: each kind of weather and of kill at least once.
const ROUNDS: u32 = 6;
