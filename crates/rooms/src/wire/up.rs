//! What goes up besides iqs: `<up/>` on what is relayed, `<stale/>`, `<refused/>`, `<reported/>`.

use super::read::{Damaged, Reader, full_jid, name, number, plain_text, positive, stamp};
use crate::names::Nick;
use xmpp::{Element, Jid, ns, stanza};

/// The mark of something relayed; also borne by the error that answers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpMark {
    /// The outbox it stands in.
    pub outbox: String,
    /// Its place there, from 1.
    pub n: u64,
    /// The registration it was relayed under; none while that is pending, and on errors.
    pub epoch: Option<String>,
    /// When it was accepted on the island, Unix milliseconds; none for what was not.
    pub said: Option<i64>,
    /// The last event of the room that the island had; stands with `said`.
    pub base: Option<u64>,
    /// A leave only: who kicked the leaver on the island; stands with `said`.
    pub kicker: Option<Nick>,
    /// What the kicker said about it.
    pub reason: Option<String>,
}

/// What came with another epoch than the present one was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The epoch it came with.
    pub epoch: String,
}

/// A replica has sent what its outbox held when it was granted its registration: its report is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The registration.
    pub epoch: String,
}

/// A replica knows of no unanswered join of that session, XEP-0282 4.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The session of the ENTER.
    pub jid: Jid,
    /// The epoch of the ENTER.
    pub epoch: String,
}

/// What stands in the dmuc element of a stanza up, or of an error down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// Relayed, or the error for what was.
    Mark(UpMark),
    /// Not applied; either way.
    Stale(Stale),
    /// An ENTER refused.
    Refused(Refused),
    /// The report behind a registration is over.
    Reported(Reported),
}

impl UpMark {
    /// Reads `<up/>`.
    pub fn parse(element: &Element) -> Result<UpMark, Damaged> {
        let up = Reader::new(element, ("up", ns::NETJOIN), &["outbox", "n", "epoch", "said", "base", "kicker"])?;
        let mut mark = UpMark {
            outbox: up.get("outbox", name)?,
            n: up.get("n", positive)?,
            epoch: up.read("epoch", name)?,
            said: up.read("said", stamp)?,
            base: up.read("base", number)?,
            kicker: up.read("kicker", |text| text.parse().ok())?,
            reason: None,
        };
        for child in element.children() {
            if !child.is("reason", ns::NETJOIN) || mark.reason.is_some() {
                return Err(up.unknown(child));
            }
            mark.reason = Some(plain_text(child, "reason")?);
        }
        if mark.said.is_some() != mark.base.is_some() {
            return Err(Damaged::Together("up", "'said' and 'base' stand together"));
        }
        if (mark.kicker.is_some() && mark.said.is_none()) || (mark.reason.is_some() && mark.kicker.is_none()) {
            return Err(Damaged::Together("up", "'kicker' needs 'said', and a reason needs 'kicker'"));
        }
        Ok(mark)
    }

    /// The mark of a stanza with one: its dmuc element holds an `<up/>`.
    pub fn find(stanza: &Element) -> Option<Result<UpMark, Damaged>> {
        let x = stanza.get_child("x", ns::DMUC)?;
        x.get_child("up", ns::NETJOIN)?;
        Some(match Up::parse(x) {
            Ok(Up::Mark(mark)) => Ok(mark),
            Ok(_) => Err(Damaged::MissingChild("x", "up")),
            Err(damaged) => Err(damaged),
        })
    }

    /// The element, without the dmuc element around it.
    pub fn element(&self) -> Element {
        Element::new("up", ns::NETJOIN)
            .attr("outbox", &self.outbox)
            .attr("n", self.n.to_string())
            .attr_opt("epoch", self.epoch.as_ref())
            .attr_opt("said", self.said.map(stanza::format_ms))
            .attr_opt("base", self.base.map(|seq| seq.to_string()))
            .attr_opt("kicker", self.kicker.as_ref().map(Nick::as_str))
            .with(self.reason.as_ref().map(|text| Element::new("reason", ns::NETJOIN).text(text.clone())))
    }

    /// With the dmuc element around it, as it is appended to a stanza.
    pub fn x(&self) -> Element {
        Element::new("x", ns::DMUC).child(self.element())
    }
}

impl Stale {
    /// With the dmuc element around it.
    pub fn x(&self) -> Element {
        Element::new("x", ns::DMUC).child(Element::new("stale", ns::NETJOIN).attr("epoch", &self.epoch))
    }
}

impl Reported {
    /// With the dmuc element around it.
    pub fn x(&self) -> Element {
        Element::new("x", ns::DMUC).child(Element::new("reported", ns::NETJOIN).attr("epoch", &self.epoch))
    }
}

impl Refused {
    /// With the dmuc element around it, as it stands in the error.
    pub fn x(&self) -> Element {
        Element::new("x", ns::DMUC)
            .child(Element::new("enter", ns::DMUC).attr("jid", self.jid.as_str()))
            .child(Element::new("refused", ns::NETJOIN).attr("epoch", &self.epoch))
    }
}

impl Up {
    /// Reads the dmuc element of a stanza up.
    pub fn parse(x: &Element) -> Result<Up, Damaged> {
        let reader = Reader::new(x, ("x", ns::DMUC), &[])?;
        let children: Vec<&Element> = x.children().collect();
        match children.as_slice() {
            [up] if up.name() == "up" => UpMark::parse(up).map(Up::Mark),
            [stale] if stale.name() == "stale" => {
                let stale = Reader::new(stale, ("stale", ns::NETJOIN), &["epoch"])?.empty()?;
                Ok(Up::Stale(Stale { epoch: stale.get("epoch", name)? }))
            }
            [reported] if reported.name() == "reported" => {
                let reported = Reader::new(reported, ("reported", ns::NETJOIN), &["epoch"])?.empty()?;
                Ok(Up::Reported(Reported { epoch: reported.get("epoch", name)? }))
            }
            [enter, refused] if refused.name() == "refused" => {
                let enter = Reader::new(enter, ("enter", ns::DMUC), &["jid"])?.empty()?;
                let refused = Reader::new(refused, ("refused", ns::NETJOIN), &["epoch"])?.empty()?;
                Ok(Up::Refused(Refused { jid: enter.get("jid", full_jid)?, epoch: refused.get("epoch", name)? }))
            }
            [] => Err(Damaged::MissingChild("x", "up")),
            [other, ..] => Err(reader.unknown(other)),
        }
    }
}

/// Takes everything of either DMUC namespace off a stanza: nothing of them comes from or goes to a client.
pub fn strip(stanza: &mut Element) {
    stanza.retain(|child| !matches!(child.ns(), ns::DMUC | ns::NETJOIN));
}
