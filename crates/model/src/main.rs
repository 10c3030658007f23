//! Checks the model by hand.
//!
//!     cargo run -p model              what the gate exhausts, with figures
//!     cargo run -p model -- long      the larger bounds as well
//!     cargo run -p model -- hunts     the shortest story of each mistake

use model::bounds::{self, Bounds};
use model::check::{exhaust, hunt};
use model::flaws::Flaw;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let held = match what.as_str() {
        "" => exhaust_all(&bounds::GATE),
        "long" => exhaust_all(&bounds::GATE) && exhaust_all(&bounds::LONG),
        "hunts" => hunt_all(),
        name => bounds::GATE.iter().chain(&bounds::LONG).filter(|b| b.name == name).all(|b| exhaust_all(&[*b])),
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn exhaust_all(all: &[Bounds]) -> bool {
    let mut held = true;
    for bounds in all {
        let began = Instant::now();
        let report = exhaust(*bounds, THREADS);
        let seconds = began.elapsed().as_secs_f32();
        println!("{}: {} states, depth {}, {seconds:.1} s", bounds.name, report.states, report.depth);
        for found in &report.found {
            println!("  NOT SO: {}, in {} steps: {:?}", found.property, found.story.len(), found.story);
        }
        held &= report.found.is_empty();
    }
    held
}

fn hunt_all() -> bool {
    let mut all_found = true;
    for flaw in Flaw::ALL {
        match hunt(flaw, flaw.shows_in()) {
            Some(found) => println!("{flaw:?}: {}, in {} steps: {:?}", found.property, found.story.len(), found.story),
            None => {
                all_found = false;
                println!("{flaw:?}: not found in: {}", flaw.shows_in().name);
            }
        }
    }
    all_found
}

/// As many as the gate's machine has cores.
const THREADS: usize = 2;
