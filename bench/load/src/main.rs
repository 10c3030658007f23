//! The built program under a crowd of clients, beside a program that does one plain write for each receiver.
//!
//! `cargo build --release && cargo run --release -p bench-load -- deliveries` and the like; `bench/RESULTS.md` has the
//! figures and the commands. Three processes: the server, the crowd, and this one, which reads from /proc what the
//! server has used. Processor time is compared, never the clock: others may use the machine.
//!
//! - [`crowd`]: many clients in one thread, told by lines on its standard input what to do
//! - [`login`]: a client's way to its session
//! - [`link`]: one socket of the crowd, plain or TLS
//! - [`plain`]: the program that only writes
//! - [`process`]: what a process has used
//! - [`scenario`]: the figures
//! - [`resync`]: many rooms that come back over one link

mod crowd;
mod figures;
mod link;
mod login;
mod plain;
mod process;
mod resync;
mod scenario;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Figures of the running program.
#[derive(Debug, Parser)]
struct Cli {
    /// The program to measure.
    #[arg(long, default_value = "target/release/netjoin", global = true)]
    program: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Processor time per delivery, beside the plain writes.
    Deliveries {
        /// Occupants of the room; may be given several times.
        #[arg(long, default_values_t = [1_000])]
        occupants: Vec<usize>,
        /// Over TLS.
        #[arg(long)]
        tls: bool,
        /// How often each of the two is measured, in turn.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Processor time per delivery to users of another server, which has the program as a component, beside that to its own.
    Attached {
        /// Occupants of the room; may be given several times.
        #[arg(long, default_values_t = [10, 100, 1_000])]
        occupants: Vec<usize>,
        /// How often each of the two is measured, in turn.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Resident memory per idle connection with its occupant.
    Memory {
        /// Connections.
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
        /// Occupants of one room.
        #[arg(long, default_value_t = 100)]
        room: usize,
        /// Over TLS.
        #[arg(long)]
        tls: bool,
    },
    /// How long it takes until a crowd that enters at once sees all of itself.
    Entering {
        /// Occupants of the room.
        #[arg(long, default_value_t = 1_000)]
        occupants: usize,
    },
    /// How long a message takes while many rooms of its link come back together.
    Resync {
        /// Rooms.
        #[arg(long, default_value_t = 1_000)]
        rooms: usize,
        /// Messages that were said in each while the link was cut.
        #[arg(long, default_value_t = 5)]
        missed: usize,
    },
    /// The crowd itself; started by the others.
    #[command(hide = true)]
    Crowd(crowd::Args),
    /// The program that only writes; started by the others.
    #[command(hide = true)]
    Plain {
        /// How many receivers to wait for.
        receivers: usize,
    },
}

/// What a crowd deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The program, in clear text.
    Xmpp,
    /// The program over direct TLS.
    XmppTls,
    /// The program as a component of the server that the crowd plays.
    Component,
    /// The program that only writes.
    Plain,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Command::Crowd(args) => return crowd::run(&args),
        Command::Plain { receivers } => return plain::run(receivers),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Deliveries { occupants, tls, rounds } => {
                scenario::deliveries(&cli.program, &occupants, tls, rounds).await
            }
            Command::Attached { occupants, rounds } => scenario::attached(&cli.program, &occupants, rounds).await,
            Command::Memory { connections, room, tls } => scenario::memory(&cli.program, connections, room, tls).await,
            Command::Entering { occupants } => scenario::entering(&cli.program, occupants).await,
            Command::Resync { rooms, missed } => resync::resync(&cli.program, rooms, missed).await,
            Command::Crowd(_) | Command::Plain { .. } => Ok(()),
        }
    })
}
