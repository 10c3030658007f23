//! Rooms that still believe somebody to be here when nobody is, `docs/wire.md`, *End*: this site has started again since, perhaps
//! from a disk that is empty or older. They show it by what they send; they are told so, and take their ghosts out at once.

use super::Replica;
use super::site::Cx;
use crate::wire::{Down, Withdraw};
use machine::{Now, Output};
use xmpp::{Element, Jid};

impl Replica {
    /// Something from a room that nothing is known of here.
    pub(super) fn unknown_down(&mut self, stanza: &Element, from: &Jid, now: Now, out: &mut Vec<Output>) {
        if let Some(Ok((_, at))) = Down::find(stanza).filter(|_| self.site.allows(from.domain())) {
            self.cx(now, out).say_deserted(&from.bare(), &at.epoch);
        }
    }
}

impl Cx<'_> {
    /// Tells a room that nobody is here. Nothing depends on the answer, so nobody remembers that it was said: however much a
    /// service invents, it is answered and costs nothing.
    pub(super) fn say_deserted(&mut self, room: &Jid, epoch: &str) {
        let withdraw = Withdraw { epoch: Some(epoch.to_owned()), deserted: true };
        let id = self.site.name();
        let iq = Element::stanza("iq").attr("from", self.site.config.jid.as_str()).attr("type", "set").attr("id", id);
        self.up(room, iq.child(withdraw.element()));
    }
}
