//! Ways through the model of the protocol, played on the real engines: what the model says can happen happens to them, and
//! what must hold is looked at by the simulator's own checks.

use model::bounds::{self, Bounds};
use model::check::hunt;
use model::flaws::Flaw;
use model::protocol::Action;
use model::trace::sample;
use sim::scenario::replay::{Act, replay};

/// What a step of the model is to the simulator. What both ends do by themselves they do in their own time.
fn act(action: Action) -> Act {
    match action {
        Action::Say(site) => Act::Say(site),
        Action::Show(site) => Act::Show(site),
        Action::Leave(site) => Act::Leave(site),
        Action::Join(site) => Act::Join(site),
        Action::Kick(site) => Act::Kick(site),
        Action::Newcomer(nick) => Act::Newcomer(nick),
        Action::Retire(_) => Act::Retire,
        Action::Cut(site) => Act::Cut(site),
        Action::Heal(site) => Act::Heal(site),
        Action::LoseUp(site) => Act::LoseUp(site),
        Action::LoseDown(site) => Act::LoseDown(site),
        Action::CrashPrimary => Act::CrashPrimary,
        Action::Crash(site) => Act::Crash(site),
        Action::SiteNotices(_) | Action::Island(_) | Action::PrimaryNotices(_) | Action::Heads(_) => Act::Notice,
        Action::Rise(_) | Action::Fall(_) | Action::SyncPrimary | Action::Sync(_) | Action::Register(_) => Act::Hop,
    }
}

fn play(bounds: Bounds, count: usize) {
    let mut messages = 0;
    for (number, way) in sample(bounds, count, 1).into_iter().enumerate() {
        let acts: Vec<Act> = way.iter().copied().map(act).collect();
        let outcome = replay(&acts);
        if !outcome.violations.is_empty() {
            for (at_ms, line) in &outcome.story {
                println!("{at_ms:>9} {line}");
            }
            panic!("{}, way {number}: {way:?}\n{}", bounds.name, outcome.violations.join("\n"));
        }
        messages += outcome.counts.messages;
    }
    // Each of the three who stay has a last word.
    println!("{}: {count} ways, {messages} messages", bounds.name);
    assert!(messages > 3 * count, "the ways have messages of their own");
}

#[test]
fn ways_through_a_split_and_a_crash() {
    play(bounds::CRASH, 60);
}

#[test]
fn ways_through_two_splits() {
    play(bounds::SPLITS, 40);
}

#[test]
fn ways_through_lost_tails() {
    play(bounds::TAIL, 30);
    play(bounds::TAIL_SPLIT, 30);
    play(bounds::OLDER, 40);
}

#[test]
fn ways_through_kicks_and_nick_conflicts() {
    play(bounds::KICK, 40);
    play(bounds::KICK_CRASH, 40);
    play(bounds::RETURN, 40);
}

#[test]
fn ways_of_leaving_and_coming_back() {
    play(bounds::COMING, 40);
}

/// What undoes an engine that makes the mistake does not undo these.
#[test]
fn the_story_of_each_mistake() {
    let mut failed = Vec::new();
    for flaw in Flaw::ALL {
        let story = hunt(flaw, flaw.shows_in()).expect("the model's own tests see to it").story;
        let acts: Vec<Act> = story.iter().copied().map(act).collect();
        let outcome = replay(&acts);
        if !outcome.violations.is_empty() {
            failed.push(format!("{flaw:?}: {story:?}\n{}", outcome.violations.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
