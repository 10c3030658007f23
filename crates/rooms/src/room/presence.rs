//! What an occupant's presence looks like to others, and how it changes: XEP-0045 7.2.2, 7.7, 16.5.3 and 17.3.

use super::enter::payload_of;
use super::{Cx, Event, Occupant, Part, Removal, Room, Session, Shown, add_statuses};
use crate::names::{Affiliation, Nick, Role, Status};
use machine::Class;
use std::cell::RefCell;
use std::sync::Arc;
use xmpp::{Element, Jid, Shared, ns};

/// An occupant's presence as last shown to entrants: for those who see no real JIDs, and for those who do.
#[derive(Debug, Clone, Default)]
pub(crate) struct RosterCache(RefCell<[Option<Kept>; 2]>);

/// A presence, and the payload that it shows.
#[derive(Debug, Clone)]
struct Kept {
    shared: Shared,
    shows: Arc<[Element]>,
}

impl Room {
    /// 7.7: an occupant's client shows another availability.
    pub fn update_presence(&mut self, from: &Jid, stanza: &Element, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(from).cloned() else { return };
        let session = self.occupants.get_mut(&nick).and_then(|o| o.sessions.iter_mut().find(|s| s.jid == *from));
        let Some(session) = session else { return };
        session.payload = payload_of(stanza).into();
        self.show_update(&nick, from, cx);
    }

    /// Tells all the presence of one session, which is the one others see from now on.
    pub fn show_update(&mut self, nick: &Nick, session: &Jid, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get_mut(nick) else { return };
        let Some(at) = occupant.sessions.iter().position(|s| s.jid == *session) else { return };
        let shown = occupant.sessions.remove(at);
        occupant.sessions.push(shown);
        self.tell_presence(nick, |_| {}, cx);
    }

    /// Tells all how an occupant stands now; `with` may add to what the room says of him, such as a reason.
    pub fn tell_presence(&mut self, nick: &Nick, with: impl FnOnce(&mut Element), cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let mut stanza = self.presence_of(occupant);
        if let Some(x) = stanza.get_child_mut("x", ns::MUC_USER) {
            with(x);
        }
        let (part, told) = (self.part_of(occupant, stanza), self.shows(occupant));
        self.tell(Event { parts: vec![part], durable: Vec::new(), otherwise: Vec::new() }, cx);
        if let Some(occupant) = self.occupants.get_mut(nick) {
            occupant.told = told;
        }
    }

    /// A part that is an occupant's presence: his own sessions see 110.
    pub fn part_of(&self, occupant: &Occupant, stanza: Element) -> Part {
        Part {
            stanza,
            of: Some(occupant.nick.clone()),
            own: vec![Status::SELF],
            shown: if self.shows(occupant) { Shown::ToAll } else { Shown::ToOwnOnly },
            dmuc: Vec::new(),
        }
    }

    /// 7.2.17: presence from a client that only believes to be in the room is answered with an explicit removal.
    pub fn tell_outsider(&mut self, from: &Jid, nick: &Nick, cx: &mut Cx<'_>) {
        let id = occupant_id(&self.order.occupant_id(&from.bare()));
        self.answer(from, outsider(&self.jid, nick).child(id), cx);
    }

    /// 17.3: an occupant, or his server for him, asks whether the room or another occupant is still there. Nobody else is
    /// answered.
    pub fn handle_probe(&mut self, from: &Jid, to: &Jid, cx: &mut Cx<'_>) {
        let asker = self.occupants.values().find(|o| o.bare.as_str() == from.bare_str());
        let Some(asker) = asker.filter(|_| from.is_bare() || self.sessions.contains_key(from)) else { return };
        let answer = match Nick::of(to) {
            None => Element::stanza("presence").attr("from", self.jid.as_str()),
            Some(nick) => match self.occupants.get(&nick).filter(|o| o.bare == asker.bare || self.shows(o)) {
                Some(occupant) => self.seen_by(asker, self.presence_of(occupant)),
                None => absent(&self.jid, &nick),
            },
        };
        self.answer(from, answer, cx);
    }

    /// Whether others see this occupant at all.
    pub fn shows(&self, occupant: &Occupant) -> bool {
        self.config.presence_broadcast.contains(&occupant.role)
    }

    /// Who hears of what becomes of an occupant's name: all who know him.
    pub fn known_to(&self, occupant: &Occupant) -> Shown {
        if occupant.told || self.shows(occupant) { Shown::ToAll } else { Shown::ToOwnOnly }
    }

