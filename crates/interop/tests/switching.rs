//! Issue 5, point 4: rooms are made on a stock server, people talk there, it is stopped; what it has written is imported, served,
//! and looked at by the same people. `docs/switching.md` says how.

use anyhow::{Context, Result, ensure};
use driver::Client;
use driver::names::{NameServer, Zone};
use interop::authority::Pair;
use interop::ejabberd::Ejabberd;
use interop::network::{Network, Plan, Proof, S2S_PORT};
use interop::prosody::Prosody;
use interop::room::{go_in, hears, say};
use interop::view::{View, affiliate, configure, done, view};
use interop::{authority, ejabberd, peer, prosody};
use serde_json::Value;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use xmpp::stanza::form::{Field, Form};
use xmpp::{Element, ns};

const DOMAIN: &str = "montague.lit";
const ROOMS: &str = "rooms.montague.lit";
const CASA: &str = "casa@rooms.montague.lit";
const CAFE: &str = "café@rooms.montague.lit";
const PASSING: &str = "passing@rooms.montague.lit";
const USERS: [&str; 3] = ["romeo", "juliet", "tybalt"];
/// In order, by whom and where.
const TALK: [(&str, &str, &str); 5] = [
    ("romeo", CASA, "But, soft! what \"light\" through yonder <window> breaks?"),
    ("juliet", CASA, "Ay me! \u{2014} it is the \u{1f319}\nand not the sun"),
    ("romeo", CASA, "She speaks: O, speak again, bright angel! \\ % \t & so on"),
    ("juliet", CAFE, "un caffè"),
    ("romeo", CAFE, "due"),
];

/// A server of ours to come, and where theirs is.
struct World {
    network: Network,
    host: IpAddr,
    names: NameServer,
    folder: PathBuf,
    pair: Pair,
}

impl World {
    fn new() -> Result<World> {
        let mut network = Network::new()?;
        network.add(Plan { domain: DOMAIN, rooms: Some(ROOMS), ..Plan::default() })?;
        let host = network.host(S2S_PORT).ip();
        let names = NameServer::start(network.host(0).ip(), Zone::new())?;
        let folder = network.folder().join("theirs");
        std::fs::create_dir_all(&folder)?;
        let pair = authority::self_signed(&folder, &[DOMAIN, ROOMS])?;
        Ok(World { network, host, names, folder, pair })
    }
}

/// Where a server reserves nicks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nicks {
    InRooms,
    InService,
}

/// Prosody as it comes: `internal` storage.
#[ignore = "needs Prosody"]
#[tokio::test]
async fn from_prosody_s_folder() -> Result<()> {
    prosody("internal_hashed", "", "data").await
}

/// Prosody with its rooms in SQLite.
#[ignore = "needs Prosody"]
#[tokio::test]
async fn from_prosody_s_database() -> Result<()> {
    if !Prosody::has_sqlite() {
        peer::skip("Prosody with SQLite", "lua-dbi-sqlite3 is not installed");
        return Ok(());
    }
    prosody(
        "internal_plain",
        "storage = \"sql\"\n    sql = { driver = \"SQLite3\", database = \"rooms.sqlite\" }",
        "data/rooms.sqlite",
    )
    .await
}

