//! How anything reaches occupants. Nothing else in `room/` may send to an occupant of the room.
//!
//! An [`Event`] is told to all: once to the audience of direct sessions, once to each live replica (XEP-0282 4.7,
//! 4.9), under one number of the room's order. [`Room::welcome`] and [`Room::dismiss`] are what one session gets on
//! entering and leaving: the real stanzas for a direct one, ENTER and LEAVE (4.5, 4.6) for one behind a replica.
//! [`Room::answer`] is everything one-to-one.

use super::{Cx, Occupant, Past, Room, Session, Unsure, Via, config::Whois};
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use machine::{AudienceChange, Change, Class, Output};
use xmpp::{Element, Jid, Shared, ns};

/// Something all occupants are told; takes one number of the order.
pub(crate) struct Event {
    /// Usually one stanza; two for a nick change.
    pub parts: Vec<Part>,
    /// What must be durable before anybody sees it: the archive row, the outbox mark, an affiliation.
    pub durable: Vec<Change>,
    /// What is sent in place of the event when that fails: the error to its author.
    pub otherwise: Vec<Output>,
}

/// One stanza of an event, as the room means it for somebody who may see everything.
pub(crate) struct Part {
    /// `from` is set, `to` is not; a muc#user item bears the real JID, which is taken out for those who may not see it.
    pub stanza: Element,
    /// Whose presence it is; that occupant's sessions get `own` in its place.
    pub of: Option<Nick>,
    /// Status codes that only the occupant's own sessions see (110 and its like), on top of those in `stanza`.
    pub own: Vec<Status>,
    /// Whether others see it at all: presence of roles that the configuration does not broadcast is not.
    pub shown: Shown,
    /// What goes into the dmuc element for replicas, such as the delay of 4.9.
    pub dmuc: Vec<Element>,
}

/// Who sees a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All occupants.
    ToAll,
    /// Only the occupant whose presence it is (XEP-0045 16.5.3, `muc#roomconfig_presencebroadcast`).
    ToOwnOnly,
}

/// What of the history an entrant wants, XEP-0045 7.2.14.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HistoryWanted {
    pub max_chars: Option<usize>,
    pub max_stanzas: Option<usize>,
    pub seconds: Option<u64>,
    pub since_ms: Option<i64>,
    /// Only what has a higher number; no client asks for it.
    pub behind: Option<u64>,
}

impl Room {
    /// Tells all: direct sessions, and each live replica once. Gives the number of the event.
    pub fn tell(&mut self, event: Event, cx: &mut Cx<'_>) -> u64 {
        self.lift_for_event(&event.parts, cx);
        let seq = self.next_seq(cx);
        let mut outputs = Vec::new();
        let parts = event.parts.len();
        // A mark is acknowledged with the event that is its outcome when it is durable with it, or is already.
        let acked = if event.durable.is_empty() && !cx.mark_kept { None } else { cx.up.as_ref() };
        self.entitle(&event.parts, &mut outputs);
        self.links.note_changes(seq, &event.parts);
        for (index, part) in event.parts.iter().enumerate() {
            self.tell_direct(part, &mut outputs);
            self.links.tell(&self.jid, seq, (index + 1, parts), part, acked, &mut outputs);
        }
        if event.durable.is_empty() {
            self.gate.pass_all(outputs, cx.out);
        } else {
            let mut durable = event.durable;
            if !flaw!(MarkApart) {
                durable.extend(cx.take_mark(&self.jid));
            }
            if flaw!(ToldBeforeDurable) {
                self.gate.persist(durable, cx.out);
                self.gate.pass_all(outputs, cx.out);
                return seq;
            }
            let token = self.gate.persist_first(durable, outputs, event.otherwise, cx.out);
            self.unsure.push_back(Unsure { token, seq, subject_before: None });
        }
        seq
    }

