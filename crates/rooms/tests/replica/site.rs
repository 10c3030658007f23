//! One site of the cast, eris.dclxvii.irc unless said otherwise, with the test in the place of the primary: its replica,
//! its users, its disk, and everything that leaves it, in order.

use machine::{AudienceChange, AudienceId, Change, Class, Input, Machine, Now, Output, Record, Row, Token};
use rooms::wire::{At, Down, Granted, HistorySent, Kind, Mark, Replicate, RoomConfig, RosterSent, Verdict};
use rooms::{Replica, ReplicaConfig, Role, SplitConfig};
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid, ns};

pub const ROOM: &str = "wallops@channel.avalon.irc";
pub const SERVICE: &str = "channel.avalon.irc";
pub const WIZ: &str = "squit@eris.dclxvii.irc/jupiter";
pub const TROY: &str = "troy@eris.dclxvii.irc/screwdriver";
pub const BIGCHEESE: &str = "rubenro@vesa.yeggmaex.irc/shaver";
/// When Phaedrus was answered in the XEP.
pub const THEN_MS: i64 = 655_862_317_000;

/// A site.
pub struct Site {
    pub replica: Replica,
    pub now: Now,
    /// The replica's address.
    pub jid: String,
    config: ReplicaConfig,
    pub records: BTreeMap<(String, String, String), String>,
    pub rows: Vec<Row>,
    /// Whether writes succeed.
    pub disk_works: bool,
    /// Which start of the primary the next registration is granted by.
    pub term: &'static str,
    /// The room's last event, as that grant says it.
    pub granted_seq: u64,
    audiences: BTreeMap<AudienceId, BTreeMap<Jid, Class>>,
    epoch: u32,
    d: u64,
    outbox: String,
}

/// What [`Change::Settle`] says, as a store does it.
pub fn settle(rows: &mut Vec<Row>, row: Row, above: u64, aside: &str) {
    if rows.iter().any(|r| r.archive == row.archive && r.id == row.id && r.seq <= above.min(row.seq - 1)) {
        return;
    }
    rows.retain(|r| r.id != row.id || (r.archive != aside && (r.archive != row.archive || r.seq == row.seq)));
    let end = rows.iter().filter(|r| r.archive == aside).map(|r| r.seq).max().unwrap_or(0);
    let (above, seq) = (above.min(row.seq - 1), row.seq);
    let lies = |r: &&mut Row| r.archive == row.archive && r.seq > above && r.seq <= seq && r.id != row.id;
    for other in rows.iter_mut().filter(lies) {
        (other.archive, other.seq) = (aside.to_owned(), end + other.seq - above);
    }
    if !rows.iter().any(|r| r.archive == row.archive && r.id == row.id) {
        rows.push(row);
    }
}

/// Moves the rows between two places of an archive, as a store does.
pub fn move_rows(rows: &mut [Row], (archive, above, below): (String, u64, u64), to: &str, shift: u64) {
    for row in rows.iter_mut().filter(|row| row.archive == archive && row.seq > above && row.seq < below) {
        (row.archive, row.seq) = (to.to_owned(), row.seq + shift);
    }
}

/// The settings of a site's replica.
pub fn config(domain: &str) -> ReplicaConfig {
    ReplicaConfig {
        jid: format!("replica@{domain}").parse().unwrap(),
        domains: vec![domain.to_owned()],
        primaries: vec!["*".into()],
        keepalive_seconds: 60,
        suspect_seconds: 10,
        grace_seconds: 300,
        mirror_days: 30,
        split: SplitConfig::default(),
    }
}

impl Site {
    pub fn new(domain: &str) -> Site {
        Site::with_config(config(domain))
    }

    /// One with other settings.
    pub fn with_config(config: ReplicaConfig) -> Site {
        Site {
            replica: Replica::new(config.clone(), [1; 32], Vec::new(), Vec::new()),
            jid: config.jid.to_string(),
            config,
            now: Now { mono_ms: 1_000, unix_ms: THEN_MS },
            records: BTreeMap::new(),
            rows: Vec::new(),
            disk_works: true,
            term: "t1",
            granted_seq: 800,
            audiences: BTreeMap::new(),
            epoch: 0,
            d: 0,
            outbox: String::new(),
        }
    }

    /// The process dies and starts again with what is on disk.
    pub fn restart(&mut self) {
        let record = |((space, owner, key), value): (&(String, String, String), &String)| Record {
            space: space.clone(),
            owner: owner.clone(),
            key: key.clone(),
            value: value.clone(),
        };
        let records = self.records.iter().map(record).collect();
        self.replica = Replica::new(self.config.clone(), [2; 32], records, self.rows.clone());
        self.audiences.clear();
    }

