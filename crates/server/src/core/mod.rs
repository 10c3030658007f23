//! The core: one thread that owns every machine of the process, and carries out what they say.
//!
//! - [`router`]: where a stanza goes
//! - `machines`: the machines, and what the router reads of them
//! - `carry`: effects become orders to shards, batches for the store, inputs of other machines
//! - `ask`: what shards and operators ask
//! - `show`: what operators are shown of links and rooms
//!
//! All that happens comes in by one bounded channel, in the order in which it happened on each stream, and is dealt
//! with to the end before the next; only the store's answers have a way of their own, bounded by what it was asked.

mod ask;
mod carry;
mod machines;
pub mod router;
mod show;

pub use machines::Machines;

use crate::control::{Request, Response};
use crate::edge::Edge;
use crate::edge::s2s::Item;
use crate::edge::slab::Place;
use machine::{Input, Now, Output};
use machines::Who;
use router::Origin;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};
use store::{Completion, Store};
use tokio::sync::{mpsc, oneshot};
use xmpp::sasl::Credentials;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// Most inputs that wait for the core; a shard that finds it full stops reading from the socket at hand.
pub const INBOX_MAX: usize = 4_096;

/// Inputs taken between two looks at the clock and at the store's answers.
const BATCH_MAX: usize = 64;

/// How often the rooms are counted for `/metrics`, at the most; it takes a walk over all of them.
const COUNT_EVERY_MS: u64 = 5_000;

/// Where a client's stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The shard.
    pub shard: u16,
    /// The place on it.
    pub place: Place,
}

/// What the core is told and asked.
#[derive(Debug)]
pub enum ToCore {
    /// A stanza of a client; `from` is its full address.
    FromClient(Element),
    /// A stanza of another server, whose addresses were checked.
    FromServer(Element),
    /// A stanza that came as to a component; its addresses are whatever the server behind it says.
    FromComponent(Element),
    /// The stream of a component has ended.
    ComponentEnded(usize),
    /// An answer of the edge itself to another server, in the name of a domain of ours.
    Reply(Element),
    /// What is kept for a user.
    Credentials {
        /// The bare address.
        user: Jid,
        /// `None` when there is no such account.
        reply: oneshot::Sender<Option<Credentials>>,
    },
    /// A new account, by its owner.
    Register {
        /// The bare address.
        user: Jid,
        /// Its keys.
        credentials: Box<Credentials>,
        /// Answered when it is durable.
        reply: oneshot::Sender<Result<(), StanzaError>>,
    },
    /// A client binds a resource.
    Bind {
        /// The full address wished for.
        user: Jid,
        /// Where its stream is.
        at: At,
        /// The full address that is bound.
        reply: oneshot::Sender<Result<Jid, Condition>>,
    },
    /// A client's stream has ended.
    SessionEnded {
        /// Its full address.
        jid: Jid,
        /// Where it was.
        at: At,
        /// What it was sent and has not acknowledged (XEP-0198 4), but for presence.
        undelivered: Vec<Element>,
    },
    /// A client's stream has broken, and its session waits for it; or it is back.
    SessionAsleep {
        /// Its full address.
        jid: Jid,
        /// Where it is.
        at: At,
        /// Whether it waits.
        asleep: bool,
    },
    /// A stream to or from this domain has ended, or could not be made.
    StreamEnded(String),
    /// Stanzas that did not get out, and why.
    Undelivered(Vec<Item>, StanzaError),
    /// An operator asks; with the keys where it is about a password.
    Ask(Request, Option<Box<Credentials>>, oneshot::Sender<Response>),
    /// The streams are about to end: direct occupants are told that the service shuts down.
    Shutdown,
    /// The process ends: no more inputs follow.
    Stop,
}

/// The core, on its own thread.
pub struct Core {
    edge: Arc<Edge>,
    store: Arc<Store>,
    machines: Machines,
    /// Clients by full address.
    sessions: HashMap<Jid, At>,
    /// Those of them that wait for their client, by account, the longest first.
    asleep: BTreeMap<String, Vec<Jid>>,
    /// Members of audiences that are not on a shard.
    remote_members: carry::RemoteMembers,
    /// Accounts being made durable, by token.
    registering: ask::Waiting,
    work: VecDeque<(Origin, Output)>,
    start: Instant,
    /// When the figures of rooms were last counted.
    counted_ms: u64,
}

impl Core {
    /// With these machines, as they were restored from the store.
    pub fn new(edge: Arc<Edge>, store: Arc<Store>, machines: Machines) -> Core {
        Core {
            edge,
            store,
            machines,
            sessions: HashMap::new(),
            asleep: BTreeMap::new(),
            remote_members: HashMap::new(),
            registering: ask::Waiting::default(),
            work: VecDeque::new(),
            start: Instant::now(),
            counted_ms: 0,
        }
    }

