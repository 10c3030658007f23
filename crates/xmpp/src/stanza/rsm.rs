//! Result sets, XEP-0059: a long answer page by page.

use crate::{Element, ns};

/// What page is asked for, sections 2.1 to 2.6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// At most so many; 0 asks for the count alone (2.7). The answering side has a limit of its own.
    pub max: Option<u32>,
    /// From behind this id on (2.2).
    pub after: Option<String>,
    /// Up to before this id; empty asks for the last page (2.3, 2.5).
    pub before: Option<String>,
    /// From this place in the whole on (2.6).
    pub index: Option<u32>,
}

/// A `<set/>` whose numbers are no numbers. On the wire: `bad-request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number in the result set request is not a number")]
pub struct BadNumber;

impl Request {
    /// Reads the `<set/>` within `query`; without one it is the default, which asks for everything.
    pub fn find(query: &Element) -> Result<Request, BadNumber> {
        let Some(set) = query.get_child("set", ns::RSM) else { return Ok(Request::default()) };
        let text = |name| set.get_child(name, ns::RSM).map(Element::content);
        let number = |name| text(name).map(|t| t.trim().parse::<u32>().map_err(|_| BadNumber)).transpose();
        Ok(Request { max: number("max")?, after: text("after"), before: text("before"), index: number("index")? })
    }

    /// The request as an element.
    pub fn element(&self) -> Element {
        let child = |name: &str, text: String| Element::new(name, ns::RSM).text(text);
        let empty_or = |name: &str, text: &String| match text.is_empty() {
            true => Element::new(name, ns::RSM),
            false => child(name, text.clone()),
        };
        Element::new("set", ns::RSM)
            .with(self.max.map(|max| child("max", max.to_string())))
            .with(self.after.as_ref().map(|id| empty_or("after", id)))
            .with(self.before.as_ref().map(|id| empty_or("before", id)))
            .with(self.index.map(|index| child("index", index.to_string())))
    }
}

/// What a page was, as its `<set/>` tells the one who asked; `first` and `last` are the ids of its ends, none
/// for an empty page (2.1, 2.4); `index` is where `first` stands in the whole, `count` how many there are (2.6).
pub fn set(first: Option<&str>, last: Option<&str>, index: Option<u64>, count: Option<u64>) -> Element {
    let child = |name: &str, text: &str| Element::new(name, ns::RSM).text(text);
    Element::new("set", ns::RSM)
        .with(first.map(|id| child("first", id).attr_opt("index", index.map(|n| n.to_string()))))
        .with(last.map(|id| child("last", id)))
        .with(count.map(|n| child("count", &n.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(set: &str) -> Element {
        Element::parse(&format!("<query xmlns='jabber:iq:search'>{set}</query>")).unwrap()
    }

    #[test]
    fn s2_2_paging_forwards() {
        let page =
            query("<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>peter@pixyland.org</after></set>");
        let expected = Request { max: Some(10), after: Some("peter@pixyland.org".into()), ..Request::default() };
        assert_eq!(Request::find(&page), Ok(expected.clone()));
        assert_eq!(query("").child(expected.element()), page);
    }

    #[test]
    fn s2_5_the_last_page_is_before_nothing() {
        let page = query("<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><before/></set>");
        assert_eq!(Request::find(&page).unwrap().before.as_deref(), Some(""));
    }

    #[test]
    fn s2_1_no_set_asks_for_everything_and_a_wrong_number_is_refused() {
        assert_eq!(Request::find(&query("")), Ok(Request::default()));
        let wrong = query("<set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set>");
        assert_eq!(Request::find(&wrong), Err(BadNumber));
    }

    #[test]
    fn s2_6_a_page_says_its_ends_its_place_and_the_whole() {
        assert_eq!(
            set(Some("stpeter@jabber.org"), Some("peter@rabbit.lit"), Some(0), Some(800)).to_xml(),
            "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>stpeter@jabber.org</first>\
             <last>peter@rabbit.lit</last><count>800</count></set>"
        );
        assert_eq!(
            set(None, None, None, Some(0)).to_xml(),
            "<set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set>"
        );
    }
}