    /// Feeds a stanza as the router would: gives what leaves, each with its address, in order.
    pub fn send(&mut self, stanza: &str) -> Vec<Element> {
        let stanza = Element::parse(stanza).expect("a test's stanza");
        if stanza.get("to") != Some(&self.jid) && !self.replica.wants(&stanza) {
            return vec![stanza];
        }
        self.feed(Input::Stanza(stanza))
    }

    pub fn feed(&mut self, input: Input) -> Vec<Element> {
        let (mut got, mut inputs) = (Vec::new(), VecDeque::from([input]));
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.replica.handle(input, self.now, &mut out);
            for output in out {
                self.carry_out(output, &mut got, &mut inputs);
            }
        }
        got
    }

    /// Lets time pass.
    pub fn pass_ms(&mut self, ms: u64) -> Vec<Element> {
        let (end, mut got) = (self.now.mono_ms + ms, Vec::new());
        while let Some(at) = self.replica.next_timeout().filter(|at| *at <= end) {
            self.set_clock(at.max(self.now.mono_ms));
            got.extend(self.feed(Input::Timeout));
        }
        self.set_clock(end);
        got
    }

    fn set_clock(&mut self, mono_ms: u64) {
        self.now = Now { mono_ms, unix_ms: self.now.unix_ms + (mono_ms - self.now.mono_ms) as i64 };
    }

    fn carry_out(&mut self, output: Output, got: &mut Vec<Element>, inputs: &mut VecDeque<Input>) {
        match output {
            Output::Send { to, stanza } => got.push(stanza.addressed(to.as_str())),
            Output::Audience { audience, member, change } => {
                let members = self.audiences.entry(audience).or_default();
                match change {
                    AudienceChange::In(class) => drop(members.insert(member, class)),
                    AudienceChange::Out => drop(members.remove(&member)),
                    AudienceChange::End => drop(self.audiences.remove(&audience)),
                }
            }
            Output::Broadcast { audience, plain, jids, except } => {
                for (member, class) in self.audiences.get(&audience).into_iter().flatten() {
                    let stanza = if *class == Class::Jids { &jids } else { &plain };
                    let stanza = stanza.as_ref().filter(|_| !except.contains(member));
                    got.extend(stanza.map(|stanza| stanza.addressed(member.as_str())));
                }
            }
            Output::Persist { token, changes } => inputs.push_back(self.commit(token, changes)),
            Output::Log(_) | Output::Renew(_) => {}
            Output::Fan { .. } | Output::Query { .. } => panic!("a replica has no replicas, and reads no archive"),
        }
    }

    fn commit(&mut self, token: Token, changes: Vec<Change>) -> Input {
        if !self.disk_works {
            return Input::PersistFailed(token);
        }
        for change in changes {
            match change {
                Change::Put { space, owner, key, value } => {
                    self.records.insert((space.into(), owner, key), value);
                }
                Change::Delete { space, owner, key } => drop(self.records.remove(&(space.into(), owner, key))),
                Change::Append(row) => {
                    if !self.rows.iter().any(|r| r.archive == row.archive && r.id == row.id) {
                        self.rows.push(row);
                    }
                }
                Change::Settle { row, above, aside } => settle(&mut self.rows, row, above, &aside),
                Change::MoveRows { archive, above, below, to, shift } => {
                    move_rows(&mut self.rows, (archive, above, below), &to, shift)
                }
                Change::DeleteRow { archive, id } => self.rows.retain(|r| r.archive != archive || r.id != id),
                Change::DeleteArchive { archive } => self.rows.retain(|r| r.archive != archive),
                Change::TrimArchive { archive, before_ms } => {
                    self.rows.retain(|r| r.archive != archive || r.stamp_ms >= before_ms);
                }
                other => panic!("{other:?}"),
            }
        }
        Input::Persisted(token)
    }

    /// The service answers what it is; gives what leaves then.
    pub fn announce(&mut self, asked: &[Element]) -> Vec<Element> {
        let id = asked.iter().find(|s| s.has_child("query", ns::DISCO_INFO)).and_then(|s| s.get("id")).expect("asked");
        self.send(&format!(
            "<iq type='result' id='{id}' from='{SERVICE}' to='{}'><query xmlns='{}'>\
             <feature var='{}'/></query></iq>",
            self.jid,
            ns::DISCO_INFO,
            ns::DMUC
        ))
    }

    /// The registration among what left.
    pub fn request(&self, left: &[Element]) -> (String, Replicate) {
        let iq = left.iter().find(|s| s.has_child("replicate", ns::NETJOIN)).expect("a registration");
        let replicate = Replicate::parse(iq.get_child("replicate", ns::NETJOIN).expect("it has one"));
        (iq.get("id").expect("an id").to_owned(), replicate.expect("one that the other end can read"))
    }

    /// The primary grants: everything offered is acknowledged up to `n`, everybody is kept.
    pub fn grant(&mut self, left: &[Element], n: u64, missed: bool) -> Vec<Element> {
        self.grant_with(left, n, missed, |_| Verdict::Kept)
    }

    /// The same with a verdict on each seat of the census; where nobody is in, there is nothing else.
    pub fn grant_with(
        &mut self,
        left: &[Element],
        n: u64,
        missed: bool,
        verdict: impl Fn(&rooms::wire::CensusSeat) -> Verdict,
    ) -> Vec<Element> {
        let (id, request) = self.request(left);
        let granted = self.granted(&request, n, missed, verdict);
        self.answer(&id, &granted)
    }

    /// What a primary grants.
    pub fn granted(
        &mut self,
        request: &Replicate,
        n: u64,
        missed: bool,
        verdict: impl Fn(&rooms::wire::CensusSeat) -> Verdict,
    ) -> Granted {
        self.outbox = request.outboxes[0].name.clone();
        (self.epoch, self.d) = (self.epoch + 1, 0);
        let seat = |seat: &rooms::wire::CensusSeat| rooms::wire::Seat {
            nick: seat.nick.clone(),
            jid: seat.jid.clone(),
            verdict: verdict(seat),
        };
        let seats: Vec<_> = request.census.iter().flat_map(|(_, seats)| seats).map(seat).collect();
        let nobody = !seats.is_empty() && seats.iter().all(|seat| matches!(seat.verdict, Verdict::Removed(_)));
        let (roster, history) = match missed {
            _ if nobody => (RosterSent::None, HistorySent::None),
            true => (RosterSent::Full, HistorySent::Missed),
            false => (RosterSent::Full, HistorySent::Recent),
        };
        Granted {
            version: 0,
            epoch: format!("e{}", self.epoch),
            incarnation: "i1".into(),
            term: self.term.into(),
            begun: self.granted_seq,
            seq: self.granted_seq,
            keepalive: 60,
            maxstanzas: 100,
            maxbytes: 65_536,
            roster,
            history,
            marks: request.outboxes.iter().map(|o| Mark { outbox: o.name.clone(), n, key: [7; 32] }).collect(),
            seats,
        }
    }

    /// The answer to a registration.
    pub fn answer(&mut self, id: &str, granted: &Granted) -> Vec<Element> {
        let iq = Element::stanza("iq").attr("type", "result").attr("id", id).attr("from", ROOM);
        self.feed(Input::Stanza(iq.attr("to", &self.jid).child(granted.element())))
    }

    /// Something down, numbered on.
    pub fn down(&mut self, stanza: &str, down: Down, kind: Kind, seq: Option<u64>) -> Vec<Element> {
        self.d += 1;
        let at = At { seq, ..At::new(&format!("e{}", self.epoch), self.d, kind) };
        self.down_at(stanza, down, at)
    }

    pub fn down_at(&mut self, stanza: &str, down: Down, at: At) -> Vec<Element> {
        let stanza = Element::parse(stanza).expect("a test's stanza");
        let stanza = stanza.attr("to", &self.jid).child(down.x().child(at.element()));
        self.feed(Input::Stanza(Element::parse(&stanza.to_xml()).expect("it was written by us")))
    }

    /// The next marks down.
    pub fn at(&mut self, kind: Kind, seq: Option<u64>) -> At {
        self.d += 1;
        At { seq, ..At::new(&format!("e{}", self.epoch), self.d, kind) }
    }

    pub fn event(&mut self, stanza: &str, seq: u64) -> Vec<Element> {
        let said_ms = stanza.starts_with("<message").then_some(THEN_MS);
        self.down(stanza, Down::Event { said_ms, config: None }, Kind::Event, Some(seq))
    }

    pub fn enter(&mut self, own: &str, jid: &str) -> Vec<Element> {
        let down = Down::Enter { jid: jid.parse().unwrap(), history: Default::default() };
        self.down(own, down, Kind::Enter, None)
    }

    pub fn outbox(&self) -> String {
        self.outbox.clone()
    }

    /// A whole snapshot: (nick, affiliation, role) of each seat, and what was said.
    pub fn snapshot(&mut self, roster: &[(&str, &str, &str)], said: &[(u64, &str, &str)], seq: u64) -> Vec<Element> {
        let mut got = self.down(&message(""), Down::Config(room_config()), Kind::Config, None);
        for (nick, affiliation, role) in roster {
            got.extend(self.down(&presence(nick, affiliation, role), Down::Roster, Kind::Roster, None));
        }
        for (seq, nick, body) in said {
            let down = Down::Past { said_ms: Some(THEN_MS - 1_000 + *seq as i64) };
            got.extend(self.down(&groupchat(nick, body, *seq), down, Kind::Missed, Some(*seq)));
        }
        let subject = format!("<message from='{ROOM}' type='groupchat'><subject/></message>");
        got.extend(self.down(&subject, Down::Past { said_ms: None }, Kind::Subject, None));
        got.extend(self.down(&message(""), SYNCED, Kind::Synced, Some(seq)));
        got
    }

    /// A site whose users with these nicks and addresses are in the room, with everybody else of the cast.
    pub fn with_users(domain: &str, users: &[(&str, &str)]) -> Site {
        Site::new(domain).entered_by(users)
    }

    /// The same for a site that nobody is at yet.
    pub fn entered_by(mut self, users: &[(&str, &str)]) -> Site {
        let site = &mut self;
        let [(nick, jid), others @ ..] = users else { return self };
        let asked = site.send(&join(jid, nick));
        let left = site.announce(&asked);
        site.grant(&left, 0, false);
        let cast: Vec<_> = CAST.into_iter().filter(|(nick, ..)| !users.iter().any(|(n, _)| n == nick)).collect();
        site.snapshot(&cast, &[], 800);
        let mut seq = 800;
        for (index, (nick, jid)) in [(*nick, *jid)].iter().chain(others).enumerate() {
            if index > 0 {
                site.send(&join(jid, nick));
            }
            seq += 1;
            let (_, affiliation, role) = CAST.into_iter().find(|(n, ..)| n == nick).expect("one of the cast");
            site.event(&presence(nick, affiliation, role), seq);
            site.enter(&own_presence(nick, affiliation, role), jid);
        }
        self
    }
}

