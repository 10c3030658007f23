//! What users do.

use super::Scene;
use crate::users::act;
use xmpp::Element;

impl Scene {
    /// Somebody does something.
    pub(super) fn act(&mut self) {
        let index = self.rng.below(self.users.len() as u64) as usize;
        if !self.users[index].is_in() {
            return;
        }
        match self.rng.below(100) {
            0..50 => self.say(index),
            50..60 => self.show(index),
            60..65 => self.rename(index),
            65..70 => self.whisper(index),
            70..74 => self.subject(index),
            74..79 => self.leave(index),
            79..82 => self.hang_up(index),
            82..85 => self.forge(index),
            85..90 => self.change_role(index),
            90..94 => self.change_affiliation(),
            94..97 => self.come(),
            _ => self.burst(index),
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
