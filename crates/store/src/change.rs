//! A [`Change`] as SQL.

use crate::clearing::Clearing;
use machine::{Change, Row};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

/// Highest `seq` that is kept: the database's integers are signed, and one is left so that a bound lies behind it.
pub(crate) const SEQ_MAX: u64 = i64::MAX as u64 - 1;

/// Why changes were not made.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// They contradict what is kept: the machine's mistake, not the disk's.
    Conflict,
    /// The disk or the database refused.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Refusal::Conflict,
            _ => Refusal::Disk(error),
        }
    }
}

/// Makes changes within the transaction that is open on a connection.
pub(crate) struct Applier<'c> {
    connection: &'c Connection,
    /// The archive last appended to, since appends come in runs.
    last: Option<(String, i64)>,
    clearing: Clearing,
}

impl<'c> Applier<'c> {
    /// An applier for one transaction.
    pub(crate) fn new(connection: &'c Connection) -> Applier<'c> {
        Applier { connection, last: None, clearing: Clearing::new() }
    }

    /// Makes one change.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Put { space, owner, key, value } => self.execute(
                "INSERT INTO state (space, owner, key, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (space, owner, key) DO UPDATE SET value = excluded.value",
                params![space, owner, key, value],
            ),
            Change::Delete { space, owner, key } => self
                .execute("DELETE FROM state WHERE space = ?1 AND owner = ?2 AND key = ?3", params![space, owner, key]),
            Change::DeleteAll { space, owner } => {
                self.execute("DELETE FROM state WHERE space = ?1 AND owner = ?2", params![space, owner])
            }
            Change::Append(row) => self.append(row),
            Change::Settle { row, above, aside } => self.settle(row, *above, aside),
            Change::DeleteRow { archive, id } => self.within(archive, |it, number| {
                it.execute("DELETE FROM archive WHERE archive = ?1 AND id = ?2", params![number, id])
            }),
            Change::Born { archive, ids, base } => self.bear(archive, ids, *base),
            Change::MoveRows { archive, above, below, to, shift } => {
                self.move_rows(archive, (*above, *below), to, *shift)
            }
            Change::DeleteArchive { archive } => self.delete_archive(archive),
            Change::TrimArchive { archive, before_ms } => {
                self.within(archive, |it, number| Ok(it.clearing.trim(it.connection, number, *before_ms)?))
            }
        }
    }

    fn append(&mut self, row: &Row) -> Result<(), Refusal> {
        let base = row.born.as_ref().map(|born| born.base);
        if row.seq > SEQ_MAX || base.is_some_and(|base| base > SEQ_MAX) {
            return Err(Refusal::Conflict);
        }
        let number = self.number_or_new(&row.archive)?;
        let author = row.author.as_ref();
        // Asked first rather than ON CONFLICT: only a known id is left as it is, a taken seq is a conflict.
        self.execute(
            r#"INSERT INTO archive (archive, seq, id, stamp_ms, "with", stanza, born_base, born_site,
                                    author, resource, affiliation, role)
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
               WHERE NOT EXISTS (SELECT 1 FROM archive WHERE archive = ?1 AND id = ?3)"#,
            params![
                number,
                row.seq as i64,
                row.id,
                row.stamp_ms,
                row.with,
                row.stanza,
                base.map(|base| base as i64),
                row.born.as_ref().map(|born| &born.site),
                author.map(|author| &author.bare),
                author.map(|author| &author.resource),
                author.map(|author| &author.affiliation),
                author.map(|author| &author.role)
            ],
        )
    }

    fn settle(&mut self, row: &Row, above: u64, aside: &str) -> Result<(), Refusal> {
        if row.seq > SEQ_MAX {
            return Err(Refusal::Conflict);
        }
        let (first, last) = (above.saturating_add(1).min(row.seq) as i64, row.seq as i64);
        if self.holds_before(row, first)? {
            return Ok(());
        }
        self.within(aside, |it, number| {
            it.execute("DELETE FROM archive WHERE archive = ?1 AND id = ?2", params![number, row.id])
        })?;
        self.within(&row.archive, |it, number| {
            let elsewhere = "DELETE FROM archive WHERE archive = ?1 AND id = ?2 AND seq <> ?3";
            it.execute(elsewhere, params![number, row.id, last])?;
            let others = "SELECT 1 FROM archive WHERE archive = ?1 AND seq >= ?2 AND seq <= ?3 AND id <> ?4 LIMIT 1";
            if !it.connection.prepare_cached(others)?.exists(params![number, first, last, row.id])? {
                return Ok(());
            }
            let aside = it.number_or_new(aside)?;
            let end = "SELECT COALESCE(MAX(seq), 0) FROM archive WHERE archive = ?1";
            let end: i64 = it.connection.prepare_cached(end)?.query_row([aside], |row| row.get(0))?;
            if end as u64 + row.seq >= SEQ_MAX {
                return Err(Refusal::Conflict);
            }
            it.execute(
                "UPDATE OR REPLACE archive SET archive = ?5, seq = seq - ?2 + 1 + ?6
                 WHERE archive = ?1 AND seq >= ?2 AND seq <= ?3 AND id <> ?4",
                params![number, first, last, row.id, aside, end],
            )
        })?;
        self.append(row)
    }

    fn holds_before(&self, row: &Row, first: i64) -> Result<bool, Refusal> {
        let Some(number) = number(self.connection, &row.archive)? else { return Ok(false) };
        let held = "SELECT 1 FROM archive WHERE archive = ?1 AND id = ?2 AND seq < ?3";
        Ok(self.connection.prepare_cached(held)?.exists(params![number, row.id, first])?)
    }

    fn bear(&mut self, archive: &str, ids: &[String], base: u64) -> Result<(), Refusal> {
        if base > SEQ_MAX {
            return Err(Refusal::Conflict);
        }
        self.within(archive, |it, number| {
            ids.iter().try_for_each(|id| {
                it.execute(
                    "UPDATE archive SET born_base = ?3, born_site = substr(author, instr(author, '@') + 1)
                     WHERE archive = ?1 AND id = ?2 AND born_base IS NULL AND author IS NOT NULL",
                    params![number, id, base as i64],
                )
            })
        })
    }

    fn move_rows(&mut self, from: &str, (above, below): (u64, u64), to: &str, shift: u64) -> Result<(), Refusal> {
        if below.saturating_add(shift) > SEQ_MAX {
            return Err(Refusal::Conflict);
        }
        let Some(from) = number(self.connection, from)? else { return Ok(()) };
        let above = above.min(below);
        let found = "SELECT 1 FROM archive WHERE archive = ?1 AND seq > ?2 AND seq < ?3 LIMIT 1";
        let mut found = self.connection.prepare_cached(found)?;
        if !found.exists(params![from, above as i64, below as i64])? {
            return Ok(());
        }
        let to = self.number_or_new(to)?;
        self.execute(
            "UPDATE OR REPLACE archive SET archive = ?2, seq = seq + ?5 WHERE archive = ?1 AND seq > ?3 AND seq < ?4",
            params![from, to, above as i64, below as i64, shift as i64],
        )
    }

    fn delete_archive(&mut self, name: &str) -> Result<(), Refusal> {
        self.last = None;
        self.within(name, |it, number| Ok(it.clearing.remove(it.connection, number)?))
    }

    /// Does something to an archive that is there.
    fn within(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Applier<'c>, i64) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        match number(self.connection, name)? {
            Some(number) => change(self, number),
            None => Ok(()),
        }
    }

    fn number_or_new(&mut self, name: &str) -> Result<i64, Refusal> {
        if let Some((last, number)) = &self.last
            && last == name
        {
            return Ok(*number);
        }
        let number = match number(self.connection, name)? {
            Some(number) => number,
            None => {
                self.execute("INSERT INTO archives (name) VALUES (?1)", params![name])?;
                self.connection.last_insert_rowid()
            }
        };
        self.last = Some((name.to_owned(), number));
        Ok(number)
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), Refusal> {
        self.connection.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }
}

