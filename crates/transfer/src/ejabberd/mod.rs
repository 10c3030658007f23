//! ejabberd's data as `ejabberdctl dump` writes it: the tables of Mnesia as Erlang's terms, in 23.01. Rooms (`room`), what
//! was said in them, accounts (`account`).

mod account;
mod room;

use crate::error::{TransferError, Wrong};
use crate::file::whole;
use crate::sink::Sink;
use crate::stanza::begin;
use crate::terms::{Term, terms};
use std::collections::BTreeMap;
use std::path::Path;
use store::Progress;
use xmpp::{Element, ns};

/// Tables that are read, or say nothing that outlives the server.
const TABLES: [&str; 11] = [
    "muc_room",
    "muc_registered",
    "archive_msg",
    "archive_prefs",
    "passwd",
    "roster",
    "roster_version",
    "vcard_search",
    "oauth_token",
    "oauth_client",
    "muc_online_room",
];

/// Somebody's name and domain.
type Whose = (String, String);

/// What a dump holds, by whose it is. Held in memory: Mnesia's tables on disk end at 2 GB, and messages lie in no order.
#[derive(Default)]
struct Dump {
    rooms: BTreeMap<Whose, Vec<Term>>,
    /// Nicks that users have reserved with a service of rooms: by its domain and the user.
    nicks: BTreeMap<(String, String), String>,
    /// By room: when in microseconds, the id, the stanza.
    said: BTreeMap<Whose, Vec<(i64, String, Option<Element>)>>,
    accounts: BTreeMap<Whose, Vec<Term>>,
    /// What else is of them: records of `roster`, `vcard`, `private_storage` and `offline_msg`.
    more: BTreeMap<Whose, Vec<Vec<Term>>>,
    /// How many records of what is not read, by table and domain.
    others: BTreeMap<(String, String), u64>,
}

