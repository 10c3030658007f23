//! Registering with the room, XEP-0045 7.10 (in-band registration, XEP-0077); the nick that is reserved by it, 7.12; the approval
//! of an admin where membership means more than that, 9.9.

use super::affairs::{Affair, Affairs};
use super::keep::{Applied, delete};
use super::{Affiliated, Apply, Cx, Room, config::Registration, put};
use crate::names::{Affiliation, Nick};
use std::collections::BTreeMap;
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, iq_result};
use xmpp::{Element, Jid, ns};

/// Whose registration waits for an admin.
#[derive(Debug, Clone)]
pub(crate) struct Applicant {
    /// The bare address.
    pub jid: Jid,
    pub applied: Applied,
}

/// The fields of the form, 16.5.1: name, type, label.
const FIELDS: [(&str, &str, &str); 6] = [
    ("muc#register_first", "text-single", "Given Name"),
    ("muc#register_last", "text-single", "Family Name"),
    (ROOM_NICK, "text-single", "Desired Nickname"),
    ("muc#register_url", "text-single", "Your URL"),
    ("muc#register_email", "text-single", "Email Address"),
    ("muc#register_faqentry", "text-multi", "FAQ Entry"),
];
const ROOM_NICK: &str = "muc#register_roomnick";
const ALLOW: &str = "muc#register_allow";
/// Whose registration it is; XEP-0045 leaves open how an approval says so.
const APPLICANT: &str = "muc#jid";

impl Room {
    /// An iq with `<query xmlns='jabber:iq:register'/>`.
    pub fn handle_register(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        if !self.may_register(from) {
            return self.refuse(iq, Condition::NotAllowed, cx);
        }
        if iq.get("type") == Some("get") {
            let answer = iq_result(iq).child(self.registration_of(from));
            return self.answer(from, answer, cx);
        }
        if query.has_child("remove", ns::REGISTER) {
            return match query.children().count() {
                1 => self.unregister(from, iq, cx),
                _ => self.refuse(iq, Condition::BadRequest, cx),
            };
        }
        let form = Form::find(query).filter(|form| form.kind == "submit" && form.form_type() == Some(ns::MUC_REGISTER));
        let nick = form.as_ref().and_then(|form| form.get(ROOM_NICK)?.parse::<Nick>().ok());
        match (form, nick) {
            (Some(form), Some(nick)) if fits(&form, &nick) => self.register(from, nick, &form, iq, cx),
            _ => self.refuse(iq, Condition::BadRequest, cx),
        }
    }

    /// 7.12: the nick that is reserved for a user.
    pub fn reserved_nick(&self, user: &Jid) -> Option<&Nick> {
        self.affiliations.get(&user.bare()).and_then(|known| known.nick.as_ref())
    }

    /// 7.2.8: whether a nick is reserved for somebody else.
    pub fn is_anothers(&self, nick: &Nick, user: &Jid) -> bool {
        self.affiliations.reserved_for(nick).is_some_and(|of| of.as_str() != user.bare_str())
    }

    fn may_register(&self, from: &Jid) -> bool {
        match self.affiliation_of(from) {
            Affiliation::Outcast => false,
            Affiliation::None => self.config.registration != Registration::Closed,
            _ => true,
        }
    }

    /// What there is to be filled in, or what the user is already; a member who has no nick yet is shown both.
    fn registration_of(&self, from: &Jid) -> Element {
        let query = Element::new("query", ns::REGISTER);
        let registered =
            (self.affiliation_of(from) >= Affiliation::Member).then(|| Element::new("registered", ns::REGISTER));
        if let Some(nick) = self.reserved_nick(from) {
            return query.with(registered).child(Element::new("username", ns::REGISTER).text(nick.as_str()));
        }
        let instructions = "Please provide the following information to register with this room.";
        let form = Form::new("form")
            .title(&format!("Registration with {}", self.jid))
            .instructions(instructions)
            .with_type(ns::MUC_REGISTER);
        let form = FIELDS.iter().fold(form, |form, (var, kind, label)| {
            let field = Field::new(kind, var).label(label);
            form.field(if *var == ROOM_NICK { field.required() } else { field })
        });
        query
            .with(registered)
            .child(Element::new("instructions", ns::REGISTER).text(instructions))
            .child(form.element())
    }

