//! Two servers without sockets: the host's part, as the server crate plays it, around two real machines.

use accounts::config::Service;
use accounts::records::put_credentials;
use accounts::{Accounts, AccountsConfig, Closed, is_for_accounts};
use machine::{Change, Input, Machine, Now, Output, Record, Token};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use store::disk::SimDisk;
use xmpp::sasl::Credentials;
use xmpp::{Element, Jid};

pub const ROMEO: &str = "romeo@example.net/orchard";
pub const JULIET: &str = "juliet@example.com/balcony";
pub const CHAMBER: &str = "juliet@example.com/chamber";
pub const NURSE: &str = "nurse@example.com/kitchen";

/// Two domains, whose users are the RFC's, with their stores and what each session has received.
pub struct World {
    pub sites: BTreeMap<String, Accounts>,
    /// What the stores hold, by domain, space, owner and key.
    pub stores: BTreeMap<String, BTreeMap<(String, String, String), String>>,
    /// The archives of the stores.
    pub archives: BTreeMap<String, SimDisk>,
    /// Persists that the store has not answered, while it is held.
    pub waiting: VecDeque<(String, Token, Vec<Change>)>,
    /// Whether Persists wait for [`World::commit`] and [`World::fail`].
    pub held: bool,
    /// Streams the host was told to close.
    pub closed: Vec<Closed>,
    /// How often a machine was started: each time with another seed, as on a server.
    starts: u8,
    /// The clock.
    pub mono_ms: u64,
    inputs: VecDeque<(String, Input)>,
    /// The host's own table of who is connected.
    streams: BTreeSet<Jid>,
    received: BTreeMap<String, Vec<String>>,
    /// Settings that are not the default ones, for both domains.
    pub settings: fn(&mut AccountsConfig),
    /// What went to addresses that are no user's here: rooms and other servers.
    pub abroad: Vec<String>,
}

impl World {
    /// `romeo@example.net`, `juliet@example.com` and `nurse@example.com`, all without a roster.
    pub fn new() -> World {
        let mut world = World {
            sites: BTreeMap::new(),
            stores: BTreeMap::new(),
            archives: BTreeMap::new(),
            waiting: VecDeque::new(),
            held: false,
            closed: Vec::new(),
            streams: BTreeSet::new(),
            starts: 0,
            mono_ms: 1_000,
            inputs: VecDeque::new(),
            received: BTreeMap::new(),
            abroad: Vec::new(),
            settings: |_| {},
        };
        world.site("example.net", &["romeo"]);
        world.site("example.com", &["juliet", "nurse"]);
        world
    }

    fn site(&mut self, domain: &str, users: &[&str]) {
        let store = self.stores.entry(domain.to_owned()).or_default();
        let Change::Put { value: record, .. } = put_credentials("", &password("R0m30")) else {
            panic!("credentials are one record")
        };
        for user in users {
            store.insert(("account".into(), (*user).into(), "credentials".into()), record.clone());
        }
        self.restart(domain);
    }

    /// The machine anew, from what its store holds; its streams are gone without a word.
    pub fn restart(&mut self, domain: &str) {
        self.starts += 1;
        let mut config = AccountsConfig::new(jid(domain));
        config.disco_services = vec![Service { jid: jid("chat.example.com"), name: Some("Rooms".to_owned()) }];
        config.reserved = vec!["replica".into()];
        (self.settings)(&mut config);
        let recent = self.archives.entry(domain.to_owned()).or_default().load(1).recent;
        let records = self.stores[domain].iter().map(|((space, owner, key), value)| Record {
            space: space.clone(),
            owner: owner.clone(),
            key: key.clone(),
            value: value.clone(),
        });
        self.sites.insert(domain.into(), Accounts::new(config, [self.starts; 32], records.collect(), &recent));
        self.streams.retain(|jid| jid.domain() != domain);
    }

