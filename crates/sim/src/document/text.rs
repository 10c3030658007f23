//! Examples in the text of a document.

use super::{Captured, Example};
use xmpp::{Element, Node};

/// Reads the examples of a document.
pub fn examples(document: &str) -> Result<Vec<Example>, String> {
    let mut examples = Vec::new();
    let mut rest = document;
    while let Some((_, behind)) = rest.split_once(MARK) {
        let (name, behind) = behind.split_once(MARK_END).ok_or("a mark without an end")?;
        let (between, behind) = behind.split_once(FENCE).ok_or_else(|| format!("{name}: no block"))?;
        let (block, behind) = behind.split_once(FENCE_END).ok_or_else(|| format!("{name}: a block without an end"))?;
        if !between.trim().is_empty() {
            return Err(format!("{name}: the block does not follow at once"));
        }
        let all = Element::parse(&format!("<all xmlns='jabber:client'>{block}</all>"));
        let all = all.map_err(|error| format!("{name}: {error}"))?;
        examples.push(Example { name: name.to_owned(), stanzas: all.children().cloned().collect() });
        rest = behind;
    }
    Ok(examples)
}

/// The document with what was captured in its blocks; one of a name that was not captured stays as it is.
pub fn written(document: &str, captured: &Captured) -> String {
    let mut out = String::new();
    let mut rest = document;
    while let Some((before, behind)) = rest.split_once(MARK) {
        out.push_str(before);
        out.push_str(MARK);
        rest = behind;
        let Some((name, behind)) = rest.split_once(MARK_END) else { break };
        let block = behind.split_once(FENCE).and_then(|(_, block)| block.split_once(FENCE_END));
        if let (Some((_, behind)), Some(stanzas)) = (block, captured.get(name)) {
            let text: Vec<String> = stanzas.iter().map(|stanza| lines(stanza, "", "jabber:client")).collect();
            out.push_str(&format!("{name}{MARK_END}\n{FENCE}{}{FENCE_END}", text.concat()));
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

/// An element as examples of XEPs show it: one a line, attributes under each other where they are too many.
fn lines(element: &Element, indent: &str, outer: &str) -> String {
    let mut start = vec![format!("{indent}<{}", element.name())];
    if element.ns() != outer {
        start.push(format!("xmlns='{}'", element.ns()));
    }
    let mut attrs: Vec<_> = element.attrs().iter().collect();
    // As the XEPs have them; the rest as it was sent.
    attrs.sort_by_key(|attr| ["from", "to", "type", "id"].iter().position(|first| *first == attr.name).unwrap_or(4));
    start.extend(attrs.into_iter().map(|attr| {
        let prefix = if attr.ns.as_str() == XML { "xml:" } else { "" };
        format!("{prefix}{}='{}'", attr.name, escaped(&attr.value, Quotes::Escaped))
    }));
    let one_line = start.join(" ");
    let head = match one_line.chars().count() < LINE_CHARS {
        true => one_line,
        false => start.join(&format!("\n{indent}    ")),
    };
    let text = element.nodes().iter().all(|node| matches!(node, Node::Text(_)));
    if element.nodes().is_empty() {
        return format!("{head}/>\n");
    }
    if text {
        return format!("{head}>{}</{}>\n", escaped(&element.content(), Quotes::Plain), element.name());
    }
    let deeper = format!("{indent}  ");
    let children: String = element.children().map(|child| lines(child, &deeper, element.ns())).collect();
    format!("{head}>\n{children}{indent}</{}>\n", element.name())
}

/// What a single quote becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Plain,
    Escaped,
}

fn escaped(text: &str, quotes: Quotes) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    if quotes == Quotes::Escaped { text.replace('\'', "&apos;") } else { text }
}

/// The namespace that every document has a prefix for.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const MARK: &str = "<!-- captured: ";
const MARK_END: &str = " -->";
const FENCE: &str = "```xml\n";
const FENCE_END: &str = "```";
/// Longer lines are broken.
const LINE_CHARS: usize = 100;
