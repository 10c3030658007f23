//! Seeds: a few hundred runs, and those that once found something.

use sim::scenario::run;

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

/// Once: what was said before something that bounced to somebody who had left was forgotten (5286); a session was
/// outside without a word, since presence of its time before at the room itself was taken for the answer to its join
/// (4200); whoever took the nick of one who had left while cut off was not seen there (3865); what a primary said
/// after a restart under numbers that had been given before was not heard (5228); who spoke last before his site died
/// stayed in the room for ever, since all he had said was heard (1629); a client was told that a message had failed
/// which its site then sent after all (2277); somebody whom a restart of the primary had cost his role was shown real
/// addresses (3778); a primary asked a network that refuses every stream again and again (1000); numbers that could
/// not be reserved were given twice (49); a session that came back while its site was cut off was not shown again,
/// and the ENTER for its join refused (132); who was removed for a split alone was shown to be gone and back on
/// return (4, 11, 19, 22, 34); a message that the disk refused was in the snapshot of a replica that came meanwhile
/// (14).
#[test]
fn what_was_found_once_stays_found() {
    hold([4, 11, 14, 19, 22, 34, 49, 132, 1_000, 1_629, 2_277, 3_778, 3_865, 4_200, 5_228, 5_286]);
}

/// One seed, one run: nothing in the engines or here depends on anything else.
#[test]
fn a_seed_gives_the_same_run_again() {
    let (first, second) = (run(14), run(14));
    assert_eq!(first.story, second.story);
    assert_eq!(first.tape.lines(), second.tape.lines());
    assert!(first.counts.messages > 0 && first.counts.faults > 0 && first.counts.stays > 0);
}
