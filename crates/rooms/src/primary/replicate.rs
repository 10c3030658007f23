//! Creating a replica (XEP-0282 4.2): requests, and who may make them; `docs/wire.md`, *Registration*. `grant` is the answer.
//!
//! A request is pending until a user of its site is admitted, or at once granted when one of its census still has a seat.

use super::link::LINKS_MAX;
use crate::room::{Cx, Room, Via};
use crate::tally::Tally;
use crate::wire::{Damaged, Destroyed, Replicate, Retry, UpMark};
use machine::Output;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// A request that waits for a user of its site to be admitted.
#[derive(Debug)]
pub(crate) struct Request {
    pub asked: Replicate,
    /// The iq's id, for the answer.
    pub id: Option<String>,
    /// Domains it speaks for: its own, and those that have been shown to be its.
    pub domains: BTreeSet<String>,
    /// Domains that are being asked whether it is theirs, by the id of the question.
    pub asking: BTreeMap<String, Jid>,
    pub expires_ms: u64,
}

/// Something relayed that waits for the request of its site.
#[derive(Debug)]
pub(crate) struct HeldUp {
    /// Without the mark.
    pub stanza: Element,
    pub user: Jid,
    pub mark: UpMark,
    pub expires_ms: u64,
}

/// Why a registration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RegisterError {
    /// Cannot be read.
    Damaged(Damaged),
    /// The service or the room is closed to this replica.
    Closed,
    /// Nobody of the site was admitted.
    NobodyAdmitted,
    /// No such room, and none came to be.
    NoRoom,
    /// Another live replica serves that domain.
    Served,
    /// Pending requests or links are at their bound, or this site has asked too often.
    Full,
    /// The life of the room that it was a replica of is over.
    Gone(Destroyed),
}

impl RegisterError {
    fn error(&self) -> StanzaError {
        match self {
            RegisterError::Damaged(damaged) => StanzaError::new(Condition::BadRequest, damaged.to_string()),
            RegisterError::Closed => Condition::NotAllowed.into(),
            RegisterError::NobodyAdmitted => Condition::Forbidden.into(),
            RegisterError::NoRoom => Condition::ItemNotFound.into(),
            RegisterError::Served => Condition::Conflict.into(),
            RegisterError::Gone(destroyed) => {
                StanzaError { extra: Some(destroyed.element()), ..Condition::Gone.into() }
            }
            RegisterError::Full => StanzaError {
                extra: Some(Retry { after: RETRY_SECONDS }.element()),
                ..Condition::ResourceConstraint.into()
            },
        }
    }
}

impl Request {
    /// The names of its outboxes, the present one first.
    pub fn outbox_names(&self) -> Vec<String> {
        self.asked.outboxes.iter().map(|outbox| outbox.name.clone()).collect()
    }
}

impl Room {
    /// A replica asks to be one.
    pub(super) fn handle_replicate(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let judged = self.judge_request(replica, iq);
        let within = judged.is_err() || self.links.syncs.take(replica.domain(), cx.now.mono_ms);
        let request = match judged.and_then(|request| if within { Ok(request) } else { Err(RegisterError::Full) }) {
            Ok(request) => request,
            Err(error) => {
                self.answer_iq(replica, iq.get("id"), Err(&error), cx);
                // To the room as it is now the replica comes anew, and so do those who wait for it.
                return match error {
                    RegisterError::Gone(_) => {}
                    _ => self.let_in_plainly(replica, iq, cx),
                };
            }
        };
        let names = request.outbox_names();
        for (at, (name, outbox)) in names.iter().zip(&request.asked.outboxes).enumerate() {
            // What is below has been acknowledged, whatever a crash has made of the mark.
            match at {
                0 => self.links.marks.raise(replica, name, outbox.from - 1),
                _ => self.links.marks.raise_older(replica, name, outbox.from - 1),
            }
        }
        self.trim_marks(replica, cx);
        self.note_shown_ahead(replica, &request.asked, cx);
        let mut request = Request { expires_ms: cx.now.mono_ms + PENDING_MS, ..request };
        self.ask_domains(replica, &mut request, cx);
        let returns = self.returns(replica, &request);
        self.links.pending.insert(replica.clone(), request);
        if returns {
            self.grant(replica, cx);
        } else {
            self.answer_without_link(replica, cx);
        }
        self.take_up_early(replica, &names, cx);
    }

