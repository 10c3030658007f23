//! What befalls servers and links.

use super::{ROOMS, Scene};
use crate::rng::Rng;
use crate::world::{Spring, Trap, Weather};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A stream breaks: what is in flight is lost, both servers notice.
    StreamBreaks,
    /// Only the sender's server notices.
    StreamBreaksUnseen,
    /// The last stanzas on a stream are lost, and nobody notices.
    TailLost,
    /// For a while no stream can be made.
    Refused,
    /// For a while all is lost without a word.
    Silent,
    /// Either, for longer than a link is waited for.
    Split,
    /// One of the two hears, and is not heard; perhaps for long.
    HalfBroken,
    /// All takes its time for a while.
    Slow,
    /// The clock of a server goes wrong by hours.
    ClockWrong,
    /// A site loses its power.
    SiteCrashes,
    /// The rooms' server loses its power.
    PrimaryCrashes,
    /// The disk of a site is full.
    SiteDiskFull,
    /// The disk of the rooms' server is full.
    PrimaryDiskFull,
    /// A site is cut off for long, and again in the middle of the join.
    JoinCut,
    /// In the middle of a join one of the two hears, and is not heard.
    JoinHalfBroken,
    /// In the middle of a join the last stanzas on a stream are lost, and nobody notices.
    JoinTailLost,
    /// In the middle of a join the site loses its power.
    JoinSiteCrashes,
    /// In the middle of a join the rooms' server loses its power.
    JoinPrimaryCrashes,
    /// A site loses its disk: it has another, empty or a copy of before.
    SiteSetBack,
}

impl Fault {
    /// All kinds.
    pub const ALL: [Fault; 19] = [
        Fault::StreamBreaks,
        Fault::StreamBreaksUnseen,
        Fault::TailLost,
        Fault::Refused,
        Fault::Silent,
        Fault::Split,
        Fault::HalfBroken,
        Fault::Slow,
        Fault::ClockWrong,
        Fault::SiteCrashes,
        Fault::PrimaryCrashes,
        Fault::SiteDiskFull,
        Fault::PrimaryDiskFull,
        Fault::JoinCut,
        Fault::JoinHalfBroken,
        Fault::JoinTailLost,
        Fault::JoinSiteCrashes,
        Fault::JoinPrimaryCrashes,
        Fault::SiteSetBack,
    ];
}

impl Scene {
    /// Something goes wrong.
    pub(super) fn fault(&mut self) {
        let Some(&fault) = self.rng.pick(&self.plan.faults) else { return };
        // Plain XEP-0045 promises nothing over bad streams, so sites that have nothing else are spared those.
        let sites: Vec<String> = self.plan.sites.iter().filter(|s| s.replica).map(|s| s.domain.clone()).collect();
        let Some(site) = self.rng.pick(&sites).cloned() else { return };
        self.faults += 1;
        *self.befell.entry(fault).or_default() += 1;
        match fault {
            Fault::StreamBreaks | Fault::StreamBreaksUnseen => self.break_stream(&site, fault == Fault::StreamBreaks),
            Fault::TailLost => self.lose_tail(&site),
            Fault::Refused => self.storm(&site, Weather::Refused, 20_000),
            Fault::Silent => self.storm(&site, Weather::Silent, 20_000),
            Fault::Split => {
                let weather = if self.rng.percent(50) { Weather::Refused } else { Weather::Silent };
                self.storm(&site, weather, 400_000);
            }
            Fault::HalfBroken => self.break_half(&site),
            Fault::Slow => {
                let ms = self.rng.between(1_000, 60_000);
                self.world.storm(&site, ROOMS, Weather::Slow, ms);
                self.tell(format!("FAULT between {site} and {ROOMS} all takes its time for {ms}"));
            }
            Fault::ClockWrong => self.set_clock_wrong(&site),
            Fault::SiteCrashes => {
                let any = self.rng.below(self.plan.sites.len() as u64) as usize;
                let domain = self.plan.sites[any].domain.clone();
                self.crash(&domain);
            }
            Fault::PrimaryCrashes => self.crash(ROOMS),
            Fault::SiteDiskFull => self.fill_disk(&site),
            Fault::PrimaryDiskFull => self.fill_disk(ROOMS),
            Fault::JoinCut
            | Fault::JoinHalfBroken
            | Fault::JoinTailLost
            | Fault::JoinSiteCrashes
            | Fault::JoinPrimaryCrashes => self.disturb_join(&site, fault),
            Fault::SiteSetBack => {
                let mut chance = self.rng.clone();
                self.set_back(&site, 50, &mut chance);
                self.rng = chance;
            }
        }
    }

