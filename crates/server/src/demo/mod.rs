//! `netjoin demo`: the story of XEP-0282 on four servers, told twice and checked.
//!
//! - `cast`: who is who, and what they do
//! - `network`: four child processes of this program and seven clients over TLS
//! - `expect`: what XEP-0045 promises each of them, worked out from the story alone
//! - `story`: plays it; `print`: tells it

mod cast;
mod expect;
mod network;
mod print;
mod story;

use anyhow::{Context, Result, bail};
use network::{Network, Replicas};
use story::Played;

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
    let (with, without) = tokio::try_join!(story::play(&distributed), story::play(&plain))?;
    print::timeline(&with, &without);
    print::closing(&with, &without);
    plain.stop().await?;
    let checked = check(&with, &without);
    if checked.is_ok() && stay {
        print::invitation(&distributed);
        tokio::signal::ctrl_c().await?;
    }
    distributed.stop().await?;
    checked
}

fn check(with: &Played, without: &Played) -> Result<()> {
    let mut faults: Vec<String> = Vec::new();
    faults.extend(with.faults.iter().map(|f| format!("with replicas: {f}")));
    faults.extend(without.faults.iter().map(|f| format!("without: {f}")));
    if let Err(difference) = story::compare(with, without) {
        faults.push(difference.to_string());
    }
    for scene in with.scenes.iter().filter(|s| story::is_broadcast(s.act)) {
        for (site, crossed) in &scene.crossed {
            let copies = u64::from(scene.occupants[site] > 0);
            if crossed.down != copies {
                faults.push(format!("{:?}: {} stanzas went to {site}, not {copies}", scene.act, crossed.down));
            }
        }
    }
    for scene in without.scenes.iter().filter(|s| story::is_broadcast(s.act)) {
        for (site, crossed) in &scene.crossed {
            if crossed.down != scene.occupants[site] as u64 {
                faults.push(format!("{:?} without replicas: {} stanzas went to {site}", scene.act, crossed.down));
            }
        }
    }
    if faults.is_empty() {
        let acts = with.scenes.len();
        let stanzas: usize = with.views.values().map(Vec::len).sum();
        println!(
            "\nAll of it held: {acts} acts, {stanzas} stanzas as XEP-0045 promises them, the same with replicas and"
        );
        println!("without; one copy per link for each message; no word of replicas to any client.");
        return Ok(());
    }
    for fault in &faults {
        eprintln!("did not hold: {fault}");
    }
    bail!("{} things did not hold", faults.len())
}
