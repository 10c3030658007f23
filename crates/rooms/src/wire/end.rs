//! How a link ends: `<withdraw/>`, `<withdrawn/>`; and `<retry/>`, when to ask again.

use super::read::{Damaged, Reader, name, number, small};
use xmpp::{Element, ns};

/// A replica withdraws: from a registration, or from a request that is still pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// The registration; none while it is pending.
    pub epoch: Option<String>,
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

impl Withdraw {
    /// Reads `<withdraw/>`.
    pub fn parse(element: &Element) -> Result<Withdraw, Damaged> {
        let withdraw = Reader::new(element, ("withdraw", ns::NETJOIN), &["epoch"])?.empty()?;
        Ok(Withdraw { epoch: withdraw.read("epoch", name)? })
    }

    /// The element.
    pub fn element(&self) -> Element {
        Element::new("withdraw", ns::NETJOIN).attr_opt("epoch", self.epoch.as_ref())
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
