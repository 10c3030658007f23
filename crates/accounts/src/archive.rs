//! The archive of one's own messages (XEP-0313 2.1.1): what a user says and is told, once, under an id that nobody guesses, for the days
//! that the host keeps it. Only the user reads it. What queries and answers look like is [`machine::archive`]'s.
//!
//! A message is not held back for its archive: the one who gets it has it. A full disk costs the copy, never the talk.

use crate::account::Archived;
use crate::carbons::HINTS;
use crate::config::{ARCHIVED_BYTES_PER_DAY_MAX, READINGS_PER_ACCOUNT_MAX};
use crate::records::{ARCHIVE_PREFIX, archive_of};
use crate::service::{Accounts, Addressed};
use machine::archive::{Asked, Next, Reading, Stability, asked};
use machine::{ArchivePage, ArchiveQuery, By, Change, Class, Now, Output, QueryId, Row};
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;
use xmpp::stanza::form::Form;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// The archives of all accounts: one order, which has gaps in each.
#[derive(Debug, Default)]
pub(crate) struct Archives {
    last_seq: u64,
    last_stamp_ms: i64,
    last_query: u64,
    readings: BTreeMap<QueryId, OwnReading>,
    /// When rows are looked for that are older than is kept.
    pub trim_ms: u64,
    /// Behind which account, while that goes on.
    trimmed: Option<String>,
}

/// A query that is being read.
#[derive(Debug)]
struct OwnReading {
    reading: Reading,
    wanted: ArchiveQuery,
    /// The full address that is meant, where rows are found by its bare one, and what has been found of it.
    exact: Option<(Jid, Vec<Row>)>,
}

impl Archives {
    /// As the store has them: the last row of each.
    pub fn restore(recent: &[Row]) -> Archives {
        let rows = || recent.iter().filter(|row| row.archive.starts_with(ARCHIVE_PREFIX));
        Archives {
            last_seq: rows().map(|row| row.seq).max().unwrap_or_default(),
            last_stamp_ms: rows().map(|row| row.stamp_ms).max().unwrap_or(i64::MIN),
            ..Archives::default()
        }
    }
}

impl Accounts {
    /// Archives a message of the user `local` with somebody; gives back what names it there, for the user's eyes alone (2.4).
    pub(crate) fn archive(
        &mut self,
        local: &str,
        with: &Jid,
        message: &Element,
        now: Now,
        out: &mut Vec<Output>,
    ) -> Option<Element> {
        if self.config.archive_days == 0 || !is_archived(message) {
            return None;
        }
        let mut said = message.clone();
        said.retain(|child| !matches!(child.ns(), ns::DMUC | ns::NETJOIN));
        let stanza = said.to_xml();
        let account = self.accounts.get_mut(local).filter(|account| !account.leaving)?;
        if !account.archived.takes(stanza.len(), now.unix_ms.div_euclid(DAY_MS)) {
            return None;
        }
        let id = format!("{:016x}", self.random.next_u64());
        let archives = &mut self.archives;
        archives.last_seq += 1;
        archives.last_stamp_ms = now.unix_ms.max(archives.last_stamp_ms);
        let row = Row {
            archive: archive_of(local),
            seq: archives.last_seq,
            id: id.clone(),
            stamp_ms: archives.last_stamp_ms,
            with: with.bare_str().to_owned(),
            stanza,
            born: None,
            author: None,
        };
        self.ledger.gate.persist(vec![Change::Append(row)], out);
        Some(Element::new("stanza-id", ns::SID).attr("by", self.bare(local)).attr("id", id))
    }

    /// 4: a query of one's own archive; the caller has seen that it is a session's own.
    pub(crate) fn ask_archive(
        &mut self,
        iq: &Addressed,
        query: &Element,
        out: &mut Vec<Output>,
    ) -> Result<Option<Element>, StanzaError> {
        if self.config.archive_days == 0 {
            return Err(Condition::ServiceUnavailable.into());
        }
        let Some(local) = iq.from.local() else { return Ok(None) };
        // 4.1.1: rows are found by the bare address; of one's own that is what one has said to oneself.
        let (reading, wanted) = match asked((&iq.from, Class::Plain), &iq.stanza, query, archive_of(local), |jid| {
            Some(By::Occupant(jid.bare_str().to_owned()))
        })? {
            Asked::Filters(answer) => {
                out.push(Output::Send { to: iq.from.clone(), stanza: Shared::new(answer) });
                return Ok(None);
            }
            Asked::Page(reading, wanted) => (reading, *wanted),
        };
        let own = self.archives.readings.values().filter(|other| other.reading.asker.bare_str() == iq.from.bare_str());
        if own.count() >= READINGS_PER_ACCOUNT_MAX {
            return Err(StanzaError::new(Condition::ResourceConstraint, "too many queries at a time"));
        }
        let with = Form::find(query).and_then(|form| Jid::new(form.get("with")?).ok());
        let exact = with.filter(|with| !with.is_bare()).map(|with| (with, Vec::new()));
        self.read(OwnReading { reading, wanted, exact }, out);
        Ok(None)
    }