    /// No replica will come of a request: what its users have relayed, or relay right behind it, waits for nothing.
    fn let_in_plainly(&mut self, replica: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let asked = iq.get_child("replicate", ns::NETJOIN).and_then(|element| Replicate::parse(element).ok());
        let Some(present) = asked.and_then(|asked| asked.outboxes.into_iter().next()) else { return };
        self.note_refused(replica, present.name, cx);
        let (plain, rest) = std::mem::take(&mut self.links.early)
            .into_iter()
            .partition(|held| self.links.was_refused(&held.user, &held.mark.outbox, cx.now.mono_ms));
        self.links.early = rest;
        let plain: VecDeque<HeldUp> = plain;
        for held in plain {
            self.handle_stanza(held.stanza, cx);
        }
    }

    /// What is relayed under this outbox right behind the request counts as plain.
    fn note_refused(&mut self, replica: &Jid, outbox: String, cx: &Cx<'_>) {
        while self.links.refused.len() >= REFUSED_MAX {
            self.links.refused.pop_front();
        }
        let until = cx.now.mono_ms + PENDING_MS;
        self.links.refused.push_back((outbox, replica.domain().to_owned(), until));
    }

    fn judge_request(&self, replica: &Jid, iq: &Element) -> Result<Request, RegisterError> {
        let element = iq.get_child("replicate", ns::NETJOIN).ok_or(Damaged::MissingChild("iq", "replicate"));
        let asked = element.and_then(Replicate::parse).map_err(RegisterError::Damaged)?;
        if self.is_closed_to(replica) {
            return Err(RegisterError::Closed);
        }
        self.judge_life(&asked)?;
        let mut domains = BTreeSet::from([replica.domain().to_owned()]);
        domains.extend(asked.domains.iter().filter(|d| self.is_listed_for(replica, d)).map(Jid::to_string));
        let others = self
            .links
            .links
            .iter()
            .filter(|(jid, link)| *jid != replica && link.suspect_ms.is_none() && !link.is_split());
        if others.into_iter().any(|(_, link)| !link.domains.is_disjoint(&domains)) {
            return Err(RegisterError::Served);
        }
        let is_known = self.links.links.contains_key(replica) || self.links.pending.contains_key(replica);
        if !is_known && (self.links.pending.len() >= PENDING_MAX || self.links.links.len() >= LINKS_MAX) {
            return Err(RegisterError::Full);
        }
        let id = iq.get("id").map(str::to_owned);
        Ok(Request { asked, id, domains, asking: BTreeMap::new(), expires_ms: 0 })
    }

    /// Whether the room or the service is closed to this replica.
    pub(super) fn is_closed_to(&self, replica: &Jid) -> bool {
        !self.config.replicas || !self.may_replicate(replica)
    }

    /// The service's allow-list: a domain, `*`, or `component=site` for a component that speaks for a site.
    fn may_replicate(&self, replica: &Jid) -> bool {
        self.service.replicas.iter().any(|entry| {
            let domain = entry.split_once('=').map_or(entry.as_str(), |(component, _)| component);
            domain == "*" || domain == replica.domain()
        })
    }

    fn is_listed_for(&self, replica: &Jid, domain: &Jid) -> bool {
        let listed =
            |entry: &String| entry.split_once('=').is_some_and(|(c, s)| c == replica.domain() && s == domain.as_str());
        self.service.replicas.iter().any(listed)
    }

    /// A replica whose domain is within that of its users is theirs when their server lists it (disco#items).
    fn ask_domains(&mut self, replica: &Jid, request: &mut Request, cx: &mut Cx<'_>) {
        let within =
            |domain: &Jid| replica.domain().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
        let open: Vec<Jid> = request
            .asked
            .domains
            .iter()
            .filter(|d| !request.domains.contains(d.as_str()) && within(d))
            .cloned()
            .collect();
        for domain in open {
            let id = self.next_iq_id();
            let iq = Element::stanza("iq")
                .attr("type", "get")
                .attr("id", &id)
                .attr("from", self.jid.as_str())
                .child(Element::new("query", ns::DISCO_ITEMS));
            request.asking.insert(id, domain.clone());
            self.gate.pass(Output::Send { to: domain, stanza: Shared::new(iq) }, cx.out);
        }
    }

    /// The answer of a domain that was asked; whether this was one.
    pub(super) fn domain_answered(&mut self, iq: &Element, cx: &mut Cx<'_>) -> bool {
        let (Some(id), Some(from)) = (iq.get("id"), iq.get("from")) else { return false };
        let asking = |request: &Request| request.asking.get(id).is_some_and(|domain| domain.as_str() == from);
        let Some(replica) = self.links.pending.iter().find(|(_, r)| asking(r)).map(|(jid, _)| jid.clone()) else {
            return false;
        };
        let Some(request) = self.links.pending.get_mut(&replica) else { return false };
        let domain = request.asking.remove(id);
        let items = iq.get_child("query", ns::DISCO_ITEMS).into_iter().flat_map(Element::children);
        let is_listed =
            items.filter_map(|item| item.get("jid")).any(|jid| jid == replica.domain() || jid == replica.as_str());
        if let Some(domain) = domain.filter(|_| is_listed && iq.get("type") == Some("result")) {
            request.domains.insert(domain.to_string());
            let names = request.outbox_names();
            if self.links.pending.get(&replica).is_some_and(|request| self.returns(&replica, request)) {
                self.grant(&replica, cx);
            }
            self.take_up_early(&replica, &names, cx);
        }
        true
    }

