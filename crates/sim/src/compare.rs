//! Whether two stanzas are the same, up to names that nobody chose.
//!
//! Ids and stamps made by servers differ from run to run. They may, as long as there is one renaming for the whole run:
//! the same stands for the same, and different for different.

use std::collections::BTreeMap;
use xmpp::{Element, Node};

/// What stands for what, in a whole run.
#[derive(Debug, Clone, Default)]
pub struct Renaming {
    actual_of: BTreeMap<(Kind, String), String>,
    expected_of: BTreeMap<(Kind, String), String>,
}

/// Names of different kinds have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An id: of a stanza, a message, an occupant.
    Id,
    /// A point in time.
    Stamp,
}

/// How much of the actual stanza the expected one says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Says {
    /// All of it.
    #[default]
    Everything,
    /// It has a `...`: there may be other children.
    ThisAmongOthers,
}

/// Where two stanzas differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The names of the elements down to the place.
    pub path: String,
    /// What is wrong there.
    pub what: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

impl Renaming {
    /// This id was chosen by somebody and stands for itself.
    pub fn fix(&mut self, id: &str) {
        let key = (Kind::Id, id.to_owned());
        self.actual_of.insert(key.clone(), id.to_owned());
        self.expected_of.insert(key, id.to_owned());
    }

    /// What stands for an expected name in this run; `None` when it has not come up.
    pub fn actual(&self, kind: Kind, expected: &str) -> Option<&str> {
        self.actual_of.get(&(kind, expected.to_owned())).map(String::as_str)
    }

    /// Whether `actual` is what is expected; then the names in it are known from now on, else nothing has changed.
    pub fn same(&mut self, expected: &Element, actual: &Element, says: Says) -> Result<(), Difference> {
        let mut tried = self.clone();
        tried.element(expected, actual, says, expected.name())?;
        *self = tried;
        Ok(())
    }

    /// Whether these are the same stanzas in the same order.
    pub fn same_all(&mut self, expected: &[Element], actual: &[Element], says: Says) -> Result<(), Difference> {
        let mut tried = self.clone();
        for (index, pair) in expected.iter().zip(actual).enumerate() {
            tried.element(pair.0, pair.1, says, &format!("stanza {}/{}", index + 1, pair.0.name()))?;
        }
        if expected.len() != actual.len() {
            let surplus: Vec<String> = actual.iter().skip(expected.len()).map(Element::to_xml).collect();
            let missing: Vec<String> = expected.iter().skip(actual.len()).map(Element::to_xml).collect();
            let what = format!("missing: {} surplus: {}", missing.join("\n"), surplus.join("\n"));
            return Err(Difference { path: format!("{} stanzas, expected {}", actual.len(), expected.len()), what });
        }
        *self = tried;
        Ok(())
    }

    fn element(&mut self, expected: &Element, actual: &Element, says: Says, path: &str) -> Result<(), Difference> {
        let wrong = |what: String| Err(Difference { path: path.to_owned(), what });
        if (expected.name(), expected.ns()) != (actual.name(), actual.ns()) {
            return wrong(format!("expected {expected}, got {actual}"));
        }
        self.attributes(expected, actual, path)?;
        if is_named_in_text(expected) {
            return self.rename(Kind::Id, &expected.content(), &actual.content(), path);
        }
        let (wanted, got) = (contents(expected, says), contents(actual, Says::Everything));
        let mut got = got.into_iter();
        for node in wanted {
            match node {
                Node::Text(text) => match got.next() {
                    Some(Node::Text(other)) if other == text => {}
                    other => return wrong(format!("expected the text {text:?}, got {other:?}")),
                },
                Node::Element(child) => {
                    let path = format!("{path}/{}", child.name());
                    let mut first = None;
                    loop {
                        let Some(other) = got.next() else {
                            return Err(first.unwrap_or(Difference { path, what: format!("missing: {child}") }));
                        };
                        let result = match other {
                            Node::Element(other) => self.child(&child, &other, &path),
                            Node::Text(text) => Err(Difference { path: path.clone(), what: format!("text {text:?}") }),
                        };
                        match result {
                            Ok(()) => break,
                            Err(difference) if says == Says::Everything => return Err(difference),
                            Err(difference) => first = first.or(Some(difference)),
                        }
                    }
                }
            }
        }
        match got.next().filter(|_| says == Says::Everything) {
            Some(node) => wrong(format!("surplus: {node:?}")),
            None => Ok(()),
        }
    }

    fn child(&mut self, expected: &Element, actual: &Element, path: &str) -> Result<(), Difference> {
        let mut tried = self.clone();
        tried.element(expected, actual, Says::Everything, path)?;
        *self = tried;
        Ok(())
    }

    fn attributes(&mut self, expected: &Element, actual: &Element, path: &str) -> Result<(), Difference> {
        for attr in expected.attrs() {
            let path = format!("{path}@{}", attr.name);
            match actual.attrs().iter().find(|other| other.name == attr.name && other.ns == attr.ns) {
                None => return Err(Difference { path, what: format!("missing, expected {:?}", attr.value) }),
                Some(other) => match kind_of(expected, &attr.name) {
                    Some(kind) => self.rename(kind, &attr.value, &other.value, &path)?,
                    None if attr.value == other.value => {}
                    None => {
                        let what = format!("expected {:?}, got {:?}", attr.value, other.value);
                        return Err(Difference { path, what });
                    }
                },
            }
        }
        let known = |name: &str| expected.attrs().iter().any(|attr| attr.name == name);
        match actual.attrs().iter().find(|attr| !known(&attr.name)) {
            Some(attr) => {
                Err(Difference { path: format!("{path}@{}", attr.name), what: format!("surplus: {:?}", attr.value) })
            }
            None => Ok(()),
        }
    }

