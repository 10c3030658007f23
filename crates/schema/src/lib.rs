//! Stanzas that tests put on a link against the schema in `docs/`.
//!
//! - [`judge`], [`assert_valid`]: a few stanzas at once, by xmllint
//! - [`collect`]: all stanzas of many tests, kept for one run of xmllint over all of them; each shape once

mod collect;
mod judge;
mod shape;

pub use collect::{FOLDER_VARIABLE, collect, collect_into};
pub use judge::{assert_valid, judge};
pub use shape::{is_of_the_link, shape};

use xmpp::{Element, ns};

/// The stanza as a document: what it inherits from its stream is written out.
fn standing_alone(stanza: &Element) -> String {
    let name = stanza.name();
    stanza.to_xml().replacen(&format!("<{name}"), &format!("<{name} xmlns='{}'", ns::CLIENT), 1)
}
