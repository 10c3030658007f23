//! Decisions that must be durable before anybody hears of them: creating, configuring, destroying, affiliations.
//!
//! One at a time: it is persisted, what comes meanwhile waits, then it is applied and announced, or refused with nothing
//! changed.

use super::affairs::Affairs;
use super::avatar::Vcard;
use super::enter::Entry;
use super::hats::Hats;
use super::invite::Invitation;
use super::managed::Making;
use super::moderate::Retraction;
use super::owner::{Configuration, Destruction};
use super::register::Applicant;
use super::{Cx, Life, Past, Room, Unsure};
use crate::primary::Up;
use crate::wire::{Reported, UpMark};
use machine::{Change, Token};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// A decision on its way to the disk.
#[derive(Debug)]
pub(crate) struct Pending {
    pub token: Token,
    pub apply: Apply,
    /// Who asked, to be answered.
    pub request: Element,
    pub up: Option<Up>,
}

/// What is done once it is durable.
#[derive(Debug)]
pub(crate) enum Apply {
    /// 10.1: the room comes to be and its creator enters.
    Creation(Box<Entry>),
    /// 10.2: the room is configured, and open from now on.
    Config(Box<Configuration>),
    /// 8 and 9: affiliations, and roles asked for along with them.
    Affairs(Affairs),
    /// 7.8.2: the invited are members now.
    Invitations(Vec<Invitation>),
    /// 7.10: somebody has applied for membership.
    Application(Applicant),
    /// XEP-0486: the room's vCard, or none any more.
    Vcard(Option<Vcard>),
    /// XEP-0317: these are the hats from now on.
    Hats(Hats),
    /// The service's admins have the room made.
    Making(Making),
    /// XEP-0425: a message has given way to a tombstone.
    Retraction(Retraction),
    /// 10.9: the room is at its end.
    Destruction(Destruction),
}

/// Something that waits for a decision.
#[derive(Debug)]
pub(crate) enum Waiting {
    Stanza(Element),
    /// Something relayed, its author, and its mark, which is judged when its turn comes: its link may have ended by then.
    Relayed(Element, Jid, UpMark),
    /// The end of what a replica had to report.
    Report(Jid, Reported),
}

impl Room {
    /// Persists a decision; it is applied when that is done.
    pub fn decide(&mut self, mut changes: Vec<Change>, apply: Apply, request: &Element, cx: &mut Cx<'_>) {
        changes.extend(cx.take_mark(&self.jid));
        let token = self.gate.persist(changes, cx.out);
        self.pending = Some(Pending { token, apply, request: request.clone(), up: cx.up.clone() });
    }

    /// Whether what comes has to wait, for a decision or for the archive.
    pub fn is_busy(&self) -> bool {
        self.pending.is_some() || self.sought.is_some()
    }

    /// A stanza that came meanwhile.
    pub fn wait(&mut self, stanza: Element, cx: &mut Cx<'_>) {
        if self.waiting.len() >= WAITING_MAX {
            let error = StanzaError::new(Condition::ResourceConstraint, "The room is busy; try again.");
            return self.refuse(&stanza, error, cx);
        }
        self.waiting.push_back(Waiting::Stanza(stanza));
    }

    /// Something relayed that came meanwhile. One too many is missed when what is behind it comes, and asked for again.
    pub fn wait_relayed(&mut self, stanza: Element, user: Jid, mark: UpMark) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(Waiting::Relayed(stanza, user, mark));
        }
    }

    /// The end of a report that came meanwhile: what was reported before it may wait as well. One too many is over in its time.
    pub fn wait_report(&mut self, replica: &Jid, reported: Reported) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(Waiting::Report(replica.clone(), reported));
        }
    }

    /// Everything up to `token` is on disk.
    pub fn persisted(&mut self, token: Token, cx: &mut Cx<'_>) {
        self.gate.persisted(token, cx.out);
        self.links.persisted(token);
        while self.unsure.front().is_some_and(|unsure| unsure.token <= token) {
            self.unsure.pop_front();
        }
        if let Some(pending) = self.pending.take_if(|pending| pending.token <= token) {
            cx.up = pending.up;
            cx.mark_kept = true;
            self.apply(pending.apply, &pending.request, cx);
            self.go_on(cx);
        }
    }

    /// Nothing of `token` is on disk.
    pub fn persist_failed(&mut self, token: Token, cx: &mut Cx<'_>) {
        self.gate.failed(token, cx.out);
        self.links.persist_failed(token);
        if let Some((_, before)) = self.order.reserving.take_if(|(reserving, _)| *reserving == token) {
            self.order.reserved = before;
        }
        if let Some(at) = self.unsure.iter().position(|unsure| unsure.token == token)
            && let Some(unsure) = self.unsure.remove(at)
        {
            self.undo(unsure);
        }
        if let Some(pending) = self.pending.take_if(|pending| pending.token == token) {
            cx.up = pending.up;
            cx.mark_kept = true;
            self.refuse(&pending.request, Condition::InternalServerError, cx);
            self.go_on(cx);
        }
    }

    /// A message that could not be kept was never said.
    fn undo(&mut self, unsure: Unsure) {
        self.history.retain(|past| past.seq != unsure.seq);
        self.links.take_back(unsure.seq);
        let Some(before) = unsure.subject_before else { return };
        let is_it = |subject: &Option<Past>| subject.as_ref().is_some_and(|past| past.seq == unsure.seq);
        if is_it(&self.subject) {
            self.subject = before;
        } else if let Some(next) = self.unsure.iter_mut().find_map(|u| u.subject_before.as_mut().filter(|s| is_it(s))) {
            // A later subject is under way; should that fail too, it is this one's predecessor that comes back.
            *next = before;
        }
    }

    fn apply(&mut self, apply: Apply, request: &Element, cx: &mut Cx<'_>) {
        match apply {
            Apply::Creation(entry) => self.created(*entry, cx),
            Apply::Config(config) => self.configured(*config, request, cx),
            Apply::Affairs(affairs) => self.carry_out(&affairs, request, cx),
            Apply::Invitations(invitations) => self.send_invitations(invitations, request, cx),
            Apply::Application(applicant) => self.applied(applicant, request, cx),
            Apply::Vcard(vcard) => self.shown_as(vcard, request, cx),
            Apply::Hats(hats) => self.hats_changed(hats, request, cx),
            Apply::Making(making) => self.made(making, request, cx),
            Apply::Retraction(retraction) => self.retracted(&retraction, cx),
            Apply::Destruction(destruction) => self.destroyed(&destruction, request, cx),
        }
    }

    /// What waited is taken up, until the next decision.
    pub fn go_on(&mut self, cx: &mut Cx<'_>) {
        while !self.is_busy()
            && let Some(waiting) = self.waiting.pop_front()
        {
            cx.up = None;
            cx.mark_kept = false;
            match waiting {
                Waiting::Stanza(stanza) => self.handle_stanza(stanza, cx),
                Waiting::Relayed(stanza, user, mark) => self.relayed(stanza, user, mark, cx),
                Waiting::Report(replica, reported) => self.reported(&replica, reported, cx),
            }
        }
        cx.up = None;
        if self.life == Life::Unborn {
            self.give_up_if_empty(cx.now);
        }
    }
}

/// Most stanzas that wait for a decision; a commit takes milliseconds.
const WAITING_MAX: usize = 1_000;
