//! Four servers on loopback and seven people with clients.

use super::cast::{CAST, CHANNEL, Person, ROOM, SITES};
use anyhow::{Context, Result};
use driver::{Client, Login, Net, Site};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use xmpp::{Element, ns};

/// Whether the sites hold replicas, or every user is in the room by plain XEP-0045.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// One per site, as XEP-0282 has it.
    On,
    /// None.
    Off,
}

/// The running network.
pub struct Network {
    /// By domain.
    pub sites: BTreeMap<&'static str, Site>,
    /// By nick.
    pub clients: BTreeMap<&'static str, Client>,
    /// Where the sites are.
    pub net: Net,
}

/// What has crossed between the room's service and one site, both ways, by the service's own counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossed {
    /// Stanzas from the service to the site.
    pub down: u64,
    /// Stanzas from the site to the service.
    pub up: u64,
    /// Bytes from the service to the site, as on the socket.
    pub down_bytes: u64,
    /// Bytes from the site to the service, as on the socket.
    pub up_bytes: u64,
}

impl std::ops::Sub for Crossed {
    type Output = Crossed;
    fn sub(self, earlier: Crossed) -> Crossed {
        Crossed {
            down: self.down - earlier.down,
            up: self.up - earlier.up,
            down_bytes: self.down_bytes - earlier.down_bytes,
            up_bytes: self.up_bytes - earlier.up_bytes,
        }
    }
}

impl Network {
    /// Starts the four servers and logs the cast in.
    pub async fn start(program: &Path, folder: &Path, replicas: Replicas) -> Result<Network> {
        let net = Net::new(S2S_PORT)?;
        let mut starting = Vec::new();
        for (number, domain) in SITES.into_iter().enumerate() {
            let site = Site::new(program, &folder.join(domain), &configuration(&net, number, replicas))?;
            starting.push(tokio::spawn(start_site(site, domain)));
        }
        let mut sites = BTreeMap::new();
        for (site, domain) in starting.into_iter().zip(SITES) {
            let site = site.await?.with_context(|| format!("{domain} did not start"))?;
            sites.insert(domain, site);
        }
        let mut logging_in = Vec::new();
        for person in &CAST {
            let address = sites[person.site].address("c2s")?;
            logging_in.push(tokio::spawn(Client::login(login(person, address))));
        }
        let mut clients = BTreeMap::new();
        for (client, person) in logging_in.into_iter().zip(&CAST) {
            let client = client.await?.with_context(|| format!("{} could not log in", person.jid()))?;
            clients.insert(person.nick, client);
        }
        Ok(Network { sites, clients, net })
    }

    /// Sends what somebody's client sends.
    pub async fn send(&self, nick: &str, stanza: Element) -> Result<()> {
        self.clients[nick].send(&stanza).await
    }

    /// Runs another command of the program at a site, as its operator; gives what it printed.
    pub async fn operator(&self, site: &str, command: &[&str]) -> Result<String> {
        self.sites[site].command(command).await
    }

    /// What has crossed each link so far.
    pub async fn crossed(&self) -> Result<BTreeMap<&'static str, Crossed>> {
        let metrics = self.sites[CHANNEL].metrics().await?;
        let count = |what: &str, site: &str| {
            metrics.get(&format!("netjoin_link_{what}_total{{domain=\"{site}\"}}")).copied().unwrap_or(0.0) as u64
        };
        let mut crossed = BTreeMap::new();
        for site in &SITES[1..] {
            let link = Crossed {
                down: count("stanzas_out", site),
                up: count("stanzas_in", site),
                down_bytes: count("bytes_out", site),
                up_bytes: count("bytes_in", site),
            };
            crossed.insert(*site, link);
        }
        Ok(crossed)
    }

    /// Logs everybody out and ends the servers in order; an error when one did not end well.
    pub async fn stop(mut self) -> Result<()> {
        for client in self.clients.values() {
            client.close().await;
        }
        for (domain, site) in &mut self.sites {
            anyhow::ensure!(site.stop().await?, "{domain} did not end in order");
        }
        Ok(())
    }
}

async fn start_site(mut site: Site, domain: &'static str) -> Result<Site> {
    for person in CAST.iter().filter(|p| p.site == domain) {
        let jid = format!("{}@{domain}", person.local);
        site.command(&["user", "add", &jid, "--password", PASSWORD]).await?;
    }
    site.start().await?;
    Ok(site)
}

