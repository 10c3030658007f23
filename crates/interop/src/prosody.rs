//! A stock Prosody from its package, with a configuration and a folder of its own; the package's service is left alone.

use crate::authority::Pair;
use crate::network::{C2S_PORT, COMPONENT_PORT, PASSWORD, Proof, S2S_PORT, login};
use crate::peer::{self, is_there};
use anyhow::{Context, Result, bail};
use driver::Client;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// What it is to be.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Where its accounts live.
    pub domain: &'a str,
    /// Where its rooms are.
    pub rooms: &'a str,
    /// What is not as Prosody comes, of its rooms: lines of their component.
    pub options: &'a str,
    /// Its address.
    pub host: IpAddr,
    /// The name server it asks.
    pub names: SocketAddr,
    /// Its certificate.
    pub pair: &'a Pair,
    /// Whom it trusts.
    pub authority: &'a Path,
    /// How it proves who it is, and what it takes from others.
    pub proof: Proof,
    /// Localparts of its accounts.
    pub users: &'a [&'a str],
    /// Its hosts and components as they stand in the file, in place of one host with rooms.
    pub hosts: Option<&'a str>,
}

/// One Prosody; killed when dropped.
pub struct Prosody {
    domain: String,
    host: IpAddr,
    configuration: PathBuf,
    running: Option<Child>,
}

impl Prosody {
    /// Whether it, and what it asks name servers with, are installed.
    pub fn is_installed() -> bool {
        is_there("prosody") && has_module("lunbound.so")
    }

    /// Whether what it reads and writes SQLite by is installed too.
    pub fn has_sqlite() -> bool {
        has_module("dbd/sqlite3.so")
    }

    /// Writes configuration and accounts into `folder`; starts nothing yet.
    pub fn new(folder: &Path, plan: &Plan<'_>) -> Result<Prosody> {
        // Prosody writes dots of names in this way.
        let accounts = folder.join("data").join(plan.domain.replace('.', "%2e")).join("accounts");
        std::fs::create_dir_all(&accounts)?;
        for user in plan.users {
            std::fs::write(accounts.join(format!("{user}.dat")), format!("return {{ password = \"{PASSWORD}\" }}\n"))?;
        }
        let configuration = folder.join("prosody.cfg.lua");
        std::fs::write(&configuration, text(folder, plan))?;
        Ok(Prosody { domain: plan.domain.to_owned(), host: plan.host, configuration, running: None })
    }

    /// Starts it and waits until it listens.
    pub async fn start(&mut self) -> Result<()> {
        let folder = self.configuration.parent().context("the file is in a folder")?;
        let output = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("prosody.out"))?;
        let mut child = Command::new("prosody")
            .args(["-F", "--config"])
            .arg(&self.configuration)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()?;
        let listens = async {
            for port in [C2S_PORT, S2S_PORT] {
                while TcpStream::connect((self.host, port)).await.is_err() {
                    if let Some(status) = child.try_wait()? {
                        bail!("Prosody ended with {status}; see {}", folder.display());
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Ok(())
        };
        tokio::time::timeout(START_MAX, listens).await.context("Prosody did not listen in time")??;
        self.running = Some(child);
        Ok(())
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(&mut self) -> Result<()> {
        match self.running.take() {
            Some(mut child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }

    /// Ends it in order, as its service is stopped.
    pub async fn stop(&mut self) -> Result<()> {
        match self.running.take() {
            Some(child) => peer::terminate(child, START_MAX).await,
            None => Ok(()),
        }
    }

    /// One of its users, logged in and available.
    pub async fn client(&self, local: &str) -> Result<Client> {
        self.client_as(local, "interop").await
    }

    /// The same with a resource of one's own.
    pub async fn client_as(&self, local: &str, resource: &str) -> Result<Client> {
        let address = SocketAddr::new(self.host, C2S_PORT);
        let client = Client::login(login(address, local, &self.domain, resource)).await?;
        client.send(&xmpp::Element::stanza("presence")).await?;
        Ok(client)
    }
}

fn text(folder: &Path, plan: &Plan<'_>) -> String {
    let (folder, domain, host) = (folder.display(), plan.domain, plan.host);
    let rooms = format!("VirtualHost \"{domain}\"\nComponent \"{}\" \"muc\"\n    {}\n", plan.rooms, plan.options);
    let hosts = plan.hosts.unwrap_or(&rooms);
    let (certificate, key) = (plan.pair.certificate.display(), plan.pair.key.display());
    let (dialback, secure) = match plan.proof {
        Proof::Dialback => ("\"dialback\";", false),
        Proof::Certificate => ("", true),
    };
    format!(
        r#"run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ {{ levels = {{ min = "debug" }}; to = "file"; filename = "{folder}/prosody.log" }} }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {C2S_PORT} }}
s2s_ports = {{ {S2S_PORT} }}
component_interfaces = {{ "{host}" }}
component_ports = {{ {COMPONENT_PORT} }}
c2s_direct_tls_ports = {{}}
s2s_direct_tls_ports = {{}}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"; {dialback} }}
authentication = "internal_plain"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {secure}
ssl = {{ certificate = "{certificate}"; key = "{key}"; cafile = "{ca}" }}
unbound = {{ resolvconf = false; hoststxt = false; forward = "{names}@{port}" }}

{hosts}
"#,
        ca = plan.authority.display(),
        names = plan.names.ip(),
        port = plan.names.port(),
    )
}

/// Whether a module of Lua is there, for any of its versions: `lunbound` asks a name server of the configuration's choice.
fn has_module(file: &str) -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu/lua", "/usr/lib/aarch64-linux-gnu/lua", "/usr/local/lib/lua"];
    let versions = ["5.4", "5.3", "5.2", "5.1"];
    folders.iter().any(|folder| versions.iter().any(|version| Path::new(folder).join(version).join(file).is_file()))
}

const START_MAX: Duration = Duration::from_secs(20);
