//! Exhausting a bound, and hunting a mistake.

use crate::bounds::Bounds;
use crate::flaws::Flaw;
use crate::protocol::{Action, Protocol};
use stateright::{Checker, HasDiscoveries, Model};

/// What exhausting a bound has shown.
#[derive(Debug, Clone)]
pub struct Report {
    /// How many states there are.
    pub states: usize,
    /// How many steps the longest of the shortest ways to them has.
    pub depth: usize,
    /// What does not hold, and the shortest story found of it.
    pub found: Vec<Found>,
}

/// Something that does not hold.
#[derive(Debug, Clone)]
pub struct Found {
    /// The property.
    pub property: &'static str,
    /// What happens.
    pub story: Vec<Action>,
}

/// Looks at every state within the bounds.
pub fn exhaust(bounds: Bounds, threads: usize) -> Report {
    report(Protocol::within(bounds), threads, HasDiscoveries::All)
}

/// Looks until a mistake is seen; breadth first, so by one of its shortest stories.
pub fn hunt(flaw: Flaw, bounds: Bounds) -> Option<Found> {
    let report = report(Protocol::within(bounds).with(flaw), 1, HasDiscoveries::Any);
    report.found.into_iter().min_by_key(|found| found.story.len())
}

fn report(protocol: Protocol, threads: usize, finish_when: HasDiscoveries) -> Report {
    let checker = protocol.checker().threads(threads).finish_when(finish_when).spawn_bfs().join();
    let discoveries = checker.discoveries().into_iter();
    let found = discoveries.map(|(property, path)| Found { property, story: path.into_actions() }).collect();
    Report { states: checker.unique_state_count(), depth: checker.max_depth(), found }
}
