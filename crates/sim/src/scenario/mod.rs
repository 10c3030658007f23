//! A run: a room on several sites, users who live in it, everything going wrong; then all faults are lifted, and what must
//! hold is looked at.
//!
//! - [`plan`][]: what chance decides beforehand, so that seeds differ in kind and not in detail alone
//! - [`acts`][]: what users do
//! - [`faults`][]: what befalls servers and links
//! - `mischief`: mirrors that go wrong and sites that lie
//! - [`shorten`][]: the least of a run that still shows what should not have been
//! - [`replay`][]: what happens given beforehand
//! - `heal`: the end

pub mod acts;
pub mod faults;
mod heal;
mod mischief;
pub mod plan;
pub mod replay;
pub mod shorten;

use crate::checks::Safety;
use crate::rng::Rng;
use crate::users::view::News;
use crate::users::{User, act};
use crate::world::{ServerConfig, Sprung, Tape, World};
use faults::Fault;
use plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use xmpp::Jid;

/// A run that is over.
#[derive(Debug)]
pub struct Outcome {
    /// What it was made of.
    pub seed: u64,
    /// The room.
    pub room: Jid,
    /// What happened, and when.
    pub story: Vec<(u64, String)>,
    /// What should not have been.
    pub violations: Vec<String>,
    /// How much there was to look at.
    pub counts: Counts,
    /// How many steps it had before all was healed.
    pub steps: u64,
    /// How often each fault was there.
    pub befell: BTreeMap<Fault, u64>,
    /// All that was seen.
    pub tape: Tape,
}

/// How much a run had to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages in the archive.
    pub messages: usize,
    /// Stanzas put on links.
    pub crossings: usize,
    /// Entries by users.
    pub stays: usize,
    /// Faults.
    pub faults: usize,
}

impl Counts {
    /// What another run had to look at as well.
    pub fn add(&mut self, other: Counts) {
        self.messages += other.messages;
        self.crossings += other.crossings;
        self.stays += other.stays;
        self.faults += other.faults;
    }
}

/// Runs a seed.
pub fn run(seed: u64) -> Outcome {
    run_without(seed, &BTreeSet::new())
}

/// Runs a seed without what is done, or goes wrong, in these of its steps; time passes in them nevertheless.
pub fn run_without(seed: u64, left_out: &BTreeSet<u64>) -> Outcome {
    let mut rng = Rng::new(seed);
    let plan = Plan::new(seed, &mut rng);
    let mut scene = Scene::new(seed, rng, plan);
    // An engine that gives up shows what led there, like anything else that should not have been.
    let archive = catch_unwind(AssertUnwindSafe(|| {
        scene.open();
        for step in 0..scene.plan.steps {
            // Each step has chance of its own, so that the others stay what they are without it.
            scene.rng = Rng::part(seed, step);
            scene.step(step, left_out.contains(&step));
            if scene.is_unsafe() {
                return None;
            }
        }
        Some(scene.heal())
    }));
    match archive {
        Ok(Some(archive)) => scene.look(archive),
        Ok(None) => scene.outcome(),
        Err(panic) => scene.broken_off(panic.as_ref()),
    }
}

/// A run under way.
struct Scene {
    seed: u64,
    rng: Rng,
    plan: Plan,
    world: World,
    room: Jid,
    users: Vec<User>,
    story: Vec<(u64, String)>,
    faults: usize,
    /// How often each fault was there.
    befell: BTreeMap<Fault, u64>,
    /// How many things have been said and asked.
    said: u64,
    banned: BTreeSet<String>,
    /// The owner means to make the room anew: the id of the request that destroys it.
    rebuilding: Option<String>,
    /// When streams that may serve clients directly were disturbed.
    disturbed: Vec<(String, u64, u64)>,
    /// Which servers have lost their power.
    crashed: Vec<(String, u64)>,
    /// When all had had their time to heal and nobody had said anything more.
    healed_ms: u64,
    /// What must hold at any moment.
    safety: Safety,
    /// What should not have been, as it was seen on the way.
    violations: Vec<String>,
}

