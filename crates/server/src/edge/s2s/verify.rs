//! Asking a domain whether it made a dialback key, XEP-0220 2.1.2: on a stream of its own, which is over with the
//! answer.

use super::stream::{Event, Stream};
use crate::edge::shard::Shard;
use std::rc::Rc;
use std::time::Duration;
use xmpp::stanza::Condition;
use xmpp::stream::dialback::{Pair, Verdict};

/// Asks the server of `pair.from`; within the time that a stream may take to be made.
pub(super) async fn ask(shard: &Rc<Shard>, pair: Pair, id: String, key: String) -> Verdict {
    let wait = Duration::from_secs(shard.edge.config.s2s.connect_seconds);
    let asked = tokio::time::timeout(wait, ask_all(shard, pair, id, key));
    asked.await.unwrap_or(Verdict::Error(Condition::RemoteServerTimeout))
}

async fn ask_all(shard: &Rc<Shard>, pair: Pair, id: String, key: String) -> Verdict {
    let ours = Pair { from: pair.to.clone(), to: pair.from.clone() };
    let targets = shard.edge.resolver.find(&ours.to).await;
    let traffic = shard.edge.links.of(&ours.to).traffic.clone();
    for target in &targets {
        let Ok(mut stream) = Stream::connect(shard, &ours, target, false, traffic.clone()).await else { continue };
        stream.verify(pair.clone(), id.clone(), key.clone());
        loop {
            match stream.next().await {
                Event::Verified(verdict) => {
                    stream.end(None);
                    return verdict;
                }
                Event::Closed(_) => break,
                Event::Ready | Event::Nudge => {}
            }
        }
    }
    let condition = if targets.is_empty() { Condition::RemoteServerNotFound } else { Condition::RemoteServerTimeout };
    Verdict::Error(condition)
}
