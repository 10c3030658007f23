//! What became of each message: protocol property P1, a seq or a recorded refusal, as clients and links show it.

use super::people::domain;
use super::{ENTERING_MS, Evidence};
use crate::users::stays::{body_of, stanza_id};
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

/// Who said something, under which id, and when.
#[derive(Debug, Clone, Copy)]
struct Said<'a> {
    who: &'a str,
    id: &'a str,
    at_ms: u64,
}

/// What became of what was said, by its text; each is said but once.
pub(super) struct Fates<'a> {
    /// Who said what, and under which id.
    said: BTreeMap<String, Said<'a>>,
    /// What somebody was told that it failed, or the room has refused: (who, id).
    refused: BTreeSet<(&'a str, &'a str)>,
    /// When the room said of a session that it may not be in: what its island still held of it was refused by that.
    removed: Vec<(&'a str, u64)>,
    /// What the room has told, or said that it has it: by the text.
    told: BTreeMap<String, Told>,
    /// Each time that the room has told of a message, and which server, by stanza-id; where it has lost a disk, which alone makes a
    /// difference.
    told_ms: BTreeMap<&'a str, Vec<(u64, &'a str)>>,
    /// What clients have seen and done.
    tellings: &'a [Telling],
    /// Servers that have lost their disks.
    set_back: &'a [SetBack],
    /// The server of the room.
    rooms: &'a str,
}

impl<'a> Fates<'a> {
    pub fn of(evidence: &Evidence<'a>) -> Fates<'a> {
        let mut fates = Fates {
            said: BTreeMap::new(),
            refused: BTreeSet::new(),
            removed: Vec::new(),
            told: told(evidence),
            told_ms: told_ms(evidence),
            tellings: &evidence.tape.tellings,
            set_back: &evidence.tape.set_back,
            rooms: evidence.room.domain(),
        };
        for telling in &evidence.tape.tellings {
            match &telling.what {
                Scene::Sent(stanza) => {
                    let id = stanza.get("id").filter(|_| stanza.get("type") == Some("groupchat"));
                    if let (Some(id), Some(body)) = (id, body_of(stanza)) {
                        fates.said.insert(body, Said { who: &telling.who, id, at_ms: telling.at_ms });
                    }
                }
                Scene::Received(stanza) => fates.refused.extend(refusal(stanza).map(|id| (&*telling.who, id))),
                Scene::Connected | Scene::Ended => {}
            }
        }
        // The answer may be lost, or come to a site where its author is no longer: it is a refusal all the same.
        let from_room = evidence.tape.crossings.iter().filter(|crossing| crossing.from == evidence.room.domain());
        for crossing in from_room {
            let stanza = &crossing.stanza;
            if let Some(granted) = stanza.get_child("granted", ns::NETJOIN) {
                let removed = granted.children().filter(|seat| seat.get("verdict") == Some("removed"));
                fates.removed.extend(removed.filter_map(|seat| Some((seat.get("jid")?, crossing.at_ms))));
            }
            fates.refused.extend(refusal(stanza).and_then(|id| Some((stanza.get("to")?, id))));
        }
        fates
    }

    /// Whether the room has refused it, or its author's site has.
    pub fn is_refused(&self, body: &str) -> bool {
        self.said.get(body).is_some_and(|said| {
            let is_his = |(who, at_ms): &(&str, u64)| *who == said.who && *at_ms >= said.at_ms;
            self.refused.contains(&(said.who, said.id)) || self.removed.iter().any(is_his)
        })
    }

    /// Whether its author's site has lost the disk that it was kept on: since it was said, or since it was first shown there, should it
    /// have been on its way to the room until then.
    pub fn is_lost_with_disk(&self, body: &str) -> bool {
        let Some(said) = self.said.get(body) else { return false };
        let mut lost = self.set_back.iter().filter(|lost| lost.domain == domain(said.who)).peekable();
        if lost.peek().is_none() {
            return false;
        }
        let shows = |telling: &&Telling| {
            let Scene::Received(stanza) = &telling.what else { return false };
            domain(&telling.who) == domain(said.who) && body_of(stanza).is_some_and(|shown| shown == body)
        };
        let shown_ms = self.tellings.iter().find(shows).map(|telling| telling.at_ms);
        lost.any(|lost| lost.has_lost(said.at_ms) || shown_ms.is_some_and(|at_ms| lost.has_lost(at_ms)))
    }

    /// Where the room has lost it with its disk, and has told of it again since: until when a site has it as it was told before.
    pub fn had_otherwise_until_ms(&self, id: &str, site: &str) -> Option<u64> {
        let told = self.told_ms.get(id)?;
        let lost = self.set_back.iter().filter(|lost| lost.domain == self.rooms);
        let lost = lost.filter(|lost| told.iter().any(|(at_ms, _)| lost.has_lost(*at_ms)));
        let lost_ms = lost.map(|lost| lost.to_ms).filter(|to_ms| told.iter().any(|(at_ms, _)| at_ms > to_ms)).max()?;
        let again = told.iter().find(|(at_ms, to)| *at_ms > lost_ms && *to == site);
        Some(again.map_or(u64::MAX, |(at_ms, _)| at_ms + ENTERING_MS))
    }

    /// Whether the room has lost it with its disk: it had told of it, or had said that it has it, since the copy with which it has gone
    /// on, and has not told of it again.
    pub fn is_lost_with_room(&self, body: &str) -> bool {
        let is_lost = |at_ms: u64| self.set_back.iter().any(|s| s.domain == self.rooms && s.has_lost(at_ms));
        let Some(told) = self.told.get(body) else { return false };
        told.at_ms.iter().all(|at_ms| is_lost(*at_ms)) && told.first_ms().is_some_and(is_lost)
    }
}

/// When the room has told of a message.
#[derive(Debug, Default)]
struct Told {
    /// Each time.
    at_ms: Vec<u64>,
    /// When it first said to its author's site that it has it.
    acked_ms: Option<u64>,
}

impl Told {
    fn first_ms(&self) -> Option<u64> {
        self.at_ms.first().copied().into_iter().chain(self.acked_ms).min()
    }
}

/// What the room has told, and had, by the text.
fn told(evidence: &Evidence<'_>) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    // What was relayed and not acknowledged yet, by outbox and number.
    let mut relayed: BTreeMap<&str, BTreeMap<u64, String>> = BTreeMap::new();
    for Crossing { from, stanza, at_ms, .. } in &evidence.tape.crossings {
        let body = body_of(stanza).filter(|_| stanza.get("type") == Some("groupchat"));
        if from == evidence.room.domain() {
            if let Some(body) = body {
                told.entry(body).or_default().at_ms.push(*at_ms);
            }
            acknowledged(stanza, &mut |outbox, n| {
                let Some(relayed) = relayed.get_mut(outbox) else { return };
                let later = relayed.split_off(&(n + 1));
                for body in std::mem::replace(relayed, later).into_values() {
                    told.entry(body).or_default().acked_ms.get_or_insert(*at_ms);
                }
            });
        } else if let (Some(body), Some(up)) =
            (body, stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("up", ns::NETJOIN)))
            && let (Some(outbox), Some(n)) = (up.get("outbox"), number(up, "n"))
        {
            relayed.entry(outbox).or_default().insert(n, body);
        }
    }
    told
}

