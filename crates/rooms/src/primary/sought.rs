//! What was relayed from an outbox of which it is not known how much the room has had; `docs/wire.md`, *Where the marks ride*.
//!
//! A site that has started again names older outboxes. One that the room does not know has never been heard of, or has been
//! forgotten over the bound of marks, and its site's disk is an old one. The archive tells the two apart: a message that it has under
//! the id of this number was said, and is not said again.

use super::marks::Up;
use crate::room::{Cx, Room, is_archived};
use machine::{ArchivePage, ArchiveQuery, Output, QueryId};
use xmpp::Element;

/// A message that is being looked for in the archive; the room waits for it, as for a decision.
#[derive(Debug)]
pub(crate) struct Sought {
    query: QueryId,
    /// The id it has there, if it is there.
    id: String,
    stanza: Element,
    up: Up,
}

impl Room {
    /// Whether the archive has to be asked before this counts.
    pub(super) fn may_have_been_said(&self, stanza: &Element, up: &Up) -> bool {
        up.doubted && self.config.logging && stanza.name() == "message" && is_archived(stanza)
    }

    /// Looks for it.
    pub(super) fn seek(&mut self, stanza: Element, up: Up, cx: &mut Cx<'_>) {
        let (query, id) = (self.next_query(), self.order.message_id(0, Some(&up)));
        let wanted =
            ArchiveQuery { archive: self.jid.to_string(), ids: vec![id.clone()], max: 1, ..ArchiveQuery::default() };
        self.sought = Some(Sought { query, id, stanza, up });
        cx.out.push(Output::Query { id: query, query: wanted });
    }

    /// It has been looked for; gives the page back when it was for something else.
    pub fn sought_rows(
        &mut self,
        query: QueryId,
        page: Option<ArchivePage>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Option<ArchivePage>> {
        let Some(Sought { id, stanza, up, .. }) = self.sought.take_if(|sought| sought.query == query) else {
            return Err(page);
        };
        match page {
            Some(page) if page.rows.iter().any(|row| row.id == id) => {
                cx.up = Some(up);
                cx.mark_kept = false;
                self.settle_mark(cx);
            }
            Some(_) => self.hand_on(stanza, up, cx),
            // It is asked for again when the replica says what it has sent.
            None => self.links.marks.take_back(&up),
        }
        self.go_on(cx);
        Ok(())
    }
}
