//! What must hold between keys, and with the machine the server is to run on.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::reader::Reader;
use super::{CertificateFiles, Config, Create, Encryption, Trust};
use crate::certificate::{self, PairError};

/// Days before its end from which a certificate is warned about.
const EXPIRY_WARNING_DAYS: i64 = 14;
/// The bit of CAP_NET_BIND_SERVICE, capabilities(7).
const CAP_NET_BIND_SERVICE: u64 = 1 << 10;

/// Reports everything that does not hold.
pub fn validate(config: &Config, reader: &mut Reader<'_, '_>) {
    domains(config, reader);
    components(config, reader);
    replica(config, reader);
    encryption(config, reader);
    addresses(config, reader);
    routes(config, reader);
    files(config, reader);
    log_level(config, reader);
}

/// Who is who: an address belongs to one machine only.
fn domains(config: &Config, reader: &mut Reader<'_, '_>) {
    // A domain that cannot be read has its own complaint.
    let serves = config.domain.is_some() || config.rooms.is_some() || config.attached().is_some();
    if !serves && !reader.complains_of("domain") {
        reader.error("", "serves nothing; give `domain` for accounts, or [rooms] with `domain` for rooms".into());
    }
    if let Some(rooms) = &config.rooms {
        if config.domain.as_ref() == Some(&rooms.domain) {
            let message = format!("is the domain of the accounts too; take another, like \"rooms.{}\"", rooms.domain);
            reader.error("rooms.domain", message);
        }
        if rooms.create == Create::Local && config.domain.is_none() && config.attached().is_none() {
            reader.error("rooms.create", "is \"local\", but there are no accounts here; write \"admins\"".into());
        }
        if rooms.create == Create::Admins && config.admins.is_empty() {
            reader.warning("rooms.create", "is \"admins\", and there are none; name one in `admins`".into());
        }
    }
    for admin in &config.admins {
        if admin.local().is_none() || !admin.is_bare() {
            reader.error("admins", format!("\"{admin}\" is no account; write it like \"admin@montague.lit\""));
        }
    }
    if config.c2s.registration && config.domain.is_none() {
        reader.error("c2s.registration", "needs accounts; give `domain`, or remove this".into());
    }
}

/// What this server is to another.
fn components(config: &Config, reader: &mut Reader<'_, '_>) {
    for (place, component) in config.components.iter().enumerate() {
        let key = |name: &str| format!("component.{}.{name}", place + 1);
        let domain = component.domain.as_str();
        if config.component(domain) != Some(place) {
            reader.error(&key("domain"), format!("{domain} is a component already; remove one of the two"));
        }
        if config.domain.as_ref() == Some(&component.domain) {
            let message = "is the domain of the accounts here, which are no other server's; take another".to_owned();
            reader.error(&key("domain"), message);
        }
        let is_rooms = config.rooms.as_ref().is_some_and(|rooms| rooms.domain == component.domain);
        if !is_rooms && config.replica.as_ref().is_none_or(|replica| replica.jid.domain() != domain) {
            let message = "is neither rooms.domain nor that of replica.jid, so nothing answers there; name it in one";
            reader.warning(&key("domain"), message.into());
        }
        let host = component.connect.host.as_str();
        if host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            let message = format!("goes to {host} in clear text; run both servers on one machine, or use a tunnel");
            reader.warning(&key("connect"), message);
        }
    }
}

/// A replica that serves the users of another server.
fn attached(config: &Config, replica: &super::Replica, reader: &mut Reader<'_, '_>) {
    if replica.serves.is_empty() {
        let message = "is missing: whose users does it serve? Add `serves = [\"…\"]`, the domain of their accounts";
        reader.error("replica.serves", message.into());
    }
    if !replica.jid.is_bare() {
        reader.error("replica.jid", format!("is \"{}\"; write it without the part behind '/'", replica.jid));
    }
    let ours =
        |domain: &&super::Domain| config.domains().contains(domain) || config.component(domain.as_str()).is_some();
    for domain in replica.serves.iter().filter(ours) {
        reader.error("replica.serves", format!("{domain} is this server's own; name a domain of the other server"));
    }
}

