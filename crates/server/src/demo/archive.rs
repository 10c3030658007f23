//! The room's history: as three users at three sites are given it (XEP-0313), and as the four servers keep it. It is the same
//! everywhere, and as the story has it.

use super::cast::{CHANNEL, ROOM, SITES, by_nick};
use super::expect::Model;
use super::network::Network;
use anyhow::{Context, Result, ensure};
use xmpp::{Element, ns};

/// What everybody is given when he asks what has been said.
pub struct History {
    /// Oldest first.
    pub rows: Vec<Row>,
    /// Who asked, and got the same.
    pub readers: [&'static str; 3],
    /// What the site that was cut off keeps of what was refused: by whom, and why.
    pub refused: Vec<(String, String)>,
    /// What did not hold; empty when all did.
    pub faults: Vec<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id in every archive, XEP-0359.
    pub id: String,
    /// Who said it.
    pub nick: String,
    /// What.
    pub text: String,
    /// When the room took it, as in XEP-0082.
    pub stamp: String,
    /// When it was said, where that was earlier.
    pub said: Option<String>,
}

/// Asks three users' archives.
pub async fn read(network: &Network, model: &Model) -> Result<History> {
    let readers = ["Wumpus", "WiZ", "Efchen"];
    let mut faults = Vec::new();
    let rows = page(network, readers[0]).await?;
    for reader in &readers[1..] {
        let other = page(network, reader).await?;
        if other != rows {
            faults.push(format!("{reader}'s archive is not {}'s: {other:?} {rows:?}", readers[0]));
        }
    }
    for site in SITES {
        let kept = kept(network, site)?;
        if kept != rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>() {
            faults.push(format!("the store of {site} holds {kept:?} and not {rows:?}"));
        }
    }
    let refused = refused(network, SITES[3]).await?;
    if refused.len() != 1 {
        faults.push(format!("{} should keep one refused message and keeps {refused:?}", SITES[3]));
    }
    let told: Vec<(&str, &str)> = rows.iter().map(|row| (row.nick.as_str(), row.text.as_str())).collect();
    let story: Vec<(&str, &str)> = model.said.iter().map(|(nick, text)| (nick.as_str(), *text)).collect();
    if told != story {
        faults.push(format!("the archive should hold {story:?} and holds {told:?}"));
    }
    Ok(History { rows, readers, refused, faults })
}

/// The ids in a server's own archive of the room, in order.
fn kept(network: &Network, site: &str) -> Result<Vec<String>> {
    let archive = if site == CHANNEL { ROOM.to_owned() } else { format!("mirror:{ROOM}") };
    let query = machine::ArchiveQuery { archive, max: ROWS_MAX, ..Default::default() };
    let store = network.sites[site].folder().join("data/netjoin.db");
    Ok(store::look(&store, &query)?.rows.into_iter().map(|row| row.id).collect())
}

/// What `netjoin room show` lists as refused.
async fn refused(network: &Network, site: &str) -> Result<Vec<(String, String)>> {
    let shown = network.operator(site, &["room", "show", ROOM, "--json"]).await?;
    let shown: serde_json::Value = serde_json::from_str(&shown)?;
    let text = |of: &serde_json::Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let latest = shown["refused"]["latest"].as_array().cloned().unwrap_or_default();
    Ok(latest.iter().map(|one| (text(one, "nick"), text(one, "why"))).collect())
}

async fn page(network: &Network, nick: &str) -> Result<Vec<Row>> {
    let client = &network.clients[nick];
    let max = Element::new("max", ns::RSM).text(PAGE_MAX);
    let query = Element::new("query", ns::MAM).attr("queryid", QUERY).child(Element::new("set", ns::RSM).child(max));
    let answer = client.ask(Element::stanza("iq").attr("to", ROOM).attr("type", "set").child(query)).await?;
    let whole = answer.get_child("fin", ns::MAM).and_then(|fin| fin.get("complete"));
    ensure!(whole == Some("true"), "{nick} at {} was not given the whole archive: {answer}", by_nick(nick).site);
    client.seen(|seen| seen.iter().filter_map(|stanza| stanza.get_child("result", ns::MAM)).map(row).collect())
}

fn row(result: &Element) -> Result<Row> {
    let forwarded =
        result.get_child("forwarded", ns::FORWARD).context("XEP-0313 4.2: a result holds what it forwards")?;
    let message = forwarded.get_child("message", ns::CLIENT).context("a room's archive holds messages")?;
    let stamp = |of: &Element| of.get_child("delay", ns::DELAY).and_then(|delay| delay.get("stamp")).map(str::to_owned);
    let text = message.get_child("body", ns::CLIENT).map(Element::content).unwrap_or_default();
    let nick = message.get("from").and_then(|from| from.split_once('/')).map(|(_, nick)| nick.to_owned());
    Ok(Row {
        id: result.get("id").context("a result has its id")?.to_owned(),
        nick: nick.unwrap_or_default(),
        text,
        stamp: stamp(forwarded).unwrap_or_default(),
        said: stamp(message),
    })
}

/// More than the story has.
const PAGE_MAX: &str = "100";
const ROWS_MAX: usize = 100;
const QUERY: &str = "history";
