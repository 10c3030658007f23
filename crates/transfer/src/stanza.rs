//! Elements as others keep them: a name, attributes with `xmlns` among them, contents.

use xmpp::Element;
use xmpp::xml::Ns;

/// An element without its contents, within one of the namespace `outer`; `None` where its name can be none. Attributes whose
/// names can be none are left out: XMPP has none with a prefix but `xml:`.
pub(crate) fn begin<'a>(
    name: &str,
    attributes: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    outer: &str,
) -> Option<Element> {
    let space = attributes.clone().find(|(name, _)| *name == "xmlns").map_or(outer, |(_, space)| space);
    let mut element = is_name(name).then(|| Element::new(name, Ns::Other(space.into())))?;
    for (name, value) in attributes {
        if name != "xmlns" && is_name(name.strip_prefix("xml:").unwrap_or(name)) {
            element.set(name, value);
        }
    }
    Some(element)
}

/// Whether something may stand as the name of an element or attribute; all names of XMPP are such.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
