//! A disk for the simulator: what [`crate::Store`] keeps, in memory, and a crash that loses what was not synced.
//!
//! It gives the same answers as the store for the same changes and queries; a property test holds the two together.

use crate::change::SEQ_MAX;
use crate::page::{PAGE_ROWS_MAX, absent, named_in_after, unknown};
use crate::store::Loaded;
use machine::{ArchivePage, ArchiveQuery, Change, Record, Row};
use std::collections::{BTreeMap, VecDeque};

/// Changes that contradict what is kept: a place that is taken, or one beyond what is kept. None of them was made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the changes contradict what is kept: {0:?}")]
pub struct Conflict(pub Vec<Change>);

/// A change that contradicts what is kept.
#[derive(Debug)]
struct Contradiction;

/// A disk with a cache that is lost in a crash.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    synced: Tables,
    /// Everything, as it is read.
    live: Tables,
    /// What is in `live` and not in `synced`.
    unsynced: VecDeque<Vec<Change>>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// Makes changes, all of them or none; they can be read at once and are lost in a crash until synced.
    pub fn persist(&mut self, changes: Vec<Change>) -> Result<(), Conflict> {
        if changes.iter().try_for_each(|change| self.live.apply(change)).is_err() {
            // Rare, so it is made anew rather than undone.
            self.live = self.synced.clone();
            for change in self.unsynced.iter().flatten() {
                self.live.apply(change).expect("the same changes were made before, in the same order");
            }
            return Err(Conflict(changes));
        }
        self.unsynced.push_back(changes);
        Ok(())
    }

    /// Makes everything durable.
    pub fn sync(&mut self) {
        self.sync_first(self.unsynced.len());
    }

    /// Makes the first so many of the persists that are not yet durable so.
    pub fn sync_first(&mut self, persists: usize) {
        for changes in self.unsynced.drain(..persists.min(self.unsynced.len())) {
            for change in &changes {
                self.synced.apply(change).expect("persist() made the same changes in the same order");
            }
        }
    }

    /// How many persists are not yet durable.
    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Loss of power: of the persists that were not synced, only the first `kept` have reached the disk by luck.
    pub fn crash(&mut self, kept: usize) {
        self.sync_first(kept);
        self.unsynced.clear();
        self.live = self.synced.clone();
    }

    /// What a machine is restored from, with the last `recent_rows` of each archive.
    pub fn load(&self, recent_rows: usize) -> Loaded {
        let records = self.live.state.iter().map(|((space, owner, key), value)| Record {
            space: space.clone(),
            owner: owner.clone(),
            key: key.clone(),
            value: value.clone(),
        });
        let recent =
            self.live.archives.values().flat_map(|archive| {
                archive.rows.values().skip(archive.rows.len().saturating_sub(recent_rows)).cloned()
            });
        Loaded { records: records.collect(), recent: recent.collect() }
    }

    /// Reads a page, of what is synced and what is not.
    pub fn query(&self, query: &ArchiveQuery) -> ArchivePage {
        let Some(archive) = self.live.archives.get(&query.archive) else { return absent(query) };
        let seq_of = |id: &str| archive.ids.get(id).copied().ok_or(());
        let behind = |id: &String| {
            let (id, very_row) = named_in_after(id);
            let seq = seq_of(id)?;
            let born = archive.rows.get(&seq).and_then(|row| row.born.as_ref()).filter(|_| !very_row);
            Ok(born
                .filter(|born| query.site.as_ref().is_some_and(|site| born.is_for(site)))
                .map_or(seq, |born| seq.min(born.base)))
        };
        let places = |after: &Option<String>, before: &Option<String>| {
            let after: Option<u64> = after.as_ref().map(behind).transpose()?;
            Ok((after, before.as_deref().map(seq_of).transpose()?))
        };
        let between = query.between.as_deref().cloned().unwrap_or_default();
        let paging: Result<_, ()> = places(&query.after_id, &query.before_id);
        let filter: Result<_, ()> = places(&between.after_id, &between.before_id);
        let (Ok(paging), Ok(filter)) = (paging, filter) else { return unknown() };
        if query.ids.iter().any(|id| !archive.ids.contains_key(id)) {
            return unknown();
        }
        let lies = |row: &Row, (after, before): (Option<u64>, Option<u64>)| {
            after.is_none_or(|seq| row.seq > seq) && before.is_none_or(|seq| row.seq < seq)
        };
        let fits = |row: &&Row| lies(row, filter) && lets_through(query, row);
        let matching: Vec<&Row> = archive.rows.values().filter(fits).collect();
        let count = query.count.then_some(matching.len() as u64);
        let on_page = |row: &&&Row| lies(row, paging) && query.after_seq.is_none_or(|seq| row.seq > seq);
        let max = query.max.min(PAGE_ROWS_MAX);
        let mut rows: Vec<Row> = if query.backwards {
            matching.iter().rev().filter(on_page).take(max + 1).map(|&row| row.clone()).collect()
        } else {
            matching.iter().filter(on_page).take(max + 1).map(|&row| row.clone()).collect()
        };
        let complete = rows.len() <= max;
        rows.truncate(max);
        if query.backwards {
            rows.reverse();
        }
        ArchivePage { rows, complete, behind: paging.0.max(filter.0).unwrap_or_default(), count, unknown_id: false }
    }
}