    /// Binds a resource.
    pub fn bind(&mut self, full: &str) -> accounts::Bound {
        let mut out = Vec::new();
        let domain = jid(full).domain().to_owned();
        let bound = self.site_of(full).bind(&jid(full), &mut out).expect("there is room for a session");
        self.carry_out(&domain, out);
        self.streams.insert(bound.jid.clone());
        bound
    }

    /// Binds, asks for the roster, sends initial presence; what that brings is not looked at.
    pub fn online(&mut self, full: &str) {
        self.bind(full);
        self.says(full, "<iq type='get' id='bv1bs71f'><query xmlns='jabber:iq:roster'/></iq>");
        self.says(full, "<presence/>");
        self.forget();
    }

    /// The stream ends.
    pub fn ends(&mut self, full: &str) {
        self.streams.remove(&jid(full));
        self.input(full, Input::SessionEnded(jid(full)));
    }

    /// A client sends a stanza; the host stamps it and finds its way.
    pub fn says(&mut self, full: &str, stanza: &str) {
        let stanza = Element::parse(stanza).expect("the test's stanza is XML").attr("from", full);
        let to = stanza.get("to").map(jid);
        let from = jid(full);
        if is_for_accounts(&stanza, &from, to.as_ref(), from.domain()) {
            return self.input(full, Input::Stanza(stanza));
        }
        let to = to.expect("what has no address is for accounts");
        let mut out = Vec::new();
        let now = self.now();
        let goes_on = self.site_of(full).note_outgoing(&stanza, &from, &to, now, &mut out);
        self.carry_out(from.domain(), out);
        if !goes_on {
            return;
        }
        self.arrive(&to, stanza);
    }

    /// A stanza comes from elsewhere: a room, another server.
    pub fn arrives(&mut self, stanza: &str) {
        let stanza = Element::parse(stanza).expect("the test's stanza is XML");
        let to = jid(stanza.get("to").expect("what comes from elsewhere has an address"));
        self.arrive(&to, stanza);
    }

    fn arrive(&mut self, to: &Jid, stanza: Element) {
        if !self.sites.contains_key(to.domain()) {
            return self.abroad.push(stanza.to_xml());
        }
        let from = jid(stanza.get("from").expect("the host has stamped it"));
        if is_for_accounts(&stanza, &from, Some(to), to.domain()) || !self.streams.contains(to) {
            return self.input(to.as_str(), Input::Stanza(stanza));
        }
        let mut out = Vec::new();
        let now = self.now();
        let goes_on = self.site_of(to.as_str()).note_incoming(&stanza, &from, to, now, &mut out);
        self.carry_out(to.domain(), out);
        if goes_on {
            self.received.entry(to.to_string()).or_default().push(stanza.to_xml());
        }
    }

    /// The time, which goes by as `mono_ms` does.
    pub fn now(&self) -> Now {
        Now { mono_ms: self.mono_ms, unix_ms: 1_700_000_000_000 - 1_000 + self.mono_ms as i64 }
    }

    /// One input after the other, as on the core thread: what a machine causes comes behind what is waiting.
    fn input(&mut self, whose: &str, input: Input) {
        self.inputs.push_back((whose.to_owned(), input));
        if self.inputs.len() > 1 {
            return;
        }
        while let Some((whose, input)) = self.inputs.front().cloned() {
            let mut out = Vec::new();
            let now = self.now();
            self.site_of(&whose).handle(input, now, &mut out);
            self.carry_out(jid(&whose).domain(), out);
            self.close();
            self.inputs.pop_front();
        }
    }

    /// Closes what is to be closed, after all that was to be sent before.
    fn close(&mut self) {
        for closed in self.sites.values_mut().flat_map(Accounts::take_closed) {
            self.streams.remove(&closed.jid);
            self.closed.push(closed);
        }
    }

