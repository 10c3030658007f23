//! What tests and transcripts say that they show: `// XEP-0045 7.2.8-a, 7.2.8-b` in a test or in the comment above it,
//! `## 7.2.8-a: in use` above a step of a transcript (XEP-0045, where it names no other).

use crate::lists::{List, is_id};
use std::path::{Path, PathBuf};

/// A test that says that it shows a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// `XEP-0045`
    pub xep: String,
    /// `7.2.8-b`
    pub id: String,
    /// From the root of the project.
    pub file: String,
    /// The test, or the heading of the step.
    pub test: String,
}

/// All marks, and what is wrong with some.
pub fn of(root: &Path) -> (Vec<Mark>, Vec<String>) {
    let (mut marks, mut faults) = (Vec::new(), Vec::new());
    let played = crate::read(&root.join("crates/sim/tests/it/transcripts.rs"));
    for path in files(root) {
        let file = path.strip_prefix(root).expect("below the root").display().to_string();
        let text = crate::read(&path);
        let found = match file.strip_suffix(".txt") {
            Some(name) => in_transcript(&file, &text, played.contains(&format!("\"{}\"", &name[TRANSCRIPTS.len()..]))),
            None => in_rust(&file, &text),
        };
        match found {
            Ok(found) => marks.extend(found),
            Err(fault) => faults.push(fault),
        }
    }
    (marks, faults)
}

/// Requirements that nothing shows, and marks that name none.
pub fn faults(lists: &[List], marks: &[Mark]) -> Vec<String> {
    let mut faults = Vec::new();
    for list in lists {
        for requirement in list.requirements() {
            let shown = marks.iter().any(|mark| mark.xep == list.xep && mark.id == requirement.id);
            let name = format!("{} {}", list.xep, requirement.id);
            match (shown, &requirement.reason) {
                (false, None) => faults.push(format!("{name} ({}) has neither a test nor a reason", requirement.what)),
                (true, Some(reason)) => faults.push(format!("{name} has a test, and a reason to have none: {reason}")),
                _ => {}
            }
        }
    }
    let known = |mark: &Mark| lists.iter().any(|l| l.xep == mark.xep && l.requirements().any(|r| r.id == mark.id));
    let unknown = marks.iter().filter(|mark| !known(mark));
    faults.extend(unknown.map(|m| format!("{}: {}: {} {} is no requirement", m.file, m.test, m.xep, m.id)));
    faults
}

/// Sources of the crates and transcripts, in order.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut out, mut folders) = (Vec::new(), vec![root.join("crates"), root.join(TRANSCRIPTS)]);
    while let Some(folder) = folders.pop() {
        // The texts that this very test is tested with are no marks.
        if folder.ends_with("crates/schema") {
            continue;
        }
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry of a folder").path();
            let wanted =
                path.extension().is_some_and(|ext| ext == "rs" || ext == "txt" && folder.ends_with(TRANSCRIPTS));
            match path.is_dir() {
                true => folders.push(path),
                false if wanted => out.push(path),
                false => {}
            }
        }
    }
    out.sort_unstable();
    out
}

fn in_rust(file: &str, text: &str) -> Result<Vec<Mark>, String> {
    let mut marks = Vec::new();
    // Marks above a test whose name is yet to come; whether an attribute has said that it is one.
    let (mut pending, mut is_test) = (Vec::new(), false);
    // The test whose body this is, and the line that ends it.
    let mut within: Option<(&str, String)> = None;
    for line in text.lines() {
        let bare = line.trim_start();
        let ids =
            line.split_once("//").map(|(_, comment)| ids(comment.trim_start_matches(['/', ' ']))).unwrap_or_default();
        pending.extend(ids);
        is_test |= bare.starts_with("#[test]") || bare.starts_with("#[tokio::test");
        if let (None, Some(name)) = (&within, function(bare)) {
            if is_test {
                within = Some((name, format!("{}}}", &line[..line.len() - bare.len()])));
            } else if !pending.is_empty() {
                return Err(format!("{file}: {name} bears marks and is no test: {pending:?}"));
            }
            is_test = false;
        }
        if let Some((name, end)) = &within {
            let here = |(xep, id)| Mark { xep, id, file: file.to_owned(), test: (*name).to_owned() };
            marks.extend(pending.drain(..).map(here));
            if line == end {
                within = None;
            }
        }
    }
    if pending.is_empty() { Ok(marks) } else { Err(format!("{file}: marks that belong to no test: {pending:?}")) }
}

