//! The room's archive as an island answers for it, XEP-0313: from the mirror, with what was said here since.
//!
//! What is provisional has the id it will keep and no place yet, so such a page is not stable. When the room is reached again,
//! whoever pages on from such an id is shown what was said elsewhere meanwhile (`docs/wire.md`, *Netjoin*). Nor is a page that may span
//! a hole of the mirror, which never says that an answer is complete: who pages on behind the hole is told by the room that there is no
//! more when it is reached again, and must know that the room may have more before it.

use super::Replica;
use super::keep::DAY_MS;
use super::mirror::Mirror;
use super::provisional::ISLAND_SEQ;
use super::site::Cx;
use crate::flaws::flaw;
use machine::archive::{Asked, Next, Reading, Stability, asked, of_room};
use machine::{ArchivePage, ArchiveQuery, By, Class, Now, Output, QueryId, Row};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// From where on a mirrored archive has no hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    /// Nothing that was said behind this event is missing.
    pub behind: u64,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
}

impl Whole {
    /// Whether everything is there behind the place that a query has named, when what is older than `kept_ms` may be gone.
    fn holds(self, behind: u64, kept_ms: i64) -> bool {
        let from_the_beginning = self.behind == 0 && self.since_ms >= kept_ms;
        from_the_beginning || (behind > 0 && behind >= self.behind)
    }

    /// Whether nothing is missing among rows that were read from the last one back to this, the first.
    fn spans(self, first: &Row) -> bool {
        first.seq >= self.behind
    }
}

impl Replica {
    /// A page of a mirrored archive.
    pub(super) fn rows(&mut self, id: QueryId, page: Option<ArchivePage>, now: Now, out: &mut Vec<Output>) {
        let Some((room, reading)) = self.site.readings.remove(&id) else { return };
        self.with(&room, now, out, |mirror, cx| mirror.answer_reading(reading, page, cx));
    }
}

impl Mirror {
    /// Somebody who is in asks for what was said while the primary is not reached.
    pub(super) fn read_here(&mut self, iq: &Element, query: &Element, from: &Jid, cx: &mut Cx<'_>) {
        let class = self.sessions.get(from).map_or(Class::Plain, |session| session.class);
        match asked((from, class), iq, query, self.archive(), |jid| of_room((from, class), &self.room, &jid)) {
            Ok(Asked::Filters(answer)) => cx.pass(from, answer),
            Ok(Asked::Page(..)) if cx.site.readings.len() >= READINGS_MAX => {
                let error = StanzaError::new(Condition::ResourceConstraint, "Too many queries at a time.");
                cx.pass(from, error.reply(iq));
            }
            // Who is behind a nick only the primary knows.
            Ok(Asked::Page(_, wanted)) if matches!(wanted.with, Some(By::Author { .. })) => self.refuse_here(iq, cx),
            Ok(Asked::Page(reading, wanted)) => {
                self.bury_what_is_owed(cx);
                // How much there is altogether only the primary knows.
                self.read_page(reading, ArchiveQuery { count: false, ..*wanted }, cx);
            }
            Err(condition) => cx.pass(from, StanzaError::from(condition).reply(iq)),
        }
    }

    fn read_page(&self, reading: Reading, query: ArchiveQuery, cx: &mut Cx<'_>) {
        let id = cx.site.next_query();
        cx.site.readings.insert(id, (self.room.clone(), reading));
        cx.out.push(Output::Query { id, query });
    }

    fn answer_reading(&self, reading: Reading, page: Option<ArchivePage>, cx: &mut Cx<'_>) {
        let Some(mut page) = page.filter(|page| !page.rows.iter().any(|row| self.unburied.has(row))) else {
            let error = StanzaError::from(Condition::InternalServerError);
            return cx.pass(&reading.asker, error.reply(&reading.iq));
        };
        if page.unknown_id {
            // The room may know it.
            return self.refuse_here(&reading.iq, cx);
        }
        let kept_ms = cx.now.unix_ms - i64::from(cx.site.config.mirror_days) * DAY_MS;
        let place = self.link.place.as_ref().map(|place| place.whole);
        let whole = place.is_some_and(|place| place.holds(page.behind, kept_ms));
        if !whole && reading.is_of_the_whole() {
            // Where the archive begins the room alone can say.
            return self.refuse_here(&reading.iq, cx);
        }
        page.complete &= whole;
        let provisional = page.rows.iter().any(|row| row.seq >= ISLAND_SEQ) && !flaw!(UnstableDenied);
        let first = page.rows.first().filter(|_| reading.is_backwards());
        let spans = whole || place.zip(first).is_some_and(|(place, first)| place.spans(first));
        let stability = if provisional || !spans { Stability::Unstable } else { Stability::Stable };
        let asker = reading.asker.clone();
        match reading.next(&self.room, self.archive(), page, stability) {
            Next::Answer(stanzas) => stanzas.into_iter().for_each(|stanza| cx.pass(&asker, stanza)),
            Next::Read(reading, query) => self.read_page(*reading, *query, cx),
        }
    }
}

/// Most queries of a site's mirrors under way at a time.
const READINGS_MAX: usize = 200;
