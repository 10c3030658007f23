//! Reading XEP-0227, with the files it includes (section 5).

use super::{PIE, PRIVACY, SCRAM};
use crate::error::TransferError;
use crate::file::whole;
use crate::sink::Sink;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Component, Path, PathBuf};
use store::Progress;
use xmpp::sasl::Keys;
use xmpp::stanza::parse_ms;
use xmpp::{Element, ns};

const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";
/// Files within each other: one for all, for a host, for a user (5.1).
const DEPTH_MAX: usize = 3;

/// Whether a file begins like one of these.
pub(crate) fn is_one(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<') && text.contains(PIE)
}

/// Reads a file, and what it includes.
pub(crate) fn read(path: &Path, sink: &mut Sink<'_, '_>, tell: &mut dyn FnMut(Progress)) -> Result<(), TransferError> {
    let root = document(path)?;
    if !root.is("server-data", PIE) {
        return Err(TransferError::broken(path, "", "its root is not <server-data/>"));
    }
    for (path, host) in included(path, &root, 1)? {
        let domain = host.get("jid").unwrap_or_default();
        if !host.is("host", PIE) {
            sink.report.leave(domain, format!("{} in {}", host.name(), host.ns()), "is no host");
            continue;
        }
        if !sink.is_accounts(domain) {
            sink.leave_domain(domain, "");
            continue;
        }
        let users = included(&path, &host, 2)?;
        let mut at = Progress { done: 0, total: users.len() as u64 };
        for (path, user) in users {
            if user.is("user", PIE) {
                let parts = included(&path, &user, 3)?;
                take(&user, &parts, sink)?;
            } else {
                sink.report.leave(domain, format!("{} in {}", user.name(), user.ns()), "is no user");
            }
            at.done += 1;
            tell(at);
        }
    }
    Ok(())
}

/// The children of an element of a file, each with the file it is from: what stands in another in place of what includes it
/// (section 5).
fn included(path: &Path, of: &Element, depth: usize) -> Result<Vec<(PathBuf, Element)>, TransferError> {
    let mut all = Vec::new();
    for child in of.children() {
        if !child.is("include", XINCLUDE) {
            all.push((path.to_owned(), child.clone()));
            continue;
        }
        let href = Path::new(child.get("href").unwrap_or_default());
        // A file of somebody else's making names no files of ours but those beside it.
        let beside = href.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let plain = child.get("parse").is_none() && child.get("xpointer").is_none();
        if !beside || !plain || href.as_os_str().is_empty() || depth > DEPTH_MAX {
            return Err(TransferError::broken(path, "", format!("includes {href:?}, which is no file beside it")));
        }
        let other = path.with_file_name(href);
        all.push((other.clone(), document(&other)?));
    }
    Ok(all)
}

fn document(path: &Path) -> Result<Element, TransferError> {
    let text = String::from_utf8(whole(path)?).map_err(|_| TransferError::broken(path, "", "is not UTF-8"))?;
    let mut body = text.trim_start_matches('\u{feff}').trim();
    if let Some((_, rest)) = body.split_once("?>").filter(|(declaration, _)| declaration.starts_with("<?xml")) {
        body = rest.trim_start();
    }
    Element::parse(body).map_err(|error| TransferError::broken(path, "", format!("is no XML: {error}")))
}

/// A user with all that is read of him.
fn take(user: &Element, parts: &[(PathBuf, Element)], sink: &mut Sink<'_, '_>) -> Result<(), TransferError> {
    let name = user.get("name").unwrap_or_default();
    let parts = || parts.iter().map(|(_, part)| part);
    let scram = |mechanism| parts().find(|p| p.is("scram-credentials", SCRAM) && p.get("mechanism") == Some(mechanism));
    let draft = match user.get("password").filter(|password| !password.is_empty()) {
        Some(password) => sink.account_with_password(name, password)?,
        None => {
            let [sha1, sha256] = ["SCRAM-SHA-1", "SCRAM-SHA-256"].map(|mechanism| scram(mechanism).and_then(keys));
            sink.account_with_keys(name, sha1, sha256)?
        }
    };
    let Some(mut draft) = draft else { return Ok(()) };
    for child in parts() {
        match (child.name(), child.ns()) {
            ("scram-credentials", SCRAM) => {}
            ("query", ns::ROSTER) => child.children().for_each(|item| sink.contact(&mut draft, item)),
            ("presence", ns::CLIENT) => sink.request(&mut draft, child),
            ("vCard", ns::VCARD) => {
                let done = draft.vcard(child);
                sink.judge(draft.local(), "vCard", done);
            }
            ("query", ns::PRIVATE) => {
                for element in child.children() {
                    let done = draft.private(element);
                    sink.judge(draft.local(), &format!("private storage, {}", element.ns()), done);
                }
            }
            ("offline-messages", PIE) => {
                for message in child.children() {
                    let delay = message.get_child("delay", ns::DELAY).and_then(|delay| delay.get("stamp"));
                    let done = draft.offline(message, delay.and_then(parse_ms).unwrap_or_default());
                    sink.judge(draft.local(), "offline message", done);
                }
            }
            ("query", PRIVACY) => {
                let (blocked, others) = blocked(child);
                for jid in blocked {
                    let done = draft.block(jid);
                    sink.judge(draft.local(), &format!("blocked {jid}"), done);
                }
                if others > 0 {
                    let why = "nothing but addresses that are blocked altogether has its like here";
                    sink.leave_user(draft.local(), &format!("privacy lists, {others} items"), why);
                }
            }
            (name, space) => sink.leave_user(draft.local(), &format!("{name} in {space}"), "is not taken"),
        }
    }
    sink.finish_account(draft)
}

/// Section 4.3.
fn keys(credentials: &Element) -> Option<Keys> {
    let text = |name| credentials.get_child(name, SCRAM).map(Element::content);
    let bytes = |name| STANDARD.decode(text(name)?.trim()).ok();
    Some(Keys {
        salt: bytes("salt")?,
        iterations: text("iter-count")?.trim().parse().ok().filter(|n| *n > 0)?,
        stored_key: bytes("stored-key")?,
        server_key: bytes("server-key")?,
    })
}

/// The addresses that the default list denies altogether (XEP-0191 section 4 has them so), and how many other items there are.
fn blocked(query: &Element) -> (Vec<&str>, usize) {
    let default = query.get_child("default", PRIVACY).and_then(|default| default.get("name"));
    let (mut blocked, mut others) = (Vec::new(), 0);
    for list in query.children().filter(|child| child.is("list", PRIVACY)) {
        for item in list.children() {
            let denies = item.get("type") == Some("jid") && item.get("action") == Some("deny");
            match item.get("value") {
                Some(jid) if denies && list.get("name") == default && item.children().next().is_none() => {
                    blocked.push(jid)
                }
                // What is not denied is allowed, which the last item often says.
                None if item.get("action") == Some("allow") => {}
                _ => others += 1,
            }
        }
    }
    (blocked, others)
}