fn replica(config: &Config, reader: &mut Reader<'_, '_>) {
    let Some(replica) = &config.replica else { return };
    if config.attached().is_some() {
        return attached(config, replica, reader);
    }
    if !replica.serves.is_empty() {
        let message = "needs a [[component]] of their server at the domain of replica.jid; add it, or remove this";
        return reader.error("replica.serves", message.into());
    }
    let Some(domain) = &config.domain else {
        reader.error("replica", "serves the users of `domain`, and there is none; give it, or remove [replica]".into());
        return;
    };
    let jid = &replica.jid;
    if jid.domain() != domain.as_str() || jid.local().is_none() || !jid.is_bare() {
        let message = format!("is \"{jid}\", and must be a name at this server's domain, like \"replica@{domain}\"");
        reader.error("replica.jid", message);
    }
    if config.admins.contains(jid) {
        reader.error("admins", format!("\"{jid}\" is the replica, which no account can be; remove it"));
    }
}

/// Clear text never leaves the machine by mistake.
fn encryption(config: &Config, reader: &mut Reader<'_, '_>) {
    let streams = [("c2s", config.c2s.tls, &config.c2s.listen), ("s2s", config.s2s.tls, &config.s2s.listen)];
    for (section, tls, listen) in streams {
        let open = listen.iter().find(|addr| !addr.ip().is_loopback());
        if let (Encryption::Off, Some(addr)) = (tls, open) {
            let message = format!(
                "is \"off\" while {addr} can be reached from elsewhere; write \"required\", or listen on 127.0.0.1"
            );
            reader.error(&format!("{section}.tls"), message);
        }
    }
    if config.s2s.tls == Encryption::Off && config.s2s.trust == Trust::Certificate {
        let message =
            "is \"certificate\", and without encryption there is none; write \"dialback\", or tls = \"required\"";
        reader.error("s2s.trust", message.into());
    }
    for addr in config.http.listen.iter().filter(|addr| !addr.ip().is_loopback()) {
        let message = format!("{addr} shows /metrics to whoever can reach it; listen on 127.0.0.1, behind a proxy");
        reader.warning("http.listen", message);
    }
}

/// Every address that is listened on, with its key.
pub fn listeners(config: &Config) -> Vec<(&'static str, &'static str, SocketAddr)> {
    let lists = [
        ("c2s", "c2s.listen", &config.c2s.listen, config.domain.is_some()),
        ("c2s-tls", "c2s.listen_tls", &config.c2s.listen_tls, config.domain.is_some()),
        ("s2s", "s2s.listen", &config.s2s.listen, !config.federated().is_empty()),
        ("s2s-tls", "s2s.listen_tls", &config.s2s.listen_tls, !config.federated().is_empty()),
        ("http", "http.listen", &config.http.listen, true),
        ("http-tls", "http.listen_tls", &config.http.listen_tls, true),
    ];
    let on = lists.into_iter().filter(|list| list.3);
    on.flat_map(|(what, key, list, _)| list.iter().map(move |addr| (what, key, *addr))).collect()
}

fn addresses(config: &Config, reader: &mut Reader<'_, '_>) {
    let mut seen: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    let lowest = lowest_port();
    for (_, key, addr) in listeners(config) {
        if addr.port() == 0 {
            continue;
        }
        if let Some(other) = seen.insert(addr, key) {
            reader.error(key, format!("{addr} is taken by {other} already; choose another port"));
        }
        if addr.port() < lowest {
            let message = format!(
                "{addr} needs a privilege this user has not; choose a port from {lowest} on, or grant \
                 CAP_NET_BIND_SERVICE (as contrib/netjoin.service does)"
            );
            reader.error(key, message);
        }
    }
}

/// The lowest port this process may listen on; 1 where that cannot be told.
fn lowest_port() -> u16 {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    lowest_port_of(&read("/proc/self/status"), &read("/proc/sys/net/ipv4/ip_unprivileged_port_start"))
}

/// From what the kernel says, by ip(7) and capabilities(7).
fn lowest_port_of(status: &str, unprivileged_start: &str) -> u16 {
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if capabilities.is_none_or(|set| set & CAP_NET_BIND_SERVICE != 0) {
        return 1;
    }
    unprivileged_start.trim().parse().unwrap_or(1024)
}

fn routes(config: &Config, reader: &mut Reader<'_, '_>) {
    let own = config.domains();
    for domain in config.routes.keys().filter(|domain| own.iter().any(|own| own.as_str() == domain.as_str())) {
        let message = "is served here, so nothing for it leaves this server; remove the route".to_owned();
        reader.error(&format!("s2s.routes.{domain}"), message);
    }
}

