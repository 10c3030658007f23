//! The end of a run: all faults are lifted, time passes, everybody who means to be in is, each says a last word. Then what
//! must hold is looked at.

use super::{Counts, Outcome, Scene};
use crate::checks::{Evidence, WorkedOut};
use crate::users::stays::stays;
use crate::users::{User, act, archive};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

impl Scene {
    /// Lifts all faults, waits, and reads the room's archive.
    pub(super) fn heal(&mut self) -> Result<Vec<archive::Archived>, String> {
        self.tell("HEAL all faults are lifted".to_owned());
        self.world.calm();
        self.world.pass_ms(HEALING_MS);
        self.hear();
        self.healed_ms = self.world.now().mono_ms;
        self.open_again();
        self.come_back();
        self.settle_bans();
        self.last_words();
        self.page_to_the_end();
        self.ask_whether_in();
        let archive = archive::read(&self.users[0], &mut self.world);
        self.hear();
        archive
    }

    /// A run that an engine has broken off by giving up: why is all there is to be looked at.
    pub(super) fn broken_off(self, panic: &dyn Any) -> Outcome {
        let why = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let mut outcome = self.outcome();
        outcome.violations.push(format!("an engine gives up: {}", why.unwrap_or("without a reason")));
        outcome
    }

    /// Islands wait for a room that is gone with the disk it was on (`docs/wire.md`, *Set back*). Those at the owner's site do not: they
    /// leave, and he makes it anew.
    fn leave_what_is_gone(&mut self) {
        let site = self.users[0].jid.domain().to_owned();
        self.those_in_at(&site).into_iter().for_each(|user| self.leave(user));
        self.world.pass_ms(LEFT_MS);
        self.hear();
    }

    /// The owner is in, and the room lets everybody in whom he has not banned.
    fn open_again(&mut self) {
        if self.has_no_copy() {
            self.leave_what_is_gone();
        }
        self.users[0].wants_in = true;
        self.come_back_once(0);
        self.world.pass_ms(ROUND_MS);
        self.hear();
        self.rebuilding = None;
        for index in 0..self.users.len() {
            if self.users[index].view.made {
                self.make_room(index);
            }
        }
        self.world.pass_ms(ROUND_MS);
        self.hear();
        let id = self.next_id();
        self.does(0, &format!("opens the room to all ({id})"), act::configure(&self.room, &id, &OPEN));
        self.world.pass_ms(ROUND_MS);
        self.hear();
    }

    /// Whoever means to be in and is not asks, once more where it was not answered.
    fn come_back_once(&mut self, index: usize) {
        let user = &self.users[index];
        let unanswered = user.asked_ms.is_some();
        if user.wants_in
            && !user.is_in()
            && (!unanswered || self.world.is_online(user.jid.as_str()) && self.is_late(index))
        {
            self.enter(index);
        }
    }

    /// Everybody who means to be in comes back; who was served directly over streams that were disturbed starts anew.
    fn come_back(&mut self) {
        let mut anew = BTreeSet::new();
        // Again for who learns that he is in only by what the others do, since the answer to his join was lost.
        while let Some(index) = (0..self.users.len()).find(|index| !anew.contains(index) && self.is_cut_short(*index)) {
            anew.insert(index);
            // Who has been taken out in the meantime is not answered.
            self.users[index].leave(&mut self.world);
            self.world.quiet();
            self.hear();
            self.users[index].start_anew();
        }
        for _ in 0..ROUNDS {
            (0..self.users.len()).for_each(|index| self.come_back_once(index));
            self.world.pass_ms(ROUND_MS);
            self.hear();
        }
    }

    /// Whether a client is in and was served directly over streams that were disturbed.
    fn is_cut_short(&self, index: usize) -> bool {
        let user = &self.users[index];
        user.is_in() && self.disturbed.iter().any(|(site, ..)| site == user.jid.domain()) && self.is_direct(index)
    }

    fn is_late(&self, index: usize) -> bool {
        self.users[index].asked_ms.is_some_and(|asked| asked + super::ASK_AGAIN_MS <= self.world.now().mono_ms)
    }

    /// Whether the client was last let in by the room itself.
    fn is_direct(&self, index: usize) -> bool {
        let full = self.users[index].jid.as_str();
        let own = |stanza: &xmpp::Element| {
            stanza.name() == "presence" && stanza.get("type").is_none() && crate::users::view::has_status(stanza, "110")
        };
        let entries = self.world.tape.crossings.iter().rev().filter(|c| c.from == super::ROOMS);
        let mut last = entries.filter(|c| {
            let enter = c.stanza.get_child("x", xmpp::ns::DMUC).and_then(|x| x.get_child("enter", xmpp::ns::DMUC));
            enter.is_some_and(|e| e.get("jid") == Some(full)) || (c.stanza.get("to") == Some(full) && own(&c.stanza))
        });
        last.next().is_some_and(|c| c.stanza.get("to") == Some(full))
    }

