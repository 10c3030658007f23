//! The dmuc element of a stanza down: what XEP-0282 shows, and `<at/>` behind it.

use super::at::{At, Kind};
use super::away::Away;
use super::config::RoomConfig;
use super::members::Members;
use super::read::{Damaged, Reader, full_jid, name, number, positive, stamp};
use super::{JIDS_MAX, ids};
use crate::names::Nick;
use xmpp::{Element, Jid, Node, ns, stanza};

/// What stands in the dmuc element before `<at/>`; which it is follows from [`At::kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// An event: when it was said, where it is a message; the configuration, where that has changed.
    Event {
        /// Unix milliseconds.
        said_ms: Option<i64>,
        /// The new configuration.
        config: Option<RoomConfig>,
    },
    /// ENTER: add this session.
    Enter {
        /// The full address.
        jid: Jid,
        /// What of the history it gets.
        history: Wanted,
    },
    /// LEAVE: take this session out.
    Leave {
        /// The full address.
        jid: Jid,
    },
    /// Of the snapshot: the configuration.
    Config(RoomConfig),
    /// Of the snapshot: a seat.
    Roster,
    /// Of the snapshot: a message of the history, one that was missed, or the subject.
    Past {
        /// Unix milliseconds; none for a subject that was never set.
        said_ms: Option<i64>,
    },
    /// The snapshot is whole.
    Synced {
        /// Whether it could not be told after all what was missed, so that recent history came in its place.
        gap: bool,
    },
    /// Real addresses.
    Jids(Vec<SeatJid>),
    /// Something relayed did not arrive.
    Resend {
        /// The outbox.
        outbox: String,
        /// The first number that is missing.
        from: u64,
    },
    /// Occupants whom a split has put out of reach, or no longer.
    Away(Away),
    /// The digest of the roster as it is behind the event at `seq`, see [`RosterDigest`](super::RosterDigest).
    Digest([u8; 32]),
    /// Who of the site may enter while the link is lost.
    Members(Members),
}

/// The real address of one session of an occupant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatJid {
    /// The occupant.
    pub nick: Nick,
    /// The full address.
    pub jid: Jid,
}

/// The limits of a join's `<history/>`, XEP-0045 7.2.14, as the ENTER carries them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Characters of whole stanzas.
    pub maxchars: Option<u64>,
    /// Messages.
    pub maxstanzas: Option<u64>,
    /// Only of the last so many seconds.
    pub seconds: Option<u64>,
    /// Only since, Unix milliseconds.
    pub since_ms: Option<i64>,
}

impl Down {
    /// Finds and reads the dmuc element of a stanza down. It was sent as the last child; a server on the way may have put
    /// others, such as the body, behind it.
    pub fn find(stanza: &Element) -> Option<Result<(Down, At), Damaged>> {
        stanza.children().filter(|child| child.is("x", ns::DMUC)).last().map(Down::parse)
    }

    /// Reads the dmuc element.
    pub fn parse(x: &Element) -> Result<(Down, At), Damaged> {
        let reader = Reader::new(x, ("x", ns::DMUC), &[])?;
        let mut children: Vec<&Element> = x.children().collect();
        let at = match children.pop() {
            Some(last) if last.name() == "at" => At::parse(last)?,
            _ => return Err(Damaged::MissingChild("x", "at")),
        };
        let down = match (at.kind, children.as_slice()) {
            (Kind::Event, rest) => parse_event(&reader, rest)?,
            (Kind::Enter, [enter, rest @ ..]) if rest.len() <= 1 => {
                let history = rest.first().map(|history| Wanted::parse(history)).transpose()?.unwrap_or_default();
                Down::Enter { jid: parse_session(enter, "enter")?, history }
            }
            (Kind::Leave, [leave]) => Down::Leave { jid: parse_session(leave, "leave")? },
            (Kind::Config, [config]) => Down::Config(RoomConfig::parse(config)?),
            (Kind::Roster, []) => Down::Roster,
            (Kind::History | Kind::Missed, [delay]) => Down::Past { said_ms: Some(parse_delay(delay)?) },
            (Kind::Subject, []) => Down::Past { said_ms: None },
            (Kind::Subject, [delay]) => Down::Past { said_ms: Some(parse_delay(delay)?) },
            (Kind::Synced, [synced]) => {
                let synced = Reader::new(synced, ("synced", ns::NETJOIN), &["gap"])?.empty()?;
                Down::Synced { gap: synced.read("gap", |t| (t == "true").then_some(true))?.unwrap_or(false) }
            }
            (Kind::Jids, [jids]) => parse_jids(jids)?,
            (Kind::Resend, [resend]) => {
                let resend = Reader::new(resend, ("resend", ns::NETJOIN), &["outbox", "from"])?.empty()?;
                Down::Resend { outbox: resend.get("outbox", name)?, from: resend.get("from", positive)? }
            }
            (Kind::Away, [away]) => Down::Away(Away::parse(away)?),
            (Kind::Digest, [digest]) => {
                let digest = Reader::new(digest, ("digest", ns::NETJOIN), &["roster"])?.empty()?;
                Down::Digest(digest.get("roster", ids::decode_key)?)
            }
            (Kind::Members, [members]) => Down::Members(Members::parse(members)?),
            (_, [other, ..]) => return Err(reader.unknown(other)),
            (kind, []) => return Err(Damaged::MissingChild("x", kind.as_str())),
        };
        Ok((down, at))
    }

