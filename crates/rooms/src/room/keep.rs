//! The room's records on disk: which there are, and how they are written and read again.
//!
//! | space | owner | key | |
//! |---|---|---|---|
//! | `room` | room | `meta` | [`Meta`] |
//! | `room` | room | `subject` | [`Said`] |
//! | `room` | room | `vcard` | its XML |
//! | `room` | room | `hats` | [`Hats`] |
//! | `left` | room | bare JID | where in the order somebody on a list was when he was here last; kept lazily |
//! | `affiliation` | room | bare JID | [`Affiliated`] |
//! | `voice` | room | bare JID | the [`Role`] of the next visit (5.1) |
//! | `applicant` | room | bare JID | [`Applied`] (7.10) |
//! | `invited` | room | a name | [`Sent`]; kept lazily (7.8.2) |
//! | `occupant` | room | full JID | [`Seated`]; kept lazily, but that it was kicked before that is told |
//! | `mark` | room | replica and outbox | `primary/marks` |
//! | `tombstone` | room | incarnation | `primary/`; when there is no room any more |

use super::avatar::Vcard;
use super::hats::Hats;
use super::ids::Secret;
use super::invite::Invited;
use super::register::Applicant;
use super::{Affiliated, Apply, Config, Cx, Life, Lost, Order, Past, Room, Session, Via};
use crate::names::{Nick, Role, Status};
use crate::service::PrimaryConfig;
use crate::wire::Removed;
use machine::{Change, Record, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use xmpp::{Element, Jid, Shared};

/// The record `room`/(jid)/`meta`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub config: Config,
    pub incarnation: String,
    pub secret: [u8; 32],
    /// Numbers of the order reserved so far.
    pub reserved: u64,
    /// Whether its owner has not opened it yet.
    #[serde(default)]
    pub locked: bool,
}

/// The record `room`/(jid)/`subject`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Said {
    pub seq: u64,
    pub id: String,
    pub stamp_ms: i64,
    pub stanza: String,
}

/// The record `occupant`/(room)/(full JID).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seated {
    pub nick: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// Of one behind a replica, which may not know of it yet: that somebody has removed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_out: Option<PutOut>,
}

/// How somebody was removed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PutOut {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<Nick>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The last event of the room before that.
    pub behind: u64,
}

impl PutOut {
    /// As its user is to be told.
    pub fn removed(self) -> Removed {
        Removed { status: Status(self.status), actor: self.actor, reason: self.reason }
    }
}

impl Seated {
    /// One that somebody has removed behind that event.
    pub fn removed(nick: &Nick, removed: &Removed, behind: u64) -> Seated {
        let Removed { status, actor, reason } = removed.clone();
        Seated {
            nick: nick.to_string(),
            replica: None,
            put_out: Some(PutOut { status: status.0, actor, reason, behind }),
        }
    }
}

/// The record `applicant`/(room)/(bare JID): a registration that waits for an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What was filled in, by field.
    pub form: BTreeMap<String, Vec<String>>,
}

/// The record `invited`/(room)/(name): an invitation that may still be answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Unix milliseconds.
    pub at_ms: i64,
    pub by: String,
    pub to: String,
    /// By which address the invited knows the inviter.
    pub named: String,
    /// What the inviter sent.
    pub request: String,
}

/// The records of one room as loaded.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    meta: Option<Meta>,
    subject: Option<Past>,
    vcard: Option<Vcard>,
    hats: Hats,
    left: Vec<(Jid, u64)>,
    affiliations: Vec<(Jid, Affiliated)>,
    voices: BTreeMap<Jid, Role>,
    applicants: Vec<Applicant>,
    invited: Vec<Invited>,
    lost: Vec<Lost>,
    put_out: Vec<(Jid, Nick, PutOut)>,
    /// The spaces that are not the room's own: (space, key, value).
    pub others: Vec<(String, String, String)>,
}

