//! Every state within the bounds of the gate has every property.

use model::bounds::{self, Bounds};
use model::check::exhaust;

fn holds(bounds: Bounds) {
    let report = exhaust(bounds, 2);
    if let Some(found) = report.found.first() {
        panic!("{}: {} is not so: {:?}", bounds.name, found.property, found.story);
    }
    println!("{}: {} states, depth {}", bounds.name, report.states, report.depth);
}

#[test]
fn two_messages_over_a_split_and_a_crash() {
    holds(bounds::CRASH);
}

#[test]
fn two_messages_over_two_splits() {
    holds(bounds::SPLITS);
}

#[test]
fn what_is_lost_without_a_word_is_seen() {
    holds(bounds::TAIL);
    holds(bounds::TAIL_SPLIT);
}

#[test]
fn coming_back_after_a_kick_or_a_crash() {
    holds(bounds::RETURN);
}

#[test]
fn presence_between_messages_over_a_crash() {
    holds(bounds::PRESENCE);
}

#[test]
fn everything_once_at_one_site() {
    holds(bounds::ALL_AT_ONE);
}

#[test]
fn a_kick_and_a_nick_conflict_during_a_split() {
    holds(bounds::KICK);
}

#[test]
fn leaving_and_coming_back_during_a_split() {
    holds(bounds::COMING);
}

#[test]
fn a_kick_and_a_crash() {
    holds(bounds::KICK_CRASH);
}
