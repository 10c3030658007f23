//! The figures: the program and the one that only writes, each with a crowd, measured in turn.

use crate::Kind;
use crate::crowd::Order;
use crate::figures::{MESSAGE_BYTES, median};
use crate::login::DOMAIN;
use crate::process::{Cpu, resident};
use anyhow::{Context, Result, bail};
use driver::Site;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Deliveries of one round, about; enough for the clock of the scheduler.
const DELIVERIES_PER_ROUND: usize = 100_000;

/// Messages of one round at the most and at the least.
const MESSAGES_MAX: usize = 200;
const MESSAGES_MIN: usize = 20;

/// Joins under way at a time where entering is not what is measured.
const WAVE: usize = 200;

/// How long a server is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);

/// Processor time per delivery, with messages at a pace and with messages that queue up.
pub async fn deliveries(program: &Path, occupants: &[usize], tls: bool, rounds: usize) -> Result<()> {
    println!("processor time per delivery of a message of {MESSAGE_BYTES} bytes, median of {rounds} rounds:\n");
    println!("| occupants | messages | plain write, us | netjoin, us | ratio | least to most |");
    println!("|---:|---|---:|---:|---:|---|");
    for &count in occupants {
        let mut server = Server::start(program, tls).await?;
        let mut entered = server.crowd(count, count).await?;
        entered.tell(Order::Enter { wave: WAVE }).await?;
        let mut plain = Plain::start(count).await?;
        for (order, name) in talks(count) {
            let mut figures = Vec::new();
            for _ in 0..rounds {
                let plain = plain.crowd.cost(plain.pid, order).await?;
                figures.push((plain, entered.cost(server.pid, order).await?));
            }
            print_row(count, name, &figures);
        }
        entered.end().await?;
        plain.end().await?;
        server.site.stop().await?;
    }
    Ok(())
}

/// How people talk in a room of so many.
fn talks(occupants: usize) -> [(Order, &'static str); 2] {
    let messages = (DELIVERIES_PER_ROUND / occupants).clamp(MESSAGES_MIN, MESSAGES_MAX);
    let pace = Order::Pace { messages, every_ms: 100 };
    let queue = Order::Queue { messages: 4 * messages, senders: 4, window: 2 };
    [(pace, "one every 100 ms"), (queue, "4 senders, window 2")]
}

/// The same to as many users of another server. The crowd, which plays that one, counts what it is sent: one stanza for each.
pub async fn attached(program: &Path, occupants: &[usize], rounds: usize) -> Result<()> {
    println!("processor time per delivery of a message of {MESSAGE_BYTES} bytes, median of {rounds} rounds:\n");
    println!("| occupants | messages | own clients, us | as a component, us | ratio | least to most |");
    println!("|---:|---|---:|---:|---:|---|");
    for &count in occupants {
        let mut own = Server::start(program, false).await?;
        let mut clients = own.crowd(count, count).await?;
        let (mut component, mut users) = Server::start_attached(program, count).await?;
        for crowd in [&mut clients, &mut users] {
            crowd.tell(Order::Enter { wave: WAVE }).await?;
        }
        for (order, name) in talks(count) {
            let mut figures = Vec::new();
            for _ in 0..rounds {
                let own = clients.cost(own.pid, order).await?;
                figures.push((own, users.cost(component.pid, order).await?));
            }
            print_row(count, name, &figures);
        }
        clients.end().await?;
        own.site.stop().await?;
        component.site.stop().await?;
        users.end().await?;
    }
    Ok(())
}

fn print_row(count: usize, name: &str, figures: &[(f64, f64)]) {
    let mut ratios: Vec<f64> = figures.iter().map(|(plain, ours)| ours / plain).collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "| {count} | {name} | {:.2} | {:.2} | {:.2} | {:.2} to {:.2} |",
        median(figures.iter().map(|f| f.0).collect()),
        median(figures.iter().map(|f| f.1).collect()),
        median(ratios.clone()),
        ratios.first().unwrap_or(&f64::NAN),
        ratios.last().unwrap_or(&f64::NAN),
    );
}

/// Resident memory per idle connection.
pub async fn memory(program: &Path, connections: usize, room: usize, tls: bool) -> Result<()> {
    let mut server = Server::start(program, tls).await?;
    let empty = resident(server.pid)?;
    let mut crowd = server.crowd(connections, room).await?;
    tokio::time::sleep(REST).await;
    let connected = resident(server.pid)?;
    crowd.tell(Order::Enter { wave: WAVE }).await?;
    tokio::time::sleep(REST).await;
    let entered = resident(server.pid)?;
    let per = |bytes: u64| (bytes.saturating_sub(empty)) as f64 / 1000.0 / connections as f64;
    println!("resident memory with {connections} connections{}:\n", if tls { " over TLS" } else { "" });
    println!("| state | resident, MB | per connection, kB |\n|---|---:|---:|");
    println!("| nobody is connected | {:.1} | |", empty as f64 / 1e6);
    println!("| all are logged in | {:.1} | {:.2} |", connected as f64 / 1e6, per(connected));
    println!("| all are in rooms of {room} | {:.1} | {:.2} |", entered as f64 / 1e6, per(entered));
    crowd.end().await?;
    server.site.stop().await?;
    Ok(())
}

