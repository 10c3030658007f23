//! What moderators and admins have decided, carried out: kick (8.2), voice (8.3, 8.4), ban (9.1), membership (9.3, 9.4),
//! moderators (9.6, 9.7), admins and owners (10.3 to 10.7).

use super::keep::delete;
use super::{Affiliated, Cx, Part, Removal, Room, Shown, put};
use crate::names::{Affiliation, Nick, Role, Status};
use machine::Change;
use xmpp::stanza::command;
use xmpp::{Element, Jid, ns};

/// Judged changes of one request.
#[derive(Debug, Clone)]
pub(crate) struct Affairs {
    /// The nick of whoever asked, when in the room.
    pub actor: Option<Nick>,
    pub affairs: Vec<Affair>,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) enum Affair {
    Role {
        nick: Nick,
        to: Role,
        reason: Option<String>,
    },
    /// `kept` is what the room knows of the user from then on.
    Affiliation {
        jid: Jid,
        kept: Option<Affiliated>,
        reason: Option<String>,
    },
}

/// By whom and why an affiliation changes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct By<'a> {
    /// The nick of whoever did it, when in the room.
    pub actor: Option<&'a str>,
    /// The real address of whoever did it, for invitations.
    pub inviter: Option<&'a Jid>,
    pub reason: Option<&'a str>,
    /// XEP-0463: from which version of the affiliations to which.
    pub mav: Option<&'a Element>,
}

impl Room {
    /// Carries changes out. Who is kicked goes first, then the one who asked is answered, then all others hear (8.2).
    pub fn carry_out(&mut self, affairs: &Affairs, request: &Element, cx: &mut Cx<'_>) {
        let actor = affairs.actor.as_ref().map(Nick::to_string);
        let mut gone: Vec<Part> = Vec::new();
        for affair in &affairs.affairs {
            if let Affair::Role { nick, to: Role::None, reason } = affair {
                let removal =
                    Removal { actor: actor.clone(), reason: reason.clone(), ..Removal::with([Status::KICKED]) };
                gone.extend(self.dismiss_seat(nick, &removal, cx));
            }
        }
        let asker = request.get("from").and_then(|from| Jid::new(from).ok());
        if let Some(asker) = asker.as_ref().filter(|_| request.name() == "iq") {
            self.answer(asker, command::done(request), cx);
        }
        for part in gone {
            self.tell_gone(part, cx);
        }
        for affair in &affairs.affairs {
            match affair {
                Affair::Role { to: Role::None, .. } => {}
                Affair::Role { nick, to, reason } => self.set_role(nick, *to, reason.as_deref(), cx),
                Affair::Affiliation { jid, kept, reason } => {
                    let (actor, reason) = (actor.as_deref(), reason.as_deref());
                    let by = By { actor, inviter: asker.as_ref(), reason, mav: None };
                    self.set_affiliation(jid, kept.clone(), by, cx);
                }
            }
        }
        self.supply_members(cx);
        self.give_up_if_empty(cx.now);
    }

    /// 8.3, 8.4, 9.6, 9.7: another role, told to all.
    pub fn set_role(&mut self, nick: &Nick, to: Role, reason: Option<&str>, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get_mut(nick).filter(|o| o.role != to) else { return };
        occupant.role = to;
        let bare = occupant.bare.clone();
        self.remember_voice(bare, to);
        self.reclass(nick, cx);
        self.tell_presence(nick, |x| add_reason(x, reason), cx);
    }

    /// 5.1: what a moderator has said of somebody's voice holds for his next visit too.
    fn remember_voice(&mut self, bare: Jid, role: Role) {
        if self.keeps_voice(&bare, role) {
            self.voices.insert(bare, role);
        } else {
            self.voices.remove(&bare);
        }
    }

    fn keeps_voice(&self, bare: &Jid, role: Role) -> bool {
        let of_voice = matches!(role, Role::Visitor | Role::Participant);
        of_voice && self.config.moderated && (self.voices.len() < VOICES_MAX || self.voices.contains_key(bare))
    }

    /// What is kept on disk of another role.
    pub fn voice_changes(&self, nick: &Nick, to: Role) -> Vec<Change> {
        let Some(occupant) = self.occupants.get(nick).filter(|o| o.role != to) else { return Vec::new() };
        if self.keeps_voice(&occupant.bare, to) {
            return vec![put("voice", &self.jid, occupant.bare.as_str(), &to)];
        }
        let known = self.voices.contains_key(&occupant.bare);
        known.then(|| delete("voice", &self.jid, occupant.bare.as_str())).into_iter().collect()
    }

    /// What is kept on disk of another affiliation: it, and nothing more of voice or application.
    pub fn affiliation_changes(&self, jid: &Jid, kept: Option<&Affiliated>) -> Vec<Change> {
        let voice = self.voices.contains_key(jid).then(|| delete("voice", &self.jid, jid.as_str()));
        let applied = self.has_applied(jid).then(|| delete("applicant", &self.jid, jid.as_str()));
        [Some(self.affiliation_change(jid, kept)), voice, applied].into_iter().flatten().collect()
    }

