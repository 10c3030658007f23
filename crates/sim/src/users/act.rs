//! The stanzas users send, XEP-0045 sections 7 to 10.

use xmpp::{Element, Jid, ns};

fn occupant(room: &Jid, nick: &str) -> String {
    format!("{room}/{nick}")
}

/// 7.2.
pub fn join(room: &Jid, nick: &str) -> Element {
    Element::stanza("presence").attr("to", occupant(room, nick)).child(Element::new("x", ns::MUC))
}

/// 7.14.
pub fn leave(room: &Jid, nick: &str) -> Element {
    Element::stanza("presence").attr("to", occupant(room, nick)).attr("type", "unavailable")
}

/// 7.6 and 7.7: to another nick, or with another status.
pub fn presence(room: &Jid, nick: &str, show: Option<&str>, status: Option<&str>) -> Element {
    let text = |name: &'static str, text: Option<&str>| text.map(|text| Element::new(name, ns::CLIENT).text(text));
    let presence = Element::stanza("presence").attr("to", occupant(room, nick));
    presence.with(text("show", show)).with(text("status", status))
}

/// 7.4.
pub fn say(room: &Jid, id: &str, body: &str) -> Element {
    Element::stanza("message")
        .attr("to", room.as_str())
        .attr("type", "groupchat")
        .attr("id", id)
        .child(Element::new("body", ns::CLIENT).text(body))
}

/// XEP-0085: somebody writes, of which no archive keeps anything.
pub fn composing(room: &Jid) -> Element {
    let state = Element::new("composing", "http://jabber.org/protocol/chatstates");
    Element::stanza("message").attr("to", room.as_str()).attr("type", "groupchat").child(state)
}

/// Whether it is one of those.
pub fn is_composing(stanza: &Element) -> bool {
    stanza.children().any(|child| child.name() == "composing")
}

/// 7.5.
pub fn whisper(room: &Jid, nick: &str, id: &str, body: &str) -> Element {
    say(room, id, body).attr("to", occupant(room, nick)).attr("type", "chat")
}

/// 8.1.
pub fn subject(room: &Jid, id: &str, subject: &str) -> Element {
    Element::stanza("message")
        .attr("to", room.as_str())
        .attr("type", "groupchat")
        .attr("id", id)
        .child(Element::new("subject", ns::CLIENT).text(subject))
}

/// 8.2 to 8.4: role `none` is a kick.
pub fn role(room: &Jid, id: &str, nick: &str, role: &str) -> Element {
    admin(room, id, Element::new("item", ns::MUC_ADMIN).attr("nick", nick).attr("role", role))
}

/// 9: `outcast` is a ban.
pub fn affiliation(room: &Jid, id: &str, bare: &str, affiliation: &str) -> Element {
    admin(room, id, Element::new("item", ns::MUC_ADMIN).attr("jid", bare).attr("affiliation", affiliation))
}

fn admin(room: &Jid, id: &str, item: Element) -> Element {
    let query = Element::new("query", ns::MUC_ADMIN).child(item);
    Element::stanza("iq").attr("to", room.as_str()).attr("type", "set").attr("id", id).child(query)
}

/// 10.1.3 and 10.2: the configuration form with these fields; without any, the room as it is.
pub fn configure(room: &Jid, id: &str, fields: &[(&str, &str)]) -> Element {
    let field = |var: &str, value: &str| {
        let value = Element::new("value", ns::FORMS).text(value);
        Element::new("field", ns::FORMS).attr("var", var).child(value)
    };
    let mut form = Element::new("x", ns::FORMS).attr("type", "submit");
    if !fields.is_empty() {
        form.push(field("FORM_TYPE", ns::MUC_ROOMCONFIG));
    }
    let form = form.with(fields.iter().map(|(var, value)| field(var, value)));
    let query = Element::new("query", ns::MUC_OWNER).child(form);
    Element::stanza("iq").attr("to", room.as_str()).attr("type", "set").attr("id", id).child(query)
}

/// 10.9.
pub fn destroy(room: &Jid, id: &str, reason: &str) -> Element {
    let reason = Element::new("reason", ns::MUC_OWNER).text(reason);
    let query = Element::new("query", ns::MUC_OWNER).child(Element::new("destroy", ns::MUC_OWNER).child(reason));
    Element::stanza("iq").attr("to", room.as_str()).attr("type", "set").attr("id", id).child(query)
}

/// 7.8.2.
pub fn invite(room: &Jid, id: &str, bare: &str) -> Element {
    let invite = Element::new("invite", ns::MUC_USER).attr("to", bare);
    let x = Element::new("x", ns::MUC_USER).child(invite);
    Element::stanza("message").attr("to", room.as_str()).attr("id", id).child(x)
}

/// XEP-0425 3: a message is taken back by a moderator.
pub fn retract(room: &Jid, id: &str, stanza_id: &str) -> Element {
    let retract = Element::new("retract", "urn:xmpp:message-retract:1");
    let moderate = Element::new("moderate", ns::MODERATE).attr("id", stanza_id).child(retract);
    Element::stanza("iq").attr("to", room.as_str()).attr("type", "set").attr("id", id).child(moderate)
}

/// XEP-0410: whether one is still in.
pub fn ping(room: &Jid, nick: &str, id: &str) -> Element {
    let ping = Element::new("ping", ns::PING);
    Element::stanza("iq").attr("to", occupant(room, nick)).attr("type", "get").attr("id", id).child(ping)
}

/// A message with everything that only rooms and servers may say.
pub fn forged(room: &Jid, id: &str, body: &str) -> Element {
    let at = Element::new("at", ns::NETJOIN).attr("epoch", "forged").attr("d", "1").attr("kind", "event");
    let enter = Element::new("enter", ns::DMUC).attr("jid", "nobody@example.org/nowhere");
    let up = Element::new("up", ns::NETJOIN).attr("outbox", "forged").attr("n", "1");
    say(room, id, body)
        .child(Element::new("x", ns::MUC_USER).child(Element::new("status", ns::MUC_USER).attr("code", "332")))
        .child(Element::new("stanza-id", ns::SID).attr("id", "forged").attr("by", room.as_str()))
        .child(Element::new("occupant-id", ns::OCCUPANT_ID).attr("id", "forged"))
        .child(Element::new("x", ns::DMUC).child(enter).child(up).child(at))
}

/// Whether this is what [`forged`] made, as a client sent it.
pub fn is_forged(stanza: &Element) -> bool {
    let x = stanza.get_child("x", ns::DMUC);
    x.and_then(|x| x.get_child("at", ns::NETJOIN)).is_some_and(|at| at.get("epoch") == Some("forged"))
}
