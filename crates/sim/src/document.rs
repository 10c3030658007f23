//! The examples of `docs/xep.md`: captured from a run of the engines, and written into the document or compared with it.
//!
//! An example is a fenced block of XML behind a line `<!-- captured: NAME -->`. Ids, stamps and the names that servers make up
//! may differ from run to run by one renaming for the whole document; nothing else may.

mod story;
mod text;

pub use story::captured;
pub use text::{examples, written};

use crate::compare::{Difference, Renaming, Says};
use std::collections::BTreeMap;
use xmpp::Element;

/// What crossed links, and what clients were sent, by the name of the example.
pub type Captured = BTreeMap<&'static str, Vec<Element>>;

/// One example of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What it is captured as.
    pub name: String,
    /// Its stanzas, in order.
    pub stanzas: Vec<Element>,
}

/// Whether all examples are as captured, and all that was captured is an example.
pub fn compare(examples: &[Example], captured: &Captured) -> Result<(), Difference> {
    let mut names = Renaming::default();
    let mut left: Captured = captured.clone();
    for Example { name, stanzas } in examples {
        let wrong = |what: &str| Difference { path: name.clone(), what: what.to_owned() };
        let actual = left.remove(name.as_str()).ok_or_else(|| wrong("no such example, or twice"))?;
        let result = names.same_all(stanzas, &actual, Says::Everything);
        result.map_err(|found| Difference { path: format!("{name}: {}", found.path), ..found })?;
    }
    match left.keys().next() {
        Some(name) => Err(Difference { path: (*name).to_owned(), what: "captured, and no example".to_owned() }),
        None => Ok(()),
    }
}
