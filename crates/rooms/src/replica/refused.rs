//! What an operator finds of messages that are not in a room though people here have seen them: refused by the room, without an
//! outcome because of a gap, or lost by the room. They are kept as long as the mirror.
//!
//! | archive | |
//! |---|---|
//! | `refused:` and the room | said on an island; with the error, where one came |
//! | `lost:` and the room | of the room's own order, before it came back from an older state |

use super::history::archive_of;
use super::provisional::ISLAND_SEQ;
use crate::room::Past;
use machine::{Change, Row};
use xmpp::{Element, Jid};

/// A message that was refused, with the reason.
pub(super) fn refused_row(room: &Jid, past: &Past, why: Option<Element>) -> Change {
    let said = past.stanza.element().clone();
    Change::Append(Row {
        archive: refused_archive(room),
        seq: past.seq,
        id: past.id.clone(),
        stamp_ms: past.stamp_ms,
        with: said.get("from").unwrap_or_default().to_owned(),
        stanza: said.with(why).to_xml(),
        author: None,
        born: None,
    })
}

/// Puts what has a provisional place in the mirror aside.
pub(super) fn orphans_aside(room: &Jid) -> Change {
    let (archive, to) = (archive_of(room), refused_archive(room));
    Change::MoveRows { archive, above: ISLAND_SEQ - 1, below: 2 * ISLAND_SEQ, to, shift: 0 }
}

/// Puts what the room has lost aside: all behind this place that has one. `shift` keeps it apart from what was lost before.
pub(super) fn lost_aside(room: &Jid, behind: u64, shift: u64) -> Change {
    Change::MoveRows { archive: archive_of(room), above: behind, below: ISLAND_SEQ, to: lost_archive(room), shift }
}

/// Removes what is older.
pub(super) fn trimmed(room: &Jid, before_ms: i64) -> [Change; 2] {
    [refused_archive(room), lost_archive(room)].map(|archive| Change::TrimArchive { archive, before_ms })
}

/// The room of an archive of these.
pub(super) fn room_of(archive: &str) -> Option<Jid> {
    let room = archive.strip_prefix(REFUSED).or_else(|| archive.strip_prefix(LOST))?;
    Jid::new(room).ok()
}

fn refused_archive(room: &Jid) -> String {
    format!("{REFUSED}{room}")
}

fn lost_archive(room: &Jid) -> String {
    format!("{LOST}{room}")
}

const REFUSED: &str = "refused:";
const LOST: &str = "lost:";
