//! The streams between domains: one for each pair and direction, ordered as TCP is, and all that may befall them.

use super::agenda::Happening;
use super::route::Origin;
use super::{Crossing, World};
use std::collections::VecDeque;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, ns};

/// What a link does with what is put on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// It arrives, in order.
    #[default]
    Clear,
    /// No stream can be made: the sender's server returns it as `remote-server-not-found`.
    Refused,
    /// It is lost without a word.
    Silent,
    /// It arrives, in order, and takes its time.
    Slow,
}

/// One stream, or the lack of one.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub weather: Weather,
    in_flight: VecDeque<Flight>,
    /// How many stanzas have been put on it.
    count: u64,
    /// When the last of them arrives.
    last_ms: u64,
    /// Whether the next event that shows something of somebody comes over without it.
    alters: bool,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    stanza: Element,
}

impl World {
    /// Puts a stanza on the stream between two domains.
    pub(super) fn depart(&mut self, from: &Jid, to: &Jid, stanza: Element) {
        let pair = (from.domain().to_owned(), to.domain().to_owned());
        let Some(sender) = self.server_of(&pair.0) else {
            return self.tape.complain(format!("a stanza in the name of a foreign domain: {stanza}"));
        };
        let receiver_up = self.server_of(&pair.1).is_some_and(|s| self.is_up(s));
        let weather = self.links.entry(pair.clone()).or_default().weather;
        let (least, most) = if weather == Weather::Slow { SLOW_MS } else { self.link_ms };
        let delay = self.rng.between(least, most);
        // What is written to a stream that works is written, whatever becomes of it.
        let lost = matches!(weather, Weather::Refused | Weather::Silent) || !receiver_up;
        self.tape.cross(Crossing {
            at_ms: self.now.mono_ms,
            told: self.tape.tellings.len(),
            from: pair.0.clone(),
            to: pair.1.clone(),
            lost,
            stanza: stanza.clone(),
        });
        self.tread(&pair.0, &pair.1, &stanza);
        match weather {
            Weather::Silent => {}
            Weather::Clear | Weather::Slow if receiver_up => {
                let link = self.links.entry(pair.clone()).or_default();
                link.count += 1;
                link.last_ms = link.last_ms.max(self.now.mono_ms + delay);
                link.in_flight.push_back(Flight { number: link.count, stanza });
                let (number, at) = (link.count, link.last_ms);
                self.agenda.put(at, Happening::Arrive { from: pair.0, to: pair.1, number });
            }
            Weather::Clear | Weather::Slow | Weather::Refused => {
                let life = self.servers[sender].life;
                let at = self.now.mono_ms + delay;
                self.agenda.put(at, Happening::Bounce { server: sender, life, stanza });
                self.agenda.put(at, Happening::StreamEnded { server: sender, domain: pair.1 });
            }
        }
    }

    /// A stanza has come over.
    pub(super) fn arrive(&mut self, from: &str, to: &str, number: u64) {
        let Some(link) = self.links.get_mut(&(from.to_owned(), to.to_owned())) else { return };
        // One that was lost has been taken out of the queue.
        if link.in_flight.front().is_none_or(|flight| flight.number != number) {
            return;
        }
        let Some(mut flight) = link.in_flight.pop_front() else { return };
        if link.alters && shows_something(&flight.stanza) {
            link.alters = false;
            flight.stanza.retain(|child| child.ns() != ns::CLIENT);
            self.tape.altered.insert(to.to_owned());
        }
        let Some(server) = self.server_of(to).filter(|&s| self.is_up(s)) else { return };
        let stanza = match self.is_read_again() {
            false => flight.stanza,
            // What cannot be written and read again does not come over.
            true => {
                let written = flight.stanza.to_xml();
                let Ok(stanza) = Element::parse(&written) else {
                    return self.tape.complain(format!("a stanza that cannot be read again: {written}"));
                };
                stanza
            }
        };
        let Some(Ok(address)) = stanza.get("to").map(Jid::new) else { return };
        self.submit(server, Origin::Remote, &address, stanza);
        self.work(server);
    }

    /// Of the next event that shows something of somebody the receiver does not get what it shows, and nobody notices.
    pub fn alter_next(&mut self, from: &str, to: &str) {
        self.links.entry((from.to_owned(), to.to_owned())).or_default().alters = true;
    }

    /// A server says something in the name of a user of its own, of whatever kind.
    pub fn put_on_link(&mut self, from: &Jid, to: &Jid, stanza: Element) {
        self.depart(from, to, stanza.attr("from", from.as_str()));
    }

    /// The server returns a stanza it could not hand over.
    pub(super) fn bounced(&mut self, server: usize, life: u64, stanza: Element) {
        if self.servers[server].life == life {
            self.bounce(server, Origin::Remote, &stanza, Condition::RemoteServerNotFound);
            self.work(server);
        }
    }

    /// Of what is in flight from one domain to another only the first `kept` arrive.
    pub(super) fn lose(&mut self, from: &str, to: &str, kept: usize) -> usize {
        let Some(link) = self.links.get_mut(&(from.to_owned(), to.to_owned())) else { return 0 };
        let lost = link.in_flight.len().saturating_sub(kept);
        link.in_flight.truncate(kept);
        lost
    }

    /// How many stanzas are in flight, and when the last of them arrives.
    pub fn in_flight(&self, from: &str, to: &str) -> (usize, u64) {
        let link = self.links.get(&(from.to_owned(), to.to_owned()));
        link.map_or((0, 0), |link| (link.in_flight.len(), link.last_ms))
    }

    /// Whether nothing gets through between two domains, in one direction at least.
    pub fn is_cut(&self, a: &str, b: &str) -> bool {
        [(a, b), (b, a)].into_iter().any(|(from, to)| {
            let link = self.links.get(&(from.to_owned(), to.to_owned()));
            link.is_some_and(|link| matches!(link.weather, Weather::Refused | Weather::Silent))
        })
    }

    /// Changes the weather between two domains, in one direction; gives what it was.
    pub(super) fn set_weather(&mut self, from: &str, to: &str, weather: Weather) -> Weather {
        let link = self.links.entry((from.to_owned(), to.to_owned())).or_default();
        std::mem::replace(&mut link.weather, weather)
    }
}

/// How long a stanza takes on a slow link, milliseconds: least and most.
const SLOW_MS: (u64, u64) = (500, 1_500);

/// Whether this is an event that shows what somebody who is there says of himself.
fn shows_something(stanza: &Element) -> bool {
    let at = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN));
    let is_event = stanza.name() == "presence" && stanza.get("type").is_none();
    is_event && at.is_some_and(|at| at.get("kind") == Some("event")) && stanza.has_child("status", ns::CLIENT)
}
