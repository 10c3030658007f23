//! Where a domain's server is: a static route, else SRV records by priority and weight (RFC 2782, XEP-0368), else
//! the domain itself at the usual port (RFC 6120 3.2).

use crate::config::{Route, Routes};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// The port of servers where DNS says no other, RFC 6120 14.7.
const PORT: u16 = 5269;

/// Most places tried for one domain.
const TARGETS_MAX: usize = 8;

/// Longest wait for one answer of DNS.
const LOOKUP_WAIT: Duration = Duration::from_secs(10);

/// A place where a server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// Whether TLS is from the first byte.
    pub direct_tls: bool,
}

/// An SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    priority: u16,
    weight: u16,
    host: String,
    port: u16,
    direct_tls: bool,
}

/// Static routes and name servers.
pub struct Resolver {
    routes: RwLock<Routes>,
    /// How often they have changed.
    changes: AtomicU64,
    dns: Option<TokioResolver>,
    /// Whether hosts are asked for as any program on this system does, its file of hosts included.
    hosts_of_system: bool,
}

impl Resolver {
    /// With these routes; names that have none are asked of these name servers, or as the system does where there is none.
    pub fn new(routes: Routes, servers: &[SocketAddr]) -> Resolver {
        let builder = match servers {
            [] => TokioResolver::builder_tokio(),
            servers => Ok(TokioResolver::builder_with_config(asking(servers), TokioRuntimeProvider::default())),
        };
        let dns = builder.and_then(|builder| builder.build());
        let dns = dns.inspect_err(|error| tracing::warn!(%error, "no resolver: only static routes are known")).ok();
        Resolver { routes: RwLock::new(routes), changes: AtomicU64::new(0), dns, hosts_of_system: servers.is_empty() }
    }

    /// Other static routes from now on; streams that stand are left alone.
    pub fn set_routes(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
        self.changes.fetch_add(1, Relaxed);
    }

    /// How often the static routes have changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    fn route(&self, domain: &str) -> Option<Route> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    /// The places to try, in order; none when the domain is not to be found.
    pub async fn find(&self, domain: &str) -> Vec<Target> {
        if let Some(route) = self.route(domain) {
            return self.addresses(&route.host, route.port, false).await;
        }
        let name = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        let (secure, plain) = tokio::join!(self.services(&name, true), self.services(&name, false));
        if secure.is_empty() && plain.is_empty() {
            return self.addresses(&name, PORT, false).await;
        }
        let mut targets = Vec::new();
        for service in in_order(secure.into_iter().chain(plain).collect(), random) {
            if targets.len() >= TARGETS_MAX {
                break;
            }
            // RFC 2782: a single dot says that the service is decidedly not there.
            if service.host != "." && !service.host.is_empty() {
                targets.extend(self.addresses(&service.host, service.port, service.direct_tls).await);
            }
        }
        targets.truncate(TARGETS_MAX);
        targets
    }

    async fn services(&self, name: &str, direct_tls: bool) -> Vec<Service> {
        let Some(dns) = &self.dns else { return Vec::new() };
        let prefix = if direct_tls { "_xmpps-server" } else { "_xmpp-server" };
        let lookup = dns.srv_lookup(format!("{prefix}._tcp.{name}."));
        let Ok(Ok(answer)) = tokio::time::timeout(LOOKUP_WAIT, lookup).await else { return Vec::new() };
        let services = answer.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Service {
                priority: srv.priority,
                weight: srv.weight,
                host: srv.target.to_utf8(),
                port: srv.port,
                direct_tls,
            }),
            _ => None,
        });
        services.take(TARGETS_MAX).collect()
    }

    async fn addresses(&self, host: &str, port: u16, direct_tls: bool) -> Vec<Target> {
        let target = |ip: IpAddr| Target { address: SocketAddr::new(ip, port), direct_tls };
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return vec![target(ip)];
        }
        let found = tokio::time::timeout(LOOKUP_WAIT, self.ips(host)).await.unwrap_or_default();
        found.into_iter().take(TARGETS_MAX).map(target).collect()
    }

    async fn ips(&self, host: &str) -> Vec<IpAddr> {
        match &self.dns {
            Some(dns) if !self.hosts_of_system => {
                dns.lookup_ip(host).await.map(|found| found.iter().collect()).unwrap_or_default()
            }
            _ => {
                let found = tokio::net::lookup_host((host, 0)).await;
                found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
            }
        }
    }
}

/// These name servers and no others; large answers by TCP.
fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.into())
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// A number below `bound`, by the system's randomness.
fn random(bound: u32) -> u32 {
    getrandom::u32().unwrap_or_default() % bound.max(1)
}

