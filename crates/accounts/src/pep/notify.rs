//! Who is told (XEP-0163 4.3): the user's own clients and his contacts' that want to hear of a node, when something is published, and of
//! the last item when they come.

use super::node::{Node, SendLast};
use crate::caps::caps_of;
use crate::config::WATCHING_MAX;
use crate::iq::Asked;
use crate::service::Accounts;
use machine::{Now, Output};
use std::collections::BTreeSet;
use xmpp::stanza::caps::Caps;
use xmpp::{Element, Jid, Shared, ns};

impl Accounts {
    /// A notification for all who want it and may have it.
    pub(super) fn told(&self, owner: &Jid, name: &str, node: &Node, event: Element) -> Vec<Output> {
        let Some(account) = self.account(owner) else { return Vec::new() };
        let stanza = event_of(owner, event);
        let mut told: Vec<&Jid> = Vec::new();
        let here = account.audience().filter_map(|contact| Some((contact, self.account(contact)?)));
        let contacts = here.filter(|(contact, _)| !self.is_blocked(owner, contact)).map(|(_, account)| account);
        let contacts = contacts.filter(|_| node.is_shown_to(Asked::Contact));
        for session in contacts.chain([account]).flat_map(|account| account.available()) {
            let caps = session.presence.as_ref().and_then(|presence| caps_of(presence.stanza.element()));
            if self.wants(&session.jid, caps.as_ref(), name) {
                told.push(&session.jid);
            }
        }
        for (client, caps) in account.watching.iter().filter(|_| node.is_shown_to(Asked::Contact)) {
            let may = account.is_shown_to(owner.as_str(), client) && !self.is_blocked(owner, client);
            if may && self.wants(client, Some(caps), name) {
                told.push(client);
            }
        }
        told.into_iter().map(|to| Output::Send { to: to.clone(), stanza: stanza.clone() }).collect()
    }

    /// A session of this domain has become available, or can something else than before.
    pub(crate) fn session_comes(&mut self, client: &Jid, now: Now, out: &mut Vec<Output>) {
        let presence = self.session(client).and_then(|session| session.presence.as_ref());
        let Some(caps) = presence.and_then(|presence| caps_of(presence.stanza.element())) else { return };
        if self.note_caps(client, &caps, &client.bare(), now, out) {
            self.give_last_items(&BTreeSet::from([client.clone()]), out);
        }
    }

    /// A client of somebody elsewhere shows itself to a user, or goes.
    pub(crate) fn contact_comes(
        &mut self,
        presence: &Element,
        client: &Jid,
        user: &Jid,
        now: Now,
        out: &mut Vec<Output>,
    ) {
        let (Some(account), Some(local)) = (self.account(user), user.local()) else { return };
        if client.is_bare() || self.is_here(client) {
            return;
        }
        let before = account.watching.get(client);
        let may = account.is_shown_to(user.bare_str(), client) && account.watching.len() < WATCHING_MAX;
        let caps = caps_of(presence).filter(|_| presence.get("type").is_none() && (may || before.is_some()));
        if before == caps.as_ref() {
            return;
        }
        let local = local.to_owned();
        let Some(account) = self.accounts.get_mut(&local) else { return };
        let Some(caps) = caps else {
            account.watching.remove(client);
            return;
        };
        account.watching.insert(client.clone(), caps.clone());
        if self.note_caps(client, &caps, &user.bare(), now, out) {
            self.give_last_items_of(&user.bare(), client, &caps, out);
        }
    }

    /// What these clients want has become known: the last items of all to whom they show themselves.
    pub(crate) fn give_last_items(&self, clients: &BTreeSet<Jid>, out: &mut Vec<Output>) {
        for client in clients {
            let presence = self.session(client).and_then(|session| session.presence.as_ref());
            let caps = presence.and_then(|presence| caps_of(presence.stanza.element()));
            let (Some(caps), Some(account)) = (caps, self.account(client)) else { continue };
            let own = client.bare();
            for contact in account.audience().chain([&own]) {
                self.give_last_items_of(contact, client, &caps, out);
            }
        }
        for (local, account) in &self.accounts {
            for (client, caps) in account.watching.iter().filter(|(client, _)| clients.contains(client)) {
                if let Ok(owner) = Jid::new(&self.bare(local)) {
                    self.give_last_items_of(&owner, client, caps, out);
                }
            }
        }
    }

    /// The last item of each node of an account that a client wants and may have.
    fn give_last_items_of(&self, owner: &Jid, client: &Jid, caps: &Caps, out: &mut Vec<Output>) {
        let Some(account) = self.account(owner) else { return };
        let asked = if client.bare_str() == owner.as_str() { Asked::Own } else { Asked::Contact };
        if !account.is_shown_to(owner.as_str(), client) || self.is_blocked(owner, client) {
            return;
        }
        for (name, node) in self.nodes(owner) {
            let is_sent = node.persist && node.send_last == SendLast::OnSubAndPresence && node.is_shown_to(asked);
            if !is_sent || !self.wants(client, Some(caps), name) {
                continue;
            }
            if let Some((id, item)) = self.items_of(owner, name).pop() {
                let item = item.element(&id, ns::PUBSUB_EVENT);
                let event = Element::new("items", ns::PUBSUB_EVENT).attr("node", name).child(item);
                out.push(Output::Send { to: client.clone(), stanza: event_of(owner, event) });
            }
        }
    }
}

/// XEP-0163 4.3.1: a headline from the bare address.
fn event_of(owner: &Jid, event: Element) -> Shared {
    let message = Element::stanza("message").attr("from", owner.as_str()).attr("type", "headline");
    Shared::new(message.child(Element::new("event", ns::PUBSUB_EVENT).child(event)))
}
