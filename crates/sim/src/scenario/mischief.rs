//! What befalls few runs: a site's mirror goes wrong, a site lies, nicknames are taken from those who are cut off for long, they read what
//! was taken back, or speak and go before their site loses its power; the rooms' server loses its own while it writes what was said, or its
//! disk.
//!
//! Chance of its own decides it, so that all other runs stay what they are.

use super::faults::CRASH_MS;
use super::{ROOMS, Scene};
use crate::rng::Rng;
use crate::users::{act, archive};
use crate::world::Weather;
use xmpp::{Element, ns};

impl Scene {
    /// Perhaps something of it, in a step.
    pub(super) fn mischief(&mut self, step: u64) {
        if self.seed % SET_BACK_EVERY == SET_BACK {
            self.set_rooms_back(&mut Rng::part(self.seed, SETS_BACK + step));
        }
        let mut chance = Rng::part(self.seed, MISCHIEF + step);
        if !chance.percent(MISCHIEF_PERCENT) {
            return;
        }
        let sites: Vec<String> = self.plan.sites.iter().filter(|s| s.replica).map(|s| s.domain.clone()).collect();
        let Some(site) = chance.pick(&sites).cloned() else { return };
        match self.seed % EVERY {
            ALTERS => {
                self.world.alter_next(ROOMS, &site);
                self.tell(format!("FAULT the next presence that {site} is told of loses what it shows"));
            }
            LIES => self.lie(&site, &mut chance),
            TAKES => self.take_nick(&site, &mut chance),
            READS => self.take_back_or_read(&site, &mut chance),
            TEARS => self.tear_write(&site, &mut chance),
            GOES => self.speak_and_go(&site, &mut chance),
            STAYS_AWAY => self.lose_people(&site, &mut chance),
            _ => {}
        }
    }

    /// Perhaps a copy of the disk of the rooms' server is put aside, or is all there is after it has lost its disk. There is none of
    /// a time without the room, or when its owner had not opened it yet.
    fn set_rooms_back(&mut self, chance: &mut Rng) {
        let Some(rooms) = self.world.server_of(ROOMS).filter(|_| chance.percent(SET_BACK_PERCENT)) else { return };
        if self.has_no_copy() {
            // Seldom, so that something is said in the next.
            return if self.rebuilding.is_none() && chance.percent(NO_COPY_PERCENT) {
                self.set_back(ROOMS, 0, chance)
            };
        }
        let is_open = self.users[0].is_in() && !self.users.iter().any(|user| user.view.made);
        match self.world.is_backed_up(rooms) {
            _ if self.rebuilding.is_some() => {}
            false if is_open => self.set_back(ROOMS, 100, chance),
            false => {}
            true => {
                if chance.percent(40) && is_open {
                    return self.set_back(ROOMS, 100, chance);
                }
                if chance.percent(50) {
                    self.tell_all_but_the_author(chance);
                }
                if chance.percent(50) {
                    return self.get_past(chance);
                }
                self.set_back(ROOMS, 0, chance);
            }
        }
    }

    /// Whether this is one of the runs in which no copy is made of the disk of the rooms' server: it comes back with an empty one.
    pub(super) fn has_no_copy(&self) -> bool {
        self.seed % SET_BACK_EVERY == SET_BACK && self.seed / SET_BACK_EVERY % NO_COPY_EVERY == NO_COPY
    }

    /// Somebody says something, and all are told but his own site: that goes on holding it.
    fn tell_all_but_the_author(&mut self, chance: &mut Rng) {
        let sites: Vec<&str> = self.plan.sites.iter().filter(|s| s.replica).map(|s| &*s.domain).collect();
        let mut there = self.those_in();
        there.retain(|user| sites.contains(&self.users[*user].jid.domain()));
        let Some(&speaker) = chance.pick(&there) else { return };
        let site = self.users[speaker].jid.domain().to_owned();
        self.say(speaker);
        let (id, before) = (format!("m{}", self.said), self.world.tape.crossings.len());
        for _ in 0..SAID_MS {
            self.world.pass_ms(1);
            let mut since = self.world.tape.crossings[before..].iter();
            if since.any(|crossing| crossing.from == ROOMS && crossing.stanza.get("id") == Some(&id)) {
                self.world.lose_tail(ROOMS, &site, 0);
                self.disturb(&site, 0);
                return self.world.pass_ms(self.plan.link_ms.1);
            }
        }
    }

