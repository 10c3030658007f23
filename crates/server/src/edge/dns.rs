//! Where a domain's server is: a static route, else SRV records by priority and weight (RFC 2782, XEP-0368), else
//! the domain itself at the usual port (RFC 6120 3.2).

use crate::config::{Route, Routes};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use std::io;
use std::net::{IpAddr, SocketAddr};
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

/// Static routes and the system's resolver.
pub struct Resolver {
    routes: RwLock<Routes>,
    dns: Option<TokioResolver>,
}

impl Resolver {
    /// With these routes; names that have none are asked for as the system does.
    pub fn new(routes: Routes) -> Resolver {
        let dns = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        let dns = dns.inspect_err(|error| tracing::warn!(%error, "no resolver: only static routes are known")).ok();
        Resolver { routes: RwLock::new(routes), dns }
    }

    /// Other static routes from now on; streams that stand are left alone.
    pub fn set_routes(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
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
        let found: io::Result<Vec<SocketAddr>> =
            match tokio::time::timeout(LOOKUP_WAIT, tokio::net::lookup_host((host, port))).await {
                Ok(found) => found.map(Iterator::collect),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
        found.unwrap_or_default().into_iter().take(TARGETS_MAX).map(|address| target(address.ip())).collect()
    }
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
        let resolver = Resolver { routes: RwLock::new(routes), dns: None };
        let found = resolver.find("channel.avalon.irc").await;
        assert_eq!(found, [Target { address: "127.0.0.1:4269".parse().unwrap(), direct_tls: false }]);
    }
}
