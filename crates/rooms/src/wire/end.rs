//! How a link ends: `<withdraw/>`, `<withdrawn/>`, `<destroyed/>`; and `<retry/>`, when to ask again.

use super::read::{Damaged, Reader, name, number, plain_text, room_jid, small};
use xmpp::{Element, Jid, ns};

/// A replica withdraws: from a registration, or from a request that is still pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// The registration; none while it is pending.
    pub epoch: Option<String>,
    /// Nobody of the site is in the room any more, whatever the room believes: the site has started again without them.
    pub deserted: bool,
}

/// The link has ended; sessions that are still in the room are direct from behind this number on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// The last event of the link.
    pub seq: u64,
}

/// In an error: when to ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Seconds.
    pub after: u32,
}

/// In a `gone` error: the room of that incarnation is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// The life of the room that the resume point named.
    pub incarnation: String,
    /// The room that takes its place.
    pub venue: Option<Jid>,
    /// What was said about it.
    pub reason: Option<String>,
}

impl Withdraw {
    /// Reads `<withdraw/>`.
    pub fn parse(element: &Element) -> Result<Withdraw, Damaged> {
        let withdraw = Reader::new(element, ("withdraw", ns::NETJOIN), &["epoch", "deserted"])?.empty()?;
        let deserted = withdraw.read("deserted", |text| (text == "true").then_some(true))?.unwrap_or_default();
        Ok(Withdraw { epoch: withdraw.read("epoch", name)?, deserted })
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("withdraw", ns::NETJOIN)
            .attr_opt("epoch", self.epoch.as_ref())
            .attr_opt("deserted", self.deserted.then_some("true"))
    }
}

impl Withdrawn {
    /// Reads `<withdrawn/>`.
    pub fn parse(element: &Element) -> Result<Withdrawn, Damaged> {
        let withdrawn = Reader::new(element, ("withdrawn", ns::NETJOIN), &["seq"])?.empty()?;
        Ok(Withdrawn { seq: withdrawn.get("seq", number)? })
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("withdrawn", ns::NETJOIN).attr("seq", self.seq.to_string())
    }
}

impl Destroyed {
    /// Finds and reads `<destroyed/>` in a stanza error; `None` where it has none or is not `gone`.
    pub fn find(error: &Element) -> Option<Result<Destroyed, Damaged>> {
        error.get_child("gone", ns::STANZA_ERRORS)?;
        error.get_child("destroyed", ns::NETJOIN).map(Destroyed::parse)
    }

    /// Reads `<destroyed/>`.
    pub fn parse(element: &Element) -> Result<Destroyed, Damaged> {
        let destroyed = Reader::new(element, ("destroyed", ns::NETJOIN), &["incarnation", "venue"])?;
        let mut reason = None;
        for child in element.children() {
            if !child.is("reason", ns::NETJOIN) || reason.is_some() {
                return Err(destroyed.unknown(child));
            }
            reason = Some(plain_text(child, "reason")?);
        }
        Ok(Destroyed {
            incarnation: destroyed.get("incarnation", name)?,
            venue: destroyed.read("venue", room_jid)?,
            reason,
        })
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("destroyed", ns::NETJOIN)
            .attr("incarnation", &self.incarnation)
            .attr_opt("venue", self.venue.as_ref().map(Jid::as_str))
            .with(self.reason.as_ref().map(|text| Element::new("reason", ns::NETJOIN).text(text.clone())))
    }
}

impl Retry {
    /// Reads `<retry/>`.
    pub fn parse(element: &Element) -> Result<Retry, Damaged> {
        let retry = Reader::new(element, ("retry", ns::NETJOIN), &["after"])?.empty()?;
        Ok(Retry { after: retry.get("after", small)? })
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("retry", ns::NETJOIN).attr("after", self.after.to_string())
    }
}
