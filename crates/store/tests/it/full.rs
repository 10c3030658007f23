//! Writes that fail: no room, too much waiting, a log that must not grow.

use crate::support::{Bench, PATIENCE, listener, place, put, whole};
use machine::{QueryId, Token};
use rusqlite::Connection;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use store::{Completion, Options, Store};

/// Probes often, so that tests need not wait.
fn eager() -> Options {
    Options { probe_every: Duration::from_millis(5), ..Options::default() }
}

/// Fills a store with records of 20 kB until one is refused; returns how many were kept.
fn fill(bench: &Bench) -> usize {
    let value = format!("\"{}\"", "x".repeat(20_000));
    (0..1_000)
        .find(|n| {
            !bench.keeps(vec![put("fill", "a", &format!("{n:04}"), &value), put("last", "a", "n", &n.to_string())])
        })
        .expect("the disk is full before 20 MB")
}

/// What `fill` kept is there, and nothing of what it was refused.
fn holds(path: &Path, kept: usize) {
    let bench = Bench::open(path, Options::default()).expect("the same file");
    let fill = bench.loaded.records.iter().filter(|record| record.space == "fill").count();
    assert_eq!(fill, kept);
    let last = bench.loaded.records.iter().find(|record| record.space == "last").expect("a last one");
    assert_eq!(last.value, (kept - 1).to_string());
    let report = store::verify(path, &mut |_| ()).expect("verified");
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_full_database_fails_the_persist_and_heals_by_itself() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options { max_page_count: Some(100), ..eager() }).expect("a new file");
    let kept = fill(&bench);
    let reason = bench.store.health().expect_err("no room");
    assert!(reason.contains("full"), "{reason}");

    bench.store.set_page_limit(None);
    bench.waits_for_health(true);
    assert!(bench.keeps(vec![put("after", "a", "1", "1")]));

    bench.store.set_page_limit(Some(1));
    let large = format!("\"{}\"", "x".repeat(500_000));
    assert!(!bench.keeps(vec![put("after", "a", "large", &large)]));
    bench.waits_for_health(false);
    drop(bench);
    holds(&path, kept);
}

/// A file system of four megabytes, filled to the brim and given room again.
#[test]
fn a_full_disk_fails_the_persist_and_heals_when_there_is_room() {
    let (directory, _) = place();
    let Some(mount) = Tmpfs::mount(directory.path()) else { return };
    let path = directory.path().join("netjoin.db");
    let ballast = directory.path().join("ballast");
    std::fs::write(&ballast, vec![0; 1_000_000]).expect("room for ballast");
    let bench = Bench::open(&path, eager()).expect("a new file");
    let kept = fill(&bench);
    let reason = bench.store.health().expect_err("no room");
    assert!(reason.contains("full"), "{reason}");

    std::fs::remove_file(&ballast).expect("ballast goes");
    bench.waits_for_health(true);
    assert!(bench.keeps(vec![put("after", "a", "1", "1")]));
    drop(bench);
    holds(&path, kept);
    drop(mount);
}

/// A small file system, for as long as it lives.
struct Tmpfs<'p>(&'p Path);

impl Tmpfs<'_> {
    fn mount(path: &Path) -> Option<Tmpfs<'_>> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(path).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: a file system of its own can only be mounted by root; the page limit stands for it");
            return None;
        }
        Some(Tmpfs(path))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        // Lazily: a child of another test, between its fork and its exec, may have a file here open.
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(), "unmounted");
    }
}

