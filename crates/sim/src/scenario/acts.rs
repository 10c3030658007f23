//! What users do.

use super::Scene;
use crate::users::{act, archive};
use xmpp::Element;

/// A kind of thing that people, and their clients, do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Says something to all.
    Say,
    /// Says several things right behind each other.
    Burst,
    /// Changes presence.
    Show,
    /// Changes the nick, now and then to one that is taken.
    Rename,
    /// Sends a private message.
    Whisper,
    /// Changes the subject.
    Subject,
    /// Leaves.
    Leave,
    /// Loses the stream, which the server notices.
    HangUp,
    /// Is gone without a word.
    Vanish,
    /// Wants in again.
    Come,
    /// Sends what only rooms and servers may.
    Forge,
    /// Changes a role; `none` is a kick.
    Role,
    /// Kicks somebody of the same site.
    KickNear,
    /// Changes an affiliation; `outcast` is a ban.
    Affiliation,
    /// Changes the room's configuration.
    Configure,
    /// Invites somebody through the room.
    Invite,
    /// Has a message taken back.
    Retract,
    /// Asks whether it is still in.
    SelfPing,
    /// Reads on in the archive from the last it heard.
    Page,
    /// Destroys the room, and makes it anew.
    Destroy,
}

impl Deed {
    /// All of them: how often each is done beside the others, and in how many runs of a hundred it is.
    pub const ALL: [(Deed, u64, u64); 20] = [
        (Deed::Say, 40, 100),
        (Deed::Burst, 4, 80),
        (Deed::Show, 8, 80),
        (Deed::Rename, 6, 70),
        (Deed::Whisper, 5, 80),
        (Deed::Subject, 4, 80),
        (Deed::Leave, 5, 80),
        (Deed::HangUp, 3, 70),
        (Deed::Vanish, 3, 50),
        (Deed::Come, 4, 90),
        (Deed::Forge, 2, 70),
        (Deed::Role, 5, 80),
        (Deed::KickNear, 4, 70),
        (Deed::Affiliation, 5, 80),
        (Deed::Configure, 2, 50),
        (Deed::Invite, 2, 60),
        (Deed::Retract, 3, 60),
        (Deed::SelfPing, 4, 70),
        (Deed::Page, 4, 70),
        (Deed::Destroy, 1, 15),
    ];
}

