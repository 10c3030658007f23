//! `netjoin room`: what rooms there are, who is in them, what their archives come to and what was refused; never what is
//! said.

mod kept;

use clap::Subcommand;
use kept::{Archive, Refused};
use serde::Serialize;
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

HELD AS primary: this server leads the room. HELD AS replica: it holds a copy for its own users. Two servers that have
had people in the room all along show the same last message. What was said here while the primary was not reached, and
was not taken when it was again, is listed with the reason. Both need the server to run.")]
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
    /// One room: its archive here, its replicas and occupants, and what was refused after a split
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
    let config = config.load()?;
    let Answer::Room(detail) = ask::running(&config, &Request::RoomShow { room: room.bare() })? else {
        return Err(ask::unexpected());
    };
    let (archive, refused) = kept::of(&config.store_file(), &detail.room)?;
    let shown = Shown { detail, archive, refused };
    if as_json { output::json(&shown) } else { show_text(&shown) }
}

/// What the server knows, with what its store holds.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    detail: RoomDetail,
    archive: Archive,
    refused: Refused,
}

fn show_text(Shown { detail, archive, refused }: &Shown) -> Result<(), Failure> {
    output::table(HEADS, &[row(&detail.room)])?;
    if let Some(seq) = detail.seq {
        output::line(&format!("\nat event {seq}"))?;
    }
    output::line(&match &archive.last {
        Some(last) => {
            format!("\n{} messages, the last {} at {} as event {}", archive.messages, last.id, last.at, last.seq)
        }
        None => "\nno messages".to_owned(),
    })?;
    if !detail.replicas_list.is_empty() {
        let rows = detail.replicas_list.iter().map(|replica| [replica.jid.clone(), replica.state.as_str().into()]);
        output::line("")?;
        output::table(["REPLICA", "STATE"], &rows.collect::<Vec<_>>())?;
    }
    if !detail.occupants_list.is_empty() {
        show_occupants(detail)?;
    }
    if refused.messages > 0 {
        output::line(&format!("\nrefused when the room was reached again: {}", refused.messages))?;
        let rows =
            refused.latest.iter().map(|one| [one.said.clone(), one.nick.clone(), one.why.clone(), one.id.clone()]);
        output::table(["SAID", "NICK", "WHY", "ID"], &rows.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn show_occupants(detail: &RoomDetail) -> Result<(), Failure> {
    let rows = detail.occupants_list.iter().map(|occupant| {
        let jid = occupant.jid.clone().unwrap_or_else(|| "-".into());
        [occupant.nick.clone(), occupant.role.clone(), occupant.affiliation.clone(), jid]
    });
    output::line("")?;
    output::table(["NICK", "ROLE", "AFFILIATION", "ADDRESS"], &rows.collect::<Vec<_>>())
}
