//! The timeline of the split: two columns while there are two sides.

use super::archive::{History, Row};
use super::cast::{Act, ROOM, SITES, by_nick, place};
use super::network::Crossed;
use super::print::{chapter, clock, deed, down, shorten};
use super::sight::{Sight, What};
use super::story::{Scene, is_broadcast};

/// Chapter by chapter.
pub fn timeline(scenes: &[Scene]) {
    let mut last = "";
    for scene in scenes {
        if scene.chapter != last {
            last = scene.chapter;
            chapter(last);
        }
        match (scene.act, scene.cut) {
            (Act::Cut(site) | Act::Heal(site), _) => both_sides(scene, site),
            (act, Some(site)) => one_side(scene, act, site),
            (act, None) => {
                let mut lines = wrap(&deed(act), TEXT);
                lines.extend(refusal(scene));
                if is_broadcast(act) {
                    lines.push(format!("stanzas from the room to each site: {}", down(scene)));
                }
                for (row, line) in lines.iter().enumerate() {
                    println!("{:<10}{line}", if row == 0 { clock(scene.at) } else { String::new() });
                }
            }
        }
    }
}

/// What the archives hold.
pub fn history(history: &History) {
    chapter("One history");
    let readers = history.readers.map(|nick| format!("{nick} at {}", by_nick(nick).place()));
    println!("{} ask the archive. All three are given", readers.join(", "));
    println!("this, and the stores of all four servers hold it, with the same ids in the same order:\n");
    for row in &history.rows {
        println!("{}  {}", time_of(&row.stamp), told(row));
    }
    println!("\n$ netjoin room show {ROOM}, at vesa, lists besides what was refused:");
    for (nick, why) in &history.refused {
        println!("{:10}{nick}: {why}", "");
    }
}

fn told(row: &Row) -> String {
    match &row.said {
        Some(said) => shorten(&format!("{} (at {} on the island): {}", row.nick, time_of(said), row.text), TEXT),
        None => shorten(&format!("{}: {}", row.nick, row.text), TEXT),
    }
}

/// A link is cut or healed: what each side sees of it, and how operators see the link.
fn both_sides(scene: &Scene, site: &'static str) {
    println!("{}  {}", clock(scene.at), deed(scene.act));
    let links: Vec<String> = scene.links.iter().map(|(at, state)| format!("{state} at {}", place(at))).collect();
    println!("{:10}$ netjoin link list: {}\n", "", links.join(", "));
    let others: Vec<&str> = SITES[1..].iter().filter(|other| **other != site).map(|other| place(other)).collect();
    println!("{:10}{:<COLUMN$} │ {}", "", others.join(" and "), place(site));
    println!("{:10}{}┼{}", "", "─".repeat(COLUMN + 1), "─".repeat(COLUMN + 1));
    let of_site = |at_site: bool| {
        let nicks = scene.seen.iter().filter(|(nick, _)| (by_nick(nick).site == site) == at_site);
        block(nicks.map(|(nick, sights)| (*nick, sights.as_slice())))
    };
    pair("", &of_site(false), &of_site(true));
    pair("", &[String::new()], &[]);
    if let (Act::Heal(_), Some(crossed)) = (scene.act, scene.crossed.get(site)) {
        let Crossed { up, up_bytes, down, down_bytes } = crossed;
        println!("\n{:10}The join, with new streams and their TLS: {up} stanzas up and {down} down,", "");
        println!("{:10}{up_bytes} and {down_bytes} bytes.", "");
    }
}

/// What happens on one side of a link that is cut.
fn one_side(scene: &Scene, act: Act, site: &str) {
    let mut lines = wrap(&deed(act), COLUMN);
    lines.extend(refusal(scene));
    let on_the_island = act.by().is_some_and(|nick| by_nick(nick).site == site);
    let (left, right) = if on_the_island { (&[][..], &lines[..]) } else { (&lines[..], &[][..]) };
    pair(&clock(scene.at), left, right);
}

fn refusal(scene: &Scene) -> Vec<String> {
    scene.refused.map_or_else(Vec::new, |condition| wrap(&format!("✗ refused: {condition}"), COLUMN))
}

/// What people see, those together who see the same.
fn block<'a>(views: impl Iterator<Item = (&'static str, &'a [Sight])>) -> Vec<String> {
    let mut groups: Vec<(Vec<&'static str>, &[Sight])> = Vec::new();
    for (nick, sights) in views {
        match groups.iter_mut().find(|(_, seen)| *seen == sights) {
            Some((nicks, _)) => nicks.push(nick),
            None => groups.push((vec![nick], sights)),
        }
    }
    let named = groups.len() > 1;
    let mut lines = Vec::new();
    for (nicks, sights) in groups {
        if named {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(format!("{} is told:", nicks.join(", ")));
        }
        lines.extend(words(sights).iter().flat_map(|text| wrap(text, COLUMN)));
    }
    lines
}

/// What is seen, in words; those together to whom the same has happened.
fn words(sights: &[Sight]) -> Vec<String> {
    let mut words: Vec<(String, String)> = Vec::new();
    for sight in sights {
        let (nick, what) = match &sight.what {
            What::Present(shown) if shown.away => (&*sight.from, "away".to_owned()),
            What::Present(_) => (&*sight.from, "there".to_owned()),
            What::Gone(codes) if codes.contains(&303) => (&*sight.from, "called otherwise".to_owned()),
            What::Gone(codes) if codes.contains(&110) => ("", "· out, and banned".to_owned()),
            What::Gone(codes) if codes.contains(&301) => (&*sight.from, "banned".to_owned()),
            What::Gone(_) => (&*sight.from, "gone".to_owned()),
            What::Message(text, _) if sight.from.is_empty() => ("", format!("· {text}")),
            What::Message(text, _) => ("", format!("{}: “{text}”", sight.from)),
            What::Retracted(text) => ("", format!("✗ taken back: “{text}”")),
            What::Refused(condition) => ("", format!("✗ refused: {condition}")),
            What::Subject(_) | What::Configured(_) => continue,
        };
        match words.last_mut().filter(|(nicks, last)| !nicks.is_empty() && !nick.is_empty() && *last == what) {
            Some((nicks, _)) => *nicks = format!("{nicks}, {nick}"),
            None => words.push((nick.to_owned(), what)),
        }
    }
    words.into_iter().map(|(nicks, what)| if nicks.is_empty() { what } else { format!("{nicks}: {what}") }).collect()
}

/// Prints two columns.
fn pair(time: &str, left: &[String], right: &[String]) {
    for row in 0..left.len().max(right.len()) {
        let cell = |side: &[String]| side.get(row).cloned().unwrap_or_default();
        let line = format!("{:<10}{:<COLUMN$} │ {}", if row == 0 { time } else { "" }, cell(left), cell(right));
        println!("{}", line.trim_end());
    }
}

/// Lines of such a width, further ones set in.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
            Some(_) => lines.push(format!("  {word}")),
        }
    }
    lines
}

/// The time of day in a stamp of XEP-0082.
fn time_of(stamp: &str) -> &str {
    stamp.get(11..19).unwrap_or(stamp)
}

/// How wide a column is.
const COLUMN: usize = 33;
/// How wide a line is behind the time.
const TEXT: usize = 69;
