//! What a netsplit and a netjoin had to show, by the rules of the protocol: what users saw, or what crossed a link and could only be
//! seen because of it.

use crate::address::{bare, domain, resource};
use crate::users::stays::{RETRACT, body_of, stanza_id};
use crate::users::view::{News, View, condition, has_status};
use crate::world::{Crossing, Scene, Tape, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

/// Everything there is to be seen, in the order of the rules (`docs/wire.md`, *Netsplit* and *Netjoin*).
pub(super) const RULES: [&str; 38] = [
    SUSPECTED,
    SPLIT,
    SPLIT_ELSEWHERE,
    JOINED,
    JOINED_ELSEWHERE,
    AWAY,
    LIFTED,
    NOT_ACCEPTABLE,
    ISLAND_TALK,
    ISLAND_PRESENCE,
    ISLAND_LEAVE,
    ISLAND_WHISPER,
    ISLAND_KICK,
    ISLAND_RETURN,
    ISLAND_REFUSAL,
    KEPT,
    REENTERED,
    REMOVED,
    UNLISTED,
    NO_ROSTER,
    MISSED,
    GONE_MEANWHILE,
    COME_MEANWHILE,
    HEARD_ELSEWHERE,
    SHOWN_ELSEWHERE,
    LEFT_ELSEWHERE,
    KICK_AS_KICK,
    KICK_AS_LEAVE,
    STATED_TIME,
    NOT_AGAIN,
    REFUSED,
    RETRACTED,
    BEHIND_BASE,
    UNSTABLE,
    INCOMPLETE,
    OTHER_NICK,
    NICK_KEPT,
    SPLIT_AGAIN,
];

const SUSPECTED: &str = "split: a link was lost and resumed, and nobody was told";
const SPLIT: &str = "split: told to those who are cut off";
const SPLIT_ELSEWHERE: &str = "split: told to all others";
const JOINED: &str = "join: told to those who were cut off";
const JOINED_ELSEWHERE: &str = "join: told to all others";
const AWAY: &str = "split: somebody is shown away";
const LIFTED: &str = "join: somebody is not shown away any more";
const NOT_ACCEPTABLE: &str = "split: who comes by another way enters again";
const ISLAND_TALK: &str = "island: a message is heard";
const ISLAND_PRESENCE: &str = "island: a presence is seen";
const ISLAND_LEAVE: &str = "island: a leave is seen";
const ISLAND_WHISPER: &str = "island: a private message is heard";
const ISLAND_KICK: &str = "island: a kick is seen";
const ISLAND_RETURN: &str = "island: somebody comes back to his seat";
const ISLAND_REFUSAL: &str = "island: something is refused that only the room can do";
const KEPT: &str = "rule 1: kept";
const REENTERED: &str = "rule 1: seen to enter again after its seat was given up";
const REMOVED: &str = "rule 1: removed, and told so";
const UNLISTED: &str = "rule 1: taken out, since the census did not name it";
const NO_ROSTER: &str = "rule 2: nobody of the census may stay";
const MISSED: &str = "rule 2: what was missed is heard";
const GONE_MEANWHILE: &str = "rule 2: somebody has gone meanwhile";
const COME_MEANWHILE: &str = "rule 2: somebody has come meanwhile";
const HEARD_ELSEWHERE: &str = "rule 3: what an island said is heard elsewhere";
const SHOWN_ELSEWHERE: &str = "rule 3: a presence of an island is seen elsewhere";
const LEFT_ELSEWHERE: &str = "rule 3: a leave of an island is seen elsewhere";
const KICK_AS_KICK: &str = "rule 3: a kick of an island is seen as one elsewhere";
const KICK_AS_LEAVE: &str = "rule 3: a kick of an island is seen as a leave elsewhere";
const STATED_TIME: &str = "rule 4: what an island said has its own time";
const NOT_AGAIN: &str = "rule 4: what an island said comes back and is not shown there again";
const REFUSED: &str = "rule 5: what was said on an island is refused, and its author told";
const RETRACTED: &str = "rule 5: it is taken back from who heard it";
const BEHIND_BASE: &str = "rule 6: paging from an island's message brings what was missed";
const UNSTABLE: &str = "rule 6: an island's page may come out otherwise";
const INCOMPLETE: &str = "rule 6: an island's page is not all there is";
const OTHER_NICK: &str = "rule 7: somebody is given another nick at the join";
const NICK_KEPT: &str = "rule 7: a nick is kept for somebody who is cut off";
const SPLIT_AGAIN: &str = "rule 8: split again in the middle of a join";

/// What of it a run has shown.
pub(super) fn seen(tape: &Tape, room: &Jid) -> BTreeSet<&'static str> {
    let mut watcher = Watcher::of(room);
    let mut crossings = tape.crossings.iter().peekable();
    for (at, telling) in tape.tellings.iter().enumerate() {
        while let Some(crossing) = crossings.next_if(|crossing| crossing.told <= at) {
            watcher.crossed(crossing);
        }
        watcher.told(telling);
    }
    crossings.for_each(|crossing| watcher.crossed(crossing));
    watcher.seen
}

