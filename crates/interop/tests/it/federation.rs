//! A stock Prosody or ejabberd from its package: its users in rooms of netjoin, users of netjoin in its rooms, over server
//! streams with STARTTLS that are authenticated by dialback, or by certificates alone.

use crate::stock::{Kind, Stock};
use anyhow::{Context, Result};
use driver::Client;
use driver::names::{self, NameServer, Zone};
use interop::ejabberd::{self, Ejabberd};
use interop::network::{Network, Plan, Proof, S2S_PORT};
use interop::prosody::{self, Prosody};
use interop::relay::Relay;
use interop::{authority, room};
use std::time::Duration;
use xmpp::Element;

/// Of the stock server, whose user is Romeo.
const THEIRS: &str = "balcony@rooms.montague.irc";
/// Of netjoin, whose user is Juliet.
const OURS: &str = "orchard@rooms.capulet.irc";

/// XEP-0220; certificates here are signed by nobody but themselves.
#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn prosody_rooms_on_both_sides_over_dialback() -> Result<()> {
    both_rooms(Kind::Prosody, Proof::Dialback).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn ejabberd_rooms_on_both_sides_over_dialback() -> Result<()> {
    both_rooms(Kind::Ejabberd, Proof::Dialback).await
}

/// XEP-0178: neither side takes anything but a certificate of the authority, and the other has no dialback.
#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn prosody_rooms_on_both_sides_over_certificates_alone() -> Result<()> {
    both_rooms(Kind::Prosody, Proof::Certificate).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn ejabberd_rooms_on_both_sides_over_certificates_alone() -> Result<()> {
    both_rooms(Kind::Ejabberd, Proof::Certificate).await
}

