//! What all know of all while it goes on: who is in, what is under way.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;

/// One person, as of now.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// In the room, as far as the client knows.
    pub present: bool,
    /// Messages sent and neither reflected nor refused.
    pub outstanding: usize,
    /// Messages reflected, of all sessions.
    pub reflected: u64,
    /// Who said goodbye in this one's hearing.
    pub goodbyes: Vec<String>,
}

/// All, by nick.
pub type Standings = BTreeMap<String, Standing>;

/// All of them.
#[derive(Debug, Default)]
pub struct Board {
    standings: Mutex<Standings>,
    news: Notify,
}

impl Board {
    /// Writes down where somebody is now.
    pub fn write(&self, nick: &str, standing: Standing) {
        self.standings.lock().unwrap_or_else(|e| e.into_inner()).insert(nick.to_owned(), standing);
        self.news.notify_waiters();
    }

    /// As of now.
    pub fn read(&self) -> Standings {
        self.standings.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Waits until the board is as wished; an error that shows it when that takes too long.
    pub async fn wait_until(&self, what: &str, enough: impl Fn(&Standings) -> bool) -> anyhow::Result<()> {
        let waiting = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if enough(&self.read()) {
                    return;
                }
                news.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.map_err(|_| anyhow::anyhow!("waited in vain until {what}: {:#?}", self.read()))
    }
}

/// Longer than any server needs to come back and everybody to be in again.
const PATIENCE: Duration = Duration::from_secs(40);
