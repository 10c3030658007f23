//! The writer: no prefixes but `xml:`, a default namespace declared where it changes.

use super::element::{Element, Node};

/// Appends `element` to `out`; `outer` is the default namespace where it will stand.
pub fn write(element: &Element, outer: &str, out: &mut Vec<u8>) {
    write_open(element, outer, out);
    write_rest(element, out);
}

/// Appends `<name xmlns='…' attributes` and leaves the tag open, so that attributes may follow.
pub fn write_open(element: &Element, outer: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(element.name().as_bytes());
    if element.ns() != outer {
        attribute("xmlns", element.ns(), out);
    }
    let mut foreign = 0;
    for attr in element.attrs() {
        match attr.ns.as_str() {
            "" => attribute(&attr.name, &attr.value, out),
            super::names::XML => attribute(&format!("xml:{}", attr.name), &attr.value, out),
            other => {
                attribute(&format!("xmlns:ns{foreign}"), other, out);
                attribute(&format!("ns{foreign}:{}", attr.name), &attr.value, out);
                foreign += 1;
            }
        }
    }
}

/// Ends the tag that [`write_open`] left open and appends contents and end tag.
pub fn write_rest(element: &Element, out: &mut Vec<u8>) {
    if element.nodes().is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    write_nodes(element, out);
    write_close(element, out);
}

/// Appends the contents.
pub fn write_nodes(element: &Element, out: &mut Vec<u8>) {
    for node in element.nodes() {
        match node {
            Node::Element(child) => write(child, element.ns(), out),
            Node::Text(text) => escape(text, out),
        }
    }
}

/// Appends the end tag.
pub fn write_close(element: &Element, out: &mut Vec<u8>) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(element.name().as_bytes());
    out.push(b'>');
}

/// Appends ` name='value'`.
pub fn attribute(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    escape(value, out);
    out.push(b'\'');
}

/// Appends text with what XML reserves escaped; tabs and line ends too, which an attribute would lose. What XML
/// cannot say at all, such as NUL, becomes U+FFFD: no text of ours may end a stream.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) =
        rest.iter().position(|&b| matches!(b, b'<' | b'>' | b'&' | b'\'' | b'"' | 0..=0x1f | NONCHARACTER_START))
    {
        out.extend_from_slice(&rest[..at]);
        let mut taken = 1;
        out.extend_from_slice(match &rest[at..] {
            [b'<', ..] => b"&lt;",
            [b'>', ..] => b"&gt;",
            [b'&', ..] => b"&amp;",
            [b'\'', ..] => b"&apos;",
            [b'"', ..] => b"&quot;",
            [b'\r', ..] => b"&#xd;",
            [b'\n', ..] => b"&#xa;",
            [b'\t', ..] => b"&#x9;",
            [NONCHARACTER_START, 0xbf, 0xbe | 0xbf, ..] => {
                taken = 3;
                REPLACEMENT
            }
            [NONCHARACTER_START, ..] => &[NONCHARACTER_START],
            _ => REPLACEMENT,
        });
        rest = &rest[at + taken..];
    }
    out.extend_from_slice(rest);
}

/// First byte of U+FFFE and U+FFFF, which are no characters of XML (XML 1.0 section 2.2).
const NONCHARACTER_START: u8 = 0xef;

/// U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