    fn rename(&mut self, kind: Kind, expected: &str, actual: &str, path: &str) -> Result<(), Difference> {
        let wrong = |what: String| Err(Difference { path: path.to_owned(), what });
        if kind == Kind::Stamp && (expected.len() < STAMP_CHARS_MIN || xmpp::stanza::parse_ms(actual).is_none()) {
            return wrong(format!("expected a stamp like {expected:?}, got {actual:?}"));
        }
        let (there, back) = ((kind, expected.to_owned()), (kind, actual.to_owned()));
        match (self.actual_of.get(&there), self.expected_of.get(&back)) {
            (None, None) => {
                self.actual_of.insert(there, actual.to_owned());
                self.expected_of.insert(back, expected.to_owned());
                Ok(())
            }
            (Some(known), _) if known != actual => {
                wrong(format!("{expected:?} stood for {known:?}, now for {actual:?}"))
            }
            (_, Some(known)) if known != expected => wrong(format!("{actual:?} was {known:?}, now it is {expected:?}")),
            _ => Ok(()),
        }
    }
}

/// Which attributes hold names that may differ.
fn kind_of(element: &Element, attribute: &str) -> Option<Kind> {
    match attribute {
        "id" => Some(Kind::Id),
        "stamp" => Some(Kind::Stamp),
        // XEP-0463.
        "since" | "until" if element.name() == "mav" => Some(Kind::Id),
        // XEP-0313 5.
        "timestamp" if element.ns() == xmpp::ns::MAM => Some(Kind::Stamp),
        _ if element.ns() == xmpp::ns::NETJOIN => kind_on_the_link(element.name(), attribute),
        _ => None,
    }
}

/// The same in the marks of a link: what either side makes up, `docs/wire.md`.
fn kind_on_the_link(element: &str, attribute: &str) -> Option<Kind> {
    match (element, attribute) {
        (_, "epoch" | "incarnation" | "term" | "archive" | "key" | "outbox") => Some(Kind::Id),
        ("outbox", "name") | ("digest", "roster") => Some(Kind::Id),
        (_, "said") => Some(Kind::Stamp),
        _ => None,
    }
}

/// Result sets name the first and the last of a page by its id, XEP-0059.
fn is_named_in_text(element: &Element) -> bool {
    element.ns() == xmpp::ns::RSM && matches!(element.name(), "first" | "last") && !element.content().is_empty()
}

/// What an element contains: without the white space between elements, and without the `...` of an example.
fn contents(element: &Element, says: Says) -> Vec<Node> {
    let mixed = element.children().next().is_some();
    let counts = |node: &&Node| match node {
        Node::Element(_) => true,
        Node::Text(text) => {
            let blank = text.trim().is_empty();
            !((blank && mixed) || (says == Says::ThisAmongOthers && text.trim() == ELLIPSIS))
        }
    };
    element.nodes().iter().filter(counts).cloned().collect()
}

/// `...`, as examples in XEPs have it.
pub const ELLIPSIS: &str = "...";
/// `2002-10-13T00:00:00Z`
const STAMP_CHARS_MIN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Element {
        Element::parse(xml).unwrap()
    }

    #[test]
    fn ids_and_stamps_may_differ_by_one_renaming() {
        let mut names = Renaming::default();
        let (a, b) = (parse("<message id='1'/>"), parse("<message id='x'/>"));
        assert_eq!(names.same(&a, &b, Says::Everything), Ok(()));
        assert_eq!(names.same(&a, &b, Says::Everything), Ok(()));
        assert!(names.same(&a, &parse("<message id='y'/>"), Says::Everything).is_err(), "one stood for another");
        assert!(names.same(&parse("<message id='2'/>"), &b, Says::Everything).is_err(), "two stand for one");
    }

    #[test]
    fn an_id_that_was_chosen_stands_for_itself() {
        let mut names = Renaming::default();
        names.fix("mine");
        assert!(names.same(&parse("<iq id='mine'/>"), &parse("<iq id='other'/>"), Says::Everything).is_err());
        assert!(names.same(&parse("<iq id='mine'/>"), &parse("<iq id='mine'/>"), Says::Everything).is_ok());
    }

    #[test]
    fn attributes_text_children_and_their_order_count() {
        let expected = parse("<message to='a' type='chat'><body>hi</body><x/></message>");
        for other in [
            "<message to='b' type='chat'><body>hi</body><x/></message>",
            "<message to='a'><body>hi</body><x/></message>",
            "<message to='a' type='chat' from='c'><body>hi</body><x/></message>",
            "<message to='a' type='chat'><body>ho</body><x/></message>",
            "<message to='a' type='chat'><body>hi</body></message>",
            "<message to='a' type='chat'><x/><body>hi</body></message>",
            "<message to='a' type='chat'><body>hi</body><x/><y/></message>",
            "<message to='a' type='chat'><body>hi</body><x xmlns='urn:y'/></message>",
        ] {
            assert!(Renaming::default().same(&expected, &parse(other), Says::Everything).is_err(), "{other}");
        }
        let spaced = parse("<message type='chat' to='a'>\n  <body>hi</body>\n  <x/>\n</message>");
        assert_eq!(Renaming::default().same(&expected, &spaced, Says::Everything), Ok(()));
    }

    #[test]
    fn an_ellipsis_leaves_room_for_other_children() {
        let expected = parse("<presence><x/> ... </presence>");
        let actual = parse("<presence><show>away</show><x/></presence>");
        assert_eq!(Renaming::default().same(&expected, &actual, Says::ThisAmongOthers), Ok(()));
        let other = parse("<presence><show>away</show></presence>");
        assert!(Renaming::default().same(&expected, &other, Says::ThisAmongOthers).is_err());
    }
}