impl Kept {
    /// Takes one record; one that cannot be read is said why.
    pub fn take(&mut self, record: &Record) -> Result<(), String> {
        let why = |e: serde_json::Error| format!("record {} of {}: {e}", record.space, record.owner);
        match (record.space.as_str(), record.key.as_str()) {
            ("room", "meta") => self.meta = Some(serde_json::from_str(&record.value).map_err(why)?),
            ("room", "subject") => {
                let said: Said = serde_json::from_str(&record.value).map_err(why)?;
                self.subject = Past::read(said.seq, said.id, said.stamp_ms, &said.stanza);
            }
            ("room", "vcard") => {
                let xml: String = serde_json::from_str(&record.value).map_err(why)?;
                self.vcard = Vcard::kept(&xml);
            }
            ("room", "hats") => self.hats = serde_json::from_str(&record.value).map_err(why)?,
            ("left", key) => {
                let jid = Jid::new(key).map_err(|e| format!("who left {}: {e}", record.owner))?;
                self.left.push((jid, serde_json::from_str(&record.value).map_err(why)?));
            }
            ("affiliation", key) => {
                let jid = Jid::new(key).map_err(|e| format!("an affiliation of {}: {e}", record.owner))?;
                self.affiliations.push((jid, serde_json::from_str(&record.value).map_err(why)?));
            }
            ("voice", key) => {
                let jid = Jid::new(key).map_err(|e| format!("a voice in {}: {e}", record.owner))?;
                self.voices.insert(jid, serde_json::from_str(&record.value).map_err(why)?);
            }
            ("applicant", key) => {
                let jid = Jid::new(key).map_err(|e| format!("an applicant of {}: {e}", record.owner))?;
                self.applicants.push(Applicant { jid, applied: serde_json::from_str(&record.value).map_err(why)? });
            }
            ("invited", key) => {
                let sent: Sent = serde_json::from_str(&record.value).map_err(why)?;
                let invited = Invited::kept(key, &sent);
                self.invited
                    .push(invited.ok_or_else(|| format!("an invitation of {} is no longer one", record.owner))?);
            }
            ("occupant", key) => {
                let jid = Jid::new(key).map_err(|e| format!("an occupant of {}: {e}", record.owner))?;
                let seated: Seated = serde_json::from_str(&record.value).map_err(why)?;
                let nick: Nick = seated.nick.parse().map_err(|e| format!("a nick in {}: {e}", record.owner))?;
                let replica = seated.replica.and_then(|replica| Jid::new(&replica).ok());
                match seated.put_out {
                    Some(put_out) => self.put_out.push((jid, nick, put_out)),
                    None => self.lost.push(Lost { jid, nick, via: replica.map_or(Via::Direct, Via::Replica) }),
                }
            }
            _ => self.others.push((record.space.clone(), record.key.clone(), record.value.clone())),
        }
        Ok(())
    }

    /// The subject as it is written.
    pub fn subject(past: &Past) -> Said {
        Said { seq: past.seq, id: past.id.clone(), stamp_ms: past.stamp_ms, stanza: past.stanza.element().to_xml() }
    }
}

impl Room {
    /// The room as it was kept; `None` when its main record is missing.
    pub fn load(jid: Jid, number: u32, service: Arc<PrimaryConfig>, seed: [u8; 32], kept: Kept) -> Option<Room> {
        let meta = kept.meta?;
        let mut room = Room::unborn(jid, number, service, seed);
        room.order = Order {
            incarnation: meta.incarnation,
            secret: Secret::new(meta.secret),
            // What was reserved may have been given.
            seq: meta.reserved,
            begun: meta.reserved,
            reserved: meta.reserved,
            ..room.order
        };
        room.life = if meta.locked { Life::Locked } else { Life::Open };
        room.kept = true;
        room.config = meta.config;
        room.affiliations = kept.affiliations.into_iter().collect();
        room.subject = kept.subject;
        room.voices = kept.voices;
        let (mut applicants, mut invited) = (kept.applicants, kept.invited);
        applicants.sort_by_key(|applicant| applicant.applied.at_ms);
        invited.sort_by_key(|invited| invited.at_ms);
        (room.applicants, room.invited) = (applicants.into(), invited.into());
        room.vcard = kept.vcard;
        room.hats = kept.hats;
        room.left = kept.left.into_iter().collect();
        room.kept_until_ms = if kept.lost.is_empty() { 0 } else { u64::MAX };
        room.lost = kept.lost;
        for (jid, nick, put_out) in kept.put_out {
            room.links.removals.restore(jid, nick, put_out);
        }
        for (_, key, value) in kept.others.iter().filter(|(space, ..)| space == "mark") {
            // A mark that cannot be read is as good as none: what it covered is acknowledged by the next request.
            let _ = room.links.load_mark(key, value);
        }
        Some(room)
    }

    /// A row of the archive, oldest first, for the history.
    pub fn recall(&mut self, row: &Row) {
        self.order.stamp_ms = self.order.stamp_ms.max(row.stamp_ms);
        // Where numbers could not be reserved for a while, the archive knows better which were given.
        self.order.seq = self.order.seq.max(row.seq);
        self.order.begun = self.order.seq;
        let Some(past) = Past::read(row.seq, row.id.clone(), row.stamp_ms, &row.stanza) else { return };
        // The subject has a record of its own, and what was taken back is not said again.
        let said = past.stanza.element();
        if super::worth_keeping(said) && !super::is_tombstone(said) {
            self.remember(past);
        }
    }

