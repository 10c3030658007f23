//! Many clients in one thread: log in, enter, talk, and count what they are sent. As the server that has the program as a
//! component, all of them share one connection, which the program makes: its address is the first line then.
//!
//! Told what to do by lines on standard input ([`Order`]), each answered by one line: `ok DELIVERIES SECONDS`. Stanzas
//! are counted by their end tags and not parsed: the crowd must never be what is waited for.

use crate::Kind;
use crate::figures::{ROOM, id_prefix, message};
use crate::link::Link;
use crate::login::{DOMAIN, Login, address_of, nick};
use anyhow::{Context, Result, bail, ensure};
use memchr::memmem::Finder;
use mio::{Events, Interest, Poll, Token};
use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients that log in at a time: the server's handshakes have a time limit, and derive keys.
const LOGINS_MAX: usize = 32;

/// Longest wait without anything being received.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Silence after which nothing more is under way.
const QUIET: Duration = Duration::from_millis(500);

/// Bytes read from a socket at once.
const READ_BYTES: usize = 128 << 10;

/// How a crowd is started.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is there.
    kind: Kind,
    /// Its address; for a component where to wait for it.
    address: SocketAddr,
    /// How many clients.
    clients: usize,
    /// How many of them are in one room.
    room: usize,
}

/// What a crowd can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Connect and log in.
    LogIn,
    /// Enter the rooms, so many at a time.
    Enter {
        /// Joins under way at a time, in all rooms together.
        wave: usize,
    },
    /// The first client says something at a steady pace.
    Pace {
        /// How many messages.
        messages: usize,
        /// Milliseconds between two.
        every_ms: u64,
    },
    /// Some clients talk as fast as they get their own messages back.
    Queue {
        /// How many messages in all.
        messages: usize,
        /// How many clients talk.
        senders: usize,
        /// How many of its own messages each has under way.
        window: usize,
    },
}

impl Order {
    /// As a line.
    pub fn line(self) -> String {
        match self {
            Order::LogIn => "log-in".into(),
            Order::Enter { wave } => format!("enter {wave}"),
            Order::Pace { messages, every_ms } => format!("pace {messages} {every_ms}"),
            Order::Queue { messages, senders, window } => format!("queue {messages} {senders} {window}"),
        }
    }

    fn parse(line: &str) -> Result<Order> {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        Ok(match (kind, numbers.as_slice()) {
            ("log-in", []) => Order::LogIn,
            ("enter", &[wave]) => Order::Enter { wave: wave as usize },
            ("pace", &[messages, every_ms]) => Order::Pace { messages: messages as usize, every_ms },
            ("queue", &[messages, senders, window]) => {
                Order::Queue { messages: messages as usize, senders: senders as usize, window: window as usize }
            }
            _ => bail!("no such order: {line}"),
        })
    }
}

/// Carries out orders until standard input ends.
pub fn run(args: &Args) -> Result<()> {
    let mut crowd = Crowd::connect(args)?;
    for line in std::io::stdin().lock().lines() {
        let before = crowd.messages;
        let took = crowd.carry_out(Order::parse(&line?)?)?;
        println!("ok {} {}", crowd.messages - before, took.as_secs_f64());
    }
    Ok(())
}

struct Crowd {
    poll: Poll,
    kind: Kind,
    clients: usize,
    room: usize,
    /// A connection for each client, or one for all.
    members: Vec<Member>,
    ends: Ends,
    /// Messages received by all together, and presences of occupants.
    messages: usize,
    presences: usize,
    buffer: Vec<u8>,
}

struct Member {
    link: Link,
    login: Login,
    /// The end of what was read last, in which a tag may have begun.
    tail: Vec<u8>,
    /// Own messages that came back; counted for those who talk.
    echoes: Vec<Echo>,
}

/// Messages of one client that came back: to itself, or by the connection of all to everybody.
struct Echo {
    mark: Finder<'static>,
    /// Copies of each.
    copies: usize,
    came: usize,
    taken: usize,
}

impl Echo {
    /// Whether one more has come back whole.
    fn take(&mut self) -> bool {
        let came = self.came / self.copies > self.taken;
        self.taken += usize::from(came);
        came
    }
}

struct Ends {
    message: Finder<'static>,
    presence: Finder<'static>,
}

/// Bytes kept of what was read last; longer than any mark that is counted.
const TAIL_BYTES: usize = 31;

