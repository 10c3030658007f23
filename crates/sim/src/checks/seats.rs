//! Protocol property P5: nothing of a room goes to a site that has no seat in it. What the room tells a replica of others it tells while
//! somebody of its site is in.

use super::people::{Occupant, People, at, bare, domain, is_destroyed, item, kind};
use super::watch::Watch;
use crate::users::view::statuses;
use crate::world::Crossing;
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

pub(super) struct Seats {
    room: Jid,
    people: People,
    /// Sessions of each site that the room serves through its replica, by its own word.
    sessions: BTreeMap<String, BTreeMap<String, Session>>,
    /// The last event that each site has been told of.
    heads: BTreeMap<String, u64>,
}

/// A session by its nickname, and the last event its site had been told of when it came: who is gone in an event before that, which
/// other sites may be told of much later, is in again by now.
struct Session {
    nick: String,
    since: u64,
}

impl Seats {
    pub fn of(room: &Jid) -> Seats {
        Seats { room: room.clone(), people: People::default(), sessions: BTreeMap::new(), heads: BTreeMap::new() }
    }

    fn note(&mut self, site: &str, stanza: &Element) {
        let granted = stanza.get_child("granted", ns::NETJOIN);
        let since = match at(stanza).or(granted).and_then(seq) {
            Some(head) => *self.heads.entry(site.to_owned()).and_modify(|known| *known = head).or_insert(head),
            None => self.heads.get(site).copied().unwrap_or_default(),
        };
        let session = |nick: String| Session { nick, since };
        let sessions = self.sessions.entry(site.to_owned()).or_default();
        let x = stanza.get_child("x", ns::DMUC);
        let named = |name| x.and_then(|x| x.get_child(name, ns::DMUC)?.get("jid")).map(str::to_owned);
        let nick = stanza.get("from").and_then(|from| from.split_once('/')).map(|(_, nick)| nick.to_owned());
        sessions.extend(named("enter").zip(nick.map(session)));
        if let Some(left) = named("leave") {
            sessions.remove(&left);
        }
        // Whom its census has not named is there until the report is over.
        let stays = granted
            .into_iter()
            .flat_map(Element::children)
            .filter(|seat| matches!(seat.get("verdict"), Some("kept" | "reenter")));
        sessions.extend(
            stays.filter_map(|seat| Some((seat.get("jid")?.to_owned(), session(seat.get("nick")?.to_owned())))),
        );
    }

    /// Somebody is gone with all sessions of that nickname, wherever they were, or has them under another.
    fn note_gone(&mut self, stanza: &Element) {
        let is_gone = stanza.name() == "presence" && stanza.get("type") == Some("unavailable");
        let Some(occupant) = Occupant::of(stanza).filter(|_| is_gone) else { return };
        let Some(user) = self.people.user(&occupant.id) else { return };
        let renamed = statuses(stanza).iter().any(|code| code == "303");
        let new = item(stanza).and_then(|item| item.get("nick")).filter(|_| renamed).map(str::to_owned);
        let told = at(stanza).and_then(seq).unwrap_or(u64::MAX);
        let is_his =
            |jid: &str, session: &Session| bare(jid) == user && session.nick == occupant.nick && session.since < told;
        for sessions in self.sessions.values_mut() {
            match &new {
                Some(new) => sessions
                    .iter_mut()
                    .filter(|(jid, session)| is_his(jid, session))
                    .for_each(|(_, session)| session.nick.clone_from(new)),
                None => sessions.retain(|jid, session| !is_his(jid, session)),
            }
        }
    }
}

impl Watch for Seats {
    fn crossed(&mut self, crossing: &Crossing, _: usize) -> Result<(), String> {
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        let (stanza, site) = (&crossing.stanza, &crossing.to);
        self.people.crossed(crossing);
        self.note(site, stanza);
        if stanza.name() == "iq" && is_destroyed(stanza) {
            self.sessions.remove(site);
        }
        if at(stanza).is_none() || kind(stanza) != Some("event") {
            return Ok(());
        }
        // What its own user's entry is to the others comes before he is in, and before it is said who he is.
        let occupant = Occupant::of(stanza);
        let user = occupant.as_ref().map(|occupant| self.people.user(&occupant.id));
        let own = user.is_some_and(|user| user.is_none_or(|user| domain(user) == site));
        let nobody = self.sessions.get(site).is_none_or(BTreeMap::is_empty);
        self.note_gone(stanza);
        if is_destroyed(stanza) {
            self.sessions.remove(site);
        }
        match nobody && !own {
            true => Err(format!("{site} has nobody in the room, and is sent {stanza}")),
            false => Ok(()),
        }
    }
}

/// A place in the room's one order.
fn seq(marks: &Element) -> Option<u64> {
    marks.get("seq")?.parse().ok()
}