impl Scene {
    fn new(seed: u64, rng: Rng, plan: Plan) -> Scene {
        let mut world = World::new(seed, THEN_MS);
        world.link_ms = plan.link_ms;
        world.disk_ms = plan.disk_ms;
        let patience = |config: ServerConfig| ServerConfig {
            keepalive_seconds: plan.keepalive_seconds,
            suspect_seconds: plan.suspect_seconds,
            retention_seconds: plan.retention_seconds,
            members: plan.members,
            ..config
        };
        world.add(patience(ServerConfig::rooms(ROOMS)));
        let room = Jid::new(&format!("wallops@{ROOMS}")).expect("the scenario's addresses are valid");
        let mut users = Vec::new();
        for site in &plan.sites {
            let names: Vec<String> = (0..site.users).map(|n| format!("user{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            world.add(patience(match site.replica {
                true => ServerConfig::site(&site.domain, &names),
                false => ServerConfig::plain_site(&site.domain, &names),
            }));
            for (n, name) in names.iter().enumerate() {
                let nick = format!("{}{n}", site.domain.split('.').next().unwrap_or_default());
                users.push(User::new(&format!("{name}@{}/one", site.domain), &room, &nick));
                if n < site.doubles {
                    users.push(User::new(&format!("{name}@{}/two", site.domain), &room, &nick));
                }
            }
        }
        let (said, faults, rebuilding) = (0, 0, None);
        let (story, banned, disturbed, befell) = (Vec::new(), BTreeSet::new(), Vec::new(), BTreeMap::new());
        let (safety, violations) = (Safety::of(&room, plan.semi_anonymous), Vec::new());
        Scene {
            seed,
            rng,
            plan,
            world,
            room,
            users,
            story,
            faults,
            befell,
            said,
            banned,
            rebuilding,
            disturbed,
            crashed: Vec::new(),
            healed_ms: 0,
            safety,
            violations,
        }
    }

    /// The first user creates the room; the others want to be in.
    fn open(&mut self) {
        self.users[0].enter(&mut self.world);
        self.world.quiet();
        self.make_room(0);
        self.world.quiet();
        self.users.iter_mut().for_each(|user| user.wants_in = true);
        self.hear();
        self.tell(format!("{:?}", self.plan));
    }

    /// Somebody who has come into a room that was not there makes of it what it is to be, and the owner its owner.
    fn make_room(&mut self, index: usize) {
        let whois = if self.plan.semi_anonymous { "moderators" } else { "anyone" };
        let fields = [("muc#roomconfig_persistentroom", "1"), ("muc#roomconfig_whois", whois)];
        self.users[index].send(&mut self.world, act::configure(&self.room, OPEN, &fields));
        let admins = self.plan.sites.iter().filter(|site| site.admin).map(|site| format!("user0@{}", site.domain));
        let admins: Vec<(String, &str)> = admins.map(|bare| (bare, "admin")).collect();
        let owner = self.users[0].jid.bare().to_string();
        let listed = admins.into_iter().filter(|(bare, _)| *bare != owner).chain([(owner.clone(), "owner")]);
        for (bare, affiliation) in listed.filter(|(bare, _)| *bare != self.users[index].jid.bare_str()) {
            let id = format!("{affiliation}-{bare}");
            self.users[index].send(&mut self.world, act::affiliation(&self.room, &id, &bare, affiliation));
        }
    }

    fn step(&mut self, step: u64, idle: bool) {
        let pause = match self.rng.below(100) {
            chance if chance < self.plan.slow_percent => self.rng.between(10_000, 90_000),
            0..70 => self.rng.below(30),
            _ => self.rng.between(100, 3_000),
        };
        match self.rng.percent(self.plan.fault_percent) {
            _ if idle => {}
            true => self.fault(),
            false => self.act(),
        }
        if !idle {
            self.mischief(step);
        }
        self.world.pass_ms(pause);
        self.hear();
        self.react();
    }

    /// Whether something has happened that never may; what comes after it tells nothing more.
    fn is_unsafe(&mut self) -> bool {
        self.violations.extend(self.safety.look(&self.world.tape));
        !self.violations.is_empty()
    }

    /// All users take in what has come.
    fn hear(&mut self) {
        for Sprung { at_ms, trap } in self.world.take_sprung() {
            self.sprung(at_ms, &trap);
        }
        for index in 0..self.users.len() {
            for news in self.users[index].hear(&self.world) {
                let who = self.users[index].jid.clone();
                self.tell(format!("{who}: {news:?}"));
                if let Some(me) = self.users[index].view.me.clone() {
                    self.users[index].nick = me;
                }
                match news {
                    News::Entered if self.users[index].view.made => self.make_room(index),
                    News::Answered(id, true) if id == OPEN => {
                        (self.users[index].view.made, self.rebuilding) = (false, None);
                    }
                    // The room is still there.
                    News::Answered(id, false) => drop(self.rebuilding.take_if(|request| *request == id)),
                    _ => {}
                }
            }
        }
    }

    /// What any client does by itself: who means to be in and is not comes back, and asks for what he may have missed.
    fn react(&mut self) {
        self.users[0].wants_in |= self.rebuilding.is_some();
        for index in 0..self.users.len() {
            if self.users[index].view.made && self.rng.percent(20) {
                self.make_room(index);
            }
            let user = &self.users[index];
            let late = user.asked_ms.is_some_and(|asked| asked + ASK_AGAIN_MS <= self.world.now().mono_ms);
            let may = index == 0 || self.rebuilding.is_none();
            if may && user.wants_in && !user.is_in() && (user.asked_ms.is_none() || late) && self.rng.percent(30) {
                self.enter(index);
            }
            let anyway = self.rng.percent(1);
            if anyway || self.users[index].record.waits_since_ms().is_some() || self.rng.percent(10) {
                self.users[index].page(&mut self.world, anyway);
            }
        }
    }

    /// Who is in the room as far as he knows, as a place among the users.
    fn those_in(&self) -> Vec<usize> {
        (0..self.users.len()).filter(|&user| self.users[user].is_in()).collect()
    }

    /// The same of one site.
    fn those_in_at(&self, site: &str) -> Vec<usize> {
        self.those_in().into_iter().filter(|&user| self.users[user].jid.domain() == site).collect()
    }

    fn enter(&mut self, index: usize) {
        self.users[index].enter(&mut self.world);
        let (who, nick) = (self.users[index].jid.clone(), self.users[index].nick.clone());
        self.tell(format!("{who} enters as {nick}"));
    }

    fn tell(&mut self, line: String) {
        self.story.push((self.world.now().mono_ms, line));
    }
}

/// The service of all scenarios.
const ROOMS: &str = "channel.avalon.irc";
/// 1990-10-13T23:58:37Z
const THEN_MS: i64 = 655_862_317_000;
/// How long a client waits for the answer to a join before it asks again.
const ASK_AGAIN_MS: u64 = 90_000;
/// The id by which a room is opened.
const OPEN: &str = "open";