/// RFC 2782: rising priority; within one, drawn by weight.
fn in_order(mut services: Vec<Service>, mut draw: impl FnMut(u32) -> u32) -> Vec<Service> {
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(first) = services.first() {
        let priority = first.priority;
        let peers = services.iter().take_while(|service| service.priority == priority);
        let total: u32 = peers.clone().map(|service| u32::from(service.weight)).sum();
        let drawn = draw(total + 1);
        let mut sum = 0;
        let at = peers.clone().position(|service| {
            sum += u32::from(service.weight);
            sum >= drawn
        });
        ordered.push(services.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use driver::names::{Data, NameServer, Zone};
    use std::net::Ipv4Addr;

    fn service(priority: u16, weight: u16, host: &str) -> Service {
        Service { priority, weight, host: host.into(), port: 5269, direct_tls: false }
    }

    #[test]
    fn priority_comes_before_weight() {
        let services = vec![service(20, 100, "c"), service(10, 1, "a"), service(10, 9, "b")];
        let hosts = |draw: fn(u32) -> u32| {
            in_order(services.clone(), draw).into_iter().map(|service| service.host).collect::<String>()
        };
        assert_eq!(hosts(|_| 0), "abc");
        assert_eq!(hosts(|bound| bound - 1), "bac");
    }

    #[tokio::test]
    async fn a_static_route_is_not_asked_of_dns() {
        let route = Route { host: "127.0.0.1".into(), port: 4269 };
        let routes = [("channel.avalon.irc".to_owned(), route)].into();
        let resolver = Resolver::new(routes, &[]);
        let found = resolver.find("channel.avalon.irc").await;
        assert_eq!(found, [Target { address: "127.0.0.1:4269".parse().unwrap(), direct_tls: false }]);
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Data {
        Data::Srv { priority, weight, port, target: target.to_owned() }
    }

    /// Asks a name server that knows these names for the servers of `capulet.lit`.
    async fn found(names: &[(&str, &[Data])]) -> Vec<(String, bool)> {
        let zone = names.iter().map(|(name, records)| ((*name).to_owned(), records.to_vec())).collect();
        let names = NameServer::start(Ipv4Addr::LOCALHOST.into(), zone).unwrap();
        let found = Resolver::new(Routes::new(), &[names.address()]).find("capulet.lit").await;
        found.into_iter().map(|target| (target.address.to_string(), target.direct_tls)).collect()
    }

    const ONE: &[Data] = &[Data::A(Ipv4Addr::new(127, 0, 0, 1))];
    const TWO: &[Data] = &[Data::A(Ipv4Addr::new(127, 0, 0, 2))];

    fn targets<const N: usize>(targets: [(&str, bool); N]) -> Vec<(String, bool)> {
        targets.map(|(address, direct_tls)| (address.to_owned(), direct_tls)).into()
    }

    /// RFC 6120 3.2.1 and RFC 2782; XEP-0368 3: "priorities and weights as if they were a single SRV record".
    #[tokio::test]
    async fn rfc_2782_both_kinds_of_records_by_one_order() {
        let plain = [srv(20, 0, 5000, "two.capulet.lit"), srv(5, 0, 5001, "one.capulet.lit")];
        let secure = [srv(10, 0, 5002, "one.capulet.lit")];
        let found = found(&[
            ("_xmpp-server._tcp.capulet.lit", &plain),
            ("_xmpps-server._tcp.capulet.lit", &secure),
            ("one.capulet.lit", ONE),
            ("two.capulet.lit", TWO),
            ("capulet.lit", TWO),
        ])
        .await;
        assert_eq!(found, targets([("127.0.0.1:5001", false), ("127.0.0.1:5002", true), ("127.0.0.2:5000", false)]));
    }

    /// RFC 6120 3.2.2: without SRV records the domain itself, at the registered port.
    #[tokio::test]
    async fn rfc_6120_3_2_2_without_records_the_domain_itself() {
        assert_eq!(found(&[("capulet.lit", ONE)]).await, targets([("127.0.0.1:5269", false)]));
        assert_eq!(found(&[("montague.lit", ONE)]).await, []);
    }

    /// RFC 6120 3.2.1 rule 4, RFC 2782: a target of `.` is decidedly nothing, and nothing else is tried.
    #[tokio::test]
    async fn rfc_6120_3_2_1_a_single_dot_is_no_server() {
        let none = [srv(0, 0, 0, ".")];
        assert_eq!(found(&[("_xmpp-server._tcp.capulet.lit", &none), ("capulet.lit", ONE)]).await, []);
    }

    /// XEP-0368 3: "this means that Direct TLS is not supported"; "MUST NOT perform A/AAAA fallback".
    #[tokio::test]
    async fn xep_0368_a_single_dot_for_direct_tls_leaves_starttls() {
        let (none, one) = ([srv(0, 0, 0, ".")], [srv(9, 0, 5000, "one.capulet.lit")]);
        let secure = ("_xmpps-server._tcp.capulet.lit", &none[..]);
        let hosts = [("one.capulet.lit", ONE), ("capulet.lit", TWO)];
        let both = [secure, ("_xmpp-server._tcp.capulet.lit", &one[..]), hosts[0], hosts[1]];
        assert_eq!(found(&both).await, targets([("127.0.0.1:5000", false)]));
        assert_eq!(found(&[secure, hosts[1]]).await, []);
    }

    /// RFC 2782: within a priority the larger weight is tried first the more often.
    #[tokio::test]
    async fn rfc_2782_weights_are_shares() {
        let services = [srv(1, 1, 5001, "one.capulet.lit"), srv(1, 99, 5099, "one.capulet.lit")];
        let zone: Zone =
            [("_xmpp-server._tcp.capulet.lit".to_owned(), services.into()), ("one.capulet.lit".to_owned(), ONE.into())]
                .into();
        let names = NameServer::start(Ipv4Addr::LOCALHOST.into(), zone).unwrap();
        let resolver = Resolver::new(Routes::new(), &[names.address()]);
        let mut heavy_first = 0;
        for _ in 0..100 {
            let found = resolver.find("capulet.lit").await;
            assert_eq!(found.len(), 2);
            heavy_first += usize::from(found[0].address.port() == 5099);
        }
        // Of a hundred draws at 99 to 2, fewer than eighty are one in 10^40.
        assert!(heavy_first > 80, "{heavy_first}");
    }
}
