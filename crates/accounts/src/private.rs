//! What a user's clients put by: private XML (XEP-0049), which nobody else sees, and the vCard (XEP-0054), which everybody may.

use crate::kept::Setting;
use crate::records::{SPACE_PRIVATE, SPACE_VCARD};
use crate::service::{Accounts, Addressed};
use machine::Output;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, ns};

impl Accounts {
    /// XEP-0049: what is kept of each element that is named, or these elements instead; the caller has seen that it is a
    /// session's own.
    pub(crate) fn private(
        &mut self,
        iq: &Addressed,
        query: &Element,
        out: &mut Vec<Output>,
    ) -> Result<Option<Element>, StanzaError> {
        let mut names = Vec::new();
        for element in query.children() {
            // 2.3: an element without a namespace of its own, or in one that is the protocol's, is nobody's private one.
            if matches!(element.ns(), ns::PRIVATE | ns::CLIENT) {
                return Err(StanzaError::new(Condition::NotAcceptable, "the element needs a namespace of its own"));
            }
            names.push((element, format!("{} {}", element.ns(), element.name())));
        }
        if names.is_empty() {
            return Err(Condition::BadRequest.into());
        }
        if iq.stanza.get("type") == Some("get") {
            let kept = self.account(&iq.from).map(|account| &account.kept);
            let found = names.iter().map(|(element, key)| {
                let value = kept.and_then(|kept| kept.get(SPACE_PRIVATE, key)).and_then(xml_of);
                value.unwrap_or_else(|| (*element).clone())
            });
            let found: Vec<Element> = found.collect();
            return Ok(Some(Element::new("query", ns::PRIVATE).with(found)));
        }
        let settings = names.iter().map(|(element, key)| Setting::put(SPACE_PRIVATE, key, xml_value(element)));
        self.settle(iq, settings.collect(), None, Vec::new(), out)?;
        Ok(None)
    }

    /// XEP-0054 3.1, 3.3: the vCard of a user, whoever asks.
    pub(crate) fn vcard(&self, of: &Jid) -> Option<Element> {
        self.account(of)?.kept.get(SPACE_VCARD, "").and_then(xml_of)
    }

    /// XEP-0054 3.2: the user's own, in place of what there was.
    pub(crate) fn set_vcard(
        &mut self,
        iq: &Addressed,
        vcard: &Element,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        self.settle(iq, vec![Setting::put(SPACE_VCARD, "", xml_value(vcard))], None, Vec::new(), out)
    }
}

/// An element as a record's value.
pub(crate) fn xml_value(element: &Element) -> String {
    serde_json::Value::from(element.to_xml()).to_string()
}

/// The element that a record's value is.
pub(crate) fn xml_of(value: &str) -> Option<Element> {
    Element::parse(&serde_json::from_str::<String>(value).ok()?).ok()
}
