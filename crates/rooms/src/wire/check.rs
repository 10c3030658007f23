//! Whatever of the link stands in a stanza, read and judged.

use super::{Damaged, Destroyed, Down, Granted, Heads, Replicate, Retry, Up, Withdraw, Withdrawn};
use xmpp::{Element, ns};

/// Reads everything in a stanza that is in either DMUC namespace; the first damage is given back.
pub fn check(stanza: &Element) -> Result<(), Damaged> {
    let nested = stanza.children().flat_map(Element::children);
    for element in stanza.children().chain(nested) {
        match (element.name(), element.ns()) {
            ("x", ns::DMUC) => check_x(element)?,
            ("replicate", ns::NETJOIN) => Replicate::parse(element).map(|_| ())?,
            ("granted", ns::NETJOIN) => Granted::parse(element).map(|_| ())?,
            ("heads", ns::NETJOIN) => Heads::parse(element).map(|_| ())?,
            ("withdraw", ns::NETJOIN) => Withdraw::parse(element).map(|_| ())?,
            ("withdrawn", ns::NETJOIN) => Withdrawn::parse(element).map(|_| ())?,
            ("destroyed", ns::NETJOIN) => Destroyed::parse(element).map(|_| ())?,
            ("retry", ns::NETJOIN) => Retry::parse(element).map(|_| ())?,
            _ => {}
        }
    }
    Ok(())
}

fn check_x(x: &Element) -> Result<(), Damaged> {
    let goes_up = |child: &Element| matches!(child.name(), "up" | "stale" | "refused" | "reported");
    if x.children().any(goes_up) { Up::parse(x).map(drop) } else { Down::parse(x).map(drop) }
}