impl Scene {
    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let index = self.somebody();
        if !self.users[index].is_in() {
            return;
        }
        let all: u64 = self.plan.deeds.iter().map(|(_, weight)| weight).sum();
        let mut chance = self.rng.below(all);
        let Some((deed, _)) = self.plan.deeds.iter().copied().find(|(_, weight)| {
            let is_it = chance < *weight;
            chance = chance.saturating_sub(*weight);
            is_it
        }) else {
            return;
        };
        match deed {
            Deed::Say => self.say(index),
            Deed::Burst => self.burst(index),
            Deed::Show => self.show(index),
            Deed::Rename => self.rename(index),
            Deed::Whisper => self.whisper(index),
            Deed::Subject => self.subject(index),
            Deed::Leave => self.leave(index),
            Deed::HangUp => self.hang_up(index),
            Deed::Vanish => self.vanish(index),
            Deed::Come => self.come(),
            Deed::Forge => self.forge(index),
            Deed::Role => self.change_role(index),
            Deed::KickNear => self.kick_near(index),
            Deed::Affiliation => self.change_affiliation(),
            Deed::Configure => self.configure(),
            Deed::Invite => self.invite(index),
            Deed::Retract => self.retract(index),
            Deed::SelfPing => self.ping_himself(index),
            Deed::Page => self.read_on(index),
            Deed::Destroy => self.destroy(),
        }
    }

    /// Any user; mostly one of a site that is cut off, where there is one, so that islands are busy.
    fn somebody(&mut self) -> usize {
        let cut: Vec<usize> = (0..self.users.len())
            .filter(|&index| self.world.is_cut(self.users[index].jid.domain(), super::ROOMS))
            .collect();
        match self.rng.percent(ISLANDER_PERCENT) {
            true if !cut.is_empty() => cut[self.rng.below(cut.len() as u64) as usize],
            _ => self.rng.below(self.users.len() as u64) as usize,
        }
    }

    pub(super) fn say(&mut self, index: usize) {
        let (id, room) = (self.next_id(), self.room.clone());
        let body = format!("{id} of {}", self.users[index].nick);
        self.does(index, &format!("says {id}"), act::say(&room, &id, &body));
    }

    /// Several messages right behind each other.
    fn burst(&mut self, index: usize) {
        for _ in 0..self.rng.between(2, 8) {
            self.say(index);
        }
    }

    pub(super) fn show(&mut self, index: usize) {
        let show = self.rng.pick(&[None, Some("away"), Some("dnd")]).copied().flatten();
        let (status, nick) = (self.next_id(), self.nick(index));
        let stanza = act::presence(&self.room, &nick, show, Some(&status));
        self.does(index, &format!("is {show:?} {status}"), stanza);
    }

    fn rename(&mut self, index: usize) {
        let others =
            [format!("nick{}", self.said), self.nick(self.rng.clone().below(self.users.len() as u64) as usize)];
        let nick = others[usize::from(self.rng.percent(20))].clone();
        let stanza = act::presence(&self.room, &nick, None, None).attr("id", self.next_id());
        self.does(index, &format!("wants to be {nick}"), stanza);
    }

    fn whisper(&mut self, index: usize) {
        let (to, id) = (self.rng.below(self.users.len() as u64) as usize, self.next_id());
        let nick = self.nick(to);
        self.does(index, &format!("whispers to {nick}"), act::whisper(&self.room, &nick, &id, &id));
    }

    fn subject(&mut self, index: usize) {
        let id = self.next_id();
        self.does(index, &format!("changes the subject to {id}"), act::subject(&self.room, &id, &id));
    }

    fn forge(&mut self, index: usize) {
        let id = self.next_id();
        self.does(index, &format!("forges {id}"), act::forged(&self.room, &id, &id));
    }

    pub(super) fn leave(&mut self, index: usize) {
        self.tell(format!("{} leaves", self.users[index].jid));
        self.users[index].leave(&mut self.world);
    }

    fn hang_up(&mut self, index: usize) {
        let who = self.users[index].jid.clone();
        self.tell(format!("{who} loses its stream"));
        self.users[index].wants_in = self.rng.percent(70);
        self.world.disconnect(&who);
    }

    /// The client is gone, and its server notices late.
    fn vanish(&mut self, index: usize) {
        let (who, noticed_ms) = (self.users[index].jid.clone(), self.rng.between(1_000, 120_000));
        self.tell(format!("{who} is gone without a word, noticed after {noticed_ms}"));
        self.users[index].wants_in = self.rng.percent(70);
        self.world.vanish(&who, noticed_ms);
    }

    /// Somebody who was out wants in again.
    fn come(&mut self) {
        let index = self.rng.below(self.users.len() as u64) as usize;
        self.users[index].wants_in = true;
    }

    fn change_role(&mut self, index: usize) {
        let role = ["none", "visitor", "participant", "moderator"][self.rng.below(4) as usize];
        let other = self.rng.below(self.users.len() as u64) as usize;
        let (nick, id) = (self.nick(other), self.next_id());
        // Mostly by the owner, who may; now and then by somebody who may not.
        let by = if self.rng.percent(80) { 0 } else { index };
        self.does(by, &format!("makes {nick} a {role} ({id})"), act::role(&self.room, &id, &nick, role));
    }

    /// Only who is a moderator may.
    fn kick_near(&mut self, index: usize) {
        let near = |&other: &usize| {
            other != index
                && self.users[other].jid.domain() == self.users[index].jid.domain()
                && self.users[other].is_in()
        };
        let near: Vec<usize> = (0..self.users.len()).filter(near).collect();
        let Some(&other) = self.rng.pick(&near) else { return };
        let (nick, id) = (self.nick(other), self.next_id());
        self.does(index, &format!("kicks {nick} ({id})"), act::role(&self.room, &id, &nick, "none"));
    }

    fn configure(&mut self) {
        let field = ["muc#roomconfig_moderatedroom", "muc#roomconfig_membersonly", "muc#roomconfig_changesubject"]
            [self.rng.below(3) as usize];
        let (value, id) = (if self.rng.percent(30) { "1" } else { "0" }, self.next_id());
        self.does(0, &format!("sets {field} to {value} ({id})"), act::configure(&self.room, &id, &[(field, value)]));
    }

    fn invite(&mut self, index: usize) {
        let other = self.rng.below(self.users.len() as u64) as usize;
        let (bare, id) = (self.users[other].jid.bare().to_string(), self.next_id());
        self.does(index, &format!("invites {bare} ({id})"), act::invite(&self.room, &id, &bare));
    }

    /// One of the last messages it has heard; only a moderator may.
    pub(super) fn retract(&mut self, index: usize) {
        let heard = self.users[index].last_heard(&self.world, LATELY);
        let Some(message) = self.rng.pick(&heard).cloned() else { return };
        let id = self.next_id();
        let stanza = act::retract(&self.room, &id, &message);
        self.does(index, &format!("has {message} taken back ({id})"), stanza);
    }

    fn ping_himself(&mut self, index: usize) {
        let (nick, id) = (self.nick(index), self.next_id());
        self.does(index, &format!("pings {nick} ({id})"), act::ping(&self.room, &nick, &id));
    }

    fn read_on(&mut self, index: usize) {
        let after = self.users[index].last_heard(&self.world, 1).pop();
        let id = self.next_id();
        let stanza = archive::page(&self.room, &id, &id, after.as_deref(), archive::PAGE_ROWS);
        self.does(index, &format!("reads on behind {after:?} ({id})"), stanza);
    }

    /// Nobody comes back before the owner, so that the room is his again.
    fn destroy(&mut self) {
        if !self.users[0].is_in() || self.rebuilding.is_some() {
            return;
        }
        self.banned.clear();
        let id = self.next_id();
        self.rebuilding = Some(id.clone());
        self.does(0, &format!("destroys the room ({id})"), act::destroy(&self.room, &id, "over"));
    }

    fn change_affiliation(&mut self) {
        let affiliation = ["outcast", "none", "member", "admin", "none"][self.rng.below(5) as usize];
        let index = self.rng.between(1, self.users.len() as u64 - 1) as usize;
        let bare = self.users[index].jid.bare().to_string();
        if bare == self.users[0].jid.bare_str() || !self.users[0].is_in() {
            return;
        }
        match affiliation {
            "outcast" => self.banned.insert(bare.clone()),
            _ => self.banned.remove(&bare),
        };
        let id = self.next_id();
        let stanza = act::affiliation(&self.room, &id, &bare, affiliation);
        self.does(0, &format!("makes {bare} {affiliation} ({id})"), stanza);
    }

    pub(super) fn does(&mut self, index: usize, what: &str, stanza: Element) {
        let who = self.users[index].jid.clone();
        self.tell(format!("{who} {what}"));
        self.users[index].send(&mut self.world, stanza);
    }

    pub(super) fn next_id(&mut self) -> String {
        self.said += 1;
        format!("m{}", self.said)
    }

    fn nick(&self, index: usize) -> String {
        let user = &self.users[index];
        user.view.me.clone().unwrap_or_else(|| user.nick.clone())
    }
}

/// In so many cases of a hundred it is somebody of a site that is cut off who does something, where there is one.
const ISLANDER_PERCENT: u64 = 60;
/// How many messages back people have some taken back.
const LATELY: usize = 10;
