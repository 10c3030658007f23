//! Protocol 6: a site that comes back to a life of the room that is over is told that the room was destroyed, and nothing of its island
//! becomes another's.
//!
//! For as long as the seats of a split site are kept; what a crash of the rooms' server has cost is not promised, nor is a site told
//! again what it was told and has lost with its disk.

use super::Evidence;
use super::people::is_destroyed;
use std::collections::BTreeMap;
use xmpp::{Element, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let rooms = evidence.room.domain();
    // The life that the room was last known to have, when each was over, and requests that resume one of those.
    let (mut present, mut over): (Option<&str>, BTreeMap<&str, u64>) = (None, BTreeMap::new());
    let mut asked: BTreeMap<(&str, &str), &Element> = BTreeMap::new();
    // Which sites have been told of an end, and when.
    let mut told: Vec<(&str, u64)> = Vec::new();
    for crossing in &evidence.tape.crossings {
        let (stanza, at_ms) = (&crossing.stanza, crossing.at_ms);
        if let Some(replicate) = stanza.get_child("replicate", ns::NETJOIN) {
            let resumed = replicate.get_child("resume", ns::NETJOIN).and_then(|resume| resume.get("incarnation"));
            let ended_ms = resumed.and_then(|life| over.get(life));
            let comes_back = replicate.get_child("census", ns::NETJOIN).is_some_and(|c| c.children().next().is_some());
            if comes_back && ended_ms.is_some_and(|ended_ms| at_ms < ended_ms + evidence.retention_ms) {
                asked.extend(stanza.get("from").zip(stanza.get("id")).map(|key| (key, stanza)));
            }
        }
        if crossing.from != rooms {
            continue;
        }
        let answered = stanza.get("to").zip(stanza.get("id")).filter(|_| stanza.name() == "iq");
        if let Some(request) = answered.and_then(|key| asked.remove(&key)) {
            let crashed = evidence.crashed.iter().any(|(server, crashed_ms)| server == rooms && *crashed_ms <= at_ms);
            let knew = told.iter().any(|(site, told_ms)| {
                let mut lost = evidence.tape.set_back.iter().filter(|lost| lost.domain == *site);
                *site == crossing.to && lost.any(|lost| lost.has_lost(*told_ms))
            });
            if !is_destroyed(stanza) && !crashed && !knew {
                return Err(format!("{request} is answered at {at_ms}: {stanza}"));
            }
        }
        if let Some(granted) = stanza.get_child("granted", ns::NETJOIN) {
            present = granted.get("incarnation");
        }
        if is_destroyed(stanza) && stanza.name() == "presence" {
            over.extend(present.map(|life| (life, at_ms)));
            told.extend((!crossing.lost).then_some((&*crossing.to, at_ms)));
        }
    }
    Ok(())
}
