//! The replica's records on disk.
//!
//! | space | owner | key | |
//! |---|---|---|---|
//! | `mirror` | room | `meta` | [`Meta`]: where the mirror stands |
//! | `outbox` | room | outbox and place | [`Said`]: what was relayed or accepted and has not had its outcome |
//!
//! Rows of the archive `mirror:` and the room are what was said. No real JID is on disk but those of the site's own users.

use super::Replica;
use super::archive::Whole;
use super::history::archive_of;
use super::life::{Life, Sign};
use super::mirror::{Mirror, Place};
use super::numbers::{Entry, Outbox, Provisionally};
use super::provisional::ISLAND_SEQ;
use super::refused;
use super::site::{Cx, Due, Resting};
use crate::flaws::flaw;
use machine::{AudienceId, Change, Now, Output, Record, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid};

/// The record `mirror`/(room)/`meta`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Meta {
    incarnation: String,
    term: String,
    seq: u64,
    /// Behind which event its archive has no hole, and since when, Unix milliseconds; of an older record nothing is known.
    #[serde(default)]
    whole: Option<(u64, i64)>,
}

/// The record `outbox`/(room)/(outbox and place).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    /// Its number.
    n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nick: Option<String>,
    stanza: String,
    /// When it was accepted, and the last event known then, where it is to be told of as something that an island has shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    island: Option<(i64, u64)>,
    /// Who kicked the leaver, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kicked: Option<(String, Option<String>)>,
}

/// The key of an outbox's record; keys sort in accepted order.
pub(super) fn outbox_key(outbox: &str, place: u64) -> String {
    format!("{outbox} {place:020}")
}

/// The record of an entry, where it has one.
pub(super) fn outbox_put(room: &Jid, entry: &Entry) -> Option<Change> {
    let said = Said {
        n: entry.n,
        nick: entry.nick.as_ref().map(ToString::to_string),
        stanza: entry.stanza.to_xml(),
        island: entry.accepted().map(|p| (p.said_ms, p.base)),
        kicked: entry.kicked.as_ref().map(|(kicker, reason)| (kicker.to_string(), reason.clone())),
    };
    Some(Change::Put {
        space: "outbox",
        owner: room.to_string(),
        key: entry.key.clone()?,
        value: serde_json::to_string(&said).expect("a record of strings"),
    })
}

/// The end of an entry's record.
pub(super) fn outbox_gone(room: &Jid, key: String) -> Change {
    Change::Delete { space: "outbox", owner: room.to_string(), key }
}

impl Mirror {
    /// Where the mirror stands; and what the disk may have behind that, since it was full when the room had lost it, is put aside.
    pub(super) fn stands(&mut self, cx: &Cx<'_>) -> Vec<Change> {
        let lost = self.lost_aside(self.last_row(), cx);
        vec![lost, self.meta_change()]
    }

    fn meta_change(&self) -> Change {
        let owner = self.room.to_string();
        match &self.link.place {
            Some(Place { incarnation, term, seq, whole }) => {
                let whole = Some((whole.behind, whole.since_ms));
                let meta = Meta { incarnation: incarnation.clone(), term: term.clone(), seq: *seq, whole };
                let value = serde_json::to_string(&meta).expect("a record of strings and a number");
                Change::Put { space: "mirror", owner, key: "meta".into(), value }
            }
            None => Change::Delete { space: "mirror", owner, key: "meta".into() },
        }
    }

    /// The room is no more: nothing of it is kept.
    pub(super) fn forget(&mut self, cx: &mut Cx<'_>) {
        // Should the disk not take it, the next room under this name finds out whose that is, and removes it then.
        self.link.former = self.link.place.take().map(Place::origin);
        cx.keep(vec![self.meta_change(), Change::DeleteArchive { archive: self.archive() }]);
        self.end_for(Condition::Gone, Sign::Refused, cx);
        self.sign(Sign::Expired, cx);
    }
}

