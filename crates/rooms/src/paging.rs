//! Long lists page by page, XEP-0059: which part of a sorted list an answer shows, and what it says of the whole.

use std::ops::Range;
use xmpp::stanza::{Condition, rsm};
use xmpp::{Element, ns};

/// The children of an answer to `query`: a page of `all`, which is sorted by `id`, then the `<set/>` where a page was asked for
/// or not everything is shown. An id that is not there any more still has its place in the order (XEP-0059 2.7).
pub(crate) fn page<T>(
    all: &[T],
    id: impl Fn(&T) -> &str,
    element: impl Fn(&T) -> Element,
    query: &Element,
    items_max: usize,
) -> Result<Vec<Element>, Condition> {
    let request = rsm::Request::find(query).map_err(|_| Condition::BadRequest)?;
    let candidates = range(all, &id, &request, items_max);
    let backwards = request.before.is_some();
    let (shown, mut children) = fitting(all, candidates, backwards, element);
    let items = all.get(shown.clone()).unwrap_or_default();
    if items.len() < all.len() || query.has_child("set", ns::RSM) {
        let (first, last) = (items.first().map(&id), items.last().map(&id));
        children.push(rsm::set(first, last, Some(shown.start as u64), Some(all.len() as u64)));
    }
    Ok(children)
}

/// What the request asks for, at most `items_max`.
fn range<T>(all: &[T], id: &impl Fn(&T) -> &str, request: &rsm::Request, items_max: usize) -> Range<usize> {
    let max = request.max.map_or(items_max, |max| (max as usize).min(items_max));
    let from = match (&request.after, request.index) {
        (Some(after), _) => all.partition_point(|item| id(item) <= after.as_str()),
        (None, Some(index)) => (index as usize).min(all.len()),
        (None, None) => 0,
    };
    let to = match request.before.as_deref() {
        Some("") | None => all.len(),
        Some(before) => all.partition_point(|item| id(item) < before),
    }
    .max(from);
    if request.before.is_some() { to.saturating_sub(max).max(from)..to } else { from..(from + max).min(to) }
}

/// As much of the candidates as fits into one stanza.
fn fitting<T>(
    all: &[T],
    candidates: Range<usize>,
    backwards: bool,
    element: impl Fn(&T) -> Element,
) -> (Range<usize>, Vec<Element>) {
    let items = all.get(candidates.clone()).unwrap_or_default();
    let mut bytes = 0;
    let fits = |element: &Element| {
        let first = bytes == 0;
        bytes += element.to_xml().len();
        first || bytes <= PAGE_BYTES_MAX
    };
    if backwards {
        let mut shown: Vec<Element> = items.iter().rev().map(element).take_while(fits).collect();
        shown.reverse();
        (candidates.end - shown.len()..candidates.end, shown)
    } else {
        let shown: Vec<Element> = items.iter().map(element).take_while(fits).collect();
        (candidates.start..candidates.start + shown.len(), shown)
    }
}

/// Most bytes of items in one answer: well within what servers take as one stanza.
const PAGE_BYTES_MAX: usize = 150_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(set: &str, max: usize) -> String {
        let query = Element::parse(&format!("<query xmlns='q'>{set}</query>")).expect("a query");
        let all = ["a", "b", "c", "d", "e"];
        let children = page(&all, |item| item, |item| Element::new(*item, "q"), &query, max).expect("a page");
        Element::new("query", "q").with(children).to_xml()
    }

    fn set(inner: &str) -> String {
        format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")
    }

    #[test]
    fn everything_is_shown_without_a_word_where_it_fits() {
        assert_eq!(shown("", 5), "<query xmlns='q'><a/><b/><c/><d/><e/></query>");
    }

    /// XEP-0045 6.3, XEP-0059 2.2 to 2.7.
    #[test]
    fn s2_2_to_2_6_pages() {
        let answer = |items: &str, inner: &str| format!("<query xmlns='q'>{items}{}</query>", set(inner));
        let first = "<first index='0'>a</first><last>b</last><count>5</count>";
        assert_eq!(shown("", 2), answer("<a/><b/>", first), "a partial list says so unasked");
        let middle = "<first index='2'>c</first><last>d</last><count>5</count>";
        assert_eq!(shown(&set("<max>2</max><after>b</after>"), 9), answer("<c/><d/>", middle));
        assert_eq!(shown(&set("<max>2</max><after>bb</after>"), 9), answer("<c/><d/>", middle));
        assert_eq!(shown(&set("<max>2</max><before>e</before>"), 9), answer("<c/><d/>", middle));
        assert_eq!(shown(&set("<max>2</max><index>2</index>"), 9), answer("<c/><d/>", middle));
        let last = "<first index='3'>d</first><last>e</last><count>5</count>";
        assert_eq!(shown(&set("<max>2</max><before/>"), 9), answer("<d/><e/>", last));
        assert_eq!(shown(&set("<max>0</max>"), 9), answer("", "<count>5</count>"));
    }

    #[test]
    fn a_page_is_no_longer_than_a_stanza_may_be() {
        let all: Vec<String> = (0..10).map(|n| format!("{n}{}", "x".repeat(PAGE_BYTES_MAX / 4))).collect();
        let query = |inner: &str| Element::parse(&format!("<query xmlns='q'>{}</query>", set(inner))).expect("a query");
        let count = |inner: &str| {
            let element = |item: &String| Element::new("item", "q").attr("id", item.as_str());
            let children = page(&all, String::as_str, element, &query(inner), 100).expect("a page");
            (children.len() - 1, children.first().and_then(|c| c.get("id")).map(|id| id[..1].to_owned()))
        };
        assert_eq!(count(""), (3, Some("0".into())));
        assert_eq!(count("<before/>"), (3, Some("7".into())));
    }
}
