//! That the simulator hunts: each mistake that the engines can be told to make is seen within so many seeds, by a check that knows
//! nothing of it.

use crate::runner;
use anyhow::{Context, Result, bail};
use clap::Args;
use rooms::flaws::{Flaw, making};
use sim::scenario;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is made, and for how long it is looked for.
#[derive(Args)]
pub struct Hunt {
    /// Within how many seeds each has to be seen.
    #[arg(long, default_value_t = 600)]
    seeds: u64,
    /// How many run at a time; as many as there are cores where it is not given.
    #[arg(long)]
    jobs: Option<usize>,
    /// Writes the table into this document, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// With one mistake: tells what each seed shows of it, and does not stop at the first.
    #[arg(long)]
    all: bool,
    /// Only these, by name.
    only: Vec<String>,
}

/// A mistake that was seen.
struct Seen {
    what: &'static str,
    seed: u64,
    check: String,
}

/// Makes each mistake in turn; one that is not seen is a failure.
pub fn hunt(hunt: &Hunt) -> Result<()> {
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    let is_wanted = |name: &str| hunt.only.is_empty() || hunt.only.iter().any(|only| only == name);
    for (flaw, what) in Flaw::ALL {
        let (name, begun) = (format!("{flaw:?}"), Instant::now());
        if !is_wanted(&name) {
            continue;
        }
        match first_seen(*flaw, hunt) {
            Some((seed, violation)) => {
                println!("{name}: seed {seed}, {:.1} s: {violation}", begun.elapsed().as_secs_f64());
                let check = violation.split(": ").next().unwrap_or_default().to_owned();
                seen.push(Seen { what, seed, check });
            }
            None => {
                println!("{name}: NOT SEEN within {} seeds, {:.1} s", hunt.seeds, begun.elapsed().as_secs_f64());
                unseen.push(name);
            }
        }
    }
    if let Some(file) = &hunt.write {
        write(file, &seen, hunt.seeds)?;
    }
    if !unseen.is_empty() {
        bail!("{} of {} mistakes were not seen: {}", unseen.len(), unseen.len() + seen.len(), unseen.join(", "));
    }
    let last = seen.iter().map(|seen| seen.seed).max().unwrap_or_default();
    println!("{} mistakes, all seen; the last at seed {last}", seen.len());
    Ok(())
}

/// The first seed that shows a mistake, and what it shows. One that fails without it as well says nothing.
fn first_seen(flaw: Flaw, hunt: &Hunt) -> Option<(u64, String)> {
    let run = |seed: u64| {
        let violations = making(Some(flaw), || scenario::run(seed).violations);
        let holds_without = || scenario::run(seed).violations.is_empty();
        violations.into_iter().next().filter(|_| holds_without())
    };
    let mut first = None;
    let seed_of =
        |number: u64| if OF_OLDER_DISKS.contains(&flaw) { OLDER_DISK + number * OLDER_DISKS_EVERY } else { number };
    let (jobs, run) = (hunt.jobs.unwrap_or_else(runner::cores), |number: u64| run(seed_of(number)));
    runner::each(0..hunt.seeds, jobs, run, |number, violation| {
        let seed = seed_of(number);
        if let Some(violation) = &violation
            && hunt.all
        {
            println!("  seed {seed}: {violation}");
        }
        first = first.take().or(violation.map(|violation| (seed, violation)));
        if first.is_some() && !hunt.all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    first
}

/// The table, in the place of the one before.
fn write(file: &Path, seen: &[Seen], seeds: u64) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{} has no {BEGIN}", file.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} has no {END}", file.display()))?;
    let mut table = format!(
        "{} mistakes, each within {seeds} seeds, of those with an older disk where it is about that:\n\n| mistake | seen by | seed |\n|---|---|---|\n",
        seen.len()
    );
    for Seen { what, seed, check } in seen {
        writeln!(table, "| {what} | {check} | {seed} |")?;
    }
    std::fs::write(file, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
    Ok(())
}

/// Mistakes that only an older disk of the rooms' server shows, which few seeds have: they are looked for in those.
const OF_OLDER_DISKS: [Flaw; 2] = [Flaw::SetBackUnnoticed, Flaw::ToldTwice];
/// The first of them, and how far apart they are.
const OLDER_DISK: u64 = 20;
const OLDER_DISKS_EVERY: u64 = 40;
/// Where the table stands in a document.
const BEGIN: &str = "<!-- sim flaws -->";
const END: &str = "<!-- end -->";
