//! A room of Prosody: the table of its store `config`, items of its archive `muc_log`, and what `mod_vcard_muc` keeps.

use super::milliseconds;
use crate::error::TransferError;
use crate::lua::{Key, Table, Value};
use crate::sink::{Coming, Sink};
use xmpp::{Element, Jid};

/// The options of a room, by their names in `_data`: in the owner's form, and whether they say the contrary there.
const OPTIONS: [(&str, &str, Says); 14] = [
    ("name", "muc#roomconfig_roomname", Says::It),
    ("description", "muc#roomconfig_roomdesc", Says::It),
    ("language", "muc#roomconfig_lang", Says::It),
    ("hidden", "muc#roomconfig_publicroom", Says::Contrary),
    ("password", "muc#roomconfig_roomsecret", Says::It),
    ("members_only", "muc#roomconfig_membersonly", Says::It),
    ("moderated", "muc#roomconfig_moderatedroom", Says::It),
    ("changesubject", "muc#roomconfig_changesubject", Says::It),
    ("whois", "muc#roomconfig_whois", Says::It),
    ("presence_broadcast", "muc#roomconfig_presencebroadcast", Says::It),
    ("history_length", "muc#roomconfig_historylength", Says::It),
    ("allow_member_invites", "muc#roomconfig_allowinvites", Says::It),
    ("archiving", "muc#roomconfig_enablelogging", Says::It),
    ("max_users", "muc#roomconfig_maxusers", Says::It),
];

/// What of `_data` is read elsewhere, or is nothing that lasts.
const OTHERS: [&str; 6] = ["persistent", "subject", "subject_from", "subject_time", "locked", "destroyed"];

/// How a value is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    It,
    Contrary,
}

/// Begins a room that stands in `config` under this address; `None` where it is not to be taken, which is told.
pub(crate) fn begin(config: &Table, address: &str, sink: &mut Sink<'_, '_>) -> Result<Option<Coming>, TransferError> {
    let address = config.text("_jid").or(config.text("jid")).unwrap_or(address);
    let nothing = Table::default();
    let data = config.table("_data").unwrap_or(&nothing);
    // What is not persistent is kept for a restart only.
    if data.get("persistent") != Some(&Value::Bool(true)) {
        sink.report.leave(address, "persistent", "the room is temporary: it ends with its last occupant");
        return Ok(None);
    }
    if data.get("destroyed").is_some_and(|destroyed| *destroyed != Value::Bool(false)) {
        sink.report.leave(address, "destroyed", "the room has been destroyed");
        return Ok(None);
    }
    let Some(mut room) = sink.room(address)? else { return Ok(None) };
    for (key, value) in data.named().filter(|(key, _)| !OTHERS.contains(key)) {
        match OPTIONS.iter().find(|(name, ..)| *name == key) {
            Some((_, var, says)) => match values(value, *says) {
                Some(values) => sink.configure(&mut room, key, var, &values),
                None => sink.report.leave(address, key, "cannot be read"),
            },
            None if key == "occupant_id_salt" => {
                sink.report.leave(address, key, "occupants have other occupant-ids here");
            }
            None => sink.report.leave(address, key, "there is no such option"),
        }
    }
    affiliations(config, &mut room, sink);
    if let Some(subject) = data.text("subject") {
        let by = data.text("subject_from").and_then(|from| Jid::new(from).ok());
        let stamp_ms = milliseconds(data.number("subject_time").unwrap_or_default());
        sink.entitle(&mut room, by.as_ref().and_then(Jid::resource), subject, stamp_ms);
    }
    Ok(Some(room))
}

/// In `_affiliations`, or in the newer format beside all else.
fn affiliations(config: &Table, room: &mut Coming, sink: &mut Sink<'_, '_>) {
    let more = config.table("_affiliation_data");
    let listed = config.table("_affiliations").unwrap_or(config);
    for (jid, affiliation) in listed.named().filter(|(jid, _)| !jid.starts_with('_') && *jid != "jid") {
        let Some(affiliation) = affiliation.as_text() else { continue };
        let known = more.and_then(|more| more.table(jid));
        let text = |name: &str| known.and_then(|known| known.text(name));
        sink.affiliate(room, jid, affiliation, text("reserved_nickname"), text("reason"));
        for (key, _) in known.into_iter().flat_map(Table::named) {
            if !matches!(key, "reserved_nickname" | "reason") {
                sink.leave_of(room, &format!("{key} of {jid}"), "nothing of the kind is known of a user");
            }
        }
    }
}

/// A value as the form has it.
fn values(value: &Value, says: Says) -> Option<Vec<String>> {
    Some(match value {
        Value::Bool(truth) => vec![u8::from(*truth != (says == Says::Contrary)).to_string()],
        Value::Number(number) => vec![number.to_string()],
        Value::Text(text) => vec![text.clone()],
        Value::Table(set) => {
            let chosen = |(key, value): (&Key, &Value)| match (key, value) {
                (Key::Text(name), Value::Bool(true)) => Some(name.clone()),
                (Key::Number(_), Value::Text(name)) => Some(name.clone()),
                _ => None,
            };
            // Nobody has the role `none` while in a room.
            set.0.iter().filter_map(chosen).filter(|role| role != "none").collect()
        }
        Value::Nil => return None,
    })
}

/// Its vCard, of the store `vcard_muc`; the table is empty where there is none.
pub(crate) fn show(card: &Table, room: &mut Coming, sink: &mut Sink<'_, '_>) {
    if !card.0.is_empty() {
        sink.show(room, "vcard_muc", super::element(card, "").as_ref());
    }
}

/// An item of the archive, from its parts.
pub(crate) fn said(
    room: &mut Coming,
    said: Option<&Element>,
    id: &str,
    when: f64,
    sink: &mut Sink<'_, '_>,
) -> Result<(), TransferError> {
    // What is no stanza at all is counted with what is none that can be sent.
    let nothing = Element::stanza("malformed");
    sink.say(room, said.unwrap_or(&nothing), id, milliseconds(when))
}
