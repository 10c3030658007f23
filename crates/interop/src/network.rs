//! Several servers on loopback that know their way to each other.

use crate::authority::{Authority, Pair, self_signed};
use crate::program;
use anyhow::{Context, Result};
use driver::client::Tls;
use driver::{Client, Login, Net, Site};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A server as it is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan<'a> {
    /// Where its accounts live.
    pub domain: &'a str,
    /// Where its rooms are, when it has any.
    pub rooms: Option<&'a str>,
    /// Whether its users reach rooms elsewhere through a replica.
    pub replica: bool,
    /// Localparts of its accounts; all have [`PASSWORD`].
    pub users: &'a [&'a str],
    /// How it proves who it is to other servers.
    pub proof: Proof,
    /// After how many seconds of doubt a link is split; else longer than any server of a test is away.
    pub suspect_seconds: Option<u64>,
    /// Whether browsers reach it, by HTTPS, and find that out by host-meta at the usual port.
    pub browsers: bool,
    /// Where it keeps its data, when not in its own folder.
    pub data: Option<&'a Path>,
}

/// How a server proves who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// With a certificate that nobody vouches for, by dialback.
    #[default]
    Dialback,
    /// With a certificate of the network's authority, and it takes nothing less from others.
    Certificate,
}

/// The servers, their folder, their authority. The folder stays when a test fails.
pub struct Network {
    net: Net,
    folder: TempDir,
    authority: Authority,
    program: PathBuf,
    routes: BTreeMap<String, SocketAddr>,
    /// Where one server finds a domain by a way of its own: (server, domain).
    ways: BTreeMap<(String, String), SocketAddr>,
    plans: Vec<(String, String)>,
    accounts: Vec<(String, String)>,
    /// By domain, once [`Network::start`] was called.
    pub sites: BTreeMap<String, Site>,
    hosts: u8,
}