/// Holds the database as another process would, so that what is persisted meanwhile waits and is then committed
/// together.
fn hold(path: &Path) -> Connection {
    let other = Connection::open(path).expect("a second connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}

#[test]
fn of_persists_committed_together_only_those_fail_that_must() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options { max_page_count: Some(100), ..eager() }).expect("a new file");
    let held = hold(&path);
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    for n in 1..=9 {
        let value = if n % 3 == 0 { large.as_str() } else { "1" };
        bench.store.persist(1, Token(n), vec![put("a", "before", &n.to_string(), "1"), put("a", "b", "c", value)]);
    }
    held.execute_batch("ROLLBACK").expect("the lock goes");
    for n in 1..=9 {
        assert_eq!(bench.hears(), Completion::Done { machine: 1, token: Token(n), ok: n % 3 != 0 });
    }
    drop(bench);
    let bench = Bench::open(&path, Options::default()).expect("the same file");
    let kept: Vec<&str> = bench.loaded.records.iter().filter(|r| r.owner == "before").map(|r| r.key.as_str()).collect();
    assert_eq!(kept, ["1", "2", "4", "5", "7", "8"]);
}

#[test]
fn too_much_waiting_is_refused_in_order_and_costs_nothing_else() {
    let (_directory, path) = place();
    let (tell, said) = listener();
    let (store, _) = Store::open(&path, Options { waiting_max: 3, ..eager() }, tell).expect("a new file");
    let hears = || said.recv_timeout(PATIENCE).expect("a completion");
    let held = hold(&path);
    for n in 1..=10 {
        store.persist(1, Token(n), vec![put("a", "b", &n.to_string(), "1")]);
    }
    store.persist(2, Token(1), vec![put("a", "c", "1", "1")]);
    assert_eq!(
        hears(),
        Completion::Done { machine: 2, token: Token(1), ok: false },
        "nothing of its own waits: at once"
    );
    held.execute_batch("ROLLBACK").expect("the lock goes");
    let outcomes: Vec<bool> = (1..=10)
        .map(|n| match hears() {
            Completion::Done { machine: 1, token: Token(told), ok } if told == n => ok,
            other => panic!("expected the outcome of {n}, heard {other:?}"),
        })
        .collect();
    let kept = outcomes.iter().filter(|&&ok| ok).count();
    assert!(kept == 3 || kept == 4, "three wait, and the writer may have had one in hand: {outcomes:?}");
    assert!(outcomes.is_sorted_by(|a, b| a >= b), "{outcomes:?}");
    assert_eq!(store.metrics().refused, 11 - kept as u64);
    assert_eq!(store.health(), Ok(()));
    store.persist(1, Token(11), vec![put("a", "b", "11", "1")]);
    assert_eq!(hears(), Completion::Done { machine: 1, token: Token(11), ok: true });
}

/// Only a completion that panics can end the writer; nobody must wait for it then.
#[test]
fn a_writer_that_is_lost_turns_health_red_and_fails_what_comes() {
    let (_directory, path) = place();
    let (tell, said) = listener();
    let tell = std::sync::Arc::new(move |completion| match completion {
        Completion::Done { machine: 9, .. } => panic!("machine 9 cannot take it, as this test wants"),
        other => tell(other),
    });
    let (store, _) = Store::open(&path, eager(), tell).expect("a new file");
    let held = hold(&path);
    store.persist(9, Token(1), vec![put("a", "b", "c", "1")]);
    store.query(9, QueryId(2), whole());
    held.execute_batch("ROLLBACK").expect("the lock goes");
    let hears = || said.recv_timeout(PATIENCE).expect("a completion");
    assert_eq!(hears(), Completion::Rows { machine: 9, id: QueryId(2), page: None });
    assert!(store.health().is_err());
    store.persist(1, Token(1), vec![put("a", "b", "c", "2")]);
    assert_eq!(hears(), Completion::Done { machine: 1, token: Token(1), ok: false });
}

#[test]
fn the_log_beside_the_file_stays_small() {
    const LOG_BYTES_MAX: u64 = 20 * 1024 * 1024;
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    let value = format!("\"{}\"", "x".repeat(200_000));
    for n in 0..400 {
        assert!(bench.keeps(vec![put("a", "b", &(n % 7).to_string(), &value)]));
    }
    let stats = bench.store.stats().expect("stats");
    assert!(stats.wal_bytes < LOG_BYTES_MAX, "{stats:?} after 80 MB");
    assert_eq!((stats.records, stats.archives, stats.rows), (7, 0, 0));
}
