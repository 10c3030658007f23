//! Runs the simulator by hand: seeds, and transcripts.

// The program reads and writes transcripts and has the time; what it simulates touches no file and has no clock but its own.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg(feature = "flaws")]
mod flaws;
mod runner;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use sim::coverage::Coverage;
use sim::document;
use sim::scenario::shorten::{parse_spans, shorten, spans};
use sim::scenario::{self, Counts, Outcome};
use sim::transcript::Transcript;
use sim::transcript::play::{Stage, play, write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is put on tapes and taken off them again is small and much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The simulator of netjoin: the real engines, and everything going wrong.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    seeds: Seeds,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Args)]
struct Seeds {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only every so many of them: `--from 20 --every 40` are those in which the rooms' server loses its disk.
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Runs this one seed and tells its story.
    #[arg(long)]
    seed: Option<u64>,
    /// With `--seed`: tells every stanza as well whose line has this in it.
    #[arg(long, requires = "seed")]
    tape: Option<String>,
    /// With `--seed`: without what happens in these of its steps, as `3-7,9`.
    #[arg(long, requires = "seed")]
    without: Option<String>,
    /// How often each fault and each effect was seen; what was never seen is a failure.
    #[arg(long)]
    coverage: bool,
    /// How many seeds may fail before it stops.
    #[arg(long, default_value_t = 1)]
    failures: usize,
    /// How many run at a time; as many as there are cores where it is not given.
    #[arg(long)]
    jobs: Option<usize>,
}

#[derive(Subcommand)]
enum What {
    /// Compares the examples of a document with what crosses links when they are played.
    Examples {
        /// Writes what was captured into the document first.
        #[arg(long)]
        write: bool,
        /// The document.
        file: PathBuf,
    },
    /// Plays transcripts on one node and with every user at a site of his own.
    Transcripts {
        /// Writes what is received on one node into the files first.
        #[arg(long)]
        write: bool,
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Makes each mistake that the engines know, and says which check sees it, and at which seed.
    #[cfg(feature = "flaws")]
    Flaws(flaws::Hunt),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.what {
        Some(What::Examples { write, file }) => examples(write, &file),
        Some(What::Transcripts { write, files }) => transcripts(write, &files),
        #[cfg(feature = "flaws")]
        Some(What::Flaws(hunt)) => flaws::hunt(&hunt),
        None => seeds(&cli.seeds),
    }
}

fn seeds(seeds: &Seeds) -> Result<()> {
    if let Some(seed) = seeds.seed {
        return one(seed, seeds);
    }
    let jobs = seeds.jobs.unwrap_or_else(runner::cores);
    let (begun, mut took) = (Instant::now(), Vec::new());
    let (mut failed, mut all) = (0, Counts::default());
    let mut coverage = Coverage::default();
    let seed_of = |number: u64| seeds.from + number * seeds.every;
    runner::each(
        0..seeds.seeds,
        jobs,
        |number| runner::run(seed_of(number)),
        |number, ran| {
            let seed = seed_of(number);
            took.push(ran.took);
            all.add(ran.counts);
            coverage.merge(&ran.coverage);
            if ran.violations.is_empty() {
                return ControlFlow::Continue(());
            }
            failed += 1;
            if seeds.failures == 1 {
                let (left_out, shortest) = shorten(scenario::run(seed));
                tell(&shortest, None);
                fail(seed, &shortest.violations, &format!(" --without {}", spans(&left_out)));
            } else {
                fail(seed, &ran.violations, "");
            }
            if failed < seeds.failures { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        },
    );
    let Counts { messages, crossings, faults, .. } = all;
    println!("{} seeds: {messages} messages, {crossings} stanzas on links, {faults} faults", took.len());
    println!("{}", pace(&mut took, begun.elapsed(), jobs));
    seen(seeds, &coverage)?;
    if failed > 0 {
        bail!("{failed} seeds failed");
    }
    Ok(())
}

/// How fast that was.
fn pace(took: &mut [Duration], all: Duration, jobs: usize) -> String {
    took.sort_unstable();
    let rate = took.len() as f64 / all.as_secs_f64();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    format!("{rate:.1} seeds a second on {jobs} cores; {:.1} ms the median", median.as_secs_f64() * 1_000.0)
}

/// One seed, and its story.
fn one(seed: u64, seeds: &Seeds) -> Result<()> {
    let without = seeds.without.as_deref().map(|text| parse_spans(text).context("steps are given as 3-7,9"));
    let outcome = scenario::run_without(seed, &without.transpose()?.unwrap_or_default());
    schema::collect(outcome.tape.on_links());
    tell(&outcome, seeds.tape.as_deref());
    let mut coverage = Coverage::default();
    coverage.add(&outcome);
    let Counts { messages, crossings, faults, .. } = outcome.counts;
    println!("{messages} messages, {crossings} stanzas on links, {faults} faults");
    if !outcome.violations.is_empty() {
        fail(seed, &outcome.violations, "");
        bail!("seed {seed} failed");
    }
    seen(seeds, &coverage)
}

fn seen(seeds: &Seeds, coverage: &Coverage) -> Result<()> {
    if seeds.coverage {
        print!("{coverage}");
        let never = coverage.never();
        if !never.is_empty() {
            bail!("never seen: {}", never.join(", "));
        }
    }
    Ok(())
}

fn fail(seed: u64, violations: &[String], how: &str) {
    for violation in violations {
        println!("seed {seed}: {violation}");
    }
    println!("replay: cargo run -p sim -- --seed {seed}{how}");
}

fn tell(outcome: &Outcome, tape: Option<&str>) {
    let story = outcome.story.iter().map(|(at_ms, line)| (*at_ms, line.clone()));
    let tape = tape.into_iter().flat_map(|part| {
        outcome
            .tape
            .lines()
            .into_iter()
            .filter(move |(_, line)| line.contains(part))
            .map(|(at, line)| (at, format!("  {line}")))
    });
    let mut lines: Vec<(u64, String)> = story.chain(tape).collect();
    lines.sort_by_key(|(at_ms, _)| *at_ms);
    for (at_ms, line) in lines {
        println!("{at_ms:>9} {line}");
    }
}

fn examples(anew: bool, file: &Path) -> Result<()> {
    let captured = document::captured();
    let mut text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    if anew {
        text = document::written(&text, &captured);
        std::fs::write(file, &text)?;
    }
    let examples = document::examples(&text).map_err(anyhow::Error::msg)?;
    document::compare(&examples, &captured).map_err(|difference| anyhow::anyhow!("{difference}"))?;
    println!("{}: {} examples as captured", file.display(), examples.len());
    Ok(())
}

fn transcripts(anew: bool, files: &[PathBuf]) -> Result<()> {
    let mut failed = 0;
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("{name}"))?;
        let mut transcript = Transcript::parse(&text).with_context(|| format!("{name}"))?;
        if anew {
            transcript = write(&transcript);
            std::fs::write(file, transcript.to_text()).with_context(|| format!("{name}"))?;
        }
        for stage in Stage::ALL {
            match play(&transcript, stage) {
                Ok(world) => {
                    schema::collect(world.tape.on_links());
                    println!("{name}: {stage:?}: as written");
                }
                Err(difference) => {
                    failed += 1;
                    println!("{name}: {difference}");
                }
            }
        }
    }
    if failed > 0 {
        bail!("{failed} plays did not go as written");
    }
    Ok(())
}
