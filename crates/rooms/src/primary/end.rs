//! The end of a link by either side's will: `docs/wire.md`, *End*.

use super::link::Link;
use crate::names::Status;
use crate::room::{Cx, Room, Via};
use crate::wire::{Damaged, Withdraw, Withdrawn};
use machine::Output;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// Why a withdrawal is refused.
enum WithdrawError {
    /// Cannot be read.
    Damaged(Damaged),
    /// It is about a registration that has been replaced.
    Over,
}

impl WithdrawError {
    fn error(&self) -> StanzaError {
        match self {
            WithdrawError::Damaged(damaged) => StanzaError::new(Condition::BadRequest, damaged.to_string()),
            WithdrawError::Over => StanzaError::new(Condition::UnexpectedRequest, "That registration is over."),
        }
    }
}

impl Room {
    /// A replica withdraws; sessions it still has are direct from now on.
    pub(super) fn handle_withdraw(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let withdraw = iq.get_child("withdraw", ns::NETJOIN).map(Withdraw::parse);
        let reply = match withdraw {
            Some(Ok(withdraw)) => self.withdraw(replica, &withdraw, cx),
            Some(Err(damaged)) => Err(WithdrawError::Damaged(damaged)),
            None => Err(WithdrawError::Damaged(Damaged::MissingChild("iq", "withdraw"))),
        };
        let answer = Element::stanza("iq").attr("from", self.jid.as_str()).attr_opt("id", iq.get("id"));
        let answer = match reply {
            Ok(withdrawn) => answer.attr("type", "result").child(withdrawn.element()),
            Err(error) => answer.attr("type", "error").child(error.error().element(None)),
        };
        self.gate.pass(Output::Send { to: replica.clone(), stanza: Shared::new(answer) }, cx.out);
    }

    fn withdraw(&mut self, replica: &Jid, withdraw: &Withdraw, cx: &mut Cx<'_>) -> Result<Withdrawn, WithdrawError> {
        let present = self.links.links.get(replica).map(|link| link.epoch.clone());
        match &withdraw.epoch {
            None => {
                self.links.pending.remove(replica);
                // What was relayed for a request that has not come here is said again plainly, or its author is told that it failed.
                self.links.early.retain(|held| held.user.domain() != replica.domain());
                // The answer was not heard, and so nothing that came behind it.
                let link = self.links.links.get(replica);
                for jid in link.map(|link| link.handed.keys().cloned().collect::<Vec<_>>()).unwrap_or_default() {
                    self.stay_direct(replica, &jid, cx);
                }
            }
            Some(epoch) if present.as_ref() != Some(epoch) && present.is_some() => {
                return Err(WithdrawError::Over);
            }
            Some(_) if withdraw.deserted => self.desert(replica, cx),
            Some(_) => {}
        }
        self.make_direct(replica, cx);
        Ok(Withdrawn { seq: self.order.seq })
    }

    /// Nobody is at that site any more of whom the room believes it, as the site itself says: they are removed now.
    fn desert(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let link = self.links.links.remove(replica);
        if link.as_ref().is_some_and(Link::is_split) {
            self.announce_back(replica, cx);
        }
        let (seats, mut domains) = link.map(|link| (link.seats, link.domains)).unwrap_or_default();
        for jid in &seats {
            self.remove_session(jid, &[Status::FAILURE], None, cx);
        }
        domains.insert(replica.domain().to_owned());
        self.forget_split(&domains, cx);
        self.forget_lost(replica, cx);
    }

    /// The room is closed to replicas from now on.
    pub fn revoke_replicas(&mut self, cx: &mut Cx<'_>) {
        for replica in self.links.replicas() {
            self.make_direct(&replica, cx);
            let id = self.next_iq_id();
            let iq = Element::stanza("iq")
                .attr("type", "set")
                .attr("id", id)
                .attr("from", self.jid.as_str())
                .child(Withdrawn { seq: self.order.seq }.element());
            self.gate.pass(Output::Send { to: replica, stanza: Shared::new(iq) }, cx.out);
        }
    }

    /// Ends a link; its sessions are served by plain XEP-0045 from now on.
    fn make_direct(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(link) = self.links.links.remove(replica) else { return };
        for jid in &link.seats {
            self.carry_back(jid, replica, cx);
        }
    }

    pub(super) fn carry_back(&mut self, jid: &Jid, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(nick) = self.sessions.get(jid).cloned() else { return };
        let Some(occupant) = self.occupants.get_mut(&nick) else { return };
        let Some(session) = occupant.sessions.iter_mut().find(|s| s.jid == *jid) else { return };
        if session.via == Via::Replica(replica.clone()) {
            session.via = Via::Direct;
            let session = session.clone();
            self.keep_session(&session, &nick, cx);
            self.reclass(&nick, cx);
        }
    }
}
