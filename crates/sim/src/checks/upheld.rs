//! Protocol 5.3: only a removal by somebody voids what was said, and a join alone puts nobody out. Whose seat a split has cost has it
//! again, and what he said before he left counts.
//!
//! A crash of the rooms' server may cost seats, a site that has lost its disk has lost its words, and who was away for so long that
//! nobody remembers him comes anew. Who is entered again had gone for all others, so his site was away for as long as seats are kept.

use super::Evidence;
use super::people::{Occupant, People, bare, between_servers, domain, subject};
use crate::users::stays::Stay;
use crate::users::view::{condition, is_destroyed, statuses};
use crate::world::{Crossing, Scene, Telling};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

pub(super) fn check(evidence: &Evidence<'_>) -> Result<(), String> {
    let rooms = evidence.room.domain();
    let (mut causes, former) = (Causes::default(), evidence.of_former_rooms());
    let said_ms: BTreeMap<&str, u64> = evidence.tape.tellings.iter().filter_map(said).collect();
    for crossing in &evidence.tape.crossings {
        if crossing.from == rooms {
            causes.note(crossing);
            for (who, id, kept_times) in put_out(&crossing.stanza) {
                let at_ms = id.map_or(crossing.at_ms, |id| said_ms.get(id).copied().unwrap_or_default());
                let Some(stay) = stay_of(evidence, who, id, at_ms) else { continue };
                let mut said = stay.said.iter().filter(|(said, _)| id == Some(said));
                let crashes = evidence.crashed.iter().filter(|(server, _)| server == rooms);
                let is_excused = evidence.was_direct(stay)
                    || crashes.into_iter().any(|(_, at_ms)| *at_ms <= crossing.at_ms)
                    || evidence.tape.set_back.iter().any(|lost| lost.domain == domain(who))
                    || said.any(|(_, body)| former.contains(body))
                    || causes.away_ms(crossing, stay.from_ms) >= kept_times * evidence.retention_ms
                    || causes.removed.get(bare(who)).is_some_and(|at_ms| *at_ms >= causes.entered_ms(stay));
                if !is_excused {
                    return Err(format!(
                        "{who}, in since {}, was removed by nobody: {}",
                        stay.from_ms, crossing.stanza
                    ));
                }
            }
        }
        causes.met(evidence.room, crossing);
    }
    Ok(())
}

/// Who is not in, as a stanza of the room says, by a verdict or since what he said under this id is refused for it; or was not, and is
/// entered again. And for how many times the retention his site has to be away for that.
fn put_out(stanza: &Element) -> Vec<(&str, Option<&str>, u64)> {
    if stanza.name() == "message" && stanza.get("type") == Some("error") && condition(stanza) == "not-acceptable" {
        return stanza.get("to").zip(stanza.get("id")).map(|(to, id)| (to, Some(id), 2)).into_iter().collect();
    }
    let seats = stanza.get_child("granted", ns::NETJOIN).into_iter().flat_map(Element::children);
    let is_out = |seat: &Element| match (seat.get("verdict"), seat.get("status")) {
        (Some("reenter"), _) => Some(1),
        (_, Some("333")) => Some(2),
        _ => None,
    };
    seats.filter_map(|seat| Some((seat.get("jid")?, None, is_out(seat)?))).collect()
}

/// The time in the room in which that was said, at this time, or which is ended by it. Who has asked to leave is not promised anything.
fn stay_of<'a>(evidence: &Evidence<'a>, who: &str, said: Option<&str>, at_ms: u64) -> Option<&'a Stay> {
    let lasts = |stay: &&Stay| stay.from_ms < at_ms && stay.to_ms.is_none_or(|to_ms| to_ms > at_ms);
    // Of who came to an island a verdict is about the time before.
    let said_in = |stay: &&Stay| match said {
        Some(said) => stay.said.iter().any(|(id, _)| id == said),
        None => !stay.came_split,
    };
    evidence.stays.iter().filter(|stay| stay.who == who).filter(lasts).find(said_in)
}

/// When something was said, by its id.
fn said(telling: &Telling) -> Option<(&str, u64)> {
    let Scene::Sent(stanza) = &telling.what else { return None };
    stanza.get("id").filter(|_| stanza.get("type") == Some("groupchat")).map(|id| (id, telling.at_ms))
}

/// What has been seen of why somebody may be out.
#[derive(Default)]
struct Causes<'a> {
    people: People,
    /// When each user was last removed by somebody, as the room says: by bare address.
    removed: BTreeMap<String, u64>,
    /// When the room has let each client in, in rising order.
    entered: BTreeMap<String, Vec<u64>>,
    /// When something was put on a link that was whole, in rising order.
    met: BTreeMap<(&'a str, &'a str), Vec<u64>>,
    /// By which site each registration was asked for that has not been answered.
    asked: BTreeMap<&'a str, &'a str>,
}