    fn register(&mut self, from: &Jid, nick: Nick, form: &Form, iq: &Element, cx: &mut Cx<'_>) {
        let used = self.occupants.get(&nick).is_some_and(|holder| holder.bare.as_str() != from.bare_str());
        if used || self.is_anothers(&nick, from) {
            return self.refuse(iq, Condition::Conflict, cx);
        }
        if self.affiliation_of(from) < Affiliation::Member && !self.config.registers_at_once() {
            return self.apply_for_membership(from, form, iq, cx);
        }
        self.admit_member(&from.bare(), Some(nick), iq, cx);
    }

    /// XEP-0077 3.2: who has registered undoes it, or his application. Admins and owners give back their nick alone.
    fn unregister(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        let bare = from.bare();
        if self.has_applied(&bare) {
            self.drop_application(&bare, cx);
            return self.answer(from, iq_result(iq), cx);
        }
        let Some(known) = self.affiliations.get(&bare).cloned() else {
            return self.refuse(iq, Condition::RegistrationRequired, cx);
        };
        let to = if known.affiliation == Affiliation::Member { Affiliation::None } else { known.affiliation };
        let kept = Affiliated::after(Some(known.clone()), to, Some(None), known.reason);
        self.decide_affiliation(bare, kept, iq, cx);
    }

    /// Makes somebody a member with a nick, and leaves him what he is when that is more.
    fn admit_member(&mut self, bare: &Jid, nick: Option<Nick>, request: &Element, cx: &mut Cx<'_>) {
        let before = self.affiliations.get(bare).cloned();
        let to = before.as_ref().map_or(Affiliation::Member, |known| known.affiliation.max(Affiliation::Member));
        let reason = before.as_ref().and_then(|known| known.reason.clone());
        let kept = Affiliated::after(before, to, Some(nick), reason);
        if let Err(condition) = self.judge_outcome(&BTreeMap::from([(bare.clone(), kept.clone())])) {
            return self.refuse(request, condition, cx);
        }
        self.decide_affiliation(bare.clone(), kept, request, cx);
    }

    fn decide_affiliation(&mut self, jid: Jid, kept: Option<Affiliated>, request: &Element, cx: &mut Cx<'_>) {
        let affairs = vec![Affair::Affiliation { jid, kept, reason: None }];
        self.decide_affairs(Affairs { actor: None, affairs }, request, cx);
    }

    /// 7.10: "the registration request was successfully received" is said of one that is on disk. No admin is asked twice for one
    /// applicant, however often that one applies.
    fn apply_for_membership(&mut self, from: &Jid, form: &Form, iq: &Element, cx: &mut Cx<'_>) {
        if self.has_applied(&from.bare()) {
            return self.answer(from, iq_result(iq), cx);
        }
        let filled = |var: &&str| Some(((*var).to_owned(), form.values(var)?.to_vec()));
        let form = FIELDS.iter().map(|(var, ..)| var).filter_map(filled).collect();
        let applicant = Applicant { jid: from.bare(), applied: Applied { at_ms: cx.now.unix_ms, form } };
        let mut changes = vec![put("applicant", &self.jid, applicant.jid.as_str(), &applicant.applied)];
        let oldest = self.applicants.front().filter(|_| self.applicants.len() >= APPLICANTS_MAX);
        changes.extend(oldest.map(|it| delete("applicant", &self.jid, it.jid.as_str())));
        self.decide(changes, Apply::Application(applicant), iq, cx);
    }

