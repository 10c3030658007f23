//! Backup and verification, while the store is served and after.

use crate::support::{Bench, WALLOPS, message, place, put, whole};
use machine::{ArchiveQuery, Change, Token};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use store::{Completion, Options, StoreError};

#[test]
fn a_backup_is_the_store_as_it_was_when_the_copying_began() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    for hundred in 0..50 {
        assert!(bench.keeps((1..=100).map(|n| Change::Append(message(hundred * 100 + n, "WiZ"))).collect()));
    }
    let written_meanwhile = AtomicBool::new(false);
    let mut token = 1_000;
    let store = &bench.store;
    // A commit between any two steps of the copying.
    let mut progress = |at: store::Progress| {
        assert!(at.done <= at.total);
        token += 1;
        store.persist(1, Token(token), vec![Change::Append(message(token * 10, "BigCheese"))]);
        assert_eq!(bench.hears(), Completion::Done { machine: 1, token: Token(token), ok: true });
        written_meanwhile.store(true, Ordering::Relaxed);
    };
    let bytes = store.backup(&copy, &mut progress).expect("a backup");
    assert!(written_meanwhile.load(Ordering::Relaxed));
    assert_eq!(std::fs::metadata(&copy).expect("the copy").len(), bytes);
    assert_eq!(std::fs::metadata(&copy).expect("the copy").permissions().mode() & 0o777, 0o600, "it holds secrets");
    let names: Vec<_> = std::fs::read_dir(directory.path()).expect("the directory").flatten().collect();
    assert!(names.iter().all(|name| !name.file_name().to_string_lossy().contains("partial")), "{names:?}");

    let report = store::verify(&copy, &mut |_| ()).expect("verified");
    assert_eq!((report.is_sound(), report.rows, report.archives), (true, 5_000, 1), "{report:?}");
    assert_eq!(
        Bench::open(&copy, Options::default()).expect("the copy").loaded.recent.last(),
        Some(&message(5_000, "WiZ"))
    );

    let again = bench.store.backup(&copy, &mut |_| ()).expect_err("it is there already");
    assert!(matches!(again, StoreError::Exists { .. }), "{again}");
    let report = store::verify(&path, &mut |_| ()).expect("verified while it is served");
    assert!(report.is_sound() && report.rows > 5_000, "{report:?}");
    let last = ArchiveQuery { backwards: true, max: 1, count: true, ..whole() };
    let page = store::look(&path, &last).expect("looked at while it is served");
    assert_eq!((page.rows, page.count), (bench.reads(last).rows, Some(report.rows)));
}

#[test]
fn a_file_that_is_not_there_is_said_to_be_missing_and_not_made() {
    let (directory, path) = place();
    let error = store::verify(&path, &mut |_| ()).expect_err("missing");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    let error = store::backup(&path, &directory.path().join("copy.db"), &mut |_| ()).expect_err("missing");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(!path.exists());
}

/// Every kind of damage is told with its place, and without what the record or stanza says.
#[test]
fn verification_names_what_is_wrong() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert!(bench.keeps(vec![put("room", WALLOPS, "config", "{}")]));
    assert!(bench.keeps((1..=3).map(|seq| Change::Append(message(seq, "WiZ"))).collect()));
    drop(bench);
    let tamper = Connection::open(&path).expect("a connection");
    tamper
        .execute_batch(
            "UPDATE state SET value = '{secret';
             UPDATE archive SET stanza = '<message>secret' WHERE seq = 2;
             UPDATE archive SET stamp_ms = 1 WHERE seq = 3;
             INSERT INTO archive (archive, seq, id, stamp_ms, \"with\", stanza) VALUES (99, 1, 'x', 1, 'y', '<z/>');",
        )
        .expect("damage");
    drop(tamper);
    let mut last = None;
    let report = store::verify(&path, &mut |at| last = Some(at)).expect("looked at");
    let expected = [
        format!("record room of {WALLOPS}, key \"config\": not JSON"),
        "1 archived rows belong to no archive".to_owned(),
        format!("archive {WALLOPS}, seq 2: the stanza is not XML"),
        format!("archive {WALLOPS}, seq 3: the stamp is earlier than the one before"),
    ];
    assert_eq!(report.problems_count, 4, "{report:?}");
    for (problem, expected) in report.problems.iter().zip(&expected) {
        assert!(problem.starts_with(expected.as_str()) && !problem.contains("secret"), "{problem}");
    }
    assert_eq!(last.map(|at| at.done), Some(4));
}

#[test]
fn verification_sees_a_damaged_page() {
    let (_directory, path) = place();
    let bench = Bench::open(&path, Options::default()).expect("a new file");
    assert!(bench.keeps((1..=500).map(|seq| Change::Append(message(seq, "WiZ"))).collect()));
    drop(bench);
    let mut bytes = std::fs::read(&path).expect("the file");
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..middle + 4096].fill(0xff);
    std::fs::write(&path, bytes).expect("damage");
    let report = store::verify(&path, &mut |_| ()).expect("looked at");
    assert!(!report.is_sound());
}