    /// What a session that has just been put in gets: everything of XEP-0045 7.2.2 to 7.2.16 that follows the
    /// event of its entry, or ENTER. `own` is its own presence with all status codes.
    pub fn welcome(&mut self, session: &Session, own: Element, history: HistoryWanted, cx: &mut Cx<'_>) {
        match &session.via {
            Via::Direct => self.welcome_directly(&session.jid, own, history, cx),
            Via::Replica(replica) => {
                self.seated(replica, &session.jid, cx);
                let mut outputs = Vec::new();
                if let Some(nick) = self.sessions.get(&session.jid).cloned() {
                    self.entitle_session(&nick, &mut outputs);
                }
                self.links.enter(replica, &self.jid, session, own, history, &mut outputs);
                self.gate.pass_all(outputs, cx.out);
            }
        }
    }

    /// What a session that has just been taken out gets, before the event tells the others: its own unavailable
    /// presence with all status codes, or LEAVE.
    pub fn dismiss(&mut self, session: &Session, own: Element, cx: &mut Cx<'_>) {
        let mut outputs = Vec::new();
        match &session.via {
            Via::Direct => {
                outputs.push(self.audience_change(&session.jid, AudienceChange::Out));
                outputs.push(Output::Send { to: session.jid.clone(), stanza: Shared::new(own) });
            }
            Via::Replica(replica) => self.links.leave(replica, self.order.seq, session, own, &mut outputs),
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// Anything for one address alone; errors for what a replica relayed bear its number.
    pub fn answer(&mut self, to: &Jid, mut stanza: Element, cx: &mut Cx<'_>) {
        if let Some(up) = cx.up.as_ref().filter(|up| stanza.get("type") == Some("error") && up.from == *to) {
            stanza.push(up.on_error());
        }
        self.gate.pass(Output::Send { to: to.clone(), stanza: Shared::new(stanza) }, cx.out);
    }

    /// Brings the class of an occupant's sessions in line with what the occupant may see now.
    pub fn reclass(&mut self, nick: &Nick, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let class = self.class_of(occupant);
        let mut outputs = Vec::new();
        for session in self.direct_sessions_of(nick) {
            outputs.push(self.audience_change(&session.jid, AudienceChange::In(class)));
        }
        self.gate.pass_all(outputs, cx.out);
    }

    /// Whether an occupant may see real JIDs, XEP-0045 4.2.
    pub fn class_of(&self, occupant: &Occupant) -> Class {
        if self.config.whois == Whois::Anyone || occupant.role == Role::Moderator { Class::Jids } else { Class::Plain }
    }

    fn next_seq(&mut self, cx: &mut Cx<'_>) -> u64 {
        self.order.seq += 1;
        // A room that is destroyed has no record to write any more.
        let low = self.order.seq + SEQ_BLOCK / 2 > self.order.reserved;
        // A decision under way may write the same record; it goes first while there are numbers left.
        if self.kept && low && (self.pending.is_none() || self.order.seq >= self.order.reserved) {
            let before = std::mem::replace(&mut self.order.reserved, self.order.seq + SEQ_BLOCK);
            let change = self.meta_change();
            // Half a block is left when this is asked for; what is told meanwhile must not outrun it.
            let token = self.gate.persist_first(vec![change], Vec::new(), Vec::new(), cx.out);
            self.order.reserving = Some((token, before));
        }
        self.order.seq
    }

    fn tell_direct(&self, part: &Part, outputs: &mut Vec<Output>) {
        let stanza = self.overlaid(&part.stanza).unwrap_or_else(|| part.stanza.clone());
        let jids = Shared::new(stanza.clone());
        let plain = match without_jids(&stanza) {
            Some(stanza) => Shared::new(stanza),
            None => jids.clone(),
        };
        let own: Vec<&Session> = part.of.iter().flat_map(|nick| self.direct_sessions_of(nick)).collect();
        let except = own.iter().map(|s| s.jid.clone()).collect();
        let of = part.of.as_ref().and_then(|nick| self.occupants.get(nick));
        let own_stanza = of.map(|occupant| {
            let shown = if self.class_of(occupant) == Class::Jids { &jids } else { &plain };
            let mut stanza = shown.element().clone();
            add_statuses(&mut stanza, &part.own);
            Shared::new(stanza)
        });
        let (plain, jids) = match (part.shown, of) {
            (Shown::ToAll, _) => (Some(plain), Some(jids)),
            (Shown::ToOwnOnly, Some(occupant)) if occupant.told => self.gone_from_sight(occupant),
            (Shown::ToOwnOnly, _) => (None, None),
        };
        outputs.push(Output::Broadcast { audience: self.audience, plain, jids, except });
        if let Some(stanza) = own_stanza {
            outputs.extend(own.iter().map(|s| Output::Send { to: s.jid.clone(), stanza: stanza.clone() }));
        }
    }

    /// For others an occupant is gone whose role is one whose presence is not broadcast any more.
    fn gone_from_sight(&self, occupant: &Occupant) -> (Option<Shared>, Option<Shared>) {
        let session = occupant.sessions.last().expect("an occupant in the room has a session");
        let gone = self.unavailable_with(occupant, session, &super::Removal::default());
        (without_jids(&gone).map(Shared::new), Some(Shared::new(gone)))
    }

    fn welcome_directly(&mut self, to: &Jid, own: Element, history: HistoryWanted, cx: &mut Cx<'_>) {
        let Some(me) = self.sessions.get(to).and_then(|nick| self.occupants.get(nick)) else { return };
        let class = self.class_of(me);
        let mut outputs = vec![self.audience_change(to, AudienceChange::In(class))];
        for occupant in self.in_order_of_entry().filter(|o| o.nick != me.nick && self.shows(o)) {
            outputs.push(Output::Send { to: to.clone(), stanza: self.shown_presence_to(occupant, class) });
        }
        outputs.push(Output::Send { to: to.clone(), stanza: Shared::new(own) });
        self.gate.pass_all(outputs, cx.out);
        let past = self.history_for(history, to, cx.now.unix_ms).into_iter();
        let past: Vec<(u64, Shared)> = past.map(|past| (past.seq, past.delayed(&self.jid))).collect();
        for (seq, stanza) in past {
            self.pass_past(Some(seq), Output::Send { to: to.clone(), stanza }, cx);
        }
        self.welcome_with_subject(to, cx);
    }

    /// The end of what an entrant is sent (7.2.16): the subject, or the one that stays should its change not be kept.
    fn welcome_with_subject(&mut self, to: &Jid, cx: &mut Cx<'_>) {
        let output = |subject: Option<&Past>| {
            let stanza = self.subject_stanza_of(subject);
            Output::Send { to: to.clone(), stanza }
        };
        let unsure =
            |subject: Option<&Past>| self.unsure.iter().find(|unsure| Some(unsure.seq) == subject.map(|s| s.seq));
        let mut subject = self.subject.as_ref();
        let (now, changing) = (output(subject), unsure(subject).map(|unsure| unsure.token));
        while let Some(before) = unsure(subject).and_then(|unsure| unsure.subject_before.as_ref()) {
            subject = before.as_ref();
        }
        let before = output(subject);
        match changing {
            Some(token) => self.gate.pass_with(token, now, Some(before)),
            None => self.gate.pass(now, cx.out),
        }
    }

    /// Passes on a message that was said before: not before it is durable, and never if it cannot be.
    pub fn pass_past(&mut self, seq: Option<u64>, output: Output, cx: &mut Cx<'_>) {
        match self.unsure.iter().find(|unsure| Some(unsure.seq) == seq) {
            Some(unsure) => self.gate.pass_with(unsure.token, output, None),
            None => self.gate.pass(output, cx.out),
        }
    }

    /// All occupants in the order in which they entered, as a roster is sent.
    pub fn in_order_of_entry(&self) -> impl Iterator<Item = &Occupant> {
        let mut occupants: Vec<&Occupant> = self.occupants.values().collect();
        occupants.sort_by_key(|occupant| occupant.entered);
        occupants.into_iter()
    }

    /// A change of the room's audience as an output.
    pub fn audience_change(&self, member: &Jid, change: AudienceChange) -> Output {
        Output::Audience { audience: self.audience, member: member.clone(), change }
    }

    fn direct_sessions_of(&self, nick: &Nick) -> impl Iterator<Item = &Session> {
        self.occupants.get(nick).into_iter().flat_map(|o| &o.sessions).filter(|s| s.via == Via::Direct)
    }
}

impl HistoryWanted {
    /// Which of `past`, oldest first, the entrant `to` gets of `room`; `seconds` and `since` look at when a message was said,
    /// `maxchars` counts the characters of whole stanzas as they are sent. The same at a primary and at a replica.
    pub fn choose<'a>(
        &self,
        past: impl DoubleEndedIterator<Item = &'a Past>,
        (room, to): (&Jid, &Jid),
        now_ms: i64,
    ) -> Vec<&'a Past> {
        let oldest_ms = self.since_ms.max(self.seconds.map(|s| now_ms.saturating_sub_unsigned(s.saturating_mul(1000))));
        let mut chars_left = self.max_chars;
        let mut chosen: Vec<&Past> = past
            .rev()
            .take(self.max_stanzas.unwrap_or(usize::MAX))
            .take_while(|past| self.behind.is_none_or(|behind| past.seq > behind))
            .take_while(|past| oldest_ms.is_none_or(|oldest| past.stamp_ms >= oldest))
            .take_while(|past| {
                let Some(left) = chars_left else { return true };
                let sent = past.delayed(room).addressed(to.as_str()).to_xml().chars().count();
                chars_left = Some(left.saturating_sub(sent));
                sent <= left
            })
            .collect();
        chosen.reverse();
        chosen
    }
}