/// Looks on, and remembers what it takes to understand what it sees.
struct Watcher<'a> {
    room: &'a Jid,
    seen: BTreeSet<&'static str>,
    clients: BTreeMap<String, Client>,
    /// Sites whose registration was granted, and whose users have not been told that the room is reached again.
    joining: BTreeSet<String>,
    /// Who was given up, by nick, and is told elsewhere to enter again.
    given_up: BTreeSet<String>,
    /// Sessions that a verdict removes.
    removed: BTreeSet<String>,
    /// When a report was over.
    reported_ms: Option<u64>,
    /// What islands have reported: bodies, status texts, nicks of who left or was kicked; each with the site.
    said: BTreeMap<String, String>,
    shown: BTreeMap<String, String>,
    left: BTreeMap<String, String>,
    kicked: BTreeMap<String, String>,
    /// The answers to queries that the room has given itself: (client, iq).
    by_room: BTreeSet<(String, String)>,
}

/// A client, as it was told.
struct Client {
    view: View,
    /// Whether it was told that the room is not reached.
    split: bool,
    /// When it entered.
    entered_ms: u64,
    /// What it heard while it was told so, by stanza-id.
    ahead: BTreeSet<String>,
    /// The same by the ids that authors gave.
    shown: BTreeSet<String>,
    /// The message behind which it asks for a page, when it heard it so: by the page's id.
    behind: BTreeMap<String, String>,
    /// Who is shown away for being cut off.
    away: BTreeSet<String>,
}

