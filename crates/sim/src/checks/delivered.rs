//! Who was there was sent every message of that time exactly once, in the order of the archive: what a stay heard is a
//! run of the archive without holes, from as far back as its history went, and lasts to its end when the stay does.
//!
//! Whose site was cut off has heard what was said there ahead of the rest; each of the two in its order. Who came to an island may
//! have missed what had been said there before; who left one hears of nothing that was said elsewhere meanwhile.
//!
//! What the rooms' server has lost with its disk and has had once more has another place than when it was first told; whoever was told
//! then is not told again.

use super::Evidence;
use super::people::domain;
use crate::users::archive::Archived;
use crate::users::stays::{Stay, body_of};
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let messages: Vec<&str> = evidence.archive.iter().filter(|row| row.body.is_some()).map(|row| &*row.id).collect();
    let places: BTreeMap<&str, usize> = messages.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let (said, fates, undone) = (said(evidence), evidence.fates(), evidence.undone());
    let gaps = evidence.gaps();
    for stay in evidence.stays.iter().filter(|stay| !evidence.is_excused(stay)) {
        // What is not in the archive is for another check to tell.
        let heard = stay.heard.iter();
        let heard = heard.filter_map(|(id, body)| Some((*places.get(id.as_str())?, id.as_str(), body.as_str())));
        let was_lost = |(_, id, _): &Heard<'_>| {
            fates.had_otherwise_until_ms(id, domain(&stay.who)).is_some_and(|until| stay.from_ms <= until)
        };
        let (before, heard): (Vec<Heard<'_>>, Vec<Heard<'_>>) = heard.partition(was_lost);
        once(stay, &before)?;
        let is_ahead = |heard: &&Heard<'_>| stay.ahead.iter().any(|id| id == heard.1);
        let (ahead, rest): (Vec<Heard<'_>>, Vec<Heard<'_>>) = heard.iter().partition(is_ahead);
        // Of what was shown at its site the history shows the last. What is heard later, as of who had no voice there, was not shown.
        let said_here = |id: &str| said.get(id).filter(|said| said.site == domain(&stay.who)).map(|said| said.at);
        let entered = (stay.from_ms + 1, 0);
        let from = ahead.iter().filter_map(|(_, id, _)| said_here(id)).min().unwrap_or(entered).min(entered);
        let was_before = |place: usize| messages.get(place).and_then(|id| said_here(id)).is_some_and(|at| at < from);
        in_order(stay, &ahead)?;
        in_order(stay, &rest)?;
        // What was heard ahead has its place behind all else; who has gone by then was not there for what comes before it.
        let stayed = stay.to_ms.is_none() && !stay.left_split;
        let until = if stayed { heard.iter().max() } else { rest.iter().max() };
        complete(stay, &heard, until, |place| {
            let is_otherwise = before.iter().any(|(at, ..)| *at == place) || undone.contains(messages[place]);
            let is_lacked = gaps.may_lack(domain(&stay.who), messages[place]);
            is_otherwise || is_lacked || stay.came_split && was_before(place)
        })?;
        let last = heard.iter().chain(&before).map(|(place, ..)| place + 1).max();
        if stay.to_ms.is_none() && last.unwrap_or(0) != messages.len() {
            return Err(format!("{} since {}: has not heard the end", stay.who, stay.from_ms));
        }
    }
    Ok(())
}

/// A message that was heard: its place in the archive, id, body.
type Heard<'a> = (usize, &'a str, &'a str);

fn once(stay: &Stay, heard: &[Heard<'_>]) -> Result<(), String> {
    let mut places = BTreeSet::new();
    match heard.iter().find(|(place, ..)| !places.insert(place)) {
        Some((_, id, body)) => Err(format!("{} since {}: once more {body:?} ({id})", stay.who, stay.from_ms)),
        None => Ok(()),
    }
}

fn in_order(stay: &Stay, heard: &[Heard<'_>]) -> Result<(), String> {
    for pair in heard.windows(2) {
        if let [(before, ..), (place, id, body)] = pair
            && place <= before
        {
            let who = format!("{} since {}", stay.who, stay.from_ms);
            return Err(format!("{who}: again or out of order at {body:?} ({id})"));
        }
    }
    Ok(())
}

/// Whether it has heard all from the first it heard to `until`.
fn complete(
    stay: &Stay,
    heard: &[Heard<'_>],
    until: Option<&Heard<'_>>,
    may_miss: impl Fn(usize) -> bool,
) -> Result<(), String> {
    let places: BTreeSet<usize> = heard.iter().map(|(place, ..)| *place).collect();
    let (Some(first), Some((last, ..))) = (places.first(), until) else { return Ok(()) };
    let missing: Vec<usize> = (*first..*last).filter(|place| !places.contains(place) && !may_miss(*place)).collect();
    match missing.first() {
        None => Ok(()),
        Some(hole) => {
            let behind = heard.iter().filter(|(place, ..)| place > hole).min();
            let who = format!("{} since {}", stay.who, stay.from_ms);
            Err(format!("{who}: {} missing before {behind:?}", missing.len()))
        }
    }
}

/// Where and when something was said: at that time, and among what was said then in this place of the tape.
#[derive(Clone, Copy)]
struct Said<'a> {
    site: &'a str,
    at: (u64, usize),
}

/// Where and when each message was said, by its id in the archive.
fn said<'a>(evidence: &Evidence<'a>) -> BTreeMap<&'a str, Said<'a>> {
    let mut by_body: BTreeMap<String, Said<'a>> = BTreeMap::new();
    for (place, telling) in evidence.tape.tellings.iter().enumerate() {
        if let Scene::Sent(stanza) = &telling.what
            && let Some(body) = body_of(stanza)
        {
            // Each is said but once.
            by_body.insert(body, Said { site: domain(&telling.who), at: (telling.at_ms, place) });
        }
    }
    let of_row = |row: &'a Archived| Some((row.id.as_str(), *by_body.get(row.body.as_ref()?)?));
    evidence.archive.iter().filter_map(of_row).collect()
}
