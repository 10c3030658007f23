//! netjoin as a component of a stock Prosody or ejabberd, set up as the pages in `docs/` say: whose users are in distributed
//! rooms elsewhere without doing anything, netjoin or no netjoin.

use crate::stock::{Kind, Stock};
use anyhow::{Context, Result, ensure};
use driver::names::{self, NameServer, Zone};
use driver::{Client, Site};
use interop::ejabberd::{self, Ejabberd};
use interop::network::{COMPONENT_PORT, Network, Plan, Proof, S2S_PORT};
use interop::prosody::{self, Prosody};
use interop::{authority, page, room};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xmpp::Element;

const ROOM: &str = "wallops@channel.avalon.irc";

#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn users_of_prosody_are_in_distributed_rooms() -> Result<()> {
    distributed(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn users_of_ejabberd_are_in_distributed_rooms() -> Result<()> {
    distributed(Kind::Ejabberd).await
}

#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn without_netjoin_prosody_goes_on_by_itself() -> Result<()> {
    stepped_aside(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn without_netjoin_ejabberd_goes_on_by_itself() -> Result<()> {
    stepped_aside(Kind::Ejabberd).await
}

#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn prosody_killed_leaves_no_ghosts() -> Result<()> {
    no_ghosts(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn ejabberd_killed_leaves_no_ghosts() -> Result<()> {
    no_ghosts(Kind::Ejabberd).await
}

#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn rooms_of_prosody_are_led_here() -> Result<()> {
    led_here(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn rooms_of_ejabberd_are_led_here() -> Result<()> {
    led_here(Kind::Ejabberd).await
}

/// What an operator may get wrong is said in one line, and nothing else is disturbed.
#[tokio::test]
#[ignore = "needs Prosody: .ci/run interop"]
async fn what_is_wrong_with_prosody_is_said() -> Result<()> {
    mistakes(Kind::Prosody).await
}

#[tokio::test]
#[ignore = "needs ejabberd: .ci/run interop"]
async fn what_is_wrong_with_ejabberd_is_said() -> Result<()> {
    mistakes(Kind::Ejabberd).await
}

/// XEP-0282 4.7 and 4.9: one copy of each message for all users of a server, who see and say what anybody does.
async fn distributed(kind: Kind) -> Result<()> {
    let Some(mut world) = World::start(kind, Setup::default()).await? else { return Ok(()) };
    world.is_healthy().await?;
    let (wiz, romeo, juliet) = world.people().await?;
    world.is_distributed(1).await?;
    let before = world.copies().await?;
    for n in 0..5 {
        talk(&[(&wiz, "WiZ"), (&romeo, "Romeo"), (&juliet, "Juliet")], &format!("round {n}")).await?;
    }
    let (to_replica, to_users) = world.copies().await?;
    // Pings cross besides, a few.
    ensure!((15.0..30.0).contains(&(to_replica - before.0)), "copies to the replica: {}", to_replica - before.0);
    ensure!(to_users == before.1, "and to users themselves: {}", to_users - before.1);

    let whisper = Element::stanza("message").attr("to", format!("{ROOM}/Romeo")).attr("type", "chat").attr("id", "pm");
    wiz.send(&whisper.child(Element::new("body", xmpp::ns::CLIENT).text("psst"))).await?;
    romeo.wait_until(room::PATIENCE, |seen| seen.iter().any(|s| s.get("id") == Some("pm"))).await?;

    let kicked = wiz.ask(room::kick(ROOM, "Juliet")).await?;
    assert_eq!(kicked.get("type"), Some("result"), "{kicked}");
    let put_out = |s: &Element| room::is_presence(s, ROOM, "Juliet", false) && room::has_status(s, "307");
    for client in [&wiz, &romeo, &juliet] {
        client.wait_until(room::PATIENCE, |seen| seen.iter().any(put_out)).await?;
    }
    // Whose connection is cut is gone for all.
    drop(romeo);
    let gone = |s: &Element| room::is_presence(s, ROOM, "Romeo", false);
    wiz.wait_until(room::PATIENCE, |seen| seen.iter().any(gone)).await.context("Romeo is gone")?;
    world.network.stop().await
}

/// Killed, netjoin is not missed; back, it has taken over, and nobody was told anything.
async fn stepped_aside(kind: Kind) -> Result<()> {
    let Some(mut world) = World::start(kind, Setup::default()).await? else { return Ok(()) };
    world.is_healthy().await?;
    let (wiz, romeo, juliet) = world.people().await?;
    let all = [(&wiz, "WiZ"), (&romeo, "Romeo"), (&juliet, "Juliet")];
    world.is_distributed(1).await?;
    talk(&all, "with netjoin").await?;
    for round in 0..2 {
        world.network.site(ATTACHED).kill().await?;
        talk(&all, &format!("without netjoin, {round}")).await.context("without netjoin")?;
        world.network.site(ATTACHED).start().await?;
        world.is_healthy().await?;
        world.is_distributed(1).await.context("taken over")?;
        talk(&all, &format!("with netjoin again, {round}")).await.context("with netjoin again")?;
    }
    for (client, nick) in all {
        let put_out = |s: &Element| room::is_presence(s, ROOM, nick, false);
        ensure!(!client.seen(|seen| seen.iter().any(put_out)), "{nick} was put out");
    }
    world.network.stop().await
}

/// The host dies with its users, who come back or do not; netjoin stays.
async fn no_ghosts(kind: Kind) -> Result<()> {
    let Some(mut world) = World::start(kind, Setup::default()).await? else { return Ok(()) };
    world.is_healthy().await?;
    let (wiz, romeo, juliet) = world.people().await?;
    talk(&[(&wiz, "WiZ"), (&romeo, "Romeo"), (&juliet, "Juliet")], "before").await?;
    world.host.kill().await?;
    wiz.send(&room::say(ROOM, "alone", "Is anybody there?")).await?;
    world.host.start().await?;
    world.is_healthy().await?;
    let romeo = world.host.client("romeo").await?;
    room::go_in(&romeo, ROOM, "Romeo").await?;
    talk(&[(&wiz, "WiZ"), (&romeo, "Romeo")], "after").await?;
    let gone = |s: &Element| room::is_presence(s, ROOM, "Juliet", false);
    wiz.wait_until(room::PATIENCE * 3, |seen| seen.iter().any(gone)).await.context("Juliet is no ghost")?;
    world.is_distributed(1).await?;
    world.network.stop().await
}

/// The rooms of the other server are netjoin's, for its own users and for those of others.
async fn led_here(kind: Kind) -> Result<()> {
    let Some(mut world) = World::start(kind, Setup { leads: true, ..Setup::default() }).await? else { return Ok(()) };
    world.is_healthy().await?;
    let (wiz, romeo) = (world.network.client("wiz@avalon.irc").await?, world.host.client("romeo").await?);
    let own = "orchard@rooms.montague.irc";
    room::go_in(&romeo, own, "Romeo").await?;
    room::go_in(&wiz, own, "WiZ").await?;
    romeo.send(&room::say(own, "r", "But, soft!")).await?;
    wiz.send(&room::say(own, "w", "Hello, Montague.")).await?;
    for client in [&romeo, &wiz] {
        room::hears(client, own, "Romeo", "But, soft!").await?;
        room::hears(client, own, "WiZ", "Hello, Montague.").await?;
    }
    world.network.stop().await
}

async fn mistakes(kind: Kind) -> Result<()> {
    let wrong = Setup { secret: "another", ..Setup::default() };
    says(kind, wrong, "the server does not take the secret; give component.secret").await?;
    let unknown = Setup { component: "nobody.montague.irc", ..Setup::default() };
    // ejabberd does not tell the one from the other.
    let line = if kind == Kind::Prosody { "; make it a component there" } else { "does not take the secret; give" };
    says(kind, unknown, line).await?;
    let own_name = Setup { speaks_for_all: false, ..Setup::default() };
    says_when_used(kind, own_name, "speak in no other names than its own; there, set").await?;
    let version = Setup { version: "7", ..Setup::default() };
    says(kind, version, "the module speaks version 7, and this netjoin 0").await
}

/// Health is bad, the log has the line, and the users of the server are served as ever.
async fn says(kind: Kind, setup: Setup, line: &str) -> Result<()> {
    let Some(mut world) = World::start(kind, setup).await? else { return Ok(()) };
    world.logs(line).await?;
    let (status, body) = world.network.site(ATTACHED).get("/health").await?;
    ensure!(status == 503, "{status}: {body}");
    let (wiz, romeo, juliet) = world.people().await?;
    talk(&[(&wiz, "WiZ"), (&romeo, "Romeo"), (&juliet, "Juliet")], "all the same").await?;
    world.network.stop().await
}

/// The same for what shows only when somebody enters a room through netjoin, which has to have attached by then.
async fn says_when_used(kind: Kind, setup: Setup, line: &str) -> Result<()> {
    let Some(mut world) = World::start(kind, setup).await? else { return Ok(()) };
    world.is_healthy().await?;
    let romeo = world.host.client("romeo").await?;
    romeo.send(&room::enter(ROOM, "Romeo")).await?;
    world.logs(line).await?;
    world.network.stop().await
}

/// Everybody says something, and everybody hears it.
async fn talk(all: &[(&Client, &str)], when: &str) -> Result<()> {
    for (client, nick) in all {
        let body = format!("{nick}, {when}");
        client.send(&room::say(ROOM, &body, &body)).await?;
        for (other, _) in all {
            room::hears(other, ROOM, nick, &body).await?;
        }
    }
    Ok(())
}

/// What is otherwise than the page says.
#[derive(Debug, Clone, Copy)]
struct Setup {
    /// What netjoin takes for the secret.
    secret: &'static str,
    /// What netjoin takes for the component's domain.
    component: &'static str,
    /// Whether the host lets the component speak in all names.
    speaks_for_all: bool,
    /// Of the module.
    version: &'static str,
    /// Rooms of the host are led by netjoin; else its users are served.
    leads: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        let (secret, component) = ("sesame", "netjoin.montague.irc");
        Setup { secret, component, speaks_for_all: true, version: "0", leads: false }
    }
}

/// A netjoin that leads the room, and the host with another that is its component.
struct World {
    network: Network,
    host: Stock,
    _names: NameServer,
}

impl World {
    async fn start(kind: Kind, setup: Setup) -> Result<Option<World>> {
        if !kind.is_there() {
            return Ok(None);
        }
        let mut network = Network::new()?;
        let host = network.host(S2S_PORT);
        let domains = ["montague.irc", "netjoin.montague.irc", "rooms.montague.irc"];
        domains.iter().for_each(|domain| network.route(domain, host));
        let avalon =
            Plan { domain: "avalon.irc", rooms: Some("channel.avalon.irc"), users: &["wiz"], ..Plan::default() };
        let ours = network.add(avalon)?;
        let mut known = Zone::new();
        for domain in ["avalon.irc", "channel.avalon.irc"] {
            names::server(&mut known, domain, ours);
        }
        let names = NameServer::start(network.host(0).ip(), known)?;
        let folder = network.folder().join("montague.irc");
        std::fs::create_dir_all(&folder)?;
        let pair = authority::self_signed(&folder, &domains)?;
        let ip = host.ip().to_string();
        let toml = configuration(kind, setup, &ip)?;
        network.attach(ATTACHED, &toml);
        let host = match kind {
            Kind::Prosody => {
                let hosts = prosody_hosts(setup, &folder)?;
                let plan = prosody::Plan {
                    domain: "montague.irc",
                    rooms: "",
                    options: "",
                    host: host.ip(),
                    names: names.address(),
                    pair: &pair,
                    authority: network.authority().certificate(),
                    proof: Proof::Dialback,
                    users: &["romeo", "juliet"],
                    hosts: Some(&hosts),
                };
                let mut prosody = Prosody::new(&folder, &plan)?;
                prosody.start().await?;
                Stock::Prosody(prosody)
            }
            Kind::Ejabberd => {
                let (listen, modules) = ejabberd_additions(setup, &ip)?;
                let contrib = if setup.leads { vec![] } else { vec![ejabberd_module(setup, &folder)?] };
                let plan = ejabberd::Plan {
                    domain: "montague.irc",
                    host: host.ip(),
                    names: names.address(),
                    pair: &pair,
                    authority: network.authority().certificate(),
                    proof: Proof::Dialback,
                    users: &["romeo", "juliet"],
                    listen: &listen,
                    modules: &modules,
                    contrib: &contrib,
                };
                let mut ejabberd = Ejabberd::new(&folder, &plan)?;
                ejabberd.install().await?;
                ejabberd.start().await?;
                Stock::Ejabberd(ejabberd)
            }
        };
        network.start().await?;
        Ok(Some(World { network, host, _names: names }))
    }

    /// All three, in the room.
    async fn people(&self) -> Result<(Client, Client, Client)> {
        let wiz = self.network.client("wiz@avalon.irc").await?;
        let (romeo, juliet) = (self.host.client("romeo").await?, self.host.client("juliet").await?);
        for (client, nick) in [(&wiz, "WiZ"), (&romeo, "Romeo"), (&juliet, "Juliet")] {
            room::go_in(client, ROOM, nick).await?;
        }
        Ok((wiz, romeo, juliet))
    }

    /// netjoin and its host have found each other.
    async fn is_healthy(&mut self) -> Result<()> {
        until(self.network.site(ATTACHED), async |site| {
            let (status, body) = site.get("/health").await?;
            Ok((status == 200, body))
        })
        .await
    }

    /// The room serves so many itself, and the rest through one replica.
    async fn is_distributed(&mut self, direct: u64) -> Result<()> {
        until(self.network.site("avalon.irc"), async |site| {
            let listed = site.command(&["room", "list", "--json"]).await?;
            let rooms: serde_json::Value = serde_json::from_str(&listed)?;
            let room = &rooms["rooms"][0];
            Ok((room["replicas"] == 1 && room["local_occupants"] == direct, listed))
        })
        .await
    }

    /// Stanzas that have crossed to the replica, and to the users themselves.
    async fn copies(&mut self) -> Result<(f64, f64)> {
        let metrics = self.network.site("avalon.irc").metrics().await?;
        let to = |domain: &str| {
            metrics.get(&format!("netjoin_link_stanzas_out_total{{domain=\"{domain}\"}}")).copied().unwrap_or_default()
        };
        Ok((to("netjoin.montague.irc"), to("montague.irc")))
    }

    /// The log of the attached netjoin comes to have a line.
    async fn logs(&mut self, line: &str) -> Result<()> {
        until(self.network.site(ATTACHED), async |site| {
            let log = std::fs::read_to_string(site.folder().join("serve.log"))?;
            Ok((log.contains(line), log))
        })
        .await
    }
}

/// Asks again and again, until it is so; what was seen last is in the error.
async fn until(site: &mut Site, ask: impl AsyncFn(&Site) -> Result<(bool, String)>) -> Result<()> {
    let mut last = String::new();
    let asking = async {
        loop {
            let (is_so, seen) = ask(site).await?;
            last = seen;
            if is_so {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::time::timeout(room::PATIENCE * 2, asking).await;
    asked.unwrap_or_else(|_| Err(anyhow::anyhow!("in vain; last seen: {last}")))
}

/// The pages' own lines for netjoin.
fn configuration(kind: Kind, setup: Setup, ip: &str) -> Result<String> {
    let page = if kind == Kind::Prosody { "prosody.md" } else { "ejabberd.md" };
    let blocks = page::blocks(page, "toml")?;
    let connect = format!("{ip}:{COMPONENT_PORT}");
    let keepalive = "keepalive_seconds = 1\n";
    if setup.leads {
        let changes =
            [("example.org", "montague.irc"), ("change this too", setup.secret), ("127.0.0.1:5347", &connect)];
        return Ok(page::with(&blocks[1], &changes)? + keepalive);
    }
    let component = setup.component;
    let changes = [
        ("netjoin.example.org", component),
        ("example.org", "montague.irc"),
        ("change this", setup.secret),
        ("127.0.0.1:5347", &connect),
    ];
    Ok(page::with(&blocks[0], &changes)? + keepalive)
}

fn contrib(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(path)
}

/// The page's own lines for Prosody, with the module where they say.
fn prosody_hosts(setup: Setup, folder: &Path) -> Result<String> {
    let blocks = page::blocks("prosody.md", "lua")?;
    if setup.leads {
        let rooms = page::with(&blocks[1], &[("example.org", "montague.irc"), ("change this too", "sesame")])?;
        return Ok(format!("VirtualHost \"montague.irc\"\n{rooms}"));
    }
    let modules = folder.join("modules");
    std::fs::create_dir_all(&modules)?;
    let module = std::fs::read_to_string(contrib("prosody/mod_netjoin.lua"))?;
    let version = format!("local version = \"{}\";", setup.version);
    std::fs::write(modules.join("mod_netjoin.lua"), page::with(&module, &[("local version = \"0\";", &version)])?)?;
    let folder = modules.display().to_string();
    let validate = if setup.speaks_for_all { "validate_from_addresses = false" } else { "" };
    let changes = [
        ("/usr/local/lib/prosody/modules", folder.as_str()),
        ("example.org", "montague.irc"),
        ("change this", "sesame"),
        ("validate_from_addresses = false", validate),
    ];
    page::with(&blocks[0], &changes)
}

/// The page's own lines for ejabberd, below `listen` and below `modules`.
fn ejabberd_additions(setup: Setup, ip: &str) -> Result<(String, String)> {
    let blocks = page::blocks("ejabberd.md", "yaml")?;
    let address = format!("ip: \"{ip}\"");
    let (listen, secret) = if setup.leads { (&blocks[2], "change this too") } else { (&blocks[0], "change this") };
    let mut changes = vec![("example.org", "montague.irc"), (secret, "sesame"), ("ip: \"127.0.0.1\"", &address)];
    if !setup.speaks_for_all {
        changes.push(("check_from: false", "check_from: true"));
    }
    let listen = page::with(listen, &changes)?;
    let below = |block: &str, key: &str| -> Result<String> {
        block.strip_prefix(key).map(str::to_owned).with_context(|| format!("{key:?} does not begin {block:?}"))
    };
    let modules = if setup.leads { String::new() } else { below(&blocks[1], "modules:\n")? };
    Ok((below(&listen, "listen:\n")?, modules))
}

/// The module as it is, or of another version.
fn ejabberd_module(setup: Setup, folder: &Path) -> Result<PathBuf> {
    let module = folder.join("contrib/mod_netjoin");
    std::fs::create_dir_all(module.join("src"))?;
    std::fs::copy(contrib("ejabberd/mod_netjoin/mod_netjoin.spec"), module.join("mod_netjoin.spec"))?;
    let source = std::fs::read_to_string(contrib("ejabberd/mod_netjoin/src/mod_netjoin.erl"))?;
    let version = format!("-define(VERSION, <<\"{}\">>).", setup.version);
    let source = page::with(&source, &[("-define(VERSION, <<\"0\">>).", &version)])?;
    std::fs::write(module.join("src/mod_netjoin.erl"), source)?;
    Ok(module)
}

/// The netjoin that is the component.
const ATTACHED: &str = "attached";
