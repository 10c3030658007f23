//! `<granted/>`: the answer to a registration.

use super::read::{Damaged, Reader, full_jid, name, number, one_of, plain_text, small};
use super::{OUTBOXES_MAX, SEATS_MAX};
use crate::names::{Nick, Status};
use crate::room::statuses_of;
use xmpp::{Element, Jid, ns};

/// A registration that was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The version both ends now speak.
    pub version: u32,
    /// Names the registration; on every stanza of the link from now on.
    pub epoch: String,
    /// Which life of the room.
    pub incarnation: String,
    /// Which start of the primary.
    pub term: String,
    /// The last event that may have been before that start.
    pub begun: u64,
    /// The last event before the snapshot.
    pub seq: u64,
    /// Silence after which either side pings, seconds.
    pub keepalive: u32,
    /// How many missed messages are sent at a time.
    pub maxstanzas: u32,
    /// How many bytes of missed messages are sent at a time.
    pub maxbytes: u32,
    /// How the roster is sent.
    pub roster: RosterSent,
    /// What is sent of the messages that were missed.
    pub history: HistorySent,
    /// One per outbox that was offered.
    pub marks: Vec<Mark>,
    /// One per seat of the census, in its order.
    pub seats: Vec<Seat>,
}

/// How a snapshot says who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterSent {
    /// One presence per seat.
    Full,
    /// One presence per seat that is new or another since the resume point, an unavailable one per seat that is gone.
    Changes,
    /// Not at all, for nobody of the site is in the room: the answer holds verdicts and marks only, and there is no link.
    None,
}

/// What a snapshot holds of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistorySent {
    /// Recent history: the first time, or what was missed cannot be told; users present are told of the gap.
    Recent,
    /// Everything archived behind the resume point.
    Missed,
    /// Nothing; stands with [`RosterSent::None`] and only there.
    None,
}

/// What the primary has had of an outbox, and the key of its message ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The outbox.
    pub outbox: String,
    /// The highest number that had its outcome; 0 for none.
    pub n: u64,
    /// Makes the ids of messages in this outbox, [`super::ids`].
    pub key: [u8; 32],
}

/// What became of a session in the census.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The nick it has, or had.
    pub nick: Nick,
    /// The full address.
    pub jid: Jid,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a session while its replica was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Still in the room.
    Kept,
    /// Was taken for lost and has been entered again.
    Reenter,
    /// Is not in the room any more.
    Removed(Removed),
}

/// How a session was removed, to be told to its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// 301, 307, 321, 322, 332 or 333.
    pub status: Status,
    /// The nick of who did it.
    pub actor: Option<Nick>,
    /// What was said about it.
    pub reason: Option<String>,
}

impl Removed {
    /// Reads from what a session got itself who removed its occupant and why; `None` when it left of its own, or was given up.
    pub fn of(own: &Element) -> Option<Removed> {
        let status = statuses_of(own).find(|status| DONE.contains(status))?;
        let item = own.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)?;
        let actor = item.get_child("actor", ns::MUC_USER).and_then(|actor| actor.get("nick")?.parse().ok());
        let reason = item.get_child("reason", ns::MUC_USER).map(Element::content);
        Some(Removed { status, actor, reason })
    }
}

/// What somebody does to another: it is done to an occupant, with all its sessions.
const DONE: [Status; 4] = [Status::BANNED, Status::KICKED, Status::AFFILIATION_CHANGE, Status::MEMBERS_ONLY];

impl Granted {
    /// Reads `<granted/>`.
    pub fn parse(element: &Element) -> Result<Granted, Damaged> {
        let known = [
            "version",
            "epoch",
            "incarnation",
            "term",
            "begun",
            "seq",
            "keepalive",
            "maxstanzas",
            "maxbytes",
            "roster",
            "history",
        ];
        let g = Reader::new(element, ("granted", ns::NETJOIN), &known)?;
        let mut granted = Granted {
            version: g.get("version", small)?,
            epoch: g.get("epoch", name)?,
            incarnation: g.get("incarnation", name)?,
            term: g.get("term", name)?,
            begun: g.get("begun", number)?,
            seq: g.get("seq", number)?,
            keepalive: g.get("keepalive", small)?,
            maxstanzas: g.get("maxstanzas", |t| small(t).filter(|n| *n > 0))?,
            maxbytes: g.get("maxbytes", |t| small(t).filter(|n| *n > 0))?,
            roster: g.get("roster", |text| one_of(&RosterSent::ALL, RosterSent::as_str, text))?,
            history: g.get("history", |text| one_of(&HistorySent::ALL, HistorySent::as_str, text))?,
            marks: Vec::new(),
            seats: Vec::new(),
        };
        if (granted.roster == RosterSent::None) != (granted.history == HistorySent::None) {
            return Err(Damaged::Together("granted", "'roster' and 'history' are 'none' together"));
        }
        for child in element.children() {
            match child.name() {
                "mark" if granted.seats.is_empty() => granted.marks.push(Mark::parse(child)?),
                "seat" => granted.seats.push(Seat::parse(child)?),
                _ => return Err(g.unknown(child)),
            }
        }
        if granted.marks.is_empty() {
            return Err(Damaged::MissingChild("granted", "mark"));
        }
        if granted.marks.len() > OUTBOXES_MAX || granted.seats.len() > SEATS_MAX {
            return Err(Damaged::TooMany("granted"));
        }
        Ok(granted)
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("granted", ns::NETJOIN)
            .attr("version", self.version.to_string())
            .attr("epoch", &self.epoch)
            .attr("incarnation", &self.incarnation)
            .attr("term", &self.term)
            .attr("begun", self.begun.to_string())
            .attr("seq", self.seq.to_string())
            .attr("keepalive", self.keepalive.to_string())
            .attr("maxstanzas", self.maxstanzas.to_string())
            .attr("maxbytes", self.maxbytes.to_string())
            .attr("roster", self.roster.as_str())
            .attr("history", self.history.as_str())
            .with(self.marks.iter().map(Mark::element))
            .with(self.seats.iter().map(Seat::element))
    }
}

