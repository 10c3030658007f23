//! Scripted users: clients of one room that do as they are told, and what any client does by itself.
//!
//! - [`view`][]: what a client makes of what it receives
//! - [`stays`][]: from entering to leaving, and what was said meanwhile
//! - [`record`][]: what messages a client has, and how it pages for those it lacks
//! - [`archive`][]: reading the room's archive as a client does
//! - [`act`][]: the stanzas

pub mod act;
pub mod archive;
pub mod record;
pub mod stays;
pub mod view;

use crate::world::{Scene, World};
use record::Record;
use stays::{body_of, stanza_id};
use view::{News, View};
use xmpp::{Element, Jid};

/// One client.
#[derive(Debug)]
pub struct User {
    /// Its full address.
    pub jid: Jid,
    /// The room.
    pub room: Jid,
    /// The nickname it enters with.
    pub nick: String,
    /// What it believes.
    pub view: View,
    /// What messages it has.
    pub record: Record,
    /// Whether its user means to be in the room.
    pub wants_in: bool,
    /// When it asked to enter and has not been answered.
    pub asked_ms: Option<u64>,
    /// How often it has asked.
    joins: u64,
    /// How much of the tape it has heard.
    heard: usize,
}

impl User {
    /// A client that is not in the room.
    pub fn new(jid: &str, room: &Jid, nick: &str) -> User {
        let jid = Jid::new(jid).expect("the scenario's addresses are valid");
        let (room, nick) = (room.clone(), nick.to_owned());
        let (view, record) = (View::of(&room), Record::of(&room));
        User { jid, room, nick, view, record, wants_in: false, asked_ms: None, joins: 0, heard: 0 }
    }

    /// Hears what has happened since; what of it is news.
    pub fn hear(&mut self, world: &World) -> Vec<News> {
        let mut news = Vec::new();
        let tellings = &world.tape.tellings;
        for telling in tellings.iter().skip(self.heard).filter(|telling| telling.who == self.jid.as_str()) {
            self.record.note(telling.at_ms, &telling.what);
            match &telling.what {
                Scene::Received(stanza) => news.extend(self.view.hear(stanza)),
                Scene::Ended => {
                    self.view = View::of(&self.room);
                    self.asked_ms = None;
                }
                Scene::Connected | Scene::Sent(_) => {}
            }
        }
        self.heard = tellings.len();
        if news.iter().any(|news| matches!(news, News::Entered | News::Refused(_) | News::Left(_))) {
            self.asked_ms = None;
        }
        news
    }

    /// Whether it is in the room, as far as it knows.
    pub fn is_in(&self) -> bool {
        self.view.me.is_some()
    }

    /// The ids of the last messages it was sent, so many at the most, the last one last.
    pub fn last_heard(&self, world: &World, most: usize) -> Vec<String> {
        let mine = world.tape.tellings.iter().rev().filter(|telling| telling.who == self.jid.as_str());
        let ids = mine.filter_map(|telling| match &telling.what {
            Scene::Received(stanza) if body_of(stanza).is_some() => stanza_id(stanza, &self.room),
            _ => None,
        });
        let mut last: Vec<String> = ids.take(most).map(str::to_owned).collect();
        last.reverse();
        last
    }

    /// Sends something.
    pub fn send(&self, world: &mut World, stanza: Element) {
        world.send(&self.jid, stanza);
    }

    /// Enters the room, after logging in where that is needed.
    pub fn enter(&mut self, world: &mut World) {
        self.wants_in = true;
        if !world.is_online(self.jid.as_str()) && !world.connect(&self.jid) {
            return;
        }
        self.joins += 1;
        self.asked_ms = Some(world.now().mono_ms);
        self.view.seats.clear();
        let join = act::join(&self.room, &self.nick).attr("id", format!("{JOIN}{}", self.joins));
        self.send(world, join);
    }

    /// Means to be in, and takes nothing that it knew for granted.
    pub fn start_anew(&mut self) {
        (self.view, self.asked_ms, self.wants_in) = (View::of(&self.room), None, true);
    }

    /// Pages for messages it lacks: goes on where it has begun, and begins where it has reason to, or `anyway`.
    pub fn page(&mut self, world: &mut World, anyway: bool) {
        let now_ms = world.now().mono_ms;
        if self.record.waits_since_ms().is_some_and(|since| since + PATIENCE_MS <= now_ms) {
            self.record.give_up();
        }
        let begins = self.record.is_behind() || anyway && self.record.is_whole();
        let query = if begins { Some(self.record.page(now_ms)) } else { self.record.page_on(now_ms) };
        if let Some(query) = query {
            self.send(world, query);
        }
    }

    /// Leaves the room.
    pub fn leave(&mut self, world: &mut World) {
        self.wants_in = false;
        if let Some(me) = self.view.me.clone() {
            self.send(world, act::leave(&self.room, &me));
        }
    }
}

/// How long a client waits for a page of the archive.
const PATIENCE_MS: u64 = 90_000;
/// Whether this answers a client's join: its own presence, or an error.
pub(crate) fn answers_join(stanza: &Element) -> bool {
    let is_join = stanza.get("id").is_some_and(|id| id.starts_with(JOIN));
    stanza.name() == "presence" && (stanza.get("type") == Some("error") || stanza.get("type").is_none() && is_join)
}

/// How the ids of joins begin; a room reflects them in the entrant's own presence.
pub(crate) const JOIN: &str = "join-";
