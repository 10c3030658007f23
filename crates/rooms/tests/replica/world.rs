//! The cast's four servers as engines alone: a service with its rooms, sites with their replicas and users, ordered links
//! between them that can be cut and tampered with, disks that keep what was written, a clock.
//!
//! What leaves a machine is carried out as the server does: audiences expanded, stanzas routed, the replica asked what it
//! wants. Everything is done in one order, so a run repeats exactly.

use crate::site::{config, join, move_rows, says, settle};
use machine::{
    ArchivePage, ArchiveQuery, AudienceChange, AudienceId, Change, Class, Input, Machine, Now, Output, Record, Row,
    Token,
};
use rooms::{Create, Primary, PrimaryConfig, Replica};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xmpp::{Element, Jid, ns};

pub const SERVICE: &str = "channel.avalon.irc";
pub const ERIS: &str = "eris.dclxvii.irc";
pub const KILLRC: &str = "killrc.oulubox.irc";
pub const SITES: [&str; 3] = ["killrc.oulubox.irc", "eris.dclxvii.irc", "vesa.yeggmaex.irc"];

/// Nick and full JID, XEP-0282 3.1.
pub const CAST: [(&str, &str); 7] = [
    ("Wumpus", "argl@killrc.oulubox.irc/laptop"),
    ("Valdis", "valdis@killrc.oulubox.irc/desktop"),
    ("Phaedrus", "phaedrus@killrc.oulubox.irc/phone"),
    ("WiZ", "squit@eris.dclxvii.irc/jupiter"),
    ("Troy", "troy@eris.dclxvii.irc/screwdriver"),
    ("BigCheese", "rubenro@vesa.yeggmaex.irc/shaver"),
    ("Efchen", "msa@vesa.yeggmaex.irc/bicycle"),
];

/// The full JID of one of the cast.
pub fn of(nick: &str) -> &'static str {
    CAST.iter().find(|(n, _)| *n == nick).expect("one of the cast").1
}

/// A machine on a server, if it has one.
enum Engine {
    Service(Box<Primary>),
    Site(Box<Replica>),
    /// A server that knows nothing of XEP-0282.
    Plain,
}

/// A server: a machine and what it stands on.
struct Server {
    engine: Engine,
    records: BTreeMap<(String, String, String), String>,
    rows: Vec<Row>,
    audiences: BTreeMap<AudienceId, BTreeMap<Jid, Class>>,
    starts: u8,
}

/// What may happen to a stanza on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Drop,
    Twice,
    /// Overtaken by the one behind it.
    Late,
    /// Arrives, but what a presence says is taken out.
    Muted,
}

/// Records and rows.
pub type Disk = (BTreeMap<(String, String, String), String>, Vec<Row>);

/// All of it.
pub struct World {
    servers: BTreeMap<String, Server>,
    /// (from, to): what is under way, in order.
    links: BTreeMap<(String, String), VecDeque<Element>>,
    cut: BTreeSet<(String, String)>,
    pub now: Now,
    /// What users were sent, in order.
    pub inbox: BTreeMap<String, Vec<Element>>,
    /// What crossed a link: from, to, stanza.
    pub crossed: Vec<(String, String, Element)>,
    /// Faults for the next stanzas with a mark of the link, in their order.
    pub faults: VecDeque<Option<Fault>>,
    /// How many of the next answers to registrations get lost.
    pub lost_grants: usize,
    /// How many of the next refusals of what was relayed get lost, and nothing else with them.
    pub lost_refusals: usize,
    replicas: bool,
    /// Whether islands let members in.
    enter_members: bool,
    /// Whose disk takes nothing more.
    pub full: BTreeSet<String>,
    /// What operators were told.
    pub logs: Vec<String>,
    /// Who wanted streams made anew, and to whom.
    pub renewed: Vec<(String, String)>,
}

impl World {
    /// The service and the three sites; without replicas every user is served by the service itself.
    pub fn new(replicas: bool) -> World {
        World::with_islands(replicas, false)
    }

