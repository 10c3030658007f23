//! A moderator removes somebody of this site while the primary is not reached: XEP-0045 8.2, by the rules of 5.1 and with the
//! roles of the mirror. For the primary it is the victim's leave, and a request to tell it as a kick.

use super::leave::Parting;
use super::mirror::Mirror;
use super::numbers::leave_of;
use super::relay::refused;
use super::site::Cx;
use crate::flaws::flaw;
use crate::names::{Nick, Role, Status};
use crate::room::{REASON_BYTES_MAX, Standing, judge_role};
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

/// A kick that was asked for.
struct Kick {
    victim: Nick,
    reason: Option<String>,
}

impl Mirror {
    /// A request of `muc#admin`: done where it is for kicks of local occupants and nothing else.
    pub(super) fn kick_here(&mut self, iq: &Element, from: &Jid, cx: &mut Cx<'_>) {
        let kicks = self.parse_kicks(iq).filter(|_| cx.site.config.split.kick);
        let (Some(kicks), Some(actor)) = (kicks, self.sessions.get(from).map(|session| session.nick.clone())) else {
            return self.refuse_here(iq, cx);
        };
        if let Err(condition) = self.judge_kicks(&kicks, &actor) {
            return cx.pass(from, refused(iq, condition));
        }
        let partings = kicks.into_iter().map(|kick| (kick.victim, Parting::kicked(actor.clone(), kick.reason)));
        let partings: Vec<(Nick, Parting)> = partings.collect();
        for (victim, parting) in &partings {
            self.carry_out_kick(&actor, victim, parting, cx);
        }
        cx.pass(from, iq_result(iq));
        for (victim, parting) in &partings {
            self.tell_parted(victim, parting, cx);
        }
        self.reclass(cx);
    }

    /// All items of a request where each is a kick of somebody who is at this site.
    fn parse_kicks(&self, iq: &Element) -> Option<Vec<Kick>> {
        let query = iq.get_child("query", ns::MUC_ADMIN).filter(|_| iq.get("type") == Some("set"))?;
        let kick = |item: &Element| {
            let is_kick = item.get("role") == Some(Role::None.as_str()) && item.get("affiliation").is_none();
            let victim: Nick = item.get("nick").filter(|_| is_kick)?.parse().ok()?;
            let reason = item.get_child("reason", ns::MUC_ADMIN).map(Element::content);
            let is_here = !self.sessions_of(&victim).is_empty();
            is_here.then(|| Kick { victim, reason: reason.filter(|text| !text.is_empty()) })
        };
        let kicks: Option<Vec<Kick>> = query.children().map(kick).collect();
        kicks.filter(|kicks| !kicks.is_empty())
    }

    fn judge_kicks(&self, kicks: &[Kick], actor: &Nick) -> Result<(), Condition> {
        if flaw!(KickWithoutRank) {
            return Ok(());
        }
        let standing = |nick: &Nick| {
            let seat = self.as_shown(nick).ok_or(Condition::ItemNotFound)?;
            Ok(Standing { role: seat.role, affiliation: seat.affiliation })
        };
        for kick in kicks {
            if kick.reason.as_ref().is_some_and(|text| text.len() > REASON_BYTES_MAX) {
                return Err(Condition::PolicyViolation);
            }
            judge_role(standing(actor)?, standing(&kick.victim)?, Role::None)?;
        }
        Ok(())
    }

    fn carry_out_kick(&mut self, actor: &Nick, victim: &Nick, parting: &Parting, cx: &mut Cx<'_>) {
        let occupant = victim.in_room(&self.room);
        for jid in self.sessions_of(victim) {
            if self.submit_kick(leave_of(&jid, &occupant), actor.clone(), parting.reason.clone(), cx) {
                self.part_here(&jid, parting, cx);
            }
        }
        if let Some(island) = &mut self.island {
            // He does not come back before the primary is asked.
            island.kicked.extend(island.seats.remove(victim));
        }
    }
}

impl Parting {
    fn kicked(actor: Nick, reason: Option<String>) -> Parting {
        Parting { actor: Some(actor), reason, ..Parting::with([Status::KICKED]) }
    }
}
