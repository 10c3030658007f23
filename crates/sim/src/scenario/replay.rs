//! A run that chance does not decide: a room, two sites with a replica and a user each, and what happens one after the other.
//!
//! The owner of the room, and somebody who comes later, are at a site without a replica.

use super::plan::{Plan, Site};
use super::{Outcome, ROOMS, Scene};
use crate::rng::Rng;
use crate::users::act;
use crate::world::Weather;

/// Something that happens; sites are 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The user of a site says something.
    Say(usize),
    /// He changes his presence.
    Show(usize),
    /// He leaves.
    Leave(usize),
    /// He enters.
    Join(usize),
    /// The owner kicks him.
    Kick(usize),
    /// Somebody enters from elsewhere, under his nick.
    Newcomer(usize),
    /// The streams between a site and the room break, and none can be made.
    Cut(usize),
    /// They can again.
    Heal(usize),
    /// The last stanza in flight to the room is lost, and nobody notices.
    LoseUp(usize),
    /// The last stanza in flight to the site is.
    LoseDown(usize),
    /// The rooms' server loses its power.
    CrashPrimary,
    /// A site does.
    Crash(usize),
    /// As much time passes as a stanza takes on a link.
    Hop,
    /// So much time passes that what is cut off is seen to be.
    Notice,
    /// So much that a seat of a split site is not kept any longer.
    Retire,
}

/// Plays what happens, heals everything, and looks at what must hold.
pub fn replay(acts: &[Act]) -> Outcome {
    let site =
        |domain: &str, replica, users| Site { domain: domain.to_owned(), replica, users, doubles: 0, admin: false };
    let plan = Plan {
        sites: vec![site(ELSEWHERE, false, 2), site(SITES[0], true, 1), site(SITES[1], true, 1)],
        steps: 0,
        fault_percent: 0,
        faults: Vec::new(),
        deeds: Vec::new(),
        slow_percent: 0,
        semi_anonymous: true,
        link_ms: (HOP_MS, HOP_MS),
        disk_ms: (1, 1),
        keepalive_seconds: 5,
        suspect_seconds: 2,
        retention_seconds: 3_600,
        members: false,
    };
    let mut scene = Scene::new(0, Rng::new(0), plan);
    scene.open();
    scene.users[NEWCOMER].wants_in = false;
    for user in USERS {
        scene.enter(user);
    }
    scene.world.pass_ms(NOTICE_MS);
    scene.hear();
    for act in acts {
        scene.play(*act);
        scene.hear();
        scene.keep_owner_in();
    }
    let archive = scene.heal();
    scene.look(archive)
}

impl Scene {
    fn play(&mut self, act: Act) {
        match act {
            Act::Say(site) if self.users[USERS[site]].is_in() => self.say(USERS[site]),
            Act::Show(site) if self.users[USERS[site]].is_in() => self.show(USERS[site]),
            Act::Leave(site) if self.users[USERS[site]].is_in() => self.leave(USERS[site]),
            Act::Join(site) if !self.users[USERS[site]].is_in() => self.enter(USERS[site]),
            Act::Say(_) | Act::Show(_) | Act::Leave(_) | Act::Join(_) => {}
            Act::Kick(site) => self.kick(site),
            Act::Newcomer(nick) => {
                self.users[NEWCOMER].nick = self.users[USERS[nick]].nick.clone();
                self.enter(NEWCOMER);
            }
            Act::Hop => self.world.pass_ms(HOP_MS),
            Act::Notice => self.world.pass_ms(NOTICE_MS),
            Act::Retire => self.world.pass_ms(RETIRE_MS),
            _ => self.befall(act),
        }
    }

    fn befall(&mut self, act: Act) {
        self.faults += 1;
        self.tell(format!("FAULT {act:?}"));
        match act {
            Act::Cut(site) => {
                self.world.cut(SITES[site], ROOMS, Weather::Refused);
                self.disturb(SITES[site], FOREVER_MS);
            }
            Act::Heal(site) => self.world.mend(SITES[site], ROOMS),
            Act::LoseUp(site) => self.lose_last(SITES[site], ROOMS),
            Act::LoseDown(site) => self.lose_last(ROOMS, SITES[site]),
            Act::CrashPrimary => {
                self.lose_power(ROOMS);
                // What the room had sent directly may be lost with it.
                self.disturb(ELSEWHERE, 0);
            }
            Act::Crash(site) => self.lose_power(SITES[site]),
            _ => {}
        }
    }

    fn kick(&mut self, site: usize) {
        let user = &self.users[USERS[site]];
        let nick = user.view.me.clone().unwrap_or_else(|| user.nick.clone());
        let id = self.next_id();
        self.does(OWNER, &format!("kicks {nick} ({id})"), act::role(&self.room.clone(), &id, &nick, "none"));
    }

    fn lose_last(&mut self, from: &str, to: &str) {
        let (in_flight, _) = self.world.in_flight(from, to);
        self.world.lose_tail(from, to, in_flight.saturating_sub(1));
    }

    fn lose_power(&mut self, domain: &str) {
        if let Some(server) = self.world.server_of(domain).filter(|&server| self.world.is_up(server)) {
            self.world.crash(server, 0, HOP_MS);
            self.crashed.push((domain.to_owned(), self.world.now().mono_ms));
            self.disturb(domain, 0);
        }
    }

    /// Whom a restart of the room has cost his seat comes back, as any client does.
    fn keep_owner_in(&mut self) {
        let owner = &self.users[OWNER];
        if !owner.is_in() && owner.asked_ms.is_none() {
            self.enter(OWNER);
        }
    }
}

const OWNER: usize = 0;
const NEWCOMER: usize = 1;
/// The users of the two sites.
const USERS: [usize; 2] = [2, 3];
const SITES: [&str; 2] = ["killrc.oulubox.irc", "eris.dclxvii.irc"];
const ELSEWHERE: &str = "undernet.example";
/// How long a stanza is on a link.
const HOP_MS: u64 = 10;
/// Longer than two pings and the doubt that follows.
const NOTICE_MS: u64 = 30_000;
/// Longer than the seats of a split site are kept here.
const RETIRE_MS: u64 = 4_000_000;
/// Longer than any run.
const FOREVER_MS: u64 = 1_000_000_000;
