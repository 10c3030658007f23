//! Drives a whole [`Primary`] and carries its outputs out as a server would: audiences are kept and broadcasts expanded to
//! who gets what, in order; persisting and queries are answered from memory, or held, or failed, as the test says.

use crate::service::{Create, Primary, PrimaryConfig};
use machine::{
    ArchivePage, ArchiveQuery, AudienceChange, AudienceId, Change, Class, Input, Machine, Now, Output, Record, Row,
    Token,
};
use std::collections::{BTreeMap, VecDeque};
use xmpp::{Element, Jid};

/// A stanza as one recipient got it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Got {
    pub to: String,
    pub stanza: Element,
}

/// What the disk does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Works,
    /// Nothing is answered until [`Kit::disk`] is called again.
    Hangs,
    Fails,
}

/// A service, its disk and its wires.
pub(crate) struct Kit {
    pub service: Primary,
    pub now: Now,
    pub records: BTreeMap<(String, String, String), String>,
    pub rows: Vec<Row>,
    pub logs: Vec<String>,
    /// Everything that came out, as it was.
    pub outputs: Vec<Output>,
    audiences: BTreeMap<AudienceId, BTreeMap<Jid, Class>>,
    disk: Disk,
    held: VecDeque<(Token, Vec<Change>)>,
    starts: u8,
}

/// 2002-10-13T23:58:37Z, when the witches met.
pub(crate) const THEN_MS: i64 = 1_034_553_517_000;

impl Kit {
    /// The service of XEP-0045's examples.
    pub fn new() -> Kit {
        Kit::with(config())
    }

    pub fn with(config: PrimaryConfig) -> Kit {
        Kit {
            service: Primary::new(config, [7; 32], Vec::new(), Vec::new()),
            now: Now { mono_ms: 1_000, unix_ms: THEN_MS },
            records: BTreeMap::new(),
            rows: Vec::new(),
            logs: Vec::new(),
            outputs: Vec::new(),
            audiences: BTreeMap::new(),
            disk: Disk::Works,
            held: VecDeque::new(),
            starts: 0,
        }
    }

    /// The process dies and starts again with what is on disk.
    pub fn restart(&mut self) {
        self.starts += 1;
        let config = (*self.service.config).clone();
        let records = self.records.iter().map(|((space, owner, key), value)| Record {
            space: space.clone(),
            owner: owner.clone(),
            key: key.clone(),
            value: value.clone(),
        });
        self.service = Primary::new(config, [7 + self.starts; 32], records.collect(), self.rows.clone());
        self.audiences.clear();
        self.held.clear();
    }

    /// Feeds a stanza; gives what anybody got of it, in order.
    pub fn send(&mut self, stanza: &str) -> Vec<Got> {
        self.feed(Input::Stanza(Element::parse(stanza).expect("a test's stanza")))
    }

    /// Lets time pass.
    pub fn pass_ms(&mut self, ms: u64) -> Vec<Got> {
        self.now = Now { mono_ms: self.now.mono_ms + ms, unix_ms: self.now.unix_ms + ms as i64 };
        match self.service.next_timeout() {
            Some(at) if at <= self.now.mono_ms => self.feed(Input::Timeout),
            _ => Vec::new(),
        }
    }

    /// Changes what the disk does; when it works again it does what it was given meanwhile.
    pub fn disk(&mut self, disk: Disk) -> Vec<Got> {
        self.disk = disk;
        let mut got = Vec::new();
        while self.disk != Disk::Hangs
            && let Some((token, changes)) = self.held.pop_front()
        {
            let answer = self.commit(token, changes);
            got.extend(self.feed(answer));
        }
        got
    }

