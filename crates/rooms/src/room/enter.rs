//! Entering a room, XEP-0045 7.2, and the two ways that look alike: another session under one's own nick (7.2.8), and a
//! client that has lost track of a room it is in (7.2.1).

use super::admit::JoinError;
use super::hats::HATS;
use super::versions::{MAV, Since};
use super::{Cx, Event, HistoryWanted, Life, Occupant, Part, Room, Session, Shown, Via, add_statuses};
use crate::names::{Affiliation, Nick, Status};
use machine::AudienceChange;
use std::sync::Arc;
use xmpp::{Element, Jid, ns, stanza};

/// Everything an entry needs once it is granted.
#[derive(Debug)]
pub(crate) struct Entry {
    pub jid: Jid,
    pub nick: Nick,
    pub payload: Vec<Element>,
    pub history: HistoryWanted,
    /// The id of the join, reflected in the entrant's own presence.
    pub id: Option<String>,
    pub created: bool,
    /// XEP-0463.
    pub since: Option<Since>,
    /// Whether the nick is another than was asked for.
    pub assigned: bool,
}

impl Room {
    /// Somebody who is not in the room asks to enter.
    pub fn enter(&mut self, from: &Jid, nick: Nick, stanza: &Element, cx: &mut Cx<'_>) {
        if self.life == Life::Unborn {
            return self.create(from, nick, stanza, cx);
        }
        let password =
            stanza.get_child("x", ns::MUC).and_then(|x| x.get_child("password", ns::MUC)).map(Element::content);
        let admitted = match self.joins_seat(from, &nick, cx) {
            true => self.admit_again(from, &nick),
            false if self.was_kicked_meanwhile(from, cx) => Err(JoinError::Kicked),
            false => self.admit(from, &nick, password.as_deref()),
        };
        match admitted {
            Ok(()) => self.put_in(Entry::of(from, nick, stanza, false), cx),
            Err(JoinError::NicknameConflict) if cx.up.as_ref().is_some_and(|up| up.island.is_some()) => {
                self.enter_renamed(from, &nick, password.as_deref(), stanza, cx);
            }
            Err(error) => self.turn_away(from, stanza, error, cx),
        }
    }

    /// Somebody whom his island has let in under a nick that another has here: he is given one like it.
    fn enter_renamed(&mut self, from: &Jid, nick: &Nick, password: Option<&str>, stanza: &Element, cx: &mut Cx<'_>) {
        match self.nick_like(nick, |nick| self.admit(from, nick, password)) {
            Ok(nick) => self.put_in(Entry { assigned: true, ..Entry::of(from, nick, stanza, false) }, cx),
            Err(error) => self.turn_away(from, stanza, error, cx),
        }
    }

    /// A session that had been removed for a technical reason alone is entered again, without its user's doing.
    pub fn enter_again(
        &mut self,
        nick: Nick,
        jid: &Jid,
        payload: Vec<Element>,
        cx: &mut Cx<'_>,
    ) -> Result<(), JoinError> {
        if self.sessions.contains_key(jid) {
            return Ok(());
        }
        self.admit_again(jid, &nick)?;
        let history = HistoryWanted { max_stanzas: Some(0), ..HistoryWanted::default() };
        self.put_in(
            Entry { jid: jid.clone(), nick, payload, history, id: None, created: false, since: None, assigned: false },
            cx,
        );
        Ok(())
    }

    /// 7.2.1: a client that joins although it is in is sent everything again.
    pub fn enter_once_more(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(from).cloned() else { return };
        let via = self.via_for(from, cx);
        let was_direct = self.is_direct(from);
        self.carry_over(from, via, cx);
        if was_direct {
            self.links.note_handed(from, self.order.seq);
        }
        self.lift_one(&nick, cx);
        let Some(occupant) = self.occupants.get_mut(&nick) else { return };
        let Some(session) = occupant.sessions.iter_mut().find(|s| s.jid == *from) else { return };
        let payload: Arc<[Element]> = payload_of(stanza).into();
        let differs = session.payload != payload;
        session.payload = payload;
        let entry = Entry::of(from, nick.clone(), stanza, false);
        self.welcome_session(&entry, cx);
        if differs {
            self.show_update(&nick, from, cx);
        }
    }

    /// A session that stays is sent everything again, of what was said only what has a higher number than this.
    pub fn welcome_back(&mut self, jid: &Jid, behind: u64, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(jid).cloned() else { return };
        let history = HistoryWanted { behind: Some(behind), ..HistoryWanted::default() };
        let entry = Entry {
            jid: jid.clone(),
            nick,
            payload: Vec::new(),
            history,
            id: None,
            created: false,
            since: None,
            assigned: false,
        };
        self.welcome_session(&entry, cx);
    }

