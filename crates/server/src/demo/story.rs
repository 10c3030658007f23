//! Plays the story on a network, act by act, waiting for what each act must bring before the next.

use super::cast::{Act, Attempt, CHANNEL, ROOM, by_nick};
use super::expect::{Model, Sights};
use super::network::{Crossed, Network, administer, configure, enter, leave, open, rename, say, subject};
use super::sight::{Sight, What, condition, leaks, sights};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// What has been played so far.
pub struct Play<'a> {
    /// Where.
    network: &'a Network,
    /// The room as the story has it.
    pub model: Model,
    /// Act by act.
    pub scenes: Vec<Scene>,
    /// What did not hold; empty when all did.
    pub faults: Vec<String>,
    /// How much of what each user has been sent belongs to acts that are over.
    seen_so_far: BTreeMap<&'static str, usize>,
}

/// One act and what came of it.
pub struct Scene {
    /// Its chapter.
    pub chapter: &'static str,
    /// What was done.
    pub act: Act,
    /// When.
    pub at: SystemTime,
    /// The site that was cut off then.
    pub cut: Option<&'static str>,
    /// What it made users see.
    pub seen: Sights,
    /// With what it was refused.
    pub refused: Option<&'static str>,
    /// What it made cross each link.
    pub crossed: BTreeMap<&'static str, Crossed>,
    /// How the link that was cut or healed looks from both ends: where, and how.
    pub links: Vec<(&'static str, String)>,
}

impl Scene {
    /// How many see something of it at a site that the room's server reaches.
    pub fn seers_behind(&self, site: &str) -> usize {
        let is_told = |at: &str| at == site && self.cut != Some(at);
        // What is said on an island stays there.
        let from_the_island = self.act.by().is_some_and(|nick| self.cut == Some(by_nick(nick).site));
        if from_the_island { 0 } else { self.seen.keys().filter(|nick| is_told(by_nick(nick).site)).count() }
    }
}

impl<'a> Play<'a> {
    /// Nothing has happened yet.
    pub fn new(network: &'a Network) -> Play<'a> {
        let (scenes, faults, seen_so_far) = (Vec::new(), Vec::new(), BTreeMap::new());
        Play { network, model: Model::default(), scenes, faults, seen_so_far }
    }

    /// Plays some chapters; an error only where the play could not go on.
    pub async fn play(&mut self, chapters: &'static [(&'static str, &'static [Act])]) -> Result<()> {
        for (chapter, acts) in chapters {
            for &act in *acts {
                self.scene(chapter, act).await?;
            }
        }
        self.settle().await;
        Ok(())
    }

    async fn scene(&mut self, chapter: &'static str, act: Act) -> Result<()> {
        let before = self.network.crossed().await?;
        let refused = match act {
            Act::Tries(nick, attempt) => Some(self.model.refusal(nick, attempt)),
            _ => None,
        };
        let seen = self.model.act(act);
        let at = SystemTime::now();
        self.perform(act).await?;
        for (&nick, expected) in &seen {
            let got = self.next_sights(nick, expected.len()).await;
            if canonical(&got) != canonical(expected) {
                self.faults.push(format!("{act:?}: {nick} should see {expected:?} and saw {got:?}"));
            }
        }
        let links = match act {
            Act::Cut(site) => self.link_is(site, "cut", "split").await?,
            Act::Heal(site) => self.link_is(site, "live", "live").await?,
            _ => Vec::new(),
        };
        let after = self.network.crossed().await?;
        let crossed = after.iter().map(|(site, now)| (*site, *now - before[site])).collect();
        let cut = self.model.cut.as_ref().map(|cut| cut.site);
        self.scenes.push(Scene { chapter, act, at, cut, seen, refused, crossed, links });
        Ok(())
    }

    async fn perform(&mut self, act: Act) -> Result<()> {
        let network = self.network;
        match act {
            Act::Enters(nick) => network.send(nick, enter(nick)).await,
            Act::Leaves(nick) => network.send(nick, leave(nick)).await,
            Act::Says(nick, text) => network.send(nick, say(text, &format!("say-{nick}"))).await,
            Act::Opens(nick) => self.done(nick, open()).await,
            Act::Affiliates(by, nick) => self.done(by, affiliate(nick, by_nick(nick).affiliation)).await,
            Act::Promotes(by, nick) => self.done(by, administer(&[("nick", nick), ("role", "moderator")], None)).await,
            Act::Reveals(nick) => self.done(nick, configure("muc#roomconfig_whois", "anyone")).await,
            Act::Bans(by, nick, why) => {
                let item = [("jid", &*by_nick(nick).bare()), ("affiliation", "outcast")];
                self.done(by, administer(&item, Some(why))).await
            }
            Act::Renames(nick, new) => network.send(nick, rename(new)).await,
            Act::Tries(nick, Attempt::Ownership) => self.not_done(nick, affiliate(nick, "owner")).await,
            Act::Tries(nick, Attempt::Ban(other)) => self.not_done(nick, affiliate(other, "outcast")).await,
            Act::Tries(nick, Attempt::Subject(text)) => network.send(nick, subject(text)).await,
            Act::Tries(nick, Attempt::Nick(new)) => network.send(nick, rename(new)).await,
            Act::Tries(nick, Attempt::Entry) => network.send(nick, enter(nick)).await,
            Act::Cut(site) => network.operator(CHANNEL, &["link", "cut", site]).await.map(drop),
            Act::Heal(site) => network.operator(CHANNEL, &["link", "heal", site]).await.map(drop),
        }
    }

    async fn done(&self, nick: &str, iq: xmpp::Element) -> Result<()> {
        let answer = self.network.clients[nick].ask(iq).await?;
        ensure!(answer.get("type") == Some("result"), "{CHANNEL} answered {nick}: {answer}");
        Ok(())
    }

    /// A request that must be refused, as the story says.
    async fn not_done(&mut self, nick: &str, iq: xmpp::Element) -> Result<()> {
        let expected = if self.model.is_cut_off(nick) { "remote-server-timeout" } else { "forbidden" };
        let answer = self.network.clients[nick].ask(iq).await?;
        if condition(&answer) != expected {
            self.faults.push(format!("{nick} should be refused with {expected} and was answered {answer}"));
        }
        Ok(())
    }

    /// What `nick` has seen of the room since the last act, once there are `count` or the wait is over.
    async fn next_sights(&mut self, nick: &'static str, count: usize) -> Vec<Sight> {
        let client = &self.network.clients[nick];
        let from = self.seen_so_far.entry(nick).or_default();
        let new = |seen: &[xmpp::Element]| sights(seen).into_iter().skip(*from).collect::<Vec<_>>();
        // What was not seen in time is told by what was.
        let _ = client.wait_until(SIGHT_MAX, |seen| new(seen).len() >= count).await;
        let got = client.seen(new);
        *from += got.len();
        got
    }

    /// How `netjoin link list` shows a link at both ends.
    async fn link_is(
        &mut self,
        site: &'static str,
        at_channel: &str,
        at_site: &str,
    ) -> Result<Vec<(&'static str, String)>> {
        let mut states = Vec::new();
        for (at, other, expected) in [(CHANNEL, site, at_channel), (site, CHANNEL, at_site)] {
            let list = self.network.operator(at, &["link", "list", "--json"]).await?;
            let list: serde_json::Value = serde_json::from_str(&list)?;
            let link = list["links"].as_array().and_then(|links| links.iter().find(|link| link["domain"] == other));
            let state = link.and_then(|link| link["state"].as_str()).unwrap_or("unknown").to_owned();
            if state != expected {
                self.faults.push(format!("the link to {other} is {state} at {at}, not {expected}"));
            }
            states.push((at, state));
        }
        Ok(states)
    }

    /// When all is quiet: nobody saw more than the story has, and nobody saw how it works.
    async fn settle(&mut self) {
        tokio::time::sleep(QUIET).await;
        for (&nick, client) in &self.network.clients {
            let (count, leaking) =
                client.seen(|seen| (sights(seen).len(), seen.iter().filter(|stanza| leaks(stanza)).count()));
            let expected = self.seen_so_far.get(nick).copied().unwrap_or(0);
            if count != expected {
                let more = client.seen(|seen| sights(seen).into_iter().skip(expected).collect::<Vec<_>>());
                self.faults.push(format!("{nick} saw more of {ROOM} than the story has: {more:?}"));
            }
            if leaking > 0 {
                self.faults.push(format!("{nick} was shown {leaking} stanzas in the language of replicas"));
            }
        }
    }

    /// Everything each user saw of the room, in order.
    pub fn views(&self) -> BTreeMap<&'static str, Vec<Sight>> {
        self.network.clients.iter().map(|(nick, client)| (*nick, client.seen(sights))).collect()
    }
}

/// Whether an act is one that all are told once.
pub fn is_broadcast(act: Act) -> bool {
    matches!(act, Act::Says(..))
}

fn affiliate(nick: &str, affiliation: &str) -> xmpp::Element {
    administer(&[("jid", &by_nick(nick).bare()), ("affiliation", affiliation)], None)
}

/// What is told of others comes in no particular order between two things that are said or that are one's own.
pub fn canonical(sights: &[Sight]) -> Vec<Sight> {
    let is_others = |sight: &Sight| match &sight.what {
        What::Present(shown) => !shown.codes.contains(&110),
        _ => false,
    };
    let mut sorted = sights.to_vec();
    for run in sorted.chunk_by_mut(|a, b| is_others(a) && is_others(b)) {
        run.sort();
    }
    sorted
}

/// Runs both networks' views against each other: what a user sees must not tell whether there are replicas.
pub fn compare(with: &Play<'_>, without: &Play<'_>) -> Result<()> {
    let plain = without.views();
    for (nick, mut seen) in with.views() {
        let mut other = plain.get(nick).cloned().context("the same cast")?;
        // Per act the roster's order is free; sorted whole, both must hold the same.
        seen.sort();
        other.sort();
        if seen != other {
            bail!("{nick} saw something else with replicas than without");
        }
    }
    Ok(())
}

/// How long an act may take to reach everybody; a link that is cut or healed takes longest.
const SIGHT_MAX: Duration = Duration::from_secs(10);
/// How long nothing more may come at the end.
const QUIET: Duration = Duration::from_millis(300);
