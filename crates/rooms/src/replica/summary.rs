//! What an operator is shown of the links: `link list`, metrics.

use super::Replica;
use super::life::Life;
use crate::tally::Tally;
use machine::Now;
use xmpp::Jid;

/// One room's link as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSummary {
    /// The room.
    pub room: Jid,
    /// `asking`, `registering`, `syncing`, `live`, `suspect`, `split`, `dormant` or `plain`.
    pub state: &'static str,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// Local sessions in the room.
    pub sessions: usize,
    /// Stanzas whose outcome is not known.
    pub outbox: usize,
    /// Milliseconds since the service was heard of.
    pub lag_ms: u64,
}

impl Replica {
    /// All links, by room.
    pub fn links(&self, now: Now) -> Vec<LinkSummary> {
        let summary = |mirror: &super::Mirror| {
            let service = self.site.services.get(mirror.room.domain());
            LinkSummary {
                room: mirror.room.clone(),
                state: match mirror.life {
                    Life::Suspect | Life::Registering if mirror.island.is_some() => "split",
                    Life::Suspect => "suspect",
                    Life::Asking => "asking",
                    Life::Registering => "registering",
                    Life::Syncing => "syncing",
                    Life::Live => "live",
                    Life::Dormant => "dormant",
                    Life::Plain | Life::Over => "plain",
                },
                since_ms: mirror.since.unix_ms,
                sessions: mirror.sessions.len(),
                outbox: mirror.outbox.len() + mirror.older.iter().map(|outbox| outbox.len()).sum::<usize>(),
                lag_ms: service.map_or(0, |service| service.silent_ms(now)),
            }
        };
        self.mirrors.values().map(summary).collect()
    }

    /// What has been counted of links to services since the start, by domain.
    pub fn tallies(&self) -> impl Iterator<Item = (&str, Tally)> {
        self.site.tallies.iter()
    }
}
