//! A service with its rooms and some sites as engines alone, with a disk each and ordered links between them that are counted
//! and can be cut or be slow. What is for users is counted and goes nowhere.

use machine::{Input, Machine, Now, Output};
use rooms::{Create, Primary, PrimaryConfig, Replica, ReplicaConfig, SplitConfig};
use std::collections::VecDeque;
use store::disk::SimDisk;
use xmpp::xml::Splice;
use xmpp::{Element, Jid, Shared, ns};

/// The service's domain.
pub const SERVICE: &str = "rooms.example";

/// All of it.
pub struct Net {
    now: Now,
    service: Node<Primary>,
    sites: Vec<Site>,
    /// Stanzas for users, a broadcast counted once.
    pub told: u64,
}

/// A site and its links.
struct Site {
    domain: String,
    node: Node<Replica>,
    cut: bool,
    up: VecDeque<String>,
    down: VecDeque<String>,
    crossed: Crossed,
    /// What was put on the link to it since that is looked at.
    tap: Option<Vec<String>>,
}

/// An engine and its disk.
struct Node<M> {
    machine: M,
    disk: Option<SimDisk>,
}

/// What has crossed a link, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crossed {
    /// Stanzas to the site.
    pub down: u64,
    /// Their bytes, as written.
    pub down_bytes: u64,
    /// Bytes from the site.
    pub up_bytes: u64,
}

impl Net {
    /// The service, and sites of these names.
    pub fn new(sites: &[&str]) -> Net {
        let service = Primary::new(service_config(), [1; 32], Vec::new(), Vec::new());
        let site = |(n, name): (usize, &&str)| {
            let domain = format!("{name}.example");
            let machine = Replica::new(site_config(&domain), [n as u8 + 2; 32], Vec::new(), Vec::new());
            let node = Node { machine, disk: Some(SimDisk::new()) };
            let (up, down) = (VecDeque::new(), VecDeque::new());
            Site { domain, node, cut: false, up, down, crossed: Crossed::default(), tap: None }
        };
        Net {
            now: Now { mono_ms: 1_000, unix_ms: 655_862_317_000 },
            service: Node { machine: service, disk: Some(SimDisk::new()) },
            sites: sites.iter().enumerate().map(site).collect(),
            told: 0,
        }
    }

    /// A room, made and opened by a user of a site, who is in it as `owner`.
    pub fn open(&mut self, site: usize, room: &Jid, fields: &[(&str, &str)]) {
        self.join(site, "owner", room);
        let form = "<value>http://jabber.org/protocol/muc#roomconfig</value>";
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        self.user(
            site,
            &format!(
                "<iq from='{}' id='i' to='{room}' type='set'><query xmlns='{}'><x xmlns='{}' type='submit'>\
                 <field var='FORM_TYPE'>{form}</field>{fields}</x></query></iq>",
                self.address(site, "owner"),
                ns::MUC_OWNER,
                ns::FORMS
            ),
        );
    }

    /// A user's full address.
    pub fn address(&self, site: usize, user: &str) -> String {
        format!("{user}@{}/x", self.sites[site].domain)
    }

    /// A user enters under his own name.
    pub fn join(&mut self, site: usize, user: &str, room: &Jid) {
        let from = self.address(site, user);
        self.user(
            site,
            &format!(
                "<presence from='{from}' to='{room}/{user}'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
                 node='http://example.org' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/><x xmlns='{}'><history maxstanzas='0'/></x>\
                 </presence>",
                ns::MUC
            ),
        );
    }

    /// A user says something to all.
    pub fn say(&mut self, site: usize, user: &str, room: &Jid, body: &str) {
        let from = self.address(site, user);
        let id = self.now.mono_ms;
        self.user(
            site,
            &format!("<message from='{from}' id='m{id}' to='{room}' type='groupchat'><body>{body}</body></message>"),
        );
    }

    /// A user's presence in a room: `rest` stands in it, or `type='unavailable'` before it.
    pub fn show(&mut self, site: usize, user: &str, room: &Jid, kind: &str, rest: &str) {
        let from = self.address(site, user);
        self.user(site, &format!("<presence {kind} from='{from}' to='{room}/{user}'>{rest}</presence>"));
    }

    /// A user sends something; all that follows from it happens, but for what a slow link holds.
    pub fn user(&mut self, site: usize, stanza: &str) {
        let stanza = Element::parse(stanza).expect("a scene's stanza");
        if self.sites[site].node.machine.wants(&stanza) {
            self.feed_site(site, Input::Stanza(stanza));
        } else {
            self.up(site, stanza.to_xml());
        }
        self.run();
    }