    /// The site is cut off until the link is split, and a trap waits for the join.
    fn disturb_join(&mut self, site: &str, fault: Fault) {
        let (from, to) = self.pair(site);
        let weather = if self.rng.percent(50) { Weather::Refused } else { Weather::Silent };
        let ms = self.rng.between(10, 60_000);
        let spring = match fault {
            Fault::JoinCut => Spring::Cut(weather, ms),
            Fault::JoinHalfBroken => Spring::HalfCut(from, to, weather, ms),
            Fault::JoinTailLost => Spring::LoseTail(from, to),
            Fault::JoinSiteCrashes => Spring::Crash(site.to_owned(), ms),
            _ => Spring::Crash(ROOMS.to_owned(), ms),
        };
        let at_most = *self.rng.pick(&JOIN_STANZAS).unwrap_or(&1);
        let trap = Trap { site: site.to_owned(), service: ROOMS.to_owned(), after: self.rng.below(at_most), spring };
        self.tell(format!("FAULT to come, {} stanzas into a join of {site}: {:?}", trap.after, trap.spring));
        self.world.lay(trap);
        let patience_ms = (2 * self.plan.keepalive_seconds + self.plan.suspect_seconds) * 1_000;
        self.storm(site, weather, patience_ms * 2);
    }

    /// A trap has sprung.
    pub(super) fn sprung(&mut self, at_ms: u64, trap: &Trap) {
        self.tell(format!("FAULT at {at_ms}, in the middle of a join of {}: {:?}", trap.site, trap.spring));
        let for_ms = match &trap.spring {
            Spring::Cut(_, ms) | Spring::HalfCut(.., ms) | Spring::Crash(_, ms) => *ms,
            Spring::LoseTail(..) => 0,
        };
        if let Spring::Crash(domain, _) = &trap.spring {
            self.crashed.push((domain.clone(), at_ms));
        }
        let rooms_crash = matches!(&trap.spring, Spring::Crash(domain, _) if domain == ROOMS);
        let all: Vec<String> = self.plan.sites.iter().map(|site| site.domain.clone()).collect();
        for site in all.into_iter().filter(|site| rooms_crash || *site == trap.site) {
            self.disturbed.push((site, at_ms, at_ms + for_ms + NOTICED_MS));
        }
    }

    /// A copy of the disk is put aside, in so many cases of a hundred; or it is all there is after the server has lost its disk.
    pub(super) fn set_back(&mut self, domain: &str, copy_percent: u64, chance: &mut Rng) {
        let Some(server) = self.world.server_of(domain).filter(|&s| self.world.is_up(s)) else { return };
        if chance.percent(copy_percent) {
            self.world.back_up(server);
            return self.tell(format!("a copy of the disk of {domain} is put aside"));
        }
        self.crash_for(domain, CRASH_MS, chance);
        let from_ms = self.world.set_back(server);
        self.tell(format!("FAULT the disk of {domain} has nothing of since {from_ms}"));
    }

    fn pair(&mut self, site: &str) -> (String, String) {
        let pair = (site.to_owned(), ROOMS.to_owned());
        if self.rng.percent(50) { pair } else { (pair.1, pair.0) }
    }

    fn break_stream(&mut self, site: &str, both: bool) {
        let (from, to) = self.pair(site);
        let kept = self.rng.below(4) as usize;
        let lost = self.world.break_stream(&from, &to, kept, both);
        self.tell(format!("FAULT the stream {from} > {to} breaks, {lost} lost, seen by both: {both}"));
        self.disturb(site, 0);
    }

