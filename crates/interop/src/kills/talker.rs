//! One person who never stops talking: says the next thing as soon as few enough are under way, logs in again when the
//! connection is lost, enters again when put out, and remembers all of it.

use super::board::{Board, Standing};
use crate::room::{self, Heard};
use driver::{Client, Login};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use xmpp::{Element, ns};

/// What everybody is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Go on talking.
    Talk,
    /// Say goodbye once, and listen.
    Goodbye,
    /// Log out.
    End,
}

/// What befell somebody in one session, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Was let in: what is heard from here on is heard without a gap.
    Entered,
    /// Said this.
    Sent(String),
    /// Heard this.
    Heard(Heard),
    /// Was told that this was not said, and why.
    Refused(String, String),
    /// Was put out, by this stanza.
    Removed(String),
}

/// One login and what befell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub nick: String,
    /// What happened.
    pub events: Vec<Event>,
    /// Whether it lasted until all was over; else what was under way at its end may or may not have been said.
    pub lasted: bool,
}

/// One person.
pub struct Talker {
    /// How the client logs in.
    pub login: Login,
    /// The room.
    pub room: String,
    /// Nick there.
    pub nick: String,
    /// Where to write how it goes.
    pub board: Arc<Board>,
    /// What to do.
    pub orders: watch::Receiver<Order>,
}

impl Talker {
    /// Talks until ordered to end; gives all sessions there were.
    pub async fn talk(mut self) -> Vec<Session> {
        let mut sessions: Vec<Session> = Vec::new();
        let mut standing = Standing::default();
        while *self.orders.borrow() != Order::End {
            match Client::login(self.login.clone()).await {
                Ok(client) => {
                    let number = sessions.len();
                    sessions.push(Conversation::new(&mut self, &client, number, &mut standing).run().await);
                    client.close().await;
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
        sessions
    }
}

/// One session while it lasts.
struct Conversation<'a> {
    who: &'a mut Talker,
    client: &'a Client,
    session: Session,
    standing: &'a mut Standing,
    /// Ids of what was said and is under way.
    under_way: BTreeSet<String>,
    /// Number of this session and of its next message; with the nick they make ids that are never used twice.
    number: (usize, u64),
    /// Asked to be let in, not answered yet.
    entering: bool,
    said_goodbye: bool,
    /// Stanzas looked at.
    read: usize,
}

impl<'a> Conversation<'a> {
    fn new(who: &'a mut Talker, client: &'a Client, number: usize, standing: &'a mut Standing) -> Self {
        Conversation {
            session: Session { nick: who.nick.clone(), events: Vec::new(), lasted: false },
            who,
            client,
            standing,
            under_way: BTreeSet::new(),
            number: (number, 0),
            entering: false,
            said_goodbye: false,
            read: 0,
        }
    }

    async fn run(mut self) -> Session {
        loop {
            self.listen();
            let order = *self.who.orders.borrow_and_update();
            self.session.lasted = order == Order::End && self.client.ended().is_none();
            if order == Order::End || self.client.ended().is_some() {
                break;
            }
            self.speak(order).await;
            self.write();
            let news = self.client.wait_until(PACE, |seen| seen.len() > self.read);
            tokio::select! {
                _ = news => {}
                _ = self.who.orders.changed() => {}
            }
        }
        self.standing.present = false;
        self.under_way.clear();
        self.write();
        self.session
    }

    /// Says what is to be said now. That the connection is gone is seen by who reads.
    async fn speak(&mut self, order: Order) {
        if !self.standing.present {
            if !std::mem::replace(&mut self.entering, true) {
                let _ = self.client.send(&room::enter(&self.who.room, &self.who.nick)).await;
            }
            return;
        }
        let goodbye = order == Order::Goodbye && self.under_way.is_empty() && !self.said_goodbye;
        let next = order == Order::Talk && self.under_way.len() < WINDOW;
        if goodbye || next {
            let id = format!("{}-{}-{}", self.who.nick, self.number.0, self.number.1);
            let body = if goodbye { format!("{GOODBYE}{id}") } else { id.clone() };
            self.said_goodbye |= goodbye;
            self.number.1 += 1;
            self.session.events.push(Event::Sent(id.clone()));
            let _ = self.client.send(&room::say(&self.who.room, &id, &body)).await;
            self.under_way.insert(id);
        }
    }

    fn listen(&mut self) {
        let news = self.client.seen(|seen| seen[self.read..].to_vec());
        self.read += news.len();
        for stanza in &news {
            self.take(stanza);
        }
    }

    fn take(&mut self, stanza: &Element) {
        let (room, nick) = (self.who.room.as_str(), self.who.nick.as_str());
        if let Some(heard) = room::heard(stanza, room) {
            if heard.nick == nick && self.under_way.remove(&heard.message_id) {
                self.standing.reflected += 1;
            }
            if heard.body.starts_with(GOODBYE) {
                self.standing.goodbyes.push(heard.nick.clone());
            }
            self.session.events.push(Event::Heard(heard));
        } else if stanza.get("type") == Some("error") {
            self.refused(stanza);
        } else if room::is_presence(stanza, room, nick, true) && room::has_status(stanza, "110") {
            self.entering = false;
            if !std::mem::replace(&mut self.standing.present, true) {
                self.session.events.push(Event::Entered);
            }
        } else if room::is_presence(stanza, room, nick, false) {
            self.removed(stanza);
        }
    }

    fn refused(&mut self, stanza: &Element) {
        let id = stanza.get("id").unwrap_or_default();
        if stanza.name() == "presence" {
            self.entering = false;
        } else if stanza.name() == "message" && self.under_way.remove(id) {
            self.session.events.push(Event::Refused(id.to_owned(), stanza.to_xml()));
        }
        let error = stanza.get_child("error", ns::CLIENT);
        if error.is_some_and(|e| e.has_child("not-acceptable", ns::STANZA_ERRORS)) {
            self.removed(stanza);
        }
    }

    fn removed(&mut self, stanza: &Element) {
        if std::mem::replace(&mut self.standing.present, false) {
            self.session.events.push(Event::Removed(stanza.to_xml()));
        }
    }

    fn write(&mut self) {
        self.standing.outstanding = self.under_way.len();
        self.who.board.write(&self.who.nick, self.standing.clone());
    }
}

/// What a last word begins with.
const GOODBYE: &str = "goodbye ";
/// Messages that one person has under way.
const WINDOW: usize = 3;
/// How long one waits for news until one looks whether there is something to say.
const PACE: Duration = Duration::from_millis(25);
/// Until the next try to log in.
const RETRY: Duration = Duration::from_millis(50);
