//! The machines of the process, and what the router reads of them.

use super::At;
use super::router::{Origin, Tables};
use crate::config::{self, Config, Peer};
use crate::edge::c2s::random;
use crate::users;
use accounts::Accounts;
use accounts::records::is_ours;
use machine::{Input, Machine, Now, Output};
use rooms::{Create, Primary, PrimaryConfig, Replica, ReplicaConfig, SplitConfig};
use std::collections::HashMap;
use store::Loaded;
use xmpp::{Element, Jid};

/// A machine of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Accounts.
    Accounts,
    /// Rooms led here.
    Primary,
    /// Rooms mirrored here.
    Replica,
}

impl Who {
    /// All of them, by number.
    pub const ALL: [Who; 3] = [Who::Accounts, Who::Primary, Who::Replica];

    /// As the store knows it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The number of the machine that an output comes from; only machines persist and query.
    pub fn number_of(origin: Origin) -> u8 {
        let who = Who::ALL.into_iter().find(|who| who.origin() == origin);
        who.expect("hosts and streams have nothing to keep").number()
    }

    /// The machine of a number.
    pub fn from_number(number: u8) -> Option<Who> {
        Who::ALL.get(usize::from(number)).copied()
    }

    /// What the router calls it.
    pub fn origin(self) -> Origin {
        match self {
            Who::Accounts => Origin::Accounts,
            Who::Primary => Origin::Primary,
            Who::Replica => Origin::Replica,
        }
    }
}

/// The machines that there are.
pub struct Machines {
    /// The accounts' domain and their machine.
    pub accounts: Option<(String, Accounts)>,
    /// The rooms' domain and their machine.
    pub primary: Option<(String, Primary)>,
    /// The replica's bare address and its machine.
    pub replica: Option<(Jid, Replica)>,
    /// Domains that the replica serves and another server has.
    pub attached: Vec<String>,
}

impl Machines {
    /// As the configuration has them, with what was kept.
    pub fn restore(config: &Config, kept: &Loaded) -> Machines {
        let accounts = users::accounts_config(config).map(|settings| {
            let domain = settings.domain.domain().to_owned();
            let records = kept.records.iter().filter(|record| is_ours(record)).cloned().collect();
            (domain, Accounts::new(settings, random(), records, &kept.recent))
        });
        let primary = config.rooms.as_ref().map(|rooms| {
            let primary =
                Primary::new(primary_config(config, rooms), random(), kept.records.clone(), kept.recent.clone());
            (rooms.domain.as_str().to_owned(), primary)
        });
        let replica = config.replica.as_ref().map(|replica| {
            let machine =
                Replica::new(replica_config(config, replica), random(), kept.records.clone(), kept.recent.clone());
            (replica.jid.clone(), machine)
        });
        let attached = config.attached().map_or(&[][..], |(_, serves)| serves);
        let attached = attached.iter().map(ToString::to_string).collect();
        Machines { accounts, primary, replica, attached }
    }

    fn get(&self, who: Who) -> Option<&dyn Machine> {
        match who {
            Who::Accounts => self.accounts.as_ref().map(|(_, machine)| machine as &dyn Machine),
            Who::Primary => self.primary.as_ref().map(|(_, machine)| machine as &dyn Machine),
            Who::Replica => self.replica.as_ref().map(|(_, machine)| machine as &dyn Machine),
        }
    }

    /// Lets one of them take an input, if it is there.
    pub fn handle(&mut self, who: Who, input: Input, now: Now, out: &mut Vec<Output>) {
        let machine = match who {
            Who::Accounts => self.accounts.as_mut().map(|(_, machine)| machine as &mut dyn Machine),
            Who::Primary => self.primary.as_mut().map(|(_, machine)| machine as &mut dyn Machine),
            Who::Replica => self.replica.as_mut().map(|(_, machine)| machine as &mut dyn Machine),
        };
        if let Some(machine) = machine {
            machine.handle(input, now, out);
        }
    }

