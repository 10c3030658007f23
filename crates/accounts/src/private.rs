//! What a user's clients put by: private XML (XEP-0049), which nobody else sees, and the vCard (XEP-0054), which everybody may.

use crate::kept::Setting;
use crate::ledger::Step;
use crate::records::{SPACE_PRIVATE, SPACE_VCARD};
use crate::service::{Accounts, Addressed, error_to};
use machine::Output;
use xmpp::stanza::{Condition, StanzaError, iq_result};
use xmpp::{Element, Jid, Shared, ns};

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
        self.put_by(iq, settings.collect(), out)?;
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
        self.put_by(iq, vec![Setting::put(SPACE_VCARD, "", xml_value(vcard))], out)
    }

    /// Keeps records of the sender, and answers when they are durable.
    pub(crate) fn put_by(
        &mut self,
        iq: &Addressed,
        settings: Vec<Setting>,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let local = self.may_keep(&iq.from, &settings)?;
        let step = self.keep(&local, settings);
        let then = vec![Output::Send { to: iq.from.clone(), stanza: Shared::new(iq_result(&iq.stanza)) }];
        let otherwise = error_to(&iq.stanza, Condition::InternalServerError).into_iter().collect();
        self.ledger.commit(Step { then, otherwise, ..step }, out);
        Ok(())
    }

    /// Whose records are set: a user who stays, and has room for them.
    pub(crate) fn may_keep(&self, from: &Jid, settings: &[Setting]) -> Result<String, StanzaError> {
        let (Some(local), Some(account)) = (from.local(), self.account(from)) else {
            return Err(Condition::NotAllowed.into());
        };
        if account.leaving {
            return Err(Condition::NotAllowed.into());
        }
        if self.ledger.is_full() {
            let busy = "too many changes are on their way to the disk; try again in a moment";
            return Err(StanzaError::new(Condition::ResourceConstraint, busy));
        }
        let replaced: Vec<(&'static str, &str)> = settings.iter().map(|s| (s.space, s.key.as_str())).collect();
        let wanted = settings.iter().filter_map(|s| Some(s.key.len() + s.value.as_ref()?.len()));
        if wanted.sum::<usize>() > self.room_left(local, &replaced) {
            return Err(StanzaError::new(Condition::ResourceConstraint, FULL).kind("modify"));
        }
        Ok(local.to_owned())
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

const FULL: &str = "your account keeps as much as it may; remove something first";
