//! What an operator finds of messages that are not in a room though people here have seen them: refused by the room, without an
//! outcome because of a gap, or lost by the room. They are kept as long as the mirror.
//!
//! | archive | |
//! |---|---|
//! | `refused:` and the room | said on an island; with the error, where one came |
//! | `lost:` and the room | of the room's own order, before it came back from an older state |

use super::history::archive_of;
use super::mirror::Mirror;
use super::provisional::ISLAND_SEQ;
use super::site::Cx;
use crate::flaws::flaw;
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

impl Mirror {
    /// A room whose server has begun behind this event, though another start has said something behind it, has come back from an older
    /// state. What it has lost is kept apart here, under other places, since it gives those anew; and people are told: whether they are.
    pub(super) fn take_back_behind(&mut self, seq: u64, cx: &mut Cx<'_>) -> bool {
        // Of a mirror that has begun anew nobody knows here what is on disk.
        let is_known = self.link.place.is_some();
        if is_known && self.past.last_seq() <= seq || flaw!(SetBackUnnoticed) {
            return false;
        }
        self.past.set_back(seq, self.entries);
        if let Some(place) = &mut self.link.place {
            place.whole.behind = place.whole.behind.min(seq);
        }
        let lost = self.lost_aside(seq, cx);
        cx.keep(vec![lost]);
        if is_known {
            cx.log(format!("link {}: the room has been set back to {seq}", self.room));
            self.announce(SET_BACK, cx);
        }
        is_known
    }

    /// Puts what the room has lost aside: all behind this place that has one, kept apart from what was lost before.
    pub(super) fn lost_aside(&mut self, behind: u64, cx: &Cx<'_>) -> Change {
        let shift = self.provisional.next_seq(cx.now.unix_ms);
        let to = lost_archive(&self.room);
        Change::MoveRows { archive: self.archive(), above: behind, below: ISLAND_SEQ, to, shift }
    }
}

/// A row has its place by the room's word, and behind `above` there is nothing else of the room's up to it: what a mirror has there is
/// lost.
pub(super) fn settled(room: &Jid, row: Row, above: u64) -> Change {
    Change::Settle { row, above, aside: lost_archive(room) }
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
/// What people are told when a room has come back from an older state.
const SET_BACK: &str = "The server of this room has been set back to an earlier state. What was said since is not in the room any \
                        more; the operator of this server can find it.";