    /// What has crossed a site's link so far.
    pub fn crossed(&self, site: usize) -> Crossed {
        self.sites[site].crossed
    }

    /// From now on all that is put on the link to a site is looked at; gives what was since this was asked last.
    pub fn tap(&mut self, site: usize) -> Vec<Element> {
        let seen = self.sites[site].tap.replace(Vec::new()).unwrap_or_default();
        seen.iter().map(|text| Element::parse(text).expect("it was written")).collect()
    }

    /// What is written at a site from now on is kept nowhere, so that memory is the engine's alone.
    pub fn forget_disk(&mut self, site: usize) {
        self.sites[site].node.disk = None;
    }

    /// What waits on the slow link to a site: all stanzas; and stanzas and bytes of those that are of a resynchronisation, neither
    /// a live event nor a service's own ping.
    pub fn waiting(&self, site: usize) -> (usize, usize, usize) {
        let down = &self.sites[site].down;
        let rest = || down.iter().filter(|text| !text.contains("kind='event'") && !text.contains("<heads "));
        (down.len(), rest().count(), rest().map(String::len).sum())
    }

    /// Cuts the link of a site: nothing comes over, and both ends know.
    pub fn cut(&mut self, site: usize) {
        let cut = &mut self.sites[site];
        cut.cut = true;
        (cut.up, cut.down) = (VecDeque::new(), VecDeque::new());
        let domain = cut.domain.clone();
        self.feed_site(site, Input::StreamEnded(SERVICE.into()));
        self.feed_service(Input::StreamEnded(domain));
        self.run();
    }

    /// The link is whole again.
    pub fn heal(&mut self, site: usize) {
        self.sites[site].cut = false;
    }

    /// Lets time pass, machines woken when they want to be.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while let Some(at) = self.next_due().filter(|at| *at <= end) {
            self.set_clock(at.max(self.now.mono_ms));
            self.wake();
            self.run();
        }
        self.set_clock(end);
    }

    /// Lets a millisecond pass in which one stanza comes over the link to this site, and everything else at once; gives it.
    pub fn slow_step(&mut self, site: usize) -> Option<Element> {
        let end = self.now.mono_ms + 1;
        let next = self.sites[site].down.pop_front().map(|text| Element::parse(&text).expect("it was written"));
        if let Some(stanza) = next.clone() {
            self.arrive(site, stanza);
        }
        self.carry(Some(site));
        while self.next_due().is_some_and(|at| at <= end) {
            self.set_clock(end);
            self.wake();
            self.carry(Some(site));
        }
        self.set_clock(end);
        next
    }

    /// The states of a site's links and how many are in each.
    pub fn live(&self, site: usize) -> usize {
        self.sites[site].node.machine.links(self.now).iter().filter(|link| link.state == "live").count()
    }

    /// A user says something without anything being carried on a slow link to `slow`.
    pub fn say_slowly(&mut self, site: usize, user: &str, room: &Jid, body: &str, slow: usize) {
        let from = self.address(site, user);
        let text =
            format!("<message from='{from}' id='{body}' to='{room}' type='groupchat'><body>{body}</body></message>");
        self.feed_site(site, Input::Stanza(Element::parse(&text).expect("a scene's stanza")));
        self.carry(Some(slow));
    }

    fn run(&mut self) {
        self.carry(None);
    }

    /// Carries everything on links until nothing is under way but to a site whose link is slow.
    fn carry(&mut self, slow: Option<usize>) {
        loop {
            let mut idle = true;
            for site in 0..self.sites.len() {
                while let Some(text) = self.sites[site].up.pop_front() {
                    idle = false;
                    self.feed_service(Input::Stanza(Element::parse(&text).expect("it was written")));
                }
                while slow != Some(site)
                    && let Some(text) = self.sites[site].down.pop_front()
                {
                    idle = false;
                    let stanza = Element::parse(&text).expect("it was written");
                    self.arrive(site, stanza);
                }
            }
            if idle {
                return;
            }
        }
    }

    fn arrive(&mut self, site: usize, stanza: Element) {
        let replica = format!("replica@{}", self.sites[site].domain);
        if stanza.get("to") == Some(&replica) || self.sites[site].node.machine.wants(&stanza) {
            self.feed_site(site, Input::Stanza(stanza));
        } else {
            self.told += 1;
        }
    }

    fn next_due(&self) -> Option<u64> {
        let sites = self.sites.iter().filter_map(|site| site.node.machine.next_timeout());
        sites.chain(self.service.machine.next_timeout()).min()
    }

    fn wake(&mut self) {
        let now = self.now.mono_ms;
        if self.service.machine.next_timeout().is_some_and(|at| at <= now) {
            self.feed_service(Input::Timeout);
        }
        for site in 0..self.sites.len() {
            if self.sites[site].node.machine.next_timeout().is_some_and(|at| at <= now) {
                self.feed_site(site, Input::Timeout);
            }
        }
    }

    fn set_clock(&mut self, mono_ms: u64) {
        self.now = Now { mono_ms, unix_ms: self.now.unix_ms + (mono_ms - self.now.mono_ms) as i64 };
    }

    fn feed_service(&mut self, input: Input) {
        let now = self.now;
        let outputs = self.service.work(input, now);
        for output in outputs {
            match output {
                Output::Send { to, stanza } => self.down(&to, stanza.addressed(to.as_str()).to_xml()),
                Output::Fan { stanza, copies } => {
                    for (to, marks) in copies {
                        self.down(&to, spliced(&stanza, &to, &marks));
                    }
                }
                Output::Broadcast { .. } => self.told += 1,
                _ => {}
            }
        }
    }

    fn feed_site(&mut self, site: usize, input: Input) {
        let now = self.now;
        let outputs = self.sites[site].node.work(input, now);
        for output in outputs {
            match output {
                Output::Send { to, .. } if to.domain() == self.sites[site].domain => self.told += 1,
                Output::Send { to, stanza } => self.up(site, stanza.addressed(to.as_str()).to_xml()),
                Output::Broadcast { .. } => self.told += 1,
                _ => {}
            }
        }
    }

    fn up(&mut self, site: usize, text: String) {
        let site = &mut self.sites[site];
        if !site.cut {
            site.crossed.up_bytes += text.len() as u64;
            site.up.push_back(text);
        }
    }

    fn down(&mut self, to: &Jid, text: String) {
        let Some(site) = self.sites.iter_mut().find(|site| site.domain == to.domain() && !site.cut) else { return };
        site.crossed.down += 1;
        site.crossed.down_bytes += text.len() as u64;
        if let Some(tap) = &mut site.tap {
            tap.push(text.clone());
        }
        site.down.push_back(text);
    }
}