    /// 9.1 to 9.5, 10.3 to 10.7: what somebody is from now on, told to all where he is in the room, else to himself.
    pub fn set_affiliation(&mut self, jid: &Jid, kept: Option<Affiliated>, by: By<'_>, cx: &mut Cx<'_>) {
        let before = self.affiliation_of(jid);
        let to = kept.as_ref().map_or(Affiliation::None, |kept| kept.affiliation);
        self.affiliations.set(jid.clone(), kept);
        if to < Affiliation::Member && self.left.remove(jid).is_some() {
            self.gate.persist(vec![delete("left", &self.jid, jid.as_str())], cx.out);
        }
        // 5.1.2: a new affiliation brings its own role.
        self.voices.remove(jid);
        let applied = self.had_applied(jid);
        let seats: Vec<Nick> =
            self.occupants.values().filter(|o| concerns(jid, &o.bare)).map(|o| o.nick.clone()).collect();
        if seats.is_empty() && jid.local().is_some() {
            self.tell_absent(jid, (before, to), applied, by, cx);
        }
        let mav = (before != to).then(|| self.next_version(jid));
        // Whoever may read the lists sees addresses in presence.
        let mut here = seats.iter().filter_map(|nick| self.occupants.get(nick));
        let shown = here.any(|o| o.bare == *jid && self.known_to(o) == Shown::ToAll);
        for nick in &seats {
            self.apply_affiliation(nick, By { mav: mav.as_ref(), ..by }, cx);
        }
        if let Some(mav) = mav.filter(|_| !shown) {
            self.tell_version(jid, &mav, cx);
        }
    }

    /// Who is not in the room: a new member of a members-only room is invited (9.5); one who was something to the room before
    /// is told in a word (18.1). Strangers are not written to because somebody has put them on a list, nor who did it himself.
    fn tell_absent(
        &mut self,
        jid: &Jid,
        (before, to): (Affiliation, Affiliation),
        applied: bool,
        by: By<'_>,
        cx: &mut Cx<'_>,
    ) {
        if self.config.members_only && before < Affiliation::Member && to >= Affiliation::Member {
            self.invite_member(jid, by, cx);
        } else if (applied || before >= Affiliation::Member)
            && before != to
            && by.inviter.is_none_or(|by| by.bare() != *jid)
        {
            self.tell_affiliation(jid, to, cx);
        }
    }

    /// 18.1: a message out of the room, with code 101.
    pub fn tell_affiliation(&mut self, jid: &Jid, to: Affiliation, cx: &mut Cx<'_>) {
        let item =
            Element::new("item", ns::MUC_USER).attr("affiliation", to.as_str()).attr("role", Role::None.as_str());
        let mut message = Element::stanza("message")
            .attr("from", self.jid.as_str())
            .child(Element::new("body", ns::CLIENT).text(format!(
                "Your affiliation with {} is now: {}.",
                self.jid,
                to.as_str()
            )))
            .child(Element::new("x", ns::MUC_USER).child(item));
        super::add_statuses(&mut message, &[Status::AFFILIATION]);
        self.answer(jid, message, cx);
    }

    /// Brings a seat in line with what its user is to the room now.
    fn apply_affiliation(&mut self, nick: &Nick, by: By<'_>, cx: &mut Cx<'_>) {
        let Some(occupant) = self.occupants.get(nick) else { return };
        let (before, to) = (occupant.affiliation, self.affiliation_of(&occupant.bare));
        let why = match to {
            Affiliation::Outcast => Some(Status::BANNED),
            Affiliation::None if self.config.members_only => Some(Status::AFFILIATION_CHANGE),
            _ => None,
        };
        if let Some(why) = why {
            let removal = Removal {
                actor: by.actor.map(str::to_owned),
                reason: by.reason.map(str::to_owned),
                affiliation: Some(to),
                mav: by.mav.cloned(),
                ..Removal::with([why])
            };
            return self.take_seat_out(nick, &removal, cx);
        }
        let role = role_after(occupant.role, before, to, self.role_on_entering(to));
        if let Some(occupant) = self.occupants.get_mut(nick).filter(|_| before != to) {
            occupant.affiliation = to;
            occupant.role = role;
            self.reclass(nick, cx);
            let changed = |x: &mut Element| {
                add_reason(x, by.reason);
                by.mav.cloned().into_iter().for_each(|mav| x.push(mav));
            };
            self.tell_presence(nick, changed, cx);
        }
    }

    /// Dismisses all sessions of a seat; gives what the others are to be told.
    pub fn dismiss_seat(&mut self, nick: &Nick, removal: &Removal, cx: &mut Cx<'_>) -> Option<Part> {
        let sessions: Vec<Jid> = self.occupants.get(nick)?.sessions.iter().map(|s| s.jid.clone()).collect();
        self.dismiss_sessions(nick, &sessions, removal, cx)
    }
}

/// 5.1.3, the note: what is gained with an affiliation is fixed; what is lost is what an entrant would not have.
fn role_after(role: Role, before: Affiliation, to: Affiliation, on_entering: Role) -> Role {
    match (before, to) {
        (_, Affiliation::Admin | Affiliation::Owner) => Role::Moderator,
        (Affiliation::Admin | Affiliation::Owner, _) => on_entering,
        (before, to) if to > before => role.max(on_entering),
        _ => role,
    }
}

/// Whether an affiliation of `jid` is that of a user; a ban may name a whole domain (9.1).
fn concerns(jid: &Jid, user: &Jid) -> bool {
    jid == user || (jid.local().is_none() && jid.domain() == user.domain())
}

/// Most people whose voice is remembered; of others it is of one visit only.
const VOICES_MAX: usize = 1_000;

fn add_reason(x: &mut Element, reason: Option<&str>) {
    if let (Some(reason), Some(item)) = (reason, x.get_child_mut("item", ns::MUC_USER)) {
        item.push(Element::new("reason", ns::MUC_USER).text(reason));
    }
}