/// Whether a file begins like one of these.
pub(crate) fn is_one(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{tables,")
}

/// Reads all of it.
pub(crate) fn read(path: &Path, sink: &mut Sink<'_, '_>, tell: &mut dyn FnMut(Progress)) -> Result<(), TransferError> {
    let text = whole(path)?;
    let mut dump = Dump::default();
    let mut all = terms(&text);
    let mut at = Progress { done: 0, total: text.len() as u64 };
    while let Some(term) = all.next() {
        let end = all.at();
        term.and_then(|term| dump.take(term, end)).map_err(|wrong| wrong.within(path, &text))?;
        at.done = end as u64;
        tell(at);
    }
    dump.give(sink)
}

impl Dump {
    /// Takes a record; `end` is where it ends.
    fn take(&mut self, term: Term, end: usize) -> Result<(), Wrong> {
        let fields = match term {
            Term::Tuple(fields) => fields,
            _ => return Err(Wrong { at: end, what: "the term that ends here is no record".to_owned() }),
        };
        let table = fields.first().and_then(Term::atom).unwrap_or_default().to_owned();
        if table == "tables" {
            return Ok(());
        }
        let wrong = || Wrong { at: end, what: format!("the record of {table} that ends here is none") };
        let whose = fields.get(1).and_then(whose);
        match table.as_str() {
            "muc_room" => drop(self.rooms.insert(whose.ok_or_else(wrong)?, fields)),
            "passwd" => drop(self.accounts.insert(whose.ok_or_else(wrong)?, fields)),
            "muc_registered" => {
                let key = fields.get(1).map(Term::tuple).unwrap_or_default();
                let (Some(user), Some(Some(service))) = (key.first().and_then(self::whose), key.get(1).map(Term::text))
                else {
                    return Err(wrong());
                };
                let nick = fields.get(2).and_then(Term::text).ok_or_else(wrong)?;
                self.nicks.insert((service.to_owned(), format!("{}@{}", user.0, user.1)), nick.to_owned());
            }
            "archive_msg" => {
                let id = fields.get(2).and_then(Term::text).ok_or_else(wrong)?.to_owned();
                let at = fields.get(3).and_then(microseconds).ok_or_else(wrong)?;
                let (room, domain) = whose.ok_or_else(wrong)?;
                let nick = fields.get(7).and_then(Term::text).ok_or_else(wrong)?;
                let mut said = fields.get(6).and_then(|packet| element(packet, ns::CLIENT));
                // It is kept as it was sent to the room: from the real address.
                if let Some(said) = &mut said {
                    said.set("from", format!("{room}@{domain}/{nick}"));
                }
                self.said.entry((room, domain)).or_default().push((at, id, said));
            }
            "roster" => {
                let whose = fields.get(2).and_then(self::whose).ok_or_else(wrong)?;
                self.more.entry(whose).or_default().push(fields);
            }
            "vcard" | "private_storage" | "offline_msg" => {
                self.more.entry(whose.ok_or_else(wrong)?).or_default().push(fields);
            }
            _ if TABLES.contains(&table.as_str()) => {}
            _ => {
                let domain = whose.map(|(_, domain)| domain).unwrap_or_default();
                *self.others.entry((domain, table)).or_default() += 1;
            }
        }
        Ok(())
    }

    fn give(mut self, sink: &mut Sink<'_, '_>) -> Result<(), TransferError> {
        for ((domain, table), count) in self.others {
            sink.report.leave(
                domain,
                format!("{table}, {count} records"),
                "nothing is read from this table of ejabberd",
            );
        }
        for (whose, fields) in &self.rooms {
            let Some(mut coming) = room::begin(whose, fields, &self.nicks, sink)? else { continue };
            let mut said = self.said.remove(whose).unwrap_or_default();
            said.sort_by_key(|(at, ..)| *at);
            for (at, id, stanza) in said {
                let malformed = || Element::stanza("malformed");
                sink.say(&mut coming, &stanza.unwrap_or_else(malformed), &id, at.div_euclid(1_000))?;
            }
            sink.finish(coming, "archive_msg")?;
        }
        for ((service, user), nick) in &self.nicks {
            if sink.is_rooms(service) {
                let why =
                    "nicks are reserved in rooms, not in all of a service: this one is where the user is on a list";
                sink.report.leave(service, format!("nick {nick} of {user}"), why);
            }
        }
        for ((user, domain), messages) in &self.said {
            if sink.is_accounts(domain) {
                let what = format!("archive_msg, {} messages", messages.len());
                sink.report.leave(format!("{user}@{domain}"), what, "archives of users are not taken");
            }
        }
        for (whose, fields) in &self.accounts {
            if !sink.is_accounts(&whose.1) {
                sink.leave_domain(&format!("{}@{}", whose.0, whose.1), "passwd");
                continue;
            }
            let Some(mut draft) = account::begin(&whose.0, fields, sink)? else { continue };
            // Messages that wait lie in no order, and nothing else minds.
            if let Some(records) = self.more.get_mut(whose) {
                records.sort_by_key(|record| record.get(2).and_then(microseconds));
            }
            for record in self.more.get(whose).into_iter().flatten() {
                account::take(record, &mut draft, sink);
            }
            sink.finish_account(draft)?;
        }
        Ok(())
    }
}

/// `{<<"user">>,<<"domain">>}`, and newer passwords' `{<<"user">>,<<"domain">>,Hash}`.
fn whose(term: &Term) -> Option<Whose> {
    let [user, domain, ..] = term.tuple() else { return None };
    Some((user.text()?.to_owned(), domain.text()?.to_owned()))
}

/// `{MegaSecs,Secs,MicroSecs}`.
fn microseconds(term: &Term) -> Option<i64> {
    let [mega, seconds, micro] = term.tuple() else { return None };
    let seconds = mega.int()?.checked_mul(1_000_000)?.checked_add(seconds.int()?)?;
    seconds.checked_mul(1_000_000)?.checked_add(micro.int()?)
}

/// `{xmlel,Name,Attributes,Children}`.
fn element(term: &Term, outer: &str) -> Option<Element> {
    let [kind, name, attributes, children] = term.tuple() else { return None };
    if kind.atom() != Some("xmlel") {
        return None;
    }
    let attributes = attributes.list().iter().filter_map(|attribute| match attribute.tuple() {
        [name, value] => Some((name.text()?, value.text()?)),
        _ => None,
    });
    let mut element = begin(name.text()?, attributes, outer)?;
    for child in children.list() {
        match child.tuple() {
            [kind, text] if kind.atom() == Some("xmlcdata") => element.push_text(text.text()?.to_owned()),
            _ => element.push(self::element(child, element.ns())?),
        }
    }
    Some(element)
}