/// Adds status codes to a muc#user element, which is made when there is none.
pub(crate) fn add_statuses(stanza: &mut Element, statuses: &[Status]) {
    if statuses.is_empty() {
        return;
    }
    if !stanza.has_child("x", ns::MUC_USER) {
        stanza.push(Element::new("x", ns::MUC_USER));
    }
    let x = stanza.get_child_mut("x", ns::MUC_USER).expect("it was just added");
    for status in statuses {
        x.push(Element::new("status", ns::MUC_USER).attr("code", status.0.to_string()));
    }
}

/// Whether a stanza says this code.
pub(crate) fn has_status(stanza: &Element, status: Status) -> bool {
    statuses_of(stanza).any(|said| said == status)
}

/// The codes that a stanza says.
pub(crate) fn statuses_of(stanza: &Element) -> impl Iterator<Item = Status> {
    let x = stanza.get_child("x", ns::MUC_USER).into_iter().flat_map(Element::children);
    x.filter(|c| c.name() == "status").filter_map(|c| c.get("code")?.parse::<u16>().ok()).map(Status)
}

/// The stanza with no real JID in its muc#user items; `None` when it has none.
pub(crate) fn without_jids(stanza: &Element) -> Option<Element> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    x.children().find(|item| item.name() == "item" && item.get("jid").is_some())?;
    let mut stripped = stanza.clone();
    let x = stripped.get_child_mut("x", ns::MUC_USER)?;
    let mut clean = Element::new("x", ns::MUC_USER);
    for child in x.children() {
        let mut child = child.clone();
        if child.name() == "item" {
            child.unset("jid");
        }
        clean.push(child);
    }
    *x = clean;
    Some(stripped)
}

/// How many numbers of the order are reserved on disk at a time: large enough that it is rarely written, small enough
/// that restarts leave no large holes.
const SEQ_BLOCK: u64 = 1_000;
