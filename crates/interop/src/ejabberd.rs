//! A stock ejabberd from its package, in a virtual machine of its own without a node name, so that it needs no epmd; the
//! package's service is left alone.

use crate::authority::Pair;
use crate::network::{C2S_PORT, PASSWORD, Proof, S2S_PORT, login};
use crate::peer;
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
    /// What stands below `listen` besides, with the indentation of two spaces; empty for nothing.
    pub listen: &'a str,
    /// The same below `modules`.
    pub modules: &'a str,
    /// Folders of modules to install, by ejabberd's own means.
    pub contrib: &'a [PathBuf],
}

/// One ejabberd; killed when dropped.
pub struct Ejabberd {
    domain: String,
    host: IpAddr,
    folder: PathBuf,
    users: Vec<String>,
    contrib: Vec<String>,
    running: Option<Child>,
}

impl Ejabberd {
    /// Whether it is installed.
    pub fn is_installed() -> bool {
        peer::is_there("ejabberdctl") && peer::is_there("erl")
    }

    /// Writes configuration and modules into `folder`; starts nothing yet.
    pub fn new(folder: &Path, plan: &Plan<'_>) -> Result<Ejabberd> {
        let sources = folder.join("modules/sources");
        std::fs::create_dir_all(&sources)?;
        std::fs::create_dir_all(folder.join("logs"))?;
        let mut contrib = Vec::new();
        for module in plan.contrib {
            let name = module.file_name().and_then(|name| name.to_str()).context("a module's folder has a name")?;
            copy(module, &sources.join(name))?;
            contrib.push(name.to_owned());
        }
        std::fs::write(folder.join("inetrc"), inetrc(plan.names))?;
        // What a module needs to be installed is a server that does not ask for it yet.
        std::fs::write(folder.join("before.yml"), text(plan, ""))?;
        std::fs::write(folder.join("ejabberd.yml"), text(plan, plan.modules))?;
        let users = plan.users.iter().map(|user| user.to_string()).collect();
        let (domain, folder) = (plan.domain.to_owned(), folder.to_owned());
        Ok(Ejabberd { domain, host: plan.host, folder, users, contrib, running: None })
    }

    /// Installs its modules, as `ejabberdctl module_install` does, in a server that then ends.
    pub async fn install(&self) -> Result<()> {
        for module in &self.contrib {
            let install = format!("ok = ext_mod:install({module}), halt().");
            let mut child = self.machine("before.yml", &install)?;
            let status =
                tokio::time::timeout(START_MAX, child.wait()).await.context("module_install takes too long")??;
            anyhow::ensure!(status.success(), "module_install failed; see {}", self.folder.display());
        }
        Ok(())
    }

