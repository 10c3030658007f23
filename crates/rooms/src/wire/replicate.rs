//! `<replicate/>`: a replica registers.

use super::read::{Damaged, Reader, full_jid, name, number, one_of, positive, small};
use super::{DOMAINS_MAX, OUTBOXES_MAX, SEATS_MAX};
use crate::names::Nick;
use xmpp::{Element, Jid, ns};

/// A registration request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicate {
    /// The highest version the replica speaks.
    pub version: u32,
    /// Silence after which it would ping, seconds.
    pub keepalive: u32,
    /// How many missed messages it takes at a time.
    pub maxstanzas: u32,
    /// How many bytes of missed messages it takes at a time.
    pub maxbytes: u32,
    /// Where what it relays stands: the present outbox first, then older ones that still hold something.
    pub outboxes: Vec<Outbox>,
    /// Domains it serves besides its own.
    pub domains: Vec<Jid>,
    /// Where it was when it was here before.
    pub resume: Option<Resume>,
    /// Whether it wants to know which of its users may enter while the link is lost.
    pub members: bool,
    /// Who believes to be in the room; none on a first registration.
    pub census: Option<Census>,
}

/// One outbox of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    /// Its name; a replica that starts takes a new one.
    pub name: String,
    /// The lowest number it still holds, or else the next it will give: what is below has been acknowledged.
    pub from: u64,
}

/// What a replica has kept of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Which life of the room.
    pub incarnation: String,
    /// Which start of the primary.
    pub term: String,
    /// The last event applied.
    pub seq: u64,
    /// The stanza-id of the last message kept.
    pub archive: Option<String>,
    /// What is kept of the roster.
    pub roster: RosterHeld,
}

/// What a replica has of a room's roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RosterHeld {
    /// Nothing, as after a restart.
    None,
    /// It has been found to be wrong: the whole is wanted, whatever is known to have changed.
    Wrong,
    /// The roster behind the last event applied, so that what has changed since is enough.
    AsOfSeq {
        /// Whether with a real address for every seat.
        jids: bool,
    },
}

/// A replica's local sessions in a room.
pub type Census = (u64, Vec<CensusSeat>);

/// One local session that believes to be in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusSeat {
    /// The nick it has.
    pub nick: Nick,
    /// The full address.
    pub jid: Jid,
    /// The payload of its last presence, for a seat that has to be entered again.
    pub payload: Vec<Element>,
}

impl Replicate {
    /// Reads `<replicate/>`.
    pub fn parse(element: &Element) -> Result<Replicate, Damaged> {
        let known = ["version", "keepalive", "maxstanzas", "maxbytes", "members"];
        let r = Reader::new(element, ("replicate", ns::NETJOIN), &known)?;
        let mut request = Replicate {
            version: r.get("version", small)?,
            keepalive: r.get("keepalive", small)?,
            maxstanzas: r.get("maxstanzas", |t| small(t).filter(|n| *n > 0))?,
            maxbytes: r.get("maxbytes", |t| small(t).filter(|n| *n > 0))?,
            outboxes: Vec::new(),
            domains: Vec::new(),
            resume: None,
            members: r.read("members", |text| (text == "true").then_some(true))?.unwrap_or(false),
            census: None,
        };
        for child in element.children() {
            match child.name() {
                "outbox" if request.domains.is_empty() && request.resume.is_none() && request.census.is_none() => {
                    request.outboxes.push(Outbox::parse(child)?);
                }
                "serves" if request.resume.is_none() && request.census.is_none() => {
                    let serves = Reader::new(child, ("serves", ns::NETJOIN), &["domain"])?.empty()?;
                    let domain = |t: &str| Jid::new(t).ok().filter(|d| d.is_bare() && d.local().is_none());
                    request.domains.push(serves.get("domain", domain)?);
                }
                "resume" if request.resume.is_none() && request.census.is_none() => {
                    request.resume = Some(Resume::parse(child)?);
                }
                "census" if request.census.is_none() => request.census = Some(parse_census(child)?),
                _ => return Err(r.unknown(child)),
            }
        }
        if request.outboxes.is_empty() {
            return Err(Damaged::MissingChild("replicate", "outbox"));
        }
        if request.outboxes.len() > OUTBOXES_MAX || request.domains.len() > DOMAINS_MAX {
            return Err(Damaged::TooMany("replicate"));
        }
        Ok(request)
    }

