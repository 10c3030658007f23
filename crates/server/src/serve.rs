//! A running server: its threads, its listeners, and its end in order.
//!
//! Threads: the core, the shards (`limits.threads`), the store's own, and one in front for accepting, HTTP and the
//! control socket. [`Server::start`] is what tests and the program both use; [`serve`] adds signals and the
//! descriptor limit.

use crate::config::Config;
use crate::control::{self, Answer, Handler, Refusal, Request, Response};
use crate::core::{Core, INBOX_MAX, Machines, ToCore};
use crate::edge::shard::{self, Order, Service, Shard};
use crate::edge::throttle::Throttle;
use crate::edge::{Edge, c2s, dns, judge, listen, s2s, tls, traffic};
use crate::http::{self, Figures, LinkFigures, Source, Stored, Traffic};
use crate::log;
use anyhow::Context as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Completion, Store};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

/// Connections that the kernel is asked to allow, where it does.
const DESCRIPTORS_WANTED: u64 = 1 << 20;

/// How long `/metrics` waits for what the core knows of the links.
const LINKS_WAIT: Duration = Duration::from_secs(1);

/// What whoever starts a server is told, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An address is listened on; port 0 has become a real one.
    Listening {
        /// `c2s`, `c2s-tls`, `s2s`, `s2s-tls`, `http` or `http-tls`.
        what: &'static str,
        /// The address.
        addr: SocketAddr,
    },
    /// All is up.
    Ready,
}

/// A server that runs. Dropping it without [`Server::stop`] ends it as well, in order.
pub struct Server {
    edge: Arc<Edge>,
    store: Arc<Store>,
    start: Instant,
    events: Vec<Event>,
    /// Ends the front thread.
    front_end: Option<oneshot::Sender<()>>,
    front: Option<JoinHandle<()>>,
    shards: Vec<JoinHandle<()>>,
    core: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the store, restores the machines, listens; returns when all is up.
    pub fn start(config: Config) -> anyhow::Result<Server> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data)?;
        let (done, completions) = mpsc::unbounded_channel::<Completion>();
        let tell = Arc::new(move |completion| _ = done.send(completion));
        let options = store::Options { brief: Some(accounts::records::ARCHIVE_PREFIX), ..store::Options::default() };
        let (store, kept) = Store::open(&config.store_file(), options, tell)?;
        let store = Arc::new(store);
        let machines = Machines::restore(&config, &kept);
        drop(kept);

        let (to_core, inbox) = mpsc::channel(INBOX_MAX);
        let threads = match config.limits.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)),
            n => n as usize,
        };
        let (orders, inboxes): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::channel(shard::INBOX_MAX)).unzip();
        let sha1_alone = machines.accounts.as_ref().map_or(0, |(_, accounts)| accounts.with_sha1_alone());
        if sha1_alone > 0 {
            tracing::info!(
                "SCRAM-SHA-256 is not offered: {sha1_alone} accounts have no keys for it until they have a new password"
            );
        }
        let edge = Arc::new(edge(config, sha1_alone == 0, to_core, orders)?);
        let listeners = bind_all(&edge.config)?;
        let control = control::bind(&edge.config.control_socket()).context("control socket")?;

        let mut server = Server {
            edge: edge.clone(),
            store: store.clone(),
            start: Instant::now(),
            events: listeners.iter().map(|(what, _, addr)| Event::Listening { what, addr: *addr }).collect(),
            front_end: None,
            front: None,
            shards: Vec::new(),
            core: None,
        };
        server.events.push(Event::Ready);
        let core = Core::new(edge.clone(), store.clone(), machines);
        server.core = Some(thread("core", move || core.run(inbox, completions))?);
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let edge = edge.clone();
            let run = move || Shard::new(index as u16, edge).run(inbox);
            server.shards.push(thread(&format!("shard-{index}"), run)?);
        }
        let (end, ended) = oneshot::channel();
        let front = Front { edge, store, start: server.start };
        server.front_end = Some(end);
        server.front = Some(thread("front", move || front.run(listeners, control, ended))?);
        Ok(server)
    }

    /// What has been listened on, and that all is up.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The real address of the first listener of a kind.
    pub fn address(&self, kind: &str) -> Option<SocketAddr> {
        self.events.iter().find_map(|event| match event {
            Event::Listening { what, addr } if *what == kind => Some(*addr),
            _ => None,
        })
    }

    /// Takes certificates, static routes and the log's level from a configuration; the rest needs a restart. On
    /// failure nothing changes.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        // The domains that are served are those of the start.
        let (tls, rooms_tls) = (config.tls.clone(), config.rooms_tls.clone());
        self.edge.tls.reload(&Config { tls, rooms_tls, ..self.edge.config.clone() })?;
        self.edge.resolver.set_routes(config.routes.clone());
        log::change_level(&config.log);
        Ok(())
    }

    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.edge.config
    }

    /// What operators ask, as the control socket takes it.
    pub fn handler(&self) -> Arc<dyn Handler> {
        Arc::new(self.front())
    }

    /// What HTTP shows.
    pub fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.front())
    }

    /// The store, for its faults to be tried.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends all streams, then the machines, then the store, each when the one before is done.
    pub fn stop(self) {
        drop(self);
    }

    fn front(&self) -> Front {
        Front { edge: self.edge.clone(), store: self.store.clone(), start: self.start }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.front_end.take());
        join(self.front.take());
        let _ = self.edge.core.blocking_send(ToCore::Shutdown);
        for shard in &self.edge.shards {
            let _ = shard.blocking_send(Order::Stop);
        }
        for shard in self.shards.drain(..) {
            join(Some(shard));
        }
        let _ = self.edge.core.blocking_send(ToCore::Stop);
        join(self.core.take());
        let _ = std::fs::remove_file(self.edge.config.control_socket());
    }
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads configuration and certificates again. `tell` hears of listeners,
/// then that all is up.
pub fn serve(config: Config, mut tell: impl FnMut(&Event)) -> anyhow::Result<()> {
    raise_descriptor_limit();
    let server = Server::start(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        // Not before: whoever hears that it is ready may send a signal at once.
        server.events().iter().for_each(&mut tell);
        loop {
            tokio::select! {
                _ = terminate.recv() => return anyhow::Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => reload(&server),
            }
        }
    })?;
    tracing::info!("ending: streams, machines, store");
    server.stop();
    Ok(())
}

