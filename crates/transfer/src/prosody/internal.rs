//! Prosody's folder of data, `internal` storage: a folder for each domain, in it one for each store, in that a file for each room
//! or user. Names stand with what is no letter or digit as `%2e`.

use super::{ACCOUNT_STORES, KEPT_STORES, ROOM_STORES, account, leave_stores, room, stanza};
use crate::error::{TransferError, Wrong};
use crate::file::whole;
use crate::lua::{self, Table, Value};
use crate::sink::Sink;
use std::path::{Path, PathBuf};
use store::Progress;
use xmpp::Element;

/// Whether a folder looks like one of these.
pub(crate) fn is_one(folder: &Path) -> bool {
    let has = |domain: &Path, store: &str| domain.join(store).is_dir();
    folders(folder).is_ok_and(|domains| domains.iter().any(|(_, d)| has(d, "accounts") || has(d, "config")))
}

/// Reads all of it.
pub(crate) fn read(
    folder: &Path,
    sink: &mut Sink<'_, '_>,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), TransferError> {
    let mut at = Progress { done: 0, total: size(folder)? };
    for (domain, at_domain) in folders(folder)? {
        let stores = folders(&at_domain)?;
        let names = stores.iter().map(|(name, _)| name.as_str());
        if sink.is_rooms(&domain) {
            leave_stores(names, &domain, &ROOM_STORES, &mut sink.report);
            rooms(&at_domain, &domain, sink, &mut at, tell)?;
        } else if sink.is_accounts(&domain) {
            leave_stores(names, &domain, &ACCOUNT_STORES, &mut sink.report);
            accounts(&at_domain, sink, &mut at, tell)?;
        } else if !stores.is_empty() {
            sink.leave_domain(&domain, "");
        }
    }
    Ok(())
}

fn rooms(
    folder: &Path,
    domain: &str,
    sink: &mut Sink<'_, '_>,
    at: &mut Progress,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), TransferError> {
    for (name, path) in files(&folder.join("config"), "dat")? {
        let config = table(&path)?;
        let Some(mut room) = room::begin(&config, &format!("{name}@{domain}"), sink)? else { continue };
        let card = folder.join("vcard_muc").join(file_name(&path));
        if card.is_file() {
            room::show(&table(&card)?, &mut room, sink);
        }
        let before = at.done;
        archive(&folder.join("muc_log").join(file_name(&path)), |said, id, when, read| {
            at.done = before + read;
            tell(*at);
            room::said(&mut room, said.as_ref(), id, when, sink)
        })?;
        sink.finish(room, "muc_log")?;
    }
    Ok(())
}

fn accounts(
    folder: &Path,
    sink: &mut Sink<'_, '_>,
    at: &mut Progress,
    tell: &mut dyn FnMut(Progress),
) -> Result<(), TransferError> {
    for (user, path) in files(&folder.join("accounts"), "dat")? {
        let Some(mut draft) = account::begin(&table(&path)?, &user, sink)? else { continue };
        let of = |store: &str| folder.join(store).join(file_name(&path));
        if of("roster").is_file() {
            account::roster(&table(&of("roster"))?, &mut draft, sink);
        }
        for store in KEPT_STORES.into_iter().filter(|store| of(store).is_file()) {
            account::kept(store, &table(&of(store))?, &mut draft, sink);
        }
        archive(&of("offline"), |message, _, when, _| {
            account::waiting(message.as_ref(), when, &mut draft, sink);
            Ok(())
        })?;
        sink.finish_account(draft)?;
        at.done += path.metadata().map_or(0, |file| file.len());
        tell(*at);
    }
    Ok(())
}

/// The items of an archive, none where there is no such file: stanza, id, time, bytes read so far.
fn archive(
    path: &Path,
    mut each: impl FnMut(Option<Element>, &str, f64, u64) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let path = path.with_extension("list");
    if !path.is_file() {
        return Ok(());
    }
    let text = whole(&path)?;
    let mut items = lua::items(&text);
    while let Some(item) = items.next() {
        let end = items.at();
        let item = item.map_err(|wrong| wrong.within(&path, &text))?;
        let parts = match &item {
            Value::Table(item) => item.text("key").zip(item.number("when")).map(|(id, when)| (stanza(item), id, when)),
            _ => None,
        };
        let Some((said, id, when)) = parts else {
            let what = "the item that ends here has no key or no time".to_owned();
            return Err(Wrong { at: end, what }.within(&path, &text));
        };
        each(said, id, when, end as u64)?;
    }
    Ok(())
}

fn table(path: &Path) -> Result<Table, TransferError> {
    let text = whole(path)?;
    match lua::document(&text).map_err(|wrong| wrong.within(path, &text))? {
        Value::Table(table) => Ok(table),
        _ => Err(TransferError::broken(path, "", "holds no table")),
    }
}

/// Folders in a folder with their names decoded, in order; others are none of Prosody's.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, TransferError> {
    let found = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(found.filter_map(|path| Some((decode(path.file_name()?.to_str()?)?, path))).collect())
}

/// Files with an ending, in the same way; none where the folder is not there.
fn files(folder: &Path, ending: &str) -> Result<Vec<(String, PathBuf)>, TransferError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let found = entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == ending));
    Ok(found.filter_map(|path| Some((decode(path.file_stem()?.to_str()?)?, path))).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, TransferError> {
    let found = std::fs::read_dir(folder).map_err(TransferError::io(folder))?;
    let mut paths =
        found.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(TransferError::io(folder))?;
    paths.sort();
    Ok(paths)
}

/// How many bytes of what takes time there are.
fn size(folder: &Path) -> Result<u64, TransferError> {
    let mut total = 0;
    for (_, domain) in folders(folder)? {
        for (store, ending) in [("muc_log", "list"), ("accounts", "dat")] {
            let all = files(&domain.join(store), ending)?;
            total += all.iter().filter_map(|(_, path)| path.metadata().ok()).map(|file| file.len()).sum::<u64>();
        }
    }
    Ok(total)
}

fn file_name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().expect("it was found in a folder")
}

/// A name as it was before Prosody made it one of a file.
fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut parts = name.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_read_back() {
        assert_eq!(decode("conference%2eexample%2eorg").as_deref(), Some("conference.example.org"));
        assert_eq!(decode("caf%c3%a9").as_deref(), Some("café"));
        assert_eq!((decode("a%2"), decode("a%zz"), decode("%ff")), (None, None, None));
    }
}
