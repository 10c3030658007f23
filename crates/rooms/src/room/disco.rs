//! What a room says of itself, XEP-0045 6.4 (information), 6.5 (items) and 7.12 (the asker's reserved nick).

use super::{Cx, Occupant, Room, Whois};
use crate::paging::page;
use crate::service_disco::{RESERVED_NICK, STABLE_ID, TRAFFIC, feature};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, command, iq_result};
use xmpp::{Element, Jid, ns};

impl Room {
    /// A disco#info query to the room's address.
    pub fn handle_info(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        let answer = match query.get("node") {
            None => self.info(from),
            Some(node @ RESERVED_NICK) => self.reserved_item(from).attr("node", node),
            // 18.1.1: nothing is kept from passing.
            Some(TRAFFIC) => {
                return self.refuse(iq, Condition::ServiceUnavailable, cx);
            }
            Some(node) => match command::info(node, &super::hats::OFFERS) {
                Some(info) => info,
                None => return self.refuse(iq, Condition::ItemNotFound, cx),
            },
        };
        self.answer(from, iq_result(iq).child(answer), cx);
    }

    /// 7.12: the nick that is reserved for the asker, or nothing.
    fn reserved_item(&self, from: &Jid) -> Element {
        let identity = self.reserved_nick(from).map(|nick| {
            Element::new("identity", ns::DISCO_INFO)
                .attr("category", "conference")
                .attr("name", nick.as_str())
                .attr("type", "text")
        });
        Element::new("query", ns::DISCO_INFO).with(identity)
    }

    /// A disco#items query, 6.5: who is here is for everybody to know only where the owner says so. Long lists come in pages.
    pub fn handle_items(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        match query.get("node") {
            None => {}
            Some(ns::COMMANDS) => return self.answer(from, iq_result(iq).child(self.commands_for(from)), cx),
            Some(_) => return self.refuse(iq, Condition::ItemNotFound, cx),
        }
        let public = self.config.list_occupants && self.may_read(from);
        let listed: Vec<&Occupant> = self.occupants.values().filter(|o| public && self.shows(o)).collect();
        let item = |occupant: &&Occupant| {
            Element::new("item", ns::DISCO_ITEMS).attr("jid", occupant.nick.in_room(&self.jid).as_str())
        };
        match page(&listed, |occupant| occupant.nick.as_str(), item, query, ITEMS_MAX) {
            Ok(items) => {
                let answer = iq_result(iq).child(Element::new("query", ns::DISCO_ITEMS).with(items));
                self.answer(from, answer, cx);
            }
            Err(condition) => self.refuse(iq, condition, cx),
        }
    }

    fn info(&self, from: &Jid) -> Element {
        let name = Some(self.config.name.as_str()).filter(|name| !name.is_empty());
        let identity = Element::new("identity", ns::DISCO_INFO)
            .attr("category", "conference")
            .attr("name", name.or(self.jid.local()).unwrap_or_default())
            .attr("type", "text");
        Element::new("query", ns::DISCO_INFO)
            .child(identity)
            .with(self.features().into_iter().map(feature))
            .child(self.roominfo(from).element())
    }

    /// 16.3: the features that say what kind of room it is, and what else it can.
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
            ns::MUC_REGISTER,
            ns::MUC_ROOMCONFIG,
            ns::MUC_ROOMINFO,
            ns::REGISTER,
            super::avatar::VCARD,
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::RSM,
            ns::OCCUPANT_ID,
            ns::SID,
            ns::PING,
            ns::SELF_PING,
            ns::MAM,
            machine::archive::EXTENDED,
            ns::MODERATE,
            super::hats::HATS,
            super::versions::MAV,
            ns::COMMANDS,
        ];
        if config.replicas && !self.service.replicas.is_empty() {
            features.push(ns::DMUC);
        }
        features
    }

    /// 16.5.4. What is said and how many are here is for those who may come in (14.4).
    fn roominfo(&self, from: &Jid) -> Form {
        let config = &self.config;
        let said = |var: &str, label: &str, value: &str| {
            let field = Field::new("text-single", var).label(label);
            if value.is_empty() { field } else { field.value(value) }
        };
        let some = |var: &str, label: &str, value: &str| (!value.is_empty()).then(|| said(var, label, value));
        let subject = self.subject.as_ref().and_then(|past| past.stanza.element().get_child("subject", ns::CLIENT));
        let subject = subject.map(Element::content).unwrap_or_default();
        let insider = self.may_read(from);
        let fields = [
            Some(said("muc#roominfo_description", "Description", &config.description)),
            (!config.contacts.is_empty()).then(|| {
                Field::new("jid-multi", "muc#roominfo_contactjid").label("Contact Addresses").values(&config.contacts)
            }),
            insider.then(|| said("muc#roominfo_subject", "Current Discussion Topic", &subject)),
            Some(
                Field::boolean("muc#roominfo_subjectmod", config.change_subject)
                    .label("The room subject can be modified by participants"),
            ),
            Some(
                Field::boolean("muc#roomconfig_changesubject", config.change_subject).label("Subject can be modified"),
            ),
            insider.then(|| said("muc#roominfo_occupants", "Number of occupants", &self.occupants.len().to_string())),
            some("muc#roominfo_lang", "Language of discussion", &config.lang),
            Some(said(
                "muc#maxhistoryfetch",
                "Maximum Number of History Messages Returned by Room",
                &config.history_stanzas.to_string(),
            )),
            self.vcard.as_ref().filter(|vcard| !vcard.hashes.is_empty()).map(|vcard| {
                Field::new("text-multi", "muc#roominfo_avatarhash").label("Avatar hash").values(&vcard.hashes)
            }),
            self.hats_hash().map(|hash| said("hats#hash", "Hats hash", &hash)),
            some("muc#roomconfig_pubsub", "Associated pubsub node", &config.pubsub),
        ];
        fields.into_iter().flatten().fold(Form::new("result").with_type(ns::MUC_ROOMINFO), Form::field)
    }
}

/// Most occupants listed in one answer; more are paged (XEP-0059).
const ITEMS_MAX: usize = 1_000;
