//! What a room says of itself, XEP-0045 6.4 (information) and 6.5 (items, which are private).

use super::{Cx, Room, Whois};
use crate::service_disco::{STABLE_ID, feature};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

impl Room {
    /// A disco#info query to the room's address.
    pub fn handle_info(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        match query.get("node") {
            None => {
                let answer = iq_result(iq).child(self.info());
                self.answer(from, answer, cx);
            }
            // 7.12: reserved nicks are not kept here.
            Some("x-roomuser-item") => self.refuse(iq, Condition::FeatureNotImplemented, cx),
            // 17.1.1: nothing is kept from passing.
            Some("http://jabber.org/protocol/muc#traffic") => self.refuse(iq, Condition::ServiceUnavailable, cx),
            Some(_) => self.refuse(iq, Condition::ItemNotFound, cx),
        }
    }

    /// A disco#items query: who is here is not for everybody to know (6.5).
    pub fn handle_items(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        self.answer(from, iq_result(iq).child(Element::new("query", ns::DISCO_ITEMS)), cx);
    }

    fn info(&self) -> Element {
        let name = Some(self.config.name.as_str()).filter(|name| !name.is_empty());
        let identity = Element::new("identity", ns::DISCO_INFO)
            .attr("category", "conference")
            .attr("name", name.or(self.jid.local()).unwrap_or_default())
            .attr("type", "text");
        Element::new("query", ns::DISCO_INFO)
            .child(identity)
            .with(self.features().into_iter().map(feature))
            .child(self.roominfo().element())
    }

    /// 15.3: the features that say what kind of room it is, and what else it can.
    fn features(&self) -> Vec<&'static str> {
        let config = &self.config;
        let either = |is: bool, yes, no| if is { yes } else { no };
        let mut features = vec![
            ns::MUC,
            STABLE_ID,
            either(config.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
            either(config.public, "muc_public", "muc_hidden"),
            either(config.persistent, "muc_persistent", "muc_temporary"),
            either(config.members_only, "muc_membersonly", "muc_open"),
            either(config.moderated, "muc_moderated", "muc_unmoderated"),
            either(config.whois == Whois::Anyone, "muc_nonanonymous", "muc_semianonymous"),
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::OCCUPANT_ID,
            ns::SID,
            ns::SELF_PING,
            ns::MAM,
        ];
        if config.replicas && !self.service.replicas.is_empty() {
            features.push(ns::DMUC);
        }
        features
    }

    fn roominfo(&self) -> Form {
        let said = |var: &str, label: &str, value: String| Field::new("text-single", var).label(label).value(value);
        let subject = self.subject.as_ref().and_then(|past| past.stanza.element().get_child("subject", ns::CLIENT));
        let subject = subject.map(Element::content).unwrap_or_default();
        let history = self.config.history_stanzas.to_string();
        Form::new("result")
            .with_type(ns::MUC_ROOMINFO)
            .field(said("muc#roominfo_description", "Description", self.config.description.clone()))
            .field(said("muc#roominfo_subject", "Current Discussion Topic", subject))
            .field(
                Field::boolean("muc#roomconfig_changesubject", self.config.change_subject)
                    .label("Subject can be modified"),
            )
            .field(said("muc#roominfo_occupants", "Number of occupants", self.occupants.len().to_string()))
            .field(said("muc#maxhistoryfetch", "Maximum Number of History Messages Returned by Room", history))
    }
}
