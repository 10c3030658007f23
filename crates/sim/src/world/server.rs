//! A process: its machines, its disk, and the clients connected to it.

use accounts::{Accounts, AccountsConfig};
use machine::{ArchivePage, AudienceId, Class, Input, Machine, QueryId, Record, Token};
use rooms::{Create, Primary, PrimaryConfig, Replica, ReplicaConfig, SplitConfig};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use store::disk::SimDisk;
use xmpp::Jid;

/// What a server hosts.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The domain of its accounts.
    pub accounts: Option<String>,
    /// Localparts of its accounts.
    pub users: Vec<String>,
    /// The domain of the rooms it leads.
    pub rooms: Option<String>,
    /// Whether its users reach distributed rooms through a replica, `replica@` its domain.
    pub replica: bool,
    /// Sites that may hold replicas of its rooms: domains, or `*`.
    pub sites: Vec<String>,
    /// Silence after which a link is pinged, seconds.
    pub keepalive_seconds: u64,
    /// How long a suspect link is waited for, seconds.
    pub suspect_seconds: u64,
    /// How long a mirror without users is held, seconds.
    pub grace_seconds: u64,
    /// How long the seats of a split site are kept, seconds.
    pub retention_seconds: u64,
    /// Whether members enter on an island: its rooms name them to sites beforehand, and its site lets them in.
    pub members: bool,
}

impl ServerConfig {
    /// A site: accounts, and a replica.
    pub fn site(domain: &str, users: &[&str]) -> ServerConfig {
        ServerConfig {
            accounts: Some(domain.to_owned()),
            users: users.iter().map(|&user| user.to_owned()).collect(),
            rooms: None,
            replica: true,
            sites: Vec::new(),
            keepalive_seconds: 60,
            suspect_seconds: 10,
            grace_seconds: 60,
            retention_seconds: 3_600,
            members: false,
        }
    }

    /// A site without a replica: an XMPP server like any other.
    pub fn plain_site(domain: &str, users: &[&str]) -> ServerConfig {
        ServerConfig { replica: false, ..ServerConfig::site(domain, users) }
    }

    /// A server of rooms alone.
    pub fn rooms(domain: &str) -> ServerConfig {
        ServerConfig {
            accounts: None,
            rooms: Some(domain.to_owned()),
            replica: false,
            sites: vec!["*".to_owned()],
            ..ServerConfig::site(domain, &[])
        }
    }

    /// The same with rooms at this address.
    #[must_use]
    pub fn with_rooms(mut self, domain: &str) -> ServerConfig {
        self.rooms = Some(domain.to_owned());
        self.sites = vec!["*".to_owned()];
        self
    }

    /// The domains hosted.
    pub(super) fn domains(&self) -> Vec<String> {
        self.accounts.iter().chain(&self.rooms).cloned().collect()
    }

    fn replica_jid(&self) -> Option<Jid> {
        let domain = self.accounts.as_ref().filter(|_| self.replica)?;
        Some(jid(&format!("replica@{domain}")))
    }
}

/// A machine of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The accounts of its domain.
    Accounts,
    /// The rooms it leads.
    Primary,
    /// The rooms it mirrors.
    Replica,
}

impl Which {
    /// All of them.
    pub const ALL: [Which; 3] = [Which::Accounts, Which::Primary, Which::Replica];
}

/// Something a disk is given to do.
#[derive(Debug)]
pub(super) enum DiskWork {
    /// To be made durable, since this time; `false` when it could not be taken.
    Write(Token, bool, u64),
    /// To be read: here is what was found.
    Read(QueryId, Option<ArchivePage>),
}

/// One process.
pub(super) struct Server {
    pub config: ServerConfig,
    pub up: bool,
    /// By how much the clock that people read is wrong.
    pub clock_off_ms: i64,
    /// Which life of the process this is.
    pub life: u64,
    pub accounts: Option<Accounts>,
    pub primary: Option<Primary>,
    pub replica: Option<Replica>,
    /// Its replica's address.
    pub replica_jid: Option<Jid>,
    pub disk: SimDisk,
    /// A copy of it that was put aside, when, and at which place of the tape.
    backup: Option<(SimDisk, (u64, usize))>,
    /// Whether nothing more fits on the disk.
    pub disk_full: bool,
    /// What the disk has been given and has not answered, in order.
    pub disk_work: VecDeque<(Which, DiskWork)>,
    /// How many of them are being synced.
    pub syncing: usize,
    pub sessions: BTreeSet<Jid>,
    pub audiences: BTreeMap<AudienceId, BTreeMap<Jid, Class>>,
    /// What the machines have yet to be told, in order.
    pub inputs: VecDeque<(Which, Input)>,
    /// Whether the inputs are being worked through.
    pub busy: bool,
}

impl Server {
    pub fn new(config: ServerConfig) -> Server {
        let disk = new_disk(&config);
        Server {
            replica_jid: config.replica_jid(),
            config,
            backup: None,
            up: false,
            clock_off_ms: 0,
            life: 0,
            accounts: None,
            primary: None,
            replica: None,
            disk,
            disk_full: false,
            disk_work: VecDeque::new(),
            syncing: 0,
            sessions: BTreeSet::new(),
            audiences: BTreeMap::new(),
            inputs: VecDeque::new(),
            busy: false,
        }
    }

