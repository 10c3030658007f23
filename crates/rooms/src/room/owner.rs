//! The owner's requests, XEP-0045 10: the configuration form (10.1.2, 10.1.3, 10.2) and destroying the room (10.9).

use super::affairs::{Affair, By};
use super::{Apply, Config, Cx, Life, REASON_BYTES_MAX, Removal, Room, config_form, status};
use crate::names::{Affiliation, Nick, Role, Status};
use machine::Change;
use xmpp::stanza::form::Form;
use xmpp::stanza::{Condition, command, iq_result};
use xmpp::{Element, Jid, ns};

/// Where a destroyed room's occupants may go, 10.9.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Destruction {
    pub venue: Option<Jid>,
    pub password: Option<String>,
    pub reason: Option<String>,
}

/// A submitted form, read and judged.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub config: Config,
    /// What its lists of admins and owners change.
    pub affairs: Vec<Affair>,
}

impl Room {
    /// An iq with `<query xmlns='http://jabber.org/protocol/muc#owner'/>`.
    pub fn handle_owner(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        if self.affiliation_of(from) != Affiliation::Owner {
            return self.refuse(iq, Condition::Forbidden, cx);
        }
        if iq.get("type") == Some("get") {
            let form = config_form::form(&self.config, &self.jid, self.list_fields());
            let answer = iq_result(iq).child(Element::new("query", ns::MUC_OWNER).child(form.element()));
            return self.answer(from, answer, cx);
        }
        if let Some(destroy) = query.get_child("destroy", ns::MUC_OWNER) {
            return match Destruction::parse(destroy) {
                Ok(destruction) => self.destroy(destruction, iq, cx),
                Err(condition) => self.refuse(iq, condition, cx),
            };
        }
        match Form::find(query) {
            Some(form) if form.kind == "submit" => self.handle_form(iq, &form, cx),
            // 10.1.3: a room whose configuration is cancelled was never there.
            Some(form) if form.kind == "cancel" && self.life == Life::Locked => {
                self.destroy(Destruction::default(), iq, cx);
            }
            Some(form) if form.kind == "cancel" => self.answer(from, iq_result(iq), cx),
            _ => self.refuse(iq, Condition::BadRequest, cx),
        }
    }

    /// Its records go, and what a replica may still ask for takes their place.
    pub fn destroy(&mut self, destruction: Destruction, iq: &Element, cx: &mut Cx<'_>) {
        let mut changes = self.removal_changes();
        let tombstone = self.tombstone(&destruction, cx.now);
        changes.extend(tombstone.map(|tombstone| tombstone.change(&self.jid, &self.order.incarnation)));
        self.decide(changes, Apply::Destruction(destruction), iq, cx);
    }

    /// A submitted form; one without fields takes the room as it is (10.1.2).
    fn handle_form(&mut self, iq: &Element, form: &Form, cx: &mut Cx<'_>) {
        let read = config_form::read(&self.config, form)
            .and_then(|config| Ok(Configuration { affairs: self.read_lists(&config, form)?, config }));
        match read {
            Ok(decided) => {
                let mut changes = vec![self.meta_change_with(&decided.config, false)];
                if !decided.config.moderated && !self.voices.is_empty() {
                    changes.push(Change::DeleteAll { space: "voice", owner: self.jid.to_string() });
                }
                changes.extend(self.changes_of(&decided.affairs, None));
                self.decide(changes, Apply::Config(Box::new(decided)), iq, cx);
            }
            Err(error) => self.refuse(iq, error.error(), cx),
        }
    }

    /// The configuration is on disk: the one who asked is answered, then all are told what changed.
    pub fn configured(&mut self, decided: Configuration, request: &Element, cx: &mut Cx<'_>) {
        let opened = std::mem::replace(&mut self.life, Life::Open) == Life::Locked;
        let before = std::mem::replace(&mut self.config, decided.config);
        let owner = request.get("from").and_then(|from| Jid::new(from).ok());
        if let Some(owner) = &owner {
            self.answer(owner, iq_result(request), cx);
        }
        if !self.config.moderated {
            self.voices.clear();
        }
        if before.whois != self.config.whois {
            let nicks: Vec<Nick> = self.occupants.keys().cloned().collect();
            for nick in &nicks {
                self.reclass(nick, cx);
            }
        }
        let actor = owner.as_ref().and_then(|owner| self.sessions.get(owner)).map(Nick::to_string);
        for affair in &decided.affairs {
            if let Affair::Affiliation { jid, kept, .. } = affair {
                let by = By { actor: actor.as_deref(), inviter: owner.as_ref(), ..By::default() };
                self.set_affiliation(jid, kept.clone(), by, cx);
            }
        }
        if before.moderated && !self.config.moderated {
            self.give_all_voice(cx);
        }
        let statuses = status::of_config_change(&before, &self.config, !decided.affairs.is_empty());
        // Nobody but its creator has known a locked room; his site must know what has become of it.
        if opened {
            self.send_config_to_all(cx);
        } else if !statuses.is_empty() {
            self.tell_config(&statuses, cx);
        }
        if before.replicas && !self.config.replicas {
            self.revoke_replicas(cx);
        }
        if self.config.members_only && !before.members_only {
            self.remove_non_members(cx);
        }
        self.supply_members(cx);
        self.give_up_if_empty(cx.now);
    }