fn in_transcript(file: &str, text: &str, is_played: bool) -> Result<Vec<Mark>, String> {
    let mut marks = Vec::new();
    for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
        let named = if heading.starts_with("XEP-") { heading.to_owned() } else { format!("XEP-0045 {heading}") };
        let test = heading.split_once(": ").map_or(heading, |(_, words)| words);
        marks.extend(ids(&named).into_iter().map(|(xep, id)| Mark {
            xep,
            id,
            file: file.to_owned(),
            test: test.to_owned(),
        }));
    }
    if marks.is_empty() || is_played { Ok(marks) } else { Err(format!("{file} has marks and is not played")) }
}

/// The requirements that a comment or heading begins with.
fn ids(text: &str) -> Vec<(String, String)> {
    let Some((xep, rest)) = text.split_once(' ').filter(|(xep, _)| xep.starts_with("XEP-")) else { return Vec::new() };
    let words = rest.split_whitespace().map(|word| word.trim_end_matches([',', '.', ':']));
    words.take_while(|word| is_id(word)).map(|id| (xep.to_owned(), id.to_owned())).collect()
}

/// The name of the function that begins in this line.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    line.split(['(', '<']).next()
}

/// Where transcripts are, from the root.
const TRANSCRIPTS: &str = "transcripts/";

#[cfg(test)]
mod tests {
    use super::*;

    const RUST: &str = "/// XEP-0045 7.2.8-a: a name in use.\n#[test]\nfn in_use() {\n    // XEP-0045 7.2.8-b, 7.2.9-a\n}\n\n\
                        /// XEP-0045 7.2.8: prose.\nfn helper() {}\n\n#[test]\nfn alone() {\n    x(); // XEP-0282 4.5-a\n}\n";

    fn names(marks: &[Mark]) -> Vec<String> {
        marks.iter().map(|mark| format!("{} {} {}", mark.xep, mark.id, mark.test)).collect()
    }

    #[test]
    fn marks_belong_to_the_test_they_stand_in_or_above() {
        let marks = in_rust("a.rs", RUST).unwrap();
        let expected =
            ["XEP-0045 7.2.8-a in_use", "XEP-0045 7.2.8-b in_use", "XEP-0045 7.2.9-a in_use", "XEP-0282 4.5-a alone"];
        assert_eq!(names(&marks), expected);
        assert!(in_rust("a.rs", "// XEP-0045 7.2.8-a\nfn helper() {}\n").is_err());
        assert!(in_rust("a.rs", "#[test]\nfn a() {\n}\n// XEP-0045 7.2.8-a\n").is_err());
    }

    #[test]
    fn marks_head_the_steps_of_transcripts() {
        let text = "# Title\n\n## 7.4-a, 7.4-b: to all\n## XEP-0282 4.9-a: once\n## 7.5: in private\n";
        let marks = in_transcript("transcripts/a.txt", text, true).unwrap();
        assert_eq!(names(&marks), ["XEP-0045 7.4-a to all", "XEP-0045 7.4-b to all", "XEP-0282 4.9-a once"]);
        assert!(in_transcript("transcripts/a.txt", text, false).is_err());
    }

    #[test]
    fn what_lacks_a_test_or_a_requirement_is_told() {
        let list = "## 7 Occupants\n7.2.8-a | MUST | b\n7.2.8-b | MUST | b\n7.2.9-a | MUST | b | client: so\n7.4-a | MUST | b\n";
        let list = List::parse("XEP-0045", list).unwrap();
        let faults = faults(&[list], &in_rust("a.rs", RUST).unwrap());
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("7.2.9-a") && faults[1].contains("7.4-a") && faults[2].contains("XEP-0282 4.5-a"));
    }
}