    fn read(&mut self, reading: OwnReading, out: &mut Vec<Output>) {
        self.archives.last_query += 1;
        let id = QueryId(self.archives.last_query);
        out.push(Output::Query { id, query: reading.wanted.clone() });
        self.archives.readings.insert(id, reading);
    }

    /// What the store has read.
    pub(crate) fn rows(&mut self, id: QueryId, page: Option<ArchivePage>, out: &mut Vec<Output>) {
        let Some(reading) = self.archives.readings.remove(&id) else { return };
        let iq = &reading.reading.iq;
        let page = match page {
            None => return self.refuse(iq, Condition::InternalServerError, out),
            Some(page) if page.unknown_id => return self.refuse(iq, Condition::ItemNotFound, out),
            Some(page) => page,
        };
        let (reading, page) = match reading.sift(page) {
            (reading, Some(page)) => (reading, page),
            (reading, None) => return self.read(reading, out),
        };
        let (asker, archive) = (reading.reading.asker.clone(), reading.wanted.archive);
        match reading.reading.next(&asker.bare(), archive, page, Stability::Stable) {
            Next::Answer(stanzas) => {
                let sends =
                    stanzas.into_iter().map(|stanza| Output::Send { to: asker.clone(), stanza: Shared::new(stanza) });
                out.extend(sends);
            }
            Next::Read(reading, wanted) => {
                self.read(OwnReading { reading: *reading, wanted: *wanted, exact: None }, out)
            }
        }
    }

    /// Once a day all archives lose what is older than is kept, some at a time.
    pub(crate) fn trim(&mut self, now: Now, out: &mut Vec<Output>) {
        let before_ms = now.unix_ms - i64::from(self.config.archive_days) * DAY_MS;
        let from = self.archives.trimmed.take();
        let behind = self.accounts.keys().filter(|local| from.as_ref().is_none_or(|from| *local > from));
        let batch: Vec<&String> = behind.take(TRIMMED_AT_ONCE).collect();
        let changes: Vec<Change> =
            batch.iter().map(|local| Change::TrimArchive { archive: archive_of(local), before_ms }).collect();
        let last = batch.last().filter(|_| batch.len() == TRIMMED_AT_ONCE).map(|local| (*local).clone());
        self.archives.trim_ms = now.mono_ms + if last.is_some() { TRIM_PAUSE_MS } else { DAY_MS as u64 };
        self.archives.trimmed = last;
        if !changes.is_empty() {
            self.ledger.gate.persist(changes, out);
        }
    }
}

impl OwnReading {
    /// Leaves what is of the full address that is meant; no page where more is to be read until one is full of that.
    fn sift(mut self, mut page: ArchivePage) -> (OwnReading, Option<ArchivePage>) {
        let Some((with, found)) = &mut self.exact else { return (self, Some(page)) };
        let backwards = self.wanted.backwards;
        let next = if backwards { page.rows.first() } else { page.rows.last() }.map(|row| row.id.clone());
        let mut rows: Vec<Row> = page.rows.drain(..).filter(|row| is_between(row, with)).collect();
        if backwards {
            rows.append(found);
            *found = rows;
        } else {
            found.append(&mut rows);
        }
        let max = self.wanted.max;
        if let Some(next) = next.filter(|_| !page.complete && found.len() < max) {
            let place = if backwards { &mut self.wanted.before_id } else { &mut self.wanted.after_id };
            *place = Some(next);
            return (self, None);
        }
        let mut rows = std::mem::take(found);
        let complete = page.complete && rows.len() <= max;
        if backwards {
            rows.drain(..rows.len().saturating_sub(max));
        } else {
            rows.truncate(max);
        }
        (self, Some(ArchivePage { rows, complete, count: None, ..page }))
    }
}

impl Archived {
    /// Whether so many bytes more are archived on a day, counted from the first of 1970.
    fn takes(&mut self, bytes: usize, day: i64) -> bool {
        if self.day != day {
            *self = Archived { day, bytes: 0 };
        }
        let fits = self.bytes + bytes <= ARCHIVED_BYTES_PER_DAY_MAX;
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

/// Whether a row is from or to a full address.
fn is_between(row: &Row, with: &Jid) -> bool {
    let said = Element::parse(&row.stanza).ok();
    said.is_some_and(|said| ["from", "to"].iter().any(|end| said.get(end) == Some(with.as_str())))
}

/// 5.1.1: what has a body, or asks for it (XEP-0334); what is said in a room is in the room's own.
fn is_archived(message: &Element) -> bool {
    let is_hinted = |name| message.has_child(name, HINTS);
    !matches!(message.get("type"), Some("groupchat" | "error" | "headline"))
        && !is_hinted("no-store")
        && !is_hinted("no-permanent-store")
        && !message.has_child("x", ns::MUC_USER)
        && (message.has_child("body", ns::CLIENT) || is_hinted("store"))
}

const DAY_MS: i64 = 86_400_000;
/// Accounts whose archives are trimmed in one step of the store.
const TRIMMED_AT_ONCE: usize = 100;
/// Until the next of them.
const TRIM_PAUSE_MS: u64 = 1_000;
