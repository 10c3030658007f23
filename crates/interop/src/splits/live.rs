//! One person with slixmpp: a process that is told what to do and tells what befalls it.

use crate::network::{Network, PASSWORD};
use crate::peer;
use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;

/// What befell somebody, as `live.py` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "befell", rename_all = "lowercase")]
pub enum Befell {
    /// Logged in.
    Online,
    /// The connection is gone.
    Ended,
    /// A presence from the room.
    Presence {
        /// `unavailable`, `error`, or none.
        kind: Option<String>,
        /// Of whom.
        nick: String,
        /// `away` and the like.
        show: Option<String>,
        /// Status codes of XEP-0045.
        codes: Vec<String>,
    },
    /// A message to all.
    Message(Said),
    /// Something was not done.
    Error {
        /// The id it was given.
        id: String,
        /// The condition.
        condition: String,
    },
    /// The room's archive, as it was asked for.
    Archive {
        /// Oldest first.
        rows: Vec<Said>,
    },
    /// A request was not answered well.
    Failed {
        /// What was to be done.
        r#do: String,
        /// What the library says.
        why: String,
    },
    /// Asked to do this; noted here, not told by the process.
    #[serde(skip)]
    Asked(String),
}

/// A message as somebody or the archive has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// The room's.
    pub stanza_id: Option<String>,
    /// Its author's.
    pub id: Option<String>,
    /// Its author's nick; empty for what the room says itself.
    pub nick: String,
    /// The text.
    pub body: Option<String>,
}

/// One person.
pub struct Live {
    /// Nick in the room.
    pub nick: String,
    /// Where the account lives.
    pub domain: String,
    process: Child,
    orders: ChildStdin,
    life: Arc<Life>,
}

#[derive(Default)]
struct Life {
    events: Mutex<Vec<Befell>>,
    news: Notify,
}

impl Life {
    fn note(&self, event: Befell) {
        self.events.lock().unwrap_or_else(|e| e.into_inner()).push(event);
        self.news.notify_waiters();
    }
}

impl Live {
    /// Logs in and enters.
    pub async fn start(network: &Network, python: &Path, domain: &str, nick: &str, room: &str) -> Result<Live> {
        let address = network.sites.get(domain).context("no such server")?.address("c2s")?;
        let jid = format!("{}@{domain}/live", nick.to_lowercase());
        let mut process = Command::new(python)
            .arg(peer::script("slixmpp/live.py"))
            .args([address.ip().to_string(), address.port().to_string()])
            .arg(network.authority().certificate())
            .args([&jid, PASSWORD, room, nick])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let (orders, told) = (process.stdin.take(), process.stdout.take());
        let (orders, told) = orders.zip(told).context("both are piped")?;
        let life = Arc::new(Life::default());
        let noted = life.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(told).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(event) => noted.note(event),
                    Err(error) => eprintln!("live.py said {line:?}: {error}"),
                }
            }
            noted.note(Befell::Ended);
        });
        let mut live = Live { nick: nick.into(), domain: domain.into(), process, orders, life };
        live.until("online", |events| events.contains(&Befell::Online)).await?;
        live.order("enter", None).await?;
        live.until("in the room", |events| events.iter().any(is_own_entry)).await?;
        Ok(live)
    }

    /// Says something to all.
    pub async fn say(&mut self, id: &str) -> Result<()> {
        self.order("say", Some(id)).await
    }

    /// The room's archive as this person gets it.
    pub async fn archive(&mut self) -> Result<Vec<Said>> {
        let before = self.events().len();
        self.order("archive", None).await?;
        let answer = |event: &Befell| matches!(event, Befell::Archive { .. } | Befell::Failed { .. });
        self.until("the archive", |events| events[before..].iter().any(answer)).await?;
        match self.events()[before..].iter().find(|event| answer(event)) {
            Some(Befell::Archive { rows }) => Ok(rows.clone()),
            other => Err(anyhow!("{} got no archive: {other:?}", self.nick)),
        }
    }

    /// All that has befallen, in order.
    pub fn events(&self) -> Vec<Befell> {
        self.life.events.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Waits until enough has befallen.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Befell]) -> bool) -> Result<()> {
        let waiting = async {
            loop {
                let news = self.life.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if enough(&self.life.events.lock().unwrap_or_else(|e| e.into_inner())) {
                    return;
                }
                news.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.map_err(|_| {
            let events = self.events();
            let tail = &events[events.len().saturating_sub(SHOWN)..];
            anyhow!("{} waited in vain: {what}; lately: {tail:#?}", self.nick)
        })
    }

    /// Logs out.
    pub async fn end(mut self) -> Result<()> {
        if self.order("end", None).await.is_err() || tokio::time::timeout(PATIENCE, self.process.wait()).await.is_err()
        {
            self.process.kill().await?;
        }
        Ok(())
    }

    async fn order(&mut self, what: &str, id: Option<&str>) -> Result<()> {
        if let Some(id) = id {
            self.life.note(Befell::Asked(id.to_owned()));
        }
        let order = serde_json::json!({ "do": what, "id": id }).to_string() + "\n";
        Ok(self.orders.write_all(order.as_bytes()).await?)
    }
}

/// Whether somebody learns by this that he is in.
pub fn is_own_entry(event: &Befell) -> bool {
    matches!(event, Befell::Presence { kind: None, codes, .. } if codes.iter().any(|code| code == "110"))
}

/// Longer than any server needs to come back, or a link to be found again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events shown of who waited in vain.
const SHOWN: usize = 12;