    /// Somebody was not admitted: when it was through a replica that is still pending, that is none.
    pub fn turned_away(&mut self, user: &Jid, error: &StanzaError, cx: &mut Cx<'_>) {
        let _ = error;
        if let Some(replica) = cx.up.as_ref().filter(|up| up.from == *user).map(|up| up.replica.clone()) {
            self.nobody_admitted(&replica, cx);
        }
    }

    /// Nobody of a site that has asked is in. One that was here before learns what of its outboxes has been had.
    fn nobody_admitted(&mut self, replica: &Jid, cx: &mut Cx<'_>) {
        let Some(request) = self.links.pending.get(replica) else { return };
        if request.asked.resume.is_some() && self.lives() {
            return self.grant_verdicts(replica, cx);
        }
        let (id, none) = (request.id.clone(), !self.lives());
        let present = request.outbox_names().into_iter().next();
        self.links.pending.remove(replica);
        if let Some(outbox) = present {
            self.note_refused(replica, outbox, cx);
        }
        let error = if none { RegisterError::NoRoom } else { RegisterError::NobodyAdmitted };
        self.answer_iq(replica, id.as_deref(), Err(&error), cx);
    }

    /// How an admitted user is served from now on; a pending request of his site is granted by it.
    pub fn via_for(&mut self, user: &Jid, cx: &mut Cx<'_>) -> Via {
        if let Some(replica) = self.links.reentering(user) {
            return Via::Replica(replica);
        }
        let Some(replica) = cx.up.as_ref().filter(|up| up.from == *user).map(|up| up.replica.clone()) else {
            return Via::Direct;
        };
        if self.links.pending.contains_key(&replica) {
            self.grant(&replica, cx);
        }
        let serves = self.links.links.get(&replica).is_some_and(|link| !link.is_over() && !link.is_split());
        if serves { Via::Replica(replica) } else { Via::Direct }
    }

    /// The room is no more: who has asked to be a replica of it, or was relayed ahead of such a request, is told so.
    pub fn refuse_requests(&mut self, cx: &mut Cx<'_>) {
        let replicas: Vec<Jid> = self.links.pending.keys().cloned().collect();
        for replica in replicas {
            self.nobody_admitted(&replica, cx);
        }
        for held in std::mem::take(&mut self.links.early) {
            self.handle_stanza(held.stanza, cx);
        }
    }

    /// Requests and early stanzas whose time has come.
    pub(super) fn expire_requests(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.mono_ms;
        let over: Vec<Jid> =
            self.links.pending.iter().filter(|(_, r)| r.expires_ms <= now).map(|(jid, _)| jid.clone()).collect();
        for replica in over {
            self.nobody_admitted(&replica, cx);
        }
        while let Some(held) = self.links.early.pop_front_if(|held| held.expires_ms <= now) {
            // No request came, so it counts as plain.
            self.handle_stanza(held.stanza, cx);
        }
    }

    /// Answers an iq of a replica.
    pub(super) fn answer_iq(
        &mut self,
        replica: &Jid,
        id: Option<&str>,
        answer: Result<Element, &RegisterError>,
        cx: &mut Cx<'_>,
    ) {
        let iq = Element::stanza("iq").attr("from", self.jid.as_str()).attr_opt("id", id);
        if answer.is_err() {
            cx.tally(replica, Tally::REFUSAL);
        }
        let iq = match answer {
            Ok(element) => iq.attr("type", "result").child(element),
            Err(error) => iq.attr("type", "error").child(error.error().element(None)),
        };
        self.gate.pass(Output::Send { to: replica.clone(), stanza: Shared::new(iq) }, cx.out);
    }

    pub(super) fn next_iq_id(&mut self) -> String {
        self.links.iqs += 1;
        format!("link-{}", self.links.iqs)
    }
}

/// How long a request waits for a user to be admitted, and something relayed for its request.
pub(super) const PENDING_MS: u64 = 10_000;
/// Most requests that wait, per room.
pub(super) const PENDING_MAX: usize = 64;
/// Most refused requests that are remembered, for what comes right behind them.
const REFUSED_MAX: usize = 64;
/// When a replica that found no room may ask again.
const RETRY_SECONDS: u32 = 30;
