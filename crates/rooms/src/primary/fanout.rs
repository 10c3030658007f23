//! One copy per replica: XEP-0282 4.7 (presence update) and 4.9 (message broadcast), with the real-JID rule of 4.7.

use super::link::{Link, Links};
use super::marks::Up;
use crate::names::Status;
use crate::room::{Part, Shown, without_jids};
use crate::wire::{At, Kind};
use machine::Output;
use xmpp::{Element, Jid, Shared, ns};

impl Links {
    /// Tells every replica one part of an event; `acked` is the mark whose outcome this event is.
    ///
    /// Serialised at most twice, with real JIDs and without, whatever the number of replicas.
    pub fn tell(
        &mut self,
        _room: &Jid,
        seq: u64,
        (part, parts): (usize, usize),
        what: &Part,
        acked: Option<&Up>,
        outputs: &mut Vec<Output>,
    ) {
        if self.links.is_empty() {
            return;
        }
        let mut variants = Variants::of(what);
        let parts = (parts > 1).then_some((part as u32, parts as u32));
        for (replica, link) in self.links.iter_mut().filter(|(_, link)| !link.is_over() && !link.is_split()) {
            let mut at = At { seq: Some(seq), part: parts, ..link.next(Kind::Event) };
            describe(&mut at, what);
            if let Some(up) = acked.filter(|up| up.replica == *replica) {
                at.ack = Some(link.say(up.outbox.clone(), up.n));
            }
            link.sent_ms = self.now_ms;
            variants.add(link, replica, at);
        }
        variants.send(outputs);
    }
}

/// The two ways an event looks, each with the links that get it.
struct Variants<'a> {
    what: &'a Part,
    jids: (Option<Shared>, Vec<(Jid, Element)>),
    plain: (Option<Shared>, Vec<(Jid, Element)>),
}

impl Variants<'_> {
    fn of(what: &Part) -> Variants<'_> {
        Variants { what, jids: (None, Vec::new()), plain: (None, Vec::new()) }
    }

    fn add(&mut self, link: &mut Link, replica: &Jid, at: At) {
        let (stanza, copies) = if link.entitled { &mut self.jids } else { &mut self.plain };
        let stanza = stanza.get_or_insert_with(|| with_x(self.what, link.entitled));
        if link.holds() {
            link.pass(replica, stanza.clone(), at, &mut Vec::new());
        } else {
            copies.push((replica.clone(), link.number(at)));
        }
    }

    fn send(self, outputs: &mut Vec<Output>) {
        for (stanza, copies) in [self.jids, self.plain] {
            if let Some(stanza) = stanza.filter(|_| !copies.is_empty()) {
                outputs.push(Output::Fan { stanza, copies });
            }
        }
    }
}

/// The stanza with the dmuc element as its last child, into which each link's marks are spliced.
fn with_x(what: &Part, entitled: bool) -> Shared {
    let stanza = if entitled { None } else { without_jids(&what.stanza) };
    let stanza = stanza.unwrap_or_else(|| what.stanza.clone());
    Shared::new(stanza.child(Element::new("x", ns::DMUC).with(what.dmuc.iter().cloned())))
}

/// What the replica cannot know by itself of who sees what.
fn describe(at: &mut At, what: &Part) {
    at.own_only = what.shown == Shown::ToOwnOnly;
    if what.of.is_some() && what.own != [Status::SELF] {
        at.own = Some(what.own.clone());
    }
}