    /// The copy is all there is while a site is cut off, and somebody elsewhere says so much meanwhile that the room gets past the place
    /// that the site had in it.
    fn get_past(&mut self, chance: &mut Rng) {
        let there = self.those_in();
        let Some(&speaker) = chance.pick(&there) else { return };
        let domain = |user: usize| self.users[user].jid.domain().to_owned();
        let elsewhere: Vec<String> = there.iter().map(|&user| domain(user)).filter(|d| *d != domain(speaker)).collect();
        let Some(site) = chance.pick(&elsewhere).cloned() else { return };
        let ms = CRASH_MS + 1_000 * self.patience_seconds();
        self.world.storm(&site, ROOMS, Weather::Refused, ms);
        self.tell(format!("FAULT between {site} and {ROOMS}: nothing for {ms}, while the room is set back"));
        self.disturb(&site, ms);
        self.set_back(ROOMS, 0, chance);
        self.world.pass_ms(CRASH_MS);
        self.hear();
        for _ in 0..chance.between(5, 25) {
            self.say(speaker);
        }
        self.world.pass_ms(1_000 * self.patience_seconds());
        self.hear();
    }

    /// For how long a link may seem to be whole that is not.
    fn patience_seconds(&self) -> u64 {
        2 * self.plan.keepalive_seconds + SUSPECT_TIMES * self.plan.suspect_seconds
    }

    /// A site loses its power, and some of those who were there stay away.
    fn lose_people(&mut self, site: &str, chance: &mut Rng) {
        self.crash_for(site, REST_MS, chance);
        for user in self.users[1..].iter_mut().filter(|user| user.jid.domain() == site) {
            user.wants_in &= chance.percent(50);
        }
    }

    /// A site is cut off until its seats are given up, and somebody elsewhere takes the nickname of somebody there. The site is back before
    /// the room has forgotten whose it was.
    fn take_nick(&mut self, site: &str, chance: &mut Rng) {
        let Some((weather, taker, nick)) = self.cut_until_given_up(site, chance) else { return };
        let stanza = act::presence(&self.room, &nick, None, None).attr("id", self.next_id());
        self.does(taker, &format!("wants to be {nick}"), stanza);
        self.cut_on(site, weather, chance);
    }

    /// A site is cut off until its seats are given up. Somebody there says something, and all there go; then it loses its power, and is
    /// back before the room has forgotten whose the words are.
    fn speak_and_go(&mut self, site: &str, chance: &mut Rng) {
        let Some((weather, ..)) = self.cut_until_given_up(site, chance) else { return };
        let there = self.those_in_at(site);
        let Some(&speaker) = chance.pick(&there) else { return };
        self.say(speaker);
        self.world.pass_ms(SAID_MS);
        there.into_iter().for_each(|user| self.leave(user));
        self.world.pass_ms(SAID_MS);
        self.hear();
        self.crash_for(site, REST_MS / 2, chance);
        self.cut_on(site, weather, chance);
    }

    /// Somebody at a site says something, and the rooms' server loses its power while it is being written.
    fn tear_write(&mut self, site: &str, chance: &mut Rng) {
        let there = self.those_in_at(site);
        let (Some(&speaker), Some(rooms)) = (chance.pick(&there), self.world.server_of(ROOMS)) else { return };
        self.say(speaker);
        for _ in 0..SAID_MS {
            self.world.pass_ms(1);
            if self.world.unsynced(rooms) > 0 {
                return self.crash_for(ROOMS, REST_MS, chance);
            }
        }
    }

    /// A site is cut off until its seats are given up; gives how, and somebody elsewhere who has seen it, of whom.
    fn cut_until_given_up(&mut self, site: &str, chance: &mut Rng) -> Option<(Weather, usize, String)> {
        let is_there = |user: &usize| self.users[*user].jid.domain() == site;
        let (there, elsewhere): (Vec<usize>, Vec<usize>) = self.those_in().into_iter().partition(is_there);
        let (&holder, &onlooker) = (chance.pick(&there)?, chance.pick(&elsewhere)?);
        let nick = self.users[holder].view.me.clone()?;
        let weather = if chance.percent(50) { Weather::Refused } else { Weather::Silent };
        let ms = (self.patience_seconds() + self.plan.retention_seconds) * 1_000;
        self.world.storm(site, ROOMS, weather, ms);
        self.tell(format!("FAULT between {site} and {ROOMS}: {weather:?} for {ms}, until its seats are given up"));
        self.disturb(site, ms);
        for _ in 0..ms / LOOK_MS {
            self.world.pass_ms(LOOK_MS);
            self.hear();
            if !self.users[onlooker].view.seats.contains_key(&nick) {
                break;
            }
        }
        Some((weather, onlooker, nick))
    }

