//! What people have seen at another place of the one order than it has in the room. Their site has shown it ahead of the room, and has lost
//! the disk that knew (protocol, 7: disks keep what was promised); or the room had told it, has lost that with its own disk, and
//! has told it once more behind what came since (`docs/wire.md`, *Set back*). Who pages on from such a message goes on from where it is: he
//! is not promised what had come to stand before it meanwhile.

use super::Evidence;
use super::fates::Fates;
use super::people::domain;
use crate::users::stays::stanza_id;
use crate::world::Scene;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Ahead<'a> {
    /// When the room's word of a message first came to a site, by site and id.
    told_ms: BTreeMap<(&'a str, &'a str), u64>,
    /// By client: what it has seen at another place, and when.
    seen: BTreeMap<&'a str, Vec<(&'a str, u64)>>,
}

impl<'a> Ahead<'a> {
    pub fn of(evidence: &Evidence<'a>, fates: &Fates<'_>) -> Ahead<'a> {
        let mut ahead = Ahead::default();
        if evidence.tape.set_back.is_empty() {
            return ahead;
        }
        let from_room = evidence.tape.crossings.iter().filter(|crossing| crossing.from == evidence.room.domain());
        for crossing in from_room.filter(|crossing| !crossing.lost) {
            if let Some(id) = stanza_id(&crossing.stanza, evidence.room) {
                ahead.told_ms.entry((&crossing.to, id)).or_insert(crossing.at_ms);
            }
        }
        let rows = evidence.archive.iter().filter_map(|row| Some((&*row.id, row.body.as_deref()?)));
        let bodies: BTreeMap<&str, &str> = rows.collect();
        for telling in &evidence.tape.tellings {
            let Scene::Received(stanza) = &telling.what else { continue };
            let Some((id, body)) = stanza_id(stanza, evidence.room).and_then(|id| Some((id, *bodies.get(id)?))) else {
                continue;
            };
            let (site, at_ms) = (domain(&telling.who), telling.at_ms);
            let had_otherwise = fates.had_otherwise_until_ms(body, site).is_some_and(|until_ms| at_ms <= until_ms);
            if had_otherwise || (fates.is_lost_with_disk(body) && ahead.is_news(site, id, at_ms)) {
                ahead.seen.entry(&telling.who).or_default().push((id, at_ms));
            }
        }
        ahead
    }

    /// Whether a client may lack a message that has come to stand before what it had seen; `is_before` says of what it does.
    pub fn may_lack(&self, who: &str, id: &str, is_before: impl Fn(&str) -> bool) -> bool {
        let seen = self.seen.get(who).into_iter().flatten();
        seen.into_iter().any(|(seen, at_ms)| is_before(seen) && self.is_news(domain(who), id, *at_ms))
    }

    /// Whether the room's word of it had not come to a site by then.
    fn is_news(&self, site: &str, id: &str, at_ms: u64) -> bool {
        self.told_ms.get(&(site, id)).is_none_or(|told_ms| *told_ms > at_ms)
    }
}
