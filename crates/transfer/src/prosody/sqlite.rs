//! Prosody's SQLite database, as `mod_storage_sql` makes it: the table `prosody`, a row for each key of each store, and
//! `prosodyarchive`, a row for each message.

use super::{ACCOUNT_STORES, KEPT_STORES, ROOM_STORES, account, leave_stores, room};
use crate::error::TransferError;
use crate::lua::{Key, Table, Value};
use crate::sink::Sink;
use rusqlite::{Connection, OpenFlags, params};
use std::path::Path;
use store::Progress;
use xmpp::Element;

/// A database that is read.
struct Database<'p> {
    connection: Connection,
    path: &'p Path,
}

/// Whether a file is a SQLite database.
pub(crate) fn is_one(beginning: &[u8]) -> bool {
    beginning.starts_with(b"SQLite format 3\0")
}

/// Reads all of it.
pub(crate) fn read(path: &Path, sink: &mut Sink<'_, '_>, tell: &mut dyn FnMut(Progress)) -> Result<(), TransferError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| broken(path, e))?;
    let database = Database { connection, path };
    let total: i64 = database.all("SELECT count(*) FROM prosodyarchive", [], |row| row.get(0))?[0];
    let mut at = Progress { done: 0, total: total.unsigned_abs() };
    let domains: Vec<String> =
        database.all(r#"SELECT DISTINCT "host" FROM prosody ORDER BY "host""#, [], |row| row.get(0))?;
    for domain in domains {
        let stores: Vec<String> = database.all(
            r#"SELECT "store" FROM prosody WHERE "host" = ?1 UNION SELECT "store" FROM prosodyarchive WHERE "host" = ?1"#,
            [&domain],
            |row| row.get(0),
        )?;
        let names = stores.iter().map(String::as_str);
        if sink.is_rooms(&domain) {
            leave_stores(names, &domain, &ROOM_STORES, &mut sink.report);
            for name in database.users(&domain, "config")? {
                let config = database.table(&domain, &name, "config")?;
                let Some(mut room) = room::begin(&config, &format!("{name}@{domain}"), sink)? else { continue };
                room::show(&database.table(&domain, &name, "vcard_muc")?, &mut room, sink);
                database.archive(&domain, &name, "muc_log", |id, when, xml| {
                    at.done += 1;
                    tell(at);
                    room::said(&mut room, Element::parse(&xml).ok().as_ref(), &id, when, sink)
                })?;
                sink.finish(room, "muc_log")?;
            }
        } else if sink.is_accounts(&domain) {
            leave_stores(names, &domain, &ACCOUNT_STORES, &mut sink.report);
            for user in database.users(&domain, "accounts")? {
                let account = database.table(&domain, &user, "accounts")?;
                let Some(mut draft) = account::begin(&account, &user, sink)? else { continue };
                account::roster(&database.table(&domain, &user, "roster")?, &mut draft, sink);
                for store in KEPT_STORES {
                    account::kept(store, &database.table(&domain, &user, store)?, &mut draft, sink);
                }
                database.archive(&domain, &user, "offline", |_, when, xml| {
                    account::waiting(Element::parse(&xml).ok().as_ref(), when, &mut draft, sink);
                    Ok(())
                })?;
                sink.finish_account(draft)?;
            }
        } else {
            sink.leave_domain(&domain, "");
        }
    }
    Ok(())
}

impl Database<'_> {
    /// Who has something in a store.
    fn users(&self, domain: &str, store: &str) -> Result<Vec<String>, TransferError> {
        let sql = r#"SELECT DISTINCT "user" FROM prosody WHERE "host" = ?1 AND "store" = ?2 ORDER BY "user""#;
        self.all(sql, params![domain, store], |row| row.get(0))
    }

    /// The table that the keys of a store make up; under no key stands what has no string for one.
    fn table(&self, domain: &str, user: &str, store: &str) -> Result<Table, TransferError> {
        let sql = r#"SELECT "key", "type", "value" FROM prosody WHERE "host" = ?1 AND "user" = ?2 AND "store" = ?3"#;
        let rows: Vec<(String, String, String)> =
            self.all(sql, params![domain, user, store], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut table = Table::default();
        for (key, kind, value) in rows {
            let value = read_value(&kind, &value).ok_or_else(|| {
                let place = format!("table prosody, {store} of {user} at {domain}, key {key:?}");
                TransferError::broken(self.path, place, format!("is no {kind}"))
            })?;
            match (key.is_empty(), value) {
                (true, Value::Table(rest)) => table.0.extend(rest.0),
                (_, value) => drop(table.0.insert(Key::Text(key), value)),
            }
        }
        Ok(table)
    }

    /// The messages of an archive in order: id, when, XML.
    fn archive(
        &self,
        domain: &str,
        user: &str,
        store: &str,
        mut each: impl FnMut(String, f64, String) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let sql = r#"SELECT "key", "when", "value" FROM prosodyarchive
            WHERE "host" = ?1 AND "user" = ?2 AND "store" = ?3 ORDER BY "sort_id""#;
        let mut select = self.connection.prepare(sql).map_err(|e| broken(self.path, e))?;
        let mut rows = select.query([domain, user, store]).map_err(|e| broken(self.path, e))?;
        while let Some(row) = rows.next().map_err(|e| broken(self.path, e))? {
            let read = || Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let (id, when, xml) = read().map_err(|e| broken(self.path, e))?;
            each(id, when, xml)?;
        }
        Ok(())
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, TransferError> {
        let rows = || -> rusqlite::Result<Vec<T>> { self.connection.prepare(sql)?.query_map(params, read)?.collect() };
        rows().map_err(|e| broken(self.path, e))
    }
}

/// A value as `mod_storage_sql` writes it.
fn read_value(kind: &str, text: &str) -> Option<Value> {
    match kind {
        "string" => Some(Value::Text(text.to_owned())),
        "boolean" => Some(Value::Bool(text == "true")),
        "number" => text.parse().ok().map(Value::Number),
        "json" => serde_json::from_str(text).ok().and_then(from_json),
        _ => None,
    }
}

/// JSON, which serde_json reads to a bounded depth, as the table it was.
fn from_json(json: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => Value::Number(number.as_f64()?),
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::Table(Table(
            (1..).map(Key::Number).zip(items.into_iter().map(from_json).collect::<Option<Vec<_>>>()?).collect(),
        )),
        Json::Object(members) => Value::Table(Table(
            members
                .into_iter()
                .map(|(name, value)| Some((Key::Text(name), from_json(value)?)))
                .collect::<Option<_>>()?,
        )),
    })
}

fn broken(path: &Path, error: rusqlite::Error) -> TransferError {
    TransferError::broken(path, "", format!("is no database of Prosody that can be read: {error}"))
}
