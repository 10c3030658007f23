//! Pages of the documentation, followed to the letter: their blocks of code are what tests run.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The blocks of a language in a page of `docs/`, in order, without the page's own indentation.
pub fn blocks(page: &str, language: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.find("```").filter(|at| line[at + 3..] == *language) else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        blocks.push(block.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect());
    }
    Ok(blocks)
}

/// A block with what the page says is to be changed changed; each must be there.
pub fn with(block: &str, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = block.to_owned();
    for (from, to) in changes {
        ensure!(text.contains(from), "the page has no {from:?} any more:\n{text}");
        text = text.replace(from, to);
    }
    Ok(text)
}
