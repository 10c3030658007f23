//! Protocol property P5: nothing of a room goes to a site that has no seat in it. What the room tells a replica of others it tells while
//! somebody of its site is in, or right ahead of his ENTER.

use super::people::{Occupant, People, at, bare, between_servers, domain, is_destroyed, item, kind};
use super::watch::Watch;
use crate::address::resource;
use crate::users::view::has_status;
use crate::world::{Crossing, SetBack};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

pub(super) struct Seats {
    room: Jid,
    /// Sessions of each site that the room serves through its replica, by its own word.
    sessions: BTreeMap<String, BTreeMap<String, Session>>,
    /// The last event that each site has been told of.
    heads: BTreeMap<String, u64>,
    /// What a site was sent with nobody in: when, and the stanza. In the middle of a report it goes ahead of the ENTER of who comes.
    ahead: BTreeMap<String, (u64, String)>,
}

/// A session by its nickname, and where in the one order of events it is in: behind the last that its site had been told of when it
/// came, up to the one by which it is gone. Sites are told at their own pace, and another may have heard of that one long before.
struct Session {
    nick: String,
    since: u64,
    until: Option<u64>,
}

impl Session {
    fn is_in(&self, seq: u64) -> bool {
        self.until.is_none_or(|until| seq <= until)
    }
}

impl Seats {
    pub fn of(room: &Jid) -> Seats {
        Seats { room: room.clone(), sessions: BTreeMap::new(), heads: BTreeMap::new(), ahead: BTreeMap::new() }
    }

    fn note(&mut self, site: &str, stanza: &Element) {
        let granted = stanza.get_child("granted", ns::NETJOIN);
        let since = match at(stanza).or(granted).and_then(seq) {
            Some(head) => *self.heads.entry(site.to_owned()).and_modify(|known| *known = head).or_insert(head),
            None => self.heads.get(site).copied().unwrap_or_default(),
        };
        let session = |nick: String| Session { nick, since, until: None };
        let sessions = self.sessions.entry(site.to_owned()).or_default();
        let x = between_servers(stanza);
        let named = |name| x.and_then(|x| x.get_child(name, ns::DMUC)?.get("jid")).map(str::to_owned);
        let nick = stanza.get("from").and_then(resource).map(str::to_owned);
        if let Some(entered) = named("enter").zip(nick.map(session)) {
            sessions.extend([entered]);
            self.ahead.remove(site);
        }
        if let Some(left) = named("leave") {
            sessions.remove(&left);
        }
        // Whom its census has not named is there until the report is over.
        for seat in granted.into_iter().flat_map(Element::children) {
            let (Some(jid), Some(nick)) = (seat.get("jid"), seat.get("nick")) else { continue };
            match seat.get("verdict") {
                Some("kept" | "reenter") => drop(sessions.insert(jid.to_owned(), session(nick.to_owned()))),
                _ => drop(sessions.remove(jid)),
            }
        }
    }

    /// Somebody is gone with all sessions of that nickname, wherever they were, or has them under another.
    fn note_gone(&mut self, stanza: &Element, people: &People) {
        let is_gone = stanza.name() == "presence" && stanza.get("type") == Some("unavailable");
        let Some(occupant) = Occupant::of(stanza).filter(|_| is_gone) else { return };
        let Some(user) = people.user(&occupant.id) else { return };
        // What the room tells a client itself says nothing of the order.
        let Some(told) = at(stanza).and_then(seq) else { return };
        let renamed = has_status(stanza, "303");
        let new = item(stanza).and_then(|item| item.get("nick")).filter(|_| renamed).map(str::to_owned);
        let is_his =
            |jid: &str, session: &Session| bare(jid) == user && session.nick == occupant.nick && session.since < told;
        let all = self.sessions.values_mut().flatten();
        for (_, session) in all.filter(|(jid, session)| is_his(jid, session)) {
            match &new {
                Some(new) => session.nick.clone_from(new),
                None => session.until = Some(session.until.map_or(told, |until| until.min(told))),
            }
        }
    }
}

impl Watch for Seats {
    fn crossed(&mut self, crossing: &Crossing, _: usize, people: &People) -> Result<(), String> {
        let now = crossing.at_ms;
        if let Some(site) = self.ahead.iter().find(|(_, (at_ms, _))| *at_ms < now).map(|(site, _)| site.clone()) {
            let (_, xml) = self.ahead.remove(&site).unwrap_or_default();
            return Err(format!("{site} has nobody in the room, and is sent {xml}"));
        }
        if crossing.from != self.room.domain() {
            return Ok(());
        }
        let (stanza, site) = (&crossing.stanza, &crossing.to);
        self.note(site, stanza);
        if stanza.name() == "iq" && is_destroyed(stanza) {
            self.sessions.remove(site);
        }
        if kind(stanza) != Some("event") {
            return Ok(());
        }
        // What its own user's entry is to the others comes before he is in, and before it is said who he is.
        let occupant = Occupant::of(stanza);
        let user = occupant.as_ref().map(|occupant| people.user(&occupant.id));
        let own = user.is_some_and(|user| user.is_none_or(|user| domain(user) == site));
        let seq = at(stanza).and_then(seq).unwrap_or_default();
        let somebody = self.sessions.get(site).is_some_and(|sessions| sessions.values().any(|s| s.is_in(seq)));
        self.note_gone(stanza, people);
        if is_destroyed(stanza) {
            self.sessions.remove(site);
        }
        if !somebody && !own {
            self.ahead.entry(site.clone()).or_insert_with(|| (now, stanza.to_xml()));
        }
        Ok(())
    }

    /// It serves nobody until his site has registered, and gives numbers anew.
    fn set_back(&mut self, _: &SetBack) {
        self.sessions.clear();
        self.heads.clear();
    }
}

/// A place in the room's one order.
fn seq(marks: &Element) -> Option<u64> {
    marks.get("seq")?.parse().ok()
}
