//! The format of our own: a JSON object a line (`docs/switching.md`). The head; records; messages, archive by archive in their
//! order; the end, which says how many there were, so that a file that was cut short is known by it.

use crate::error::{Place, TransferError};
use crate::report::Report;
use crate::sink::{Sink, Target};
use accounts::records;
use machine::{Author, Born, Change, Record, Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::Path;
use store::{Held, Progress};
use xmpp::stanza::{format_ms, parse_ms};
use xmpp::{Element, Jid};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The version of the format.
    netjoin: u32,
    /// Where the accounts live, when there are any.
    domain: Option<String>,
    /// Where the rooms are, when there are any.
    rooms: Option<String>,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Line {
    Record {
        space: String,
        owner: String,
        key: String,
        value: serde_json::Value,
    },
    Message {
        archive: String,
        seq: u64,
        id: String,
        /// XEP-0082, to the millisecond.
        stamp: String,
        with: String,
        stanza: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        author: Option<Writer>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        born: Option<Birth>,
    },
    End {
        end: End,
    },
}

/// [`Author`] as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Writer {
    /// The real address, full.
    jid: String,
    affiliation: String,
    role: String,
}

impl Writer {
    fn of(author: Author) -> Writer {
        let jid = match author.resource.as_str() {
            "" => author.bare,
            resource => format!("{}/{resource}", author.bare),
        };
        Writer { jid, affiliation: author.affiliation.into_owned(), role: author.role.into_owned() }
    }

    /// The other way; `None` where the address is none.
    fn author(self) -> Option<Author> {
        let jid = Jid::new(&self.jid).ok()?;
        let (bare, resource) = (jid.bare_str().to_owned(), jid.resource().unwrap_or_default().to_owned());
        Some(Author { bare, resource, affiliation: self.affiliation.into(), role: self.role.into() })
    }
}

/// [`Born`] as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Birth {
    base: u64,
    site: String,
}

/// How many lines there were of each kind.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    records: u64,
    messages: u64,
}

/// The spaces of rooms that mean something elsewhere: who is in the room and what its links have come to do not.
const ROOM_SPACES: [&str; 6] = ["room", "affiliation", "voice", "applicant", "invited", "left"];

/// The version that is written and read.
const VERSION: u32 = 1;
/// Longest line, bytes: a vCard with pictures is the longest record.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// Whether a file begins like one of these.
pub(crate) fn is_one(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{\"netjoin\":")
}