async fn prosody(authentication: &str, options: &str, path: &str) -> Result<()> {
    if !Prosody::is_installed() {
        peer::skip("Prosody", "prosody or lua-unbound is not installed");
        return Ok(());
    }
    let World { mut network, host, names, folder, pair } = World::new()?;
    // Who logs in at one that hashes has keys for SCRAM-SHA-1 alone from then on.
    let hosts = format!(
        "VirtualHost \"{DOMAIN}\"\n    authentication = \"{authentication}\"\n\
         Component \"{ROOMS}\" \"muc\"\n    modules_enabled = {{ \"muc_mam\" }}\n    {options}\n"
    );
    let plan = prosody::Plan {
        domain: DOMAIN,
        rooms: ROOMS,
        options: "",
        host,
        names: names.address(),
        pair: &pair,
        authority: network.authority().certificate(),
        proof: Proof::Dialback,
        users: &USERS,
        hosts: Some(&hosts),
    };
    let mut theirs = Prosody::new(&folder, &plan)?;
    theirs.start().await?;
    let before = live(theirs.client("romeo").await?, theirs.client("juliet").await?, Nicks::InRooms).await?;
    theirs.stop().await?;

    // The accounts lie in the folder in both cases.
    let sources = if path == "data" { vec![folder.join(path)] } else { vec![folder.join(path), folder.join("data")] };
    let reports = take_over(&mut network, &sources).await?;
    let rooms = &reports[0];
    ensure!(rooms["rooms"] == 2 && rooms["messages"].as_u64() >= Some(TALK.len() as u64), "{rooms}");
    ensure!(reports.last().is_some_and(|last| last["accounts"] == 3 && last["contacts"] == 2), "{reports:?}");
    let left = rooms["left"].as_array().context("what is left")?;
    ensure!(left.iter().all(|left| left["key"] == "occupant_id_salt"), "{rooms}");
    // Who did not log in there has a password still, and so keys for both.
    let log = std::fs::read_to_string(network.site(DOMAIN).folder().join("serve.log"))?;
    let alone = log.contains("SCRAM-SHA-256 is not offered: 2 accounts");
    ensure!(alone == (authentication == "internal_hashed"), "{log}");
    let after = look(&network).await?;
    compare(&before, &after, &["muc#roomconfig_roomname", "muc#roomconfig_membersonly", "muc#roomconfig_whois"])?;
    let kept = after[0].form.get("muc#maxhistoryfetch");
    ensure!(kept == before[0].form.get("muc#roomconfig_historylength"), "{kept:?}");
    talk_on(&network, &after).await?;
    network.stop().await
}

/// ejabberd as it comes: everything in Mnesia.
#[ignore = "needs ejabberd"]
#[tokio::test]
async fn from_ejabberd_s_dump() -> Result<()> {
    if !Ejabberd::is_installed() {
        peer::skip("ejabberd", "it is not installed");
        return Ok(());
    }
    let World { mut network, host, names, folder, pair } = World::new()?;
    let modules = format!("  mod_mam: {{}}\n  mod_muc:\n    host: \"{ROOMS}\"\n");
    let plan = ejabberd::Plan {
        domain: DOMAIN,
        host,
        names: names.address(),
        pair: &pair,
        authority: network.authority().certificate(),
        proof: Proof::Dialback,
        users: &USERS,
        listen: "",
        modules: &modules,
        contrib: &[],
    };
    let mut theirs = Ejabberd::new(&folder, &plan)?;
    theirs.start().await?;
    let mut before = live(theirs.client("romeo").await?, theirs.client("juliet").await?, Nicks::InService).await?;
    theirs.stop().await?;
    let (dump, users) = (folder.join("dump.txt"), folder.join("users"));
    theirs.dump(&dump, &users).await?;

    // Its accounts by XEP-0227, where the dump finds them.
    let users =
        std::fs::read_dir(users)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_of_all = |path: &&PathBuf| !path.to_string_lossy().contains("montague_lit");
    let users = users.iter().find(is_of_all).context("a file for all hosts")?.clone();
    let reports = take_over(&mut network, &[users, dump]).await?;
    let [accounts, rooms] = [&reports[0], &reports[1]];
    ensure!(accounts["accounts"] == 3 && accounts["contacts"] == 2 && accounts["rooms"] == 0, "{accounts}");
    ensure!(rooms["rooms"] == 2 && rooms["messages"].as_u64() >= Some(TALK.len() as u64), "{rooms}");
    ensure!(rooms["there"].as_array().map(Vec::len) == Some(3), "{rooms}");
    let left = rooms["left"].as_array().context("what is left")?;
    ensure!(left.iter().any(|left| left["of"] == CASA && left["key"] == "moderated"), "{rooms}");
    let mut after = look(&network).await?;
    for (before, after) in before.iter_mut().zip(&mut after) {
        // Everybody speaks in a room that ejabberd calls moderated; and it does not keep when a subject was set.
        before.form.remove("muc#roomconfig_moderatedroom");
        (before.subject.1, after.subject.1) = (None, None);
    }
    compare(&before, &after, &["muc#roomconfig_roomname", "muc#roomconfig_membersonly", "muc#roomconfig_whois"])?;
    talk_on(&network, &after).await?;
    network.stop().await
}

