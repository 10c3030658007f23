//! Somebody with a client: a process that is told what to do, and tells what its user sees.
//!
//! Each of `peers/*/acts.*` logs in when it starts and prints one line, `{"version": …, "how": …}`. Then it reads orders, a
//! JSON object a line, and answers each with a line, `{}`, what was asked for, or `{"failed": why}`:
//!
//! ```text
//! {"do": "enter", "nick": "WiZ"}     into the room, without history where one can choose; answered once it is in
//! {"do": "say", "body": "hello"}
//! {"do": "rename", "nick": "Wizard"}
//! {"do": "look"}                     {"inside": true, "people": […], "away": […], "lines": [[nick, body], …], "notices": […]}
//! {"do": "picture", "path": …}       those that have a window
//! {"do": "reload"}                   those that are a page
//! {"do": "bookmark"}                 the room, those that have bookmarks
//! {"do": "show"}                     and the room that a bookmark has led into
//! {"do": "end"}                      logs out, and ends
//! ```
//!
//! What is looked at is what the client says or shows by itself. A process whose orders end, ends.

use super::client::{Client, Installed};
use crate::network::Network;
use crate::room::PATIENCE;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// What a client shows of the room.
#[derive(Debug, Clone, Deserialize)]
pub struct Look {
    /// Whether its user is in.
    pub inside: bool,
    /// Nicks of all who are in.
    pub people: BTreeSet<String>,
    /// Those of them who are away.
    pub away: BTreeSet<String>,
    /// What was said, by nick, in its order.
    pub lines: Vec<(String, String)>,
    /// All else that it has told its user, in its words.
    pub notices: Vec<String>,
}

/// One person.
pub struct Person {
    /// Of which client.
    pub client: Client,
    /// Where the account lives.
    pub domain: &'static str,
    /// The nick of the moment.
    pub nick: &'static str,
    folder: PathBuf,
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What a client says of itself once its user is online.
#[derive(Debug, Deserialize)]
pub struct Online {
    /// Its version.
    pub version: String,
    /// How it has connected.
    pub how: String,
}

impl Person {
    /// Starts the client, which logs in by itself.
    pub fn start(network: &Network, installed: &Installed, domain: &'static str, room: &str) -> Result<Person> {
        let client = installed.client;
        // None that an earlier one has left something in.
        let mut folder = tempfile::Builder::new().prefix(&client.local()).tempdir_in(network.folder())?;
        folder.disable_cleanup(true);
        let folder = folder.path().to_owned();
        let log = std::fs::File::create(folder.join("log"))?;
        let mut command = installed.command(network, domain, room, &folder)?;
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let (orders, answers) = process.stdin.take().zip(process.stdout.take()).context("both are piped")?;
        let (nick, answers) = (client.nicks()[0], BufReader::new(answers).lines());
        Ok(Person { client, domain, nick, folder, process, orders, answers })
    }

    /// Waits until it is online.
    pub async fn online(&mut self) -> Result<Online> {
        let online = self.answer().await.with_context(|| format!("{} logs in", self.client.name()))?;
        Ok(serde_json::from_value(online)?)
    }

    /// Enters under the nick of the moment.
    pub async fn enter(&mut self) -> Result<()> {
        self.order(json!({ "do": "enter", "nick": self.nick })).await.map(drop)
    }

    /// Says something to all.
    pub async fn say(&mut self, body: &str) -> Result<()> {
        self.order(json!({ "do": "say", "body": body })).await.map(drop)
    }

    /// Takes another nick.
    pub async fn rename(&mut self, nick: &'static str) -> Result<()> {
        self.order(json!({ "do": "rename", "nick": nick })).await?;
        self.nick = nick;
        Ok(())
    }

    /// Loads its page anew.
    pub async fn reload(&mut self) -> Result<()> {
        self.order(json!({ "do": "reload" })).await.map(drop)
    }

    /// Bookmarks the room.
    pub async fn bookmark(&mut self) -> Result<()> {
        self.order(json!({ "do": "bookmark" })).await.map(drop)
    }

    /// Turns to the room that its bookmark has led into.
    pub async fn show(&mut self) -> Result<()> {
        self.order(json!({ "do": "show" })).await.map(drop)
    }

    /// What the client shows now.
    pub async fn look(&mut self) -> Result<Look> {
        let seen = self.order(json!({ "do": "look" })).await?;
        serde_json::from_value(seen.clone()).with_context(|| format!("{seen}"))
    }

    /// Looks until it shows what is wanted.
    pub async fn until(&mut self, what: &str, enough: impl Fn(&Look) -> bool) -> Result<Look> {
        let end = Instant::now() + PATIENCE * 2;
        loop {
            let look = self.look().await?;
            if enough(&look) {
                return Ok(look);
            }
            if Instant::now() > end {
                let picture = self.folder.join("picture.png");
                let pictured = self.order(json!({ "do": "picture", "path": &picture })).await;
                let at = pictured.map_or(String::new(), |_| format!(", picture {}", picture.display()));
                bail!("{} waited in vain: {what}{at}; it shows {look:#?}", self.client.name());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Logs out.
    pub async fn end(mut self) -> Result<()> {
        self.order(json!({ "do": "end" })).await?;
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await.context("it did not end")??;
        ensure!(ended.success(), "{} ended with {ended}", self.client.name());
        Ok(())
    }

    async fn order(&mut self, order: Value) -> Result<Value> {
        self.orders.write_all(format!("{order}\n").as_bytes()).await?;
        self.answer().await.with_context(|| format!("{}: {order}", self.client.name()))
    }

    async fn answer(&mut self) -> Result<Value> {
        let answer =
            tokio::time::timeout(ANSWER_MAX, self.answers.next_line()).await.context("no answer in time")??;
        let answer = answer.with_context(|| format!("{} has ended: {}", self.client.name(), self.last_words()))?;
        let answer: Value = serde_json::from_str(&answer).with_context(|| answer.clone())?;
        ensure!(answer.get("failed").is_none(), "{}", answer["failed"]);
        Ok(answer)
    }

    /// The end of what it has complained of.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(LAST_WORDS_LINES).collect();
        lines.reverse();
        lines.join("\n")
    }
}

/// As long as what a script complains of, with where in it.
const LAST_WORDS_LINES: usize = 20;

/// Longer than a browser takes to start beside everything else.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// So that looking does not keep a client from its work.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
