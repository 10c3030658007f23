//! What must hold. P1 to P10 as the simulator numbers them, where the model knows of them.

use crate::protocol::Protocol;
use crate::state::{Body, Record, Roster, SITES, Seat, State, User};
use stateright::Property;

/// All properties. Those of rest are judged where nothing is under way, all links are whole and all servers run.
pub fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always("P1 no message twice in the one order", |_, state| once(state)),
        Property::always("P1 a message keeps the id under which it was shown", |_, state| ids_stay(state)),
        Property::always("P1 a mirror is the beginning of the one order", |_, state| mirrors_follow(state)),
        Property::always("P1 only a removal voids what was accepted", |_, state| refused_with_cause(state)),
        Property::always("P3 nobody hears anything twice", |_, state| heard_once(state)),
        Property::always("what goes on by itself comes to an end", |_, state| ends(state)),
        Property::always("P1 what was accepted is in the one order or recorded as refused", at_rest(accounted)),
        Property::always("P1 a mirror at rest is the one order", at_rest(mirrors_equal)),
        Property::always("P2 everybody sees the same people", at_rest(same_people)),
        Property::always("P3 who stayed has heard everything, in the one order", at_rest(heard_all)),
        Property::always("P8 who was kicked is out", at_rest(kicked_out)),
        Property::always("P10 who believes to be in is in", at_rest(nobody_outside)),
        Property::always("P10 who asked has been answered", at_rest(nobody_waits)),
    ]
}

/// Makes a function of a condition on states at rest.
macro_rules! at_rest_of {
    ($($name:ident),*) => { $(fn $name(protocol: &Protocol, state: &State) -> bool {
        !protocol.is_at_rest(state) || rest::$name(state)
    })* };
}

fn at_rest(judge: fn(&Protocol, &State) -> bool) -> fn(&Protocol, &State) -> bool {
    judge
}

at_rest_of!(accounted, mirrors_equal, same_people, heard_all, kicked_out, nobody_outside, nobody_waits);

/// Each registration is another, so what went round in circles would register without end.
fn ends(state: &State) -> bool {
    state.sites.iter().all(|site| site.attempt < REGISTRATIONS_MAX)
}

fn once(state: &State) -> bool {
    let log = &state.primary.log;
    log.iter().enumerate().all(|(at, row)| !log[..at].iter().any(|other| other.body == row.body || other.id == row.id))
}

fn ids_stay(state: &State) -> bool {
    let promised = &state.record.promised;
    let in_log = |body: Body| state.primary.log.iter().find(|row| row.body == body);
    promised.iter().all(|row| in_log(row.body).is_none_or(|found| found == row))
}

fn mirrors_follow(state: &State) -> bool {
    state.sites.iter().all(|site| state.primary.log.starts_with(&site.mirror))
}

fn refused_with_cause(state: &State) -> bool {
    let record = &state.record;
    let excused = record.voided | record.forgotten;
    let bodies = record.authors.iter().zip(0..);
    bodies.filter(|(_, body)| Record::has(record.refused, *body)).all(|(&author, _)| Record::has(excused, author as u8))
}

fn heard_once(state: &State) -> bool {
    state.sites.iter().all(|site| match &site.user {
        User::In { heard, .. } => {
            let twice = |at: usize| heard[..at].iter().any(|other| other.row.body == heard[at].row.body);
            !(0..heard.len()).any(twice)
        }
        _ => true,
    })
}

/// More registrations than the faults within any bounds cause.
pub(crate) const REGISTRATIONS_MAX: u8 = 20;

/// What is looked at when nothing is under way.
mod rest {
    use super::*;

    pub fn accounted(state: &State) -> bool {
        let in_log = |body: Body| state.primary.log.iter().any(|row| row.body == body);
        (0..state.record.authors.len() as Body)
            .filter(|&body| Record::has(state.record.accepted, body))
            .all(|body| in_log(body) != Record::has(state.record.refused, body))
    }

    pub fn mirrors_equal(state: &State) -> bool {
        state.sites.iter().filter(|s| matches!(s.user, User::In { .. })).all(|site| site.mirror == state.primary.log)
    }

    pub fn same_people(state: &State) -> bool {
        let roster = Roster::of(&state.primary);
        state.sites.iter().filter(|s| matches!(s.user, User::In { .. })).all(|site| site.roster == roster)
    }

    pub fn heard_all(state: &State) -> bool {
        state.sites.iter().all(|site| {
            let User::In { since, heard } = &site.user else { return true };
            let time = state.primary.log.get(*since..).unwrap_or_default();
            let later: Vec<_> = heard.iter().filter(|heard| !heard.early).map(|heard| heard.row).collect();
            let in_order = time.iter().filter(|row| later.contains(row)).eq(&later);
            in_order && heard.len() == time.len() && time.iter().all(|row| heard.iter().any(|h| h.row == *row))
        })
    }

    pub fn kicked_out(state: &State) -> bool {
        (0..SITES)
            .filter(|&site| Record::has(state.record.kicked, site as u8))
            .all(|site| state.sites[site].user == User::Out && !matches!(state.primary.seats[site], Seat::Here(_)))
    }

    pub fn nobody_outside(state: &State) -> bool {
        (0..SITES).all(|site| {
            let believes = matches!(state.sites[site].user, User::In { .. });
            believes == matches!(state.primary.seats[site], Seat::Here(_))
        })
    }

    pub fn nobody_waits(state: &State) -> bool {
        state.sites.iter().all(|site| site.user != User::Asking)
    }
}
