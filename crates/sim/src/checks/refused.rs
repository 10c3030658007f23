//! Protocol 4.2 and 5.5: what a replica has relayed it keeps until it has had its outcome. Whoever is told of that by his own site hears
//! no more than the room has decided: not that the room was not reached, which is the site's to make good, not that the room
//! has refused what it never did, and not that something has failed which it has told, but that it was taken back.

use super::Evidence;
use crate::users::stays::{RETRACT, stanza_id};
use crate::users::view::condition;
use crate::world::{Crossing, Scene};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Jid, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let links = OnLinks::of(evidence);
    for stay in evidence.stays {
        for (id, why) in &stay.refused {
            let (who, named) = (&stay.who, (&*stay.who, &**id));
            let Some(heard) = Heard::of(evidence, named) else { continue };
            let Some(relayed) = links.relayed.get(&named).filter(|relayed| heard.is_behind(relayed)) else { continue };
            let befalls_room = |domain: &str, at_ms: u64| domain == evidence.room.domain() && at_ms >= relayed.at_ms;
            let is_taken_back = why == "policy-violation" && links.has_taken_back(id);
            let is_undone = || evidence.tape.set_back.iter().any(|lost| befalls_room(&lost.domain, lost.to_ms));
            if links.told.contains_key(&**id) && !is_taken_back && !is_undone() {
                return Err(format!("{who} was told {why} of {id}, which the room has told"));
            }
            // Where only that is lost his site says so.
            let is_lost = why == "undefined-condition";
            let mut refused =
                links.refused.get(&named).into_iter().flatten().filter(|refused| heard.is_behind(refused));
            let is_refused = refused.any(|refused| is_lost || condition(&refused.stanza) == *why);
            // It has had that on disk, and lost the power to say so.
            let mut crashed = evidence.crashed.iter().filter(|(_, at_ms)| *at_ms <= heard.at_ms);
            let is_unsaid = is_lost && crashed.any(|(domain, at_ms)| befalls_room(domain, *at_ms));
            if !is_refused && !is_taken_back && !is_unsaid {
                return Err(format!("{who} was told {why} of {id}, which the room has not said"));
            }
        }
    }
    Ok(())
}

/// A message, by the full address of its author and by what that calls it.
type Named<'a> = (&'a str, &'a str);

/// What was said on links, heard or not.
#[derive(Default)]
struct OnLinks<'a> {
    /// What replicas of sites that serve the room have relayed, the first time.
    relayed: BTreeMap<Named<'a>, &'a Crossing>,
    /// What the room has said an error of, each time.
    refused: BTreeMap<Named<'a>, Vec<&'a Crossing>>,
    /// The stanza-id of what it has told, by what the author calls that.
    told: BTreeMap<&'a str, &'a str>,
    /// The stanza-ids of what it has taken back.
    taken_back: BTreeSet<&'a str>,
}

impl<'a> OnLinks<'a> {
    fn of(evidence: &Evidence<'a>) -> OnLinks<'a> {
        let (mut links, tape) = (OnLinks::default(), evidence.tape);
        let grants = tape.crossings.iter().filter(|crossing| crossing.stanza.has_child("granted", ns::NETJOIN));
        let granted: BTreeSet<&str> = grants.map(|crossing| &*crossing.to).collect();
        for crossing in tape.crossings.iter().filter(|crossing| crossing.stanza.name() == "message") {
            if crossing.from == evidence.room.domain() {
                links.down(crossing, evidence.room);
            } else if granted.contains(&*crossing.from) {
                links.up(crossing);
            }
        }
        links
    }

    fn down(&mut self, crossing: &'a Crossing, room: &Jid) {
        let stanza = &crossing.stanza;
        self.taken_back.extend(stanza.get_child("retract", RETRACT).and_then(|retract| retract.get("id")));
        match (stanza.get("type"), stanza.get("id"), stanza.get("to")) {
            (Some("error"), Some(id), Some(to)) => self.refused.entry((to, id)).or_default().push(crossing),
            (Some("groupchat"), Some(id), _) => self.told.extend(stanza_id(stanza, room).map(|by| (id, by))),
            _ => {}
        }
    }

    fn up(&mut self, crossing: &'a Crossing) {
        let stanza = &crossing.stanza;
        let is_relayed = stanza.get_child("x", ns::DMUC).is_some_and(|x| x.has_child("up", ns::NETJOIN));
        if let (Some(from), Some(id), true) = (stanza.get("from"), stanza.get("id"), is_relayed) {
            self.relayed.entry((from, id)).or_insert(crossing);
        }
    }

    /// Whether a moderator has had it taken back.
    fn has_taken_back(&self, id: &str) -> bool {
        self.told.get(id).is_some_and(|id| self.taken_back.contains(id))
    }
}

/// That a client was told of a message of its own that it has failed.
struct Heard {
    at_ms: u64,
    /// Its place among all that clients have seen and done.
    place: usize,
}

impl Heard {
    fn of(evidence: &Evidence<'_>, (who, id): Named<'_>) -> Option<Heard> {
        let place = evidence.tape.tellings.iter().position(|telling| {
            let Scene::Received(stanza) = &telling.what else { return false };
            telling.who == who && stanza.get("type") == Some("error") && stanza.get("id") == Some(id)
        })?;
        Some(Heard { at_ms: evidence.tape.tellings[place].at_ms, place })
    }

    /// Whether that was put on a link before.
    fn is_behind(&self, crossing: &Crossing) -> bool {
        crossing.told <= self.place
    }
}
