//! Resource binding, RFC 6120 7, and the stanzas of a bound client, RFC 6120 8.1.

use super::{Acceptor, Output, Phase};
use crate::stanza::{Condition, StanzaError, iq_result};
use crate::stream::check::{self, Wrong};
use crate::stream::error::StreamError;
use crate::{Element, Jid, ns};

impl Acceptor {
    /// What comes before a resource is bound must be the request to bind one.
    pub(super) fn bind(&mut self, iq: Element, user: Jid, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let Some(bind) = iq.get_child("bind", ns::BIND).filter(|_| is_set(&iq)) else {
            return Err(StreamError::new("not-authorized", "bind a resource before sending stanzas"));
        };
        let wished = bind.get_child("resource", ns::BIND).map(Element::content).filter(|r| !r.is_empty());
        let resource = wished.unwrap_or_else(|| self.negotiation().seed.text());
        match user.with_resource(&resource) {
            Ok(jid) => {
                self.phase = Phase::BindWait(user, Box::new(iq));
                out.push(Output::Bind(jid));
            }
            // RFC 6120 7.7.2.1
            Err(_) => self.wire.send(&StanzaError::from(Condition::BadRequest).reply(&iq), out),
        }
        Ok(())
    }

    /// The answer to [`Output::Bind`].
    pub(super) fn bound(&mut self, result: Result<Jid, Condition>, out: &mut Vec<Output>) {
        let Phase::BindWait(user, iq) = std::mem::replace(&mut self.phase, Phase::Header(None)) else { return };
        match result {
            Ok(jid) => {
                let address = Element::new("jid", ns::BIND).text(jid.as_str());
                let answer = Element::stanza("iq").attr("type", "result").attr_opt("id", iq.get("id"));
                self.wire.send(&answer.child(Element::new("bind", ns::BIND).child(address)), out);
                self.phase = Phase::Bound(jid);
                self.negotiation = None;
            }
            Err(condition) => {
                self.wire.send(&StanzaError::from(condition).reply(&iq), out);
                self.phase = Phase::Binding(user);
            }
        }
    }

    /// A stanza of a bound client.
    pub(super) fn stanza(&mut self, mut stanza: Element, jid: &Jid, out: &mut Vec<Output>) -> Result<(), StreamError> {
        let checked = check::client_stanza(&mut stanza, jid);
        if !matches!(checked, Err(Wrong::Stream(_))) {
            // XEP-0198 4: one that is refused is handled too.
            self.handled = self.handled.map(|handled| handled.wrapping_add(1));
        }
        match checked {
            Ok(()) if is_set(&stanza) && stanza.has_child("session", ns::SESSION) => {
                out.push(Output::Answer(iq_result(&stanza)));
            }
            Ok(()) if is_set(&stanza) && stanza.has_child("bind", ns::BIND) => {
                let error = StanzaError::new(Condition::NotAllowed, "one resource to a stream");
                out.push(Output::Answer(error.reply(&stanza)));
            }
            Ok(()) => out.push(Output::Stanza(stanza)),
            Err(Wrong::Stanza(error)) => {
                let mut reply = error.reply(&stanza);
                reply.set("from", stanza.get("to").filter(|to| Jid::new(to).is_ok()).unwrap_or(jid.domain()));
                out.push(Output::Answer(reply));
            }
            Err(Wrong::Silent) => {}
            Err(Wrong::Stream(error)) => return Err(error),
        }
        Ok(())
    }
}

fn is_set(iq: &Element) -> bool {
    iq.is("iq", ns::CLIENT) && iq.get("type") == Some("set") && iq.get("id").is_some()
}