    /// Does what a machine wants done, in order.
    pub fn carry_out(&mut self, domain: &str, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { to, stanza } => {
                    let here = to.domain() == domain;
                    let stanza = stanza.addressed(to.as_str());
                    match here && !to.is_bare() {
                        true if self.streams.contains(&to) => {
                            self.received.entry(to.to_string()).or_default().push(stanza.to_xml());
                        }
                        true => {}
                        false => self.arrive(&to, stanza),
                    }
                }
                Output::Persist { token, changes } => {
                    self.waiting.push_back((domain.to_owned(), token, changes));
                    if !self.held {
                        self.commit();
                    }
                }
                Output::Query { id, query } => {
                    let page = self.archives.entry(domain.to_owned()).or_default().query(&query);
                    self.input(domain, Input::Rows(id, Some(page)));
                }
                other => panic!("accounts do nothing like {other:?}"),
            }
        }
    }

    /// The store commits the oldest Persist.
    pub fn commit(&mut self) {
        let (domain, token, changes) = self.waiting.pop_front().expect("something is to be persisted");
        let store = self.stores.get_mut(&domain).expect("every site has a store");
        for change in changes {
            match change {
                Change::Put { space, owner, key, value } => {
                    store.insert((space.into(), owner, key), value);
                }
                Change::Delete { space, owner, key } => {
                    store.remove(&(space.into(), owner, key));
                }
                Change::DeleteAll { space, owner } => store.retain(|(s, o, _), _| s != space || *o != owner),
                archived => {
                    self.archives.entry(domain.clone()).or_default().persist(vec![archived]).expect("no conflict");
                }
            }
        }
        self.input(&domain, Input::Persisted(token));
    }

    /// The store refuses the oldest Persist.
    pub fn fail(&mut self) {
        let (domain, token, _) = self.waiting.pop_front().expect("something is to be persisted");
        self.input(&domain, Input::PersistFailed(token));
    }

    /// What a session has received since the last look.
    pub fn hears(&mut self, full: &str) -> Vec<String> {
        self.received.remove(full).unwrap_or_default()
    }

    /// The kinds of what a session has received since the last look: `presence unavailable`, `iq set` …
    pub fn kinds(&mut self, full: &str) -> Vec<String> {
        let kind = |xml: String| {
            let stanza = Element::parse(&xml).expect("it was written by us");
            format!("{} {}", stanza.name(), stanza.get("type").unwrap_or_default()).trim_end().to_owned()
        };
        self.hears(full).into_iter().map(kind).collect()
    }

    /// Nobody has received anything yet.
    pub fn forget(&mut self) {
        self.received.clear();
        self.abroad.clear();
    }

    /// The item of a contact as a client sees it that asks now, as XML; empty where there is none.
    pub fn item(&mut self, bare: &str, contact: &str) -> String {
        let probe = format!("{bare}/look");
        self.bind(&probe);
        self.says(&probe, "<iq type='get' id='look'><query xmlns='jabber:iq:roster'/></iq>");
        let result = Element::parse(&self.hears(&probe).pop().expect("a roster is answered")).expect("it is XML");
        self.ends(&probe);
        let query = result.get_child("query", xmpp::ns::ROSTER).expect("a result has the roster");
        query.children().find(|i| i.get("jid") == Some(contact)).map(Element::to_xml).unwrap_or_default()
    }

    /// Makes Romeo and Juliet mutual subscribers, both online and silent.
    pub fn lovers() -> World {
        let mut world = World::new();
        world.online(ROMEO);
        world.online(JULIET);
        world.says(ROMEO, "<presence to='juliet@example.com' type='subscribe'/>");
        world.says(JULIET, "<presence to='romeo@example.net' type='subscribed'/>");
        world.says(JULIET, "<presence to='romeo@example.net' type='subscribe'/>");
        world.says(ROMEO, "<presence to='juliet@example.com' type='subscribed'/>");
        world.forget();
        world
    }

    pub fn site_of(&mut self, address: &str) -> &mut Accounts {
        self.sites.get_mut(jid(address).domain()).expect("the address is of one of the two domains")
    }
}

/// Credentials for a password, quickly derived.
pub fn password(password: &str) -> Credentials {
    Credentials::new(password, b"0123456789abcdef", 1)
}

pub fn jid(text: &str) -> Jid {
    Jid::new(text).expect("the test's address is one")
}