    /// 4.2: in a room that is not moderated any occupant is allowed to speak; the others learn of it (5.1.3).
    fn give_all_voice(&mut self, cx: &mut Cx<'_>) {
        let visitors = self.occupants.values().filter(|o| o.role == Role::Visitor);
        let nicks: Vec<Nick> = visitors.map(|o| o.nick.clone()).collect();
        for nick in &nicks {
            self.set_role(nick, Role::Participant, None, cx);
        }
    }

    /// 10.2: who is no member of what is now a members-only room leaves it.
    fn remove_non_members(&mut self, cx: &mut Cx<'_>) {
        let strangers = self.occupants.values().filter(|o| o.affiliation < Affiliation::Member);
        let nicks: Vec<Nick> = strangers.map(|o| o.nick.clone()).collect();
        for nick in &nicks {
            self.take_seat_out(nick, &Removal::with([Status::MEMBERS_ONLY]), cx);
        }
    }

    /// 10.9: every occupant is told once, then the owner; the room is over.
    pub fn destroyed(&mut self, destruction: &Destruction, request: &Element, cx: &mut Cx<'_>) {
        self.kept = false;
        self.destruction = Some(destruction.clone());
        self.tell_destroyed(destruction.element(), cx);
        if let Some(owner) = request.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&owner, command::done(request), cx);
        }
        self.life = Life::Over;
    }

    /// 10.1.3: its owner goes before he has configured it, so the room was never there. Its records go with its end.
    pub fn abandon(&mut self, cx: &mut Cx<'_>) {
        self.tell_destroyed(Destruction::default().element(), cx);
        self.life = Life::Over;
    }

    fn tell_destroyed(&mut self, destroy: Element, cx: &mut Cx<'_>) {
        for occupant in std::mem::take(&mut self.occupants).into_values() {
            for session in &occupant.sessions {
                if session.via == super::Via::Direct {
                    let own = unavailable_for_all(&occupant.nick.in_room(&self.jid), destroy.clone());
                    let own = own.child(super::occupant_id(&occupant.occupant_id));
                    self.dismiss(session, own, cx);
                }
            }
        }
        self.sessions.clear();
        // For replicas: each turns it into its own sessions' (docs/wire.md). No direct session is left to see it.
        let stanza = unavailable_for_all(&self.jid, destroy);
        let part = super::Part { stanza, of: None, own: Vec::new(), shown: super::Shown::ToAll, dmuc: Vec::new() };
        self.tell(super::Event { parts: vec![part], durable: Vec::new(), otherwise: Vec::new() }, cx);
    }
}

impl Destruction {
    fn parse(destroy: &Element) -> Result<Destruction, Condition> {
        let text = |name| destroy.get_child(name, ns::MUC_OWNER).map(Element::content);
        let venue = destroy.get("jid").map(Jid::new).transpose().map_err(|_| Condition::JidMalformed)?;
        let destruction = Destruction { venue, password: text("password"), reason: text("reason") };
        // It goes to everybody, and is kept for those who ask later.
        let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > REASON_BYTES_MAX);
        match is_long(&destruction.reason) || is_long(&destruction.password) {
            true => Err(Condition::PolicyViolation),
            false => Ok(destruction),
        }
    }

    /// What the occupants are told.
    fn element(&self) -> Element {
        let text = |name: &str, text: &Option<String>| {
            text.as_ref().map(|text| Element::new(name, ns::MUC_USER).text(text.clone()))
        };
        Element::new("destroy", ns::MUC_USER)
            .attr_opt("jid", self.venue.as_ref().map(Jid::as_str))
            .with(text("password", &self.password))
            .with(text("reason", &self.reason))
    }
}

/// The unavailable presence of a room's end, 10.9: affiliation and role are gone with it.
fn unavailable_for_all(from: &Jid, destroy: Element) -> Element {
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", Affiliation::None.as_str())
        .attr("role", Role::None.as_str());
    Element::stanza("presence")
        .attr("from", from.as_str())
        .attr("type", "unavailable")
        .child(Element::new("x", ns::MUC_USER).child(item).child(destroy))
}
