//! What became of each message: protocol property P1, a seq or a recorded refusal, as clients and links show it.

use super::people::domain;
use super::{Evidence, SetBack};
use crate::users::stays::body_of;
use crate::world::Scene;
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
    /// Sites that have lost their disks.
    set_back: &'a [SetBack],
}

impl<'a> Fates<'a> {
    pub fn of(evidence: &Evidence<'a>) -> Fates<'a> {
        let mut fates =
            Fates { said: BTreeMap::new(), refused: BTreeSet::new(), removed: Vec::new(), set_back: evidence.set_back };
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

    /// Whether its author's site has lost the disk that it was kept on.
    pub fn is_lost_with_disk(&self, body: &str) -> bool {
        let Some(said) = self.said.get(body) else { return false };
        let held = |lost: &SetBack| (lost.from_ms..=lost.to_ms).contains(&said.at_ms);
        self.set_back.iter().any(|lost| lost.domain == domain(said.who) && held(lost))
    }
}

/// The id of a message that this says has failed.
fn refusal(stanza: &Element) -> Option<&str> {
    let is_it = stanza.name() == "message" && stanza.get("type") == Some("error");
    stanza.get("id").filter(|_| is_it)
}