/// What the room has told when, by stanza-id.
fn told_ms<'a>(evidence: &Evidence<'a>) -> BTreeMap<&'a str, Vec<(u64, &'a str)>> {
    let rooms = evidence.room.domain();
    let mut told: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    if evidence.tape.set_back.iter().any(|lost| lost.domain == rooms) {
        for crossing in evidence.tape.crossings.iter().filter(|crossing| crossing.from == rooms) {
            if let Some(id) = stanza_id(&crossing.stanza, evidence.room) {
                told.entry(id).or_default().push((crossing.at_ms, &crossing.to));
            }
        }
    }
    told
}

/// What a stanza says that the room has had: of which outbox, and up to which number.
fn acknowledged(element: &Element, take: &mut dyn FnMut(&str, u64)) {
    if element.ns() == ns::NETJOIN
        && let Some(outbox) = element.get("outbox")
        && let Some(n) = number(element, "ack").or_else(|| number(element, "n").filter(|_| element.name() == "mark"))
    {
        take(outbox, n);
    }
    element.children().for_each(|child| acknowledged(child, take));
}

fn number(element: &Element, name: &str) -> Option<u64> {
    element.get(name)?.parse().ok()
}

/// The id of a message that this says has failed.
fn refusal(stanza: &Element) -> Option<&str> {
    let is_it = stanza.name() == "message" && stanza.get("type") == Some("error");
    stanza.get("id").filter(|_| is_it)
}