fn login(person: &Person, address: std::net::SocketAddr) -> Login {
    Login {
        address,
        domain: person.site.into(),
        local: person.local.into(),
        password: PASSWORD.into(),
        resource: person.resource.into(),
        tls: driver::client::Tls::Start,
    }
}

fn configuration(net: &Net, number: usize, replicas: Replicas) -> String {
    let domain = SITES[number];
    let host = net.host(number as u8 + 1);
    let mut text = String::new();
    if domain != CHANNEL {
        let _ = writeln!(text, "domain = \"{domain}\"");
    }
    let _ = writeln!(text, "data = \"data\"\n\n[log]\nlevel = \"info\"\n");
    if domain != CHANNEL {
        let _ = writeln!(text, "[c2s]\nlisten = [\"{host}:{C2S_PORT}\"]\nlisten_tls = []\n");
    }
    let _ = writeln!(text, "[s2s]\nlisten = [\"{host}:{S2S_PORT}\"]\n\n[s2s.routes]");
    for (other, name) in SITES.iter().enumerate().filter(|(_, name)| **name != domain) {
        let _ = writeln!(text, "\"{name}\" = \"{}:{S2S_PORT}\"", net.host(other as u8 + 1));
    }
    let _ = writeln!(text, "\n[http]\nlisten = [\"{host}:0\"]\n");
    if domain == CHANNEL {
        let _ = writeln!(text, "[rooms]\ndomain = \"{CHANNEL}\"\nsuspect_seconds = {SUSPECT_SECONDS}");
    } else if replicas == Replicas::On {
        let _ = writeln!(text, "[replica]\njid = \"replica@{domain}\"\nsuspect_seconds = {SUSPECT_SECONDS}");
    }
    text
}

/// `<presence/>` that enters the room.
pub fn enter(nick: &str) -> Element {
    Element::stanza("presence").attr("to", format!("{ROOM}/{nick}")).child(Element::new("x", ns::MUC))
}

/// `<presence/>` that changes the nick.
pub fn rename(nick: &str) -> Element {
    Element::stanza("presence").attr("to", format!("{ROOM}/{nick}"))
}

/// `<presence/>` that leaves it.
pub fn leave(nick: &str) -> Element {
    Element::stanza("presence").attr("to", format!("{ROOM}/{nick}")).attr("type", "unavailable")
}

/// A message to all.
pub fn say(text: &str, id: &str) -> Element {
    Element::stanza("message")
        .attr("to", ROOM)
        .attr("type", "groupchat")
        .attr("id", id)
        .child(Element::new("body", ns::CLIENT).text(text))
}

/// A new subject.
pub fn subject(text: &str) -> Element {
    Element::stanza("message")
        .attr("to", ROOM)
        .attr("type", "groupchat")
        .attr("id", "subject")
        .child(Element::new("subject", ns::CLIENT).text(text))
}

/// The empty form that makes a new room an instant one (XEP-0045 10.1.2).
pub fn open() -> Element {
    owner(Element::new("x", ns::FORMS).attr("type", "submit"))
}

/// The form that changes one thing (XEP-0045 10.2).
pub fn configure(var: &str, value: &str) -> Element {
    let field = |var: &str, value: &str| {
        let value = Element::new("value", ns::FORMS).text(value);
        Element::new("field", ns::FORMS).attr("var", var).child(value)
    };
    let form = Element::new("x", ns::FORMS).attr("type", "submit");
    owner(form.child(field("FORM_TYPE", ns::MUC_ROOMCONFIG)).child(field(var, value)))
}

fn owner(form: Element) -> Element {
    Element::stanza("iq").attr("to", ROOM).attr("type", "set").child(Element::new("query", ns::MUC_OWNER).child(form))
}

/// An iq that sets one item of muc#admin.
pub fn administer(attributes: &[(&str, &str)], reason: Option<&str>) -> Element {
    let mut item = Element::new("item", ns::MUC_ADMIN)
        .with(reason.map(|reason| Element::new("reason", ns::MUC_ADMIN).text(reason)));
    for (name, value) in attributes {
        item.set(name, value);
    }
    Element::stanza("iq").attr("to", ROOM).attr("type", "set").child(Element::new("query", ns::MUC_ADMIN).child(item))
}

/// The password of all seven.
pub const PASSWORD: &str = "replica";
/// The usual ports; the addresses are nobody else's.
pub const C2S_PORT: u16 = 5222;
const S2S_PORT: u16 = 5269;
/// After so long a link that is in doubt is split: as short as can be, since the story waits for it.
const SUSPECT_SECONDS: u64 = 1;