    /// The record as it stands.
    pub fn meta_change(&self) -> Change {
        match self.pending.as_ref().map(|pending| &pending.apply) {
            // What is being written must not be undone by what is written behind it.
            Some(Apply::Config(decided)) => self.meta_change_with(&decided.config, false),
            _ => self.meta_change_with(&self.config, matches!(self.life, Life::Unborn | Life::Locked)),
        }
    }

    /// The record with another configuration.
    pub fn meta_change_with(&self, config: &Config, locked: bool) -> Change {
        let meta = Meta {
            config: config.clone(),
            incarnation: self.order.incarnation.clone(),
            secret: self.order.secret.bytes(),
            reserved: self.order.reserved,
            locked,
        };
        put("room", &self.jid, "meta", &meta)
    }

    /// What a user is to the room for good; `None` for nothing in particular.
    pub fn affiliation_change(&self, bare: &Jid, affiliated: Option<&Affiliated>) -> Change {
        match affiliated {
            Some(affiliated) => put("affiliation", &self.jid, bare.as_str(), affiliated),
            None => delete("affiliation", &self.jid, bare.as_str()),
        }
    }

    /// Everything of the room on disk goes.
    pub fn removal_changes(&self) -> Vec<Change> {
        let owner = self.jid.to_string();
        let mut changes: Vec<Change> =
            SPACES.into_iter().map(|space| Change::DeleteAll { space, owner: owner.clone() }).collect();
        changes.push(Change::DeleteArchive { archive: owner });
        changes
    }

    /// Remembers lazily who is in the room.
    pub fn keep_session(&mut self, session: &Session, nick: &Nick, cx: &mut Cx<'_>) {
        let replica = match &session.via {
            Via::Direct => None,
            Via::Replica(replica) => Some(replica.to_string()),
        };
        let seated = Seated { nick: nick.to_string(), replica, put_out: None };
        let change = put("occupant", &self.jid, session.jid.as_str(), &seated);
        self.gate.persist(vec![change], cx.out);
    }

    /// What forgets all sessions of a seat, or keeps of those behind replicas that they were removed.
    pub fn seat_removal_changes(&self, nick: &Nick, removed: &Removed) -> Vec<Change> {
        let sessions = self.occupants.get(nick).into_iter().flat_map(|occupant| &occupant.sessions);
        let change = |session: &Session| {
            let seated = Seated::removed(nick, removed, self.order.seq);
            self.seat_change(&session.jid, Some(&seated).filter(|_| session.via != Via::Direct))
        };
        sessions.map(change).collect()
    }

    fn seat_change(&self, jid: &Jid, seated: Option<&Seated>) -> Change {
        match seated {
            Some(seated) => put("occupant", &self.jid, jid.as_str(), seated),
            None => delete("occupant", &self.jid, jid.as_str()),
        }
    }

    /// Forgets lazily who was in the room, or keeps that he was removed.
    pub fn forget_session(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        let put_out = self.links.removals.get(jid).and_then(|removal| removal.record());
        let mut changes = vec![self.seat_change(jid, put_out.as_ref())];
        let mut over = self.links.removals.take_over();
        over.retain(|jid| !self.sessions.contains_key(jid));
        changes.extend(over.iter().map(|jid| self.seat_change(jid, None)));
        let bare = jid.bare();
        let stays = || self.occupants.values().any(|o| o.bare == bare && o.sessions.iter().any(|s| s.jid != *jid));
        if self.indicates_to(&bare) && !stays() {
            self.left.insert(bare.clone(), self.order.seq);
            changes.push(put("left", &self.jid, bare.as_str(), &self.order.seq));
        }
        self.gate.persist(changes, cx.out);
        self.forget_asked(jid);
        self.doubted.remove(jid);
        cx.left.push(jid.clone());
    }
}

impl Past {
    /// Reads a message as it was kept.
    pub fn read(seq: u64, id: String, stamp_ms: i64, stanza: &str) -> Option<Past> {
        Some(Past { seq, id, stamp_ms, stanza: Shared::new(Element::parse(stanza).ok()?) })
    }
}

/// The spaces of a room's records, all of which go with it.
pub const SPACES: [&str; 8] = ["room", "affiliation", "voice", "applicant", "invited", "left", "occupant", "mark"];

/// Whether a record of a room can be loaded; else why not.
pub fn check(record: &Record) -> Result<(), String> {
    Kept::default().take(record)
}

/// A record set.
pub(crate) fn put(space: &'static str, room: &Jid, key: &str, value: &impl Serialize) -> Change {
    let value = serde_json::to_string(value).expect("records are of strings and numbers");
    Change::Put { space, owner: room.to_string(), key: key.to_owned(), value }
}

/// A record taken away.
pub(crate) fn delete(space: &'static str, room: &Jid, key: &str) -> Change {
    Change::Delete { space, owner: room.to_string(), key: key.to_owned() }
}