/// Makes two rooms that last and one that does not, and talks; what their owner sees then.
async fn live(romeo: Client, juliet: Client, nicks: Nicks) -> Result<[View; 2]> {
    befriend(&romeo, &juliet).await?;
    go_in(&romeo, CASA, "Romeo").await?;
    let fields: &[(&str, &[&str])] = &[
        ("muc#roomconfig_roomname", &["Casa \"Capuleti\""]),
        ("muc#roomconfig_roomdesc", &["The orchard walls are high & hard to climb; für alle"]),
        ("muc#roomconfig_persistentroom", &["1"]),
        ("muc#roomconfig_publicroom", &["0"]),
        ("muc#roomconfig_membersonly", &["1"]),
        ("muc#roomconfig_whois", &["anyone"]),
        ("muc#roomconfig_changesubject", &["1"]),
        ("muc#roomconfig_historylength", &["7"]),
        ("muc#roomconfig_enablearchiving", &["1"]),
        ("mam", &["1"]),
    ];
    configure(&romeo, CASA, fields).await?;
    affiliate(&romeo, CASA, "juliet@montague.lit", "member", None).await?;
    affiliate(&romeo, CASA, "mercutio@montague.lit", "admin", None).await?;
    affiliate(&romeo, CASA, "tybalt@montague.lit", "outcast", None).await?;
    go_in(&juliet, CASA, "Giulietta").await?;
    go_in(&romeo, CAFE, "Romeo").await?;
    let fields: &[(&str, &[&str])] = &[
        ("muc#roomconfig_persistentroom", &["1"]),
        ("muc#roomconfig_publicroom", &["1"]),
        ("muc#roomconfig_enablearchiving", &["1"]),
        ("mam", &["1"]),
    ];
    configure(&romeo, CAFE, fields).await?;
    go_in(&juliet, CAFE, "Giulietta").await?;
    if nicks == Nicks::InRooms {
        affiliate(&romeo, CAFE, "juliet@montague.lit", "member", None).await?;
        register(&juliet, CAFE, "Giulietta").await?;
    }
    go_in(&romeo, PASSING, "Romeo").await?;
    for (number, (who, room, body)) in TALK.into_iter().enumerate() {
        let (client, nick) = if who == "romeo" { (&romeo, "Romeo") } else { (&juliet, "Giulietta") };
        client.send(&say(room, &format!("said-{number}"), body)).await?;
        hears(&romeo, room, nick, body).await?;
    }
    let subject = Element::stanza("message").attr("to", CASA).attr("type", "groupchat");
    juliet.send(&subject.child(Element::new("subject", ns::CLIENT).text("What's in a \"name\"?"))).await?;
    let set =
        |s: &Element| s.get_child("subject", ns::CLIENT).is_some_and(|subject| subject.content().contains("name"));
    romeo.wait_until(interop::room::PATIENCE, |seen| seen.iter().any(set)).await?;
    let both = [view(&romeo, CASA, "Romeo").await?, view(&romeo, CAFE, "Romeo").await?];
    ensure!(both[0].subject.2 == "What's in a \"name\"?", "{:?}", both[0].subject);
    Ok(both)
}

/// Both see each other's presence.
async fn befriend(romeo: &Client, juliet: &Client) -> Result<()> {
    for (from, to) in [(romeo, juliet), (juliet, romeo)] {
        let bare = |client: &Client| client.jid().split('/').next().unwrap_or_default().to_owned();
        let asks = Element::stanza("presence").attr("to", bare(to)).attr("type", "subscribe");
        from.send(&asks).await?;
        let asked = |s: &Element| s.get("type") == Some("subscribe") && s.get("from") == Some(bare(from).as_str());
        to.wait_until(interop::room::PATIENCE, |seen| seen.iter().any(asked)).await?;
        to.send(&Element::stanza("presence").attr("to", bare(from)).attr("type", "subscribed")).await?;
        // Not every server passes the answer on; the presence that it grants comes from all.
        let shown = |s: &Element| {
            let whose = s.get("from").and_then(|from| from.split('/').next());
            s.name() == "presence" && whose == Some(bare(to).as_str()) && s.get("type").is_none()
        };
        from.wait_until(interop::room::PATIENCE, |seen| seen.iter().any(shown)).await?;
    }
    Ok(())
}

