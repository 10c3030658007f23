//! Messages to users of this domain (RFC 6121 5 and 8.5), who gets them and what the sender hears.
//!
//! What nobody gets and is not kept either (see `offline`) is answered `service-unavailable`, type by type, as for an account that
//! does not exist.

use crate::service::{Accounts, Addressed};
use machine::{Now, Output};
use xmpp::stanza::Condition;
use xmpp::{Jid, Shared};

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
        let kind = Kind::parse(message.stanza.get("type"));
        // RFC 6120 10.3.1: without `to` it is for the sender's own bare address.
        let to = message.to.clone().unwrap_or_else(|| message.from.bare());
        if message.is_own {
            self.copy_sent(&message.stanza, &message.from, &to, out);
        }
        let recipients = self.recipients(&to, kind);
        let stanza = Shared::new(message.stanza.clone());
        out.extend(recipients.iter().map(|to| Output::Send { to: to.clone(), stanza: stanza.clone() }));
        let copied = self.copy_received(&message.stanza, &message.from, &to, &recipients, out);
        if !recipients.is_empty() || copied {
            return;
        }
        let waits = matches!((kind, to.is_bare()), (Kind::Chat, _) | (Kind::Normal, true));
        if !(waits && self.keep_message(&message.stanza, &to, now, out)) && kind.is_bounced() {
            self.refuse(&message.stanza, Condition::ServiceUnavailable, out);
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