impl Crowd {
    /// All but the last few are logged in when this is done.
    fn connect(args: &Args) -> Result<Crowd> {
        let poll = Poll::new()?;
        let mut config = driver::tls::any_certificate();
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        let config = Arc::new(config);
        let tls = (args.kind == Kind::XmppTls).then_some((&config, DOMAIN));
        let mut crowd = Crowd {
            poll,
            kind: args.kind,
            clients: args.clients,
            room: args.room,
            members: Vec::new(),
            ends: Ends { message: Finder::new("</message>"), presence: Finder::new("</presence>") },
            messages: 0,
            presences: 0,
            buffer: vec![0; READ_BYTES],
        };
        if args.kind == Kind::Component {
            let listener = std::net::TcpListener::bind(args.address)?;
            println!("{}", listener.local_addr()?);
            crowd.add(0, Link::of(listener.accept()?.0)?)?;
            return Ok(crowd);
        }
        for number in 0..args.clients {
            crowd.add(number, Link::connect(args.address, tls)?)?;
            if (number + 1) % LOGINS_MAX == 0 {
                crowd.log_in()?;
            }
        }
        Ok(crowd)
    }

    fn add(&mut self, number: usize, mut link: Link) -> Result<()> {
        self.poll.registry().register(&mut link.socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let login = if self.kind == Kind::Component { Login::component() } else { Login::new(number) };
        if matches!(self.kind, Kind::Xmpp | Kind::XmppTls) {
            link.send(Login::header().as_bytes())?;
        }
        self.members.push(Member { link, login, tail: Vec::new(), echoes: Vec::new() });
        Ok(())
    }

    /// Sends a stanza of a client: by its own connection, or with its address by that of all.
    fn say(&mut self, client: usize, stanza: &[u8]) -> Result<()> {
        if self.kind != Kind::Component {
            return self.members[client].link.send(stanza);
        }
        let name = memchr::memchr(b' ', stanza).context("a stanza has attributes")?;
        let from = format!(" from='{}'", address_of(client));
        self.members[0].link.send(&[&stanza[..name], from.as_bytes(), &stanza[name..]].concat())
    }

    /// Gives how long it took.
    fn carry_out(&mut self, order: Order) -> Result<Duration> {
        match order {
            Order::LogIn => self.log_in(),
            Order::Enter { wave } => self.enter(wave),
            Order::Pace { messages, every_ms } => self.pace(messages, Duration::from_millis(every_ms)),
            Order::Queue { messages, senders, window } => self.queue(messages, senders, window),
        }
    }

    /// Until all who are connected have their sessions.
    fn log_in(&mut self) -> Result<Duration> {
        let start = Instant::now();
        if self.kind != Kind::Plain {
            self.until(|crowd| crowd.members.iter().all(|member| member.login.is_done()))?;
        }
        Ok(start.elapsed())
    }

    /// The first of each room makes it; the others follow, which is what is timed, until all have seen all.
    fn enter(&mut self, wave: usize) -> Result<Duration> {
        let (makers, others): (Vec<usize>, Vec<usize>) = (0..self.clients).partition(|n| n % self.room == 0);
        for &n in &makers {
            let room = self.room_of(n);
            let open = format!(
                "<iq type='set' to='{room}' id='open'><query xmlns='http://jabber.org/protocol/muc#owner'>\
                 <x xmlns='jabber:x:data' type='submit'/></query></iq>"
            );
            self.say(n, join(&room, n).as_bytes())?;
            self.say(n, open.as_bytes())?;
        }
        self.quiet()?;
        ensure!(self.presences == makers.len(), "{} of {} rooms were made", self.presences, makers.len());
        let start = Instant::now();
        let mut inside = vec![1; makers.len()];
        for wave in others.chunks(wave) {
            for &n in wave {
                let room = self.room_of(n);
                self.say(n, join(&room, n).as_bytes())?;
                inside[n / self.room] += 1;
            }
            let seen: usize = inside.iter().map(|n| n * n).sum();
            self.until(|crowd| crowd.presences >= seen)?;
        }
        let took = start.elapsed();
        self.quiet()?;
        Ok(took)
    }

    fn room_of(&self, member: usize) -> String {
        match member / self.room {
            0 => ROOM.into(),
            n => format!("{n}{ROOM}"),
        }
    }

    /// Every client is in the first room here.
    fn pace(&mut self, messages: usize, every: Duration) -> Result<Duration> {
        let all = self.messages + messages * self.clients;
        let start = Instant::now();
        for number in 0..messages {
            let due = start + every * number as u32;
            while Instant::now() < due {
                self.turn(due.saturating_duration_since(Instant::now()))?;
            }
            self.say(0, &message(ROOM, 0, number))?;
        }
        self.until(|crowd| crowd.messages >= all)?;
        self.is_over(start, all)
    }

    fn queue(&mut self, messages: usize, senders: usize, window: usize) -> Result<Duration> {
        let start = Instant::now();
        let all = self.messages + messages * self.clients;
        let mut sent = 0;
        for n in 0..senders {
            let (at, copies) = if self.kind == Kind::Component { (0, self.clients) } else { (n, 1) };
            let mark = Finder::new(&format!("id='{}", id_prefix(n))).into_owned();
            self.members[at].echoes.push(Echo { mark, copies, came: window * copies, taken: 0 });
        }
        while self.messages < all {
            for n in 0..senders {
                while sent < messages && self.take_echo(n) {
                    self.say(n, &message(ROOM, n, sent))?;
                    sent += 1;
                }
            }
            ensure!(self.turn(SILENCE_MAX)?, "nothing comes any more; {} messages are missing", all - self.messages);
        }
        self.members.iter_mut().for_each(|member| member.echoes.clear());
        self.is_over(start, all)
    }

    /// Whether a message of the client has come back that was not counted yet.
    fn take_echo(&mut self, client: usize) -> bool {
        let echo = match self.kind {
            Kind::Component => self.members[0].echoes.get_mut(client),
            Kind::Xmpp | Kind::XmppTls | Kind::Plain => self.members[client].echoes.first_mut(),
        };
        echo.is_some_and(Echo::take)
    }

    /// How long it took until everybody had been sent everything; an error when more comes than that.
    fn is_over(&mut self, start: Instant, all: usize) -> Result<Duration> {
        let took = start.elapsed();
        self.quiet()?;
        ensure!(self.messages == all, "{} messages more came than were to come", self.messages - all);
        Ok(took)
    }

    /// Serves sockets until something holds.
    fn until(&mut self, holds: impl Fn(&Crowd) -> bool) -> Result<()> {
        while !holds(self) {
            let came = self.turn(SILENCE_MAX)?;
            ensure!(came, "nothing comes any more: {} messages, {} presences", self.messages, self.presences);
        }
        Ok(())
    }

    fn quiet(&mut self) -> Result<()> {
        while self.turn(QUIET)? {}
        Ok(())
    }

    /// Serves the sockets that have something, or waits for one; false when none had in time.
    fn turn(&mut self, at_most: Duration) -> Result<bool> {
        let mut events = Events::with_capacity(1_024);
        self.poll.poll(&mut events, Some(at_most))?;
        for event in &events {
            self.serve(event.token().0)?;
        }
        Ok(!events.is_empty())
    }

    fn serve(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        let mut answer = Ok(None);
        let open = member.link.read(&mut self.buffer, |bytes| {
            if self.kind != Kind::Plain && !member.login.is_done() {
                answer = member.login.hear(bytes);
                return;
            }
            self.messages += count(&self.ends.message, &member.tail, bytes);
            self.presences += count(&self.ends.presence, &member.tail, bytes);
            for echo in &mut member.echoes {
                echo.came += count(&echo.mark, &member.tail, bytes);
            }
            keep_tail(&mut member.tail, bytes);
        });
        ensure!(open.with_context(|| format!("client {number}"))?, "client {number} was cut");
        // The server says nothing more before it has this answer, so there never is a second one.
        if let Some(answer) = answer? {
            member.link.send(answer.as_bytes())?;
        }
        member.link.flush()
    }
}

fn join(room: &str, n: usize) -> String {
    format!(
        "<presence to='{room}/{}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>\
         </presence>",
        nick(n)
    )
}

/// How often a mark ends in `bytes`, having begun there or in what came before.
fn count(mark: &Finder<'_>, tail: &[u8], bytes: &[u8]) -> usize {
    let reach = mark.needle().len() - 1;
    let mut seam = tail[tail.len().saturating_sub(reach)..].to_vec();
    seam.extend_from_slice(&bytes[..reach.min(bytes.len())]);
    mark.find_iter(&seam).count() + mark.find_iter(bytes).count()
}

fn keep_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() < TAIL_BYTES {
        tail.extend_from_slice(bytes);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
    } else {
        tail.clear();
        tail.extend_from_slice(&bytes[bytes.len() - TAIL_BYTES..]);
    }
}
