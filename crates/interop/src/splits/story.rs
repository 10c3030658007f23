//! One primary, two sites, six people who talk with slixmpp. In each round one site is cut off in a way that a seed decides, both
//! sides talk on, somebody may be killed, the cable is mended, and all hear all. In the end everything is compared.

use super::live::{Befell, Live};
use super::verdict::{Transcript, judge};
use crate::kills::story::Dice;
use crate::network::{Network, Plan, Proof};
use crate::relay::{Relay, Weather};
use crate::room;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Rows of the room's archive.
    pub archived: usize,
    /// Messages shown on an island before the primary had them.
    pub on_islands: usize,
    /// Rounds in which a server was killed.
    pub kills: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// Plays so many rounds.
pub async fn run(python: &Path, seed: u64, rounds: u32) -> Result<Outcome> {
    let mut story = Story::start(python, seed).await?;
    for round in 0..rounds {
        let told = story.round(round).await.with_context(|| format!("round {round}"))?;
        println!("round {}: {told}", round + 1);
    }
    story.end().await
}

struct Story {
    network: Network,
    cables: BTreeMap<&'static str, Cable>,
    people: Vec<Live>,
    dice: Dice,
    /// Whether of those who die in the middle of a join the primary is the first.
    primary_first: bool,
    said: u32,
    on_islands: usize,
    kills: usize,
    python: std::path::PathBuf,
    /// Sessions that ended with their server.
    over: Vec<String>,
}

/// Both ways between a site and the primary.
struct Cable {
    to_site: Relay,
    to_primary: Relay,
}

impl Story {
    async fn start(python: &Path, seed: u64) -> Result<Story> {
        let mut network = Network::new()?;
        let host = network.host(0).ip();
        let mut addresses = BTreeMap::new();
        for domain in [PRIMARY, VESA, ERIS] {
            let mut users: Vec<String> = at(domain).map(|nick| nick.to_lowercase()).collect();
            users.extend((domain == PRIMARY).then(|| FOUNDER.to_lowercase()));
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            let rooms = (domain == PRIMARY).then_some(ROOMS);
            let suspect_seconds = Some(SUSPECT_SECONDS);
            let (replica, proof) = (domain != PRIMARY, Proof::Certificate);
            let plan = Plan { domain, rooms, replica, users: &users, proof, suspect_seconds, ..Plan::default() };
            addresses.insert(domain, network.add(plan)?);
        }
        let mut cables = BTreeMap::new();
        for site in [VESA, ERIS] {
            let to_site = Relay::start(host, addresses[site]).await?;
            let to_primary = Relay::start(host, addresses[PRIMARY]).await?;
            network.way(PRIMARY, site, to_site.address());
            network.way(site, PRIMARY, to_primary.address());
            network.way(site, ROOMS, to_primary.address());
            cables.insert(site, Cable { to_site, to_primary });
        }
        network.start().await?;
        let founder = network.client(&format!("{}@{PRIMARY}", FOUNDER.to_lowercase())).await?;
        founder.send(&room::enter(ROOM, FOUNDER)).await?;
        let opened = founder.ask(room::open_to_all_eyes(ROOM)).await?;
        ensure!(opened.get("type") == Some("result"), "the room was not opened: {opened}");
        founder.close().await;
        let mut people = Vec::new();
        for (nick, domain) in PEOPLE {
            people.push(Live::start(&network, python, domain, nick, ROOM).await?);
        }
        let python = python.to_owned();
        let mut dice = Dice(seed);
        let primary_first = dice.below(2) == 0;
        let (said, on_islands, kills, over) = (0, 0, 0, Vec::new());
        let mut story = Story { network, cables, people, dice, primary_first, said, on_islands, kills, python, over };
        let first = story.all_say().await?;
        story.all_hear(&first).await?;
        Ok(story)
    }