impl RosterSent {
    const ALL: [RosterSent; 3] = [RosterSent::Full, RosterSent::Changes, RosterSent::None];

    fn as_str(self) -> &'static str {
        match self {
            RosterSent::Full => "full",
            RosterSent::Changes => "changes",
            RosterSent::None => "none",
        }
    }
}

impl HistorySent {
    const ALL: [HistorySent; 3] = [HistorySent::Recent, HistorySent::Missed, HistorySent::None];

    fn as_str(self) -> &'static str {
        match self {
            HistorySent::Recent => "recent",
            HistorySent::Missed => "missed",
            HistorySent::None => "none",
        }
    }
}

impl Mark {
    fn parse(element: &Element) -> Result<Mark, Damaged> {
        let mark = Reader::new(element, ("mark", ns::NETJOIN), &["outbox", "n", "key"])?.empty()?;
        Ok(Mark {
            outbox: mark.get("outbox", name)?,
            n: mark.get("n", number)?,
            key: mark.get("key", super::ids::decode_key)?,
        })
    }

    fn element(&self) -> Element {
        Element::new("mark", ns::NETJOIN)
            .attr("outbox", &self.outbox)
            .attr("n", self.n.to_string())
            .attr("key", super::ids::encode_key(&self.key))
    }
}

impl Seat {
    fn parse(element: &Element) -> Result<Seat, Damaged> {
        let seat = Reader::new(element, ("seat", ns::NETJOIN), &["nick", "jid", "verdict", "status", "actor"])?;
        let status = seat.read("status", removal)?;
        let actor = seat.read("actor", |t| t.parse().ok())?;
        let mut reason = None;
        for child in element.children() {
            if !child.is("reason", ns::NETJOIN) || reason.is_some() {
                return Err(seat.unknown(child));
            }
            reason = Some(plain_text(child, "reason")?);
        }
        let bare = status.is_none() && actor.is_none() && reason.is_none();
        let verdict = match (seat.required("verdict")?, status) {
            ("kept", None) if bare => Verdict::Kept,
            ("reenter", None) if bare => Verdict::Reenter,
            ("removed", Some(status)) => Verdict::Removed(Removed { status, actor, reason }),
            ("kept" | "reenter" | "removed", _) => {
                return Err(Damaged::Together("seat", "'status' stands on what was removed, and only there"));
            }
            _ => return Err(seat.bad("verdict")),
        };
        Ok(Seat { nick: seat.get("nick", |t| t.parse().ok())?, jid: seat.get("jid", full_jid)?, verdict })
    }

    fn element(&self) -> Element {
        let seat = Element::new("seat", ns::NETJOIN).attr("nick", self.nick.as_str()).attr("jid", self.jid.as_str());
        match &self.verdict {
            Verdict::Kept => seat.attr("verdict", "kept"),
            Verdict::Reenter => seat.attr("verdict", "reenter"),
            Verdict::Removed(removed) => seat
                .attr("verdict", "removed")
                .attr("status", removed.status.0.to_string())
                .attr_opt("actor", removed.actor.as_ref().map(Nick::as_str))
                .with(removed.reason.as_ref().map(|text| Element::new("reason", ns::NETJOIN).text(text.clone()))),
        }
    }
}

/// The codes of XEP-0045 15.6 that say why somebody was removed.
fn removal(text: &str) -> Option<Status> {
    small(text).filter(|code| matches!(code, 301 | 307 | 321 | 322 | 332 | 333)).map(|code| Status(code as u16))
}