#[derive(Debug, Clone, Default)]
struct Tables {
    state: BTreeMap<(String, String, String), String>,
    archives: BTreeMap<String, Archive>,
}

#[derive(Debug, Clone, Default)]
struct Archive {
    rows: BTreeMap<u64, Row>,
    ids: BTreeMap<String, u64>,
}

impl Tables {
    fn apply(&mut self, change: &Change) -> Result<(), Contradiction> {
        match change {
            Change::Put { space, owner, key, value } => {
                self.state.insert(((*space).to_owned(), owner.clone(), key.clone()), value.clone());
            }
            Change::Delete { space, owner, key } => {
                self.state.remove(&((*space).to_owned(), owner.clone(), key.clone()));
            }
            Change::DeleteAll { space, owner } => self.state.retain(|(s, o, _), _| !(s == space && o == owner)),
            Change::Append(row) => return self.append(row),
            Change::Settle { row, above, aside } => return self.settle(row, *above, aside),
            Change::DeleteRow { archive, id } => self.retain(archive, |row| row.id != *id),
            Change::Born { archive, ids, base } => {
                if *base > SEQ_MAX {
                    return Err(Contradiction);
                }
                if let Some(archive) = self.archives.get_mut(archive) {
                    ids.iter().for_each(|id| archive.bear(id, *base));
                }
            }
            Change::MoveRows { archive, above, below, to, shift } => {
                return self.move_rows(archive, (*above, *below), to, *shift);
            }
            Change::DeleteArchive { archive } => {
                self.archives.remove(archive);
            }
            Change::TrimArchive { archive, before_ms } => self.retain(archive, |row| row.stamp_ms >= *before_ms),
        }
        Ok(())
    }

    fn append(&mut self, row: &Row) -> Result<(), Contradiction> {
        if row.seq > SEQ_MAX || row.born.as_ref().is_some_and(|born| born.base > SEQ_MAX) {
            return Err(Contradiction);
        }
        self.archives.entry(row.archive.clone()).or_default().append(row)
    }

    fn settle(&mut self, row: &Row, above: u64, aside: &str) -> Result<(), Contradiction> {
        if row.seq > SEQ_MAX {
            return Err(Contradiction);
        }
        let first = above.saturating_add(1).min(row.seq);
        let held = self.archives.get(&row.archive).and_then(|archive| archive.ids.get(&row.id));
        if held.is_some_and(|seq| *seq < first) {
            return Ok(());
        }
        self.retain(aside, |other| other.id != row.id);
        self.retain(&row.archive, |other| other.id != row.id || other.seq == row.seq);
        let here = self.archives.get(&row.archive).into_iter().flat_map(|archive| archive.rows.range(first..=row.seq));
        let others: Vec<Row> = here.map(|(_, other)| other.clone()).filter(|other| other.id != row.id).collect();
        self.retain(&row.archive, |other| !others.iter().any(|moved| moved.seq == other.seq));
        if !others.is_empty() {
            let target = self.archives.entry(aside.to_owned()).or_default();
            let end = target.rows.last_key_value().map_or(0, |(seq, _)| *seq);
            if end + row.seq >= SEQ_MAX {
                return Err(Contradiction);
            }
            for other in others {
                let seq = other.seq - first + 1 + end;
                target.put(Row { archive: aside.to_owned(), seq, ..other });
            }
        }
        self.append(row)
    }