/// Writes what a store holds of rooms and accounts.
pub(crate) fn write(
    from: &Path,
    target: &Target,
    to: (&Path, &mut dyn Write),
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, TransferError> {
    let (path, out) = to;
    let name = |domain: &Option<Jid>| domain.as_ref().map(Jid::to_string);
    let head = Head { netjoin: VERSION, domain: name(&target.domain), rooms: name(&target.rooms) };
    put((path, out), &head)?;
    let (mut report, mut end, mut rooms) = (Report::default(), End::default(), BTreeSet::new());
    store::walk(from, tell, &mut |held| match held {
        Held::Record(Record { space, owner, key, value }) => {
            let is_room = ROOM_SPACES.contains(&space.as_str());
            if !is_room && !records::SPACES.contains(&space.as_str()) {
                return Ok(());
            }
            if is_room {
                rooms.insert(owner.clone());
            }
            end.records += 1;
            report.count(&space, &key);
            let place = || format!("record {space} of {owner}");
            let value = serde_json::from_str(&value)
                .map_err(|error| TransferError::broken(from, place(), error.to_string()))?;
            put((path, out), &Line::Record { space, owner, key, value })
        }
        // Mirrors are of rooms elsewhere.
        Held::Row(row) if !rooms.contains(&row.archive) => Ok(()),
        Held::Row(Row { archive, seq, id, stamp_ms, with, stanza, author, born }) => {
            end.messages += 1;
            report.messages += 1;
            let born = born.map(|Born { base, site }| Birth { base, site });
            let (stamp, author) = (format_ms(stamp_ms), author.map(Writer::of));
            put((path, out), &Line::Message { archive, seq, id, stamp, with, stanza, author, born })
        }
    })?;
    put((path, out), &Line::End { end })?;
    Ok(report)
}

/// Reads such a file.
pub(crate) fn read(path: &Path, sink: &mut Sink<'_, '_>, tell: &mut dyn FnMut(Progress)) -> Result<(), TransferError> {
    let file = std::fs::File::open(path).map_err(TransferError::io(path))?;
    let total = file.metadata().map_err(TransferError::io(path))?.len();
    let mut reading = Reading { path, from: BufReader::new(file), line: 0, at: Progress { done: 0, total } };
    let head: Head = reading.next()?.ok_or_else(|| reading.wrong("the file is empty"))?;
    if head.netjoin != VERSION {
        return Err(reading.wrong(format!("version {} is not known here, only {VERSION}", head.netjoin)));
    }
    let mut counted = End::default();
    loop {
        let line = reading.next()?.ok_or_else(|| reading.wrong("the file was cut short: its end is missing"))?;
        match line {
            Line::Record { space, owner, key, value } => {
                counted.records += 1;
                let record = Record { space, owner, key, value: value.to_string() };
                take_record(record, &head, sink, &reading)?;
            }
            Line::Message { archive, seq, id, stamp, with, stanza, author, born } => {
                counted.messages += 1;
                let stamp_ms = parse_ms(&stamp).ok_or_else(|| reading.wrong("the stamp is no date and time"))?;
                Element::parse(&stanza).map_err(|error| reading.wrong(format!("the stanza: {error}")))?;
                let born = born.map(|Birth { base, site }| Born { base, site });
                let author =
                    author.map(|writer| writer.author().ok_or_else(|| reading.wrong("the author is no address")));
                let author = author.transpose()?;
                if sink.takes_room(&archive)? {
                    sink.message(Row { archive, seq, id, stamp_ms, with, stanza, author, born })?;
                }
            }
            Line::End { end } if end == counted => return Ok(()),
            Line::End { .. } => return Err(reading.wrong("the file is not whole: lines are missing")),
        }
        tell(reading.at);
    }
}

fn take_record(
    record: Record,
    head: &Head,
    sink: &mut Sink<'_, '_>,
    reading: &Reading<'_>,
) -> Result<(), TransferError> {
    let Record { space, owner, key, value } = record.clone();
    let taken = if let Some(space) = ROOM_SPACES.into_iter().find(|known| *known == space) {
        rooms::check(&record).map_err(|why| reading.wrong(why))?;
        sink.takes_room(&owner)?.then_some(space)
    } else if let Some(space) = records::SPACES.into_iter().find(|known| *known == space) {
        records::check(&record).map_err(|why| reading.wrong(why))?;
        let domain = head.domain.as_deref().ok_or_else(|| reading.wrong("an account of no domain"))?;
        sink.takes_account(&owner, domain)?.then_some(space)
    } else {
        return Err(reading.wrong(format!("{space:?} is no kind of record that is carried over")));
    };
    match taken {
        Some(space) => sink.record(Change::Put { space, owner, key, value }),
        None => Ok(()),
    }
}

/// A file that is read line by line.
struct Reading<'p> {
    path: &'p Path,
    from: BufReader<std::fs::File>,
    line: usize,
    at: Progress,
}

impl Reading<'_> {
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, TransferError> {
        let mut line = Vec::new();
        let read = self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(TransferError::io(self.path))? as u64;
        self.line += 1;
        self.at.done += read;
        if read == LINE_BYTES_MAX {
            return Err(self.wrong("the line is too long"));
        }
        if read == 0 {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&line);
        parsed.map(Some).map_err(|error| self.wrong(error.to_string()))
    }

    fn wrong(&self, what: impl Into<String>) -> TransferError {
        let place = Place::Line { line: self.line, column: 1 };
        TransferError::Broken { path: self.path.to_owned(), place, what: what.into() }
    }
}

/// Writes a line.
fn put((path, out): (&Path, &mut dyn Write), line: &impl Serialize) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from).map_err(TransferError::io(path))?;
    out.write_all(b"\n").map_err(TransferError::io(path))
}
