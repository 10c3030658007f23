//! Stanzas of a link against the schema, all of a test in one run of xmllint (Debian: libxml2-utils).
//!
//! Where xmllint is not installed this says so and passes, unless `NETJOIN_REQUIRE_XMLLINT=1`.

use crate::{collect, standing_alone};
use std::path::Path;
use std::process::{Command, Stdio};
use xmpp::Element;

/// Fails the test when a stanza is not as the schema has it.
pub fn assert_valid(stanzas: &[Element]) {
    collect(stanzas);
    for (stanza, complaint) in stanzas.iter().zip(judge(stanzas).unwrap_or_default()) {
        assert!(complaint.is_none(), "{}\n{stanza}", complaint.unwrap_or_default());
    }
}

/// What the schema says against each stanza, in order; `None` where xmllint is absent.
pub fn judge(stanzas: &[Element]) -> Option<Vec<Option<String>>> {
    if Command::new("xmllint").arg("--version").stderr(Stdio::null()).status().is_err() {
        let required = std::env::var("NETJOIN_REQUIRE_XMLLINT").is_ok_and(|value| value == "1");
        assert!(!required, "xmllint is not installed (Debian: libxml2-utils)");
        eprintln!("SKIPPED: {} stanzas not validated, xmllint is not installed", stanzas.len());
        return None;
    }
    if stanzas.is_empty() {
        return Some(Vec::new());
    }
    let folder = tempfile::tempdir().expect("a folder for the stanzas");
    let name = |index: usize| format!("{index}.xml");
    for (index, stanza) in stanzas.iter().enumerate() {
        std::fs::write(folder.path().join(name(index)), standing_alone(stanza)).expect("a stanza is written");
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/link.xsd");
    let run = Command::new("xmllint")
        .current_dir(folder.path())
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .args((0..stanzas.len()).map(name))
        .output()
        .expect("xmllint runs");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let verdict = |index: usize| {
        let file = name(index);
        let of_file =
            said.lines().filter(|line| line.starts_with(&format!("{file}:")) || line.starts_with(&format!("{file} ")));
        let lines: Vec<&str> = of_file.collect();
        let is_valid = lines.last().is_some_and(|line| *line == format!("{file} validates"));
        (!is_valid).then(|| if lines.is_empty() { said.clone() } else { lines.join("\n") })
    };
    Some((0..stanzas.len()).map(verdict).collect())
}