/// What SIGHUP does.
fn reload(server: &Server) {
    let read = Config::load(&server.config().file).map_err(anyhow::Error::from).and_then(|config| {
        server.reload(&config)?;
        Ok(config.needs_restart(server.config()))
    });
    match read {
        Ok(left) if left.is_empty() => tracing::info!("configuration and certificates were read again"),
        Ok(left) => tracing::warn!("read again; takes effect at the next start: {}", left.join(", ")),
        Err(error) => tracing::error!("all is left as it was: {error:#}"),
    }
}

fn edge(
    config: Config,
    sha256: bool,
    core: mpsc::Sender<ToCore>,
    shards: Vec<mpsc::Sender<Order>>,
) -> anyhow::Result<Edge> {
    let secret = c2s::random();
    Ok(Edge {
        c2s: Arc::new(c2s::stream_config(&config, &secret, sha256)),
        s2s: Arc::new(s2s::stream_config(&config, &secret)),
        counters: Default::default(),
        core,
        clients: shards.iter().map(|_| Default::default()).collect(),
        shards,
        tls: tls::Certificates::read(&config)?,
        judge: judge::Judge::new(config.s2s.ca.as_deref())?,
        resolver: dns::Resolver::new(config.routes.clone(), &config.s2s.resolvers),
        throttle: Throttle::new(config.limits.login_failures_per_minute, config.c2s.registrations_per_day),
        links: Default::default(),
        components: config.components.iter().map(|_| Default::default()).collect(),
        attached: Default::default(),
        held_apart: Default::default(),
        secret,
        config,
    })
}

type Listener = (&'static str, std::net::TcpListener, SocketAddr);

fn bind_all(config: &Config) -> anyhow::Result<Vec<Listener>> {
    let bound = config.listeners().into_iter().map(|(what, key, addr)| {
        let listener = listen::bind(addr).with_context(|| format!("{key}: {addr} cannot be listened on"))?;
        let addr = listener.local_addr()?;
        Ok((what, listener, addr))
    });
    bound.collect()
}

/// A thread with a runtime of its own, whose tasks may stay on it.
fn thread<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = move || LocalSet::new().block_on(&runtime, async { run().await });
    Ok(std::thread::Builder::new().name(name.to_owned()).spawn(body)?)
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|thread| thread.join().is_err()) {
        tracing::error!("a thread has ended by a panic");
    }
}

/// More connections than the usual soft limit allows.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(DESCRIPTORS_WANTED, |maximum| maximum.min(DESCRIPTORS_WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of descriptors stays as it is");
        }
    }
}

/// What faces the operator.
struct Front {
    edge: Arc<Edge>,
    store: Arc<Store>,
    start: Instant,
}

impl Front {
    async fn run(
        self,
        listeners: Vec<Listener>,
        control: std::os::unix::net::UnixListener,
        ended: oneshot::Receiver<()>,
    ) {
        let next = Arc::new(AtomicUsize::new(0));
        let edge = self.edge.clone();
        let front = Arc::new(self);
        for (what, listener, _) in listeners {
            let service = match what {
                "c2s" => Service::C2s,
                "c2s-tls" => Service::C2sTls,
                "s2s" => Service::S2s,
                "s2s-tls" => Service::S2sTls,
                _ => {
                    let clients = edge.config.domain.is_some();
                    let source: Arc<dyn Source> = front.clone();
                    let doors = http::Doors {
                        source: (what == "http").then_some(source),
                        edge: clients.then(|| edge.clone()),
                        tls: what == "http-tls",
                    };
                    tokio::task::spawn_local(serve_http(listener, doors));
                    continue;
                }
            };
            tokio::task::spawn_local(listen::accept(listener, service, edge.clone(), next.clone()));
        }
        tokio::task::spawn_local(async move {
            if let Err(error) = control::serve(control, front).await {
                tracing::error!(%error, "the control socket has ended");
            }
        });
        let _ = ended.await;
    }
}

