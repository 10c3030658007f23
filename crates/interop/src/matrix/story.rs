//! What the clients do together: people of two sites in a room of a third, whose owner watches.

use super::client::{Client, Installed};
use super::page::{Act, Column};
use super::person::{Look, Person};
use super::verdict::judge;
use crate::network::{Network, Plan, Proof};
use crate::room;
use anyhow::{Context, Result, ensure};
use driver::Client as Owner;
use std::collections::BTreeSet;
use xmpp::{Element, ns};

/// Plays it with what is installed; gives the columns of the page, and what is wrong.
pub async fn run(installed: &[Installed]) -> Result<(Vec<Column>, Vec<String>)> {
    let mut story = Story::start(installed).await?;
    story.enter().await.context("entering")?;
    story.talk().await.context("talking")?;
    story.rename().await.context("changing nicks")?;
    story.kick().await.context("being kicked")?;
    for site in [VESA, ERIS] {
        story.split(site).await.with_context(|| format!("{site} cut off"))?;
    }
    story.say("in the end").await.context("talking again")?;
    let wrong = story.verdict().await?;
    Ok((story.log_out().await.context("logging out")?, wrong))
}

/// The page of a client is loaded anew: it goes on with its session (XEP-0198), hears what it would have heard, and nobody
/// else has noticed. Real addresses are shown in the room, so that a second session would be.
pub async fn reload(page: &Installed) -> Result<()> {
    let mut story = Story::start(std::slice::from_ref(page)).await?;
    story.enter().await?;
    story.say("hello").await?;
    story.people[0].reload().await?;
    story.say("still here").await?;
    story.say("and still").await?;
    let nick = story.people[0].nick;
    let address = |s: &Element| {
        let x = s.get_child("x", ns::MUC_USER).filter(|_| of(s, nick))?;
        x.get_child("item", ns::MUC_USER)?.get("jid").map(str::to_owned)
    };
    let addresses: BTreeSet<String> = story.owner.seen(|seen| seen.iter().filter_map(address).collect());
    ensure!(addresses.len() == 1, "{nick} has had more sessions than one: {addresses:?}");
    let left = story.owner.seen(|seen| seen.iter().any(|s| room::is_presence(s, ROOM, nick, false)));
    ensure!(!left, "{nick} was out");
    let site = story.people[0].domain;
    let resumed = story.network.site(site).metrics().await?.get("netjoin_resumptions_total").copied();
    ensure!(resumed == Some(1.0), "the session was resumed {resumed:?} times");
    story.log_out().await.map(drop)
}

/// Whoever has bookmarked the room is in it once he is online, with a client that knows nothing yet (XEP-0402; XEP-0048 in
/// private XML).
pub async fn remember(installed: &[Installed]) -> Result<()> {
    let mut story = Story::start(installed).await?;
    story.enter().await?;
    for person in &mut story.people {
        person.bookmark().await?;
    }
    story.all_leave().await?;
    for installed in installed {
        story.people.push(Person::start(&story.network, installed, site_of(installed.client), ROOM)?);
    }
    for person in &mut story.people {
        person.online().await?;
        person.show().await?;
    }
    story.all_see_all().await?;
    story.log_out().await.map(drop)
}

struct Story {
    network: Network,
    owner: Owner,
    people: Vec<Person>,
    columns: Vec<Column>,
    /// Bodies of what nobody was cut off from.
    in_order: Vec<String>,
    /// How often all have said something.
    times: u32,
}

impl Story {
    async fn start(installed: &[Installed]) -> Result<Story> {
        let mut network = Network::new()?;
        for domain in [PRIMARY, VESA, ERIS] {
            let here = installed.iter().filter(|i| site_of(i.client) == domain);
            let mut users: Vec<String> = here.map(|i| i.client.local()).collect();
            users.extend((domain == PRIMARY).then(|| OWNER.to_lowercase()));
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            let rooms = (domain == PRIMARY).then_some(ROOMS);
            let (replica, proof, suspect_seconds) = (domain != PRIMARY, Proof::Certificate, Some(SUSPECT_SECONDS));
            let plan = Plan { domain, rooms, replica, users: &users, proof, suspect_seconds, ..Plan::default() };
            network.add(Plan { browsers: replica, ..plan })?;
        }
        network.start().await?;
        let owner = network.client(&format!("{}@{PRIMARY}", OWNER.to_lowercase())).await?;
        owner.send(&room::enter(ROOM, OWNER)).await?;
        let opened = owner.ask(room::open_to_all_eyes(ROOM)).await?;
        ensure!(opened.get("type") == Some("result"), "the room was not opened: {opened}");
        let mut people = Vec::new();
        for installed in installed {
            people.push(Person::start(&network, installed, site_of(installed.client), ROOM)?);
        }
        let mut columns = Vec::new();
        for person in &mut people {
            let online = person.online().await?;
            let cells = [(Act::LogIn, online.how)].into();
            columns.push(Column { client: person.client, version: online.version, cells });
        }
        Ok(Story { network, owner, people, columns, in_order: Vec::new(), times: 0 })
    }

