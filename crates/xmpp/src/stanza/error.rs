//! Stanza errors, RFC 6120 8.3.

use crate::xml::Node;
use crate::{Element, ns};

/// A defined condition with the type RFC 6120 8.3.3 recommends for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names are RFC 6120's own, 8.3.3.1 to 8.3.3.22
pub enum Condition {
    BadRequest,
    Conflict,
    FeatureNotImplemented,
    Forbidden,
    Gone,
    InternalServerError,
    ItemNotFound,
    JidMalformed,
    NotAcceptable,
    NotAllowed,
    NotAuthorized,
    PolicyViolation,
    RecipientUnavailable,
    RegistrationRequired,
    RemoteServerNotFound,
    RemoteServerTimeout,
    ResourceConstraint,
    ServiceUnavailable,
    SubscriptionRequired,
    UndefinedCondition,
    UnexpectedRequest,
}

impl Condition {
    /// (type, element name).
    pub fn wire(self) -> (&'static str, &'static str) {
        use Condition::*;
        match self {
            BadRequest => ("modify", "bad-request"),
            Conflict => ("cancel", "conflict"),
            FeatureNotImplemented => ("cancel", "feature-not-implemented"),
            Forbidden => ("auth", "forbidden"),
            Gone => ("cancel", "gone"),
            InternalServerError => ("cancel", "internal-server-error"),
            ItemNotFound => ("cancel", "item-not-found"),
            JidMalformed => ("modify", "jid-malformed"),
            NotAcceptable => ("modify", "not-acceptable"),
            NotAllowed => ("cancel", "not-allowed"),
            NotAuthorized => ("auth", "not-authorized"),
            PolicyViolation => ("modify", "policy-violation"),
            RecipientUnavailable => ("wait", "recipient-unavailable"),
            RegistrationRequired => ("auth", "registration-required"),
            RemoteServerNotFound => ("cancel", "remote-server-not-found"),
            RemoteServerTimeout => ("wait", "remote-server-timeout"),
            ResourceConstraint => ("wait", "resource-constraint"),
            ServiceUnavailable => ("cancel", "service-unavailable"),
            SubscriptionRequired => ("auth", "subscription-required"),
            UndefinedCondition => ("cancel", "undefined-condition"),
            UnexpectedRequest => ("wait", "unexpected-request"),
        }
    }
}

/// An error to be sent: condition, who says so, and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StanzaError {
    /// The condition; its usual type is sent unless `kind` says another.
    pub condition: Condition,
    /// A type in place of the usual one.
    pub kind: Option<&'static str>,
    /// A sentence for people, saying what to do.
    pub text: Option<String>,
    /// An application-specific condition.
    pub extra: Option<Element>,
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> StanzaError {
        StanzaError { condition, kind: None, text: None, extra: None }
    }
}

impl StanzaError {
    /// With a sentence for people.
    pub fn new(condition: Condition, text: impl Into<String>) -> StanzaError {
        StanzaError { text: Some(text.into()), ..condition.into() }
    }

    /// With another type than the usual one.
    #[must_use]
    pub fn kind(mut self, kind: &'static str) -> StanzaError {
        self.kind = Some(kind);
        self
    }

    /// The `<error/>` element; `by` names who says so (RFC 6120 8.3.1).
    pub fn element(&self, by: Option<&str>) -> Element {
        let (kind, name) = self.condition.wire();
        let mut error = Element::new("error", ns::CLIENT)
            .attr_opt("by", by)
            .attr("type", self.kind.unwrap_or(kind))
            .child(Element::new(name, ns::STANZA_ERRORS));
        if let Some(text) = &self.text {
            // 8.3.2: it "SHOULD possess" that; the stanza that is given back may be in another language.
            error.push(Element::new("text", ns::STANZA_ERRORS).attr("xml:lang", "en").text(text.clone()));
        }
        if let Some(extra) = &self.extra {
            error.push(extra.clone());
        }
        error
    }

