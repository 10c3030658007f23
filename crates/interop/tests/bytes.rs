//! Bytes that one message costs between two servers, by the number of occupants at the other end: a room of netjoin with a
//! replica there, the same without one, and a room of a stock Prosody, in one run. Figures for `bench/RESULTS.md`:
//! `cargo test -p interop --test bytes -- --ignored --nocapture`.

use anyhow::{Result, ensure};
use driver::Client;
use driver::names::{self, NameServer, Zone};
use interop::network::{Network, Plan, Proof, S2S_PORT};
use interop::prosody::{self, Prosody};
use interop::{authority, peer, room};
use std::time::Duration;

const OCCUPANTS: [usize; 4] = [1, 10, 100, 400];
const MESSAGES: usize = 20;
const BODY: &str = "What's in a name? That which we call a rose";

/// A room, who speaks there, the servers of its listeners, and by which counter of whom its bytes are read.
struct Case {
    what: &'static str,
    room: &'static str,
    author: Client,
    listeners: &'static str,
    counted_at: &'static str,
    counter: &'static str,
}

#[tokio::test]
#[ignore = "figures, by name"]
async fn bytes_between_servers_per_message() -> Result<()> {
    if !Prosody::is_installed() {
        peer::skip("Prosody", "prosody or lua-unbound is not installed");
        return Ok(());
    }
    let mut network = Network::new()?;
    let host = network.host(S2S_PORT);
    for domain in ["montague.irc", "rooms.montague.irc"] {
        network.route(domain, host);
    }
    let users: Vec<String> = (0..OCCUPANTS[OCCUPANTS.len() - 1]).map(|n| format!("u{n}")).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let avalon = Plan { domain: "avalon.irc", rooms: Some("channel.avalon.irc"), users: &["wiz"], ..Plan::default() };
    network.add(avalon)?;
    let eris = Plan { domain: "eris.irc", replica: true, users: &users, ..Plan::default() };
    let mut known = Zone::new();
    for plan in [eris, Plan { domain: "plain.irc", replica: false, ..eris }] {
        let address = network.add(plan)?;
        names::server(&mut known, plan.domain, address);
    }
    let names = NameServer::start(network.host(0).ip(), known)?;
    let folder = network.folder().join("montague.irc");
    std::fs::create_dir_all(&folder)?;
    let pair = authority::self_signed(&folder, &["montague.irc", "rooms.montague.irc"])?;
    let plan = prosody::Plan {
        domain: "montague.irc",
        rooms: "rooms.montague.irc",
        options: "muc_room_locking = false",
        host: host.ip(),
        names: names.address(),
        pair: &pair,
        authority: network.authority().certificate(),
        proof: Proof::Dialback,
        users: &["romeo"],
        hosts: None,
    };
    let mut prosody = Prosody::new(&folder, &plan)?;
    prosody.start().await?;
    network.start().await?;
    let wiz = || network.client("wiz@avalon.irc");
    let cases = [
        Case {
            what: "netjoin, replica",
            room: "one@channel.avalon.irc",
            author: wiz().await?,
            listeners: "eris.irc",
            counted_at: "avalon.irc",
            counter: "netjoin_link_bytes_out_total{domain=\"eris.irc\"}",
        },
        Case {
            what: "netjoin, no replica",
            room: "two@channel.avalon.irc",
            author: Client::login(network.login("wiz@avalon.irc", "second")?).await?,
            listeners: "plain.irc",
            counted_at: "avalon.irc",
            counter: "netjoin_link_bytes_out_total{domain=\"plain.irc\"}",
        },
        Case {
            what: "stock Prosody",
            room: "three@rooms.montague.irc",
            author: prosody.client("romeo").await?,
            listeners: "plain.irc",
            counted_at: "plain.irc",
            counter: "netjoin_link_bytes_in_total{domain=\"rooms.montague.irc\"}",
        },
    ];
    for case in cases {
        let figures = measure(&mut network, &case, &users).await?;
        for (occupants, bytes) in OCCUPANTS.iter().zip(figures) {
            println!("{}: {occupants} occupants: {bytes:.1} bytes a message", case.what);
        }
    }
    network.stop().await
}

async fn measure(network: &mut Network, case: &Case, users: &[&str]) -> Result<Vec<f64>> {
    room::go_in(&case.author, case.room, "Author").await?;
    let (mut listeners, mut figures) = (Vec::new(), Vec::new());
    for occupants in OCCUPANTS {
        while listeners.len() < occupants {
            let nick = users[listeners.len()];
            let client = network.client(&format!("{nick}@{}", case.listeners)).await?;
            room::go_in(&client, case.room, nick).await?;
            listeners.push(client);
        }
        // What entering has caused is over when a first message has arrived everywhere.
        say(case, &listeners, &format!("{occupants} are here")).await?;
        let before = counted(network, case).await?;
        for n in 0..MESSAGES {
            // One by one: what many at once would make wait for the stream beyond its bound bounces.
            say(case, &listeners, &format!("{BODY} {n:2} {occupants:3}")).await?;
        }
        let after = counted(network, case).await?;
        ensure!(after > before, "nothing crossed");
        figures.push((after - before) / MESSAGES as f64);
    }
    Ok(figures)
}

async fn say(case: &Case, listeners: &[Client], body: &str) -> Result<()> {
    case.author.send(&room::say(case.room, body, body)).await?;
    for listener in listeners {
        let heard = |s: &xmpp::Element| room::heard(s, case.room).is_some_and(|heard| heard.body == body);
        listener.wait_until(Duration::from_secs(60), |seen| seen.iter().rev().any(heard)).await?;
    }
    Ok(())
}

async fn counted(network: &mut Network, case: &Case) -> Result<f64> {
    let metrics = network.site(case.counted_at).metrics().await?;
    Ok(metrics.get(case.counter).copied().unwrap_or_default())
}