    /// Whether the room speaks to this session itself.
    pub fn is_direct(&self, jid: &Jid) -> bool {
        let occupant = self.sessions.get(jid).and_then(|nick| self.occupants.get(nick));
        let session = occupant.and_then(|occupant| occupant.sessions.iter().find(|s| s.jid == *jid));
        session.is_some_and(|session| session.via == Via::Direct)
    }

    /// Puts an entrant in and tells everybody.
    pub fn put_in(&mut self, entry: Entry, cx: &mut Cx<'_>) {
        let via = self.via_for(&entry.jid, cx);
        let session = Session { jid: entry.jid.clone(), via, payload: entry.payload.as_slice().into() };
        self.keep_session(&session, &entry.nick, cx);
        let earlier = self.sessions.insert(entry.jid.clone(), entry.nick.clone());
        assert!(earlier.is_none(), "only who is not in the room enters");
        if let Some(occupant) = self.occupants.get_mut(&entry.nick) {
            // The presence that others know stays the shown one.
            occupant.sessions.insert(0, session);
            self.lift_one(&entry.nick, cx);
        } else {
            self.add_occupant(&entry, session);
            self.tell_entry(&entry.nick, cx);
        }
        self.welcome_session(&entry, cx);
        if self.affiliation_of(&entry.jid) >= Affiliation::Admin {
            self.ask_entrant(&entry.jid, cx);
        }
    }

    /// Answers a join with an error.
    pub fn turn_away(&mut self, from: &Jid, stanza: &Element, error: JoinError, cx: &mut Cx<'_>) {
        let error = error.error();
        self.refuse(stanza, error.clone(), cx);
        self.turned_away(from, &error, cx);
    }

    fn add_occupant(&mut self, entry: &Entry, session: Session) {
        let bare = entry.jid.bare();
        let affiliation = self.affiliation_of(&bare);
        let role = self.role_of_entrant(&bare, affiliation);
        let occupant = Occupant {
            nick: entry.nick.clone(),
            role,
            affiliation,
            occupant_id: self.order.occupant_id(&bare),
            entered: self.order.seq,
            bare,
            sessions: vec![session],
            told: self.config.presence_broadcast.contains(&role),
            roster: super::presence::RosterCache::default(),
        };
        self.occupants.insert(entry.nick.clone(), occupant);
    }

    fn tell_entry(&mut self, nick: &Nick, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let part = Part {
            stanza: self.presence_of(occupant),
            // The entrant gets his own presence behind the roster, not with the others.
            of: None,
            own: Vec::new(),
            shown: if self.shows(occupant) { Shown::ToAll } else { Shown::ToOwnOnly },
            dmuc: Vec::new(),
        };
        self.tell(Event { parts: vec![part], durable: Vec::new(), otherwise: Vec::new() }, cx);
    }

    fn welcome_session(&mut self, entry: &Entry, cx: &mut Cx<'_>) {
        if let Some(since) = &entry.since {
            self.tell_affiliations(&entry.jid, since, entry.id.as_deref(), cx);
        }
        let version = self.version_now();
        let Some(occupant) = self.occupants.get(&entry.nick) else { return };
        let Some(session) = occupant.sessions.iter().find(|s| s.jid == entry.jid).cloned() else { return };
        let mut own = self.seen_by(occupant, self.presence_with(occupant, &session));
        if let Some(id) = &entry.id {
            own.set("id", id);
        }
        if let Some(x) = own.get_child_mut("x", ns::MUC_USER) {
            x.push(version);
        }
        add_statuses(&mut own, &self.statuses_on_entering(entry.created));
        if entry.assigned {
            add_statuses(&mut own, &[Status::NICK_ASSIGNED]);
        }
        self.welcome(&session, own, entry.history, cx);
    }