impl Network {
    /// An empty network.
    pub fn new() -> Result<Network> {
        let mut folder = tempfile::Builder::new().prefix("netjoin-interop-").tempdir()?;
        folder.disable_cleanup(true);
        Ok(Network {
            net: Net::new(S2S_PORT)?,
            authority: Authority::new(folder.path())?,
            folder,
            program: program::netjoin()?,
            routes: BTreeMap::new(),
            ways: BTreeMap::new(),
            plans: Vec::new(),
            accounts: Vec::new(),
            sites: BTreeMap::new(),
            hosts: 0,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its authority.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// An address nobody else has.
    pub fn host(&mut self, port: u16) -> SocketAddr {
        self.hosts += 1;
        SocketAddr::new(self.net.host(self.hosts).into(), port)
    }

    /// Where servers find a domain that is none of theirs, or that is to be reached by another way.
    pub fn route(&mut self, domain: &str, to: SocketAddr) {
        self.routes.insert(domain.to_owned(), to);
    }

    /// Where one server finds a domain, by another way than the rest.
    pub fn way(&mut self, server: &str, domain: &str, to: SocketAddr) {
        self.ways.insert((server.to_owned(), domain.to_owned()), to);
    }

    /// Adds a server; it starts with the others. Gives where other servers reach it.
    pub fn add(&mut self, plan: Plan<'_>) -> Result<SocketAddr> {
        let s2s = self.host(S2S_PORT);
        for domain in [Some(plan.domain), plan.rooms].into_iter().flatten() {
            self.routes.entry(domain.to_owned()).or_insert(s2s);
        }
        let text = self.configuration(&plan, s2s)?;
        self.plans.push((plan.domain.to_owned(), text));
        for user in plan.users {
            self.accounts.push((plan.domain.to_owned(), format!("{user}@{}", plan.domain)));
        }
        Ok(s2s)
    }

    /// Adds a server that is a component of another, with this configuration; it starts with the others. HTTP is set here.
    pub fn attach(&mut self, name: &str, configuration: &str) {
        let host = self.host(0);
        self.plans.push((name.to_owned(), format!("{configuration}\n[http]\nlisten = [\"{host}\"]\n")));
    }

    /// Starts all servers that were added.
    pub async fn start(&mut self) -> Result<()> {
        let mut starting = Vec::new();
        for (domain, text) in std::mem::take(&mut self.plans) {
            let routes = self.routes_of(&domain, &text);
            let text = text + &routes;
            let mut site = Site::new(&self.program, &self.folder().join(&domain), &text)?;
            let accounts: Vec<String> =
                self.accounts.iter().filter(|(at, _)| *at == domain).map(|(_, jid)| jid.clone()).collect();
            starting.push(tokio::spawn(async move {
                for jid in accounts {
                    site.command(&["user", "add", &jid, "--password", PASSWORD]).await?;
                }
                site.start().await.with_context(|| format!("{domain} did not start"))?;
                anyhow::Ok((domain, site))
            }));
        }
        for site in starting {
            let (domain, site) = site.await??;
            self.sites.insert(domain, site);
        }
        Ok(())
    }

    /// The server of a domain.
    pub fn site(&mut self, domain: &str) -> &mut Site {
        self.sites.get_mut(domain).unwrap_or_else(|| panic!("{domain} is no server of this test"))
    }

    /// How a user of one of the servers logs in.
    pub fn login(&self, jid: &str, resource: &str) -> Result<Login> {
        let (local, domain) = jid.split_once('@').context("a bare JID")?;
        let site = self.sites.get(domain).with_context(|| format!("{domain} is no server of this test"))?;
        Ok(login(site.address("c2s")?, local, domain, resource))
    }

    /// A user of one of the servers, logged in and available.
    pub async fn client(&self, jid: &str) -> Result<Client> {
        let client = Client::login(self.login(jid, "interop")?).await?;
        client.send(&xmpp::Element::stanza("presence")).await?;
        Ok(client)
    }

    /// Ends all in order; an error for the first that did not end well. The folder goes with this value.
    pub async fn stop(&mut self) -> Result<()> {
        for (domain, site) in &mut self.sites {
            anyhow::ensure!(site.stop().await?, "{domain} did not end in order");
        }
        self.folder.disable_cleanup(false);
        Ok(())
    }

    fn routes_of(&self, server: &str, configuration: &str) -> String {
        let others = self.routes.iter().filter(|(name, _)| !configuration.contains(&format!("domain = \"{name}\"")));
        others.fold("[s2s.routes]\n".to_owned(), |all, (name, to)| {
            let to = self.ways.get(&(server.to_owned(), name.clone())).unwrap_or(to);
            all + &format!("\"{name}\" = \"{to}\"\n")
        })
    }

    fn configuration(&self, plan: &Plan<'_>, s2s: SocketAddr) -> Result<String> {
        let folder = self.folder().join(plan.domain);
        let domains: Vec<&str> = [Some(plan.domain), plan.rooms].into_iter().flatten().collect();
        let Pair { certificate, key } = match plan.proof {
            Proof::Certificate => self.authority.sign(&folder, &domains)?,
            Proof::Dialback => self_signed(&folder, &domains)?,
        };
        let trust = match plan.proof {
            Proof::Certificate => "certificate",
            Proof::Dialback => "dialback",
        };
        let (host, ca) = (s2s.ip(), self.authority.certificate().display());
        let (certificate, key) = (certificate.display(), key.display());
        let data = plan.data.unwrap_or(Path::new("data")).display();
        let url = format!("wss://{}/xmpp-websocket", plan.domain);
        let https = format!("listen_tls = [\"{host}:0\"]\nwebsocket_url = \"{url}\"\n");
        let browsers = if plan.browsers { https.as_str() } else { "" };
        let mut text = format!(
            "domain = \"{}\"\ndata = \"{data}\"\n\
             [tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n\
             [c2s]\nlisten = [\"{host}:{C2S_PORT}\"]\nlisten_tls = []\n\
             [http]\nlisten = [\"{host}:0\"]\n{browsers}\
             [limits]\nmessages_per_second = 1000000\nmessages_burst = 1000000\njoins_per_minute = 1000000\n\
             login_failures_per_minute = 100000\n",
            plan.domain
        );
        let suspect = plan.suspect_seconds.unwrap_or(SUSPECT_SECONDS);
        if let Some(rooms) = plan.rooms {
            write!(text, "[rooms]\ndomain = \"{rooms}\"\nkeepalive_seconds = 1\nsuspect_seconds = {suspect}\n")?;
        }
        if plan.replica {
            let jid = format!("replica@{}", plan.domain);
            write!(text, "[replica]\njid = \"{jid}\"\nkeepalive_seconds = 1\nsuspect_seconds = {suspect}\n")?;
        }
        write!(text, "[s2s]\nlisten = [\"{s2s}\"]\ntrust = \"{trust}\"\nca = \"{ca}\"\n")?;
        Ok(text)
    }
}

/// How somebody logs in with [`PASSWORD`] over STARTTLS.
pub fn login(address: SocketAddr, local: &str, domain: &str, resource: &str) -> Login {
    Login {
        address,
        domain: domain.into(),
        local: local.into(),
        password: PASSWORD.into(),
        resource: resource.into(),
        tls: Tls::Start,
    }
}

/// The password of everybody.
pub const PASSWORD: &str = "pencil";
/// The usual ports; the addresses are nobody else's.
pub const C2S_PORT: u16 = 5222;
/// For servers.
pub const S2S_PORT: u16 = 5269;
/// For components.
pub const COMPONENT_PORT: u16 = 5347;
/// Longer than any server here is away: nobody is to be removed from a room because of it.
const SUSPECT_SECONDS: u64 = 120;