    /// An occupant's presence as others see it in the roster on entering: built and serialised once for all entrants, until
    /// it is another.
    pub fn roster_presence(&self, occupant: &Occupant, class: Class) -> Shared {
        let mut kept = occupant.roster.0.borrow_mut();
        let [plain, jids] = &mut *kept;
        let slot = if class == Class::Jids { jids } else { plain };
        let payload = &occupant.sessions.last().expect("an occupant in the room has a session").payload;
        if let Some(Kept { shared, shows }) = slot
            && Arc::ptr_eq(shows, payload)
            && self.still_shows(shared.element(), occupant, class)
        {
            return shared.clone();
        }
        let full = self.presence_of(occupant);
        let shared = Shared::new(match class {
            Class::Jids => full,
            Class::Plain => super::without_jids(&full).unwrap_or(full),
        });
        *slot = Some(Kept { shared: shared.clone(), shows: payload.clone() });
        shared
    }

    /// Whether `stanza`, which shows his payload, is the occupant's presence as it stands now.
    fn still_shows(&self, stanza: &Element, occupant: &Occupant, class: Class) -> bool {
        let Some(session) = occupant.sessions.last() else { return false };
        let nick = stanza.get("from").and_then(|from| from.strip_prefix(self.jid.as_str())?.strip_prefix('/'));
        let mut children = stanza.children().skip(session.payload.len());
        let same_hats = self.hats_of(&occupant.bare).is_none_or(|hats| children.next() == Some(&hats));
        let item = children.next().and_then(|x| x.get_child("item", ns::MUC_USER));
        let jid = (class == Class::Jids).then_some(session.jid.as_str());
        same_hats
            && nick == Some(occupant.nick.as_str())
            && item.is_some_and(|item| {
                item.get("jid") == jid
                    && item.get("role") == Some(occupant.role.as_str())
                    && item.get("affiliation") == Some(occupant.affiliation.as_str())
            })
    }

    /// An occupant's presence for somebody who may see everything.
    pub fn presence_of(&self, occupant: &Occupant) -> Element {
        let session = occupant.sessions.last().expect("an occupant in the room has a session");
        self.presence_with(occupant, session)
    }

    /// An occupant's presence as one of his sessions shows it.
    pub fn presence_with(&self, occupant: &Occupant, session: &Session) -> Element {
        self.shown_presence(occupant, &session.payload)
            .with(self.hats_of(&occupant.bare))
            .child(muc_user(occupant.affiliation, occupant.role, &session.jid))
            .child(occupant_id(&occupant.occupant_id))
    }

    /// The presence by which an occupant's session is no longer in the room, for somebody who may see everything.
    pub fn unavailable_with(&self, occupant: &Occupant, session: &Session, removal: &Removal) -> Element {
        let mut x = muc_user(removal.affiliation.unwrap_or(occupant.affiliation), Role::None, &session.jid);
        if let Some(item) = x.get_child_mut("item", ns::MUC_USER) {
            removal.describe(item);
        }
        x = x.with(removal.mav.clone());
        let mut stanza = self.shown_presence(occupant, &removal.payload).attr("type", "unavailable").child(x);
        add_statuses(&mut stanza, &removal.statuses);
        stanza.child(occupant_id(&occupant.occupant_id))
    }

    /// A stanza about an occupant as that occupant may see it.
    pub fn seen_by(&self, occupant: &Occupant, stanza: Element) -> Element {
        match self.class_of(occupant) {
            Class::Jids => stanza,
            Class::Plain => super::without_jids(&stanza).unwrap_or(stanza),
        }
    }

    fn shown_presence(&self, occupant: &Occupant, payload: &[Element]) -> Element {
        super::presence_with(payload).attr("from", occupant.nick.in_room(&self.jid).as_str())
    }
}

/// The removal of somebody who is not there, 7.2.17.
pub(crate) fn outsider(room: &Jid, nick: &Nick) -> Element {
    let mut stanza = absent(room, nick);
    if let Some(item) = stanza.get_child_mut("x", ns::MUC_USER).and_then(|x| x.get_child_mut("item", ns::MUC_USER)) {
        item.push(Element::new("reason", ns::MUC_USER).text("You are not in the room."));
    }
    add_statuses(&mut stanza, &[Status::SELF, Status::KICKED, Status::FAILURE]);
    stanza
}

/// A nick that nobody has.
pub(crate) fn absent(room: &Jid, nick: &Nick) -> Element {
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", Affiliation::None.as_str())
        .attr("role", Role::None.as_str());
    Element::stanza("presence")
        .attr("from", nick.in_room(room).as_str())
        .attr("type", "unavailable")
        .child(Element::new("x", ns::MUC_USER).child(item))
}

/// XEP-0421.
pub(crate) fn occupant_id(id: &str) -> Element {
    Element::new("occupant-id", ns::OCCUPANT_ID).attr("id", id)
}

fn muc_user(affiliation: Affiliation, role: Role, jid: &Jid) -> Element {
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", affiliation.as_str())
        .attr("role", role.as_str())
        .attr("jid", jid.as_str());
    Element::new("x", ns::MUC_USER).child(item)
}