pub const SYNCED: Down = Down::Synced { gap: false };

/// Dramatis personae: nick, affiliation, role.
pub const CAST: [(&str, &str, &str); 7] = [
    ("Wumpus", "owner", "moderator"),
    ("Valdis", "none", "participant"),
    ("Phaedrus", "none", "participant"),
    ("WiZ", "admin", "participant"),
    ("Troy", "none", "participant"),
    ("BigCheese", "none", "participant"),
    ("Efchen", "none", "participant"),
];

pub fn room_config() -> RoomConfig {
    RoomConfig {
        whois_anyone: false,
        moderated: false,
        broadcast: vec![Role::Moderator, Role::Participant, Role::Visitor],
        private_messages: Some(Role::Visitor),
        history: 20,
        logging: true,
    }
}

fn message(content: &str) -> String {
    format!("<message from='{ROOM}'>{content}</message>")
}

/// Presence of an occupant as others see it.
pub fn presence(nick: &str, affiliation: &str, role: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}'><x xmlns='{}'><item affiliation='{affiliation}' role='{role}'/></x></presence>",
        ns::MUC_USER
    )
}

pub fn unavailable(nick: &str, statuses: &str) -> String {
    format!(
        "<presence from='{ROOM}/{nick}' type='unavailable'><x xmlns='{}'>\
         <item affiliation='none' role='none'/>{statuses}</x></presence>",
        ns::MUC_USER
    )
}

