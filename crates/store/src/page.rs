//! Pages of an archive: XEP-0313 section 4, paged as in XEP-0059.
//!
//! A page is found by its bounds in `seq`, never by counting rows off: what is before it costs nothing. Times
//! become bounds too, since stamps never fall with rising `seq` ([`Row::stamp_ms`]).

use crate::change::{SEQ_MAX, number};
use machine::{ArchivePage, ArchiveQuery, Author, Between, Born, By, Row};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// Rows in a page at the most, whatever is asked for: a page is held in memory whole.
pub const PAGE_ROWS_MAX: usize = 500;

/// A query for rows, as [`archived`] reads them.
macro_rules! select_rows {
    ($where:literal) => {
        concat!(
            r#"SELECT seq, id, stamp_ms, "with", stanza, author, resource, affiliation, role, born_base, born_site FROM archive "#,
            $where
        )
    };
}
pub(crate) use select_rows;

const ROWS_UP: &str = select_rows!("WHERE archive = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq LIMIT ?4");
const ROWS_DOWN: &str = select_rows!("WHERE archive = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?4");
// Named, since the planner would take the order of `seq` over the filter.
const ROWS_WITH_UP: &str = select_rows!(
    r#"INDEXED BY archive_with WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND "with" = ?5 ORDER BY seq LIMIT ?4"#
);
const ROWS_WITH_DOWN: &str = select_rows!(
    r#"INDEXED BY archive_with WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND "with" = ?5 ORDER BY seq DESC LIMIT ?4"#
);
const ROWS_BY_UP: &str = select_rows!(
    "INDEXED BY archive_author WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND author = ?5
     AND (?6 IS NULL OR resource = ?6) ORDER BY seq LIMIT ?4"
);
const ROWS_BY_DOWN: &str = select_rows!(
    "INDEXED BY archive_author WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND author = ?5
     AND (?6 IS NULL OR resource = ?6) ORDER BY seq DESC LIMIT ?4"
);
const COUNT: &str = "SELECT count(*) FROM archive WHERE archive = ?1 AND seq > ?2 AND seq < ?3";
const COUNT_WITH: &str = r#"SELECT count(*) FROM archive INDEXED BY archive_with WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND "with" = ?4"#;
const COUNT_BY: &str = "SELECT count(*) FROM archive INDEXED BY archive_author
    WHERE archive = ?1 AND seq > ?2 AND seq < ?3 AND author = ?4 AND (?5 IS NULL OR resource = ?5)";
const ROW_OF_ID: &str = select_rows!("WHERE archive = ?1 AND id = ?2");
const AFTER_ID: &str = "SELECT seq, born_base, born_site FROM archive WHERE archive = ?1 AND id = ?2";
const SEQ_OF_ID: &str = "SELECT seq FROM archive WHERE archive = ?1 AND id = ?2";
const FIRST_FROM: &str = "SELECT seq FROM archive WHERE archive = ?1 AND stamp_ms >= ?2 ORDER BY stamp_ms, seq LIMIT 1";
const FIRST_BEHIND: &str =
    "SELECT seq FROM archive WHERE archive = ?1 AND stamp_ms > ?2 ORDER BY stamp_ms, seq LIMIT 1";

/// Places in an archive, both ends outside.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    above: i64,
    below: i64,
}

impl Bounds {
    const ALL: Bounds = Bounds { above: -1, below: SEQ_MAX as i64 + 1 };
    const NONE: Bounds = Bounds { above: SEQ_MAX as i64 + 1, below: -1 };

    fn holds(self, seq: i64) -> bool {
        seq > self.above && seq < self.below
    }
}

/// Where a page is looked for.
#[derive(Debug, Clone, Copy)]
struct Places {
    /// What the filters by time and place leave.
    filter: Bounds,
    /// What paging leaves of that.
    paged: Bounds,
    /// The place that `after_id` names, of the query or of the filter.
    behind: u64,
}

/// Reads a page, all of it from one state of the archive.
///
/// `count` counts what `start_ms`, `end_ms`, `with`, `ids` and `between` let through; `after_id`, `before_id` and `after_seq`
/// are paging.
pub(crate) fn read(connection: &Connection, query: &ArchiveQuery) -> rusqlite::Result<ArchivePage> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(archive) = number(&snapshot, &query.archive)? else { return Ok(absent(query)) };
    let Some(Places { filter, paged, behind }) = bounds(&snapshot, archive, query)? else { return Ok(unknown()) };
    let max = query.max.min(PAGE_ROWS_MAX);
    let (mut rows, count) = if query.ids.is_empty() {
        let count = if query.count { Some(count(&snapshot, archive, filter, query)?) } else { None };
        (rows(&snapshot, archive, paged, query, max)?, count)
    } else {
        let Some(named) = named(&snapshot, archive, filter, query)? else { return Ok(unknown()) };
        let count = query.count.then_some(named.len() as u64);
        let mut rows: Vec<Row> = named.into_iter().filter(|row| paged.holds(row.seq as i64)).collect();
        if query.backwards {
            rows.reverse();
        }
        (rows, count)
    };
    let complete = rows.len() <= max;
    rows.truncate(max);
    if query.backwards {
        rows.reverse();
    }
    Ok(ArchivePage { rows, complete, behind, count, unknown_id: false })
}

