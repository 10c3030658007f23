//! What several crates say the same way.

pub mod caps;
pub mod command;
pub mod contact;
mod datetime;
mod error;
pub mod form;
pub mod rsm;

pub use datetime::{format_ms, parse_ms};
pub use error::{Condition, StanzaError, answerable, given_back};

use crate::{Element, ns};

/// `<delay/>` of XEP-0203: `from` is who delayed, `stamp` Unix milliseconds.
pub fn delay(from: Option<&str>, stamp_ms: i64) -> Element {
    Element::new("delay", ns::DELAY).attr_opt("from", from).attr("stamp", format_ms(stamp_ms))
}

/// An empty result to an iq request, addressed back (RFC 6120 8.2.3).
pub fn iq_result(request: &Element) -> Element {
    Element::stanza("iq")
        .attr("type", "result")
        .attr_opt("id", request.get("id"))
        .attr_opt("from", request.get("to"))
        .attr_opt("to", request.get("from"))
}