    fn lose_tail(&mut self, site: &str) {
        let (from, to) = self.pair(site);
        let kept = self.rng.below(4) as usize;
        let lost = self.world.lose_tail(&from, &to, kept);
        self.tell(format!("FAULT {lost} at the end of {from} > {to} are lost"));
        self.disturb(site, 0);
    }

    fn storm(&mut self, site: &str, weather: Weather, at_most_ms: u64) {
        let ms = self.rng.between(10, at_most_ms);
        self.world.storm(site, ROOMS, weather, ms);
        self.tell(format!("FAULT between {site} and {ROOMS}: {weather:?} for {ms}"));
        self.disturb(site, ms);
    }

    fn break_half(&mut self, site: &str) {
        let (from, to) = self.pair(site);
        let weather = if self.rng.percent(50) { Weather::Refused } else { Weather::Silent };
        let at_most_ms = if self.rng.percent(50) { 20_000 } else { 400_000 };
        let ms = self.rng.between(10, at_most_ms);
        self.world.storm_one_way(&from, &to, weather, ms);
        self.tell(format!("FAULT from {from} to {to} alone: {weather:?} for {ms}"));
        self.disturb(site, ms);
    }

    fn set_clock_wrong(&mut self, site: &str) {
        let domain = if self.rng.percent(50) { ROOMS } else { site };
        let off_ms = self.rng.between(0, 2 * CLOCK_OFF_MS) as i64 - CLOCK_OFF_MS as i64;
        if let Some(server) = self.world.server_of(domain) {
            self.world.set_clock_off(server, off_ms);
            self.tell(format!("FAULT the clock of {domain} is wrong by {off_ms}"));
        }
    }

    fn crash(&mut self, domain: &str) {
        let mut chance = self.rng.clone();
        self.crash_for(domain, CRASH_MS, &mut chance);
        self.rng = chance;
    }

    /// It loses its power, for so long at the most.
    pub(super) fn crash_for(&mut self, domain: &str, at_most_ms: u64, chance: &mut Rng) {
        let Some(server) = self.world.server_of(domain).filter(|&s| self.world.is_up(s)) else { return };
        let unsynced = self.world.unsynced(server) as u64;
        let (kept, down_ms) = (chance.below(unsynced + 1) as usize, chance.between(10, at_most_ms));
        self.world.crash(server, kept, down_ms);
        self.crashed.push((domain.to_owned(), self.world.now().mono_ms));
        self.tell(format!("FAULT {domain} loses its power for {down_ms}, {kept} of {unsynced} writes kept by luck"));
        // What the room had sent directly to users of other sites may be lost with it.
        let all: Vec<String> = self.plan.sites.iter().map(|site| site.domain.clone()).collect();
        for site in all.iter().filter(|site| domain == ROOMS || *site == domain) {
            self.disturb(site, down_ms);
        }
    }

    fn fill_disk(&mut self, domain: &str) {
        let Some(server) = self.world.server_of(domain).filter(|&s| self.world.is_up(s)) else { return };
        let ms = self.rng.between(10, 20_000);
        self.world.fill_disk(server, ms);
        self.tell(format!("FAULT the disk of {domain} is full for {ms}"));
    }

    /// A stream of the site was disturbed, until now and so many milliseconds more.
    pub(super) fn disturb(&mut self, site: &str, for_ms: u64) {
        let now = self.world.now().mono_ms;
        self.disturbed.push((site.to_owned(), now, now + for_ms + NOTICED_MS));
    }
}

/// How far into a join something goes wrong: right at its start, in its snapshot, or in what comes behind it; stanzas at the most.
const JOIN_STANZAS: [u64; 3] = [4, 15, 60];
/// A little more than it takes a server to see that a stream has ended.
const NOTICED_MS: u64 = 1_000;
/// For how long a server that has lost its power is down at the most.
pub(super) const CRASH_MS: u64 = 60_000;
/// How wrong a clock may be, either way, milliseconds.
const CLOCK_OFF_MS: u64 = 6 * 3_600_000;