/// The page of an archive that is not there: empty, and whole unless it names a row.
pub(crate) fn absent(query: &ArchiveQuery) -> ArchivePage {
    let between = query.between.as_deref().is_some_and(|between| *between != Between::default());
    if query.after_id.is_some() || query.before_id.is_some() || !query.ids.is_empty() || between {
        return unknown();
    }
    ArchivePage { complete: true, count: query.count.then_some(0), ..ArchivePage::default() }
}

/// XEP-0313 section 4.1.3 and 4.3.2: a named row that is not there is `item-not-found`.
pub(crate) fn unknown() -> ArchivePage {
    ArchivePage { unknown_id: true, ..ArchivePage::default() }
}

/// Where a page is looked for; `None` when a row is named that is not there.
fn bounds(connection: &Connection, archive: i64, query: &ArchiveQuery) -> rusqlite::Result<Option<Places>> {
    let within = within_times(connection, archive, query)?;
    let mut places = Places { filter: within, paged: within, behind: 0 };
    if let Some(Between { after_id, before_id }) = query.between.as_deref() {
        let ids = (after_id.as_deref(), before_id.as_deref());
        if !narrow(connection, archive, &mut places, query.site.as_deref(), ids)? {
            return Ok(None);
        }
        places.filter = places.paged;
    }
    let ids = (query.after_id.as_deref(), query.before_id.as_deref());
    if !narrow(connection, archive, &mut places, query.site.as_deref(), ids)? {
        return Ok(None);
    }
    if let Some(seq) = query.after_seq {
        places.paged.above = places.paged.above.max(seq.min(SEQ_MAX) as i64);
    }
    Ok(Some(places))
}

/// Takes what lies between two rows, as somebody of a site means the first; `false` when one is named that is not there.
fn narrow(
    connection: &Connection,
    archive: i64,
    Places { paged, behind, .. }: &mut Places,
    site: Option<&str>,
    (after_id, before_id): (Option<&str>, Option<&str>),
) -> rusqlite::Result<bool> {
    if let Some(id) = after_id {
        let Some(seq) = place_behind(connection, archive, id, site)? else { return Ok(false) };
        (paged.above, *behind) = (paged.above.max(seq), seq.unsigned_abs().max(*behind));
    }
    if let Some(id) = before_id {
        let seq: Option<i64> =
            connection.prepare_cached(SEQ_OF_ID)?.query_row(params![archive, id], |row| row.get(0)).optional()?;
        let Some(seq) = seq else { return Ok(false) };
        paged.below = paged.below.min(seq);
    }
    Ok(true)
}

/// What the filter by time leaves.
fn within_times(connection: &Connection, archive: i64, query: &ArchiveQuery) -> rusqlite::Result<Bounds> {
    let first = |sql: &str, stamp_ms: i64| -> rusqlite::Result<Option<i64>> {
        connection.prepare_cached(sql)?.query_row(params![archive, stamp_ms], |row| row.get(0)).optional()
    };
    let mut filter = Bounds::ALL;
    if let Some(end_ms) = query.end_ms
        && let Some(seq) = first(FIRST_BEHIND, end_ms)?
    {
        filter.below = seq;
    }
    if let Some(start_ms) = query.start_ms {
        match first(FIRST_FROM, start_ms)? {
            Some(seq) => filter.above = seq - 1,
            None => filter = Bounds::NONE,
        }
    }
    Ok(filter)
}

/// The place that `after_id` names: that of the row, or where the island stood that it was born on, for those who were
/// there; `None` when there is no such row.
fn place_behind(connection: &Connection, archive: i64, id: &str, site: Option<&str>) -> rusqlite::Result<Option<i64>> {
    let (id, very_row) = named_in_after(id);
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, born(row, 1)?));
    let found = connection.prepare_cached(AFTER_ID)?.query_row(params![archive, id], read).optional()?;
    Ok(found.map(|(seq, born)| match born.filter(|born| !very_row && site.is_some_and(|site| born.is_for(site))) {
        Some(born) => seq.min(born.base.min(SEQ_MAX) as i64),
        None => seq,
    }))
}

/// The id in an `after_id`, and whether it means that very row whatever it was born on.
pub(crate) fn named_in_after(id: &str) -> (&str, bool) {
    match id.strip_suffix('~') {
        Some(id) => (id, true),
        None => (id, false),
    }
}

