//! A bar for what takes longer than a second, where a person looks on.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long something takes before a bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs something long that tells how far it has come.
pub fn with<T>(what: &'static str, run: impl FnOnce(&mut dyn FnMut(::store::Progress)) -> T) -> T {
    let watched = std::io::stderr().is_terminal();
    let started = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let result = run(&mut |progress| {
        if !watched || started.elapsed() < PATIENCE {
            return;
        }
        let bar = bar.get_or_insert_with(|| ProgressBar::new(progress.total).with_style(style()).with_message(what));
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    result
}

fn style() -> ProgressStyle {
    let template = "{msg} [{bar:40}] {percent}% ({eta} left)";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