    async fn enter(&mut self) -> Result<()> {
        for person in &mut self.people {
            person.enter().await?;
        }
        self.all_see_all().await?;
        let sees = format!("sees all {}", self.people.len() + 1);
        self.note_all(Act::Enter, &sees);
        Ok(())
    }

    async fn talk(&mut self) -> Result<()> {
        self.say("hello").await?;
        self.say("anybody here?").await?;
        self.note_all(Act::Talk, "hears and is heard");
        Ok(())
    }

    async fn rename(&mut self) -> Result<()> {
        for at in 0..self.people.len() {
            let [_, nick] = self.people[at].client.nicks();
            self.people[at].rename(nick).await?;
            self.all_see_all().await?;
        }
        self.say("so I am called now").await?;
        self.note_all(Act::Rename, "all see it");
        Ok(())
    }

    async fn kick(&mut self) -> Result<()> {
        for at in 0..self.people.len() {
            let victim = &mut self.people[at];
            let before = victim.look().await?;
            let kicked = self.owner.ask(room::kick(ROOM, victim.nick)).await?;
            ensure!(kicked.get("type") == Some("result"), "{} was not kicked: {kicked}", victim.nick);
            let told = |look: &Look| !look.inside && !news(&before, look).is_empty();
            let look = victim.until("is out, and told why", told).await?;
            let words = quoted(&news(&before, &look));
            let nick = victim.nick;
            for person in self.people.iter_mut().filter(|p| p.nick != nick) {
                person.until(&format!("{nick} is gone"), |look| !look.people.contains(nick)).await?;
            }
            self.people[at].enter().await?;
            self.all_see_all().await?;
            self.note(at, Act::Kicked, format!("{words}; is in again"));
        }
        Ok(())
    }

    /// The site is cut off from the room, both sides talk, and it joins again.
    async fn split(&mut self, site: &'static str) -> Result<()> {
        let (mut before, mut words) = (Vec::new(), Vec::new());
        for person in &mut self.people {
            before.push(person.look().await?);
        }
        self.network.site(PRIMARY).command(&["link", "cut", site]).await?;
        let nicks = |people: &[Person], there: bool| -> BTreeSet<String> {
            people.iter().filter(|p| (p.domain == site) == there).map(|p| p.nick.to_owned()).collect()
        };
        let (on_island, mut elsewhere) = (nicks(&self.people, true), nicks(&self.people, false));
        elsewhere.insert(OWNER.to_owned());
        for (person, before) in self.people.iter_mut().zip(&before) {
            let away = if person.domain == site { &elsewhere } else { &on_island };
            let look = person.until(&format!("{away:?} are away"), |look| look.away == *away).await?;
            words.push(format!("{}; those out of reach are away", quoted(&first(&news(before, &look)))));
        }
        let said = self.all_say("in two halves").await?;
        for person in &mut self.people {
            let here = person.domain == site;
            let (near, far): (Vec<_>, Vec<_>) = said.iter().partition(|(nick, _)| on_island.contains(nick) == here);
            let heard = |look: &Look| near.iter().all(|line| look.lines.contains(line));
            let look = person.until(&format!("hears {near:?}"), heard).await?;
            let apart = far.iter().all(|line| !look.lines.contains(line));
            ensure!(apart, "{} has heard who is cut off: {look:?}", person.nick);
        }
        let mut joined = Vec::new();
        before.clear();
        for person in &mut self.people {
            before.push(person.look().await?);
        }
        self.network.site(PRIMARY).command(&["link", "heal", site]).await?;
        for (person, before) in self.people.iter_mut().zip(&before) {
            let heard = |look: &Look| look.away.is_empty() && said.iter().all(|line| look.lines.contains(line));
            let look = person.until("nobody is away, and all that was missed is there", heard).await?;
            joined.push(format!("{}; has what was missed", quoted(&first(&news(before, &look)))));
        }
        self.all_see_all().await?;
        for (at, (words, joined)) in words.into_iter().zip(joined).enumerate() {
            if self.people[at].domain == site {
                self.note(at, Act::Island, words);
                self.note(at, Act::Netjoin, joined);
            } else {
                self.note(at, Act::Netsplit, words);
            }
        }
        Ok(())
    }

