//! Programs of other people, in other languages; and how what is not there is skipped: loudly, and not at all where
//! `INTEROP=required` says so.

use anyhow::{Context, Result, bail, ensure};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Says that a test cannot run, and why; a failure where everything is required.
pub fn skip(what: &str, why: impl std::fmt::Display) {
    eprintln!("SKIPPED {what}: {why}");
    if let Some(list) = std::env::var_os("NETJOIN_SKIPS") {
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        let _ = list.and_then(|mut list| writeln!(list, "SKIPPED {what}: {why}"));
    }
    assert!(std::env::var("INTEROP").as_deref() != Ok("required"), "{what} is required here: {why}");
}

/// Whether a program can be found by its name.
pub fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).chain(["/usr/sbin".into()]).any(|folder| folder.join(program).is_file())
}

/// A Python that has slixmpp, in a virtual environment in `folder`; made when it is not there.
pub async fn slixmpp(folder: &Path) -> Result<PathBuf> {
    let requirements = Path::new(PEERS).join("slixmpp/requirements.txt");
    let python = folder.join("bin/python");
    let _one = INSTALLING.lock().await;
    if !is_made(folder, &requirements) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).await?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(&python).args(pip).arg(&requirements)).await?;
        std::fs::copy(&requirements, folder.join(MADE))?;
    }
    Ok(python)
}

/// A script of `peers/{name}` in a folder in which node finds what the `package.json` there names; made when it is not there.
pub async fn node(folder: &Path, name: &str, script_name: &str) -> Result<PathBuf> {
    let peer = Path::new(PEERS).join(name);
    let package = peer.join("package.json");
    let _one = INSTALLING.lock().await;
    if !is_made(folder, &package) {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        std::fs::copy(&package, folder.join("package.json"))?;
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
        // converse.js names packages in folders that it does not ship; npm 9 would look into them.
        run(Command::new("npm").args(install).arg("--install-links=false").current_dir(folder)).await?;
        std::fs::copy(&package, folder.join(MADE))?;
    }
    // Modules are looked for beside the script; one that is running is not written over.
    for ours in std::fs::read_dir(&peer)? {
        let ours = ours?;
        let (text, beside) = (std::fs::read(ours.path())?, folder.join(ours.file_name()));
        if ours.path() != package && std::fs::read(&beside).ok().as_ref() != Some(&text) {
            std::fs::write(&beside, text)?;
        }
    }
    Ok(folder.join(script_name))
}

/// A script of this crate for one of them.
pub fn script(name: &str) -> PathBuf {
    Path::new(PEERS).join(name)
}

/// Runs a program to its end; gives the lines it printed, an error when it did not end well.
pub async fn run(command: &mut Command) -> Result<Vec<String>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let running = tokio::time::timeout(RUN_MAX, command.output());
    let output = running.await.with_context(|| format!("took too long: {command:?}"))?;
    let output = output.with_context(|| format!("cannot run {command:?}"))?;
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{command:?} ended with {}: {said}{complained}", output.status);
    Ok(said.lines().map(str::to_owned).collect())
}

/// Ends a program in order, by SIGTERM.
pub async fn terminate(mut child: tokio::process::Child, at_most: Duration) -> Result<()> {
    let pid = child.id().context("it runs")?.to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await?;
    tokio::time::timeout(at_most, child.wait()).await.context("it did not end in time")??;
    Ok(())
}

/// Mounts a file system of so many bytes in memory; an error where that is not allowed.
pub async fn small_disk(at: &Path, bytes: u64) -> Result<SmallDisk> {
    std::fs::create_dir_all(at)?;
    let size = format!("size={bytes}");
    let mount = run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at)).await;
    if let Err(error) = mount {
        bail!("no file system could be mounted: {error:#}");
    }
    Ok(SmallDisk(at.to_owned()))
}

/// A small file system; unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.0.join(FILLER))?;
        for bytes in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; bytes]).is_ok() {}
        }
        Ok(())
    }

    /// Makes room again.
    pub fn make_room(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.0.join(FILLER))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server that writes there may just be ending.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn is_made(folder: &Path, list: &Path) -> bool {
    matches!((std::fs::read(folder.join(MADE)), std::fs::read(list)), (Ok(was), Ok(is)) if was == is)
}

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
/// A copy of the list that a folder was made from: whole once it is there.
const MADE: &str = "made-from";
const FILLER: &str = "filler";
/// Tests run at once, and what one of them installs the others wait for.
static INSTALLING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Longer than an installation over a slow line.
const RUN_MAX: Duration = Duration::from_secs(300);
