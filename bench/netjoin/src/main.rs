//! Prints the figures: `cargo run --release -p bench-netjoin`.

use bench_netjoin::{Island, Rooms, Transfer, island, rooms, transfer};

fn main() {
    // First, since memory that a process has had once it keeps.
    println!("| acts on an island | memory grows by | then said | memory grows by |\n|---:|---:|---:|---:|");
    let (acts, messages) = (100_000, 8_000);
    let Island { quiet, talk, said } = island(acts, messages);
    println!("| {acts} of each kind | {quiet} | {messages} messages, {said} bytes | {talk} |");
    println!(
        "\n| missed | roster | crossed | difference, live | ratio | bare | ratio | gap |\n|---|---|---:|---:|---:|---:|---:|---|"
    );
    for (messages, changes, times, stay) in
        [(10_000, 1_000, 1, 300), (10_000, 1_000, 10, 300), (10_000, 1_000, 1, 2_000), (0, 1_000, 10, 300)]
    {
        let Transfer { crossed, live, bare, messages, presences, gap } = transfer(messages, changes, times, stay);
        let ratio = |of: u64| crossed as f64 / of as f64;
        println!(
            "| {messages} messages | {changes} occupants, {times} times; {stay} more: {presences} presences | {crossed} | {live} | {:.3} | {bare} | {:.3} | {gap} |",
            ratio(live),
            ratio(bare)
        );
    }
    println!(
        "\n| rooms | one room's batch | most before a live message | live messages | took |\n|---:|---|---|---:|---:|"
    );
    for (n, seats, missed) in [(1_000, 10, 5), (1_000, 10, 120)] {
        let Rooms { batch, ahead, live, took_ms } = rooms(n, seats, missed);
        println!(
            "| {n}, {missed} missed each | {} stanzas, {} bytes | {} stanzas, {} bytes | {live} | {took_ms} ms |",
            batch.0, batch.1, ahead.0, ahead.1
        );
    }
}