    pub fn feed(&mut self, input: Input) -> Vec<Got> {
        let mut got = Vec::new();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.service.handle(input, self.now, &mut out);
            self.outputs.extend(out.iter().cloned());
            for output in out {
                self.carry_out(output, &mut got, &mut inputs);
            }
        }
        got
    }

    fn carry_out(&mut self, output: Output, got: &mut Vec<Got>, inputs: &mut VecDeque<Input>) {
        match output {
            Output::Send { to, stanza } => got.push(Got { to: to.to_string(), stanza: stanza.addressed(to.as_str()) }),
            Output::Fan { stanza, copies } => got.extend(copies.into_iter().map(|(to, mark)| {
                let mut copy = stanza.addressed(to.as_str());
                if let Some(x) = copy.get_child_mut("x", xmpp::ns::DMUC) {
                    x.push(mark);
                }
                Got { to: to.to_string(), stanza: copy }
            })),
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
                    if let Some(stanza) = stanza.as_ref().filter(|_| !except.contains(member)) {
                        got.push(Got { to: member.to_string(), stanza: stanza.addressed(member.as_str()) });
                    }
                }
            }
            Output::Persist { token, changes } if self.disk == Disk::Hangs => self.held.push_back((token, changes)),
            Output::Persist { token, changes } => inputs.push_back(self.commit(token, changes)),
            Output::Query { id, query } => inputs.push_back(Input::Rows(id, Some(self.page(&query)))),
            Output::Renew(_) => {}
            Output::Log(text) => self.logs.push(text),
        }
    }

    fn commit(&mut self, token: Token, changes: Vec<Change>) -> Input {
        if self.disk == Disk::Fails {
            return Input::PersistFailed(token);
        }
        for change in changes {
            match change {
                Change::Put { space, owner, key, value } => {
                    self.records.insert((space.into(), owner, key), value);
                }
                Change::Delete { space, owner, key } => {
                    self.records.remove(&(space.into(), owner, key));
                }
                Change::DeleteAll { space, owner } => self.records.retain(|k, _| k.0 != space || k.1 != owner),
                Change::Append(row) => {
                    let at = self.rows.partition_point(|known| known.seq < row.seq);
                    self.rows.insert(at, row);
                }
                Change::DeleteRow { archive, id } => self.rows.retain(|r| r.archive != archive || r.id != id),
                Change::Born { archive, ids, base } => {
                    let named = |row: &&mut Row| row.archive == archive && ids.contains(&row.id);
                    self.rows.iter_mut().filter(named).for_each(|row| row.bear(base));
                }
                Change::Settle { .. } | Change::MoveRows { .. } => panic!("a room moves no rows"),
                Change::DeleteArchive { archive } => self.rows.retain(|r| r.archive != archive),
                Change::TrimArchive { archive, before_ms } => {
                    self.rows.retain(|r| r.archive != archive || r.stamp_ms >= before_ms);
                }
            }
        }
        Input::Persisted(token)
    }

    /// Reads a page as [`ArchiveQuery`] says.
    fn page(&self, query: &ArchiveQuery) -> ArchivePage {
        let archive: Vec<&Row> = self.rows.iter().filter(|r| r.archive == query.archive).collect();
        let seq_of = |id: &String| archive.iter().find(|r| r.id == *id).map(|r| r.seq);
        let between = query.between.as_deref().cloned().unwrap_or_default();
        let filter_ids = between.after_id.iter().chain(&between.before_id);
        let mut named = query.after_id.iter().chain(&query.before_id).chain(&query.ids).chain(filter_ids);
        if named.any(|id| seq_of(id).is_none()) {
            return ArchivePage { unknown_id: true, ..ArchivePage::default() };
        }
        let after = query.after_id.as_ref().and_then(seq_of).max(query.after_seq);
        let before = query.before_id.as_ref().and_then(seq_of);
        let (behind, ahead) = (between.after_id.as_ref().and_then(seq_of), between.before_id.as_ref().and_then(seq_of));
        let fits = |r: &&Row| {
            behind.is_none_or(|seq| r.seq > seq)
                && ahead.is_none_or(|seq| r.seq < seq)
                && query.start_ms.is_none_or(|start| r.stamp_ms >= start)
                && query.end_ms.is_none_or(|end| r.stamp_ms <= end)
                && query.with.as_ref().is_none_or(|by| by.lets_through(r))
                && (query.ids.is_empty() || query.ids.contains(&r.id))
        };
        let matching: Vec<&Row> = archive.into_iter().filter(fits).collect();
        let count = query.count.then_some(matching.len() as u64);
        let paged =
            matching.into_iter().filter(|r| after.is_none_or(|a| r.seq > a) && before.is_none_or(|b| r.seq < b));
        let mut paged: Vec<Row> = paged.cloned().collect();
        let complete = paged.len() <= query.max;
        if query.backwards {
            paged.drain(..paged.len().saturating_sub(query.max));
        } else {
            paged.truncate(query.max);
        }
        ArchivePage { rows: paged, complete, behind: after.unwrap_or_default(), count, unknown_id: false }
    }
}

