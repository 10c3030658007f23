//! One running `netjoin serve`, started and ended by its process id.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A server: a folder, a configuration in it, and the process while it runs.
#[derive(Debug)]
pub struct Site {
    /// The program to run.
    program: PathBuf,
    /// The configuration file.
    config: PathBuf,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// What listens where: `c2s`, `s2s`, `http`.
    listening: BTreeMap<String, SocketAddr>,
}

impl Site {
    /// A site that is not running yet; writes `config` into `folder/netjoin.toml`.
    pub fn new(program: &Path, folder: &Path, config: &str) -> Result<Site> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("netjoin.toml");
        std::fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Site { program: program.to_owned(), config: path, running: None })
    }

    /// The folder of configuration and data.
    pub fn folder(&self) -> &Path {
        self.config.parent().expect("the file is in a folder")
    }

    /// Runs another command of the program with this site's configuration, such as `user add`; gives what it printed.
    pub async fn command(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(args)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        if !output.status.success() {
            bail!("netjoin {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the server and waits until it is ready; its log goes to `serve.log` in the folder.
    pub async fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder().join("serve.log"))?;
        let mut child = Command::new(&self.program)
            .args(["serve", "--json", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut listening = BTreeMap::new();
        let ready = async {
            while let Some(line) = lines.next_line().await? {
                let event: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
                match event["event"].as_str() {
                    Some("listening") => {
                        let what = event["what"].as_str().unwrap_or_default().to_owned();
                        listening.entry(what).or_insert(event["addr"].as_str().unwrap_or_default().parse()?);
                    }
                    Some("ready") => return Ok(()),
                    _ => {}
                }
            }
            bail!("the server ended before it was ready; see {}", self.folder().join("serve.log").display())
        };
        tokio::time::timeout(READY_MAX, ready).await.context("the server was not ready in time")??;
        // Whatever else it prints is read and dropped, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.running = Some(Running { child, listening });
        Ok(())
    }

    /// Where it listens for `what`: `c2s`, `c2s_tls`, `s2s`, `http`.
    pub fn address(&self, what: &str) -> Result<SocketAddr> {
        let running = self.running.as_ref().context("the server is not running")?;
        running.listening.get(what).copied().with_context(|| format!("the server does not listen for {what}"))
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().and_then(|r| r.child.id())
    }

    /// Ends it as `kill -9` does and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.child.kill().await?;
        }
        Ok(())
    }

    /// Ends it in order by SIGTERM and waits; gives whether it ended well.
    pub async fn stop(&mut self) -> Result<bool> {
        let Some(mut running) = self.running.take() else { return Ok(true) };
        if let Some(pid) = running.child.id() {
            Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        }
        match tokio::time::timeout(STOP_MAX, running.child.wait()).await {
            Ok(status) => Ok(status?.success()),
            Err(_) => {
                running.child.kill().await?;
                Ok(false)
            }
        }
    }

    /// Leaves it running when this value is dropped; gives its process id.
    pub fn leave_running(mut self) -> Option<u32> {
        let running = self.running.take()?;
        let pid = running.child.id();
        std::mem::forget(running.child);
        pid
    }

    /// `GET path` of its HTTP listener: (status, body).
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address("http")?).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no HTTP answer")?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }

    /// Its counters by name and labels, as `/metrics` prints them: `name{label="…"}` to value.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>> {
        let (_, body) = self.get("/metrics").await?;
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        Ok(lines
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect())
    }
}

/// A server that takes longer to start than this has failed.
const READY_MAX: Duration = Duration::from_secs(20);
/// A server that takes longer to end in order than this is killed.
const STOP_MAX: Duration = Duration::from_secs(10);
