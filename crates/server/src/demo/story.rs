//! Plays the story on a network, act by act, waiting for what each act must bring before the next.

use super::cast::{Act, CHANNEL, ROOM, STORY};
use super::expect::{Model, Sight, What, leaks, sight};
use super::network::{Crossed, Network, administer, enter, leave, open, say};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a whole run showed.
pub struct Played {
    /// Act by act.
    pub scenes: Vec<Scene>,
    /// Everything each user saw of the room, in order.
    pub views: BTreeMap<&'static str, Vec<Sight>>,
    /// What did not hold; empty when all did.
    pub faults: Vec<String>,
}

/// One act and what came of it.
pub struct Scene {
    /// Its chapter.
    pub chapter: &'static str,
    /// What was done.
    pub act: Act,
    /// Who saw something of it, and how many stanzas.
    pub seen: BTreeMap<&'static str, usize>,
    /// What it made cross each link.
    pub crossed: BTreeMap<&'static str, Crossed>,
    /// How many occupants each site had when it was over.
    pub occupants: BTreeMap<&'static str, usize>,
}

/// Plays everything; an error only where the play could not go on.
pub async fn play(network: &Network) -> Result<Played> {
    let mut model = Model::default();
    let mut played = Played { scenes: Vec::new(), views: BTreeMap::new(), faults: Vec::new() };
    let mut seen_so_far: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (chapter, acts) in STORY {
        for &act in acts {
            let before = network.crossed().await?;
            let expected = model.act(act);
            perform(network, act).await?;
            for (&nick, expected) in &expected {
                let from = seen_so_far.entry(nick).or_default();
                let got = wait_for(network, nick, *from, expected.len()).await;
                *from += got.len();
                if canonical(&got) != canonical(expected) {
                    played.faults.push(format!("{act:?}: {nick} should see {expected:?} and saw {got:?}"));
                }
            }
            let after = network.crossed().await?;
            played.scenes.push(Scene {
                chapter,
                act,
                seen: expected.iter().map(|(nick, sights)| (*nick, sights.len())).collect(),
                crossed: after.iter().map(|(site, now)| (*site, *now - before[site])).collect(),
                occupants: after.keys().map(|site| (*site, model.inside_at(site))).collect(),
            });
        }
    }
    finish(network, &seen_so_far, &mut played).await;
    Ok(played)
}

/// The line that a site must have carried for an act that all are told once: one down with replicas.
pub fn is_broadcast(act: Act) -> bool {
    matches!(act, Act::Says(..))
}

async fn perform(network: &Network, act: Act) -> Result<()> {
    match act {
        Act::Enters(nick) => network.send(nick, enter(nick)).await,
        Act::Leaves(nick) => network.send(nick, leave(nick)).await,
        Act::Says(nick, text) => network.send(nick, say(text, &format!("say-{nick}"))).await,
        Act::Opens(nick) => ask(network, nick, open()).await,
        Act::Affiliates(by, nick) => {
            let person = super::cast::by_nick(nick);
            let jid = format!("{}@{}", person.local, person.site);
            ask(network, by, administer(&[("jid", &jid), ("affiliation", person.affiliation)])).await
        }
        Act::Promotes(by, nick) => ask(network, by, administer(&[("nick", nick), ("role", "moderator")])).await,
    }
}

async fn ask(network: &Network, nick: &str, iq: xmpp::Element) -> Result<()> {
    let answer = network.clients[nick].ask(iq).await?;
    if answer.get("type") != Some("result") {
        bail!("{CHANNEL} answered {nick}: {answer}");
    }
    Ok(())
}

/// What `nick` has seen of the room from the `from`th on, once there are `count` or the wait is over.
async fn wait_for(network: &Network, nick: &str, from: usize, count: usize) -> Vec<Sight> {
    let client = &network.clients[nick];
    let of_room = |seen: &[xmpp::Element]| seen.iter().filter_map(sight).skip(from).collect::<Vec<_>>();
    let _ = client.wait_until(SIGHT_MAX, |seen| of_room(seen).len() >= count).await;
    client.seen(of_room)
}

/// When all is quiet: nobody saw more than the story has, and nobody saw how it works.
async fn finish(network: &Network, seen_so_far: &BTreeMap<&'static str, usize>, played: &mut Played) {
    tokio::time::sleep(QUIET).await;
    for (&nick, client) in &network.clients {
        let (views, leaking) = client.seen(|seen| {
            let views: Vec<Sight> = seen.iter().filter_map(sight).collect();
            (views, seen.iter().filter(|s| leaks(s)).count())
        });
        let expected = seen_so_far.get(nick).copied().unwrap_or(0);
        if views.len() != expected {
            played.faults.push(format!("{nick} saw {} stanzas of {ROOM} in all, not {expected}", views.len()));
        }
        if leaking > 0 {
            played.faults.push(format!("{nick} was shown {leaking} stanzas in the language of replicas"));
        }
        played.views.insert(nick, views);
    }
}

/// The roster that opens an entrant's list comes in no particular order.
pub fn canonical(sights: &[Sight]) -> Vec<Sight> {
    let is_other = |s: &&Sight| matches!(&s.what, What::Present(_, _, _, codes) if !codes.contains(&110));
    let others = sights.iter().take_while(is_other).count();
    let mut sorted = sights.to_vec();
    sorted[..others].sort();
    sorted
}

/// Runs both networks' views against each other: what a user sees must not tell whether there are replicas.
pub fn compare(with: &Played, without: &Played) -> Result<()> {
    for (nick, seen) in &with.views {
        let other = without.views.get(nick).context("the same cast")?;
        // Per act the roster's order is free; sorted whole, both must hold the same.
        let sorted = |list: &[Sight]| {
            let mut list = list.to_vec();
            list.sort();
            list
        };
        if sorted(seen) != sorted(other) {
            bail!("{nick} saw something else with replicas than without");
        }
    }
    Ok(())
}

/// How long an act may take to reach everybody.
const SIGHT_MAX: Duration = Duration::from_secs(5);
/// How long nothing more may come at the end.
const QUIET: Duration = Duration::from_millis(300);