    /// One cut, and what comes of it; gives it in words.
    async fn round(&mut self, round: u32) -> Result<String> {
        let site = if self.dice.below(2) == 0 { VESA } else { ERIS };
        let (weather, ways) = self.choose(round);
        let mut said = self.all_say().await?;
        self.set(site, weather, ways);
        said.extend(self.all_say().await?);
        if matches!(weather, Weather::Slow(_)) {
            self.all_hear(&said).await?;
            self.set(site, Weather::Fair, Ways::Both);
            return Ok(format!("{site} was slow"));
        }
        let shown = self.people_at(site).map(|p| p.nick.clone()).collect::<Vec<_>>();
        let local: Vec<&String> = said.iter().filter(|id| shown.iter().any(|nick| by(id, nick))).collect();
        for person in self.people_at(site) {
            person
                .until("those here are heard on the island", |events| local.iter().all(|id| heard(events, id)))
                .await?;
        }
        self.on_islands += local.len();
        // Talk that is on no island's way goes on meanwhile.
        said.extend(self.all_say().await?);
        let primary_dies = round % 3 == 1;
        let mut told = format!("{site} was cut off, {weather:?}, {ways:?}");
        if primary_dies && self.dice.below(2) == 0 {
            self.kill(PRIMARY).await?;
            told += ", the primary was killed meanwhile";
        }
        self.set(site, Weather::Fair, Ways::Both);
        if round % 3 == 2 {
            tokio::time::sleep(Duration::from_millis(self.dice.below(1_500))).await;
            // In turn, so that six rounds have both.
            let dies = if (round / 3).is_multiple_of(2) == self.primary_first { PRIMARY } else { site };
            self.kill(dies).await?;
            told += &format!(", {dies} was killed while it was joined");
        }
        said.extend(self.all_say().await?);
        self.all_hear(&said).await?;
        Ok(told)
    }

    fn choose(&mut self, round: u32) -> (Weather, Ways) {
        let ways = [Ways::Both, Ways::ToSite, Ways::ToPrimary, Ways::Both][self.dice.below(4) as usize];
        match (round + 1) % 5 {
            0 => (Weather::Slow(Duration::from_millis(30)), Ways::Both),
            n if n % 2 == 0 => (Weather::Silent, ways),
            _ => (Weather::Refused, Ways::Both),
        }
    }

    fn set(&self, site: &str, weather: Weather, ways: Ways) {
        let Some(cable) = self.cables.get(site) else { return };
        if ways != Ways::ToPrimary {
            cable.to_site.weather(weather);
        }
        if ways != Ways::ToSite {
            cable.to_primary.weather(weather);
        }
    }