    /// What all have shown in the end, against the archive.
    async fn verdict(&mut self) -> Result<Vec<String>> {
        let archive = room::archive(&self.owner, ROOM).await?;
        let mut wrong = Vec::new();
        for person in &mut self.people {
            wrong.extend(judge(person.client, &person.look().await?, &archive, &self.in_order));
        }
        self.note_all(Act::Shown, &format!("the {} of the archive, each once", archive.len()));
        Ok(wrong)
    }

    async fn log_out(mut self) -> Result<Vec<Column>> {
        self.all_leave().await?;
        self.note_all(Act::LogOut, "all see it");
        self.owner.close().await;
        self.network.stop().await?;
        Ok(self.columns)
    }

    /// One after the other logs out, and all see it.
    async fn all_leave(&mut self) -> Result<()> {
        while let Some(person) = self.people.pop() {
            let nick = person.nick;
            person.end().await?;
            let left = |s: &Element| room::is_presence(s, ROOM, nick, false);
            let gone = |seen: &[Element]| seen.iter().rev().find(|s| of(s, nick)).is_some_and(left);
            self.owner.wait_until(room::PATIENCE, gone).await.with_context(|| format!("{nick} was to be gone"))?;
            self.all_see_all().await?;
        }
        Ok(())
    }

    /// Everybody says something that everybody hears.
    async fn say(&mut self, what: &str) -> Result<()> {
        let said = self.all_say(what).await?;
        for person in &mut self.people {
            let heard = |look: &Look| said.iter().all(|line| look.lines.contains(line));
            person.until(&format!("hears {said:?}"), heard).await?;
        }
        self.in_order.extend(said.into_iter().map(|(_, body)| body));
        Ok(())
    }

    /// Everybody says something; gives who said what.
    async fn all_say(&mut self, what: &str) -> Result<Vec<(String, String)>> {
        self.times += 1;
        let time = self.times;
        let body = |nick: &str| format!("{nick} says {what} ({time})");
        self.owner.send(&room::say(ROOM, &format!("{OWNER}-{time}"), &body(OWNER))).await?;
        let mut said = vec![(OWNER.to_owned(), body(OWNER))];
        for person in &mut self.people {
            person.say(&body(person.nick)).await?;
            said.push((person.nick.to_owned(), body(person.nick)));
        }
        Ok(said)
    }

    /// Everybody sees just those who are in.
    async fn all_see_all(&mut self) -> Result<()> {
        let mut nicks: BTreeSet<String> = self.people.iter().map(|p| p.nick.to_owned()).collect();
        nicks.insert(OWNER.to_owned());
        for person in &mut self.people {
            person.until(&format!("sees {nicks:?}"), |look| look.inside && look.people == nicks).await?;
        }
        Ok(())
    }

    fn note(&mut self, at: usize, act: Act, what: String) {
        self.columns[at].cells.insert(act, what);
    }

    fn note_all(&mut self, act: Act, what: &str) {
        (0..self.columns.len()).for_each(|at| self.note(at, act, what.to_owned()));
    }
}

/// Where a client's user has his account; both sites have a library and a program for people.
fn site_of(client: Client) -> &'static str {
    match client {
        Client::Slixmpp | Client::XmppJsWebSocket | Client::Converse => VESA,
        Client::XmppJs | Client::Profanity => ERIS,
    }
}

/// Whether a presence is of that nick.
fn of(stanza: &Element, nick: &str) -> bool {
    room::is_presence(stanza, ROOM, nick, true) || room::is_presence(stanza, ROOM, nick, false)
}

/// What a client has told its user since.
fn news(before: &Look, now: &Look) -> Vec<String> {
    now.notices.iter().filter(|notice| !before.notices.contains(notice)).cloned().collect()
}

fn first(words: &[String]) -> Vec<String> {
    words.first().cloned().into_iter().collect()
}

fn quoted(words: &[String]) -> String {
    if words.is_empty() { "says nothing".to_owned() } else { format!("“{}”", words.join(" / ")) }
}

const PRIMARY: &str = "avalon.irc";
const ROOMS: &str = "channel.avalon.irc";
const VESA: &str = "vesa.yeggmaex.irc";
const ERIS: &str = "eris.dclxvii.irc";
const ROOM: &str = "wallops@channel.avalon.irc";
const OWNER: &str = "WiZ";
/// Short, since splits are waited for.
const SUSPECT_SECONDS: u64 = 2;
