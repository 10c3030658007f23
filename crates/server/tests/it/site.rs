//! A server in this process, on ports of the kernel's choosing, and its accounts.

use server::config::{Config, Route};
use server::control::{Answer, Link, Password, Request, Response};
use server::http::Figures;
use server::serve::Server;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xmpp::Jid;

/// Longest wait for a link; only a failing test gets there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at it.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A server that ends with the test.
pub struct Site {
    pub server: Server,
    pub domain: String,
    dir: TempDir,
}

/// What differs from the usual: client and server streams without TLS, no HTTP.
#[derive(Default)]
pub struct Settings {
    /// `c2s.tls` and `s2s.tls`.
    pub tls: &'static str,
    /// Lines of `[c2s]`, `[s2s]`, `[limits]` and the end of the file.
    pub c2s: String,
    pub s2s: String,
    /// In place of no HTTP.
    pub http: Option<&'static str>,
    pub limits: String,
    pub rest: String,
}

impl Settings {
    pub fn clear() -> Settings {
        Settings { tls: "off", ..Settings::default() }
    }

    pub fn tls() -> Settings {
        Settings { tls: "required", ..Settings::default() }
    }
}

impl Site {
    /// Starts a server of a domain with accounts whose password is their name.
    pub fn start(domain: &str, users: &[&str], settings: &Settings) -> Site {
        Site::start_in(tempfile::tempdir().unwrap(), domain, users, settings)
    }

    pub fn start_in(dir: TempDir, domain: &str, users: &[&str], settings: &Settings) -> Site {
        let Settings { tls, c2s, s2s, http, limits, rest } = settings;
        let http = http.unwrap_or("listen = []");
        let text = format!(
            "domain = \"{domain}\"\n\
             [c2s]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\ntls = \"{tls}\"\n{c2s}\n\
             [s2s]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\ntls = \"{tls}\"\n{s2s}\n\
             [http]\n{http}\n[limits]\nthreads = 2\n{limits}\n{rest}"
        );
        let checked = Config::check_text(&dir.path().join("netjoin.toml"), &text);
        let config = checked.config.unwrap_or_else(|| panic!("{:?}", checked.problems));
        let site = Site { server: Server::start(config).unwrap(), domain: domain.to_owned(), dir };
        for user in users {
            let account = Jid::new(&format!("{user}@{domain}")).unwrap();
            let made = site.ask(Request::UserAdd { account, password: Password((*user).to_owned()) });
            assert_eq!(made, Ok(Answer::Done));
        }
        site
    }

    /// Lets both find each other, by STARTTLS ports or those of direct TLS.
    pub fn meets(&self, other: &Site) {
        for (one, two) in [(self, other), (other, self)] {
            one.routes_to(&two.domain, two.address("s2s"));
        }
    }

    /// Where a domain is to be found from here.
    pub fn routes_to(&self, domain: &str, address: SocketAddr) {
        let mut config = self.server.config().clone();
        config.routes.insert(domain.to_owned(), Route { host: address.ip().to_string(), port: address.port() });
        self.server.reload(&config).unwrap();
    }

    /// What was counted for the link to a domain.
    pub fn link(&self, domain: &str) -> Link {
        let Ok(Answer::Links(links)) = self.ask(Request::LinkList) else { panic!("no list of links") };
        links.into_iter().find(|link| link.domain == domain).unwrap_or_default()
    }

    /// Waits until the link to a domain is as it should be.
    pub fn link_becomes(&self, domain: &str, is_so: impl Fn(&Link) -> bool) -> Link {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let link = self.link(domain);
            if is_so(&link) {
                return link;
            }
            assert!(Instant::now() < deadline, "{} has waited in vain: {link:?}", self.domain);
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// What `/metrics` would show.
    pub fn figures(&self) -> Figures {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.server.source().figures())
    }

    /// Ends the server and keeps its directory.
    pub fn stop(self) -> TempDir {
        self.server.stop();
        self.dir
    }

    pub fn address(&self, what: &str) -> SocketAddr {
        self.server.address(what).unwrap()
    }

    /// As an operator.
    pub fn ask(&self, request: Request) -> Response {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (reply, answer) = tokio::sync::oneshot::channel();
            self.server.handler().ask(request, reply);
            answer.await.unwrap()
        })
    }
}
