//! What waits for the writer and the readers, and the order in which each machine hears of it.
//!
//! A machine hears of its persists in the order it made them, also of those refused because too much waits; and a
//! query is read once everything its machine persisted before it is settled.

use crate::change::bytes;
use crate::store::{Completion, OnCompletion};
use machine::{ArchiveQuery, Change, QueryId, Token};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of changes that wait at the most: what a stalled disk may cost in memory.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Changes in one commit at the most, so that what comes behind does not wait long for it.
const COMMIT_CHANGES_MAX: usize = 2_000;
/// Queries that wait at the most, behind persists and for a reader; one over it is answered as unreadable.
const QUERIES_MAX: usize = 10_000;

/// One `Persist` that waits for the writer.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) machine: u8,
    pub(crate) token: Token,
    pub(crate) changes: Vec<Change>,
}

/// One `Query` that waits for a reader.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) machine: u8,
    pub(crate) id: QueryId,
    pub(crate) query: ArchiveQuery,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) enum Work {
    /// To be committed, in this order.
    Commit(Vec<Batch>),
    /// The database may grow to so many pages; `None` means to no end.
    PageLimit(Option<u32>),
    /// Nothing came for as long as it was willing to wait.
    Idle,
    /// Everything is done and nothing will come.
    End,
}

/// What the store has done since it was opened, and what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Persists made durable.
    pub persisted: u64,
    /// Persists that failed on the disk or contradicted what is kept.
    pub failed: u64,
    /// Persists refused because too much waited.
    pub refused: u64,
    /// Transactions that made one or more persists durable.
    pub commits: u64,
    /// Pages read.
    pub queries: u64,
    /// Persists that wait.
    pub persists_waiting: usize,
    /// Queries that wait.
    pub queries_waiting: usize,
}

/// The queues, shared by the store's users and its threads.
pub(crate) struct Queue {
    state: Mutex<State>,
    for_writer: Condvar,
    for_readers: Condvar,
    waiting_max: usize,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    batches_bytes: usize,
    page_limit: Option<Option<u32>>,
    lanes: BTreeMap<u8, Lane>,
    readings: VecDeque<Reading>,
    metrics: Metrics,
    /// No more persists; the writer ends when it has nothing left.
    closed: bool,
    /// No more queries; readers end when they have nothing left.
    readers_closed: bool,
    /// The writer is gone before its time.
    writer_lost: bool,
}

/// One machine's order.
#[derive(Default)]
struct Lane {
    accepted: u64,
    settled: u64,
    /// What waits until so many persists are settled.
    behind: VecDeque<(u64, Behind)>,
    /// The writer is telling of what was behind, and may find more.
    telling: bool,
}

enum Behind {
    Query(Box<Reading>),
    /// Refused persists, first and last token: a range, so that refusing costs no memory of its own.
    Refused(Token, Token),
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.accepted == self.settled && self.behind.is_empty() && !self.telling
    }

    fn refuse(&mut self, token: Token) {
        let after = self.accepted;
        match self.behind.back_mut() {
            Some((place, Behind::Refused(_, last))) if *place == after && last.0 + 1 == token.0 => *last = token,
            _ => self.behind.push_back((after, Behind::Refused(token, token))),
        }
    }
}

impl Queue {
    /// Empty queues that take up to `waiting_max` persists.
    pub(crate) fn new(waiting_max: usize) -> Queue {
        let state = Mutex::new(State::default());
        Queue { state, for_writer: Condvar::new(), for_readers: Condvar::new(), waiting_max }
    }

    /// Takes a persist or refuses it, without waiting.
    pub(crate) fn persist(&self, batch: Batch, tell: &OnCompletion) {
        let size: usize = batch.changes.iter().map(bytes).sum();
        let Batch { machine, token, .. } = batch;
        {
            let mut state = self.lock();
            // An empty queue takes any size: what is too large for the disk is for the disk to say.
            let full = state.batches.len() >= self.waiting_max
                || (!state.batches.is_empty() && state.batches_bytes + size > WAITING_BYTES_MAX);
            if !full && !state.closed && !state.writer_lost {
                state.batches.push_back(batch);
                state.batches_bytes += size;
                state.lanes.entry(machine).or_default().accepted += 1;
                self.for_writer.notify_one();
                return;
            }
            state.metrics.refused += 1;
            let lost = state.writer_lost;
            let lane = state.lanes.entry(machine).or_default();
            if !lane.is_idle() && !lost {
                lane.refuse(token);
                return;
            }
        }
        tell(Completion::Done { machine, token, ok: false });
    }

    /// Takes a query, behind the persists of its machine.
    pub(crate) fn query(&self, reading: Reading, tell: &OnCompletion) {
        let Reading { machine, id, .. } = reading;
        {
            let mut state = self.lock();
            if state.metrics.queries_waiting < QUERIES_MAX && !state.closed && !state.writer_lost {
                state.metrics.queries_waiting += 1;
                let lane = state.lanes.entry(machine).or_default();
                if lane.accepted == lane.settled {
                    state.readings.push_back(reading);
                    self.for_readers.notify_one();
                } else {
                    lane.behind.push_back((lane.accepted, Behind::Query(Box::new(reading))));
                }
                return;
            }
        }
        tell(Completion::Rows { machine, id, page: None });
    }

