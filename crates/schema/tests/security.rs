//! The security considerations of `docs/xep.md` name a test for each attack; each of them is there.

use std::path::Path;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn each_attack_has_its_tests() {
    let document = read(&root().join("docs/xep.md"));
    let section = document.split("\n## ").find(|section| section.starts_with("7. Security")).expect("section 7");
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    assert!(rows.len() > 15, "{rows:#?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [attack, _, tests] = cells[..] else { panic!("three cells: {row}") };
        let tests: Vec<&str> = tests.split("<br>").map(|test| test.trim().trim_matches('`')).collect();
        for test in tests {
            let (file, name) = test.split_once(": ").unwrap_or_else(|| panic!("{attack}: file and test: {test:?}"));
            let source = read(&root().join("crates").join(file));
            let at =
                source.find(&format!("\nfn {name}() {{")).unwrap_or_else(|| panic!("{attack}: no {name} in {file}"));
            let marked = source[..at].lines().rev().take(3).any(|line| line == "#[test]");
            assert!(marked, "{attack}: {name} is no test");
        }
    }
}