/// What the operator of chat.shakespeare.lit says.
pub(crate) fn config() -> PrimaryConfig {
    PrimaryConfig {
        domain: "chat.shakespeare.lit".parse().expect("a domain"),
        create: Create::Anyone,
        local_domains: vec!["shakespeare.lit".into()],
        admins: Vec::new(),
        contacts: Default::default(),
        replicas: vec!["*".into()],
        keepalive_seconds: 60,
        suspect_seconds: 10,
        retention_seconds: 3_600,
        mark_away: true,
        supply_members: false,
    }
}

/// The presence by which somebody enters.
pub(crate) fn join(from: &str, nick: &str) -> String {
    format!(
        "<presence from='{from}' to='coven@chat.shakespeare.lit/{nick}'>\
         <x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>"
    )
}

/// The presence by which somebody leaves.
pub(crate) fn leaves(from: &str, nick: &str) -> String {
    format!("<presence from='{from}' to='coven@chat.shakespeare.lit/{nick}' type='unavailable'/>")
}

/// An item of `muc#admin` that the owner asks for.
pub(crate) fn admin(from: &str, item: &str) -> String {
    format!(
        "<iq from='{from}' id='admin1' to='coven@chat.shakespeare.lit' type='set'>\
         <query xmlns='http://jabber.org/protocol/muc#admin'>{item}</query></iq>"
    )
}

/// The owner sets an affiliation.
pub(crate) fn set_affiliation(kit: &mut Kit, jid: &str, affiliation: &str) -> Vec<Got> {
    kit.send(&admin(CRONE, &format!("<item affiliation='{affiliation}' jid='{jid}'/>")))
}

/// An iq of whatever type to whomever.
pub(crate) fn iq(from: &str, to: &str, kind: &str, id: &str, payload: &str) -> String {
    format!("<iq from='{from}' to='{to}' type='{kind}' id='{id}'>{payload}</iq>")
}

/// A message to all.
pub(crate) fn says(from: &str, body: &str) -> String {
    format!(
        "<message from='{from}' id='m' to='coven@chat.shakespeare.lit' type='groupchat'><body>{body}</body></message>"
    )
}

/// An owner takes the room as it is (10.1.2).
pub(crate) const INSTANT: &str = "<iq from='crone1@shakespeare.lit/desktop' id='create1' \
    to='coven@chat.shakespeare.lit' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
    <x xmlns='jabber:x:data' type='submit'/></query></iq>";

pub(crate) const CRONE: &str = "crone1@shakespeare.lit/desktop";
pub(crate) const WICCA: &str = "wiccarocks@shakespeare.lit/laptop";
pub(crate) const HAG: &str = "hag66@shakespeare.lit/pda";

/// The coven, open, with its owner in it as firstwitch.
pub(crate) fn coven() -> Kit {
    let mut kit = Kit::new();
    kit.send(&join(CRONE, "firstwitch"));
    kit.send(INSTANT);
    kit
}

/// The coven with all three witches: crone1 owns it, wiccarocks and hag66 are nobody in particular.
pub(crate) fn three_witches() -> Kit {
    let mut kit = coven();
    kit.send(&join(WICCA, "secondwitch"));
    kit.send(&join(HAG, "thirdwitch"));
    kit
}

/// Submits configuration fields as the owner.
pub(crate) fn configure(kit: &mut Kit, fields: &[(&str, &str)]) -> Vec<Got> {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    kit.send(&format!(
        "<iq from='{CRONE}' id='config2' to='coven@chat.shakespeare.lit' type='set'>\
         <query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}</x></query></iq>"
    ))
}

/// What was got, one stanza a line, with the ids that only the room's secret explains left out.
pub(crate) fn lines(got: &[Got]) -> Vec<String> {
    got.iter().map(|got| without_ids(&got.stanza).to_xml()).collect()
}

/// The conditions of errors got: (to, condition).
pub(crate) fn errors(got: &[Got]) -> Vec<(String, String)> {
    let condition = |stanza: &Element| {
        let error = stanza.get_child("error", xmpp::ns::CLIENT)?;
        error.children().next().map(|c| c.name().to_owned())
    };
    got.iter().filter_map(|got| Some((got.to.clone(), condition(&got.stanza)?))).collect()
}

fn without_ids(stanza: &Element) -> Element {
    let mut stanza = stanza.clone();
    stanza.retain(|c| c.ns() != xmpp::ns::OCCUPANT_ID && c.ns() != xmpp::ns::SID);
    if let Some(x) = stanza.get_child_mut("x", xmpp::ns::MUC_USER) {
        x.retain(|c| c.name() != "mav");
    }
    stanza
}