    fn with_islands(replicas: bool, enter_members: bool) -> World {
        let mut world = World {
            servers: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            now: Now { mono_ms: 1_000, unix_ms: crate::site::THEN_MS },
            inbox: BTreeMap::new(),
            crossed: Vec::new(),
            faults: VecDeque::new(),
            lost_grants: 0,
            lost_refusals: 0,
            replicas,
            enter_members,
            full: BTreeSet::new(),
            logs: Vec::new(),
            renewed: Vec::new(),
        };
        for domain in SITES.into_iter().chain([SERVICE]) {
            world.start(domain, BTreeMap::new(), Vec::new(), 0);
        }
        world
    }

    /// The whole cast in the room, which Wumpus has made and opened.
    pub fn with_cast(replicas: bool) -> World {
        World::new(replicas).filled()
    }

    /// The same at sites whose islands let members in, with whom Wumpus has made so by then.
    pub fn with_members(members: &[(&str, &str)]) -> World {
        let mut world = World::with_islands(true, true).filled();
        for (bare, affiliation) in members {
            world.affiliate(bare, affiliation);
        }
        world
    }

    /// Wumpus makes somebody what he is to the room.
    pub fn affiliate(&mut self, bare: &str, affiliation: &str) {
        self.user(&format!(
            "<iq from='{}' id='a' type='set' to='{}'><query xmlns='{}'><item jid='{bare}' affiliation='{affiliation}'/></query></iq>",
            of("Wumpus"),
            crate::site::ROOM,
            ns::MUC_ADMIN
        ));
    }

    fn filled(mut self) -> World {
        let world = &mut self;
        let [(first, jid), others @ ..] = CAST;
        world.user(&join(jid, first));
        world.user(&format!(
            "<iq from='{jid}' id='open' type='set' to='{}'><query xmlns='{}'><x xmlns='jabber:x:data' type='submit'/></query></iq>",
            crate::site::ROOM,
            ns::MUC_OWNER
        ));
        for (nick, jid) in others {
            world.user(&join(jid, nick));
        }
        self
    }

    fn start(&mut self, domain: &str, records: BTreeMap<(String, String, String), String>, rows: Vec<Row>, starts: u8) {
        let loaded: Vec<Record> = records
            .iter()
            .map(|((space, owner, key), value)| Record {
                space: space.clone(),
                owner: owner.clone(),
                key: key.clone(),
                value: value.clone(),
            })
            .collect();
        let seed = [starts.wrapping_mul(16).wrapping_add(domain.len() as u8); 32];
        let engine = if domain == SERVICE {
            Engine::Service(Box::new(Primary::new(service_config(), seed, loaded, rows.clone())))
        } else if self.replicas {
            let mut config = config(domain);
            config.split.enter_members = self.enter_members;
            Engine::Site(Box::new(Replica::new(config, seed, loaded, rows.clone())))
        } else {
            Engine::Plain
        };
        let server = Server { engine, records, rows, audiences: BTreeMap::new(), starts };
        self.servers.insert(domain.to_owned(), server);
    }

    /// A server's process dies and starts again with what is on its disk; streams end, its users are gone.
    pub fn restart(&mut self, domain: &str) {
        let server = self.servers.remove(domain).expect("a server");
        self.start(domain, server.records, server.rows, server.starts + 1);
        self.links.retain(|(from, to), _| from != domain && to != domain);
        let others: Vec<String> = self.servers.keys().filter(|other| *other != domain).cloned().collect();
        for other in others {
            self.feed(&other, Input::StreamEnded(domain.to_owned()));
        }
        self.run();
    }

    /// What a server has on disk.
    pub fn backup(&self, domain: &str) -> Disk {
        let server = &self.servers[domain];
        (server.records.clone(), server.rows.clone())
    }

    /// A server's process dies and starts again with another disk.
    pub fn restart_with(&mut self, domain: &str, (records, rows): Disk) {
        let server = self.servers.get_mut(domain).expect("a server");
        (server.records, server.rows) = (records, rows);
        self.restart(domain);
    }