    fn move_rows(&mut self, from: &str, (above, below): (u64, u64), to: &str, shift: u64) -> Result<(), Contradiction> {
        if below.saturating_add(shift) > SEQ_MAX {
            return Err(Contradiction);
        }
        let moves = |row: &Row| row.seq > above && row.seq < below;
        let Some(rows) = self.archives.get(from).map(|archive| &archive.rows) else { return Ok(()) };
        let moved: Vec<Row> = rows.values().filter(|row| moves(row)).cloned().collect();
        self.retain(from, |row| !moves(row));
        let target = self.archives.entry(to.to_owned()).or_default();
        for row in moved {
            target.put(Row { archive: to.to_owned(), seq: row.seq + shift, ..row });
        }
        Ok(())
    }

    fn retain(&mut self, archive: &str, keep: impl Fn(&Row) -> bool) {
        if let Some(Archive { rows, ids }) = self.archives.get_mut(archive) {
            rows.retain(|_, row| keep(row));
            ids.retain(|_, seq| rows.contains_key(seq));
        }
    }
}

impl Archive {
    fn bear(&mut self, id: &str, base: u64) {
        if let Some(row) = self.ids.get(id).and_then(|seq| self.rows.get_mut(seq)) {
            row.bear(base);
        }
    }

    /// A row, for which one of the same id or place gives way.
    fn put(&mut self, row: Row) {
        if let Some(other) = self.ids.remove(&row.id) {
            self.rows.remove(&other);
        }
        if let Some(other) = self.rows.remove(&row.seq) {
            self.ids.remove(&other.id);
        }
        self.ids.insert(row.id.clone(), row.seq);
        self.rows.insert(row.seq, row);
    }

    fn append(&mut self, row: &Row) -> Result<(), Contradiction> {
        if self.ids.contains_key(&row.id) {
            return Ok(());
        }
        if self.rows.contains_key(&row.seq) {
            return Err(Contradiction);
        }
        self.ids.insert(row.id.clone(), row.seq);
        self.rows.insert(row.seq, row.clone());
        Ok(())
    }
}

/// Whether a row is what `start_ms`, `end_ms`, `with` and `ids` ask for.
fn lets_through(query: &ArchiveQuery, row: &Row) -> bool {
    query.start_ms.is_none_or(|start_ms| row.stamp_ms >= start_ms)
        && query.end_ms.is_none_or(|end_ms| row.stamp_ms <= end_ms)
        && query.with.as_ref().is_none_or(|by| by.lets_through(row))
        && (query.ids.is_empty() || query.ids.contains(&row.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Vec<Change> {
        vec![Change::Put { space: "a", owner: "b".to_owned(), key: key.to_owned(), value: "1".to_owned() }]
    }

    fn keys(disk: &SimDisk) -> Vec<String> {
        disk.load(0).records.into_iter().map(|record| record.key).collect()
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest() {
        let mut disk = SimDisk::new();
        for key in ["1", "2", "3", "4", "5"] {
            disk.persist(put(key)).expect("no conflict");
        }
        disk.sync_first(2);
        assert_eq!((keys(&disk).len(), disk.unsynced()), (5, 3));
        disk.crash(1);
        assert_eq!(keys(&disk), ["1", "2", "3"]);
        disk.persist(put("6")).expect("no conflict");
        disk.crash(0);
        assert_eq!(keys(&disk), ["1", "2", "3"]);
        disk.persist(put("7")).expect("no conflict");
        disk.sync();
        disk.crash(0);
        assert_eq!(keys(&disk), ["1", "2", "3", "7"]);
    }

    #[test]
    fn a_conflict_takes_back_the_whole_persist_and_nothing_else() {
        let row = |seq, id: &str| {
            Change::Append(Row {
                archive: "a".to_owned(),
                seq,
                id: id.to_owned(),
                stamp_ms: 0,
                with: String::new(),
                stanza: "<m/>".to_owned(),
                author: None,
                born: None,
            })
        };
        let mut disk = SimDisk::new();
        disk.persist(vec![row(1, "x")]).expect("no conflict");
        disk.sync();
        disk.persist(vec![row(2, "y")]).expect("no conflict");
        let changes = vec![row(3, "z"), row(2, "w")];
        assert_eq!(disk.persist(changes.clone()), Err(Conflict(changes)));
        let seqs: Vec<u64> = disk.load(9).recent.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [1, 2]);
        assert_eq!(disk.unsynced(), 1);
    }
}
