//! Stanza errors, RFC 6120 8.3.

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
            error.push(Element::new("text", ns::STANZA_ERRORS).text(text.clone()));
        }
        if let Some(extra) = &self.extra {
            error.push(extra.clone());
        }
        error
    }

    /// The error stanza that answers `to_what`: addresses turned, id kept, its contents given back.
    ///
    /// Answering an error would be wrong (RFC 6120 8.3.1); ask [`answerable`] first where one may come.
    pub fn reply(&self, to_what: &Element) -> Element {
        let mut reply = to_what.clone();
        let (from, to) = (to_what.get("to").map(str::to_owned), to_what.get("from").map(str::to_owned));
        reply.unset("from");
        reply.unset("to");
        if let Some(from) = from {
            reply.set("from", from);
        }
        if let Some(to) = to {
            reply.set("to", to);
        }
        reply.set("type", "error");
        reply.push(self.element(None));
        reply
    }
}

/// Whether a stanza may be answered with an error: not an error, not an iq result.
pub fn answerable(stanza: &Element) -> bool {
    !matches!((stanza.name(), stanza.get("type")), (_, Some("error")) | ("iq", Some("result")))
}
