//! Making a server from nothing: directory, certificate, configuration, first account, and the DNS records to publish
//! (RFC 6120 3.2, XEP-0368).

pub mod password;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use xmpp::Jid;

use crate::certificate;
use crate::config::manual::{self, Given};
use crate::config::{Config, ConfigError, Domain};
use crate::control::{Password, Refusal, Request};
use crate::users::Offline;

/// The first account's name.
const ADMIN: &str = "admin";
/// The replica's name.
const REPLICA: &str = "replica";

/// What to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where; made if it is not there.
    pub dir: PathBuf,
    /// Of the accounts.
    pub domain: Domain,
    /// Of the rooms, if any are to be led here.
    pub rooms: Option<Domain>,
    /// The first account's.
    pub password: Password,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The configuration file.
    pub config: PathBuf,
    /// The first account.
    pub account: Jid,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is there that would be overwritten.
    #[error("{} is there already, and nothing is overwritten; choose another directory", .0.display())]
    Exists(PathBuf),
    /// The file system refused.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, io::Error),
    /// The domains make no configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The account could not be made.
    #[error("the first account: {0}")]
    Account(#[from] Refusal),
}

/// Makes it all, or takes back what it has made.
pub fn init(plan: &Plan) -> Result<Made, InitError> {
    let places = Places::new(&plan.dir);
    if let Some(there) = places.all().into_iter().find(|path| path.exists()) {
        return Err(InitError::Exists(there.to_owned()));
    }
    make(plan, &places).inspect_err(|_| places.clear())
}

/// Where everything goes. None of it was there before.
struct Places {
    config: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    data: PathBuf,
}

impl Places {
    fn new(dir: &Path) -> Places {
        Places {
            config: dir.join("netjoin.toml"),
            certificate: dir.join("cert.pem"),
            key: dir.join("key.pem"),
            data: dir.join("data"),
        }
    }

    fn all(&self) -> [&Path; 4] {
        [&self.config, &self.certificate, &self.key, &self.data]
    }

    /// Removes what is there. What cannot be removed stays: the reason for failing is the one to be told.
    fn clear(&self) {
        for file in [&self.config, &self.certificate, &self.key] {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir_all(&self.data);
    }
}

fn make(plan: &Plan, places: &Places) -> Result<Made, InitError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| InitError::Io(path, error)
    };
    fs::create_dir_all(&plan.dir).map_err(io(&plan.dir))?;
    fs::DirBuilder::new().mode(0o700).create(&places.data).map_err(io(&places.data))?;
    let domains: Vec<&str> =
        [Some(&plan.domain), plan.rooms.as_ref()].into_iter().flatten().map(Domain::as_str).collect();
    certificate::make(&places.certificate, &places.key, &domains).map_err(io(&plan.dir))?;
    let text = manual::file(&given(plan));
    certificate::write_new(&places.config, text.as_bytes(), 0o640).map_err(io(&places.config))?;
    let config = Config::load(&places.config)?;
    let account = account(&plan.domain);
    let request = Request::UserAdd { account: account.clone(), password: plan.password.clone() };
    Offline::open(&config)?.carry_out(&request)?;
    Ok(Made { config: places.config.clone(), account })
}

/// What differs from the defaults.
fn given(plan: &Plan) -> Given {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut given = Given::default();
    given.set("", "domain", quoted(plan.domain.as_str()));
    given.set("", "admins", format!("[{}]", quoted(account(&plan.domain).as_str())));
    given.set("s2s", "listen_tls", quoted_list(S2S_TLS_LISTEN));
    given.set("tls", "certificate", quoted("cert.pem"));
    given.set("tls", "key", quoted("key.pem"));
    given.set("replica", "jid", quoted(&format!("{REPLICA}@{}", plan.domain)));
    match &plan.rooms {
        Some(rooms) => given.set("rooms", "domain", quoted(rooms.as_str())),
        None => given.without.extend(["rooms", "rooms.tls"]),
    }
    given
}

/// Where servers that encrypt from the first byte connect, since DNS says so.
const S2S_TLS_LISTEN: &str = "0.0.0.0:5270";

fn quoted_list(text: &str) -> String {
    format!("[{}]", toml::Value::from(text))
}

fn account(domain: &Domain) -> Jid {
    // A short ASCII name before a valid domain is a valid address.
    Jid::from_parts(Some(ADMIN), domain.as_str(), None).unwrap_or_else(|_| domain.jid().clone())
}

/// The records by which clients and servers find the domains, as lines of a zone file. Clients look for accounts only.
pub fn dns_records(domain: &Domain, rooms: Option<&Domain>) -> Vec<String> {
    let target = ascii(domain);
    let services = [("xmpp-client", 5222), ("xmpps-client", 5223), ("xmpp-server", 5269), ("xmpps-server", 5270)];
    let record = |name: &Domain, (service, port): (&str, u16)| {
        format!("_{service}._tcp.{}. 3600 IN SRV 0 5 {port} {target}.", ascii(name))
    };
    let own = services.into_iter().map(|service| record(domain, service));
    let rooms = rooms.into_iter().flat_map(|rooms| services[2..].iter().map(move |service| record(rooms, *service)));
    own.chain(rooms).collect()
}

fn ascii(domain: &Domain) -> String {
    idna::domain_to_ascii(domain.as_str()).unwrap_or_else(|_| domain.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_found_by_servers_and_accounts_by_clients_too() {
        let domain = |text: &str| Domain::new(text).unwrap();
        assert_eq!(
            dns_records(&domain("bücher.example"), Some(&domain("rooms.example"))),
            [
                "_xmpp-client._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 5222 xn--bcher-kva.example.",
                "_xmpps-client._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 5223 xn--bcher-kva.example.",
                "_xmpp-server._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 5269 xn--bcher-kva.example.",
                "_xmpps-server._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 5270 xn--bcher-kva.example.",
                "_xmpp-server._tcp.rooms.example. 3600 IN SRV 0 5 5269 xn--bcher-kva.example.",
                "_xmpps-server._tcp.rooms.example. 3600 IN SRV 0 5 5270 xn--bcher-kva.example.",
            ]
        );
    }
}