    /// The dmuc element without `<at/>`.
    pub fn x(&self) -> Element {
        let x = Element::new("x", ns::DMUC);
        let session = |name: &str, jid: &Jid| Element::new(name, ns::DMUC).attr("jid", jid.as_str());
        match self {
            Down::Event { said_ms, config } => {
                x.with(said_ms.map(|ms| stanza::delay(None, ms))).with(config.as_ref().map(RoomConfig::element))
            }
            Down::Enter { jid, history } => x.child(session("enter", jid)).with(history.element()),
            Down::Leave { jid } => x.child(session("leave", jid)),
            Down::Config(config) => x.child(config.element()),
            Down::Roster => x,
            Down::Past { said_ms } => x.with(said_ms.map(|ms| stanza::delay(None, ms))),
            Down::Synced { gap } => x.child(Element::new("synced", ns::NETJOIN).attr_opt("gap", gap.then_some("true"))),
            Down::Jids(seats) => x.child(Element::new("jids", ns::NETJOIN).with(seats.iter().map(SeatJid::element))),
            Down::Away(away) => x.child(away.element()),
            Down::Members(members) => x.child(members.element()),
            Down::Resend { outbox, from } => {
                x.child(Element::new("resend", ns::NETJOIN).attr("outbox", outbox).attr("from", from.to_string()))
            }
            Down::Digest(roster) => {
                x.child(Element::new("digest", ns::NETJOIN).attr("roster", ids::encode_key(roster)))
            }
        }
    }
}

impl SeatJid {
    fn element(&self) -> Element {
        Element::new("seat", ns::NETJOIN).attr("nick", self.nick.as_str()).attr("jid", self.jid.as_str())
    }
}

impl Wanted {
    fn parse(element: &Element) -> Result<Wanted, Damaged> {
        let known = ["maxchars", "maxstanzas", "seconds", "since"];
        let history = Reader::new(element, ("history", ns::DMUC), &known)?.empty()?;
        Ok(Wanted {
            maxchars: history.read("maxchars", number)?,
            maxstanzas: history.read("maxstanzas", number)?,
            seconds: history.read("seconds", number)?,
            since_ms: history.read("since", stamp)?,
        })
    }

    /// The element, where there is any limit.
    fn element(&self) -> Option<Element> {
        let history = Element::new("history", ns::DMUC)
            .attr_opt("maxchars", self.maxchars.map(|n| n.to_string()))
            .attr_opt("maxstanzas", self.maxstanzas.map(|n| n.to_string()))
            .attr_opt("seconds", self.seconds.map(|n| n.to_string()))
            .attr_opt("since", self.since_ms.map(stanza::format_ms));
        (!history.attrs().is_empty()).then_some(history)
    }
}

fn parse_event(reader: &Reader<'_>, children: &[&Element]) -> Result<Down, Damaged> {
    let (mut said_ms, mut config) = (None, None);
    for child in children {
        match child.name() {
            "delay" if said_ms.is_none() && config.is_none() => said_ms = Some(parse_delay(child)?),
            "config" if config.is_none() => config = Some(RoomConfig::parse(child)?),
            _ => return Err(reader.unknown(child)),
        }
    }
    Ok(Down::Event { said_ms, config })
}

fn parse_session(element: &Element, name: &'static str) -> Result<Jid, Damaged> {
    Reader::new(element, (name, ns::DMUC), &["jid"])?.empty()?.get("jid", full_jid)
}

/// When a message was said; whom `from` names is for people (XEP-0282 4.9).
fn parse_delay(element: &Element) -> Result<i64, Damaged> {
    let delay = Reader::new(element, ("delay", ns::DELAY), &["from", "stamp"])?;
    if element.nodes().iter().any(|node| matches!(node, Node::Element(_))) {
        return Err(Damaged::UnknownChild("delay", "…".into()));
    }
    delay.get("stamp", stamp)
}

fn parse_jids(element: &Element) -> Result<Down, Damaged> {
    Reader::new(element, ("jids", ns::NETJOIN), &[])?;
    if element.children().count() > JIDS_MAX {
        return Err(Damaged::TooMany("jids"));
    }
    let seat = |child: &Element| {
        let seat = Reader::new(child, ("seat", ns::NETJOIN), &["nick", "jid"])?.empty()?;
        Ok(SeatJid { nick: seat.get("nick", |t| t.parse().ok())?, jid: seat.get("jid", full_jid)? })
    };
    element.children().map(seat).collect::<Result<_, _>>().map(Down::Jids)
}
