//! What a site lacks, and says that it does (`docs/wire.md`, *Set back*): the room has gone on with a copy of its disk and does not know
//! the last that the site had; what it had told meanwhile, of which the site has not heard, is missing there.

use super::Evidence;
use crate::users::stays::stanza_id;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

pub(super) struct Gaps<'a> {
    /// When the room first told of each message, by its id.
    told_ms: BTreeMap<&'a str, u64>,
    /// By site: when it was last told of a gap, and what it had been sent by then since the room lost its disk.
    gaps: BTreeMap<&'a str, (u64, BTreeSet<&'a str>)>,
}

impl<'a> Gaps<'a> {
    pub fn of(evidence: &Evidence<'a>) -> Gaps<'a> {
        let rooms = evidence.room.domain();
        let mut lost =
            evidence.tape.set_back.iter().filter(|lost| lost.domain == rooms).map(|lost| lost.crossed).peekable();
        let (mut told_ms, mut gaps) = (BTreeMap::new(), BTreeMap::new());
        let mut sent: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (place, crossing) in evidence.tape.crossings.iter().enumerate() {
            if lost.next_if(|crossed| *crossed <= place).is_some() {
                sent.clear();
            }
            if crossing.from != rooms {
                continue;
            }
            let site = crossing.to.as_str();
            if let Some(id) = stanza_id(&crossing.stanza, evidence.room) {
                told_ms.entry(id).or_insert(crossing.at_ms);
                sent.entry(site).or_default().extend((!crossing.lost).then_some(id));
            }
            // Without a loss a site that is told so fails by it.
            if is_gap(&crossing.stanza)
                && evidence.tape.set_back.iter().any(|lost| lost.domain == rooms && lost.crossed <= place)
            {
                gaps.insert(site, (crossing.at_ms, sent.get(site).cloned().unwrap_or_default()));
            }
        }
        Gaps { told_ms, gaps }
    }

    /// Whether people at a site may lack a message for that.
    pub fn may_lack(&self, site: &str, id: &str) -> bool {
        let Some((gap_ms, sent)) = self.gaps.get(site) else { return false };
        !sent.contains(id) && self.told_ms.get(id).is_some_and(|told_ms| told_ms <= gap_ms)
    }
}

/// Whether a snapshot ends with a gap.
fn is_gap(stanza: &Element) -> bool {
    let synced = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("synced", ns::NETJOIN));
    synced.is_some_and(|synced| synced.get("gap") == Some("true"))
}