async fn serve_http(listener: std::net::TcpListener, doors: http::Doors) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => http::serve(listener, doors).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "HTTP has ended");
    }
}

impl Handler for Front {
    fn ask(&self, request: Request, answer: oneshot::Sender<Response>) {
        let core = self.edge.core.clone();
        tokio::spawn(async move {
            let credentials = match &request {
                Request::UserAdd { password, .. } | Request::UserPassword { password, .. } => {
                    if password.0.is_empty() {
                        let _ = answer.send(Err(Refusal::invalid("the password is empty")));
                        return;
                    }
                    Some(Box::new(c2s::derive(password.0.clone()).await))
                }
                _ => None,
            };
            let _ = core.send(ToCore::Ask(request, credentials, answer)).await;
        });
    }
}

impl Source for Front {
    fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.store.health().err().into_iter().collect();
        if self.edge.core.is_closed() {
            faults.push("the core has ended; restart the server".into());
        }
        if self.edge.shards.iter().any(mpsc::Sender::is_closed) {
            faults.push("a shard has ended; restart the server".into());
        }
        for (component, state) in self.edge.config.components.iter().zip(&self.edge.components) {
            faults.extend(state.fault().map(|why| format!("component {}: {why}", component.domain)));
        }
        if self.edge.config.attached().is_some() && !self.edge.attached.load(Relaxed) {
            faults.push("replica: the server of its users has not handed them over; is its module loaded?".into());
        }
        faults
    }

    fn figures(&self) -> Pin<Box<dyn Future<Output = Figures> + Send + '_>> {
        Box::pin(async { self.counted(self.links().await) })
    }
}

impl Front {
    /// The links as the core knows them; as the edge does while the core is too busy to answer.
    async fn links(&self) -> Vec<control::Link> {
        let asked = async {
            let (reply, answer) = oneshot::channel();
            self.edge.core.send(ToCore::Ask(Request::LinkList, None, reply)).await.ok()?;
            answer.await.ok()?.ok()
        };
        match tokio::time::timeout(LINKS_WAIT, asked).await {
            Ok(Some(Answer::Links(links))) => links,
            _ => self.edge.links.list(&self.edge),
        }
    }

    fn counted(&self, links: Vec<control::Link>) -> Figures {
        let counters = &self.edge.counters;
        let stored = self.store.metrics();
        let clients: traffic::Figures = self.edge.clients.iter().map(|shard| shard.figures()).sum();
        Figures {
            uptime_seconds: self.start.elapsed().as_secs(),
            client_connections: counters.client_connections.load(Relaxed),
            sessions: counters.sessions.load(Relaxed),
            sessions_asleep: counters.sessions_asleep.load(Relaxed),
            resumptions: counters.resumptions.load(Relaxed),
            rooms: counters.rooms.load(Relaxed),
            mirrors: counters.mirrors.load(Relaxed),
            logins: counters.logins.load(Relaxed),
            login_failures: counters.login_failures.load(Relaxed),
            clients: Traffic {
                stanzas_in: clients.stanzas_in,
                stanzas_out: clients.stanzas_out,
                bytes_in: clients.bytes_in,
                bytes_out: clients.bytes_out,
            },
            deliveries: counters.deliveries.load(Relaxed),
            slow_receivers_cut: counters.slow_receivers_cut.load(Relaxed),
            throttled: counters.throttled.load(Relaxed),
            inputs_waiting: (INBOX_MAX - self.edge.core.capacity()) as u64,
            store: Stored {
                persisted: stored.persisted,
                failed: stored.failed,
                refused: stored.refused,
                commits: stored.commits,
                queries: stored.queries,
                waiting: stored.persists_waiting as u64,
            },
            links: links.into_iter().map(link_figures).collect(),
        }
    }
}

fn link_figures(link: control::Link) -> LinkFigures {
    LinkFigures {
        live: link.streams_in + link.streams_out > 0,
        state: link.state,
        since: link.since,
        rooms: link.rooms,
        queued: link.queued,
        outbox: link.outbox.unwrap_or(0),
        lag_ms: link.lag_ms,
        resumes: link.resumes,
        refusals: link.refusals,
        mismatches: link.mismatches,
        traffic: Traffic {
            stanzas_in: link.stanzas_in,
            stanzas_out: link.stanzas_out,
            bytes_in: link.bytes_in,
            bytes_out: link.bytes_out,
        },
        domain: link.domain,
    }
}