/// How long a crowd takes to enter.
pub async fn entering(program: &Path, occupants: usize) -> Result<()> {
    let mut server = Server::start(program, false).await?;
    let mut crowd = server.crowd(occupants, occupants).await?;
    let before = Cpu::of(server.pid)?;
    let (_, seconds) = crowd.tell(Order::Enter { wave: occupants }).await?;
    let after = Cpu::of(server.pid)?;
    println!(
        "{occupants} occupants entered one room and saw each other, {} presences, in {seconds:.1} s; processor time \
         of the server {:.1} s, longest wait of one of its threads for a processor {:.1} s",
        occupants * occupants,
        after.since(&before).as_secs_f64(),
        after.waited_since(&before).as_secs_f64()
    );
    crowd.end().await?;
    server.site.stop().await?;
    Ok(())
}

/// The program in a folder of its own.
struct Server {
    site: Site,
    pid: u32,
    kind: Kind,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(program: &Path, tls: bool) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let mut site = Site::new(program, folder.path(), &configuration())?;
        site.start().await?;
        let pid = site.pid().context("the server runs")?;
        Ok(Server { site, pid, kind: if tls { Kind::XmppTls } else { Kind::Xmpp }, _folder: folder })
    }

    /// As a component of the server that the crowd plays, which has so many users.
    async fn start_attached(program: &Path, users: usize) -> Result<(Server, Crowd)> {
        let mut crowd = Crowd::start(Kind::Component, "127.0.0.1:0".parse()?, users, users)?;
        let address = crowd.answers.next_line().await?.context("the crowd says where it waits")?;
        let folder = tempfile::tempdir()?;
        let mut site = Site::new(program, folder.path(), &configuration_of_component(&address))?;
        site.start().await?;
        let pid = site.pid().context("the server runs")?;
        crowd.tell(Order::LogIn).await?;
        Ok((Server { site, pid, kind: Kind::Component, _folder: folder }, crowd))
    }

    /// So many clients, logged in.
    async fn crowd(&mut self, clients: usize, room: usize) -> Result<Crowd> {
        let address = self.site.address(if self.kind == Kind::Xmpp { "c2s" } else { "c2s-tls" })?;
        let mut crowd = Crowd::start(self.kind, address, clients, room)?;
        crowd.tell(Order::LogIn).await?;
        Ok(crowd)
    }
}

/// What is not the default: addresses, accounts by the thousand from one address, and talking without end. The store,
/// its durability and the buffers are as everywhere.
fn configuration() -> String {
    format!(
        "domain = \"{DOMAIN}\"\n\
         [c2s]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\ntls = \"off\"\n\
         registration = true\nregistrations_per_day = 10000\nkeepalive_seconds = 86400\n\
         {ROOMS_ALONE}"
    )
}

/// The rooms alone, for users of another server.
fn configuration_of_component(address: &str) -> String {
    format!(
        "{ROOMS_ALONE}[[component]]\ndomain = \"chat.shakespeare.lit\"\nconnect = \"{address}\"\nsecret = \"toil\"\n"
    )
}

/// What both have.
const ROOMS_ALONE: &str = "[s2s]\nlisten = []\n[http]\nlisten = [\"127.0.0.1:0\"]\n[rooms]\ndomain = \"chat.shakespeare.lit\"\n\
     [limits]\nmessages_per_second = 1000000\nmessages_burst = 1000000\n[log]\nlevel = \"warn\"\n";

/// The program that only writes, with its crowd.
struct Plain {
    child: Child,
    pid: u32,
    crowd: Crowd,
}

impl Plain {
    async fn start(receivers: usize) -> Result<Plain> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["plain", &receivers.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let address = lines.next_line().await?.context("it ended")?.parse()?;
        let mut crowd = Crowd::start(Kind::Plain, address, receivers, receivers)?;
        crowd.tell(Order::LogIn).await?;
        let pid = child.id().context("it runs")?;
        Ok(Plain { child, pid, crowd })
    }

    async fn end(mut self) -> Result<()> {
        self.crowd.end().await?;
        self.child.wait().await?;
        Ok(())
    }
}

/// The crowd in a process of its own.
struct Crowd {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Crowd {
    fn start(kind: Kind, address: SocketAddr, clients: usize, room: usize) -> Result<Crowd> {
        let kind = clap::ValueEnum::to_possible_value(&kind).context("a kind has a name")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["crowd", kind.get_name(), &address.to_string(), &clients.to_string(), &room.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("stdin is piped")?;
        let answers = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        Ok(Crowd { child, orders, answers })
    }

    /// Gives deliveries and seconds.
    async fn tell(&mut self, order: Order) -> Result<(usize, f64)> {
        self.orders.write_all(format!("{}\n", order.line()).as_bytes()).await?;
        let Some(line) = self.answers.next_line().await? else { bail!("the crowd has ended; see above") };
        let mut words = line.split_whitespace().skip(1);
        let mut word = || words.next().context("two figures");
        Ok((word()?.parse()?, word()?.parse()?))
    }

    /// Microseconds of processor time that `server` uses for each delivery while the crowd carries out an order.
    async fn cost(&mut self, server: u32, order: Order) -> Result<f64> {
        let before = Cpu::of(server)?;
        let (deliveries, _) = self.tell(order).await?;
        let used = Cpu::of(server)?.since(&before);
        Ok(used.as_secs_f64() * 1e6 / deliveries as f64)
    }

    async fn end(mut self) -> Result<()> {
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }
}
