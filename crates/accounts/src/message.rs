//! Messages to users of this domain (RFC 6121 5 and 8.5), who gets them and what the sender hears.
//!
//! What nobody gets and is not kept either (see `offline`) is answered `service-unavailable`, type by type, as for an account that
//! does not exist.

use crate::service::{Accounts, Addressed, Times};
use machine::{Now, Output};
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, Shared, ns};

/// RFC 6121 5.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Chat,
    Error,
    Groupchat,
    Headline,
    Normal,
}

impl Kind {
    /// A type that is not known is `normal`.
    fn parse(text: Option<&str>) -> Kind {
        match text {
            Some("chat") => Kind::Chat,
            Some("error") => Kind::Error,
            Some("groupchat") => Kind::Groupchat,
            Some("headline") => Kind::Headline,
            _ => Kind::Normal,
        }
    }

    /// Whether the sender is told that nobody got it (8.5.2.2.1, 8.5.3.2.1).
    fn is_bounced(self) -> bool {
        !matches!(self, Kind::Error | Kind::Headline)
    }
}

impl Accounts {
    pub(crate) fn message(&mut self, message: Addressed, now: Now, out: &mut Vec<Output>) {
        let Addressed { mut stanza, from, to, is_own, times } = message;
        let kind = Kind::parse(stanza.get("type"));
        // RFC 6120 10.3.1: without `to` it is for the sender's own bare address.
        let to = to.unwrap_or_else(|| from.bare());
        if is_own {
            self.say(&stanza, &from, &to, now, out);
        }
        let recipients = self.recipients(&to, kind);
        let is_copied = recipients.is_empty() && self.copy_received(&stanza, &from, &to, &[], &mut Vec::new());
        let waits = recipients.is_empty()
            && !is_copied
            && matches!((kind, to.is_bare()), (Kind::Chat, _) | (Kind::Normal, true))
            && self.can_wait(&stanza, &to);
        if recipients.is_empty() && !is_copied && !waits {
            if kind.is_bounced() {
                self.refuse(&stanza, Condition::ServiceUnavailable, out);
            }
            return;
        }
        if times == Times::First {
            self.stamp_id(&mut stanza, &from, &to, now, out);
        }
        if waits {
            return self.keep_message(&stanza, &to, now, out);
        }
        self.copy_received(&stanza, &from, &to, &recipients, out);
        let stanza = Shared::new(stanza);
        out.extend(recipients.into_iter().map(|to| Output::Send { to, stanza: stanza.clone() }));
    }

    /// What one of a user's sessions says: for the archive, and for the others, who see its id there (XEP-0313 2.4).
    pub(crate) fn say(&mut self, message: &Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) {
        if from.bare_str() == to.bare_str() || !self.is_said_to_one(message, from, to) {
            return self.copy_sent(message, from, to, out);
        }
        let archived = from.local().and_then(|local| self.archive(local, to, message, now, out));
        match archived {
            Some(id) => self.copy_sent(&message.clone().child(id), from, to, out),
            None => self.copy_sent(message, from, to, out),
        }
    }

    /// Puts a message that a user is told into his archive and its id on it; only his server says what its id is there
    /// (XEP-0359 5).
    fn stamp_id(&mut self, message: &mut Element, from: &Jid, to: &Jid, now: Now, out: &mut Vec<Output>) {
        let own = to.bare_str();
        let is_ours = |child: &Element| child.is("stanza-id", ns::SID) && child.get("by") == Some(own);
        if message.children().any(is_ours) {
            message.retain(|child| !is_ours(child));
        }
        if self.is_of_room(message, from, to) {
            return;
        }
        if let Some(id) = to.local().and_then(|local| self.archive(local, from, message, now, out)) {
            message.push(id);
        }
    }

    /// Whose sessions a message reaches.
    fn recipients(&self, to: &Jid, kind: Kind) -> Vec<Jid> {
        if let Some(session) = self.session(to) {
            return vec![session.jid.clone()];
        }
        let Some(account) = self.account(to) else { return Vec::new() };
        let best = account.reachable().map(|(_, priority)| priority).max();
        let reachable = account.reachable();
        match (kind, to.is_bare()) {
            // 8.5.2.1.1: the most available resource, all of them where several are; 8.5.3.2.1: chat, so too when the
            // resource has gone.
            (Kind::Chat, _) | (Kind::Normal, true) => {
                reachable.filter(|(_, priority)| Some(*priority) == best).map(|(s, _)| s.jid.clone()).collect()
            }
            // 8.5.2.1.1: to all of them.
            (Kind::Headline, true) => reachable.map(|(s, _)| s.jid.clone()).collect(),
            // 8.5.2.1.1: groupchat never by the bare address; 8.5.3.2.1: the others not to another resource.
            (Kind::Groupchat | Kind::Error, _) | (Kind::Headline | Kind::Normal, false) => Vec::new(),
        }
    }
}
