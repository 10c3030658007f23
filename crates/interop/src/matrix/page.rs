//! `docs/clients.md`: what each client did in the last run that was written down.

use super::client::Client;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What clients do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Logs in over TLS.
    LogIn,
    /// Enters a room at another site.
    Enter,
    /// Talks.
    Talk,
    /// Takes another nick.
    Rename,
    /// Is kicked, and enters again.
    Kicked,
    /// Its site is cut off from the room.
    Island,
    /// Another site is.
    Netsplit,
    /// Its site is back.
    Netjoin,
    /// What it has shown in the end.
    Shown,
    /// Logs out.
    LogOut,
}

impl Act {
    /// All of them.
    pub const ALL: [Act; 10] = [
        Act::LogIn,
        Act::Enter,
        Act::Talk,
        Act::Rename,
        Act::Kicked,
        Act::Island,
        Act::Netsplit,
        Act::Netjoin,
        Act::Shown,
        Act::LogOut,
    ];

    fn name(self) -> &'static str {
        match self {
            Act::LogIn => "logs in over TLS",
            Act::Enter => "enters a room at another site",
            Act::Talk => "talks",
            Act::Rename => "takes another nick",
            Act::Kicked => "is kicked",
            Act::Island => "its site is cut off",
            Act::Netsplit => "another site is cut off",
            Act::Netjoin => "its site is back",
            Act::Shown => "has shown in the end",
            Act::LogOut => "logs out",
        }
    }
}

/// What one client did.
#[derive(Debug)]
pub struct Column {
    /// Which.
    pub client: Client,
    /// Its version, and that of what it runs in.
    pub version: String,
    /// By act, in words.
    pub cells: BTreeMap<Act, String>,
}

/// The page of a run of all clients.
pub fn write(columns: &[Column]) -> String {
    let mut page = HEAD.to_owned();
    for column in columns {
        let note = column.client.note().map_or(String::new(), |note| format!(" {note}"));
        let _ = write!(page, "\n## {}\n\nVersion {}.{note}\n", column.client.name(), column.version);
        page += "\n| act | what it did |\n|---|---|\n";
        for act in Act::ALL {
            let cell = column.cells.get(&act).map_or("", String::as_str).replace('|', "\\|");
            let _ = writeln!(page, "| {} | {cell} |", act.name());
        }
    }
    page
}

/// Whether a page has each act of each client, of some version.
pub fn check(page: &str) -> Result<()> {
    ensure!(page.starts_with(HEAD), "the page begins in another way");
    for client in Client::ALL {
        let name = client.name();
        let part = page.split(&format!("\n## {name}\n")).nth(1).with_context(|| format!("nothing of {name}"))?;
        let part = part.split("\n## ").next().unwrap_or_default();
        ensure!(part.contains("\nVersion ") && !part.contains("Version ."), "no version of {name}");
        for act in Act::ALL {
            let row = part.lines().find_map(|line| line.strip_prefix(&format!("| {} | ", act.name())));
            let cell = row.and_then(|row| row.strip_suffix(" |")).unwrap_or_default();
            ensure!(!cell.trim().is_empty(), "nothing of how {name} {}", act.name());
        }
    }
    let parts = page.matches("\n## ").count();
    ensure!(parts == Client::ALL.len(), "{parts} clients on the page, {} in the matrix", Client::ALL.len());
    Ok(())
}

/// Where it is.
pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/clients.md"))
}

const HEAD: &str = "\
# Clients

Clients as their authors or Debian ship them, in one room: its owner is at the room's own server, the others are at two other
sites, which each are cut off from it (`netjoin link cut`) and join it again. What is told here is what a client showed its user. In a
run all that each of them was shown is compared with the archive of the room, and who is in it with what the others see.
Written by `NETJOIN_CLIENTS=write .ci/run interop`.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let cells = || Act::ALL.map(|act| (act, "did it".to_owned())).into();
        Client::ALL.map(|client| Column { client, version: "1".into(), cells: cells() }).into()
    }

    #[test]
    fn what_is_written_is_taken() {
        check(&write(&columns())).expect("each act of each client");
    }

    #[test]
    fn a_page_without_a_client_or_an_act_or_a_version_is_not() {
        let mut less = columns();
        less.pop();
        assert!(check(&write(&less)).is_err());
        let mut less = columns();
        less[1].cells.remove(&Act::Kicked);
        assert!(check(&write(&less)).is_err());
        let mut less = columns();
        less[2].version.clear();
        assert!(check(&write(&less)).is_err());
        assert!(check(&(write(&columns()) + "\n## another\n")).is_err());
    }
}
