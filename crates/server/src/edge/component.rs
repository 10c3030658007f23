//! Domains that this server is as a component of another (XEP-0114): a stream of ours for each, made at the start and again
//! whenever it ends. What is to be sent meanwhile waits, and bounces when that takes too long.

use super::conn::{Conn, End, Wake, Watch};
use super::links::Remote;
use super::s2s::{Bounds, Item, Queue, bounce, lost, rest};
use super::shard::Shard;
use super::slab::Place;
use crate::config;
use crate::core::ToCore;
use crate::edge::c2s::{bytes, random, stream_error};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::stream::Component;
use xmpp::stream::component::{Config, Failure, Input, Output};
use xmpp::xml::Limits;

/// Most that waits for a component's stream: something for each of the users of a large server at once.
const WAITING_MAX: Bounds = Bounds { stanzas: 100_000, bytes: 256 << 20 };

/// A stream that has stood for so long was good: the next is made at once when it ends.
const GOOD_AFTER: Duration = Duration::from_secs(10);

/// How long a server may be silent on a broken network until the kernel gives the stream up.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// What is known of a component from everywhere.
#[derive(Debug)]
pub struct State {
    /// Why it is not connected, for people; `None` when it is.
    fault: Mutex<Option<String>>,
}

impl Default for State {
    /// Not connected yet.
    fn default() -> State {
        State { fault: Mutex::new(Some("not connected yet".into())) }
    }
}

impl State {
    /// Why it is not connected.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_fault(&self, fault: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// A component, as the shard that has its stream knows it.
pub struct Link {
    /// Its place among all.
    index: usize,
    queue: Queue,
    /// Since when there is no stream.
    down_since: Cell<Option<Instant>>,
}

/// Begins the components that are this shard's.
pub fn begin(shard: &Rc<Shard>) {
    let components = shard.edge.config.components.iter().enumerate();
    for (index, component) in components.filter(|(index, _)| shard.edge.component_shard(*index) == shard.index) {
        let remote = shard.edge.links.of(component.domain.as_str());
        let link = Rc::new(Link { index, queue: Queue::new(remote), down_since: Cell::new(Some(Instant::now())) });
        shard.components.borrow_mut().insert(index, link.clone());
        tokio::task::spawn_local(run(shard.clone(), link));
    }
}

/// Sends a stanza as a component.
pub fn send(shard: &Rc<Shard>, index: usize, item: Item) {
    let Some(link) = shard.components.borrow().get(&index).cloned() else { return };
    let refused = match link.is_down_for_long(shard) {
        true => Some((item, lost())),
        false => link.queue.put(shard, item, WAITING_MAX).err().map(|item| {
            (item, StanzaError::new(Condition::ResourceConstraint, "too many stanzas wait for the server"))
        }),
    };
    if let Some((item, error)) = refused {
        tokio::task::spawn_local(bounce(shard.clone(), vec![item], error));
    }
}

impl Link {
    fn config<'s>(&self, shard: &'s Shard) -> &'s config::Component {
        &shard.edge.config.components[self.index]
    }

    fn remote(&self) -> &Remote {
        &self.queue.remote
    }

    fn is_down_for_long(&self, shard: &Shard) -> bool {
        self.down_since.get().is_some_and(|since| since.elapsed() >= wait(shard))
    }
}

/// How long stanzas wait for a stream.
fn wait(shard: &Shard) -> Duration {
    Duration::from_secs(shard.edge.config.s2s.connect_seconds)
}

/// Makes the stream, keeps it, makes it again, until the shard ends.
async fn run(shard: Rc<Shard>, link: Rc<Link>) {
    let (mut failures, mut said) = (0, String::new());
    tokio::task::spawn_local(give_up(shard.clone(), link.clone()));
    while !shard.stopping.get() {
        link.remote().connecting.fetch_add(1, Relaxed);
        let made = tokio::time::timeout(wait(&shard), make(&shard, &link)).await;
        link.remote().connecting.fetch_sub(1, Relaxed);
        let began = Instant::now();
        let why = match made {
            Ok(Ok(stream)) => keep(&shard, &link, stream).await,
            Ok(Err(why)) => why,
            Err(_) => "the server does not answer".into(),
        };
        failures = if began.elapsed() >= GOOD_AFTER { 1 } else { failures + 1 };
        let component = link.config(&shard);
        if why != said {
            // Once, and not at each attempt.
            tracing::warn!(component = %component.domain, "{}", advice(component, &why));
        }
        shard.edge.components[link.index].set_fault(Some(why.clone()));
        said = why;
        let [chance, ..] = random();
        tokio::time::sleep(rest(failures, chance, Duration::from_secs(shard.edge.config.s2s.retry_seconds))).await;
    }
}

/// What the operator can do about it.
fn advice(component: &config::Component, why: &str) -> String {
    let config::Route { host, port } = &component.connect;
    let remedy = if why == Failure::WrongSecret.to_string() {
        "; give component.secret as that server has it, for a component that it has"
    } else if why == Failure::Unknown.to_string() {
        "; make it a component there, see docs/prosody.md and docs/ejabberd.md"
    } else if why == Failure::OwnNameOnly.to_string() {
        "; there, set validate_from_addresses = false (Prosody) or check_from: false (ejabberd)"
    } else {
        ""
    };
    format!("not connected to {host}:{port}: {why}{remedy}")
}

