//! Where the service and its rooms call into the links.

use crate::room::{Cx, Room, Via};
use crate::service::Primary;
use machine::{ArchivePage, Now, Output, QueryId};
use xmpp::stanza::StanzaError;
use xmpp::{Element, Jid};

impl Room {
    /// Everything sent to the room's address or an occupant's comes here first: registrations and marks are the links',
    /// what users say goes on to [`Room::handle_stanza`].
    pub fn receive(&mut self, stanza: Element, cx: &mut Cx<'_>) {
        self.handle_stanza(stanza, cx);
    }

    /// How an admitted user is served from now on.
    pub fn via_for(&mut self, user: &Jid, cx: &mut Cx<'_>) -> Via {
        let _ = (user, cx);
        Via::Direct
    }

    /// Somebody was not admitted.
    pub fn turned_away(&mut self, user: &Jid, error: &StanzaError, cx: &mut Cx<'_>) {
        let _ = (user, error, cx);
    }

    /// The answer to a query of the links'.
    pub fn link_rows(&mut self, id: QueryId, page: Option<ArchivePage>, cx: &mut Cx<'_>) {
        let _ = (id, page, cx);
    }

    /// When [`Room::link_timeout`] is wanted, monotonic milliseconds.
    pub fn next_link_timeout(&self) -> Option<u64> {
        None
    }

    /// The time asked for has come.
    pub fn link_timeout(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }

    /// Whether the links still need a room that nobody is in: a registration is pending, or a split site may come back.
    pub fn links_hold(&self) -> bool {
        false
    }
}

impl Primary {
    /// A stanza to the service's own address that concerns its links (pings and their answers); whether it did.
    pub(crate) fn link_stanza(&mut self, stanza: &Element, now: Now, out: &mut Vec<Output>) -> bool {
        let _ = (stanza, now, out);
        false
    }

    /// The stream to this domain has ended.
    pub(crate) fn link_stream_ended(&mut self, domain: &str, now: Now, out: &mut Vec<Output>) {
        let _ = (domain, now, out);
    }

    /// When [`Primary::service_link_timeout`] is wanted, monotonic milliseconds.
    pub(crate) fn next_service_link_timeout(&self) -> Option<u64> {
        None
    }

    /// The time asked for has come.
    pub(crate) fn service_link_timeout(&mut self, now: Now, out: &mut Vec<Output>) {
        let _ = (now, out);
    }
}