impl<'a> Watcher<'a> {
    fn of(room: &'a Jid) -> Watcher<'a> {
        Watcher {
            room,
            seen: BTreeSet::new(),
            clients: BTreeMap::new(),
            joining: BTreeSet::new(),
            given_up: BTreeSet::new(),
            removed: BTreeSet::new(),
            reported_ms: None,
            said: BTreeMap::new(),
            shown: BTreeMap::new(),
            left: BTreeMap::new(),
            kicked: BTreeMap::new(),
            by_room: BTreeSet::new(),
        }
    }

    fn sees(&mut self, what: &'static str) {
        self.seen.insert(what);
    }

    fn is_split(&self, site: &str) -> bool {
        self.clients.iter().any(|(who, client)| domain(who) == site && client.split)
    }

    fn crossed(&mut self, crossing: &Crossing) {
        let stanza = &crossing.stanza;
        if crossing.to == self.room.domain() {
            self.went_up(crossing);
        } else if stanza.name() == "iq" && stanza.get("type") == Some("result") {
            let address = |name| stanza.get(name).unwrap_or_default().to_owned();
            self.by_room.insert((address("to"), address("id")));
            if let Some(granted) = stanza.get_child("granted", ns::NETJOIN) {
                if self.is_split(&crossing.to) {
                    self.joining.insert(crossing.to.clone());
                }
                self.granted(granted);
            }
        }
        let is_said = |stanza: &Element| {
            let kind = stanza.get_child("x", ns::DMUC).and_then(|x| x.get_child("at", ns::NETJOIN)?.get("kind"));
            matches!(kind, Some("event" | "missed"))
        };
        if is_said(stanza)
            && let Some(id) = stanza_id(stanza, self.room)
            && self.clients.iter().any(|(who, client)| domain(who) == crossing.to && client.ahead.contains(id))
        {
            self.sees(NOT_AGAIN);
        }
    }

    fn went_up(&mut self, crossing: &Crossing) {
        let (stanza, site) = (&crossing.stanza, &crossing.from);
        if let Some(asked) = stanza.get_child("replicate", ns::NETJOIN).filter(|r| r.has_child("resume", ns::NETJOIN)) {
            if self.joining.contains(site) && self.is_split(site) {
                self.sees(SPLIT_AGAIN);
            }
            let census =
                asked.get_child("census", ns::NETJOIN).is_some_and(|census| census.children().next().is_some());
            if census && !self.is_split(site) {
                self.sees(SUSPECTED);
            }
        }
        let Some(x) = stanza.get_child("x", ns::DMUC) else { return };
        if x.has_child("reported", ns::NETJOIN) {
            self.reported_ms = Some(crossing.at_ms);
        }
        let Some(up) = x.get_child("up", ns::NETJOIN).filter(|up| up.get("said").is_some()) else { return };
        let nick = stanza.get("to").and_then(resource).map(str::to_owned);
        match (stanza.name(), stanza.get("type"), nick) {
            ("message", ..) => self.said.extend(body_of(stanza).map(|body| (body, site.clone()))),
            ("presence", None, _) => self.shown.extend(status_of(stanza).map(|status| (status, site.clone()))),
            ("presence", Some("unavailable"), Some(nick)) if up.get("kicker").is_some() => {
                self.kicked.insert(nick, site.clone());
            }
            ("presence", Some("unavailable"), Some(nick)) => drop(self.left.insert(nick, site.clone())),
            _ => {}
        }
    }

    fn granted(&mut self, granted: &Element) {
        if granted.get("roster") == Some("none") {
            self.sees(NO_ROSTER);
        }
        for seat in granted.children().filter(|child| child.name() == "seat") {
            let named = |name| seat.get(name).unwrap_or_default().to_owned();
            match seat.get("verdict") {
                Some("reenter") => drop(self.given_up.insert(named("nick"))),
                Some("removed") => drop(self.removed.insert(named("jid"))),
                _ => {}
            }
        }
    }

    fn told(&mut self, telling: &Telling) {
        let client = || Client {
            view: View::of(self.room),
            split: false,
            entered_ms: 0,
            ahead: BTreeSet::new(),
            shown: BTreeSet::new(),
            behind: BTreeMap::new(),
            away: BTreeSet::new(),
        };
        let who = &telling.who;
        let mut client = self.clients.remove(who).unwrap_or_else(client);
        match &telling.what {
            Scene::Connected | Scene::Ended => {
                (client.view, client.split) = (View::of(self.room), false);
                client.away.clear();
            }
            Scene::Sent(stanza) => sent(&mut client, stanza),
            Scene::Received(stanza) => self.received(who, &mut client, stanza, telling.at_ms),
        }
        self.clients.insert(who.clone(), client);
    }

    fn received(&mut self, who: &str, client: &mut Client, stanza: &Element, at_ms: u64) {
        if stanza.get("from").is_none_or(|from| bare(from) != self.room.as_str()) {
            return;
        }
        match (stanza.name(), stanza.get("type")) {
            ("message", Some("groupchat")) if stanza.has_child("retract", RETRACT) => self.retracted(client, stanza),
            ("message", Some("groupchat")) if stanza.get("from") == Some(self.room.as_str()) => {
                self.announced(who, client, &body_of(stanza).unwrap_or_default(), at_ms);
            }
            ("message", Some("error")) => self.refused(who, client, stanza),
            ("message", Some("chat")) if client.split => self.sees(ISLAND_WHISPER),
            ("message", _) => self.heard(who, client, stanza),
            ("iq", Some("result")) => self.paged(who, client, stanza),
            ("iq", Some("error")) => self.refused(who, client, stanza),
            ("presence", Some("error")) => self.may_not_enter(client, stanza),
            ("presence", _) => self.presented(who, client, stanza, at_ms),
            _ => {}
        }
    }

    fn announced(&mut self, who: &str, client: &mut Client, text: &str, at_ms: u64) {
        if text.contains("is not reached any more") && text.starts_with("The server of this room") {
            self.sees(SPLIT);
            // Who is let in there is told at once.
            if client.entered_ms == at_ms && self.is_split(domain(who)) {
                self.sees(ISLAND_RETURN);
            }
            client.split = true;
        } else if text.contains("is reached again") {
            self.sees(JOINED);
            self.joining.remove(domain(who));
            if std::mem::take(&mut client.split) {
                self.sees(KEPT);
            }
        } else if text.ends_with(NOT_REACHED) {
            self.sees(SPLIT_ELSEWHERE);
        } else if text.ends_with("is back.") {
            self.sees(JOINED_ELSEWHERE);
        }
    }

    fn refused(&mut self, who: &str, client: &Client, stanza: &Element) {
        let id = stanza.get("id").unwrap_or_default();
        match condition(stanza).as_str() {
            "not-acceptable" if self.is_split(domain(who)) => self.sees(NOT_ACCEPTABLE),
            "remote-server-timeout" if client.split => self.sees(ISLAND_REFUSAL),
            _ if client.shown.contains(id) => self.sees(REFUSED),
            _ => {}
        }
    }

    /// The room itself takes back what the client heard while it was not reached; what a moderator takes back is of no account here.
    fn retracted(&mut self, client: &Client, stanza: &Element) {
        let retract = stanza.get_child("retract", RETRACT);
        let by = retract.and_then(|retract| retract.get_child("moderated", ns::MODERATE)?.get("by"));
        let id = retract.and_then(|retract| retract.get("id")).unwrap_or_default();
        if by == Some(self.room.as_str()) && client.ahead.contains(id) {
            self.sees(RETRACTED);
        }
    }

    fn heard(&mut self, who: &str, client: &mut Client, stanza: &Element) {
        if let Some(result) = stanza.get_child("result", ns::MAM) {
            let asked = result.get("queryid").and_then(|query| client.behind.get(query));
            let by_room = result.get("queryid").is_some_and(|query| query.starts_with("page-"));
            // The very message that it asks behind comes again, with what stands before it now.
            if by_room && asked.is_some() && asked.map(String::as_str) == result.get("id") {
                self.sees(BEHIND_BASE);
            }
            return;
        }
        let (Some(id), Some(body)) = (stanza_id(stanza, self.room), body_of(stanza)) else { return };
        let delayed = stanza.has_child("delay", ns::DELAY);
        if client.split {
            self.sees(if delayed { MISSED } else { ISLAND_TALK });
            if !delayed {
                client.ahead.insert(id.to_owned());
                client.shown.extend(stanza.get("id").map(str::to_owned));
            }
        }
        if self.said.get(&body).is_some_and(|site| site != domain(who)) {
            self.sees(HEARD_ELSEWHERE);
            if delayed {
                self.sees(STATED_TIME);
            }
        }
    }

    fn paged(&mut self, who: &str, client: &Client, stanza: &Element) {
        let Some(fin) = stanza.get_child("fin", ns::MAM) else { return };
        let by_room = self.by_room.contains(&(who.to_owned(), stanza.get("id").unwrap_or_default().to_owned()));
        if by_room || !client.split {
            return;
        }
        if fin.get("stable") == Some("false") {
            self.sees(UNSTABLE);
        }
        let rows = fin.get_child("set", ns::RSM).is_some_and(|set| set.has_child("last", ns::RSM));
        if fin.get("complete").is_none() && !rows {
            self.sees(INCOMPLETE);
        }
    }

    fn may_not_enter(&mut self, client: &Client, stanza: &Element) {
        let nick = stanza.get("from").and_then(resource);
        match condition(stanza).as_str() {
            "conflict" if self.clients.values().any(|c| c.split && c.view.me.as_deref() == nick) => {
                self.sees(NICK_KEPT)
            }
            "remote-server-timeout" if client.view.me.is_some() || client.split => self.sees(ISLAND_REFUSAL),
            _ => {}
        }
    }

    fn presented(&mut self, who: &str, client: &mut Client, stanza: &Element, at_ms: u64) {
        let Some(nick) = stanza.get("from").and_then(resource).map(str::to_owned) else {
            return;
        };
        let told = |code: &str| has_status(stanza, code);
        let (own, known) = (told("110"), client.view.seats.contains_key(&nick));
        let elsewhere =
            |reported: &BTreeMap<String, String>, key: &str| reported.get(key).is_some_and(|site| site != domain(who));
        let news = client.view.hear(stanza);
        if stanza.get("type") == Some("unavailable") {
            client.away.remove(&nick);
            match own {
                true if self.removed.remove(who) => self.sees(REMOVED),
                false if client.split && self.joining.contains(domain(who)) => self.sees(GONE_MEANWHILE),
                false if client.split => self.sees(if told("307") { ISLAND_KICK } else { ISLAND_LEAVE }),
                false if told("333") && self.reported_ms.is_some_and(|ms| at_ms < ms + SOON_MS) => self.sees(UNLISTED),
                false if elsewhere(&self.kicked, &nick) => {
                    self.kicked.remove(&nick);
                    self.sees(if told("307") { KICK_AS_KICK } else { KICK_AS_LEAVE });
                }
                false if elsewhere(&self.left, &nick) => self.sees(LEFT_ELSEWHERE),
                _ => {}
            }
            client.split &= !matches!(news, Some(News::Left(_)));
            return;
        }
        if own && told("210") && client.split {
            self.sees(OTHER_NICK);
        }
        if own && news == Some(News::Entered) && stanza.get("id").is_some_and(|id| id.starts_with("join-")) {
            (client.entered_ms, client.split) = (at_ms, false);
        }
        let status = status_of(stanza).unwrap_or_default();
        if status.ends_with("is cut off") || status.ends_with("is not reached at present") {
            client.away.insert(nick.clone());
            self.sees(AWAY);
        } else if client.away.remove(&nick) {
            self.sees(LIFTED);
        }
        if elsewhere(&self.shown, &status) {
            self.sees(SHOWN_ELSEWHERE);
        }
        if !own && self.given_up.contains(&nick) && !known && !client.split {
            self.given_up.remove(&nick);
            self.sees(REENTERED);
        }
        if client.split && !own {
            self.sees(match (self.joining.contains(domain(who)), known) {
                (true, false) => COME_MEANWHILE,
                _ => ISLAND_PRESENCE,
            });
        }
    }
}

/// A client asks for a page behind something it heard while the room was not reached.
fn sent(client: &mut Client, stanza: &Element) {
    let set = stanza.get_child("query", ns::MAM).and_then(|query| query.get_child("set", ns::RSM));
    let after = set.and_then(|set| set.get_child("after", ns::RSM)).map(Element::content);
    if let (Some(id), Some(after)) = (stanza.get("id"), after.filter(|after| client.ahead.contains(after))) {
        client.behind.insert(id.to_owned(), after);
    }
}

fn status_of(stanza: &Element) -> Option<String> {
    stanza.get_child("status", ns::CLIENT).map(Element::content)
}

/// What people elsewhere are told of a site.
const NOT_REACHED: &str = "until it is back.";
/// How long after a report what it brings is told.
const SOON_MS: u64 = 3_000;
