//! What chance decides beforehand. Not every seed has every fault: some show only where others are absent.

use super::acts::Deed;
use super::faults::Fault;
use super::mischief;
use crate::rng::Rng;

/// The kind of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The sites besides the rooms' server.
    pub sites: Vec<Site>,
    /// How many things happen before all is healed.
    pub steps: u64,
    /// How many of a hundred of them are faults.
    pub fault_percent: u64,
    /// Which faults there are.
    pub faults: Vec<Fault>,
    /// What people do, and how often each of it.
    pub deeds: Vec<(Deed, u64)>,
    /// After how many of a hundred things so much time passes that links are seen to be split.
    pub slow_percent: u64,
    /// Whether real addresses are for moderators alone.
    pub semi_anonymous: bool,
    /// How long stanzas take between servers.
    pub link_ms: (u64, u64),
    /// How long disks take.
    pub disk_ms: (u64, u64),
    /// Silence after which a link is pinged.
    pub keepalive_seconds: u64,
    /// How long a suspect link is waited for.
    pub suspect_seconds: u64,
    /// How long the seats of a split site are kept.
    pub retention_seconds: u64,
    /// Whether members enter on an island.
    pub members: bool,
}

/// A site of a run.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its domain.
    pub domain: String,
    /// Whether it has a replica; else its users are served by the room itself.
    pub replica: bool,
    /// How many users it has.
    pub users: usize,
    /// How many of them have two clients.
    pub doubles: usize,
    /// Whether the first of them is an admin of the room.
    pub admin: bool,
}

impl Plan {
    /// What these chances bring.
    pub fn new(seed: u64, rng: &mut Rng) -> Plan {
        let count = if rng.percent(8) { rng.between(4, 8) } else { rng.between(2, 3) };
        let mut sites: Vec<Site> = SITES.iter().take(count as usize).map(|d| site(d, true, rng)).collect();
        if rng.percent(40) {
            sites.push(site(PLAIN_SITE, false, rng));
        }
        let deeds = Deed::ALL.into_iter().filter(|(.., runs)| rng.percent(*runs));
        let deeds = deeds.map(|(deed, weight, _)| (deed, weight)).collect();
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.percent(50)).collect();
        Plan {
            sites,
            steps: rng.between(STEPS.0, STEPS.1) * if seed % LONG_EVERY == LONG_EVERY - 1 { LONG_TIMES } else { 1 },
            fault_percent: if faults.is_empty() { 0 } else { rng.between(2, 12) },
            faults,
            deeds,
            slow_percent: *rng.pick(&SLOW_PERCENT).unwrap_or(&0),
            semi_anonymous: rng.percent(75),
            link_ms: (1, rng.between(1, 200)),
            disk_ms: (1, rng.between(1, 60)),
            keepalive_seconds: rng.between(5, 60),
            suspect_seconds: rng.between(2, 30),
            retention_seconds: match rng.percent(30) {
                true => rng.between(60, 300),
                false if mischief::GIVEN_UP.contains(&(seed % mischief::EVERY)) => 60,
                false => RETENTION_SECONDS,
            },
            members: seed % MEMBERS_EVERY == MEMBERS_EVERY / 2 - 1,
        }
    }
}

fn site(domain: &str, replica: bool, rng: &mut Rng) -> Site {
    let users = rng.between(1, 3) as usize;
    let doubles = if rng.percent(30) { 1 } else { 0 };
    Site { domain: domain.to_owned(), replica, users, doubles, admin: rng.percent(50) }
}

/// The sites of XEP-0282, and more.
const SITES: [&str; 8] = [
    "killrc.oulubox.irc",
    "eris.dclxvii.irc",
    "vesa.yeggmaex.irc",
    "tolsun.oulubox.irc",
    "orion.yeggmaex.irc",
    "nic.funet.irc",
    "kreynet.dclxvii.irc",
    "otax.tky.irc",
];
/// How often much time passes: seldom, so that much happens within what a link is waited for; or often, so that it is split, joined
/// and split again.
const SLOW_PERCENT: [u64; 3] = [3, 8, 25];
/// How many things happen in a run before all is healed. What more would bring is found by more seeds, which are not all of one kind.
const STEPS: (u64, u64) = (15, 75);
/// Every so many seeds one is long.
const LONG_EVERY: u64 = 100;
/// How much longer.
const LONG_TIMES: u64 = 16;
/// In every so many seeds members enter on an island, which is off as a rule.
const MEMBERS_EVERY: u64 = 16;
/// An XMPP server like any other.
const PLAIN_SITE: &str = "undernet.example";
/// How long the seats of a split site are kept as a rule: over before a run that has healed is looked at, since who has gone at a
/// site that knows nothing any more is seen until then.
const RETENTION_SECONDS: u64 = 600;