/// The number rows of an archive carry; `None` when there is no such archive.
pub(crate) fn number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM archives WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Whether a change may leave something that is still to be cleared away.
pub(crate) fn clears(change: &Change) -> bool {
    matches!(change, Change::DeleteArchive { .. } | Change::TrimArchive { .. })
}

/// About how much memory a change takes while it waits.
pub(crate) fn bytes(change: &Change) -> usize {
    let text = match change {
        Change::Put { owner, key, value, .. } => owner.len() + key.len() + value.len(),
        Change::Delete { owner, key, .. } => owner.len() + key.len(),
        Change::DeleteAll { owner, .. } => owner.len(),
        Change::Append(row) => row_bytes(row),
        Change::Settle { row, aside, .. } => row_bytes(row) + aside.len(),
        Change::DeleteRow { archive, id } => archive.len() + id.len(),
        Change::Born { archive, ids, .. } => {
            archive.len() + ids.iter().map(|id| id.len() + size_of::<String>()).sum::<usize>()
        }
        Change::MoveRows { archive, to, .. } => archive.len() + to.len(),
        Change::DeleteArchive { archive } | Change::TrimArchive { archive, .. } => archive.len(),
    };
    text + size_of::<Change>()
}

fn row_bytes(row: &Row) -> usize {
    let author = row.author.as_ref().map_or(0, |author| author.bare.len() + author.resource.len());
    row.archive.len() + row.id.len() + row.with.len() + row.stanza.len() + author
}
