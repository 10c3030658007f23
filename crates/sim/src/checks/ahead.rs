//! What people have seen at their site ahead of the room, and their site does not know any more: it has lost the disk on which that stood
//! (protocol, 7: disks keep what was promised). A room that has such a message takes it for one like any other: who pages on from
//! it is not promised what had been told before it.

use super::Evidence;
use super::fates::Fates;
use super::people::domain;
use crate::users::stays::stanza_id;
use crate::world::Scene;
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Ahead<'a> {
    /// When the room's word of a message first came to a site, by site and id.
    told_ms: BTreeMap<(&'a str, &'a str), u64>,
    /// By client: what it has seen ahead of that, and when.
    ahead: BTreeMap<&'a str, Vec<(&'a str, u64)>>,
    /// The ids of what its author's site has lost with its disk.
    lost: BTreeSet<&'a str>,
}

impl<'a> Ahead<'a> {
    pub fn of(evidence: &Evidence<'a>, fates: &Fates<'_>) -> Ahead<'a> {
        let is_lost = |body: &Option<String>| body.as_ref().is_some_and(|body| fates.is_lost_with_disk(body));
        let lost = evidence.archive.iter().filter(|row| is_lost(&row.body)).map(|row| &*row.id).collect();
        let mut ahead = Ahead { told_ms: BTreeMap::new(), ahead: BTreeMap::new(), lost };
        if ahead.lost.is_empty() {
            return ahead;
        }
        let from_room = evidence.tape.crossings.iter().filter(|crossing| crossing.from == evidence.room.domain());
        for crossing in from_room.filter(|crossing| !crossing.lost) {
            if let Some(id) = stanza_id(&crossing.stanza, evidence.room) {
                ahead.told_ms.entry((&crossing.to, id)).or_insert(crossing.at_ms);
            }
        }
        for telling in &evidence.tape.tellings {
            let Scene::Received(stanza) = &telling.what else { continue };
            let id = stanza_id(stanza, evidence.room).filter(|id| ahead.lost.contains(id));
            if let Some(id) = id.filter(|id| ahead.is_news(domain(&telling.who), id, telling.at_ms)) {
                ahead.ahead.entry(&telling.who).or_default().push((id, telling.at_ms));
            }
        }
        ahead
    }

    /// Whether a client may lack a message that stands before, in the room's order, what it had seen ahead; `is_before` says what does.
    pub fn may_lack(&self, who: &str, id: &str, is_before: impl Fn(&str) -> bool) -> bool {
        let seen = self.ahead.get(who).into_iter().flatten();
        seen.into_iter().any(|(seen, at_ms)| is_before(seen) && self.is_news(domain(who), id, *at_ms))
    }

    /// Whether the room's word of it had not come to a site by then.
    fn is_news(&self, site: &str, id: &str, at_ms: u64) -> bool {
        self.told_ms.get(&(site, id)).is_none_or(|told_ms| *told_ms > at_ms)
    }
}