    /// The application is on disk: the admins are asked, and the applicant is answered.
    pub fn applied(&mut self, applicant: Applicant, request: &Element, cx: &mut Cx<'_>) {
        let asked = self.asked(&applicant);
        for admin in self.admins_to_ask() {
            self.answer(&admin, asked.clone(), cx);
        }
        if self.applicants.len() >= APPLICANTS_MAX {
            self.applicants.pop_front();
        }
        self.applicants.push_back(applicant);
        if let Some(from) = request.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&from, iq_result(request), cx);
        }
    }

    /// Whether a user's registration waits for an admin.
    pub fn has_applied(&self, bare: &Jid) -> bool {
        self.applicants.iter().any(|applicant| applicant.jid == *bare)
    }

    /// 9.9: an admin who enters is asked about those who have applied meanwhile.
    pub fn ask_entrant(&mut self, admin: &Jid, cx: &mut Cx<'_>) {
        let oldest: Vec<Applicant> = self.applicants.iter().take(ASKED_MAX).cloned().collect();
        for applicant in &oldest {
            let asked = self.asked(applicant);
            self.answer(admin, asked, cx);
        }
    }

    /// 9.9: the request as a form for admins.
    fn asked(&mut self, applicant: &Applicant) -> Element {
        let asked = Form::new("form")
            .title("Registration request")
            .instructions(
                "To let this person register with the room, choose so and submit; to skip the request, cancel.",
            )
            .with_type(ns::MUC_REGISTER)
            .field(Field::new("jid-single", APPLICANT).label("User ID").value(applicant.jid.as_str()));
        let asked = FIELDS.iter().fold(asked, |asked, (var, kind, label)| {
            let values = applicant.applied.form.get(*var).map(Vec::as_slice).unwrap_or_default();
            asked.field(Field::new(kind, var).label(label).values(values))
        });
        let asked = asked.field(Field::boolean(ALLOW, false).label("Allow this person to register with the room?"));
        Element::stanza("message")
            .attr("from", self.jid.as_str())
            .attr("id", super::create::name(&mut self.rng))
            .child(asked.element())
    }

    /// The admins who are in the room, or all of them when none is.
    fn admins_to_ask(&self) -> Vec<Jid> {
        let present = self.occupants.values().filter(|o| o.affiliation >= Affiliation::Admin);
        let present: Vec<Jid> = present.flat_map(|o| &o.sessions).map(|s| s.jid.clone()).take(ASKED_MAX).collect();
        if !present.is_empty() {
            return present;
        }
        let known = self.affiliations.iter().filter(|(_, known)| known.affiliation >= Affiliation::Admin);
        known.map(|(jid, _)| jid.clone()).take(ASKED_MAX).collect()
    }

    /// 9.9: an admin has submitted the form; it is worth what a membership he grants is (9.3).
    pub fn handle_approval(&mut self, from: &Jid, stanza: &Element, form: &Form, cx: &mut Cx<'_>) {
        if self.affiliation_of(from) < Affiliation::Admin {
            return self.refuse(stanza, Condition::Forbidden, cx);
        }
        let nick = form.get(ROOM_NICK).and_then(|nick| nick.parse::<Nick>().ok());
        let named = form.get(APPLICANT).map(|jid| Jid::new(jid).map(|jid| jid.bare()));
        let (Some(nick), Some(allow), Ok(named)) = (nick, form.boolean(ALLOW), named.transpose()) else {
            return self.refuse(stanza, Condition::BadRequest, cx);
        };
        let applicant = named.or_else(|| self.applicant_for(&nick)).filter(|named| self.has_applied(named));
        // Else another admin was faster.
        let Some(applicant) = applicant else { return self.refuse(stanza, Condition::ItemNotFound, cx) };
        if allow {
            self.admit_member(&applicant, Some(nick), stanza, cx);
        } else {
            self.drop_application(&applicant, cx);
        }
    }

    /// 9.9: the form that is recommended there does not say who has applied; the nick that he wants does.
    fn applicant_for(&self, nick: &Nick) -> Option<Jid> {
        let wants = |applicant: &&Applicant| {
            let wanted = applicant.applied.form.get(ROOM_NICK).and_then(|values| values.first());
            wanted.and_then(|wanted| wanted.parse().ok()).is_some_and(|wanted: Nick| wanted == *nick)
        };
        let mut who = self.applicants.iter().filter(wants);
        who.next().filter(|_| who.next().is_none()).map(|applicant| applicant.jid.clone())
    }

    fn drop_application(&mut self, jid: &Jid, cx: &mut Cx<'_>) {
        self.had_applied(jid);
        self.gate.persist(vec![delete("applicant", &self.jid, jid.as_str())], cx.out);
    }

    /// Whether somebody whose affiliation changes had applied for membership; he has then no longer.
    pub fn had_applied(&mut self, jid: &Jid) -> bool {
        let before = self.applicants.len();
        self.applicants.retain(|known| known.jid != *jid);
        self.applicants.len() < before
    }
}

/// Whether what was filled in is of a sensible length.
fn fits(form: &Form, nick: &Nick) -> bool {
    let texts = FIELDS.iter().flat_map(|(var, ..)| form.values(var).unwrap_or_default());
    nick.as_str().len() <= super::admit::NICK_BYTES_MAX && texts.map(String::len).sum::<usize>() <= FORM_BYTES_MAX
}

/// Most of what a registration form may say, bytes.
const FORM_BYTES_MAX: usize = 4_000;
/// Most registrations that wait for an admin; the oldest is forgotten, and may be made again.
const APPLICANTS_MAX: usize = 200;
/// Most admins who are asked about one, and most applicants about whom an admin is asked who enters.
const ASKED_MAX: usize = 20;
