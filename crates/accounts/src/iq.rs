//! What the domain and its accounts answer themselves (RFC 6121 8.5.2.1.3), and requests to a resource.

use crate::config::Service;
use crate::service::{Accounts, Addressed};
use machine::{Now, Output};
use xmpp::stanza::{Condition, StanzaError, command, iq_result};
use xmpp::{Element, Jid, Shared, ns};

/// Of whom a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The sender's own account.
    Own,
    /// Another's account, which shows itself to the sender.
    Contact,
    /// An account that does not, or that does not exist: nobody is to learn which.
    Stranger,
    /// The domain.
    Domain,
}

impl Accounts {
    pub(crate) fn iq(&mut self, iq: Addressed, now: Now, out: &mut Vec<Output>) {
        if let Some(to) = iq.to.as_ref().filter(|to| !to.is_bare()) {
            return match self.session(to).is_some() {
                true => out.push(Output::Send { to: to.clone(), stanza: Shared::new(iq.stanza) }),
                // 8.5.3.2.3
                false => self.refuse(&iq.stanza, Condition::ServiceUnavailable, out),
            };
        }
        match iq.stanza.get("type") {
            // What a client can, an answer to a roster push, or one nobody waits for.
            Some("result" | "error") => return self.caps_answered(&iq, out),
            Some("get" | "set") => {}
            _ => return self.refuse(&iq.stanza, Condition::BadRequest, out),
        }
        // RFC 6120 8.2.3: a request has exactly one child.
        let mut children = iq.stanza.children();
        let (Some(payload), None) = (children.next(), children.next()) else {
            return self.refuse(&iq.stanza, Condition::BadRequest, out);
        };
        let asked = self.asked(&iq);
        match self.answer_iq(&iq, payload, asked, now, out) {
            Ok(Some(child)) => out.push(reply(&iq, Some(child))),
            Ok(None) => {}
            Err(error) => self.refuse(&iq.stanza, error, out),
        }
    }

    fn asked(&self, iq: &Addressed) -> Asked {
        match &iq.to {
            None if iq.is_own => Asked::Own,
            None => Asked::Stranger,
            Some(to) if *to == self.config.domain => Asked::Domain,
            Some(to) if iq.is_own && to.as_str() == iq.from.bare_str() => Asked::Own,
            Some(to) => match self.account(to) {
                Some(account) if account.is_shown_to(to.as_str(), &iq.from) => Asked::Contact,
                _ => Asked::Stranger,
            },
        }
    }

