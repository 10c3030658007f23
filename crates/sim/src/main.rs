//! Runs the simulator by hand: seeds, and transcripts.

// The program reads and writes transcripts; what it simulates touches no file.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use sim::coverage::Coverage;
use sim::document;
use sim::scenario::shorten::{parse_spans, shorten, spans};
use sim::scenario::{self, Outcome};
use sim::transcript::Transcript;
use sim::transcript::play::{Stage, play, write};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.what {
        Some(What::Examples { write, file }) => examples(write, &file),
        Some(What::Transcripts { write, files }) => transcripts(write, &files),
        None => seeds(&cli.seeds),
    }
}

fn seeds(seeds: &Seeds) -> Result<()> {
    let range = match seeds.seed {
        Some(seed) => seed..seed + 1,
        None => seeds.from..seeds.from + seeds.seeds,
    };
    let without =
        seeds.without.as_deref().map(|text| parse_spans(text).context("steps are given as 3-7,9")).transpose()?;
    let (mut failed, mut messages, mut crossings, mut faults) = (0, 0, 0, 0);
    let mut coverage = Coverage::default();
    for seed in range.clone() {
        let outcome = scenario::run_without(seed, without.as_ref().unwrap_or(&BTreeSet::new()));
        schema::collect(outcome.tape.on_links());
        messages += outcome.counts.messages;
        crossings += outcome.counts.crossings;
        faults += outcome.counts.faults;
        coverage.add(&outcome);
        let fails = !outcome.violations.is_empty();
        if fails && seeds.failures == 1 && seeds.seed.is_none() {
            let (left_out, shortest) = shorten(outcome);
            tell(&shortest, None);
            fail(&shortest, &format!(" --without {}", spans(&left_out)));
        } else {
            if seeds.seed.is_some() {
                tell(&outcome, seeds.tape.as_deref());
            }
            if fails {
                fail(&outcome, "");
            }
        }
        failed += usize::from(fails);
        if fails && failed >= seeds.failures {
            break;
        }
    }
    println!("{} seeds: {messages} messages, {crossings} stanzas on links, {faults} faults", range.count());
    if seeds.coverage {
        print!("{coverage}");
        let never = coverage.never();
        if !never.is_empty() {
            bail!("never seen: {}", never.join(", "));
        }
    }
    if failed > 0 {
        bail!("{failed} seeds failed");
    }
    Ok(())
}

fn fail(outcome: &Outcome, how: &str) {
    for violation in &outcome.violations {
        println!("seed {}: {violation}", outcome.seed);
    }
    println!("replay: cargo run -p sim -- --seed {}{how}", outcome.seed);
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