pub fn own_presence(nick: &str, affiliation: &str, role: &str) -> String {
    presence(nick, affiliation, role).replace("</x>", "<status code='110'/></x>")
}

/// A message as the room has broadcast it.
pub fn groupchat(nick: &str, body: &str, seq: u64) -> String {
    format!(
        "<message from='{ROOM}/{nick}' type='groupchat'><body>{body}</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s{seq}'/></message>"
    )
}

pub fn join(from: &str, nick: &str) -> String {
    format!("<presence from='{from}' to='{ROOM}/{nick}'><x xmlns='{}'/></presence>", ns::MUC)
}

pub fn leaves(from: &str, nick: &str) -> String {
    format!("<presence from='{from}' type='unavailable' to='{ROOM}/{nick}'/>")
}

pub fn says(from: &str, body: &str) -> String {
    format!("<message from='{from}' type='groupchat' to='{ROOM}'><body>{body}</body></message>")
}

/// One stanza a line.
pub fn lines(got: &[Element]) -> Vec<String> {
    got.iter().map(Element::to_xml).collect()
}

/// The same without the stanza-ids a test does not look at.
pub fn shown(got: &[Element]) -> Vec<String> {
    let without = |stanza: &Element| {
        let mut stanza = stanza.clone();
        stanza.retain(|child| child.ns() != ns::SID);
        stanza.to_xml()
    };
    got.iter().map(without).collect()
}

/// Parsed and written again, so that a test may quote as it likes.
pub fn xml(text: &str) -> String {
    Element::parse(text).expect("a test's stanza").to_xml()
}
