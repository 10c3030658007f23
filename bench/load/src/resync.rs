//! Many rooms behind one link come back together while somebody talks in one that is back: two running programs.

use anyhow::{Context, Result};
use driver::client::Tls;
use driver::{Client, Login, Net, Site};
use std::path::Path;
use std::time::{Duration, Instant};
use xmpp::{Element, Jid, ns};

const SERVICE: &str = "rooms.montague.lit";
const S2S_PORT: u16 = 5269;
/// One client says and enters what a thousand people would.
const LIMITS: &str = "[limits]\nmessages_per_second = 1000000\nmessages_burst = 1000000\njoins_per_minute = 1000000\n";
/// Longest wait for anything: a thousand rooms come back within seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// Messages whose time is taken before the link is cut, to compare.
const BEFORE: usize = 200;

/// Prints how long a message takes through the link while nothing else is on it, and while so many rooms are fetched anew, each with
/// so many missed messages.
pub async fn resync(program: &Path, rooms: usize, missed: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let net = Net::new(S2S_PORT)?;
    let site = |name: &str, number: u8, other: &str, admin: &str, rest: &str| {
        let (host, there) = (net.host(number), net.host(3 - number));
        let config = format!(
            "domain = \"{name}.lit\"\n{admin}[c2s]\nlisten = [\"{host}:0\"]\nlisten_tls = []\ntls = \"optional\"\n\
             [s2s]\nlisten = [\"{host}:{S2S_PORT}\"]\n[s2s.routes]\n\"{other}\" = \"{there}:{S2S_PORT}\"\n\
             [http]\nlisten = []\n[log]\nlevel = \"warn\"\n{LIMITS}{rest}\nkeepalive_seconds = 2\nsuspect_seconds = 1\n"
        );
        Site::new(program, &folder.path().join(name), &config)
    };
    // Who is no admin owns a hundred rooms at the most.
    let admin = "admins = [\"romeo@montague.lit\"]\n";
    let mut montague = site("montague", 1, "capulet.lit", admin, &format!("[rooms]\ndomain = \"{SERVICE}\""))?;
    let mut capulet = site("capulet", 2, SERVICE, "", "[replica]\njid = \"replica@capulet.lit\"")?;
    for (site, user) in [(&montague, "romeo@montague.lit"), (&capulet, "juliet@capulet.lit")] {
        site.command(&["user", "add", user, "--password", "s3cret"]).await?;
    }
    montague.start().await?;
    capulet.start().await?;
    let romeo = login(&montague, "montague.lit", "romeo").await?;
    let juliet = login(&capulet, "capulet.lit", "juliet").await?;
    let done = measure(&montague, &romeo, &juliet, rooms, missed).await;
    done.with_context(|| format!("Romeo was sent last: {}; Juliet: {}", last(&romeo), last(&juliet)))?;
    anyhow::ensure!(montague.stop().await? && capulet.stop().await?, "both end in order");
    Ok(())
}

async fn measure(montague: &Site, romeo: &Client, juliet: &Client, rooms: usize, missed: usize) -> Result<()> {
    for n in 0..rooms {
        enter(romeo, n, "Romeo").await?;
        let form = Element::new("x", ns::FORMS).attr("type", "submit");
        let query = Element::new("query", ns::MUC_OWNER).child(form);
        romeo.ask(Element::stanza("iq").attr("to", room(n)).attr("type", "set").child(query)).await?;
        enter(juliet, n, "Juliet").await?;
    }
    let mut before = Vec::new();
    for n in 0..BEFORE {
        before.push(takes(romeo, juliet, &room(n % rooms), &format!("before {n}")).await?);
    }
    montague.command(&["link", "cut", "capulet.lit"]).await?;
    let told = |s: &Element| s.get_child("body", ns::CLIENT).is_some_and(|body| body.content().contains("cut off"));
    romeo.wait_until(PATIENCE, |seen| seen.iter().filter(|s| told(s)).count() >= rooms).await?;
    for n in 0..rooms {
        for said in 0..missed {
            say(romeo, &room(n), &format!("missed {said}")).await?;
        }
    }
    let is_missed = |s: &Element| says(s, "missed");
    romeo.wait_until(PATIENCE, |seen| seen.iter().filter(|s| is_missed(s)).count() >= rooms * missed).await?;
    montague.command(&["link", "heal", "capulet.lit"]).await?;
    juliet.wait_until(PATIENCE, |seen| seen.iter().any(is_missed)).await?;
    let begun = Instant::now();
    let first = juliet.seen(|seen| seen.iter().find(|s| is_missed(s)).and_then(|s| s.get("from").map(str::to_owned)));
    let first = Jid::new(&first.context("somebody said it")?)?.bare().to_string();
    let mut during = Vec::new();
    while juliet.seen(|seen| seen.iter().filter(|s| is_missed(s)).count()) < rooms * missed {
        during.push(takes(romeo, juliet, &first, &format!("during {}", during.len())).await?);
    }
    let (took, for_each) = (begun.elapsed(), begun.elapsed() / rooms as u32);
    println!(
        "| rooms | missed in each | all were back in | for each | a message before | meanwhile | median to median |"
    );
    println!("|---:|---:|---:|---:|---|---|---:|");
    println!(
        "| {rooms} | {missed} | {:.2} s | {:.2} ms | {} | {} | {:.2} |",
        took.as_secs_f64(),
        ms(for_each),
        spread(&mut before),
        spread(&mut during),
        ms(median(&during)) / ms(median(&before)),
    );
    Ok(())
}

async fn login(site: &Site, domain: &str, local: &str) -> Result<Client> {
    let (local, password, resource) = (local.to_owned(), "s3cret".to_owned(), "here".to_owned());
    let address = site.address("c2s")?;
    Client::login(Login { address, domain: domain.into(), local, password, resource, tls: Tls::Start }).await
}

async fn enter(client: &Client, n: usize, nick: &str) -> Result<()> {
    let (room, x) = (room(n), Element::new("x", ns::MUC));
    client.send(&Element::stanza("presence").attr("to", format!("{room}/{nick}")).child(x)).await?;
    // XEP-0045 7.2.15: the subject is the last thing that who enters is sent.
    let is_in = |s: &Element| s.has_child("subject", ns::CLIENT) && s.get("from").is_some_and(|from| from == room);
    client.wait_until(PATIENCE, |seen| seen.iter().rev().any(is_in)).await
}

async fn say(client: &Client, room: &str, text: &str) -> Result<()> {
    let body = Element::new("body", ns::CLIENT).text(text);
    client.send(&Element::stanza("message").attr("to", room).attr("type", "groupchat").child(body)).await
}

/// How long it takes until the other hears it.
async fn takes(from: &Client, to: &Client, room: &str, text: &str) -> Result<Duration> {
    let said = Instant::now();
    say(from, room, text).await?;
    to.wait_until(PATIENCE, |seen| seen.iter().rev().any(|s| says(s, text))).await?;
    Ok(said.elapsed())
}

fn says(stanza: &Element, begins: &str) -> bool {
    stanza.get_child("body", ns::CLIENT).is_some_and(|body| body.content().starts_with(begins))
}

fn room(n: usize) -> String {
    format!("room{n}@{SERVICE}")
}

/// What came last, such as the error to what is waited for in vain.
fn last(client: &Client) -> String {
    client.seen(|seen| seen.last().map_or("nothing".to_owned(), Element::to_xml))
}

/// How many, the median and the longest.
fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let most = times.last().copied().unwrap_or_default();
    format!("{} of them: {:.1} ms, at most {:.1} ms", times.len(), ms(median(times)), ms(most))
}

/// Of what is sorted.
fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
