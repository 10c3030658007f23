//! Protocol property P9: a client that pages the archive from its last id gets every message that it was not sent. What was said
//! before the first message it ever had is not promised, nor, until it has entered anew, what is said behind its own leave.
//!
//! Looked at whenever a client was told that there is no more, also by its site while the room was not reached, and in the end.

use super::Evidence;
use super::ahead::Ahead;
use super::people::domain;
use crate::users::record::Record;
use crate::users::stays::stanza_id;
use std::collections::BTreeMap;

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let rows: Vec<&str> = evidence.archive.iter().filter(|row| row.body.is_some()).map(|row| &*row.id).collect();
    let places: BTreeMap<&str, usize> = evidence.archive.iter().enumerate().map(|(at, row)| (&*row.id, at)).collect();
    let (said, fates) = (first_told(evidence), evidence.fates());
    let (undone, gaps, ahead) = (evidence.undone(), evidence.gaps(), Ahead::of(evidence, fates));
    for (who, record) in evidence.records {
        let excused = |id: &str| {
            // Who was told that it was taken back has it no more, and is not told that it was not.
            let is_behind = |other: &str| places.get(other) > places.get(id);
            if undone.contains(id) || gaps.may_lack(domain(who), id) || ahead.may_lack(who, id, is_behind) {
                return true;
            }
            let at_ms = said.get(id).copied().unwrap_or_default();
            let mut stays = evidence.stays.iter().filter(|stay| stay.who == *who && evidence.is_excused(stay));
            stays
                .any(|stay| stay.from_ms <= at_ms + super::ENTERING_MS && stay.to_ms.is_none_or(|to_ms| at_ms <= to_ms))
        };
        let place = |id: &str| places.get(id).copied();
        let Some(first) = first_had(record).find_map(place) else { continue };
        let lacks = |upto: usize, got: usize| {
            let promised = rows.iter().filter(|id| place(id).is_some_and(|at| (first..=upto).contains(&at)));
            let had = |id: &str| record.has.get(id).is_some_and(|number| *number < got);
            promised.copied().filter(|id| !had(id) && !excused(id)).collect::<Vec<_>>()
        };
        for claim in &record.claims {
            let Some(upto) = place(&claim.upto) else { continue };
            if fates.had_otherwise_until_ms(&claim.upto, domain(who)).is_some_and(|until| claim.at_ms <= until) {
                // It had another place then.
                continue;
            }
            if let Some(id) = lacks(upto, claim.got).first() {
                return Err(format!(
                    "{who} was told at {} that it has all up to {}, and has not {id}",
                    claim.at_ms, claim.upto
                ));
            }
        }
        let is_in = record.is_in() && evidence.views.get(who).is_some_and(|view| view.me.is_some());
        if is_in && !record.is_whole() {
            return Err(format!("{who} was never told that it has all"));
        }
        if is_in && let Some(id) = lacks(usize::MAX, usize::MAX).first() {
            return Err(format!("{who} has paged to the end, and has not {id}"));
        }
    }
    Ok(())
}

/// What a client has, in the order it got it.
fn first_had(record: &Record) -> impl Iterator<Item = &str> {
    let mut had: Vec<(usize, &str)> = record.has.iter().map(|(id, number)| (*number, id.as_str())).collect();
    had.sort_unstable();
    had.into_iter().map(|(_, id)| id)
}

/// When the room first told each message: an island may have shown it long before.
fn first_told<'a>(evidence: &Evidence<'a>) -> BTreeMap<&'a str, u64> {
    let mut told = BTreeMap::new();
    for crossing in evidence.tape.crossings.iter().filter(|crossing| crossing.from == evidence.room.domain()) {
        if let Some(id) = stanza_id(&crossing.stanza, evidence.room) {
            let first = told.entry(id).or_insert(crossing.at_ms);
            *first = crossing.at_ms.min(*first);
        }
    }
    told
}