/// Gives back what waits when the stream has been away for too long.
async fn give_up(shard: Rc<Shard>, link: Rc<Link>) {
    loop {
        let due = link.down_since.get().unwrap_or_else(Instant::now) + wait(&shard);
        tokio::time::sleep_until(due).await;
        if link.is_down_for_long(&shard) {
            bounce(shard.clone(), link.queue.take_waiting(), lost()).await;
            tokio::time::sleep(wait(&shard)).await;
        }
    }
}

async fn make(shard: &Rc<Shard>, link: &Link) -> Result<Stream, String> {
    let component = link.config(shard);
    let config::Route { host, port } = &component.connect;
    let mut stream = Stream::connect(shard, component, link.queue.remote.traffic.clone())
        .await
        .map_err(|error| format!("{host}:{port} cannot be reached ({error})"))?;
    match stream.next().await {
        Event::Ready => Ok(stream),
        Event::Stanza(_) | Event::Nudge => Err("the server says something before it has taken the secret".into()),
        Event::Closed(why) => Err(why),
    }
}

/// Carries stanzas both ways until the stream ends; gives why.
async fn keep(shard: &Rc<Shard>, link: &Link, mut stream: Stream) -> String {
    let component = link.config(shard);
    tracing::info!(component = %component.domain, "connected to {}:{}", component.connect.host, component.connect.port);
    shard.edge.components[link.index].set_fault(None);
    stream.conn.watch.set(Watch::Never);
    link.queue.set_conn(Some(stream.conn.clone()));
    link.down_since.set(None);
    link.remote().streams_out.fetch_add(1, Relaxed);
    link.remote().note_change();
    let why = loop {
        link.queue.pump(shard);
        match stream.next().await {
            Event::Stanza(stanza) => {
                link.remote().traffic.stanza_in();
                if shard.edge.core.send(ToCore::FromComponent(stanza)).await.is_err() {
                    break "the server ends".to_owned();
                }
            }
            Event::Closed(why) => break why,
            Event::Ready | Event::Nudge => {}
        }
    };
    link.queue.set_conn(None);
    link.queue.put_back(link.queue.take_unwritten(&stream.conn));
    link.down_since.set(Some(Instant::now()));
    link.remote().streams_out.fetch_sub(1, Relaxed);
    link.remote().note_change();
    let _ = shard.edge.core.send(ToCore::ComponentEnded(link.index)).await;
    why
}

/// What a stream has come to.
enum Event {
    Ready,
    Stanza(xmpp::Element),
    /// Something may be put on it.
    Nudge,
    /// It is over; why, for people.
    Closed(String),
}

/// The socket and the machine of a component's stream.
struct Stream {
    shard: Rc<Shard>,
    conn: Rc<Conn>,
    place: Place,
    machine: Component,
    todo: VecDeque<Output>,
    nudged: bool,
}

impl Stream {
    async fn connect(
        shard: &Rc<Shard>,
        component: &config::Component,
        traffic: std::sync::Arc<super::traffic::Traffic>,
    ) -> io::Result<Stream> {
        let socket = TcpStream::connect((component.connect.host.as_str(), component.connect.port)).await?;
        socket.set_nodelay(true)?;
        let options = socket2::SockRef::from(&socket);
        options.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(SILENT_MAX / 2))?;
        let settings = &shard.edge.config;
        let outbound = (settings.limits.outbound_bytes + settings.s2s.stanza_bytes) as usize;
        let conn = Rc::new(Conn::new(socket, shard.handshake_end(), shard.second(), traffic, outbound));
        let place = shard.enter(conn.clone());
        let machine = Component::new(Config {
            domain: component.domain.as_str().to_owned(),
            secret: component.secret.0.clone(),
            limits: Limits { stanza_bytes: bytes(settings.s2s.stanza_bytes), ..Limits::AUTHENTICATED },
        });
        let mut stream = Stream { shard: shard.clone(), conn, place, machine, todo: VecDeque::new(), nudged: false };
        stream.feed(Input::Connected);
        Ok(stream)
    }

    /// Waits for the next thing of note.
    async fn next(&mut self) -> Event {
        loop {
            while let Some(output) = self.todo.pop_front() {
                match output {
                    Output::Write(bytes) => self.conn.write(&bytes),
                    Output::Ready => return Event::Ready,
                    Output::Stanza(stanza) => return Event::Stanza(stanza),
                    Output::Closed(Some(failure)) => return Event::Closed(failure.to_string()),
                    Output::Closed(None) => return Event::Closed("the stream has ended".into()),
                }
            }
            if std::mem::take(&mut self.nudged) {
                return Event::Nudge;
            }
            self.machine.rest(&mut self.shard.pool.borrow_mut());
            match self.conn.wait().await {
                wake @ (Wake::Bytes | Wake::Nudge | Wake::Arrival(_)) => {
                    if let Err(error) = self.read() {
                        return Event::Closed(format!("the connection was lost ({error})"));
                    }
                    self.nudged |= matches!(wake, Wake::Nudge);
                }
                Wake::End(End::TimedOut) => return Event::Closed("the server does not answer".into()),
                Wake::End(end) => match stream_error(end) {
                    Some(error) => self.feed(Input::Close(Some(error))),
                    None => return Event::Closed("the connection was lost".into()),
                },
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let (shard, conn) = (self.shard.clone(), self.conn.clone());
        let read = shard.read(&conn, |bytes| {
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.feed(Input::Bytes(bytes));
            Ok(())
        })?;
        read.unwrap_or(Ok(()))
    }

    fn feed(&mut self, input: Input<'_>) {
        self.machine.wake(&mut self.shard.pool.borrow_mut());
        let mut out = Vec::new();
        self.machine.handle(input, &mut out);
        self.todo.extend(out);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shard.leave(self.place);
    }
}