    /// A user sends something; everything that follows from it happens.
    pub fn user(&mut self, stanza: &str) {
        self.user_sends(stanza);
        self.run();
    }

    /// A user sends something, and nothing is carried yet.
    pub fn user_sends(&mut self, stanza: &str) {
        let stanza = Element::parse(stanza).expect("a test's stanza");
        let domain = address(&stanza, "from").domain().to_owned();
        let wanted = match &self.servers[&domain].engine {
            Engine::Site(replica) => replica.wants(&stanza),
            _ => false,
        };
        if wanted { self.feed(&domain, Input::Stanza(stanza)) } else { self.route(&domain, stanza) }
    }

    /// Everything under way arrives, and what follows from it, until all is quiet.
    pub fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            if !self.step() {
                return;
            }
        }
        panic!("it never becomes quiet");
    }

    /// One stanza arrives; `false` when none is under way.
    fn step(&mut self) -> bool {
        let Some(link) = self.links.iter().find(|(_, queue)| !queue.is_empty()).map(|(link, _)| link.clone()) else {
            return false;
        };
        let stanza = self.links.get_mut(&link).and_then(VecDeque::pop_front).expect("it is not empty");
        self.carry(&link, stanza);
        true
    }

    /// Lets time pass, all machines woken when they want to be.
    pub fn pass_ms(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        for step in 0.. {
            assert!(step < STEPS_MAX, "a machine asks for the same time again and again");
            let Some((at, domain)) = self.next_due().filter(|(at, _)| *at <= end) else { break };
            self.set_clock(at.max(self.now.mono_ms));
            self.feed(&domain, Input::Timeout);
            self.run();
        }
        self.set_clock(end);
    }

    /// Whose time comes next.
    fn next_due(&self) -> Option<(u64, String)> {
        let due = |server: &Server| match &server.engine {
            Engine::Service(service) => service.next_timeout(),
            Engine::Site(replica) => replica.next_timeout(),
            Engine::Plain => None,
        };
        self.servers.iter().filter_map(|(domain, server)| Some((due(server)?, domain.clone()))).min()
    }

    /// The machine whose time comes next is woken; what it sends is under way.
    fn wake_next(&mut self) {
        let (at, domain) = self.next_due().expect("somebody waits for something");
        self.set_clock(at.max(self.now.mono_ms));
        self.feed(&domain, Input::Timeout);
    }

    fn set_clock(&mut self, mono_ms: u64) {
        self.now = Now { mono_ms, unix_ms: self.now.unix_ms + (mono_ms - self.now.mono_ms) as i64 };
    }

    /// Cuts the link between a site and the service: what is under way and what is sent comes back as an error.
    pub fn cut(&mut self, site: &str) {
        for link in [(site, SERVICE), (SERVICE, site)] {
            let link = (link.0.to_owned(), link.1.to_owned());
            self.cut.insert(link.clone());
            for stanza in self.links.remove(&link).into_iter().flatten() {
                self.bounce(&link, &stanza);
            }
        }
        self.feed(site, Input::StreamEnded(SERVICE.to_owned()));
        self.feed(SERVICE, Input::StreamEnded(site.to_owned()));
        self.run();
    }

    /// The same, behind what is under way to the service: that arrives, and what follows from it does not.
    pub fn cut_after_delivery(&mut self, site: &str) {
        let up = (site.to_owned(), SERVICE.to_owned());
        while let Some(stanza) = self.links.get_mut(&up).and_then(VecDeque::pop_front) {
            self.carry(&up, stanza);
        }
        self.cut(site);
    }

    /// Cuts the link of a site that is being joined, as soon as its registration is granted.
    pub fn cut_while_joining(&mut self, site: &str) {
        self.join_until(site, "syncing");
        self.cut(site);
    }

    /// A site is being joined, and its link has just come to this state.
    pub fn join_until(&mut self, site: &str, state: &str) {
        for _ in 0..STEPS_MAX {
            if self.states(site) == [state] {
                return;
            }
            if !self.step() {
                self.wake_next();
            }
        }
        panic!("it never is {state}");
    }

    pub fn heal(&mut self, site: &str) {
        self.cut.retain(|(from, to)| from != site && to != site);
    }

    /// An operator at one server says that another can be reached again.
    pub fn reachable(&mut self, at: &str, domain: &str) {
        self.feed(at, Input::Reachable(domain.to_owned()));
        self.run();
    }

    /// What a user was sent since this was asked last.
    pub fn take(&mut self, user: &str) -> Vec<Element> {
        self.inbox.remove(user).unwrap_or_default()
    }

    fn carry(&mut self, link: &(String, String), stanza: Element) {
        if self.lost_grants > 0 && stanza.has_child("granted", ns::NETJOIN) {
            self.lost_grants -= 1;
            return;
        }
        let marked = stanza.has_child("x", ns::DMUC);
        if self.lost_refusals > 0 && marked && link.0 == SERVICE && stanza.get("type") == Some("error") {
            self.lost_refusals -= 1;
            return;
        }
        let fault = if marked { self.faults.pop_front().flatten() } else { None };
        match fault {
            Some(Fault::Drop) => {}
            Some(Fault::Late) => {
                let queue = self.links.entry(link.clone()).or_default();
                queue.insert(queue.len().min(1), stanza);
            }
            Some(Fault::Muted) => {
                let mut stanza = stanza;
                stanza.retain(|child| !matches!(child.name(), "show" | "status"));
                self.arrive(link, stanza);
            }
            Some(Fault::Twice) => {
                self.arrive(link, stanza.clone());
                self.arrive(link, stanza);
            }
            None => self.arrive(link, stanza),
        }
    }

    fn arrive(&mut self, (from, domain): &(String, String), stanza: Element) {
        self.crossed.push((from.clone(), domain.clone(), stanza.clone()));
        let to = address(&stanza, "to");
        let wanted = match &self.servers[domain].engine {
            Engine::Service(_) => true,
            Engine::Site(replica) => to.as_str() == format!("replica@{domain}") || replica.wants(&stanza),
            Engine::Plain => false,
        };
        if wanted { self.feed(domain, Input::Stanza(stanza)) } else { self.route(domain, stanza) }
    }

    fn feed(&mut self, domain: &str, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let (mut out, now) = (Vec::new(), self.now);
            match self.servers.get_mut(domain).map(|server| &mut server.engine) {
                Some(Engine::Service(service)) => service.handle(input, now, &mut out),
                Some(Engine::Site(replica)) => replica.handle(input, now, &mut out),
                _ => {}
            }
            for output in out {
                self.carry_out(domain, output, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, domain: &str, output: Output, inputs: &mut VecDeque<Input>) {
        let server = self.servers.get_mut(domain).expect("a server");
        match output {
            Output::Send { to, stanza } => self.route(domain, stanza.addressed(to.as_str())),
            Output::Fan { stanza, copies } => {
                for (to, mark) in copies {
                    let mut copy = stanza.addressed(to.as_str());
                    copy.get_child_mut("x", ns::DMUC).expect("its last child").push(mark);
                    self.route(domain, copy);
                }
            }
            Output::Audience { audience, member, change } => {
                let members = server.audiences.entry(audience).or_default();
                match change {
                    AudienceChange::In(class) => drop(members.insert(member, class)),
                    AudienceChange::Out => drop(members.remove(&member)),
                    AudienceChange::End => drop(server.audiences.remove(&audience)),
                }
            }
            Output::Broadcast { audience, plain, jids, except } => {
                let members = server.audiences.get(&audience).cloned().unwrap_or_default();
                for (member, class) in members.into_iter().filter(|(member, _)| !except.contains(member)) {
                    if let Some(stanza) = if class == Class::Jids { &jids } else { &plain } {
                        self.route(domain, stanza.addressed(member.as_str()));
                    }
                }
            }
            Output::Persist { token, .. } if self.full.contains(domain) => {
                inputs.push_back(Input::PersistFailed(token))
            }
            Output::Persist { token, changes } => inputs.push_back(server.commit(token, changes)),
            Output::Query { id, query } => inputs.push_back(Input::Rows(id, Some(server.page(&query)))),
            Output::Renew(other) => self.renewed.push((domain.to_owned(), other)),
            Output::Log(text) => self.logs.push(format!("{domain}: {text}")),
        }
    }

    /// A stanza from somebody at `domain` to wherever it is for.
    fn route(&mut self, domain: &str, stanza: Element) {
        let to = address(&stanza, "to");
        if to.domain() == domain {
            self.inbox.entry(to.to_string()).or_default().push(stanza);
            return;
        }
        let link = (domain.to_owned(), to.domain().to_owned());
        if self.cut.contains(&link) {
            self.bounce(&link, &stanza);
        } else {
            // Bytes in between: what one end builds the other parses.
            let read = Element::parse(&stanza.to_xml()).expect("a stanza that was written");
            self.links.entry(link).or_default().push_back(read);
        }
    }

    /// The sender's own server says that the other was not reached.
    fn bounce(&mut self, (from, to): &(String, String), stanza: &Element) {
        if !xmpp::stanza::answerable(stanza) {
            return;
        }
        let error: xmpp::stanza::StanzaError = xmpp::stanza::Condition::RemoteServerTimeout.into();
        let link = (to.clone(), from.clone());
        self.cut.remove(&link);
        self.arrive(&link, error.reply(stanza));
        self.cut.insert(link);
    }

    /// How many stanzas of a kind crossed from the service to a site since the start.
    pub fn down_to(&self, site: &str, test: impl Fn(&Element) -> bool) -> usize {
        self.crossed.iter().filter(|(from, to, stanza)| from == SERVICE && to == site && test(stanza)).count()
    }

    /// The archive of the room at its primary, or its mirror at a site: bodies in order.
    pub fn archived(&self, domain: &str) -> Vec<String> {
        let aside = |row: &&Row| row.archive.starts_with("refused:") || row.archive.starts_with("lost:");
        let rows = self.servers[domain].rows.iter().filter(|row| !aside(row));
        let mut rows: Vec<&Row> = rows.collect();
        rows.sort_by_key(|row| row.seq);
        let body = |row: &Row| Element::parse(&row.stanza).ok()?.get_child("body", ns::CLIENT).map(Element::content);
        rows.into_iter().filter_map(body).collect()
    }

    /// The keys of a server's records in this space.
    pub fn keys(&self, domain: &str, space: &str) -> Vec<&str> {
        let records = self.servers[domain].records.keys();
        records.filter(|(of, ..)| of == space).map(|(.., key)| key.as_str()).collect()
    }

    /// What stands in one archive of a server.
    pub fn rows_of(&self, domain: &str, archive: &str) -> Vec<String> {
        let rows = self.servers[domain].rows.iter().filter(|row| row.archive == archive);
        rows.map(|row| row.stanza.clone()).collect()
    }

    /// The states of a site's links.
    pub fn states(&self, site: &str) -> Vec<&'static str> {
        match &self.servers[site].engine {
            Engine::Site(replica) => replica.links(self.now).into_iter().map(|link| link.state).collect(),
            _ => Vec::new(),
        }
    }

    /// How often a mirror of a site was found to differ from its room; of a service, how often it was told so.
    pub fn mismatches(&self, site: &str) -> u64 {
        match &self.servers[site].engine {
            Engine::Site(replica) => replica.tallies().map(|(_, tally)| tally.mismatches).sum(),
            Engine::Service(primary) => primary.tallies().map(|(_, tally)| tally.mismatches).sum(),
            _ => 0,
        }
    }

    pub fn says(&mut self, nick: &str, body: &str) {
        self.user(&says(of(nick), body));
    }
}