impl<'a> Causes<'a> {
    fn note(&mut self, crossing: &Crossing) {
        let (stanza, at_ms) = (&crossing.stanza, crossing.at_ms);
        self.people.crossed(crossing);
        let enter = between_servers(stanza).and_then(|x| x.get_child("enter", ns::DMUC));
        if let Some(full) = enter.and_then(|enter| enter.get("jid")) {
            self.entered.entry(full.to_owned()).or_default().push(at_ms);
        }
        if is_destroyed(stanza) {
            self.removed.values_mut().for_each(|removed_ms| *removed_ms = at_ms);
        }
        if stanza.name() == "presence" && EXCLUSIONS.contains(&condition(stanza).as_str()) {
            // Whom somebody has shut out meanwhile, and his site has let in while it was cut off: he is not, and never was.
            self.removed.extend(stanza.get("to").map(|full| (bare(full).to_owned(), at_ms)));
        }
        let is_removal = statuses(stanza).any(|code| REMOVALS.contains(&code));
        if stanza.name() == "presence" && is_removal {
            let user = Occupant::of(stanza).and_then(|occupant| self.people.user(&occupant.id).map(str::to_owned));
            self.removed.extend(subject(stanza).map(|full| bare(full).to_owned()).or(user).map(|user| (user, at_ms)));
        }
        let seats = stanza.get_child("granted", ns::NETJOIN).into_iter().flat_map(Element::children);
        let removed = seats.filter(|seat| seat.get("status").is_some_and(|code| REMOVALS.contains(&code)));
        self.removed.extend(removed.filter_map(|seat| Some((bare(seat.get("jid")?).to_owned(), at_ms))));
    }

    /// Notes what shows that a site is there. Once it is split that is its registration alone, which has arrived when it is answered: in
    /// what it answers a ping with until then it names no room.
    fn met(&mut self, room: &Jid, crossing: &'a Crossing) {
        let (stanza, id) = (&crossing.stanza, crossing.stanza.get("id").unwrap_or_default());
        if stanza.has_child("replicate", ns::NETJOIN) {
            self.asked.insert(id, &crossing.from);
            return;
        }
        let site = if stanza.name() == "iq" { self.asked.remove(id) } else { None };
        let asked = site.filter(|site| *site == crossing.to).map(|site| (site, crossing.from.as_str()));
        let sent = Some((crossing.from.as_str(), crossing.to.as_str()));
        let pair = sent.filter(|_| !crossing.lost && !names_nothing(stanza, room));
        for pair in asked.into_iter().chain(pair) {
            self.met.entry(pair).or_default().push(crossing.at_ms);
        }
    }

    /// When the room let somebody in for a stay: before he learned of it, so that he may be removed between the two.
    fn entered_ms(&self, stay: &Stay) -> u64 {
        let entered = self.entered.get(&stay.who).into_iter().flatten().copied();
        entered.take_while(|at_ms| *at_ms <= stay.from_ms).last().unwrap_or(stay.from_ms)
    }

    /// For how long at a stretch the site had not been reached, or not been heard, since then.
    fn away_ms(&self, crossing: &Crossing, since_ms: u64) -> u64 {
        let pair = (crossing.from.as_str(), crossing.to.as_str());
        let longest = |pair| {
            let met = self.met.get(&pair).into_iter().flatten().copied().filter(|at_ms| *at_ms >= since_ms);
            let times: Vec<u64> = [since_ms].into_iter().chain(met).chain([crossing.at_ms]).collect();
            times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
        };
        longest(pair).max(longest((pair.1, pair.0)))
    }
}

/// Whether these are the heads of a site that has no link to the room, `docs/wire.md`, Keepalive.
fn names_nothing(stanza: &Element, room: &Jid) -> bool {
    let ping = stanza.get_child("ping", ns::PING).unwrap_or(stanza);
    let is_of_room = |head: &Element| head.get("room") == Some(room.as_str());
    ping.get_child("heads", ns::NETJOIN).is_some_and(|heads| !heads.children().any(is_of_room))
}

/// As what somebody is refused who has been banned, or is no member any more, XEP-0045 7.2.6 and 7.2.7.
const EXCLUSIONS: [&str; 2] = ["forbidden", "registration-required"];
/// What somebody does to another, XEP-0045 15.6.2.
const REMOVALS: [&str; 4] = ["301", "307", "321", "322"];
