//! Prints what the scenes cost in time: `cargo run --release -p bench-rooms`. Times of a noisy machine are to be read as
//! ratios; instruction counts of the same scenes repeat.

use bench_rooms::{Scene, broadcast, message};
use std::time::{Duration, Instant};
use xmpp::xml::Splice;

/// Messages per round, and rounds of which the median counts.
const MESSAGES: u32 = 200;
const ROUNDS: usize = 9;

fn main() {
    let message = message();
    println!("a message of 411 bytes, decided and made one effect:");
    for occupants in [10, 1_000, 10_000] {
        let mut scene = Scene::room_with(occupants);
        let each = median(|| {
            for _ in 0..MESSAGES {
                std::hint::black_box(scene.say(&message));
            }
        }) / MESSAGES;
        let said = scene.say(&message);
        let shared = broadcast(&said).expect("a message is broadcast");
        let mut bytes = Vec::new();
        let splice = median(|| {
            bytes.clear();
            for _ in 0..occupants {
                shared.splice(Splice { to: "witch1@shakespeare.lit/broom", tail: b"" }, &mut bytes);
            }
        });
        println!("  to {occupants:>6} direct occupants: {each:>10.1?}, and {splice:>10.1?} to write all copies");
    }
    println!("a crowd entering, everybody shown to everybody:");
    for crowd in [100, 1_000] {
        let mut scene = Scene::room();
        let start = Instant::now();
        let sent = scene.enter(1..crowd);
        println!("  {crowd:>6} occupants: {:>10.1?} for {sent} stanzas of roster", start.elapsed());
    }
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}