/// Where a row was born, from the two columns that begin at `first`.
fn born(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Option<Born>> {
    let (base, site): (Option<i64>, Option<String>) = (row.get(first)?, row.get(first + 1)?);
    Ok(base.zip(site).map(|(base, site)| Born { base: base.unsigned_abs(), site }))
}

/// Up to `max` rows in the direction of reading, and one more when there are more.
fn rows(
    connection: &Connection,
    archive: i64,
    bounds: Bounds,
    query: &ArchiveQuery,
    max: usize,
) -> rusqlite::Result<Vec<Row>> {
    let limit = max as i64 + 1;
    let Bounds { above, below } = bounds;
    let get = |row: &rusqlite::Row<'_>| archived(&query.archive, row);
    match (&query.with, query.backwards) {
        (Some(By::Occupant(with)), backwards) => connection
            .prepare_cached(if backwards { ROWS_WITH_DOWN } else { ROWS_WITH_UP })?
            .query_map(params![archive, above, below, limit, with], get)?
            .collect(),
        (Some(By::Author { bare, resource }), backwards) => connection
            .prepare_cached(if backwards { ROWS_BY_DOWN } else { ROWS_BY_UP })?
            .query_map(params![archive, above, below, limit, bare, resource], get)?
            .collect(),
        (None, backwards) => connection
            .prepare_cached(if backwards { ROWS_DOWN } else { ROWS_UP })?
            .query_map(params![archive, above, below, limit], get)?
            .collect(),
    }
}

/// The rows that `ids` names and the filters let through, in rising order; `None` when one is not there.
fn named(
    connection: &Connection,
    archive: i64,
    filter: Bounds,
    query: &ArchiveQuery,
) -> rusqlite::Result<Option<Vec<Row>>> {
    let mut found = Vec::new();
    for id in query.ids.iter().collect::<BTreeSet<_>>() {
        let row = connection
            .prepare_cached(ROW_OF_ID)?
            .query_row(params![archive, id], |row| archived(&query.archive, row))
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        if filter.holds(row.seq as i64) && query.with.as_ref().is_none_or(|by| by.lets_through(&row)) {
            found.push(row);
        }
    }
    found.sort_by_key(|row| row.seq);
    Ok(Some(found))
}

fn count(connection: &Connection, archive: i64, filter: Bounds, query: &ArchiveQuery) -> rusqlite::Result<u64> {
    let Bounds { above, below } = filter;
    let count: i64 = match &query.with {
        Some(By::Occupant(with)) => {
            connection.prepare_cached(COUNT_WITH)?.query_row(params![archive, above, below, with], |row| row.get(0))?
        }
        Some(By::Author { bare, resource }) => connection
            .prepare_cached(COUNT_BY)?
            .query_row(params![archive, above, below, bare, resource], |row| row.get(0))?,
        None => connection.prepare_cached(COUNT)?.query_row(params![archive, above, below], |row| row.get(0))?,
    };
    Ok(count.unsigned_abs())
}

/// A row of the table, whose columns are asked for in the order of [`Row`]'s fields.
pub(crate) fn archived(archive: &str, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        archive: archive.to_owned(),
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        id: row.get(1)?,
        stamp_ms: row.get(2)?,
        with: row.get(3)?,
        stanza: row.get(4)?,
        author: author(row, 5)?,
        born: born(row, 9)?,
    })
}

/// Who said a row, from the four columns that begin at `first`.
fn author(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Option<Author>> {
    let Some(bare) = row.get(first)? else { return Ok(None) };
    let text = |at: usize| row.get::<_, String>(first + at);
    Ok(Some(Author { bare, resource: text(1)?, affiliation: text(2)?.into(), role: text(3)?.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::STEPS;

    /// However a page is asked for, an index finds its first row and gives the order.
    #[test]
    fn no_page_reads_an_archive_through_or_sorts() {
        let connection = Connection::open_in_memory().expect("memory");
        for step in STEPS {
            connection.execute_batch(step).expect("schema");
        }
        let all = [
            ROWS_UP,
            ROWS_DOWN,
            ROWS_WITH_UP,
            ROWS_WITH_DOWN,
            ROWS_BY_UP,
            ROWS_BY_DOWN,
            COUNT,
            COUNT_WITH,
            COUNT_BY,
            ROW_OF_ID,
            AFTER_ID,
            SEQ_OF_ID,
            FIRST_FROM,
            FIRST_BEHIND,
        ];
        for sql in all {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("SQL");
            let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
                .expect("plan")
                .collect::<Result<_, _>>()
                .expect("plan");
            let plan = plan.join("\n");
            assert!(plan.starts_with("SEARCH archive USING") && plan.lines().count() == 1, "{sql}: {plan}");
            assert!(!sql.contains("\"with\" =") || plan.contains("archive_with"), "{sql}: {plan}");
            assert!(!sql.contains("author =") || plan.contains("archive_author"), "{sql}: {plan}");
        }
    }
}
