//! A check of everything a store holds.

use crate::backup::Progress;
use crate::clearing::IS_NAMED;
use crate::error::StoreError;
use crate::file;
use crate::schema;
use rusqlite::Connection;
use std::path::Path;
use xmpp::Element;

/// Problems that are told in full; more are only counted.
const PROBLEMS_MAX: usize = 100;
/// Progress is told every so many records and rows.
const PROGRESS_EVERY: u64 = 1_000;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Archives read.
    pub archives: u64,
    /// Rows read.
    pub rows: u64,
    /// What is wrong, a sentence each, without any body; the first of them.
    pub problems: Vec<String>,
    /// How many are wrong in all.
    pub problems_count: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems_count == 0
    }

    fn problem(&mut self, sentence: String) {
        self.problems_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(sentence);
        }
    }
}

/// Checks a store, served or not, as it is at this moment: the database itself, that every record is JSON and every
/// archived stanza XML, that ids are unique, that places rise and stamps never fall with them.
///
/// What is wrong is in the report; an error means that the file could not be looked at. Progress counts records and
/// rows.
pub fn verify(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, StoreError> {
    let connection = file::open_reading(path)?;
    let version = schema::version(&connection, path)?;
    let mut report = Report::default();
    if version < schema::VERSION {
        report.problem(format!(
            "the schema is version {version} where this netjoin writes {}; serving the file once brings it up",
            schema::VERSION
        ));
    }
    let mut check = Check { connection: &connection, report, at: Progress { done: 0, total: 0 }, progress };
    if let Err(error) = check.all() {
        check.report.problem(format!("the database cannot be read through: {error}"));
    }
    Ok(check.report)
}

struct Check<'a> {
    connection: &'a Connection,
    report: Report,
    at: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl Check<'_> {
    fn all(&mut self) -> rusqlite::Result<()> {
        let snapshot = self.connection.unchecked_transaction()?;
        let total: i64 =
            snapshot.query_row("SELECT (SELECT count(*) FROM state) + (SELECT count(*) FROM archive)", [], |row| {
                row.get(0)
            })?;
        self.at.total = total.unsigned_abs();
        self.integrity(&snapshot)?;
        self.records(&snapshot)?;
        self.archives(&snapshot)?;
        (self.progress)(self.at);
        Ok(())
    }

    /// SQLite's own check: pages, order, and that each index, the unique ones too, agrees with its table.
    fn integrity(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut check = connection.prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))?;
        let mut lines = check.query([])?;
        while let Some(line) = lines.next()? {
            let line: String = line.get(0)?;
            if line != "ok" {
                self.report.problem(format!("database: {line}"));
            }
        }
        Ok(())
    }

    fn records(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut select = connection.prepare("SELECT space, owner, key, value FROM state ORDER BY space, owner, key")?;
        let mut records = select.query([])?;
        while let Some(record) = records.next()? {
            let value: String = record.get(3)?;
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&value) {
                let (space, owner, key): (String, String, String) = (record.get(0)?, record.get(1)?, record.get(2)?);
                self.report.problem(format!("record {space} of {owner}, key {key:?}: not JSON: {error}"));
            }
            self.report.records += 1;
            self.step();
        }
        Ok(())
    }

    fn archives(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let nameless: i64 = connection.query_row(
            "SELECT count(*) FROM archive WHERE archive NOT IN (SELECT number FROM archives)",
            [],
            |row| row.get(0),
        )?;
        if nameless != 0 {
            self.report.problem(format!("{nameless} archived rows belong to no archive"));
        }
        let mut select =
            connection.prepare(&format!("SELECT number, name FROM archives WHERE {IS_NAMED} ORDER BY name"))?;
        let mut archives = select.query([])?;
        while let Some(archive) = archives.next()? {
            self.rows(connection, archive.get(0)?, &archive.get::<_, String>(1)?)?;
            self.report.archives += 1;
        }
        Ok(())
    }

    fn rows(&mut self, connection: &Connection, archive: i64, name: &str) -> rusqlite::Result<()> {
        let mut select = connection
            .prepare_cached("SELECT seq, id, stamp_ms, stanza FROM archive WHERE archive = ?1 ORDER BY seq")?;
        let mut rows = select.query([archive])?;
        let mut before: Option<(i64, i64)> = None;
        while let Some(row) = rows.next()? {
            let (seq, stamp_ms): (i64, i64) = (row.get(0)?, row.get(2)?);
            let wrong = |what: &str| format!("archive {name}, seq {seq}: {what}");
            if Element::parse(&row.get::<_, String>(3)?).is_err() {
                self.report.problem(wrong("the stanza is not XML"));
            }
            if let Some((before_seq, before_stamp_ms)) = before {
                if seq <= before_seq {
                    self.report.problem(wrong("the place does not rise"));
                }
                if stamp_ms < before_stamp_ms {
                    self.report.problem(wrong("the stamp is earlier than the one before"));
                }
            }
            before = Some((seq, stamp_ms));
            self.report.rows += 1;
            self.step();
        }
        Ok(())
    }

    fn step(&mut self) {
        self.at.done += 1;
        if self.at.done.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(self.at);
        }
    }
}
