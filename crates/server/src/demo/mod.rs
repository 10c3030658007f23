//! `netjoin demo`: the story of XEP-0282 on four servers, told and checked: section 5 twice, with replicas and without; then a
//! site is cut off and joined again.
//!
//! - `cast`: who is who, and what they do
//! - `network`: four child processes of this program and seven clients over TLS
//! - `sight`: what a client is shown, in the story's terms
//! - `expect`: what XEP-0045 promises each of them, worked out from the story alone; `netsplit`: while a site is cut off
//! - `story`: plays it; `archive`: reads the history as users are given it; `print` and `columns`: tell it

mod archive;
mod cast;
mod columns;
mod expect;
mod netsplit;
mod network;
mod print;
mod sight;
mod story;

use anyhow::{Context, Result, bail};
use network::{Network, Replicas};
use story::Play;

/// Runs the demo; an error when anything of it did not hold. With `stay` the servers run on until Ctrl-C.
pub async fn run(stay: bool) -> Result<()> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let folder = std::env::temp_dir().join(format!("netjoin-demo-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let told = tell(&program, &folder, stay).await;
    match &told {
        Ok(()) => drop(std::fs::remove_dir_all(&folder)),
        Err(_) => eprintln!("The servers' configuration, data and logs are kept in {}", folder.display()),
    }
    told
}

async fn tell(program: &std::path::Path, folder: &std::path::Path, stay: bool) -> Result<()> {
    let (with, without) = (folder.join("with"), folder.join("without"));
    let (distributed, plain) = tokio::try_join!(
        Network::start(program, &with, Replicas::On),
        Network::start(program, &without, Replicas::Off)
    )?;
    print::opening(&distributed);
    let (mut with, mut without) = (Play::new(&distributed), Play::new(&plain));
    tokio::try_join!(with.play(&cast::STORY), without.play(&cast::STORY))?;
    print::timeline(&with.scenes, &without.scenes);
    print::closing(&with.scenes, &without.scenes);
    let mut faults = compare(&with, &without);
    plain.stop().await?;

    let before = with.scenes.len();
    with.play(&cast::SPLIT).await?;
    columns::timeline(&with.scenes[before..]);
    let history = archive::read(&distributed, &with.model).await?;
    columns::history(&history);
    faults.extend(with.faults.iter().map(|f| format!("with replicas: {f}")));
    faults.extend(wrong_copies(&with.scenes, "with replicas", |seers| u64::from(seers > 0)));
    faults.extend(history.faults);

    let checked = judge(&with, faults);
    if checked.is_ok() && stay {
        print::invitation(&distributed);
        tokio::signal::ctrl_c().await?;
    }
    distributed.stop().await?;
    checked
}

fn compare(with: &Play<'_>, without: &Play<'_>) -> Vec<String> {
    let mut faults: Vec<String> = without.faults.iter().map(|f| format!("without: {f}")).collect();
    if let Err(difference) = story::compare(with, without) {
        faults.push(difference.to_string());
    }
    faults.extend(wrong_copies(&without.scenes, "without replicas", |seers| seers as u64));
    faults
}

/// Where a message to all has not crossed a link as often as it should, by how many there see it.
fn wrong_copies(scenes: &[story::Scene], which: &str, copies: impl Fn(usize) -> u64) -> Vec<String> {
    let mut faults = Vec::new();
    for scene in scenes.iter().filter(|scene| story::is_broadcast(scene.act)) {
        for (site, crossed) in &scene.crossed {
            let copies = copies(scene.seers_behind(site));
            if crossed.down != copies {
                faults.push(format!("{which}: {:?}: {} stanzas went to {site}, not {copies}", scene.act, crossed.down));
            }
        }
    }
    faults
}

fn judge(play: &Play<'_>, faults: Vec<String>) -> Result<()> {
    if faults.is_empty() {
        let stanzas: usize = play.views().values().map(Vec::len).sum();
        print::verdict(play.scenes.len(), stanzas);
        return Ok(());
    }
    for fault in &faults {
        eprintln!("did not hold: {fault}");
    }
    bail!("{} things did not hold", faults.len())
}