    /// Starts it, makes its accounts, and waits until it listens.
    pub async fn start(&mut self) -> Result<()> {
        let register =
            |user| format!("ejabberd_auth:try_register(<<\"{user}\">>, <<\"{}\">>, <<\"{PASSWORD}\">>)", self.domain);
        let registered: Vec<String> = self.users.iter().map(register).collect();
        let mut child = self.machine("ejabberd.yml", &(registered.join(", ") + ", io:format(\"registered~n\")."))?;
        let listens = async {
            for port in [C2S_PORT, S2S_PORT] {
                while TcpStream::connect((self.host, port)).await.is_err() {
                    if let Some(status) = child.try_wait()? {
                        bail!("ejabberd ended with {status}; see {}", self.folder.display());
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            let output = self.folder.join("ejabberd.out");
            while !std::fs::read_to_string(&output)?.lines().any(|line| line == "registered") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        };
        tokio::time::timeout(START_MAX, listens).await.context("ejabberd did not listen in time")??;
        self.running = Some(child);
        Ok(())
    }

    /// Ends it in order, as its service is stopped.
    pub async fn stop(&mut self) -> Result<()> {
        match self.running.take() {
            Some(child) => peer::terminate(child, START_MAX).await,
            None => Ok(()),
        }
    }

    /// What `ejabberdctl dump` calls, and `ejabberdctl export_piefxis`, in a server that then ends.
    pub async fn dump(&self, to: &Path, users: &Path) -> Result<()> {
        std::fs::create_dir_all(users)?;
        let (to, users) = (to.display(), users.display());
        let dump = format!(
            "{{ok, _}} = ejabberd_admin:dump_mnesia(\"{to}\"), ok = ejabberd_piefxis:export_server(<<\"{users}\">>), halt()."
        );
        let mut child = self.machine("ejabberd.yml", &dump)?;
        let status = tokio::time::timeout(START_MAX, child.wait()).await.context("the dump takes too long")??;
        anyhow::ensure!(status.success(), "the dump failed; see {}", self.folder.display());
        Ok(())
    }

    /// Ends it as `kill -9` does.
    pub async fn kill(&mut self) -> Result<()> {
        match self.running.take() {
            Some(mut child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }

    /// One of its users, logged in and available.
    pub async fn client(&self, local: &str) -> Result<Client> {
        let address = SocketAddr::new(self.host, C2S_PORT);
        let client = Client::login(login(address, local, &self.domain, "interop")).await?;
        client.send(&xmpp::Element::stanza("presence")).await?;
        Ok(client)
    }

    /// ejabberd in a machine of its own; `then` is evaluated when it is up. What it prints of before is gone.
    fn machine(&self, configuration: &str, then: &str) -> Result<Child> {
        let folder = &self.folder;
        let output = std::fs::File::create(folder.join("ejabberd.out"))?;
        let quoted = |name: &str| format!("\"{}\"", folder.join(name).display());
        let child = Command::new("erl")
            .args(["-noinput", "-kernel", "inetrc", &quoted("inetrc"), "-mnesia", "dir", &quoted("spool")])
            .args(["-s", "ejabberd", "-eval", then])
            .env("ERL_LIBS", libraries()?)
            .env("EJABBERD_CONFIG_PATH", folder.join(configuration))
            .env("EJABBERD_LOG_PATH", folder.join("logs/ejabberd.log"))
            .env("CONTRIB_MODULES_PATH", folder.join("modules"))
            .env("ERL_CRASH_DUMP", folder.join("crash.dump"))
            .env("HOME", folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }
}

/// The folder that Debian has ejabberd's code in, as its `ejabberdctl` says.
fn libraries() -> Result<String> {
    let script = std::fs::read_to_string("/usr/sbin/ejabberdctl").context("ejabberdctl of Debian's package")?;
    let line = script.lines().find_map(|line| line.trim().strip_prefix("ERL_LIBS="));
    Ok(line.context("ejabberdctl does not say where its code is")?.trim_matches(['\'', '"']).to_owned())
}

fn inetrc(names: SocketAddr) -> String {
    let IpAddr::V4(ip) = names.ip() else { return String::new() };
    let [a, b, c, d] = ip.octets();
    format!("{{lookup, [dns]}}.\n{{resolv_conf, \"\"}}.\n{{nameserver, {{{a},{b},{c},{d}}}, {}}}.\n", names.port())
}

fn text(plan: &Plan<'_>, modules: &str) -> String {
    let Plan { domain, host, listen, .. } = plan;
    let (certificate, key) = (plan.pair.certificate.display(), plan.pair.key.display());
    let dialback = match plan.proof {
        Proof::Dialback => "  mod_s2s_dialback: {}\n",
        Proof::Certificate => "",
    };
    format!(
        r#"hosts:
  - "{domain}"
loglevel: debug
certfiles:
  - "{certificate}"
  - "{key}"
ca_file: "{ca}"
s2s_use_starttls: required
auth_method: internal
auth_password_format: plain
# It offers them without a word on the bindings that it knows, none of which TLS 1.3 has.
disable_sasl_mechanisms:
  - "SCRAM-SHA-1-PLUS"
  - "SCRAM-SHA-256-PLUS"
  - "SCRAM-SHA-512-PLUS"
allow_contrib_modules: true
listen:
  -
    port: {C2S_PORT}
    ip: "{host}"
    module: ejabberd_c2s
    starttls_required: true
  -
    port: {S2S_PORT}
    ip: "{host}"
    module: ejabberd_s2s_in
{listen}modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
{dialback}{modules}"#,
        ca = plan.authority.display(),
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

const START_MAX: Duration = Duration::from_secs(90);