    /// Everybody says something; gives the ids.
    async fn all_say(&mut self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for _ in 0..=self.dice.below(3) {
            for person in &mut self.people {
                self.said += 1;
                let id = format!("{}-{}", person.nick, self.said);
                person.say(&id).await?;
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Everybody who was there has been sent all of it. What was under way when somebody's own server died is not known.
    async fn all_hear(&self, ids: &[String]) -> Result<()> {
        for person in &self.people {
            let sure: Vec<&String> = ids.iter().filter(|id| !self.over.contains(id)).collect();
            let late = person.events().iter().position(super::live::is_own_entry).unwrap_or_default();
            let is_new = self.over.iter().any(|id| by(id, &person.nick)) || late == 0;
            if !is_new {
                let all = |events: &[Befell]| sure.iter().all(|id| heard(events, id) || refused(events, id));
                let waited = person.until("all that was said is heard", all).await;
                let lacks = |id: &&&String| !heard(&person.events(), id) && !refused(&person.events(), id);
                waited.with_context(|| format!("never heard: {:?}", sure.iter().filter(lacks).collect::<Vec<_>>()))?;
            }
        }
        Ok(())
    }

    async fn kill(&mut self, domain: &str) -> Result<()> {
        self.kills += 1;
        let site = self.network.site(domain);
        site.kill().await?;
        site.start().await?;
        // Whose server that was has lost the connection, and comes in again as soon as it may.
        let lost: Vec<usize> = (0..self.people.len()).filter(|n| self.people[*n].domain == domain).collect();
        for index in lost {
            let person = &self.people[index];
            self.over.extend(asked(&person.events()));
            let (nick, domain) = (person.nick.clone(), person.domain.clone());
            let again = Live::start(&self.network, &self.python, &domain, &nick, ROOM).await?;
            std::mem::replace(&mut self.people[index], again).end().await?;
        }
        Ok(())
    }

    fn people_at(&self, site: &str) -> impl Iterator<Item = &Live> {
        let site = site.to_owned();
        self.people.iter().filter(move |person| person.domain == site)
    }

    async fn end(mut self) -> Result<Outcome> {
        let last = self.all_say().await?;
        for person in &self.people {
            let all = |events: &[Befell]| last.iter().all(|id| heard(events, id));
            person.until("the last words are heard", all).await?;
            let joined = |events: &[Befell]| super::verdict::roster(events).values().all(Option::is_none);
            person.until("nobody is away any more", joined).await?;
        }
        let mut transcripts = Vec::new();
        for person in &mut self.people {
            let archive = person.archive().await?;
            let whole = !self.over.iter().any(|id| by(id, &person.nick));
            let (nick, domain) = (person.nick.clone(), person.domain.clone());
            let mainland = domain == PRIMARY;
            transcripts.push(Transcript { nick, domain, whole, mainland, events: person.events(), archive });
        }
        for person in std::mem::take(&mut self.people) {
            person.end().await?;
        }
        let sites = PEOPLE.iter().map(|(nick, domain)| (nick.to_string(), domain.to_string())).collect();
        let mut wrong = judge(&transcripts, &sites);
        self.network.stop().await?;
        for (domain, site) in &self.network.sites {
            if let Err(error) = site.command(&["store", "verify"]).await {
                wrong.push(format!("the store of {domain}: {error:#}"));
            }
        }
        let archived = transcripts.first().map_or(0, |t| t.archive.len());
        Ok(Outcome { archived, on_islands: self.on_islands, kills: self.kills, wrong })
    }
}

/// Which ways of a cable are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ways {
    Both,
    ToSite,
    ToPrimary,
}

fn at(domain: &str) -> impl Iterator<Item = &'static str> {
    PEOPLE.iter().filter(move |(_, at)| *at == domain).map(|(nick, _)| *nick)
}

fn by(id: &str, nick: &str) -> bool {
    id.split('-').next() == Some(nick)
}

fn heard(events: &[Befell], id: &str) -> bool {
    events.iter().any(|event| matches!(event, Befell::Message(said) if said.id.as_deref() == Some(id)))
}

fn refused(events: &[Befell], id: &str) -> bool {
    events.iter().any(|event| matches!(event, Befell::Error { id: other, .. } if other == id))
}

fn asked(events: &[Befell]) -> Vec<String> {
    events.iter().filter_map(|event| if let Befell::Asked(id) = event { Some(id.clone()) } else { None }).collect()
}

const PRIMARY: &str = "avalon.irc";
const ROOMS: &str = "channel.avalon.irc";
const ROOM: &str = "wallops@channel.avalon.irc";
const VESA: &str = "vesa.yeggmaex.irc";
const ERIS: &str = "eris.dclxvii.irc";
/// Who makes the room and goes.
const FOUNDER: &str = "Founder";
const PEOPLE: [(&str, &str); 6] = [
    ("Avalon", PRIMARY),
    ("Morgana", PRIMARY),
    ("BigCheese", VESA),
    ("Trillian", VESA),
    ("WiZ", ERIS),
    ("Efchen", ERIS),
];
/// After this a link is split: short, since each round waits for it.
const SUSPECT_SECONDS: u64 = 1;
