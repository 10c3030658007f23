//! Prosody's data, as 0.12 keeps it, with both its ways to write a room: from its folders (`internal`) and from its SQLite database (`sqlite`), which hold the same
//! tables; what of them is a room (`room`), and what an account (`account`).

pub(crate) mod account;
pub(crate) mod internal;
pub(crate) mod room;
pub(crate) mod sqlite;

use crate::lua::{Key, Table, Value};
use crate::report::Report;
use crate::stanza::begin;
use xmpp::{Element, ns};

/// The stores of a domain of rooms that are read, or say nothing that outlives the server.
const ROOM_STORES: [&str; 6] = ["config", "muc_log", "vcard_muc", "persistent", "state", "muc_log_cleanup"];
/// The same of a domain of accounts.
const ACCOUNT_STORES: [&str; 7] = ["accounts", "roster", "account_flags", "vcard", "private", "blocklist", "offline"];
/// Those of them that hold a table for each account, beside roster and password.
const KEPT_STORES: [&str; 3] = ["vcard", "private", "blocklist"];

/// Tells of the stores of a domain that nothing is read from.
fn leave_stores<'s>(stores: impl IntoIterator<Item = &'s str>, domain: &str, known: &[&str], report: &mut Report) {
    for store in stores.into_iter().filter(|store| !known.contains(store)) {
        report.leave(domain, store, "nothing is read from this store of Prosody");
    }
}

/// A stanza as Prosody serialises it: name, attributes, and under numbers what it contains. `None` where that cannot be XML.
fn stanza(table: &Table) -> Option<Element> {
    let mut stanza = element(table, ns::CLIENT)?;
    // The archive's own, beside what was said.
    stanza.unset("stamp");
    stanza.unset("stamp_legacy");
    Some(stanza)
}

fn element(table: &Table, outer: &str) -> Option<Element> {
    let attributes = table.table("attr").into_iter().flat_map(Table::named);
    let attributes = attributes.filter_map(|(name, value)| Some((name, value.as_text()?)));
    let mut element = begin(table.text("name")?, attributes, outer)?;
    for (key, node) in &table.0 {
        match (key, node) {
            (Key::Number(_), Value::Text(text)) => element.push_text(text.clone()),
            (Key::Number(_), Value::Table(child)) => element.push(self::element(child, element.ns())?),
            _ => {}
        }
    }
    Some(element)
}

/// Seconds, as Prosody keeps times, in milliseconds.
fn milliseconds(seconds: f64) -> i64 {
    // A cast of what is out of bounds is the bound.
    (seconds * 1_000.0).round() as i64
}
