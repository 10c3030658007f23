//! The timeline a person reads.

use super::cast::{Act, Attempt, CAST, CHANNEL, ROOM, SITES, by_nick, place};
use super::network::{C2S_PORT, Crossed, Network, PASSWORD};
use super::story::{Scene, is_broadcast};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who is where.
pub fn opening(network: &Network) {
    println!("{ROOM}, the room of XEP-0282, on four servers:\n");
    for (number, site) in SITES.into_iter().enumerate() {
        let people: Vec<&str> = CAST.iter().filter(|p| p.site == site).map(|p| p.nick).collect();
        let part = if site == CHANNEL { "primary: the room lives here".into() } else { people.join(", ") };
        println!("  {:<20} {:<14} {part}", site, network.net.host(number as u8 + 1).to_string());
    }
}

/// All acts, with what crossed each link, with replicas and without.
pub fn timeline(with: &[Scene], without: &[Scene]) {
    let mut last = "";
    for (scene, plain) in with.iter().zip(without) {
        if scene.chapter != last {
            last = scene.chapter;
            chapter(last);
            println!("{:<44} {:>34}", "", "stanzas from the room to each site");
            println!("{:<44} {:>17} {:>17}", "", "with replicas", "without");
        }
        println!("  {:<42} {:>17} {:>17}", shorten(&deed(scene.act), 42), down(scene), down(plain));
        println!("{}", sight_line(scene));
    }
}

/// Totals, and what was checked.
pub fn closing(with: &[Scene], without: &[Scene]) {
    chapter("What crossed each link so far");
    println!(
        "  {:<22} {:>9} {:>9} {:>9} {:>9}   {:>9} {:>9}",
        "channel.avalon.irc and", "stanzas ▼", "▲", "bytes ▼", "▲", "without ▼", "bytes ▼"
    );
    for site in &SITES[1..] {
        let (a, b) = (total(with, site), total(without, site));
        println!(
            "  {:<22} {:>9} {:>9} {:>9} {:>9}   {:>9} {:>9}",
            site, a.down, a.up, a.down_bytes, a.up_bytes, b.down, b.down_bytes
        );
    }
    let (a, b) = (spoken(with), spoken(without));
    println!("\n  A message to all: {a} stanzas from the room over all links with replicas, {b} without.");
}

/// The heading of a chapter.
pub fn chapter(title: &str) {
    println!("\n── {title} {}", "─".repeat(74usize.saturating_sub(title.chars().count())));
}

/// All of it held.
pub fn verdict(acts: usize, stanzas: usize) {
    println!("\nAll of it held: {acts} acts, {stanzas} stanzas as XEP-0045 promises them. Where nothing was cut, the");
    println!("same with replicas and without; one copy per link for each message; no word of replicas");
    println!("to any client. Through the cut nobody lost his seat, nothing was lost or told twice,");
    println!("nobody took the channel, and there is one history.");
}

/// How to log in with one's own client.
pub fn invitation(network: &Network) {
    println!("\nThe four servers go on running. Log in with your own client:\n");
    for person in &CAST {
        let number = SITES.iter().position(|s| *s == person.site).unwrap_or(0) as u8 + 1;
        println!(
            "  {:<28} password {PASSWORD}   server {}:{C2S_PORT}   (nick {})",
            format!("{}@{}", person.local, person.site),
            network.net.host(number),
            person.nick
        );
    }
    println!("\nEnter {ROOM}. The certificates are self-signed: your client will ask. Ctrl-C ends it all.");
}

/// What was done, in words.
pub fn deed(act: Act) -> String {
    let at = |nick: &str| by_nick(nick).place();
    match act {
        Act::Enters(nick) => format!("{nick} enters at {}", at(nick)),
        Act::Opens(nick) => format!("{nick} opens the new room"),
        Act::Affiliates(by, nick) => format!("{by} makes {nick} an admin"),
        Act::Promotes(by, nick) => format!("{by} makes {nick} a moderator"),
        Act::Says(nick, text) => format!("{nick}: “{text}”"),
        Act::Leaves(nick) => format!("{nick} leaves"),
        Act::Reveals(nick) => format!("{nick} lets everybody see real addresses"),
        Act::Cut(site) => format!("$ netjoin link cut {site}"),
        Act::Heal(site) => format!("$ netjoin link heal {site}"),
        Act::Bans(by, nick, why) => format!("{by} bans {nick}: {why}"),
        Act::Renames(nick, new) => format!("{nick} is now known as {new}"),
        Act::Tries(nick, Attempt::Ownership) => format!("{nick} wants to own the room"),
        Act::Tries(nick, Attempt::Ban(other)) => format!("{nick} wants to ban {other}"),
        Act::Tries(nick, Attempt::Subject(text)) => format!("{nick} wants the subject “{text}”"),
        Act::Tries(nick, Attempt::Nick(new)) => format!("{nick} wants to be called {new}"),
        Act::Tries(nick, Attempt::Entry) => format!("{nick} wants to come in again"),
    }
}

/// The time of day, UTC.
pub fn clock(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{:02}:{:02}:{:02}", seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60)
}

/// A text cut to a width.
pub fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let mut short: String = text.chars().take(width - 1).collect();
    short.push('…');
    short
}

/// Stanzas down, by the sites' first letters.
pub fn down(scene: &Scene) -> String {
    let cells: Vec<String> =
        scene.crossed.iter().map(|(site, c)| format!("{} {}", &place(site)[..1], c.down)).collect();
    cells.join("  ")
}

/// `killrc 3 of 3 see it …`: who saw something, by site.
fn sight_line(scene: &Scene) -> String {
    let mut by_site: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for nick in scene.seen.keys() {
        by_site.entry(by_nick(nick).place()).or_default().push(nick);
    }
    if by_site.is_empty() {
        return "      (nothing to see for the others)".into();
    }
    let places: Vec<String> = by_site.iter().map(|(place, nicks)| format!("{place}: {}", nicks.join(", "))).collect();
    format!("      seen at {}", places.join("; "))
}

fn total(scenes: &[Scene], site: &str) -> Crossed {
    scenes.iter().filter_map(|s| s.crossed.get(site)).fold(Crossed::default(), |sum, c| Crossed {
        down: sum.down + c.down,
        up: sum.up + c.up,
        down_bytes: sum.down_bytes + c.down_bytes,
        up_bytes: sum.up_bytes + c.up_bytes,
    })
}

/// Stanzas down for the last message that somebody said.
fn spoken(scenes: &[Scene]) -> u64 {
    let last = scenes.iter().rev().find(|scene| is_broadcast(scene.act));
    last.map_or(0, |s| s.crossed.values().map(|c| c.down).sum())
}