    /// Changes how far the database may grow, ahead of whatever waits.
    pub(crate) fn limit_pages(&self, pages: Option<u32>) {
        self.lock().page_limit = Some(pages);
        self.for_writer.notify_one();
    }

    /// Waits for work; returns `Idle` after `patience`, if there is one.
    pub(crate) fn next_work(&self, patience: Option<Duration>) -> Work {
        let mut state = self.lock();
        loop {
            if let Some(pages) = state.page_limit.take() {
                return Work::PageLimit(pages);
            }
            if !state.batches.is_empty() {
                return Work::Commit(state.take());
            }
            if state.closed {
                return Work::End;
            }
            state = match patience {
                None => self.for_writer.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.for_writer.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                    if waited.1.timed_out() && waited.0.is_empty() {
                        return Work::Idle;
                    }
                    waited.0
                }
            };
        }
    }

    /// Tells the outcome of one persist and of what waited behind it.
    pub(crate) fn settle(&self, machine: u8, token: Token, ok: bool, tell: &OnCompletion) {
        tell(Completion::Done { machine, token, ok });
        let mut state = self.lock();
        if ok {
            state.metrics.persisted += 1;
        } else {
            state.metrics.failed += 1;
        }
        state.lanes.entry(machine).or_default().settled += 1;
        loop {
            let lane = state.lanes.entry(machine).or_default();
            let settled = lane.settled;
            match lane.behind.pop_front_if(|(after, _)| *after <= settled) {
                Some((_, Behind::Query(reading))) => {
                    state.readings.push_back(*reading);
                    self.for_readers.notify_one();
                }
                Some((_, Behind::Refused(first, last))) => {
                    lane.telling = true;
                    drop(state);
                    tell_refused(machine, first, last, tell);
                    state = self.lock();
                }
                None => {
                    lane.telling = false;
                    return;
                }
            }
        }
    }

    /// Counts a commit.
    pub(crate) fn committed(&self) {
        self.lock().metrics.commits += 1;
    }

    /// Waits for a query; `None` when none will come.
    pub(crate) fn next_reading(&self) -> Option<Reading> {
        let mut state = self.lock();
        loop {
            if let Some(reading) = state.readings.pop_front() {
                state.metrics.queries_waiting -= 1;
                state.metrics.queries += 1;
                return Some(reading);
            }
            if state.readers_closed {
                return None;
            }
            state = self.for_readers.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more; the writer ends once it has committed what waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.for_writer.notify_all();
    }

    /// Lets the readers end once they have answered what waits.
    pub(crate) fn close_readers(&self) {
        self.lock().readers_closed = true;
        self.for_readers.notify_all();
    }

    /// The writer has ended before its time: everything that waits for it fails, and everything from now on. What it
    /// had in hand stays unanswered, since nobody knows whether it was kept.
    pub(crate) fn lose_writer(&self, tell: &OnCompletion) {
        let mut state = self.lock();
        state.writer_lost = true;
        let batches = std::mem::take(&mut state.batches);
        drop(state);
        for Batch { machine, token, .. } in batches {
            self.settle(machine, token, false, tell);
        }
        let mut state = self.lock();
        let behind: Vec<(u8, Behind)> = state
            .lanes
            .iter_mut()
            .flat_map(|(machine, lane)| lane.behind.drain(..).map(|(_, behind)| (*machine, behind)))
            .collect();
        drop(state);
        for (machine, behind) in behind {
            match behind {
                Behind::Query(reading) => tell(Completion::Rows { machine, id: reading.id, page: None }),
                Behind::Refused(first, last) => tell_refused(machine, first, last, tell),
            }
        }
    }

    /// What was done and what waits.
    pub(crate) fn metrics(&self) -> Metrics {
        let state = self.lock();
        Metrics { persists_waiting: state.batches.len(), ..state.metrics }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.page_limit.is_none() && !self.closed
    }

    /// Everything that waits, up to the size of a commit, and at least one.
    fn take(&mut self) -> Vec<Batch> {
        let (mut taken, mut changes) = (Vec::new(), 0);
        while let Some(batch) =
            self.batches.pop_front_if(|next| taken.is_empty() || changes + next.changes.len() <= COMMIT_CHANGES_MAX)
        {
            changes += batch.changes.len();
            self.batches_bytes -= batch.changes.iter().map(bytes).sum::<usize>();
            taken.push(batch);
        }
        taken
    }
}

fn tell_refused(machine: u8, first: Token, last: Token, tell: &OnCompletion) {
    for token in first.0..=last.0 {
        tell(Completion::Done { machine, token: Token(token), ok: false });
    }
}
