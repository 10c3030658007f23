//! `kill -9` at any moment: what was acknowledged is there, whole.

use crate::support::{Bench, listener, message, put, whole};
use machine::{ArchiveQuery, Change, Token};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use store::{Completion, Options, Store};

/// Names the file to the child that is going to be killed.
const CHILD: &str = "STORE_CRASH_CHILD";
/// How often it is killed.
const KILLS: u64 = 50;
/// Persists each machine of the child has under way.
const WINDOW: u64 = 16;
const MACHINES: [u8; 3] = [0, 1, 2];

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        persist_until_killed(Path::new(&path));
    }
    let (_directory, path) = crate::support::place();
    let mut kept = BTreeMap::new();
    for round in 0..KILLS {
        // From before the first commit to well into the file, never twice at the same place.
        let acknowledged = run_and_kill(&path, round * round % 401);
        let bench = Bench::open(&path, Options::default()).expect("the file after a crash");
        for machine in MACHINES {
            let high = high(&bench, machine);
            let promised = acknowledged.get(&machine).or(kept.get(&machine)).copied().unwrap_or(0);
            assert!(high >= promised, "round {round}: machine {machine} was promised {promised} and has {high}");
            let page = bench.reads(ArchiveQuery { archive: archive(machine), count: true, backwards: true, ..whole() });
            assert_eq!(page.count, Some(high), "each persist whole: a record and its row");
            assert_eq!(page.rows.last().map_or(0, |row| row.seq), high);
            kept.insert(machine, high);
        }
    }
    assert!(kept.values().all(|&high| high > 0), "{kept:?}");
    let report = store::verify(&path, &mut |_| ()).expect("verified");
    assert!(report.is_sound(), "{report:?}");
}

/// Runs a child until it has told of so many persists, kills it, and returns the last of each machine it told of.
fn run_and_kill(path: &Path, after: u64) -> BTreeMap<u8, u64> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut acknowledged = BTreeMap::new();
    let mut heard = 0;
    let mut killed = false;
    loop {
        if heard >= after && !killed {
            child.kill().expect("killed");
            killed = true;
        }
        // What it had said before it died counts too.
        let Some(Ok(line)) = lines.next() else { break };
        let Some((machine, token)) = line.strip_prefix("kept ").and_then(|rest| rest.split_once(' ')) else { continue };
        // A last line may be cut short; only whole ones end in a full stop.
        let Some(token) = token.strip_suffix('.') else { continue };
        acknowledged.insert(machine.parse().expect("a machine"), token.parse().expect("a token"));
        heard += 1;
    }
    child.wait().expect("the child is over");
    assert!(killed, "the child ended by itself");
    acknowledged
}

/// The child: persists as fast as it can, each time a row and a record that must agree, and tells what is kept.
fn persist_until_killed(path: &Path) -> ! {
    let (tell, said) = listener();
    let (store, loaded) = Store::open(path, Options::default(), tell).expect("a file");
    let mut next: BTreeMap<u8, u64> = MACHINES.map(|machine| (machine, high_of(&loaded, machine) + 1)).into();
    let persist = |machine: u8, n: u64| {
        let mut row = message(n, "WiZ");
        row.archive = archive(machine);
        let high = put("high", &archive(machine), "n", &n.to_string());
        store.persist(machine, Token(n), vec![Change::Append(row), high]);
    };
    for machine in MACHINES {
        for _ in 0..WINDOW {
            let n = next.get_mut(&machine).expect("one of the machines");
            persist(machine, *n);
            *n += 1;
        }
    }
    let mut out = std::io::stdout();
    writeln!(out).expect("a reader");
    loop {
        let Ok(Completion::Done { machine, token, ok: true }) = said.recv() else { panic!("a persist failed") };
        writeln!(out, "kept {machine} {}.", token.0).expect("a reader");
        out.flush().expect("a reader");
        let n = next.get_mut(&machine).expect("one of the machines");
        persist(machine, *n);
        *n += 1;
    }
}

fn archive(machine: u8) -> String {
    format!("room{machine}@channel.avalon.irc")
}

fn high(bench: &Bench, machine: u8) -> u64 {
    high_of(&bench.loaded, machine)
}

fn high_of(loaded: &store::Loaded, machine: u8) -> u64 {
    let record = loaded.records.iter().find(|record| record.owner == archive(machine));
    record.map_or(0, |record| record.value.parse().expect("a number"))
}
