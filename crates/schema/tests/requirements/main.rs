//! Every MUST and SHOULD of XEP-0045 and XEP-0282, and the tests that show it.
//!
//! `docs/requirements/*.txt` say what is asked for, marks in tests and transcripts say what they show, and
//! `docs/requirements.md` is the table that both give. A requirement with neither a mark nor a reason fails here, and so does
//! a mark that names no requirement.

mod lists;
mod marks;
mod page;

use lists::List;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn lists() -> Vec<List> {
    let list = |xep: &str| {
        let name = format!("docs/requirements/{}.txt", xep.to_lowercase());
        List::parse(xep, &read(&root().join(&name))).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    ["XEP-0282", "XEP-0045"].map(list).into()
}

#[test]
fn every_requirement_has_a_test_or_a_reason() {
    let (marks, mut faults) = marks::of(&root());
    faults.extend(marks::faults(&lists(), &marks));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_is_what_the_marks_give() {
    let path = root().join("docs/requirements.md");
    let page = page::page(&lists(), &marks::of(&root()).0);
    if std::env::var_os(page::WRITE_VARIABLE).is_some() {
        std::fs::write(&path, &page).expect("docs/ can be written");
    }
    assert!(read(&path) == page, "docs/requirements.md is not what the marks give; run: {}", page::COMMAND);
}
