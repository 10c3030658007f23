//! Subscriptions asked for, granted and ended (RFC 6121 3): the tables of [`crate::subscription`] put to work.
//!
//! A change is durable before anybody hears of it. Between two accounts of this domain the stanza leaves one and
//! comes in at the other as it would between servers, so each side's change is durable in its turn.

use crate::account::{Account, Session};
use crate::config::REQUEST_BYTES_MAX;
use crate::ledger::{Afterwards, Step};
use crate::roster::{Item, PushOn, RosterError};
use crate::service::{Accounts, Addressed, error_to};
use crate::subscription::{Half, Kind, Verdict};
use machine::Output;
use xmpp::stanza::Condition;
use xmpp::{Element, Jid, Shared};

impl Accounts {
    pub(crate) fn subscription(&mut self, presence: Addressed, kind: Kind, out: &mut Vec<Output>) {
        let Addressed { mut stanza, from, to, is_own, .. } = presence;
        let (user, contact) = match (to, is_own) {
            (Some(to), true) => (from.bare(), to.bare()),
            (Some(to), false) => (to.bare(), from.bare()),
            (None, _) => return self.refuse(&stanza, Condition::BadRequest, out),
        };
        if user == contact {
            return self.refuse(&stanza, RosterError::Oneself, out);
        }
        // 3: a change of subscription in flight is one of bounded many.
        if self.ledger.is_full() {
            return self.refuse(&stanza, RosterError::Busy, out);
        }
        // 8.5.1: for nobody, and who is about to be nobody, silence; the sender cannot tell it from a request that is not answered.
        let account = self.account(&user).filter(|account| !account.leaving);
        let (Some(local), Some(account)) = (user.local(), account) else { return };
        let item = account.roster.get(&contact).cloned();
        if !is_own {
            // 3.1.2: subscriptions are between bare addresses.
            stanza.set("from", contact.as_str());
            return self.inbound(local, contact, item, kind, stanza, out);
        }
        if item.is_none()
            && matches!(kind, Kind::Subscribe | Kind::Subscribed)
            && let Err(error) = account.room_for_contact()
        {
            return self.refuse(&stanza, error, out);
        }
        self.outbound(local, contact, item, kind, stanza, out);
    }

    /// The user's client sends it: 3.1.2, 3.1.5, 3.2.1, 3.3.1, 3.4.1; table A.2.
    fn outbound(
        &mut self,
        local: &str,
        contact: Jid,
        item: Option<Item>,
        kind: Kind,
        stanza: Element,
        out: &mut Vec<Output>,
    ) {
        let mut item = item.unwrap_or_default();
        let before = item.clone();
        let (state, verdict) = item.state.outbound(kind);
        item.state = state;
        item.listed |= matches!(kind, Kind::Subscribe | Kind::Subscribed);
        item.approved = match kind {
            Kind::Subscribed => item.approved || !before.state.shows() && verdict == Verdict::Stop,
            Kind::Unsubscribed => false,
            _ => item.approved,
        };
        if item.state.from != Half::Pending {
            item.request = None;
        }
        let mut then = Vec::new();
        if before.state.shows() && !state.shows() {
            // 3.2.2: while the contact is still subscribed.
            then.extend(self.retreat(local, &contact));
        }
        let otherwise = error_to(&stanza, Condition::InternalServerError).into_iter().collect();
        if verdict == Verdict::Pass {
            let stanza = Shared::new(stanza.attr("from", self.bare(local)));
            then.push(Output::Send { to: contact.clone(), stanza });
        }
        if item == before {
            return self.ledger.gate.pass_all(then, out);
        }
        let announce = !before.state.shows() && state.shows();
        let step = self.item_step(local, &contact, item, PushOn::Difference);
        then.extend(step.then);
        let afterwards = announce.then(|| Afterwards::Announce { local: local.to_owned(), to: contact });
        self.ledger.commit(Step { then, otherwise, afterwards, ..step }, out);
    }

    /// The contact's comes in: 3.1.3, 3.1.6, 3.2.3, 3.3.3, 3.4.2; table A.3.
    fn inbound(
        &mut self,
        local: &str,
        contact: Jid,
        item: Option<Item>,
        kind: Kind,
        stanza: Element,
        out: &mut Vec<Output>,
    ) {
        let mut item = item.unwrap_or_default();
        let (mut state, mut verdict) = item.state.inbound(kind);
        if kind == Kind::Subscribe && verdict == Verdict::Pass {
            if item.approved {
                (state.from, verdict) = (Half::Yes, Verdict::Answer); // 3.4.2
            } else if !self.accounts.get(local).is_some_and(Account::has_room_for_request) && !item.listed {
                return; // as for nobody: who fills the list learns nothing
            }
        }
        let before = std::mem::replace(&mut item.state, state);
        item.request = match kind {
            Kind::Subscribe if before.from == Half::No && state.from == Half::Pending => kept_request(&stanza),
            _ if state.from == Half::Pending => item.request,
            _ => None,
        };
        let otherwise = error_to(&stanza, Condition::InternalServerError).into_iter().collect();
        let mut then = match verdict {
            Verdict::Pass => self.deliver(local, kind, Shared::new(stanza)),
            Verdict::Answer => vec![self.answer(local, &contact)],
            Verdict::Stop => Vec::new(),
        };
        if state == before {
            return self.ledger.gate.pass_all(then, out);
        }
        let retreat = if before.shows() && !state.shows() { self.retreat(local, &contact) } else { Vec::new() };
        let announce = !before.shows() && state.shows();
        let step = self.item_step(local, &contact, item, PushOn::Difference);
        then.extend(step.then);
        then.extend(retreat); // 3.3.3: behind the push
        let afterwards = announce.then(|| Afterwards::Announce { local: local.to_owned(), to: contact });
        self.ledger.commit(Step { then, otherwise, afterwards, ..step }, out);
    }

    /// A request goes to all available resources (3.1.3), what settles one to the interested (3.1.6, 3.2.3, 3.3.3).
    fn deliver(&self, local: &str, kind: Kind, stanza: Shared) -> Vec<Output> {
        let Some(account) = self.accounts.get(local) else { return Vec::new() };
        let wants = |s: &&Session| if kind == Kind::Subscribe { s.presence.is_some() } else { s.interested };
        let sessions = account.sessions.values().map(Box::as_ref).filter(wants);
        sessions.map(|s| Output::Send { to: s.jid.clone(), stanza: stanza.clone() }).collect()
    }

    /// 3.1.3: who is subscribed already is told so, without asking the user.
    fn answer(&self, local: &str, contact: &Jid) -> Output {
        let stanza = Element::stanza("presence").attr("from", self.bare(local)).attr("type", "subscribed");
        Output::Send { to: contact.clone(), stanza: Shared::new(stanza) }
    }
}

/// 3.1.3: the whole stanza is kept, with its nickname and its words, up to [`REQUEST_BYTES_MAX`].
fn kept_request(stanza: &Element) -> Option<String> {
    let mut stanza = stanza.clone();
    stanza.unset("to");
    Some(stanza.to_xml()).filter(|xml| xml.len() <= REQUEST_BYTES_MAX)
}
