//! In the end all who are in see the same people, and those are the people who are in.

use super::Evidence;
use crate::users::view::{Seat, View};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let inside: Vec<(&String, &View)> = evidence.views.iter().filter(|(_, view)| view.me.is_some()).collect();
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
        for (nick, seat) in view.seats.iter().filter(|(nick, _)| view.me.as_ref() != Some(nick)) {
            let (other, as_seen) = *known.entry(nick).or_insert((who, seat));
            if as_seen != seat {
                return Err(format!("{nick} is {as_seen:?} to {other} and {seat:?} to {who}"));
            }
        }
    }
    for (who, view) in &inside {
        let Some((me, own)) = view.me.as_ref().and_then(|me| view.seats.get_key_value(me)) else { continue };
        let Some((other, as_seen)) = known.get(me) else { continue };
        // Each client of an occupant sees its own presence in place of the one shown to others.
        let is_alone = inside.iter().filter(|(_, other)| other.me.as_ref() == Some(me)).count() == 1;
        let is_same = (&as_seen.role, &as_seen.affiliation) == (&own.role, &own.affiliation);
        if !is_same || (is_alone && as_seen.payload != own.payload) {
            return Err(format!("{me} is {as_seen:?} to {other} and {own:?} to himself, {who}"));
        }
    }
    Ok(())
}
