//! Runs the simulator by hand.

// The program reads and writes transcripts; what it simulates touches no file.
#![allow(clippy::disallowed_methods)]

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use sim::transcript::Transcript;
use sim::transcript::play::{Stage, play, write};
use std::path::PathBuf;

/// The simulator of netjoin.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
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
    match Cli::parse().what {
        What::Transcripts { write, files } => transcripts(write, &files),
    }
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
                Ok(w) => {
                    let n = w.tape.crossings.iter().filter(|c| c.stanza.to_xml().contains("<enter ")).count();
                    println!("enters {n} of {}", w.tape.crossings.len());
                    println!("{name}: {stage:?}: as written")
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
