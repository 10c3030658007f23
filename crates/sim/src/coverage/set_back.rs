//! What a run had to show in which the rooms' server has lost its disk and has gone on with an older one (`docs/wire.md`, *Set back*).

use crate::users::stays::{body_of, stanza_id};
use crate::world::{Scene, Tape};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// Everything there is to be seen.
pub(super) const RULES: [&str; 5] = [OLDER, TOLD, ONCE_MORE, EMPTY, ANOTHER];

const OLDER: &str = "set back: the room goes on with an older disk";
const TOLD: &str = "set back: people are told so";
const ONCE_MORE: &str = "set back: what was told is told once more, in another place";
const EMPTY: &str = "set back: the room is gone with its disk";
const ANOTHER: &str = "set back: an island is told that it is, once there is another";

/// What of it a run has shown.
pub(super) fn seen(tape: &Tape, room: &Jid) -> impl Iterator<Item = &'static str> {
    let lost = |empty: bool| tape.set_back.iter().any(|l| l.domain == room.domain() && l.is_empty() == empty);
    let (older, empty) = (lost(false), lost(true));
    let says_so = |stanza: &Element| body_of(stanza).is_some_and(|body| body.starts_with(SAYS_SO));
    let told = || tape.tellings.iter().any(|t| matches!(&t.what, Scene::Received(stanza) if says_so(stanza)));
    let shown = [
        (OLDER, older),
        (TOLD, older && told()),
        (ONCE_MORE, older && is_told_twice(tape, room)),
        (EMPTY, empty),
        (ANOTHER, empty && tape.on_links().any(says_gone)),
    ];
    shown.into_iter().filter(|(_, shown)| *shown).map(|(what, _)| what)
}

/// Whether a message has had two places.
fn is_told_twice(tape: &Tape, room: &Jid) -> bool {
    let mut places: BTreeMap<&str, &str> = BTreeMap::new();
    tape.on_links().any(|stanza| {
        let at = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
        let told = stanza_id(stanza, room).zip(at.and_then(|at| at.get("seq")));
        told.is_some_and(|(id, seq)| *places.entry(id).or_insert(seq) != seq)
    })
}

/// Whether a request is about a room that is no more.
fn says_gone(stanza: &Element) -> bool {
    let error = stanza.get_child("error", ns::CLIENT).filter(|_| stanza.name() == "iq");
    error.is_some_and(|error| error.has_child("destroyed", ns::NETJOIN))
}

/// How the words begin by which a site says so.
const SAYS_SO: &str = "The server of this room has been set back";
