//! What admins of the service do to a room from outside, in the manner of XEP-0133: it is made, destroyed, its people are given
//! another affiliation, all in it are told something. The commands are `service_commands`'.

use super::{Affiliated, Apply, Config, Cx, Destruction, Event, HINTS, Life, Part, Room, Shown};
use crate::names::Affiliation;
use xmpp::stanza::command;
use xmpp::stanza::{Condition, StanzaError, delay};
use xmpp::{Element, Jid, ns};

/// A room to be made.
#[derive(Debug)]
pub(crate) struct Making {
    pub config: Config,
    /// Bare JIDs.
    pub owners: Vec<Jid>,
}

impl Room {
    /// Makes a room that nobody has entered. It is open from the start.
    pub fn make(&mut self, making: Making, command: &Element, cx: &mut Cx<'_>) {
        let owner = Affiliated::plain(Affiliation::Owner);
        let mut changes = vec![self.meta_change_with(&making.config, false)];
        changes.extend(making.owners.iter().map(|jid| self.affiliation_change(jid, Some(&owner))));
        self.kept = true;
        self.decide(changes, Apply::Making(making), command, cx);
    }

    /// The room is on disk.
    pub fn made(&mut self, making: Making, command: &Element, cx: &mut Cx<'_>) {
        self.life = Life::Open;
        self.config = making.config;
        for owner in making.owners {
            self.affiliations.set(owner, Some(Affiliated::plain(Affiliation::Owner)));
        }
        if let Some(admin) = command.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&admin, command::done(command), cx);
        }
    }

    /// 10.9, asked of the service.
    pub fn destroy_by_command(&mut self, destruction: Destruction, command: &Element, cx: &mut Cx<'_>) {
        match self.is_free() {
            Ok(()) => self.destroy(destruction, command, cx),
            Err(error) => self.refuse(command, error, cx),
        }
    }

    /// 9 and 10, asked of the service; `query` is what an owner would send.
    pub fn change_by_command(&mut self, query: &Element, command: &Element, cx: &mut Cx<'_>) {
        let Some(admin) = command.get("from").and_then(|from| Jid::new(from).ok()) else { return };
        let affairs = self.is_free().and_then(|()| Ok(self.parse_affairs(&admin, query)?));
        match affairs {
            Ok(affairs) => {
                let changes = self.changes_of(&affairs.affairs, affairs.actor.as_ref());
                self.decide(changes, Apply::Affairs(affairs), command, cx);
            }
            Err(error) => self.refuse(command, error, cx),
        }
    }

    /// Tells all who are in the room, and can be reached, something that no archive keeps.
    pub fn announce(&mut self, text: &str, cx: &mut Cx<'_>) {
        let stanza = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr("type", "groupchat")
            .child(Element::new("body", ns::CLIENT).text(text))
            .child(Element::new("no-store", HINTS));
        let delay = delay(Some(self.jid.as_str()), cx.now.unix_ms);
        let part = Part { stanza, of: None, own: Vec::new(), shown: Shown::ToAll, dmuc: vec![delay] };
        self.tell(Event { parts: vec![part], durable: Vec::new(), otherwise: Vec::new() }, cx);
    }

    /// One decision at a time; a command does not wait in the room for the one before.
    fn is_free(&self) -> Result<(), StanzaError> {
        match self.is_busy() {
            true => Err(StanzaError::new(Condition::ResourceConstraint, "The room is busy; try again.")),
            false => Ok(()),
        }
    }
}
