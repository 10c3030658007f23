//! Stanzas captured from a run beside the listings of XEP-0282.
//!
//! Order, addresses and contents count. What may differ: ids and stamps by one renaming; the elements of our own
//! namespace and the ids of XEP-0359 and XEP-0421, which came after the XEP; what a listing leaves open by `...`

use crate::compare::{Difference, ELLIPSIS, Renaming, Says};
use std::collections::BTreeMap;
use xmpp::{Element, Node, ns};

/// Reads listings from text: `## 7 Caption`, remarks behind `#`, then stanzas. By number.
pub fn parse(text: &str) -> Result<BTreeMap<u32, Vec<Element>>, String> {
    let mut listings = BTreeMap::new();
    for section in text.split("\n## ").skip(1) {
        let (head, rest) = section.split_once('\n').ok_or_else(|| format!("an empty listing: {section}"))?;
        let number: u32 = head.split(' ').next().and_then(|n| n.parse().ok()).ok_or(format!("no number: {head}"))?;
        let xml: String = rest.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
        let all = Element::parse(&format!("<all xmlns='jabber:client'>{xml}</all>"))
            .map_err(|e| format!("listing {number}: {e}"))?;
        listings.insert(number, all.children().cloned().collect());
    }
    Ok(listings)
}

/// Whether these are the stanzas of a listing, in its order.
pub fn same(listing: &[Element], captured: &[Element], names: &mut Renaming) -> Result<(), Difference> {
    if listing.len() != captured.len() {
        let what = format!("{} stanzas, got {}: {captured:?}", listing.len(), captured.len());
        return Err(Difference { path: "listing".to_owned(), what });
    }
    for (expected, actual) in listing.iter().zip(captured) {
        let open = expected.nodes().iter().any(|node| matches!(node, Node::Text(text) if text.trim() == ELLIPSIS));
        let says = if open { Says::ThisAmongOthers } else { Says::Everything };
        names.same(expected, &without_ours(actual), says)?;
    }
    Ok(())
}

/// The stanza as the XEP knows it.
fn without_ours(stanza: &Element) -> Element {
    let mut stanza = stanza.clone();
    if let Some(x) = stanza.get_child_mut("x", ns::DMUC) {
        x.retain(|child| child.ns() != ns::NETJOIN);
    }
    stanza.retain(|child| {
        let emptied = child.is("x", ns::DMUC) && child.children().next().is_none();
        !emptied && !matches!(child.ns(), ns::SID | ns::OCCUPANT_ID)
    });
    stanza
}
