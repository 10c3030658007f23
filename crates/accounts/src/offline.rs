//! Messages for who is not there (RFC 6121 8.5.2.2.1, in the manner of XEP-0160): kept until a resource with a priority that is
//! not negative comes, given to that one, and forgotten.
//!
//! A message is on disk before anything is said of it, and its sender is told when the disk refuses. It goes out before it is
//! removed from there: a crash between the two has it delivered twice, with the same id and stamp, rather than never.

use crate::account::Account;
use crate::carbons::{HINTS, RECEIPTS, is_invitation};
use crate::config::OFFLINE_BYTES_MAX;
use crate::kept::Setting;
use crate::ledger::Step;
use crate::records::SPACE_OFFLINE;
use crate::service::{Accounts, error_to};
use machine::{Now, Output};
use serde::{Deserialize, Serialize};
use xmpp::stanza::{Condition, delay};
use xmpp::{Element, Jid, Shared, ns};

/// A message that waits. Its record is this as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// When it came, Unix milliseconds.
    pub stamp_ms: i64,
    /// The stanza as XML, as it was addressed.
    pub stanza: String,
}

impl Accounts {
    /// Whether a message can wait for an account: it is one that is kept, and there are not too many.
    pub(crate) fn can_wait(&self, message: &Element, to: &Jid) -> bool {
        let Some(account) = self.account(to) else { return false };
        let (messages, bytes) = account.waiting();
        !account.leaving
            && is_kept(message)
            && !self.ledger.is_full()
            && messages < self.config.offline_messages
            && bytes + message.to_xml().len() <= OFFLINE_BYTES_MAX
    }

    /// Keeps a message that can wait for an account.
    pub(crate) fn keep_message(&mut self, message: &Element, to: &Jid, now: Now, out: &mut Vec<Output>) {
        let (Some(local), Some(account)) = (to.local(), self.account(to)) else { return };
        let mut stanza = message.clone();
        // What stays between servers reaches no client later either.
        stanza.retain(|child| !matches!(child.ns(), ns::DMUC | ns::NETJOIN));
        let waiting = Waiting { stamp_ms: now.unix_ms, stanza: stanza.to_xml() };
        let value = serde_json::to_string(&waiting).expect("a number and a text are JSON");
        let number = account.kept.under(SPACE_OFFLINE, "").last().and_then(|(key, _)| key.parse::<u64>().ok());
        let key = format!("{:020}", number.map_or(1, |last| last.saturating_add(1)));
        let step = self.keep(local, vec![Setting::put(SPACE_OFFLINE, key, value)]);
        let otherwise = error_to(message, Condition::InternalServerError).into_iter().collect();
        self.ledger.commit(Step { otherwise, ..step }, out);
    }

    /// Gives everything that waits to a session that can take it.
    pub(crate) fn give_messages(&mut self, session: &Jid, out: &mut Vec<Output>) {
        let (Some(local), Some(account)) = (session.local(), self.account(session)) else { return };
        let mut given = Vec::new();
        for (key, value) in account.kept.under(SPACE_OFFLINE, "") {
            given.push(Setting::delete(SPACE_OFFLINE, key));
            let Ok(waiting) = serde_json::from_str::<Waiting>(value) else { continue };
            let Ok(mut stanza) = Element::parse(&waiting.stanza) else { continue };
            let is_by_us = |child: &Element| child.is("delay", ns::DELAY) && child.get("from") == Some(self.domain());
            // What a session did not take has the time it was sent to that at.
            if !stanza.children().any(is_by_us) {
                stanza.push(delay(Some(self.domain()), waiting.stamp_ms));
            }
            out.push(Output::Send { to: session.clone(), stanza: Shared::new(stanza) });
        }
        if !given.is_empty() {
            let Step { changes, before, .. } = self.keep(local, given);
            self.ledger.commit(Step { changes, before, ..Step::default() }, out);
        }
    }
}

impl Account {
    /// How many messages wait, and their bytes.
    fn waiting(&self) -> (usize, usize) {
        (self.kept.under(SPACE_OFFLINE, "").count(), self.kept.bytes(&[SPACE_OFFLINE]))
    }
}

/// XEP-0160 3: what is said to the user, or done to him, and neither that somebody types nor what only counts now.
fn is_kept(message: &Element) -> bool {
    let is_hinted = |name| message.has_child(name, HINTS);
    if is_hinted("no-store") || (message.has_child("x", ns::MUC_USER) && !is_invitation(message)) {
        return false;
    }
    is_hinted("store")
        || message.has_child("body", ns::CLIENT)
        || message.has_child("received", RECEIPTS)
        || is_invitation(message)
}
