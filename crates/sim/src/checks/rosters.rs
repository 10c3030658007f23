//! In the end all who are in see the same people, and those are the people who are in.

use super::Evidence;
use crate::users::view::Seat;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let inside: Vec<_> = evidence.views.iter().filter(|(_, view)| view.me.is_some()).collect();
    let truth: BTreeSet<&String> = inside.iter().filter_map(|(_, view)| view.me.as_ref()).collect();
    let mut known: BTreeMap<&String, (&String, &Seat)> = BTreeMap::new();
    for (who, view) in &inside {
        let seen: BTreeSet<&String> = view.seats.keys().collect();
        if let Some(ghost) = seen.difference(&truth).next() {
            return Err(format!("{who} sees {ghost}, who is not there"));
        }
        if let Some(missed) = truth.difference(&seen).next() {
            return Err(format!("{who} does not see {missed}, who is there"));
        }
        for (nick, seat) in &view.seats {
            // Each client of an occupant sees its own presence in place of the one shown to others.
            let own = view.me.as_ref() == Some(nick);
            match known.get(nick) {
                Some((other, as_seen)) if !own && as_seen != &seat => {
                    return Err(format!("{nick} is {as_seen:?} to {other} and {seat:?} to {who}"));
                }
                Some((other, as_seen)) if (&as_seen.role, &as_seen.affiliation) != (&seat.role, &seat.affiliation) => {
                    return Err(format!("{nick} is {as_seen:?} to {other} and {seat:?} to himself, {who}"));
                }
                None if !own => {
                    known.insert(nick, (who, seat));
                }
                _ => {}
            }
        }
    }
    Ok(())
}
