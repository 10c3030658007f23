//! What the store holds of a room: how far its archive goes, and what was refused after a split.

use crate::cli::exit::Failure;
use crate::control::{HeldAs, Room};
use machine::{ArchivePage, ArchiveQuery, Row};
use serde::Serialize;
use std::path::Path;
use xmpp::stanza::format_ms;
use xmpp::{Element, ns};

/// An archive, bodies left out.
#[derive(Debug, Serialize)]
pub(super) struct Archive {
    /// How many messages it holds.
    pub messages: u64,
    /// The last of them.
    pub last: Option<Last>,
}

/// The last message of an archive.
#[derive(Debug, Serialize)]
pub(super) struct Last {
    /// Its place in the room's one order.
    pub seq: u64,
    /// Its id, the same in every archive.
    pub id: String,
    /// When the room took it, as in XEP-0082.
    pub at: String,
}

/// What was said here while the primary was not reached, and not taken when it was again.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    /// How many messages.
    pub messages: u64,
    /// The latest of them.
    pub latest: Vec<RefusedMessage>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct RefusedMessage {
    /// When it was said, as in XEP-0082.
    pub said: String,
    /// By whom.
    pub nick: String,
    /// The condition of the error that its author was sent, and its text.
    pub why: String,
    /// The id under which it was shown here.
    pub id: String,
}

/// Reads both.
pub(super) fn of(store: &Path, room: &Room) -> Result<(Archive, Refused), Failure> {
    let archive = match room.held_as {
        HeldAs::Primary => room.room.clone(),
        HeldAs::Replica => format!("mirror:{}", room.room),
    };
    let page = |archive: String, max| -> Result<ArchivePage, Failure> {
        Ok(::store::look(
            store,
            &ArchiveQuery { archive, backwards: true, max, count: true, ..ArchiveQuery::default() },
        )?)
    };
    let kept = page(archive, 1)?;
    let last = kept.rows.into_iter().last().map(|row| Last { seq: row.seq, id: row.id, at: format_ms(row.stamp_ms) });
    let refused = page(format!("refused:{}", room.room), REFUSED_SHOWN)?;
    let latest = refused.rows.iter().map(refused_message).collect();
    let archive = Archive { messages: kept.count.unwrap_or(0), last };
    Ok((archive, Refused { messages: refused.count.unwrap_or(0), latest }))
}

fn refused_message(row: &Row) -> RefusedMessage {
    let nick = row.with.split_once('/').map_or("", |(_, nick)| nick);
    let stanza = Element::parse(&row.stanza).ok();
    let error = stanza.as_ref().and_then(|stanza| stanza.get_child("error", ns::CLIENT));
    let (said, id) = (format_ms(row.stamp_ms), row.id.clone());
    RefusedMessage { said, nick: nick.to_owned(), why: error.map(reason).unwrap_or_default(), id }
}

/// RFC 6120 8.3: the condition, and the text where there is one.
fn reason(error: &Element) -> String {
    let of_stanza = || error.children().filter(|child| child.ns() == ns::STANZA_ERRORS);
    let condition = of_stanza().find(|child| child.name() != "text").map_or("", Element::name);
    match of_stanza().find(|child| child.name() == "text").map(Element::content) {
        Some(text) => format!("{condition}: {text}"),
        None => condition.to_owned(),
    }
}

/// How many refused messages are listed; who wants more reads the archive.
const REFUSED_SHOWN: usize = 50;
