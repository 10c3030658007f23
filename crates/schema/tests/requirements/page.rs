//! The table, `docs/requirements.md`.

use crate::lists::{List, REASONS, Requirement};
use crate::marks::Mark;
use std::fmt::Write;

/// Set to anything, it has the table written.
pub const WRITE_VARIABLE: &str = "NETJOIN_REQUIREMENTS";
/// What writes the table.
pub const COMMAND: &str = "NETJOIN_REQUIREMENTS=write cargo test -p schema --test requirements";

/// The text of the table.
pub fn page(lists: &[List], marks: &[Mark]) -> String {
    let mut out = format!(
        "# What XEP-0282 and XEP-0045 ask for, and the tests that show it\n\n\
         This page is generated from the lists in `docs/requirements/` and the marks in tests and transcripts:\n\
         `{COMMAND}`.\n\n\
         A requirement is a sentence with MUST, SHOULD, REQUIRED, SHALL or RECOMMENDED, in short and in other words; the letter \
         counts within\nits section. Where there is no test there is a reason: `client`, it falls to clients; `not here`, what it \
         is about does not arise here;\n`not yet`, it is not met.\n"
    );
    let _ =
        write!(out, "\n| | asked for | shown by a test | client | not here | not yet |\n|---|---|---|---|---|---|\n");
    for list in lists {
        for chapter in &list.chapters {
            let count = |prefix: &str| {
                let reasons = chapter.requirements.iter().filter_map(|requirement| requirement.reason.as_ref());
                reasons.filter(|reason| reason.starts_with(prefix)).count()
            };
            let all = chapter.requirements.len();
            let [client, not_here, not_yet] = REASONS.map(count);
            let shown = all - client - not_here - not_yet;
            let title = format!("{}, {}", list.xep, chapter.title);
            let _ = writeln!(out, "| {title} | {all} | {shown} | {client} | {not_here} | {not_yet} |");
        }
    }
    for list in lists {
        for chapter in &list.chapters {
            let _ = write!(out, "\n## {}, {}\n\n| | | |\n|---|---|---|\n", list.xep, chapter.title);
            for requirement in &chapter.requirements {
                let Requirement { id, keyword, what, reason } = requirement;
                let shown = match reason {
                    Some(reason) => format!("*{reason}*"),
                    None => shown(marks.iter().filter(|mark| mark.xep == list.xep && mark.id == *id)),
                };
                let _ = writeln!(out, "| {id} {keyword} | {what} | {shown} |");
            }
        }
    }
    out
}

/// Tests by file and name.
fn shown<'a>(marks: impl Iterator<Item = &'a Mark>) -> String {
    let name = |mark: &Mark| format!("`{}: {}`", mark.file.trim_start_matches("crates/"), mark.test);
    marks.map(name).collect::<Vec<String>>().join("<br>")
}