    /// A site is cut off for a little longer.
    fn cut_on(&mut self, site: &str, weather: Weather, chance: &mut Rng) {
        let rest_ms = chance.between(1_000, REST_MS);
        self.world.storm(site, ROOMS, weather, rest_ms);
        self.tell(format!("FAULT between {site} and {ROOMS}: {weather:?} for {rest_ms} more"));
    }

    /// The owner has something taken back; somebody at a site that is cut off reads what was said a while ago.
    fn take_back_or_read(&mut self, site: &str, chance: &mut Rng) {
        if chance.percent(50) {
            return self.retract(0);
        }
        if !self.world.is_cut(site, ROOMS) {
            let ms = chance.between(60_000, 200_000);
            self.world.storm(site, ROOMS, Weather::Refused, ms);
            self.tell(format!("FAULT between {site} and {ROOMS}: nothing for {ms}"));
            return self.disturb(site, ms);
        }
        let there = self.those_in_at(site);
        let Some(&reader) = chance.pick(&there) else { return };
        let after = self.users[reader].last_heard(&self.world, LONG_AGO).first().cloned();
        let id = self.next_id();
        let stanza = archive::page(&self.room, &id, &id, after.as_deref(), archive::PAGE_ROWS);
        self.does(reader, &format!("reads on behind {after:?} ({id})"), stanza);
    }

    /// A site says something of its user's under the next mark of another's outbox, whose name it has come to know.
    fn lie(&mut self, victim: &str, chance: &mut Rng) {
        let liars: Vec<usize> = (0..self.users.len()).filter(|&u| self.users[u].jid.domain() != victim).collect();
        let ups = self.world.tape.crossings.iter().rev().filter(|c| c.from == victim && c.to == ROOMS);
        // What it has lied about itself is not its own.
        let own = ups.filter(|c| !act::is_composing(&c.stanza));
        let up = own.filter_map(|c| c.stanza.get_child("x", ns::DMUC)?.get_child("up", ns::NETJOIN)).next();
        let (Some(up), Some(&liar)) = (up, chance.pick(&liars)) else { return };
        let Some(n) = up.get("n").and_then(|n| n.parse::<u64>().ok()) else { return };
        let mark = Element::new("up", ns::NETJOIN)
            .attr_opt("outbox", up.get("outbox"))
            .attr_opt("epoch", up.get("epoch"))
            .attr("n", (n + 1).to_string());
        let from = self.users[liar].jid.clone();
        self.tell(format!("FAULT {} speaks under a mark of {victim}", from.domain()));
        self.world.put_on_link(
            &from,
            &self.room,
            act::composing(&self.room).child(Element::new("x", ns::DMUC).child(mark)),
        );
    }
}

/// So many seeds are of each kind that there is.
pub(super) const EVERY: u64 = 16;
/// In which of them a mirror goes wrong,
const ALTERS: u64 = 3;
/// a site lies,
const LIES: u64 = 11;
/// much is taken back, and people on islands read it,
const READS: u64 = 7;
/// somebody is after the nicknames of those who are cut off,
const TAKES: u64 = 8;
/// what is written is torn,
const TEARS: u64 = 5;
/// people speak and go while they are cut off,
const GOES: u64 = 13;
/// and stay away from a site that has lost its power.
const STAYS_AWAY: u64 = 1;
/// In which of them links are cut until seats are given up, which is soon.
pub(super) const GIVEN_UP: [u64; 2] = [TAKES, GOES];
/// In every so many seeds the rooms' server loses its disk,
const SET_BACK_EVERY: u64 = 40;
/// in this one of them,
const SET_BACK: u64 = 20;
/// where of every so many
const NO_COPY_EVERY: u64 = 5;
/// this one has no copy of it,
const NO_COPY: u64 = 3;
/// and in so many of a hundred steps a copy of the disk is made, or lost.
const SET_BACK_PERCENT: u64 = 8;
/// In how many of these an empty one comes back.
const NO_COPY_PERCENT: u64 = 30;
/// How often it is looked whether seats are given up.
const LOOK_MS: u64 = 5_000;
/// How much longer than it is set a link may be suspect, after other splits.
const SUSPECT_TIMES: u64 = 8;
/// For how long a site is cut off at the most once they are; who has lost his is remembered for longer.
const REST_MS: u64 = 30_000;
/// How long what somebody says may take to be on a disk.
const SAID_MS: u64 = 500;
/// How many messages back people read.
const LONG_AGO: usize = 20;
/// In so many steps of a hundred.
const MISCHIEF_PERCENT: u64 = 6;
/// Behind all parts of a run that have chance of their own.
const MISCHIEF: u64 = 1 << 32;
/// And behind those.
const SETS_BACK: u64 = 1 << 33;