    /// A session that is in comes by another way than before: from directly to a replica, or back.
    pub fn carry_over(&mut self, jid: &Jid, via: Via, cx: &mut Cx<'_>) {
        let Some(occupant) = self.sessions.get(jid).and_then(|nick| self.occupants.get_mut(nick)) else { return };
        let Some(session) = occupant.sessions.iter_mut().find(|s| s.jid == *jid) else { return };
        if session.via == via {
            return;
        }
        let before = session.clone();
        session.via = via;
        let (after, nick) = (session.clone(), occupant.nick.clone());
        self.keep_session(&after, &nick, cx);
        match before.via {
            Via::Direct => {
                let out = self.audience_change(jid, AudienceChange::Out);
                self.gate.pass(out, cx.out);
            }
            Via::Replica(_) => {
                let Some(occupant) = self.occupants.get(&nick) else { return };
                let gone = super::Removal::with([Status::FAILURE]);
                let own = self.own_unavailable(occupant, &before, &gone);
                self.dismiss(&before, own, cx);
            }
        }
    }
}

impl Entry {
    /// Reads a join.
    pub fn of(jid: &Jid, nick: Nick, stanza: &Element, created: bool) -> Entry {
        Entry {
            jid: jid.clone(),
            nick,
            payload: payload_of(stanza),
            history: HistoryWanted::of(stanza),
            id: stanza.get("id").map(str::to_owned),
            created,
            since: Since::of(stanza),
            assigned: false,
        }
    }
}

impl HistoryWanted {
    /// Reads the `<history/>` of a join, 7.2.14; what is no number limits nothing.
    pub fn of(join: &Element) -> HistoryWanted {
        let history = join.get_child("x", ns::MUC).and_then(|x| x.get_child("history", ns::MUC));
        let Some(history) = history else { return HistoryWanted::default() };
        let number = |name| history.get(name).and_then(|text| text.trim().parse::<u64>().ok());
        HistoryWanted {
            max_chars: number("maxchars").map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            max_stanzas: number("maxstanzas").map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            seconds: number("seconds"),
            since_ms: history.get("since").and_then(stanza::parse_ms),
            behind: None,
        }
    }
}

/// Whether this asks to enter, XEP-0045 7.2.1.
pub(crate) fn is_join(stanza: &Element) -> bool {
    stanza.name() == "presence" && stanza.get("type").is_none() && stanza.has_child("x", ns::MUC)
}

/// What of a user's presence others get to see: all but what only the room may say (17.3). Each element that may says in which
/// language it is, where the presence says so of all (13).
pub(crate) fn payload_of(presence: &Element) -> Vec<Element> {
    let foreign = |child: &&Element| {
        !matches!(child.ns(), ns::MUC | ns::MUC_USER | ns::DMUC | ns::NETJOIN | ns::OCCUPANT_ID | ns::SID | HATS | MAV)
    };
    let lang = presence.get("xml:lang");
    let said = |child: &Element| match lang.filter(|_| has_language(child) && child.get("xml:lang").is_none()) {
        Some(lang) => child.clone().attr("xml:lang", lang),
        None => child.clone(),
    };
    presence.children().filter(foreign).map(said).collect()
}

/// A presence that shows a payload, from nobody as yet; where all of it says its language, in that of the first.
pub(crate) fn presence_with(payload: &[Element]) -> Element {
    let mut languages = payload.iter().filter(|child| has_language(child)).map(|child| child.get("xml:lang"));
    let first = languages.next().flatten();
    let lang = first.filter(|_| languages.all(|other| other.is_some()));
    Element::stanza("presence").attr_opt("xml:lang", lang).with(payload.iter().cloned())
}

/// A presence of somebody who is out of reach: away, or busy as he was, and why. What he has said himself names its own
/// language, and the reason is in none of his.
pub(crate) fn shown_away(mut presence: Element, why: String) -> Element {
    let is = |child: &Element, name: &str| child.ns() == ns::CLIENT && child.name() == name;
    let rest: Vec<Element> = presence.children().cloned().collect();
    let busy = |child: &&Element| is(child, "show") && matches!(child.content().as_str(), "xa" | "dnd");
    let show = rest.iter().find(busy).cloned().unwrap_or_else(|| Element::new("show", ns::CLIENT).text("away"));
    presence.retain(|_| false);
    presence.unset("xml:lang");
    presence
        .child(show)
        .child(Element::new("status", ns::CLIENT).text(why))
        .with(rest.into_iter().filter(|child| !is(child, "show") && !is(child, "status")))
}

/// Only of text there is a language. RFC 6121 4.7.2: availability and priority have no attributes; hats are the room's word, not
/// the user's.
fn has_language(child: &Element) -> bool {
    let is_text = child.nodes().iter().any(|node| matches!(node, xmpp::Node::Text(text) if !text.trim().is_empty()));
    is_text && child.ns() != HATS && !(child.ns() == ns::CLIENT && matches!(child.name(), "show" | "priority"))
}
