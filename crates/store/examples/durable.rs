//! How many rows a second become durable here, by how many are persisted at a time, and how long a page takes.
//!
//! `cargo run --release -p store --example durable [DIRECTORY]`

use machine::{ArchiveQuery, Change, QueryId, Row, Token};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use store::{Options, Store};

/// How long each figure is measured.
const MEASURED_FOR: Duration = Duration::from_secs(2);
/// Persists under way at a time.
const WINDOW: u64 = 64;
const ARCHIVE: &str = "wallops@channel.avalon.irc";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(directory)?;
    let (tell, said) = mpsc::channel();
    // The receiver lives as long as the store.
    let tell = Arc::new(move |completion| drop(tell.send(completion)));
    let (store, _) = Store::open(&directory.path().join("durable.db"), Options::default(), tell)?;
    let (mut seq, mut token) = (0, 0);
    for batch in [1, 10, 100] {
        let mut persist = || {
            token += 1;
            store.persist(0, Token(token), (0..batch).map(|_| next_row(&mut seq)).collect());
        };
        (0..WINDOW).for_each(|_| persist());
        let commits = store.metrics().commits;
        let (start, mut rows) = (Instant::now(), 0);
        while start.elapsed() < MEASURED_FOR {
            said.recv()?;
            rows += batch;
            persist();
        }
        let seconds = start.elapsed().as_secs_f64();
        let commits = store.metrics().commits - commits;
        println!(
            "batches of {batch:3}, {WINDOW} under way: {:8.0} durable rows/s, {:6.0} commits/s",
            rows as f64 / seconds,
            commits as f64 / seconds
        );
        for _ in 0..WINDOW {
            said.recv()?;
        }
    }
    let (start, mut pages) = (Instant::now(), 0);
    while start.elapsed() < MEASURED_FOR {
        let after_seq = Some(pages * 7_919 % seq);
        let query = ArchiveQuery { archive: ARCHIVE.to_owned(), after_seq, max: 50, ..ArchiveQuery::default() };
        store.query(0, QueryId(pages), query);
        said.recv()?;
        pages += 1;
    }
    let each = start.elapsed().as_micros() as f64 / pages as f64;
    println!("a page of 50 of {seq} rows, one at a time, there and back: {each:.0} us");
    Ok(())
}

fn next_row(seq: &mut u64) -> Change {
    *seq += 1;
    // An id as random as a stanza-id is, so that its index is met all over.
    let id =
        format!("{:016x}{:016x}", seq.wrapping_mul(0x9e37_79b9_7f4a_7c15), seq.wrapping_mul(0xd134_2543_de82_ef95));
    let stanza = format!(
        "<message from='{ARCHIVE}/BigCheese' id='{id}' type='groupchat'><body>{}</body></message>",
        "so it goes. ".repeat(25)
    );
    let stamp_ms = 1_795_000_000_000 + *seq as i64;
    Change::Append(Row {
        archive: ARCHIVE.to_owned(),
        seq: *seq,
        id,
        stamp_ms,
        with: format!("{ARCHIVE}/BigCheese"),
        stanza,
        author: None,
        born: None,
    })
}
