//! Files of other versions, and of other programs.

use crate::support::{Bench, place};
use rusqlite::Connection;
use store::{Options, StoreError};

fn refused(path: &std::path::Path) -> StoreError {
    let bytes = std::fs::read(path).expect("the file");
    let error = Bench::open(path, Options::default()).err().expect("refused");
    assert_eq!(std::fs::read(path).expect("the file"), bytes, "what is refused is not touched");
    assert!(store::verify(path, &mut |_| ()).is_err());
    error
}

#[test]
fn a_newer_file_is_refused_with_both_versions() {
    let (_directory, path) = place();
    drop(Bench::open(&path, Options::default()).expect("a new file"));
    let known = store::stats(&path).expect("stats").schema;
    let other = Connection::open(&path).expect("a connection");
    other.pragma_update(None, "user_version", known + 1).expect("a newer version");
    drop(other);
    let error = refused(&path);
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    let sentence = format!("schema version {}, and this netjoin knows versions up to {known}", known + 1);
    assert!(error.to_string().contains(&sentence), "{error}");
}

#[test]
fn the_file_of_another_program_is_refused() {
    let (_directory, path) = place();
    let other = Connection::open(&path).expect("a connection");
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x)").expect("a file");
    drop(other);
    assert!(matches!(refused(&path), StoreError::Foreign { .. }));

    std::fs::write(&path, "# not a database, but long enough to look like one\n".repeat(100)).expect("a file");
    assert!(matches!(refused(&path), StoreError::Foreign { .. }));
}