    /// The error stanza that answers `to_what`: addresses turned, id kept, its contents [`given_back`].
    ///
    /// Answering an error would be wrong (RFC 6120 8.3.1); ask [`answerable`] first where one may come.
    pub fn reply(&self, to_what: &Element) -> Element {
        let mut reply = if fits(to_what) {
            to_what.clone()
        } else {
            let bare = Element::new(to_what.name(), ns::CLIENT).attr_opt("id", to_what.get("id"));
            bare.with(given_back(to_what).cloned())
        };
        reply.unset("from");
        reply.unset("to");
        if let Some(from) = to_what.get("to") {
            reply.set("from", from);
        }
        if let Some(to) = to_what.get("from") {
            reply.set("to", to);
        }
        reply.set("type", "error");
        reply.push(self.element(None));
        reply
    }
}

/// What of a stanza an error that answers it gives back (RFC 6120 8.3.1: it MAY): everything as long as that is little. Of a long
/// one nothing but what a link between rooms knows it by (XEP-0282): else a few of them, refused or bounced, would fill
/// what is kept for their sender until it reads, and cut it off.
pub fn given_back(stanza: &Element) -> impl Iterator<Item = &Element> {
    let whole = fits(stanza);
    stanza.children().filter(move |child| whole || (child.is("x", ns::DMUC) && fits(child)))
}

/// Whether an element is short enough to be given back.
fn fits(element: &Element) -> bool {
    fn left_by(element: &Element, left: usize) -> Option<usize> {
        let attrs = element.attrs().iter().map(|attr| attr.name.len() + attr.value.len()).sum::<usize>();
        let left = left.checked_sub(element.name().len() + attrs + TAG_BYTES)?;
        element.nodes().iter().try_fold(left, |left, node| match node {
            Node::Text(text) => left.checked_sub(text.len()),
            Node::Element(element) => left_by(element, left),
        })
    }
    left_by(element, GIVEN_BACK_BYTES_MAX).is_some()
}

/// Most bytes of a stanza that an error gives back: more than what people type has, less than any limit on what waits for a
/// reader by far.
const GIVEN_BACK_BYTES_MAX: usize = 4_096;
/// What a tag without name and attributes comes to.
const TAG_BYTES: usize = 5;

/// Whether a stanza may be answered with an error: not an error, not an iq result.
pub fn answerable(stanza: &Element) -> bool {
    !matches!((stanza.name(), stanza.get("type")), (_, Some("error")) | ("iq", Some("result")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounce(contents: &str) -> String {
        let stanza = format!(
            "<message type='chat' id='m1' from='romeo@montague.example/orchard' to='juliet@capulet.example'>{contents}</message>"
        );
        StanzaError::from(Condition::ServiceUnavailable).reply(&Element::parse(&stanza).unwrap()).to_xml()
    }

    /// The error as it stands behind what is given back.
    fn with(contents: &str) -> String {
        format!(
            "<message type='error' id='m1' from='juliet@capulet.example' to='romeo@montague.example/orchard'>{contents}\
             <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    }

    /// RFC 6120 8.3.1: an error may include the original XML.
    #[test]
    fn s8_3_1_a_short_stanza_is_given_back() {
        let same =
            |xml: &str, other: &str| Element::parse(xml).unwrap().nodes() == Element::parse(other).unwrap().nodes();
        let body = "<body>Art thou not Romeo, and a Montague?</body>";
        assert!(same(&bounce(body), &with(body)));
    }

    /// A long one is not, be it long in text, in attributes or in elements; a link still knows its own.
    #[test]
    fn s8_3_1_a_long_stanza_is_not_given_back() {
        let mark = "<x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='o7f3' n='42'/></x>";
        let text = format!("<body>{}</body>", "a".repeat(100_000));
        let attribute = format!("<x xmlns='urn:example' a='{}'/>", "a".repeat(5_000));
        let elements = "<x xmlns='urn:example'/>".repeat(1_000);
        let long_mark = mark.replace("o7f3", &"o".repeat(5_000));
        for long in [text, attribute, elements, long_mark] {
            let error = bounce(&format!("{long}{mark}"));
            let (error, expected) = (Element::parse(&error).unwrap(), Element::parse(&with(mark)).unwrap());
            assert_eq!(error.nodes(), expected.nodes());
            for name in ["type", "id", "from", "to"] {
                assert_eq!(error.get(name), expected.get(name));
            }
        }
    }
}