/// All that engines have put on links is kept for the schema.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            schema::collect(self.crossed.iter().map(|(_, _, stanza)| stanza));
        }
    }
}

impl Server {
    fn commit(&mut self, token: Token, changes: Vec<Change>) -> Input {
        for change in changes {
            match change {
                Change::Put { space, owner, key, value } => {
                    self.records.insert((space.into(), owner, key), value);
                }
                Change::Delete { space, owner, key } => drop(self.records.remove(&(space.into(), owner, key))),
                Change::DeleteAll { space, owner } => self.records.retain(|k, _| k.0 != space || k.1 != owner),
                Change::Append(row) => {
                    let of_archive = || self.rows.iter().filter(|r| r.archive == row.archive);
                    if of_archive().all(|r| r.id != row.id) {
                        assert!(of_archive().all(|r| r.seq != row.seq), "its place is taken: {row:?}");
                        self.rows.push(row);
                    }
                }
                Change::DeleteRow { archive, id } => self.rows.retain(|r| r.archive != archive || r.id != id),
                Change::Born { archive, ids, base } => {
                    let named = |row: &&mut Row| row.archive == archive && ids.contains(&row.id);
                    self.rows.iter_mut().filter(named).for_each(|row| row.bear(base));
                }
                Change::Settle { row, above, aside } => settle(&mut self.rows, row, above, &aside),
                Change::MoveRows { archive, above, below, to, shift } => {
                    move_rows(&mut self.rows, (archive, above, below), &to, shift);
                }
                Change::DeleteArchive { archive } => self.rows.retain(|r| r.archive != archive),
                Change::TrimArchive { archive, before_ms } => {
                    self.rows.retain(|r| r.archive != archive || r.stamp_ms >= before_ms);
                }
            }
        }
        Input::Persisted(token)
    }