/// Streams that are cut, and a server that is killed, are made again by who speaks next.
#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn prosody_broken_streams_heal() -> Result<()> {
    broken_streams_heal(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn ejabberd_broken_streams_heal() -> Result<()> {
    broken_streams_heal(Kind::Ejabberd).await
}

async fn broken_streams_heal(kind: Kind) -> Result<()> {
    let Some(mut world) = World::start(kind, Proof::Dialback).await? else { return Ok(()) };
    let (juliet, romeo) = (world.juliet().await?, world.romeo().await?);
    room::go_in(&juliet, OURS, "JuliC").await?;
    room::go_in(&romeo, OURS, "Romeo").await?;
    talk(&juliet, &romeo, OURS, "before").await?;

    world.to_theirs.cut();
    world.to_ours.cut();
    talk_again(&juliet, &romeo, "cut").await?;

    world.stock.kill().await?;
    juliet.send(&room::say(OURS, "alone", "Romeo, Romeo, wherefore art thou?")).await?;
    room::hears(&juliet, OURS, "JuliC", "Romeo, Romeo, wherefore art thou?").await?;
    // He is no ghost: what cannot reach him shows that he is gone.
    let gone = |s: &Element| room::is_presence(s, OURS, "Romeo", false);
    juliet.wait_until(room::PATIENCE * 2, |seen| seen.iter().any(gone)).await.context("Romeo is no ghost")?;
    world.stock.start().await?;
    let romeo = world.romeo().await?;
    talk_again(&juliet, &romeo, "killed").await?;
    world.network.stop().await
}

async fn both_rooms(kind: Kind, proof: Proof) -> Result<()> {
    let Some(mut world) = World::start(kind, proof).await? else { return Ok(()) };
    let (juliet, romeo) = (world.juliet().await?, world.romeo().await?);
    visit(&juliet, "JuliC", &romeo, "Romeo", OURS).await.context("a user of theirs in a room of netjoin")?;
    visit(&romeo, "Romeo", &juliet, "JuliC", THEIRS).await.context("a user of netjoin in a room of theirs")?;
    world.network.stop().await
}

/// The guest enters the host's room, both talk, the guest is kicked, comes again, and leaves.
async fn visit(host: &Client, host_nick: &str, guest: &Client, guest_nick: &str, room: &str) -> Result<()> {
    room::go_in(host, room, host_nick).await?;
    room::go_in(guest, room, guest_nick).await?;
    sees(host, room, guest_nick, true, 1).await?;
    host.send(&room::say(room, "h1", "How cam'st thou hither?")).await?;
    room::hears(guest, room, host_nick, "How cam'st thou hither?").await?;
    guest.send(&room::say(room, "g1", "With love's light wings.")).await?;
    room::hears(host, room, guest_nick, "With love's light wings.").await?;
    room::hears(guest, room, guest_nick, "With love's light wings.").await?;

    let kicked = host.ask(room::kick(room, guest_nick)).await?;
    assert_eq!(kicked.get("type"), Some("result"), "{kicked}");
    let put_out = |s: &Element| room::is_presence(s, room, guest_nick, false) && room::has_status(s, "307");
    guest.wait_until(room::PATIENCE, |seen| seen.iter().any(put_out)).await.context("the guest is told")?;
    host.wait_until(room::PATIENCE, |seen| seen.iter().any(put_out)).await.context("the host sees it")?;

    room::go_in(guest, room, guest_nick).await.context("after the kick")?;
    sees(host, room, guest_nick, true, 2).await?;
    guest.send(&room::leave(room, guest_nick)).await?;
    sees(host, room, guest_nick, false, 2).await?;
    sees(guest, room, guest_nick, false, 2).await
}

/// Waits until somebody was seen coming, or going, so many times.
async fn sees(client: &Client, room: &str, nick: &str, available: bool, times: usize) -> Result<()> {
    let count = |seen: &[Element]| seen.iter().filter(|s| room::is_presence(s, room, nick, available)).count();
    let waiting = client.wait_until(room::PATIENCE, |seen| count(seen) >= times).await;
    waiting.with_context(|| format!("{} was to see {nick} {times} times, available: {available}", client.jid()))
}

async fn talk(juliet: &Client, romeo: &Client, room: &str, when: &str) -> Result<()> {
    let (hers, his) = (format!("Juliet, {when}"), format!("Romeo, {when}"));
    juliet.send(&room::say(room, &hers, &hers)).await?;
    romeo.send(&room::say(room, &his, &his)).await?;
    room::hears(romeo, room, "JuliC", &hers).await?;
    room::hears(juliet, room, "Romeo", &his).await
}

/// As a person does when a room seems dead: enters again and speaks, until there is an answer.
async fn talk_again(juliet: &Client, romeo: &Client, when: &str) -> Result<()> {
    let mut last = None;
    for attempt in 0..ATTEMPTS_MAX {
        let once = async {
            room::go_in(romeo, OURS, "Romeo").await?;
            talk(juliet, romeo, OURS, &format!("{when}, {attempt}")).await
        };
        match tokio::time::timeout(ATTEMPT, once).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
    }
    anyhow::bail!("after {when}: no conversation in {ATTEMPTS_MAX} attempts; {last:?}")
}

/// Both servers, and between them two cables.
struct World {
    network: Network,
    stock: Stock,
    to_ours: Relay,
    to_theirs: Relay,
    _names: NameServer,
}

impl World {
    /// None, said loudly, where it is not installed.
    async fn start(kind: Kind, proof: Proof) -> Result<Option<World>> {
        if !kind.is_there() {
            return Ok(None);
        }
        let mut network = Network::new()?;
        let host = network.host(S2S_PORT);
        let cables = network.host(0).ip();
        let to_theirs = Relay::start(cables, host).await?;
        for domain in ["montague.irc", "rooms.montague.irc"] {
            network.route(domain, to_theirs.address());
        }
        let capulet = Plan { domain: "capulet.irc", users: &["juliet"], proof, ..Plan::default() };
        let ours = network.add(Plan { rooms: Some("rooms.capulet.irc"), ..capulet })?;
        let to_ours = Relay::start(cables, ours).await?;
        network.start().await?;

        let mut known = Zone::new();
        for domain in ["capulet.irc", "rooms.capulet.irc"] {
            names::server(&mut known, domain, to_ours.address());
        }
        let names = NameServer::start(cables, known)?;
        let folder = network.folder().join("montague.irc");
        std::fs::create_dir_all(&folder)?;
        let domains = ["montague.irc", "rooms.montague.irc"];
        let pair = match proof {
            Proof::Certificate => network.authority().sign(&folder, &domains)?,
            Proof::Dialback => authority::self_signed(&folder, &domains)?,
        };
        let (host, names_at, authority) = (host.ip(), names.address(), network.authority().certificate());
        let (domain, users) = ("montague.irc", &["romeo"][..]);
        let mut stock = match kind {
            Kind::Prosody => {
                let (names, pair) = (names_at, &pair);
                let (rooms, options) = ("rooms.montague.irc", "muc_room_locking = false");
                let plan =
                    prosody::Plan { domain, rooms, options, host, names, pair, authority, proof, users, hosts: None };
                Stock::Prosody(Prosody::new(&folder, &plan)?)
            }
            Kind::Ejabberd => {
                let (names, pair, modules) = (names_at, &pair, "  mod_muc:\n    host: rooms.montague.irc\n");
                let (listen, contrib) = ("", &[][..]);
                let plan =
                    ejabberd::Plan { domain, host, names, pair, authority, proof, users, listen, modules, contrib };
                Stock::Ejabberd(Ejabberd::new(&folder, &plan)?)
            }
        };
        stock.start().await?;
        Ok(Some(World { network, stock, to_ours, to_theirs, _names: names }))
    }

    async fn juliet(&self) -> Result<Client> {
        self.network.client("juliet@capulet.irc").await
    }

    async fn romeo(&self) -> Result<Client> {
        self.stock.client("romeo").await
    }
}

/// How long one tries at once, and how often.
const ATTEMPT: Duration = Duration::from_secs(3);
const ATTEMPTS_MAX: usize = 10;
