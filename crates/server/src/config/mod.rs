//! The configuration: one TOML file, read whole, checked whole, every complaint with file, line, key and remedy.
//!
//! - [`keys`], every key, its type, default and manual; the only place where these are written
//! - [`setting`], what values may be
//! - [`reader`], from the file to values and problems
//! - [`validate`], what must hold between keys, and with the machine it runs on
//! - [`manual`], the commented file and `docs/configuration.md`

pub mod keys;
pub mod manual;
mod reader;
pub mod setting;
mod validate;

use std::path::{Path, PathBuf};

pub use keys::{Accounts, C2s, Component, Contacts, Disco, Http, Limits, Log, Replica, Rooms, S2s, Split, Tls};
pub use reader::Problem;
pub use setting::{Create, Domain, Encryption, LogFormat, Peer, Route, Routes, Secret, SplitEnter, Trust, Uri, Url};

use keys::{ROOMS_TLS, ROUTES, Top};
use reader::Reader;
use toml::de::DeTable;
use xmpp::Jid;

/// Longest configuration file, in bytes: one that is longer is some other file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration that a server can run with. Paths are resolved against the file's directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where it was read from.
    pub file: PathBuf,
    /// The domain of the accounts; `None` for a server of rooms only, which listens for no clients.
    pub domain: Option<Domain>,
    /// The directory of everything the server keeps.
    pub data: PathBuf,
    /// Bare addresses that may administer.
    pub admins: Vec<Jid>,
    /// Clients.
    pub c2s: C2s,
    /// Other servers.
    pub s2s: S2s,
    /// Static routes by domain.
    pub routes: Routes,
    /// HTTP for the operator.
    pub http: Http,
    /// The certificate for all domains that have none of their own.
    pub tls: Tls,
    /// The rooms this server is the primary of.
    pub rooms: Option<Rooms>,
    /// The certificate of the rooms' domain.
    pub rooms_tls: Tls,
    /// The replica for this site's users.
    pub replica: Option<Replica>,
    /// What an island may do.
    pub split: Split,
    /// Domains that this server is as a component of another.
    pub components: Vec<Component>,
    /// What is kept of accounts.
    pub accounts: Accounts,
    /// What disco shows.
    pub disco: Disco,
    /// Whom to write to.
    pub contacts: Contacts,
    /// Bounds.
    pub limits: Limits,
    /// The log.
    pub log: Log,
}

/// A certificate and its key, as files, and the domains that are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM, leaf first.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// The domains it is for.
    pub domains: Vec<Domain>,
    /// Whether the operator named none, so that the server makes it when it is not there.
    pub made: bool,
}

/// What was found in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The configuration, unless a problem is fatal.
    pub config: Option<Config>,
    /// What is wrong or doubtful, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Why there is no configuration: a line for each problem that is fatal.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<Problem>);