impl<M: Machine> Node<M> {
    /// Handles an input; the disk is as fast as can be.
    fn work(&mut self, input: Input, now: Now) -> Vec<Output> {
        let (mut inputs, mut all) = (VecDeque::from([input]), Vec::new());
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            self.machine.handle(input, now, &mut outputs);
            for output in outputs {
                match output {
                    Output::Persist { token, changes } => {
                        if let Some(disk) = &mut self.disk {
                            disk.persist(changes).expect("nothing contradicts what is kept");
                            disk.sync();
                        }
                        inputs.push_back(Input::Persisted(token));
                    }
                    Output::Query { id, query } => {
                        inputs.push_back(Input::Rows(id, self.disk.as_ref().map(|disk| disk.query(&query))));
                    }
                    other => all.push(other),
                }
            }
        }
        all
    }
}

fn spliced(stanza: &Shared, to: &Jid, marks: &Element) -> String {
    let mut bytes = Vec::new();
    stanza.splice(Splice { to: to.as_str(), tail: marks.to_xml().as_bytes() }, &mut bytes);
    String::from_utf8(bytes).expect("what is serialised is text")
}

fn service_config() -> PrimaryConfig {
    PrimaryConfig {
        domain: SERVICE.parse().expect("a domain"),
        create: Create::Anyone,
        local_domains: Vec::new(),
        admins: Vec::new(),
        replicas: vec!["*".into()],
        keepalive_seconds: 60,
        suspect_seconds: 10,
        retention_seconds: 86_400,
        mark_away: true,
        supply_members: false,
        contacts: Default::default(),
    }
}

fn site_config(domain: &str) -> ReplicaConfig {
    ReplicaConfig {
        jid: format!("replica@{domain}").parse().expect("an address"),
        domains: vec![domain.to_owned()],
        primaries: vec!["*".into()],
        keepalive_seconds: 60,
        suspect_seconds: 10,
        grace_seconds: 300,
        mirror_days: 30,
        split: SplitConfig::default(),
    }
}
