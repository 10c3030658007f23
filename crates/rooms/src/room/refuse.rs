//! How the room says no: RFC 6120 8.3 as XEP-0045's examples write it, with `by` naming the room.

use super::{Cx, Room};
use machine::Output;
use xmpp::stanza::{StanzaError, answerable, given_back};
use xmpp::{Element, Jid, Shared, ns};

impl Room {
    /// Answers a stanza with an error, unless it is one that may not be answered.
    pub fn refuse(&mut self, stanza: &Element, error: impl Into<StanzaError>, cx: &mut Cx<'_>) {
        if let Some((to, reply)) = self.refusal(stanza, &error.into()) {
            self.answer(&to, reply, cx);
        }
    }

    /// The same as an output, for the case that something cannot be made durable.
    pub fn refusal_output(&self, stanza: &Element, error: &StanzaError, cx: &Cx<'_>) -> Option<Output> {
        let (to, mut reply) = self.refusal(stanza, error)?;
        if let Some(up) = cx.up.as_ref().filter(|up| up.from == to) {
            reply.push(up.on_error());
        }
        Some(Output::Send { to, stanza: Shared::new(reply) })
    }

    /// The recipient and the error stanza. A presence gives back the empty muc element alone (7.2.6: never the password),
    /// a message its contents where they are short, a request of moderators and owners too (8.4: "along with the offending item(s)";
    /// 10.2 and 10.9 show the query), any other iq nothing.
    fn refusal(&self, stanza: &Element, error: &StanzaError) -> Option<(Jid, Element)> {
        if !answerable(stanza) {
            return None;
        }
        let to = stanza.get("from").and_then(|from| Jid::new(from).ok())?;
        let mut reply = Element::new(stanza.name(), ns::CLIENT)
            .attr_opt("from", stanza.get("to"))
            .attr_opt("id", stanza.get("id"))
            .attr("type", "error");
        match stanza.name() {
            "presence" => reply.push(Element::new("x", ns::MUC)),
            "message" => reply = reply.with(given_back(stanza).cloned()),
            _ => {
                let asked = given_back(stanza).filter(|child| matches!(child.ns(), ns::MUC_ADMIN | ns::MUC_OWNER));
                reply = reply.with(asked.cloned());
            }
        }
        reply.push(error.element(Some(self.jid.as_str())));
        Some((to, reply))
    }
}
