//! Writing XEP-0227: a document of one host.

use super::{PIE, PRIVACY, SCRAM};
use crate::error::TransferError;
use crate::report::Report;
use crate::sink::Target;
use accounts::records;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use machine::Record;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use store::{Held, Progress};
use xmpp::sasl::Keys;
use xmpp::{Element, Jid, ns};

/// Writes the accounts of a store.
pub(crate) fn write(
    from: &Path,
    target: &Target,
    to: (&Path, &mut dyn Write),
    tell: &mut dyn FnMut(Progress),
) -> Result<Report, TransferError> {
    let (path, out) = to;
    let mut report = Report::default();
    // As much as the server itself holds in memory.
    let mut users: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    let mut rooms = 0;
    store::walk(from, tell, &mut |held| {
        match held {
            Held::Record(record) if records::SPACES.contains(&record.space.as_str()) => {
                users.entry(record.owner.clone()).or_default().push(record);
            }
            Held::Record(record) => rooms += u64::from(record.space == "room" && record.key == "meta"),
            Held::Row(_) => {}
        }
        Ok::<(), TransferError>(())
    })?;
    if rooms > 0 {
        let of = target.rooms.as_ref().map_or("", Jid::as_str);
        report.leave(of, format!("{rooms} rooms"), "XEP-0227 has no words for rooms; the other format has them");
    }
    let domain = target.domain.as_ref().map_or("", Jid::as_str);
    let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(TransferError::io(path));
    put("<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0'>\n")?;
    let host = Element::new("host", ns::CLIENT).attr("jid", domain).to_xml();
    put(&host.replace("/>", ">\n"))?;
    for (local, kept) in &users {
        put(&user(local, kept, domain, &mut report).to_xml())?;
        put("\n")?;
    }
    put("</host>\n</server-data>\n")?;
    Ok(report)
}

/// Section 4.2 to 4.9.
fn user(local: &str, kept: &[Record], domain: &str, report: &mut Report) -> Element {
    let mut user = Element::new("user", PIE).attr("name", local);
    let (mut roster, mut requests) = (Element::new("query", ns::ROSTER), Vec::new());
    let (mut private, mut waiting) = (Element::new("query", ns::PRIVATE), Element::new("offline-messages", PIE));
    let (mut blocked, mut vcard) = (Vec::new(), None);
    report.accounts += 1;
    for Record { space, key, value, .. } in kept {
        let understood = match space.as_str() {
            records::SPACE_ACCOUNT => records::parse_credentials(value).map(|credentials| {
                user.push(scram("SCRAM-SHA-1", &credentials.sha1));
                credentials.sha256.iter().for_each(|keys| user.push(scram("SCRAM-SHA-256", keys)));
            }),
            records::SPACE_ROSTER => records::parse_contact(key, value).map(|(item, request)| {
                report.contacts += 1;
                item.into_iter().for_each(|item| roster.push(item));
                requests.extend(request);
            }),
            records::SPACE_PRIVATE => records::parse_xml(value).map(|element| private.push(element)),
            records::SPACE_VCARD => records::parse_xml(value).map(|element| vcard = Some(element)),
            records::SPACE_OFFLINE => records::parse_offline(value).map(|(stamp_ms, mut message)| {
                if !message.has_child("delay", ns::DELAY) {
                    message.push(xmpp::stanza::delay(Some(domain), stamp_ms));
                }
                waiting.push(message);
            }),
            records::SPACE_BLOCKED => {
                blocked.push(key.as_str());
                Some(())
            }
            _ => None,
        };
        if understood.is_none() {
            report.leave(format!("{local}@{domain}"), format!("{space} {key}"), "cannot be written as XEP-0227");
        }
    }
    let parts = [roster, waiting, private].into_iter().filter(|part| !part.nodes().is_empty());
    let lists = (!blocked.is_empty()).then(|| denying(&blocked));
    user.with(parts).with(vcard).with(lists).with(requests)
}

/// Section 4.3.
fn scram(mechanism: &str, keys: &Keys) -> Element {
    let part = |name: &'static str, text: String| Element::new(name, SCRAM).text(text);
    Element::new("scram-credentials", SCRAM)
        .attr("mechanism", mechanism)
        .child(part("iter-count", keys.iterations.to_string()))
        .child(part("salt", STANDARD.encode(&keys.salt)))
        .child(part("server-key", STANDARD.encode(&keys.server_key)))
        .child(part("stored-key", STANDARD.encode(&keys.stored_key)))
}

/// Blocked addresses as a privacy list: XEP-0191 section 4 has them so.
fn denying(blocked: &[&str]) -> Element {
    let item = |(order, jid): (usize, &&str)| {
        let item = Element::new("item", PRIVACY).attr("type", "jid").attr("value", *jid);
        item.attr("action", "deny").attr("order", (order + 1).to_string())
    };
    let allow = Element::new("item", PRIVACY).attr("action", "allow").attr("order", (blocked.len() + 1).to_string());
    let list = Element::new("list", PRIVACY).attr("name", "blocked");
    let list = list.with(blocked.iter().enumerate().map(item)).child(allow);
    Element::new("query", PRIVACY).child(Element::new("default", PRIVACY).attr("name", "blocked")).child(list)
}
