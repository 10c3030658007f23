//! Stanzas kept for one run of xmllint over all that the tests have put on links: `.ci/run`, `links_are_valid`.

use crate::{is_of_the_link, shape, standing_alone};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::Path;
use xmpp::Element;

/// Names the folder that stanzas are kept in; where it is not set nothing is kept.
pub const FOLDER_VARIABLE: &str = "NETJOIN_LINK_STANZAS";

/// Keeps what engines have put on a link, one stanza of each shape, in the folder that [`FOLDER_VARIABLE`] names.
///
/// # Panics
/// When a stanza cannot be written there: a test must not pass whose stanzas nobody will judge.
pub fn collect<'a>(stanzas: impl IntoIterator<Item = &'a Element>) {
    if let Some(folder) = std::env::var_os(FOLDER_VARIABLE) {
        collect_into(Path::new(&folder), stanzas);
    }
}

/// [`collect`], into this folder; it is made where there is none.
pub fn collect_into<'a>(folder: &Path, stanzas: impl IntoIterator<Item = &'a Element>) {
    std::fs::create_dir_all(folder).expect("a folder for stanzas of links");
    let mut seen = BTreeSet::new();
    for stanza in stanzas.into_iter().filter(|stanza| is_of_the_link(stanza)) {
        let mut hasher = DefaultHasher::new();
        shape(stanza).hash(&mut hasher);
        let name = format!("{:016x}.xml", hasher.finish());
        if seen.insert(name.clone()) {
            keep(&folder.join(name), stanza);
        }
    }
}

/// Another test may have kept this shape before.
fn keep(file: &Path, stanza: &Element) {
    match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut file) => file.write_all(standing_alone(stanza).as_bytes()).expect("a stanza is written"),
        Err(e) => assert!(e.kind() == ErrorKind::AlreadyExists, "{}: {e}", file.display()),
    }
}