/// Reserves a nick in a room, XEP-0045 7.10.
async fn register(client: &Client, room: &str, nick: &str) -> Result<()> {
    let form = Form::new("submit")
        .with_type("http://jabber.org/protocol/muc#register")
        .field(Field::submitted("muc#register_roomnick", nick));
    let query = Element::new("query", ns::REGISTER).child(form.element());
    done(client, Element::stanza("iq").attr("to", room).attr("type", "set").child(query)).await
}

/// Imports while it is served, which is refused; then tries, does it, and does it again, which changes nothing. The reports of what
/// was done, by source.
async fn take_over(network: &mut Network, sources: &[PathBuf]) -> Result<Vec<Value>> {
    network.start().await?;
    let site = network.site(DOMAIN);
    let path = |source: &Path| source.to_str().map(str::to_owned).context("a path in UTF-8");
    let refused = site.command(&["store", "import", &path(&sources[0])?]).await;
    ensure!(refused.is_err_and(|why| format!("{why}").contains("is served by another process")), "it was not refused");
    ensure!(site.stop().await?, "it did not end in order");
    let mut reports = Vec::new();
    for source in sources {
        let source = path(source)?;
        let mut run = [Value::Null, Value::Null, Value::Null];
        for (report, more) in run.iter_mut().zip([Some("--dry-run"), None, None]) {
            let args: Vec<&str> = ["store", "import", &source, "--json"].into_iter().chain(more).collect();
            *report = serde_json::from_str(&site.command(&args).await?)?;
        }
        let [tried, done, again] = run.map(|mut run| run["report"].take());
        ensure!(tried == done, "{tried} was to be done, and {done} was");
        let nothing = ["rooms", "messages", "accounts"].iter().all(|what| again[what] == 0);
        ensure!(nothing && again["there"].as_array().is_some_and(|there| !there.is_empty()), "done again: {again}");
        reports.push(done);
    }
    let verified = site.command(&["store", "verify"]).await?;
    ensure!(verified.contains("messages in 2 archives"), "{verified}");
    site.start().await?;
    Ok(reports)
}

/// The same rooms here.
async fn look(network: &Network) -> Result<[View; 2]> {
    let romeo = network.client("romeo@montague.lit").await?;
    Ok([view(&romeo, CASA, "Romeo").await?, view(&romeo, CAFE, "Romeo").await?])
}

/// All that both servers know of is the same; among that are these fields.
fn compare(before: &[View; 2], after: &[View; 2], fields: &[&str]) -> Result<()> {
    for (before, after) in before.iter().zip(after) {
        for var in fields {
            ensure!(before.form.contains_key(*var) && after.form.contains_key(*var), "{var} is not in both forms");
        }
        for (var, values) in &before.form {
            let here = after.form.get(var);
            ensure!(here.is_none_or(|here| here == values), "{var} was {values:?} and is {here:?}");
        }
        ensure!(before.lists == after.lists, "{:?} were known, {:?} are", before.lists, after.lists);
        ensure!(before.subject == after.subject, "{:?} was the subject, {:?} is", before.subject, after.subject);
        ensure!(!before.archive.is_empty(), "nothing was archived");
        ensure!(before.archive == after.archive, "{:#?} was archived, {:#?} is", before.archive, after.archive);
    }
    Ok(())
}

/// Life goes on: people enter, what they say comes behind all else, who was banned stays out.
async fn talk_on(network: &Network, before: &[View; 2]) -> Result<()> {
    let (romeo, juliet) = (network.client("romeo@montague.lit").await?, network.client("juliet@montague.lit").await?);
    let tybalt = network.client("tybalt@montague.lit").await?;
    go_in(&romeo, CASA, "Romeo").await?;
    go_in(&juliet, CASA, "Giulietta").await?;
    ensure!(go_in(&tybalt, CASA, "Tybalt").await.is_err(), "who was banned is in");
    juliet.send(&say(CASA, "goes-on", "Good night, good night!")).await?;
    hears(&romeo, CASA, "Giulietta", "Good night, good night!").await?;
    let after = view(&romeo, CASA, "Romeo").await?.archive;
    ensure!(after.len() == before[0].archive.len() + 1 && after.starts_with(&before[0].archive), "{after:#?}");
    Ok(())
}