    /// Starts the machines from what is on disk.
    pub fn start(&mut self, seed: [u8; 32]) {
        let loaded = self.disk.load(RECENT_ROWS);
        let config = &self.config;
        let of = |spaces: &[&str]| -> Vec<Record> {
            loaded.records.iter().filter(|r| spaces.contains(&r.space.as_str())).cloned().collect()
        };
        self.accounts = config.accounts.as_ref().map(|domain| {
            let mut accounts = AccountsConfig::new(jid(domain));
            accounts.reserved = vec!["replica".to_owned()];
            Accounts::new(accounts, seed, of(&accounts::records::SPACES), &[])
        });
        self.primary = config.rooms.as_ref().map(|domain| {
            let primary = PrimaryConfig {
                supply_members: config.members,
                domain: jid(domain),
                create: Create::Anyone,
                local_domains: config.accounts.iter().cloned().collect(),
                admins: Vec::new(),
                contacts: Default::default(),
                replicas: config.sites.clone(),
                keepalive_seconds: config.keepalive_seconds,
                suspect_seconds: config.suspect_seconds,
                retention_seconds: config.retention_seconds,
                mark_away: true,
            };
            let rows = loaded.recent.iter().filter(|row| !row.archive.starts_with(MIRROR)).cloned().collect();
            Primary::new(primary, seed, of(&[&rooms::SPACES[..], &["tombstone"]].concat()), rows)
        });
        self.replica = self.replica_jid.clone().map(|address| {
            let replica = ReplicaConfig {
                domains: vec![address.domain().to_owned()],
                jid: address,
                primaries: vec!["*".to_owned()],
                keepalive_seconds: config.keepalive_seconds,
                suspect_seconds: config.suspect_seconds,
                grace_seconds: config.grace_seconds,
                mirror_days: 30,
                split: SplitConfig { enter_members: config.members, ..SplitConfig::default() },
            };
            let rows = loaded.recent.iter().filter(|row| row.archive.starts_with(MIRROR)).cloned().collect();
            Replica::new(replica, seed, of(&["mirror", "outbox"]), rows)
        });
        self.up = true;
    }

    /// The process dies. Of what was not synced the first `kept` writes have reached the disk by luck.
    pub fn die(&mut self, kept: usize) {
        self.life += 1;
        self.up = false;
        (self.accounts, self.primary, self.replica) = (None, None, None);
        self.disk.crash(kept);
        self.disk_full = false;
        self.disk_work.clear();
        self.syncing = 0;
        self.sessions.clear();
        self.audiences.clear();
        self.inputs.clear();
    }

    /// Puts a copy of what is durable aside, at this time and place of the tape; gives since when what it was to keep is not in it.
    pub fn back_up(&mut self, now_ms: u64, place: usize) -> u64 {
        let mut copy = self.disk.clone();
        copy.crash(0);
        let under_way = self.disk_work.iter().find_map(|(_, work)| match work {
            DiskWork::Write(_, true, since_ms) => Some(*since_ms),
            _ => None,
        });
        let since_ms = under_way.unwrap_or(now_ms);
        self.backup = Some((copy, (since_ms, place)));
        since_ms
    }

    /// Whether a copy was put aside.
    pub fn is_backed_up(&self) -> bool {
        self.backup.is_some()
    }

    /// Has the copy that was put aside for its disk, or one with nothing but the accounts; gives of when it is.
    pub fn set_back(&mut self) -> (u64, usize) {
        let (disk, at) = self.backup.clone().unwrap_or_else(|| (new_disk(&self.config), (0, 0)));
        self.disk = disk;
        at
    }

    /// A machine, when it is hosted and runs.
    pub fn machine(&mut self, which: Which) -> Option<&mut dyn Machine> {
        match which {
            Which::Accounts => self.accounts.as_mut().map(|m| m as &mut dyn Machine),
            Which::Primary => self.primary.as_mut().map(|m| m as &mut dyn Machine),
            Which::Replica => self.replica.as_mut().map(|m| m as &mut dyn Machine),
        }
    }

    /// When a machine wants to be woken next.
    pub fn next_timeout(&self) -> Option<u64> {
        let accounts = self.accounts.as_ref().and_then(Machine::next_timeout);
        let primary = self.primary.as_ref().and_then(Machine::next_timeout);
        let replica = self.replica.as_ref().and_then(Machine::next_timeout);
        [accounts, primary, replica].into_iter().flatten().min()
    }
}

/// A disk with the accounts of a server.
fn new_disk(config: &ServerConfig) -> SimDisk {
    let mut disk = SimDisk::new();
    let accounts = config.users.iter().map(|user| machine::Change::Put {
        space: "account",
        owner: user.clone(),
        key: "credentials".to_owned(),
        value: "{}".to_owned(),
    });
    disk.persist(accounts.collect()).expect("records contradict nothing");
    disk.sync();
    disk
}

pub(super) fn jid(text: &str) -> Jid {
    Jid::new(text).expect("the scenario's addresses are valid")
}

/// How many rows of each archive a server loads at its start.
const RECENT_ROWS: usize = 100;
/// What the names of mirrored archives begin with.
const MIRROR: &str = "mirror:";
