//! `netjoin room`: what rooms there are and who is in them, never what is said.

use clap::Subcommand;
use serde_json::json;
use xmpp::Jid;

use super::exit::Failure;
use super::{ConfigFile, ask, output};
use crate::control::{Answer, Request, Room, RoomDetail};

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  netjoin room list --config netjoin.toml
  netjoin room show wallops@channel.avalon.irc --config netjoin.toml

HELD AS primary: this server leads the room. HELD AS replica: it holds a copy for its own users. Both need the server
to run.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All rooms: led here or mirrored, occupants, replicas
    List {
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// One room: its replicas and occupants
    Show {
        /// The room's address
        room: String,
        #[command(flatten)]
        config: ConfigFile,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.what {
        What::List { config, json } => list(config, *json),
        What::Show { room, config, json } => show(room, config, *json),
    }
}

fn list(config: &ConfigFile, as_json: bool) -> Result<(), Failure> {
    let Answer::Rooms(rooms) = ask::running(&config.load()?, &Request::RoomList)? else {
        return Err(ask::unexpected());
    };
    if as_json {
        return output::json(&json!({ "rooms": rooms }));
    }
    output::table(HEADS, &rooms.iter().map(row).collect::<Vec<_>>())
}

const HEADS: [&str; 5] = ["ROOM", "HELD AS", "OCCUPANTS", "LOCAL", "REPLICAS"];

fn row(room: &Room) -> [String; 5] {
    [
        room.room.clone(),
        room.held_as.as_str().into(),
        room.occupants.to_string(),
        room.local_occupants.to_string(),
        room.replicas.to_string(),
    ]
}

fn show(room: &str, config: &ConfigFile, as_json: bool) -> Result<(), Failure> {
    let room = Jid::new(room).map_err(|error| Failure::usage(format!("{room:?} is no address: {error}")))?;
    let Answer::Room(detail) = ask::running(&config.load()?, &Request::RoomShow { room: room.bare() })? else {
        return Err(ask::unexpected());
    };
    if as_json { output::json(&detail) } else { show_text(&detail) }
}

fn show_text(detail: &RoomDetail) -> Result<(), Failure> {
    output::table(HEADS, &[row(&detail.room)])?;
    if let Some(seq) = detail.seq {
        output::line(&format!("\nat event {seq}"))?;
    }
    if !detail.replicas_list.is_empty() {
        let rows = detail.replicas_list.iter().map(|replica| [replica.jid.clone(), replica.state.as_str().into()]);
        output::line("")?;
        output::table(["REPLICA", "STATE"], &rows.collect::<Vec<_>>())?;
    }
    if detail.occupants_list.is_empty() {
        return Ok(());
    }
    let rows = detail.occupants_list.iter().map(|occupant| {
        let jid = occupant.jid.clone().unwrap_or_else(|| "-".into());
        [occupant.nick.clone(), occupant.role.clone(), occupant.affiliation.clone(), jid]
    });
    output::line("")?;
    output::table(["NICK", "ROLE", "AFFILIATION", "ADDRESS"], &rows.collect::<Vec<_>>())
}