impl Config {
    /// Reads and checks a file; warnings are left to [`Config::check`].
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let Checked { config, mut problems } = Config::check(file);
        problems.retain(|problem| problem.fatal);
        config.ok_or(ConfigError(problems))
    }

    /// Reads a file and says everything that is wrong or doubtful about it, on this machine.
    pub fn check(file: &Path) -> Checked {
        match read_bounded(file) {
            Ok(text) => Config::check_text(file, &text),
            Err(message) => {
                let file = file.to_owned();
                let problem = Problem { file, line: None, key: String::new(), message, fatal: true };
                Checked { config: None, problems: vec![problem] }
            }
        }
    }

    /// As [`Config::check`], with the text at hand. `file` is what paths are relative to.
    pub fn check_text(file: &Path, text: &str) -> Checked {
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => return Checked { config: None, problems: vec![not_toml(file, text, &error)] },
        };
        let mut reader = Reader::new(file, text, document.get_ref());
        let config = Config::read(file, &mut reader);
        if let Some(config) = &config {
            validate::validate(config, &mut reader);
        }
        let mut problems = reader.problems;
        problems.sort_by_key(|problem| problem.line);
        let config = config.filter(|_| !problems.iter().any(|problem| problem.fatal));
        Checked { config, problems }
    }

    /// What both domains say of whom to write to.
    pub fn contacts(&self) -> xmpp::stanza::contact::Contacts {
        let told = |uris: &[Uri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let Contacts { abuse, admin, feedback, sales, security, status, support } = &self.contacts;
        xmpp::stanza::contact::Contacts {
            abuse: told(abuse),
            admin: told(admin),
            feedback: told(feedback),
            sales: told(sales),
            security: told(security),
            status: told(status),
            support: told(support),
        }
    }

    /// The domains this server answers for.
    pub fn domains(&self) -> Vec<&Domain> {
        self.domain.iter().chain(self.rooms.iter().map(|rooms| &rooms.domain)).collect()
    }

    /// Those of them that speak to other servers by themselves, not as a component.
    pub fn federated(&self) -> Vec<&Domain> {
        self.domains().into_iter().filter(|domain| self.component(domain.as_str()).is_none()).collect()
    }

    /// The place of the component of a domain.
    pub fn component(&self, domain: &str) -> Option<usize> {
        self.components.iter().position(|component| component.domain.as_str() == domain)
    }

    /// The replica's component and the domains it serves, where their users are another server's.
    pub fn attached(&self) -> Option<(usize, &[Domain])> {
        let replica = self.replica.as_ref()?;
        Some((self.component(replica.jid.domain())?, &replica.serves))
    }

    /// Every address that is listened on: what for, by which key, where.
    pub fn listeners(&self) -> Vec<(&'static str, &'static str, std::net::SocketAddr)> {
        validate::listeners(self)
    }

    /// The certificates to show, and for which domains.
    pub fn certificates(&self) -> Vec<CertificateFiles> {
        let mut shared = certificate_files(&self.tls).unwrap_or_else(|| CertificateFiles {
            certificate: self.data.join("certificate.pem"),
            key: self.data.join("key.pem"),
            domains: Vec::new(),
            made: true,
        });
        shared.domains.extend(self.domain.clone());
        let mut files = Vec::new();
        if let Some(rooms) = &self.rooms {
            match certificate_files(&self.rooms_tls) {
                Some(own) => files.push(CertificateFiles { domains: vec![rooms.domain.clone()], ..own }),
                None if self.component(rooms.domain.as_str()).is_none() => shared.domains.push(rooms.domain.clone()),
                None => {}
            }
        }
        if !shared.domains.is_empty() {
            files.insert(0, shared);
        }
        files
    }

    /// The sections in which this differs from what a server was started with, so far as it cannot be changed while
    /// the server runs: everything but certificates, static routes and how much is logged.
    pub fn needs_restart(&self, started: &Config) -> Vec<&'static str> {
        let top = |config: &Config| (config.domain.clone(), config.data.clone(), config.admins.clone());
        let differs = [
            ("the top of the file", top(self) != top(started)),
            ("[c2s]", self.c2s != started.c2s),
            ("[s2s]", self.s2s != started.s2s),
            ("[http]", self.http != started.http),
            ("[rooms]", self.rooms != started.rooms),
            ("[replica]", self.replica != started.replica || self.split != started.split),
            ("[[component]]", self.components != started.components),
            ("[accounts]", self.accounts != started.accounts),
            ("[disco]", self.disco != started.disco),
            ("[limits]", self.limits != started.limits),
            ("[log]", self.log.format != started.log.format),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }

    /// The Unix socket by which the program's other commands reach a server that runs with this configuration.
    pub fn control_socket(&self) -> PathBuf {
        self.data.join("control.sock")
    }

    /// The file of the store.
    pub fn store_file(&self) -> PathBuf {
        self.data.join("netjoin.db")
    }

    fn read(file: &Path, reader: &mut Reader<'_, '_>) -> Option<Config> {
        let base = match file.parent() {
            Some(parent) => parent.to_owned(),
            None => PathBuf::new(),
        };
        let resolve = |path: PathBuf| base.join(path);
        let resolve_tls = |tls: Tls| Tls { certificate: tls.certificate.map(resolve), key: tls.key.map(resolve) };
        let top = Top::read(reader);
        let c2s = C2s::read(reader);
        let s2s = S2s::read(reader);
        let routes = reader.routes(ROUTES.path);
        let http = Http::read(reader);
        let tls = Tls::read(reader);
        let rooms = if reader.has("rooms") { Rooms::read(reader).map(Some) } else { Some(None) };
        let rooms_tls = Tls::read_at(ROOMS_TLS.path, reader);
        let replica = if reader.has("replica") { Replica::read(reader).map(Some) } else { Some(None) };
        let split = Split::read(reader);
        let sections = reader.list(Component::SECTION.path);
        // Each is read, so that what is wrong with the second is said along with what is wrong with the first.
        let components: Vec<Option<Component>> = sections.iter().map(|path| Component::read_at(path, reader)).collect();
        let accounts = Accounts::read(reader);
        let disco = Disco::read(reader);
        let contacts = Contacts::read(reader);
        let limits = Limits::read(reader);
        let log = Log::read(reader);
        let (top, s2s) = (top?, s2s?);
        Some(Config {
            file: file.to_owned(),
            domain: top.domain,
            data: resolve(top.data),
            admins: top.admins,
            c2s: c2s?,
            s2s: S2s { ca: s2s.ca.clone().map(resolve), ..s2s },
            routes,
            http: http?,
            tls: resolve_tls(tls?),
            rooms: rooms?,
            rooms_tls: resolve_tls(rooms_tls?),
            replica: replica?,
            split: split?,
            components: components.into_iter().collect::<Option<_>>()?,
            accounts: accounts?,
            disco: disco?,
            contacts: contacts?,
            limits: limits?,
            log: log?,
        })
    }
}

fn certificate_files(tls: &Tls) -> Option<CertificateFiles> {
    let (certificate, key) = (tls.certificate.clone()?, tls.key.clone()?);
    Some(CertificateFiles { certificate, key, domains: Vec::new(), made: false })
}

fn read_bounded(file: &Path) -> Result<String, String> {
    let about = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file; `netjoin init DIR --domain D` makes one".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    if std::fs::metadata(file).map_err(about)?.len() > FILE_BYTES_MAX {
        return Err("is longer than a configuration can be; name the right file".into());
    }
    std::fs::read_to_string(file).map_err(about)
}

fn not_toml(file: &Path, text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = format!("is not TOML: {}; correct this line first", error.message().replace('\n', ", "));
    Problem { file: file.to_owned(), line, key: String::new(), message, fatal: true }
}

#[cfg(test)]
mod tests;