    /// A page of an archive, as far as rooms and clients here ask for one.
    fn page(&self, query: &ArchiveQuery) -> ArchivePage {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.archive == query.archive).collect();
        rows.retain(|row| query.ids.is_empty() || query.ids.contains(&row.id));
        rows.sort_by_key(|row| row.seq);
        let place_of = |id: &String| {
            let row = rows.iter().find(|row| row.id == id.trim_end_matches('~'))?;
            let born = row
                .born
                .as_ref()
                .filter(|born| !id.ends_with('~') && query.site.as_ref().is_some_and(|site| born.is_for(site)));
            Some(born.map_or(row.seq, |born| born.base.min(row.seq)))
        };
        let between = query.between.as_deref().cloned().unwrap_or_default();
        let named = [&query.after_id, &between.after_id, &between.before_id];
        if named.into_iter().flatten().any(|id| place_of(id).is_none()) {
            return ArchivePage { unknown_id: true, ..ArchivePage::default() };
        }
        let [behind, filter, before] = named.map(|id| id.as_ref().and_then(place_of));
        let behind = behind.max(filter);
        let after = behind.max(query.after_seq);
        let lies = |row: &&&Row| {
            after.is_none_or(|seq| row.seq > seq)
                && before.is_none_or(|seq| row.seq < seq)
                && query.with.as_ref().is_none_or(|by| by.lets_through(row))
        };
        let mut page: Vec<Row> = rows.iter().filter(lies).map(|&row| row.clone()).collect();
        let complete = page.len() <= query.max;
        if query.backwards {
            page.drain(..page.len().saturating_sub(query.max));
        } else {
            page.truncate(query.max);
        }
        ArchivePage { rows: page, complete, behind: behind.unwrap_or_default(), count: None, unknown_id: false }
    }
}

fn service_config() -> PrimaryConfig {
    PrimaryConfig {
        domain: SERVICE.parse().expect("a domain"),
        create: Create::Anyone,
        local_domains: Vec::new(),
        admins: Vec::new(),
        contacts: Default::default(),
        replicas: vec!["*".into()],
        keepalive_seconds: 60,
        suspect_seconds: 10,
        retention_seconds: 3_600,
        mark_away: true,
        supply_members: true,
    }
}

fn address(stanza: &Element, name: &str) -> Jid {
    stanza.get(name).and_then(|text| Jid::new(text).ok()).expect("every stanza here has both addresses")
}

/// Most stanzas one step may lead to.
const STEPS_MAX: usize = 5_000;