    /// The child of the result; `None` when the answer has been given or waits.
    fn answer_iq(
        &mut self,
        iq: &Addressed,
        payload: &Element,
        asked: Asked,
        now: Now,
        out: &mut Vec<Output>,
    ) -> Result<Option<Element>, StanzaError> {
        let is_get = iq.stanza.get("type") == Some("get");
        match (payload.name(), payload.ns(), asked) {
            ("query", ns::ROSTER, Asked::Own) => {
                self.roster(&iq.stanza, &iq.from, payload, out);
                Ok(None)
            }
            // RFC 6121 2.3.3: the same for an account that does not exist.
            ("query", ns::ROSTER, Asked::Contact | Asked::Stranger) => Err(Condition::Forbidden.into()),
            ("query", ns::REGISTER, Asked::Own | Asked::Domain) if iq.is_own => {
                self.register(iq, payload, now, out);
                Ok(None)
            }
            ("query" | "metadata", ns::MAM, Asked::Own) => self.ask_archive(iq, payload, out),
            // XEP-0313 9: the same of a user whom there is not.
            ("query" | "metadata", ns::MAM, Asked::Contact | Asked::Stranger) => Err(Condition::Forbidden.into()),
            ("query", ns::PRIVATE, Asked::Own) => self.private(iq, payload, out),
            // XEP-0049 2.3: nobody else's.
            ("query", ns::PRIVATE, _) => Err(Condition::Forbidden.into()),
            ("vCard", ns::VCARD, Asked::Own) if !is_get => self.set_vcard(iq, payload, out).map(|()| None),
            // XEP-0054 3.2.
            ("vCard", ns::VCARD, Asked::Contact | Asked::Stranger) if !is_get => Err(Condition::Forbidden.into()),
            ("vCard", ns::VCARD, Asked::Own) => {
                self.vcard(&iq.from.bare()).map(Some).ok_or(Condition::ItemNotFound.into())
            }
            // 3.3: as of a user whom there is not.
            ("vCard", ns::VCARD, Asked::Contact | Asked::Stranger) => {
                let vcard = iq.to.as_ref().and_then(|of| self.vcard(of));
                vcard.map(Some).ok_or(Condition::ServiceUnavailable.into())
            }
            ("pubsub", ns::PUBSUB, Asked::Own | Asked::Contact | Asked::Stranger) => {
                self.pubsub(iq, payload, asked, out)
            }
            ("pubsub", ns::PUBSUB_OWNER, Asked::Own | Asked::Contact | Asked::Stranger) => {
                self.pubsub_owner(iq, payload, asked, out)
            }
            (_, ns::BLOCKING, Asked::Own) => self.blocking(iq, payload, out).map(|()| None),
            ("enable" | "disable", ns::CARBONS, Asked::Own) if !is_get => {
                self.carbons(iq, payload.name() == "enable", out);
                Ok(None)
            }
            ("command", ns::COMMANDS, Asked::Domain) if !is_get => self.admin_command(iq, out).map(|()| None),
            // XEP-0280 4.1 and 5.1: only for a session of one's own.
            ("enable" | "disable", ns::CARBONS, _) if !is_get => Err(Condition::NotAllowed.into()),
            // XEP-0077 3.1: users of other servers have no account to change here.
            ("query", ns::REGISTER, Asked::Domain) => Err(Condition::NotAllowed.into()),
            (_, _, Asked::Stranger) => Err(Condition::ServiceUnavailable.into()),
            ("query", ns::DISCO_INFO, _) if is_get => {
                let Some(node) = node_of(payload) else { return Ok(Some(self.disco_info(asked))) };
                let of = iq.to.clone().unwrap_or_else(|| iq.from.bare());
                let info = match asked {
                    Asked::Domain => command::info(node, &crate::admin::OFFERS),
                    _ => self.node_info(&of, node, asked),
                };
                info.map(Some).ok_or(Condition::ItemNotFound.into())
            }
            ("query", ns::DISCO_ITEMS, _) if is_get => {
                let of = iq.to.clone().unwrap_or_else(|| iq.from.bare());
                let Some(node) = node_of(payload) else { return Ok(Some(self.disco_items(&of, asked))) };
                let list = match asked {
                    Asked::Domain => (node == ns::COMMANDS).then(|| self.commands_for(&iq.from)),
                    _ => self.item_list(&of, node, asked),
                };
                list.map(Some).ok_or(Condition::ItemNotFound.into())
            }
            ("ping", ns::PING, _) if is_get => {
                out.push(reply(iq, None));
                Ok(None)
            }
            ("query", ns::VERSION, Asked::Domain) if is_get => Ok(Some(version())),
            _ => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// XEP-0030 3.1: the domain as a server, or an account as one of its users, with a pubsub service of his own (XEP-0163 6.1).
    fn disco_info(&self, asked: Asked) -> Element {
        let identity = |category: &str, kind: &str| {
            Element::new("identity", ns::DISCO_INFO).attr("category", category).attr("type", kind)
        };
        let (identities, features) = match asked {
            Asked::Domain => (vec![identity("server", "im").attr("name", PRODUCT)], [FEATURES_OF_DOMAIN, &[], &[]]),
            _ => {
                let identities = vec![identity("account", "registered"), identity("pubsub", "pep")];
                let archive: &[&str] =
                    if self.config.archive_days > 0 { &[ns::MAM, machine::archive::EXTENDED, ns::SID] } else { &[] };
                (identities, [FEATURES_OF_ACCOUNT, crate::pep::FEATURES, archive])
            }
        };
        Element::new("query", ns::DISCO_INFO)
            .with(identities)
            .with(features.concat().iter().map(|var| Element::new("feature", ns::DISCO_INFO).attr("var", var)))
            .with(self.config.contacts.form().filter(|_| asked == Asked::Domain).map(|form| form.element()))
    }

    /// XEP-0030 4.1: the domain's services, or an account's nodes.
    fn disco_items(&self, of: &Jid, asked: Asked) -> Element {
        let items = match asked {
            Asked::Domain => {
                let service = |service: &Service| {
                    let item = Element::new("item", ns::DISCO_ITEMS).attr("jid", service.jid.as_str());
                    item.attr_opt("name", service.name.as_ref())
                };
                self.config.disco_services.iter().map(service).collect()
            }
            _ => self.node_list(of, asked),
        };
        Element::new("query", ns::DISCO_ITEMS).with(items)
    }
}

/// XEP-0030 3.2, 4.2: the node that is asked about.
fn node_of(query: &Element) -> Option<&str> {
    query.get("node").filter(|node| !node.is_empty())
}

/// A request of this machine's own.
pub(crate) fn request(kind: &str, from: &str, id: &str, payload: Element) -> Element {
    Element::stanza("iq").attr("from", from).attr("id", id).attr("type", kind).child(payload)
}

/// XEP-0092.
fn version() -> Element {
    Element::new("query", ns::VERSION)
        .child(Element::new("name", ns::VERSION).text(PRODUCT))
        .child(Element::new("version", ns::VERSION).text(env!("CARGO_PKG_VERSION")))
}

/// The result of a request.
pub(crate) fn reply(iq: &Addressed, child: Option<Element>) -> Output {
    let stanza = Shared::new(iq_result(&iq.stanza).with(child));
    Output::Send { to: iq.from.clone(), stanza }
}

const PRODUCT: &str = "netjoin";
const FEATURES_OF_DOMAIN: &[&str] = &[
    ns::BLOCKING,
    ns::COMMANDS,
    ns::CARBONS,
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::OFFLINE,
    ns::PING,
    ns::PRIVATE,
    ns::REGISTER,
    ns::SUB,
    ns::VCARD,
    ns::VERSION,
];
const FEATURES_OF_ACCOUNT: &[&str] = &[ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VCARD];