    /// The element.
    pub fn element(&self) -> Element {
        let outbox =
            |o: &Outbox| Element::new("outbox", ns::NETJOIN).attr("name", &o.name).attr("from", o.from.to_string());
        let serves = |domain: &Jid| Element::new("serves", ns::NETJOIN).attr("domain", domain.as_str());
        Element::new("replicate", ns::NETJOIN)
            .attr("version", self.version.to_string())
            .attr("keepalive", self.keepalive.to_string())
            .attr("maxstanzas", self.maxstanzas.to_string())
            .attr("maxbytes", self.maxbytes.to_string())
            .attr_opt("members", self.members.then_some("true"))
            .with(self.outboxes.iter().map(outbox))
            .with(self.domains.iter().map(serves))
            .with(self.resume.as_ref().map(Resume::element))
            .with(self.census.as_ref().map(census_element))
    }
}

impl Outbox {
    fn parse(element: &Element) -> Result<Outbox, Damaged> {
        let outbox = Reader::new(element, ("outbox", ns::NETJOIN), &["name", "from"])?.empty()?;
        Ok(Outbox { name: outbox.get("name", name)?, from: outbox.get("from", positive)? })
    }
}

impl Resume {
    fn parse(element: &Element) -> Result<Resume, Damaged> {
        let known = ["incarnation", "term", "seq", "archive", "roster", "jids"];
        let resume = Reader::new(element, ("resume", ns::NETJOIN), &known)?.empty()?;
        Ok(Resume {
            incarnation: resume.get("incarnation", name)?,
            term: resume.get("term", name)?,
            seq: resume.get("seq", number)?,
            archive: resume.read("archive", name)?,
            roster: RosterHeld::read(&resume)?,
        })
    }

    fn element(&self) -> Element {
        Element::new("resume", ns::NETJOIN)
            .attr("incarnation", &self.incarnation)
            .attr("term", &self.term)
            .attr("seq", self.seq.to_string())
            .attr_opt("archive", self.archive.as_ref())
            .attr_opt("roster", self.roster.as_str())
            .attr_opt("jids", (self.roster == RosterHeld::AsOfSeq { jids: true }).then_some("known"))
    }
}

impl RosterHeld {
    fn read(resume: &Reader<'_>) -> Result<RosterHeld, Damaged> {
        let jids = resume.read("jids", |text| (text == "known").then_some(()))?.is_some();
        let changes = RosterHeld::AsOfSeq { jids };
        match resume.read("roster", |text| {
            one_of(&[RosterHeld::Wrong, changes], |held| held.as_str().unwrap_or_default(), text)
        })? {
            Some(held) if held == changes || !jids => Ok(held),
            None if !jids => Ok(RosterHeld::None),
            _ => Err(Damaged::Together("resume", "'jids' stands where 'roster' is 'changes', and only there")),
        }
    }

    fn as_str(self) -> Option<&'static str> {
        match self {
            RosterHeld::None => None,
            RosterHeld::Wrong => Some("full"),
            RosterHeld::AsOfSeq { .. } => Some("changes"),
        }
    }
}

fn parse_census(element: &Element) -> Result<Census, Damaged> {
    let census = Reader::new(element, ("census", ns::NETJOIN), &["n"])?;
    let n = census.get("n", number)?;
    if element.children().count() > SEATS_MAX {
        return Err(Damaged::TooMany("census"));
    }
    let seats = element.children().map(CensusSeat::parse).collect::<Result<_, _>>()?;
    Ok((n, seats))
}

fn census_element((n, seats): &Census) -> Element {
    Element::new("census", ns::NETJOIN).attr("n", n.to_string()).with(seats.iter().map(CensusSeat::element))
}

impl CensusSeat {
    fn parse(element: &Element) -> Result<CensusSeat, Damaged> {
        let seat = Reader::new(element, ("seat", ns::NETJOIN), &["nick", "jid"])?;
        let ours = |child: &&Element| matches!(child.ns(), ns::DMUC | ns::NETJOIN);
        if let Some(child) = element.children().find(ours) {
            return Err(seat.unknown(child));
        }
        Ok(CensusSeat {
            nick: seat.get("nick", |t| t.parse().ok())?,
            jid: seat.get("jid", full_jid)?,
            payload: element.children().cloned().collect(),
        })
    }

    fn element(&self) -> Element {
        Element::new("seat", ns::NETJOIN)
            .attr("nick", self.nick.as_str())
            .attr("jid", self.jid.as_str())
            .with(self.payload.iter().cloned())
    }
}