impl Replica {
    /// Takes up what is on disk. Only rooms with something in an outbox are registered with again by themselves.
    pub(super) fn load(&mut self, records: Vec<Record>, recent: Vec<Row>) {
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        let mut said: BTreeMap<(String, String), String> = BTreeMap::new();
        for record in records {
            match record.space.as_str() {
                "mirror" => {
                    if let Ok(Meta { incarnation, term, seq, whole }) = serde_json::from_str(&record.value) {
                        let (behind, since_ms) = whole.unwrap_or((seq, i64::MIN));
                        let whole = Whole { behind, since_ms };
                        places.insert(record.owner, Place { incarnation, term, seq, whole });
                    }
                }
                "outbox" => drop(said.insert((record.owner, record.key), record.value)),
                _ => {}
            }
        }
        for ((owner, key), value) in said {
            let (Ok(room), Ok(said)) = (Jid::new(&owner), serde_json::from_str::<Said>(&value)) else { continue };
            let Ok(stanza) = Element::parse(&said.stanza) else { continue };
            let mirror = self.mirror_of_before(room, &mut places);
            let mut name = key.split(' ').next().unwrap_or_default().to_owned();
            if flaw!(OutboxRenamed) {
                name.push('x');
            }
            if mirror.older.last().is_none_or(|outbox| outbox.name != name) {
                mirror.older.push(Outbox::new(name));
            }
            if let Some(outbox) = mirror.older.last_mut() {
                let nick = said.nick.and_then(|nick| nick.parse().ok());
                let provisionally = said.island.map(|(said_ms, base)| Provisionally { said_ms, base });
                let mut entry = Entry::new(said.n, stanza, nick, Some(key));
                entry.provisionally = provisionally;
                entry.kicked = said.kicked.and_then(|(kicker, reason)| Some((kicker.parse().ok()?, reason)));
                outbox.load(entry);
            }
        }
        let rests = |(room, place): (&String, &Place)| {
            let resting = Resting { of: place.clone().origin(), used_ms: 0 };
            Some((Jid::new(room).ok()?, resting))
        };
        self.site.resting = places.iter().filter_map(rests).collect();
        self.site.timers.set(Due::Old, Some(0));
        for row in recent {
            self.site.refused.extend(refused::room_of(&row.archive));
            let Some(room) = row.archive.strip_prefix("mirror:").and_then(|room| Jid::new(room).ok()) else { continue };
            if let Some(resting) = self.site.resting.get_mut(&room) {
                resting.used_ms = row.stamp_ms.max(resting.used_ms);
            }
            if row.seq >= ISLAND_SEQ {
                // Said on an island: no place that was reached.
                continue;
            }
            let Some(mirror) = self.mirrors.get_mut(&room) else { continue };
            if let Some(place) = &mut mirror.link.place
                && row.seq >= mirror.past.last_seq()
            {
                place.seq = row.seq.max(place.seq);
                mirror.past.came_to(row.seq, &row.id);
            }
        }
    }

    /// Once a day: what was said longer ago than is kept goes, and so does the mirror of a room that nobody here has been
    /// in for as long.
    pub(super) fn clear_out(&mut self, now: Now, out: &mut Vec<Output>) {
        let before_ms = now.unix_ms - i64::from(self.site.config.mirror_days) * DAY_MS;
        let mut changes = Vec::new();
        self.site.resting.retain(|room, resting| {
            let archive = archive_of(room);
            if resting.used_ms < before_ms {
                let owner = room.to_string();
                changes.push(Change::Delete { space: "mirror", owner, key: "meta".into() });
                changes.push(Change::DeleteArchive { archive });
                return false;
            }
            changes.push(Change::TrimArchive { archive, before_ms });
            true
        });
        let in_use = self.mirrors.values().filter(|mirror| mirror.link.place.is_some());
        changes.extend(in_use.map(|mirror| Change::TrimArchive { archive: mirror.archive(), before_ms }));
        changes.extend(self.site.refused.iter().flat_map(|room| refused::trimmed(room, before_ms)));
        self.cx(now, out).keep(changes);
        self.site.timers.set(Due::Old, Some(now.mono_ms + DAY_MS as u64));
    }

    fn mirror_of_before(&mut self, room: Jid, places: &mut BTreeMap<String, Place>) -> &mut Mirror {
        let site = &mut self.site;
        self.mirrors.entry(room).or_insert_with_key(|room| {
            let start = Now { mono_ms: 0, unix_ms: 0 };
            let (audience, outbox) = (AudienceId(site.random()), Outbox::new(site.name()));
            let mut mirror = Mirror::with(room.clone(), audience, outbox, start);
            // Nothing goes out before its users' server says who of them is there.
            let first = (!site.is_attachable()).then_some(0);
            (mirror.life, mirror.link.retry_at) = (Life::Suspect, first);
            mirror.link.place = places.remove(room.as_str());
            site.timers.set(Due::Room(room.clone()), first);
            mirror
        })
    }
}

/// A day.
pub(super) const DAY_MS: i64 = 86_400_000;