fn files(config: &Config, reader: &mut Reader<'_, '_>) {
    if let Err(message) = usable_directory(&config.data) {
        reader.error("data", message);
    }
    for (section, tls) in [("tls", &config.tls), ("rooms.tls", &config.rooms_tls)] {
        match (&tls.certificate, &tls.key) {
            (Some(_), None) => {
                reader.error(&format!("{section}.key"), "is missing beside `certificate`; add it".into())
            }
            (None, Some(_)) => {
                reader.error(&format!("{section}.certificate"), "is missing beside `key`; add it".into());
            }
            _ => {}
        }
    }
    for files in config.certificates() {
        let own = Some(&files.certificate) == config.rooms_tls.certificate.as_ref() && files.domains.len() == 1;
        let section = if own && config.tls.certificate != config.rooms_tls.certificate { "rooms.tls" } else { "tls" };
        certificate_pair(&files, section, reader);
    }
    if let Some(ca) = &config.s2s.ca
        && let Err(error) = certificate::read_chain(ca)
    {
        reader.error("s2s.ca", format!("{error}; name a PEM file with certificates"));
    }
}

/// That both files are there, belong together, and say what the domains need.
fn certificate_pair(files: &CertificateFiles, section: &str, reader: &mut Reader<'_, '_>) {
    if files.made && !files.certificate.exists() && !files.key.exists() {
        return;
    }
    let (certificate, key) = (format!("{section}.certificate"), format!("{section}.key"));
    let pair = match certificate::read_pair(&files.certificate, &files.key) {
        Ok(pair) => pair,
        Err(PairError::Certificate(error)) => {
            return reader.error(&certificate, format!("{error}; name a PEM file with a certificate and its chain"));
        }
        Err(PairError::Key(error)) => {
            return reader.error(&key, format!("{error}; name a PEM file with a private key"));
        }
        Err(PairError::Mismatch) => {
            let path = files.certificate.display();
            return reader.error(&key, format!("is not the key of {path}; name the two that were issued together"));
        }
    };
    if readable_by_others(&files.key) {
        reader.warning(&key, format!("can be read by others; run: chmod 600 {}", files.key.display()));
    }
    let facts = match certificate::facts(&pair) {
        Ok(facts) => facts,
        Err(error) => return reader.error(&certificate, format!("{error}; have it issued anew")),
    };
    for domain in files.domains.iter().filter(|domain| !facts.names(domain.as_str())) {
        reader.warning(&certificate, format!("does not name {domain}; have it issued for that too"));
    }
    match facts.days_left {
        days if days < 0 => reader.error(&certificate, format!("ended {} days ago; have it issued anew", -days)),
        days if days < EXPIRY_WARNING_DAYS => {
            reader.warning(&certificate, format!("ends in {days} days; have it issued anew, then send SIGHUP"));
        }
        _ => {}
    }
}

/// That the data directory can be made or written.
fn usable_directory(data: &Path) -> Result<(), String> {
    let existing = data.ancestors().find(|path| path.exists() || path.as_os_str().is_empty());
    let existing = existing.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(existing).map_err(|error| format!("{}: {error}", existing.display()))?;
    if !metadata.is_dir() {
        return Err(format!("{} is a file; name a directory", existing.display()));
    }
    // Permission bits say nothing of root, ACLs or read-only mounts: a file that is made and removed does.
    tempfile::Builder::new()
        .prefix(".netjoin-check-")
        .tempfile_in(existing)
        .map(drop)
        .map_err(|error| format!("{} cannot be written ({error}); make it this user's: chown", existing.display()))
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

fn log_level(config: &Config, reader: &mut Reader<'_, '_>) {
    let level = &config.log.level;
    // A single word that is no level would be taken for the name of a module, and silence everything else.
    let is_level = |word: &str| word.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let unknown =
        level.split(',').find(|part| !part.contains(['=', '[']) && !part.trim().is_empty() && !is_level(part));
    let error = match (level.parse::<tracing_subscriber::EnvFilter>(), unknown) {
        (Err(error), _) => format!("is no filter ({error})"),
        (Ok(_), Some(unknown)) => format!("has {unknown:?}, which is none of error, warn, info, debug, trace, off"),
        (Ok(_), None) => return,
    };
    reader.error("log.level", format!("{level:?} {error}; write \"info\", or \"info,server::edge=debug\""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ports_need_a_capability() {
        let status = |set: &str| format!("Name:\tnetjoin\nCapEff:\t{set}\nThreads:\t1\n");
        assert_eq!(lowest_port_of(&status("0000000000000000"), "1024\n"), 1024);
        assert_eq!(lowest_port_of(&status("0000000000000000"), "80\n"), 80);
        assert_eq!(lowest_port_of(&status("0000000000000400"), "1024\n"), 1);
        assert_eq!(lowest_port_of(&status("000001ffffffffff"), "1024\n"), 1);
        assert_eq!(lowest_port_of("", ""), 1);
    }
}