    /// The owner says once more who is banned and who is not: earlier words may have been lost.
    fn settle_bans(&mut self) {
        let owner = self.users[0].jid.bare();
        let all: Vec<String> = self.users.iter().map(|user| user.jid.bare().to_string()).collect();
        for bare in all.into_iter().filter(|bare| bare != owner.as_str()) {
            if self.banned.contains(&bare) {
                let id = self.next_id();
                let stanza = act::affiliation(&self.room, &id, &bare, "outcast");
                self.does(0, &format!("makes {bare} outcast ({id})"), stanza);
            }
        }
        self.world.pass_ms(ROUND_MS);
        self.hear();
    }

    fn last_words(&mut self) {
        for index in 0..self.users.len() {
            if self.users[index].is_in() {
                self.say(index);
            }
        }
        self.world.pass_ms(ROUND_MS);
        self.hear();
    }

    /// Who believes to be in asks whether he is.
    fn ask_whether_in(&mut self) {
        for index in 0..self.users.len() {
            if let Some(me) = self.users[index].view.me.clone() {
                let id = self.next_id();
                let ping = act::ping(&self.room, &me, &id);
                self.users[index].send(&mut self.world, ping);
            }
        }
        self.world.pass_ms(ROUND_MS);
        self.hear();
    }

    /// Who is in asks for all he may lack, until he is told that he has it.
    fn page_to_the_end(&mut self) {
        for index in 0..self.users.len() {
            self.users[index].page(&mut self.world, true);
        }
        for _ in 0..PAGES_MAX {
            self.world.quiet();
            self.hear();
            let lacks = |user: &&mut User| user.is_in() && user.record.is_in() && !user.record.is_whole();
            let mut lacking: Vec<&mut User> = self.users.iter_mut().filter(lacks).collect();
            if lacking.is_empty() {
                return;
            }
            lacking.iter_mut().for_each(|user| user.page(&mut self.world, false));
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        Outcome {
            seed: self.seed,
            room: self.room,
            story: self.story,
            violations: self.violations,
            steps: self.plan.steps,
            befell: self.befell,
            counts: Counts { crossings: self.world.tape.crossings.len(), faults: self.faults, ..Counts::default() },
            tape: self.world.tape,
        }
    }

    /// Looks at what must hold.
    pub(super) fn look(mut self, archive: Result<Vec<archive::Archived>, String>) -> Outcome {
        let archive = match archive {
            Ok(archive) => archive,
            Err(error) => {
                let who = self.users[0].jid.clone();
                let mut outcome = self.outcome();
                outcome.violations.push(format!("the archive cannot be read by {who}: {error}"));
                return outcome;
            }
        };
        if self.is_unsafe() {
            return self.outcome();
        }
        let stays = stays(&self.world.tape, &self.room);
        let views: BTreeMap<_, _> = self.users.iter().map(|u| (u.jid.to_string(), u.view.clone())).collect();
        let records: BTreeMap<_, _> = self.users.iter().map(|u| (u.jid.to_string(), u.record.clone())).collect();
        let evidence = Evidence {
            room: &self.room,
            tape: &self.world.tape,
            archive: &archive,
            stays: &stays,
            views: &views,
            records: &records,
            semi_anonymous: self.plan.semi_anonymous,
            void: &self.safety.void(),
            banned: &self.safety.banned(),
            disturbed: &self.disturbed,
            crashed: &self.crashed,
            retention_ms: self.plan.retention_seconds * 1_000,
            healed_ms: self.healed_ms,
            worked_out: WorkedOut::default(),
        };
        let violations = evidence.violations();
        let counts = (archive.len(), stays.len());
        let mut outcome = self.outcome();
        (outcome.counts.messages, outcome.counts.stays) = counts;
        outcome.violations.extend(violations);
        outcome
    }
}

/// How long everything has to heal: longer than any pause between retries, any retention of a suspect link, any restart.
const HEALING_MS: u64 = 600_000;
/// What deeds may have made of a room, as it was.
const OPEN: [(&str, &str); 2] = [("muc#roomconfig_membersonly", "0"), ("muc#roomconfig_moderatedroom", "0")];
/// How often those who are out try to come back.
const ROUNDS: usize = 8;
/// More pages than any run fills.
const PAGES_MAX: usize = 400;
/// How long until a site that is left asks once more for a room that is gone, and is answered: who comes sooner is on the island again.
const LEFT_MS: u64 = 120_000;
/// How long each time.
const ROUND_MS: u64 = 60_000;
