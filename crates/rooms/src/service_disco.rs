//! What the service says of itself: XEP-0045 6.2 (features) and 6.3 (its rooms, page by page), ping (XEP-0199), unused room names (XEP-0307),
//! whom to write to (XEP-0157).

use crate::paging::page;
use crate::room::{Life, Room};
use crate::service::{Primary, reply};
use machine::{Now, Output};
use rand_chacha::rand_core::Rng;
use xmpp::stanza::{Condition, command, iq_result};
use xmpp::{Element, Jid, Shared, ns};

impl Primary {
    /// A stanza to the service's own address.
    pub(crate) fn handle_own(&mut self, stanza: &Element, now: Now, out: &mut Vec<Output>) {
        match (stanza.name(), stanza.get("type")) {
            ("iq", Some("set")) if stanza.has_child("command", ns::COMMANDS) => self.handle_command(stanza, now, out),
            ("iq", Some("get")) => self.answer_get(stanza, out),
            ("iq", Some("set")) => reply(stanza, &Condition::ServiceUnavailable.into(), out),
            // XEP-0045 7.2.1: a join names a room, and a nick; the password that may be in it is not sent back (7.2.6).
            ("presence", None) if stanza.has_child("x", ns::MUC) => {
                let mut join = stanza.clone();
                join.retain(|_| false);
                reply(&join.child(Element::new("x", ns::MUC)), &Condition::JidMalformed.into(), out);
            }
            // An error answers an indication: whom it was for is gone.
            ("presence", _) | ("message", Some("error")) => self.handle_own_presence(stanza, out),
            // Nobody is here to talk to.
            ("message", _) => reply(stanza, &Condition::ServiceUnavailable.into(), out),
            _ => {}
        }
    }

    fn answer_get(&mut self, stanza: &Element, out: &mut Vec<Output>) {
        let Some(payload) = stanza.children().next() else { return reply(stanza, &Condition::BadRequest.into(), out) };
        let from = stanza.get("from").and_then(|from| Jid::new(from).ok());
        let answer = match (payload.name(), payload.ns(), payload.get("node")) {
            ("query", ns::DISCO_INFO, None) => Ok(Some(self.info())),
            ("query", ns::DISCO_ITEMS, None) => self.items(payload).map(Some),
            // XEP-0045 7.12 and 18.1.1: these are questions to rooms.
            ("query", ns::DISCO_INFO, Some(RESERVED_NICK | TRAFFIC)) => Err(Condition::FeatureNotImplemented),
            ("query", ns::DISCO_ITEMS, Some(ns::COMMANDS)) => Ok(Some(self.commands_for(from.as_ref()))),
            ("query", ns::DISCO_INFO, Some(node)) => {
                command::info(node, &crate::service_commands::OFFERS).map(Some).ok_or(Condition::ItemNotFound)
            }
            ("query", ns::DISCO_ITEMS, Some(_)) => Err(Condition::ItemNotFound),
            ("unique", ns::MUC_UNIQUE, _) => Ok(Some(Element::new("unique", ns::MUC_UNIQUE).text(self.unused_name()))),
            ("ping", ns::PING, _) => Ok(None),
            _ => Err(Condition::ServiceUnavailable),
        };
        match (answer, from) {
            (Ok(payload), Some(to)) => {
                out.push(Output::Send { to, stanza: Shared::new(iq_result(stanza).with(payload)) });
            }
            (Err(condition), _) => reply(stanza, &condition.into(), out),
            (Ok(_), None) => {}
        }
    }

    /// XEP-0307: a name that no room has.
    fn unused_name(&mut self) -> String {
        let mut bytes = [0; 10];
        self.rng.fill_bytes(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn info(&self) -> Element {
        let identity = Element::new("identity", ns::DISCO_INFO)
            .attr("category", "conference")
            .attr("name", SERVICE_NAME)
            .attr("type", "text");
        let dmuc = (!self.config.replicas.is_empty()).then_some(ns::DMUC);
        Element::new("query", ns::DISCO_INFO)
            .child(identity)
            .with(FEATURES.into_iter().chain(dmuc).map(feature))
            .with(self.config.contacts.form().map(|form| form.element()))
    }

    /// 6.3: the rooms that are open and public, in order of their addresses; paged by address.
    fn items(&self, query: &Element) -> Result<Element, Condition> {
        let listed: Vec<&Room> = self.rooms.values().filter(|r| r.life == Life::Open && r.config.public).collect();
        let item = |room: &&Room| {
            let name = Some(room.config.name.as_str()).filter(|name| !name.is_empty());
            Element::new("item", ns::DISCO_ITEMS).attr("jid", room.jid.as_str()).attr_opt("name", name)
        };
        let items = page(&listed, |room| room.jid.as_str(), item, query, ITEMS_PAGE_MAX)?;
        Ok(Element::new("query", ns::DISCO_ITEMS).with(items))
    }
}

/// A feature of a disco#info answer.
pub(crate) fn feature(var: &str) -> Element {
    Element::new("feature", ns::DISCO_INFO).attr("var", var)
}

/// XEP-0045 16.4: the node at which a user learns which nick is reserved for him.
pub(crate) const RESERVED_NICK: &str = "x-roomuser-item";
/// XEP-0045 16.4: the node at which a room says what may pass through it.
pub(crate) const TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";
/// XEP-0045 7.4: messages keep their id.
pub(crate) const STABLE_ID: &str = "http://jabber.org/protocol/muc#stable_id";

/// The service's name for people.
pub const SERVICE_NAME: &str = "Rooms";

const FEATURES: [&str; 15] = [
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::MUC,
    ns::MUC_UNIQUE,
    ns::MUC_REGISTER,
    ns::MUC_ROOMCONFIG,
    ns::MUC_ROOMINFO,
    STABLE_ID,
    ns::RSM,
    ns::PING,
    ns::OCCUPANT_ID,
    ns::SID,
    "vcard-temp",
    ns::COMMANDS,
    crate::activity::RAI,
];

/// Most rooms listed in one answer; more are paged (XEP-0059).
const ITEMS_PAGE_MAX: usize = 200;
