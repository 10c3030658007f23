//! `<at/>`: where a stanza down stands.

use super::PARTS_MAX;
use super::read::{Damaged, Reader, name, positive, small};
use crate::names::Status;
use xmpp::{Element, ns};

/// The marks of one stanza down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The registration it belongs to.
    pub epoch: String,
    /// Counts everything down for this room in this epoch, from 1.
    pub d: u64,
    /// What it is.
    pub kind: Kind,
    /// The event's place in the room's order; on every event, past message, `synced` and `digest`.
    pub seq: Option<u64>,
    /// (part, parts) where an event is several stanzas; the first is 1.
    pub part: Option<(u32, u32)>,
    /// What has become durable of an outbox.
    pub ack: Option<Ack>,
    /// Whether only the sessions of the occupant it is about are to see it.
    pub own_only: bool,
    /// Status codes that the sessions of the occupant it is about see besides those in the stanza; `None` for 110.
    pub own: Option<Vec<Status>>,
}

/// The highest number of an outbox whose outcome is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The outbox.
    pub outbox: String,
    /// The number.
    pub n: u64,
}

/// What a stanza down is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What all occupants are told.
    Event,
    /// XEP-0282 4.5.
    Enter,
    /// XEP-0282 4.6.
    Leave,
    /// Snapshot: the configuration.
    Config,
    /// Snapshot: a seat, XEP-0282 4.3.
    Roster,
    /// Snapshot: a message of the history, XEP-0282 4.4.
    History,
    /// Snapshot: a message behind the resume point.
    Missed,
    /// Snapshot: the subject.
    Subject,
    /// The snapshot is whole.
    Synced,
    /// Real addresses, to be kept and not to be told.
    Jids,
    /// Something relayed did not arrive.
    Resend,
    /// Occupants whom a split has put out of reach, or no longer.
    Away,
    /// What the roster must be by now.
    Digest,
    /// Who of the site may enter while the link is lost.
    Members,
}

impl Kind {
    const ALL: [Kind; 14] = [
        Kind::Event,
        Kind::Enter,
        Kind::Leave,
        Kind::Config,
        Kind::Roster,
        Kind::History,
        Kind::Missed,
        Kind::Subject,
        Kind::Synced,
        Kind::Jids,
        Kind::Resend,
        Kind::Away,
        Kind::Digest,
        Kind::Members,
    ];

    /// The value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Event => "event",
            Kind::Enter => "enter",
            Kind::Leave => "leave",
            Kind::Config => "config",
            Kind::Roster => "roster",
            Kind::History => "history",
            Kind::Missed => "missed",
            Kind::Subject => "subject",
            Kind::Synced => "synced",
            Kind::Jids => "jids",
            Kind::Resend => "resend",
            Kind::Away => "away",
            Kind::Digest => "digest",
            Kind::Members => "members",
        }
    }

    fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn has_seq(self) -> bool {
        matches!(self, Kind::Event | Kind::History | Kind::Missed | Kind::Synced | Kind::Digest)
    }
}

impl At {
    /// Marks without anything optional.
    pub fn new(epoch: &str, d: u64, kind: Kind) -> At {
        At { epoch: epoch.to_owned(), d, kind, seq: None, part: None, ack: None, own_only: false, own: None }
    }

    /// Reads `<at/>`.
    pub fn parse(element: &Element) -> Result<At, Damaged> {
        let known = ["epoch", "d", "kind", "seq", "part", "parts", "ack", "outbox", "shown", "own"];
        let at = Reader::new(element, ("at", ns::NETJOIN), &known)?.empty()?;
        let kind = at.get("kind", Kind::parse)?;
        let seq = at.read("seq", positive_or_zero)?;
        if kind.has_seq() != seq.is_some() {
            return Err(Damaged::Together(
                "at",
                "'seq' stands on events, past messages, 'synced' and 'digest', and only there",
            ));
        }
        Ok(At {
            epoch: at.get("epoch", name)?,
            d: at.get("d", positive)?,
            kind,
            seq,
            part: read_part(&at, kind)?,
            ack: read_ack(&at)?,
            own_only: at.read("shown", |text| (text == "own").then_some(true))?.unwrap_or(false),
            own: at.read("own", statuses)?,
        })
    }

    /// The element.
    pub fn element(&self) -> Element {
        let codes = |own: &Vec<Status>| own.iter().map(|s| s.0.to_string()).collect::<Vec<_>>().join(" ");
        Element::new("at", ns::NETJOIN)
            .attr("epoch", &self.epoch)
            .attr("d", self.d.to_string())
            .attr("kind", self.kind.as_str())
            .attr_opt("seq", self.seq.map(|n| n.to_string()))
            .attr_opt("part", self.part.map(|(part, _)| part.to_string()))
            .attr_opt("parts", self.part.map(|(_, parts)| parts.to_string()))
            .attr_opt("ack", self.ack.as_ref().map(|ack| ack.n.to_string()))
            .attr_opt("outbox", self.ack.as_ref().map(|ack| &ack.outbox))
            .attr_opt("shown", self.own_only.then_some("own"))
            .attr_opt("own", self.own.as_ref().map(codes))
    }
}

fn read_part(at: &Reader<'_>, kind: Kind) -> Result<Option<(u32, u32)>, Damaged> {
    match (at.read("part", small)?, at.read("parts", small)?) {
        (None, None) => Ok(None),
        (Some(part), Some(parts)) if kind == Kind::Event && (1..=parts).contains(&part) && parts <= PARTS_MAX => {
            Ok(Some((part, parts)))
        }
        _ => Err(Damaged::Together("at", "'part' and 'parts' stand together, on events, 1 to 8")),
    }
}

fn read_ack(at: &Reader<'_>) -> Result<Option<Ack>, Damaged> {
    match (at.read("ack", positive)?, at.read("outbox", name)?) {
        (None, None) => Ok(None),
        (Some(n), Some(outbox)) => Ok(Some(Ack { outbox, n })),
        _ => Err(Damaged::Together("at", "'ack' and 'outbox' stand together")),
    }
}

fn positive_or_zero(text: &str) -> Option<u64> {
    super::read::number(text)
}

/// Status codes, three digits each, separated by one space; empty for none.
fn statuses(text: &str) -> Option<Vec<Status>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let code = |t: &str| if t.len() == 3 { small(t).map(|n| Status(n as u16)) } else { None };
    text.split(' ').map(code).collect()
}