    /// When one of them wants a timeout.
    pub fn next_timeout(&self, who: Who) -> Option<u64> {
        self.get(who)?.next_timeout()
    }
}

fn primary_config(config: &Config, rooms: &config::Rooms) -> PrimaryConfig {
    PrimaryConfig {
        domain: rooms.domain.jid().clone(),
        create: match rooms.create {
            config::Create::Anyone => Create::Anyone,
            config::Create::Local => Create::Local,
            config::Create::Admins => Create::Admins,
        },
        local_domains: users_of(config),
        admins: config.admins.clone(),
        contacts: config.contacts(),
        replicas: rooms.replicas.iter().map(peer).collect(),
        keepalive_seconds: rooms.keepalive_seconds,
        suspect_seconds: rooms.suspect_seconds,
        retention_seconds: rooms.retention_seconds,
        mark_away: rooms.mark_away,
        supply_members: rooms.supply_members,
    }
}

fn replica_config(config: &Config, replica: &config::Replica) -> ReplicaConfig {
    ReplicaConfig {
        jid: replica.jid.clone(),
        domains: match config.attached() {
            Some((_, serves)) => serves.iter().map(|domain| domain.as_str().to_owned()).collect(),
            None => users_of(config),
        },
        primaries: replica.primaries.iter().map(peer).collect(),
        keepalive_seconds: replica.keepalive_seconds,
        suspect_seconds: replica.suspect_seconds,
        grace_seconds: replica.grace_seconds,
        mirror_days: u32::try_from(replica.mirror_days).unwrap_or(u32::MAX),
        split: SplitConfig {
            local_chat: config.split.local_chat,
            private_messages: config.split.private_messages,
            kick: config.split.kick,
            enter_members: config.split.enter == config::SplitEnter::Members,
            mark_away: config.split.mark_away,
        },
    }
}

/// The domains of the users here, and of those whom the server has that this is a component of.
fn users_of(config: &Config) -> Vec<String> {
    let attached = config.attached().map_or(&[][..], |(_, serves)| serves);
    config.domain.iter().chain(attached).map(|domain| domain.as_str().to_owned()).collect()
}

/// As it stands in the configuration.
fn peer(peer: &Peer) -> String {
    match peer {
        Peer::Any => "*".into(),
        Peer::Domain(domain) => domain.as_str().into(),
    }
}

/// What the router reads: the machines and the clients that are connected.
pub(super) struct View<'a> {
    pub machines: &'a Machines,
    pub sessions: &'a HashMap<Jid, At>,
}

impl Tables for View<'_> {
    fn accounts_domain(&self) -> Option<&str> {
        self.machines.accounts.as_ref().map(|(domain, _)| domain.as_str())
    }

    fn rooms_domain(&self) -> Option<&str> {
        self.machines.primary.as_ref().map(|(domain, _)| domain.as_str())
    }

    fn replica(&self) -> Option<&Jid> {
        self.machines.replica.as_ref().map(|(jid, _)| jid)
    }

    fn is_attached(&self, domain: &str) -> bool {
        self.machines.attached.iter().any(|attached| attached == domain)
    }

    fn is_component_of_replica(&self, domain: &str) -> bool {
        let replica = self.machines.replica.as_ref().filter(|_| !self.machines.attached.is_empty());
        replica.is_some_and(|(jid, _)| jid.domain() == domain)
    }

    fn has_session(&self, full: &Jid) -> bool {
        self.sessions.contains_key(full)
    }

    fn replica_wants(&self, stanza: &Element, to: &Jid) -> bool {
        let Some((_, replica)) = &self.machines.replica else { return false };
        match stanza.get("to") {
            Some(_) => replica.wants(stanza),
            None => replica.wants(&stanza.clone().attr("to", to.as_str())),
        }
    }

    fn accounts_wants(&self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        let accounts = self.machines.accounts.as_ref();
        accounts.is_some_and(|(domain, _)| accounts::is_for_accounts(stanza, from, Some(to), domain))
    }
}
