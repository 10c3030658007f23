//! What users sent and received, and what crossed the links. Checks look at nothing else.

use crate::users::act;
use std::collections::BTreeSet;
use xmpp::Element;

/// Everything that was seen, in order.
#[derive(Debug, Default)]
pub struct Tape {
    /// What clients saw and did.
    pub tellings: Vec<Telling>,
    /// What was put on links.
    pub crossings: Vec<Crossing>,
    /// What the engines wrote to the operator's log: (time, server, text).
    pub logs: Vec<(u64, usize, String)>,
    /// Sites that were told something else than the rooms' server had put on the link.
    pub altered: BTreeSet<String>,
    /// Which servers have lost what they had kept.
    pub set_back: Vec<SetBack>,
    /// What must never happen and did, seen by the world itself.
    pub complaints: Vec<String>,
}

/// A server has lost its disk, and has gone on with a copy, or an empty one: what it had kept in between is lost.
#[derive(Debug, Clone)]
pub struct SetBack {
    /// Its domain.
    pub domain: String,
    /// Since when what the server was to keep is not in the copy, monotonic milliseconds: what was still being written when that was
    /// made is not; 0 where there was none.
    pub from_ms: u64,
    /// How much clients had seen and done when it was made: a place among [`Tape::tellings`].
    pub from: usize,
    /// When it lost its disk.
    pub to_ms: u64,
    /// How much clients had seen and done by then.
    pub told: usize,
    /// How much had been put on links by then: a place among [`Tape::crossings`].
    pub crossed: usize,
}

impl SetBack {
    /// Whether nothing was on the disk with which it went on.
    pub fn is_empty(&self) -> bool {
        self.from_ms == 0
    }

    /// Whether something is lost with the disk that was kept on it then.
    pub fn has_lost(&self, at_ms: u64) -> bool {
        (self.from_ms..=self.to_ms).contains(&at_ms)
    }
}

/// Something a client saw or did.
#[derive(Debug, Clone)]
pub struct Telling {
    /// When, monotonic milliseconds.
    pub at_ms: u64,
    /// The client's full address.
    pub who: String,
    /// What.
    pub what: Scene,
}

/// What a client saw or did.
#[derive(Debug, Clone)]
pub enum Scene {
    /// Its stream began.
    Connected,
    /// Its stream ended; it knows nothing any more.
    Ended,
    /// It sent a stanza.
    Sent(Element),
    /// It was sent a stanza.
    Received(Element),
}

/// A stanza put on a link.
#[derive(Debug, Clone)]
pub struct Crossing {
    /// When, monotonic milliseconds.
    pub at_ms: u64,
    /// How much clients had seen and done by then: its place among [`Tape::tellings`].
    pub told: usize,
    /// The sender's domain.
    pub from: String,
    /// The recipient's domain.
    pub to: String,
    /// Whether there was no stream that could have taken it.
    pub lost: bool,
    /// The stanza.
    pub stanza: Element,
}

impl Tape {
    /// A line for each thing that was seen, by time.
    pub fn lines(&self) -> Vec<(u64, String)> {
        let tellings = self.tellings.iter().map(|telling| {
            let what = match &telling.what {
                Scene::Connected => "connected".to_owned(),
                Scene::Ended => "ended".to_owned(),
                Scene::Sent(stanza) => format!("sends {stanza}"),
                Scene::Received(stanza) => format!("receives {stanza}"),
            };
            (telling.at_ms, format!("{} {what}", telling.who))
        });
        let crossings = self.crossings.iter().map(|crossing| {
            let lost = if crossing.lost { " LOST" } else { "" };
            (crossing.at_ms, format!("{} > {}{lost} {}", crossing.from, crossing.to, crossing.stanza))
        });
        let logs = self.logs.iter().map(|(at_ms, server, text)| (*at_ms, format!("server {server} logs {text}")));
        let mut lines: Vec<(u64, String)> = tellings.chain(crossings).chain(logs).collect();
        lines.sort_by_key(|(at_ms, _)| *at_ms);
        lines
    }

    /// What engines put on links, for the schema; what a client forged and a plain server passed on is none of theirs.
    pub fn on_links(&self) -> impl Iterator<Item = &Element> {
        self.crossings.iter().map(|crossing| &crossing.stanza).filter(|stanza| !act::is_forged(stanza))
    }

    pub(super) fn tell(&mut self, at_ms: u64, who: &str, what: Scene) {
        self.tellings.push(Telling { at_ms, who: who.to_owned(), what });
    }

    pub(super) fn cross(&mut self, crossing: Crossing) {
        self.crossings.push(crossing);
    }

    /// A server goes on with a copy of its disk that was made then, at this place among what clients have seen and done.
    pub(super) fn set_back(&mut self, domain: &str, (from_ms, from): (u64, usize), to_ms: u64) {
        let (told, crossed) = (self.tellings.len(), self.crossings.len());
        self.set_back.push(SetBack { domain: domain.to_owned(), from_ms, from, to_ms, told, crossed });
    }

    pub(super) fn log(&mut self, at_ms: u64, server: usize, text: String) {
        self.logs.push((at_ms, server, text));
    }

    pub(super) fn complain(&mut self, text: String) {
        self.complaints.push(text);
    }
}
