//! Whatever of the link stands in a stanza, read and judged.

use super::{Damaged, Down, Granted, Heads, Replicate, Retry, Up, Withdraw, Withdrawn};
use xmpp::{Element, ns};

/// Reads everything in a stanza that is in either DMUC namespace; the first damage is given back.
pub fn check(stanza: &Element) -> Result<(), Damaged> {
    let nested = stanza.children().flat_map(Element::children);
    for element in stanza.children().chain(nested) {
        match (element.name(), element.ns()) {
            ("x", ns::DMUC) => check_x(element)?,
            ("replicate", ns::NETJOIN) => drop(Replicate::parse(element)?),
            ("granted", ns::NETJOIN) => drop(Granted::parse(element)?),
            ("heads", ns::NETJOIN) => drop(Heads::parse(element)?),
            ("withdraw", ns::NETJOIN) => drop(Withdraw::parse(element)?),
            ("withdrawn", ns::NETJOIN) => drop(Withdrawn::parse(element)?),
            ("retry", ns::NETJOIN) => drop(Retry::parse(element)?),
            _ => {}
        }
    }
    Ok(())
}

fn check_x(x: &Element) -> Result<(), Damaged> {
    let goes_up = |child: &Element| matches!(child.name(), "up" | "stale" | "refused");
    if x.children().any(goes_up) { Up::parse(x).map(drop) } else { Down::parse(x).map(drop) }
}