    /// Works until told to stop.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<ToCore>, mut done: mpsc::UnboundedReceiver<Completion>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            self.fire_timeouts().await;
            tokio::select! {
                biased;
                Some(completion) = done.recv() => self.completed(completion).await,
                n = inbox.recv_many(&mut batch, BATCH_MAX) => {
                    if n == 0 {
                        return;
                    }
                    for told in batch.drain(..) {
                        if matches!(told, ToCore::Stop) {
                            return;
                        }
                        self.told(told).await;
                    }
                }
                () = self.timeout() => {}
            }
        }
    }

    async fn told(&mut self, told: ToCore) {
        match told {
            ToCore::FromClient(stanza) => self.from_client(stanza).await,
            ToCore::FromServer(stanza) => self.from_server(stanza).await,
            ToCore::FromComponent(stanza) => self.from_component(stanza).await,
            ToCore::ComponentEnded(index) => {
                self.component_ended(index);
                self.note_attached();
            }
            ToCore::Reply(stanza) => self.reply(stanza),
            ToCore::Credentials { user, reply } => _ = reply.send(self.credentials(&user)),
            ToCore::Register { user, credentials, reply } => self.register(&user, *credentials, reply),
            ToCore::Bind { user, at, reply } => self.bind(&user, at, reply).await,
            ToCore::SessionEnded { jid, at, undelivered } => {
                self.session_ended(jid, at);
                self.give_back(undelivered);
            }
            ToCore::SessionAsleep { jid, at, asleep } => self.session_asleep(jid, at, asleep),
            ToCore::StreamEnded(domain) => self.stream_ended(&domain),
            ToCore::Undelivered(items, error) => self.undelivered(items, &error),
            ToCore::Ask(request, credentials, reply) => self.ask(request, credentials, reply).await,
            ToCore::Shutdown => self.shut_down(),
            ToCore::Stop => {}
        }
        self.settle().await;
    }

    async fn completed(&mut self, completion: Completion) {
        let (machine, input) = match completion {
            Completion::Done { machine, token, ok: true } => (machine, Input::Persisted(token)),
            Completion::Done { machine, token, ok: false } => (machine, Input::PersistFailed(token)),
            Completion::Rows { machine, id, page } => (machine, Input::Rows(id, page)),
        };
        let Some(who) = Who::from_number(machine) else { return };
        self.answer_registered(who, &input);
        self.feed(who, input);
        self.settle().await;
    }

    async fn fire_timeouts(&mut self) {
        let now = self.now();
        for who in Who::ALL {
            if self.machines.next_timeout(who).is_some_and(|due| due <= now.mono_ms) {
                self.feed(who, Input::Timeout);
            }
        }
        self.settle().await;
        if now.mono_ms >= self.counted_ms + COUNT_EVERY_MS {
            self.counted_ms = now.mono_ms;
            let rooms = self.machines.primary.as_ref().map_or(0, |(_, primary)| primary.rooms().len());
            self.edge.counters.rooms.store(rooms as u64, Relaxed);
            let mirrors = self.machines.replica.as_ref().map_or(0, |(_, replica)| replica.links(now).len());
            self.edge.counters.mirrors.store(mirrors as u64, Relaxed);
        }
    }

    /// Whether the replica has its users, as `/health` shows it.
    fn note_attached(&self) {
        let attached = self.machines.replica.as_ref().and_then(|(_, replica)| replica.attached());
        self.edge.attached.store(attached == Some(true), Relaxed);
    }

    /// Waits for the first timeout that a machine wants.
    async fn timeout(&self) {
        match Who::ALL.into_iter().filter_map(|who| self.machines.next_timeout(who)).min() {
            Some(due) => tokio::time::sleep_until((self.start + Duration::from_millis(due)).into()).await,
            None => std::future::pending().await,
        }
    }

    /// XEP-0045 11.2: status 332 to those who are in rooms.
    fn shut_down(&mut self) {
        let now = self.now();
        let mut out = Vec::new();
        if let Some((_, primary)) = &mut self.machines.primary {
            primary.shutdown(now, &mut out);
        }
        self.want(Who::Primary, out);
    }

    /// Lets a machine take an input; what it wants done waits in `work`.
    fn feed(&mut self, who: Who, input: Input) {
        let now = self.now();
        let mut out = Vec::new();
        self.machines.handle(who, input, now, &mut out);
        self.want(who, out);
    }

    /// Puts what a machine wants done behind what is to be done already.
    fn want(&mut self, who: Who, out: Vec<Output>) {
        self.work.extend(out.into_iter().map(|output| (who.origin(), output)));
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: self.start.elapsed().as_millis() as u64, unix_ms: unix.as_millis() as i64 }
    }
}
