//! One primary, two sites, six people who talk without a pause; the primary and one site are killed in turn, at
//! moments that a seed decides, while writes are under way. The other site is never killed: its people stay in the room
//! the whole time.

use super::board::{Board, Standings};
use super::talker::{Order, Session, Talker};
use super::verdict;
use crate::network::{Network, Plan};
use crate::room;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Kills while writes were under way.
    pub kills: u32,
    /// Rows of the room's archive.
    pub archived: usize,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// Kills `kills` times, heals, and judges.
pub async fn run(seed: u64, kills: u32) -> Result<Outcome> {
    let mut network = start().await?;
    let founder = network.client(&jid(FOUNDER)).await?;
    room::go_in(&founder, ROOM, FOUNDER.0).await?;
    let board = Arc::new(Board::default());
    let (order, orders) = watch::channel(Order::Talk);
    let mut talking = Vec::new();
    for (nick, domain) in PEOPLE {
        let login = network.login(&jid((nick, domain)), "talker")?;
        let (board, orders) = (board.clone(), orders.clone());
        let talker = Talker { login, room: ROOM.into(), nick: nick.into(), board, orders };
        talking.push(tokio::spawn(talker.talk()));
    }
    let mut dice = Dice(seed);
    for kill in 0..kills {
        let domain = if kill % 2 == 0 { PRIMARY } else { MORTAL };
        let started = Instant::now();
        kill_one(&mut network, &board, domain, &mut dice).await.with_context(|| format!("kill {kill}, {domain}"))?;
        println!("kill {}: {domain}, after {} ms of talk", kill + 1, started.elapsed().as_millis());
    }
    all_talk(&board).await?;
    order.send(Order::Goodbye)?;
    board.wait_until("all heard all say goodbye", all_heard_all).await?;
    order.send(Order::End)?;
    let mut sessions: Vec<Session> = Vec::new();
    for talker in talking {
        sessions.extend(talker.await?);
    }
    let reader = network.client(&jid(FOUNDER)).await?;
    let archive = room::archive(&reader, ROOM).await?;
    reader.close().await;
    let mut wrong = verdict::judge(&archive, &sessions);
    network.stop().await?;
    for (domain, site) in &network.sites {
        if let Err(error) = site.command(&["store", "verify"]).await {
            wrong.push(format!("the store of {domain}: {error:#}"));
        }
    }
    for nick in PEOPLE.iter().filter(|(_, domain)| *domain == IMMORTAL).map(|(nick, _)| nick) {
        let own = sessions.iter().filter(|s| s.nick == *nick).count();
        ensure!(own == 1, "{nick} was never to lose the connection and logged in {own} times");
    }
    Ok(Outcome { kills, archived: archive.len(), wrong })
}

/// Waits until all talk, then for a moment that the dice choose and until something is under way, and kills.
async fn kill_one(network: &mut Network, board: &Board, domain: &str, dice: &mut Dice) -> Result<()> {
    all_talk(board).await?;
    let more = dice.below(60);
    let reached = board.read();
    let total = |now: &Standings| now.values().map(|s| s.reflected).sum::<u64>();
    board.wait_until("some more was said", |now| total(now) >= total(&reached) + more).await?;
    tokio::time::sleep(Duration::from_micros(dice.below(20_000))).await;
    let concerned = |nick: &str| domain == PRIMARY || PEOPLE.contains(&(nick, domain));
    let under_way = |now: &Standings| now.iter().any(|(nick, s)| concerned(nick) && s.outstanding > 0);
    board.wait_until("something is under way", under_way).await?;
    let site = network.site(domain);
    site.kill().await?;
    tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
    site.start().await
}

/// Waits until everybody is in the room and was reflected once more.
async fn all_talk(board: &Board) -> Result<()> {
    let before = board.read();
    let talks = |now: &Standings, nick: &str| {
        let reflected = |all: &Standings| all.get(nick).map_or(0, |s| s.reflected);
        now.get(nick).is_some_and(|s| s.present) && reflected(now) > reflected(&before)
    };
    board.wait_until("all are in the room and talk", |now| PEOPLE.iter().all(|(nick, _)| talks(now, nick))).await
}

fn all_heard_all(now: &Standings) -> bool {
    PEOPLE.iter().all(|(nick, _)| {
        let heard = now.get(*nick).map(|s| s.goodbyes.as_slice()).unwrap_or_default();
        PEOPLE.iter().all(|(other, _)| heard.iter().any(|n| n == other))
    })
}

async fn start() -> Result<Network> {
    let mut network = Network::new()?;
    for domain in [PRIMARY, MORTAL, IMMORTAL] {
        let users: Vec<String> =
            PEOPLE.iter().chain([&FOUNDER]).filter(|p| p.1 == domain).map(|p| p.0.to_lowercase()).collect();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        let rooms = (domain == PRIMARY).then_some(ROOMS);
        network.add(Plan { domain, rooms, replica: domain != PRIMARY, users: &users, ..Plan::default() })?;
    }
    network.start().await?;
    Ok(network)
}

fn jid((nick, domain): (&str, &str)) -> String {
    format!("{}@{domain}", nick.to_lowercase())
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

const PRIMARY: &str = "avalon.irc";
const ROOMS: &str = "channel.avalon.irc";
const ROOM: &str = "wallops@channel.avalon.irc";
/// The site that is killed.
const MORTAL: &str = "vesa.yeggmaex.irc";
/// The one that is not.
const IMMORTAL: &str = "eris.dclxvii.irc";
/// Who makes the room, and is out with the first kill.
const FOUNDER: (&str, &str) = ("Founder", PRIMARY);
const PEOPLE: [(&str, &str); 6] = [
    ("Avalon", PRIMARY),
    ("Morgana", PRIMARY),
    ("BigCheese", MORTAL),
    ("Trillian", MORTAL),
    ("WiZ", IMMORTAL),
    ("Efchen", IMMORTAL),
];
