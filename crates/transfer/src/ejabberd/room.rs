//! A room of ejabberd: the options of its record `muc_room`.

use super::Whose;
use crate::error::TransferError;
use crate::sink::{Coming, Sink};
use crate::terms::Term;
use std::collections::BTreeMap;
use xmpp::Element;

/// The options of a room by their names there: in the owner's form.
const OPTIONS: [(&str, &str); 14] = [
    ("title", "muc#roomconfig_roomname"),
    ("description", "muc#roomconfig_roomdesc"),
    ("lang", "muc#roomconfig_lang"),
    ("public", "muc#roomconfig_publicroom"),
    ("members_only", "muc#roomconfig_membersonly"),
    ("allow_change_subj", "muc#roomconfig_changesubject"),
    ("allow_user_invites", "muc#roomconfig_allowinvites"),
    ("max_users", "muc#roomconfig_maxusers"),
    ("presence_broadcast", "muc#roomconfig_presencebroadcast"),
    ("mam", "muc#roomconfig_enablelogging"),
    ("pubsub", "muc#roomconfig_pubsub"),
    ("allowpm", "muc#roomconfig_allowpm"),
    ("moderated", "muc#roomconfig_moderatedroom"),
    ("password", "muc#roomconfig_roomsecret"),
];

/// Options that say nothing here as long as they are as they come.
const AS_THEY_COME: [(&str, &str); 14] = [
    ("allow_query_users", "1"),
    ("allow_private_messages_from_visitors", "anyone"),
    ("allow_visitor_status", "1"),
    ("allow_visitor_nickchange", "1"),
    ("public_list", "1"),
    ("captcha_protected", "0"),
    ("logging", "0"),
    ("allow_voice_requests", "1"),
    ("voice_request_min_interval", "1800"),
    ("allow_subscription", "0"),
    ("enable_hats", "0"),
    ("captcha_whitelist", ""),
    ("hats_users", ""),
    ("subscribers", ""),
];

/// What is read elsewhere, or is nothing that lasts.
const OTHERS: [&str; 13] = [
    "persistent",
    "affiliations",
    "anonymous",
    "members_by_default",
    "password_protected",
    "allow_private_messages",
    "subject",
    "subject_author",
    "roles",
    "vcard",
    "vcard_xupdate",
    "hibernation_time",
    "hats_defs",
];

/// Begins a room; `None` where it is not to be taken, which is told.
pub(super) fn begin(
    (name, service): &Whose,
    fields: &[Term],
    nicks: &BTreeMap<(String, String), String>,
    sink: &mut Sink<'_, '_>,
) -> Result<Option<Coming>, TransferError> {
    let address = format!("{name}@{service}");
    let options: BTreeMap<&str, &Term> =
        fields.get(2).map(Term::list).unwrap_or_default().iter().filter_map(pair).collect();
    let is = |name: &str, default: bool| options.get(name).map_or(default, |value| value.atom() == Some("true"));
    if !is("persistent", false) {
        sink.report.leave(address, "persistent", "the room is temporary: it ends with its last occupant");
        return Ok(None);
    }
    let Some(mut room) = sink.room(&address)? else { return Ok(None) };
    for (key, value) in &options {
        let var = OPTIONS.iter().find(|(name, _)| name == key).map(|(_, var)| *var);
        let as_it_comes = AS_THEY_COME.iter().find(|(name, _)| name == key).map(|(_, default)| *default);
        match (var, values(value)) {
            (Some(_), _) if *key == "password" && !is("password_protected", false) => {}
            // Who comes has a voice there all the same.
            (Some(_), _) if *key == "moderated" && is("members_by_default", true) => {}
            (Some(var), Some(values)) => sink.configure(&mut room, key, var, &values),
            (Some(_), None) => sink.leave_of(&room, key, "cannot be read"),
            (None, Some(values)) if as_it_comes.is_some_and(|default| values.join(" ") == default) => {}
            (None, _) if OTHERS.contains(key) => {}
            (None, _) => sink.leave_of(&room, key, "there is no such option"),
        }
    }
    if !options.contains_key("mam") {
        sink.configure(&mut room, "mam", "muc#roomconfig_enablelogging", &["0".to_owned()]);
    }
    if is("moderated", true) && is("members_by_default", true) {
        sink.leave_of(
            &room,
            "moderated",
            "who comes has a voice there all the same, so the room is not moderated here",
        );
    }
    let whois = if is("anonymous", true) { "moderators" } else { "anyone" };
    sink.configure(&mut room, "anonymous", "muc#roomconfig_whois", &[whois.to_owned()]);
    if !is("allow_private_messages", true) {
        sink.configure(&mut room, "allow_private_messages", "muc#roomconfig_allowpm", &["none".to_owned()]);
    }
    for entry in options.get("affiliations").map(|all| all.list()).unwrap_or_default() {
        affiliate(entry, service, nicks, &mut room, sink);
    }
    subject(&options, &mut room, sink);
    // As text; empty, or an atom, where there is none.
    if let Some(card) = options.get("vcard").and_then(|card| card.text()).filter(|card| !card.is_empty()) {
        sink.show(&mut room, "vcard", Element::parse(card).ok().as_ref());
    }
    Ok(Some(room))
}

/// `{{User,Domain,Resource},Affiliation}`, where that is an atom or `{Affiliation,Reason}`.
fn affiliate(
    entry: &Term,
    service: &str,
    nicks: &BTreeMap<(String, String), String>,
    room: &mut Coming,
    sink: &mut Sink<'_, '_>,
) {
    let read = || {
        let [jid, affiliation] = entry.tuple() else { return None };
        let (user, domain) = super::whose(jid)?;
        let (affiliation, reason) = match affiliation.tuple() {
            [affiliation, reason] => (affiliation.atom()?, reason.text()),
            _ => (affiliation.atom()?, None),
        };
        let jid = if user.is_empty() { domain } else { format!("{user}@{domain}") };
        Some((jid, affiliation, reason))
    };
    let Some((jid, affiliation, reason)) = read() else {
        return sink.leave_of(room, "affiliations", "an entry cannot be read");
    };
    let nick = nicks.get(&(service.to_owned(), jid.clone())).filter(|_| affiliation != "outcast");
    sink.affiliate(room, &jid, affiliation, nick.map(String::as_str), reason);
}

/// `subject` is a list of `{text,Language,Text}`, in older versions a text; when it was set is not kept.
fn subject(options: &BTreeMap<&str, &Term>, room: &mut Coming, sink: &mut Sink<'_, '_>) {
    let Some(subject) = options.get("subject") else { return };
    let of = |text: &Term| match text.tuple() {
        [_, _, text] => text.text().map(str::to_owned),
        _ => None,
    };
    let text = subject.text().map(str::to_owned).or_else(|| subject.list().iter().find_map(of));
    let Some(text) = text.filter(|text| !text.is_empty()) else { return };
    let author = options.get("subject_author").map(|author| author.tuple().first().unwrap_or(author));
    let nick = author.and_then(Term::text).filter(|nick| !nick.is_empty());
    sink.entitle(room, nick, &text, 0);
}

fn pair(option: &Term) -> Option<(&str, &Term)> {
    match option.tuple() {
        [key, value] => Some((key.atom()?, value)),
        _ => None,
    }
}

/// A value as the form has it.
fn values(value: &Term) -> Option<Vec<String>> {
    Some(match value {
        Term::Atom(name) => vec![match name.as_str() {
            "true" => "1".to_owned(),
            "false" => "0".to_owned(),
            other => other.to_owned(),
        }],
        Term::Int(number) => vec![number.to_string()],
        Term::List(all) => all.iter().map(|one| one.atom().map(str::to_owned)).collect::<Option<_>>()?,
        text => vec![text.text()?.to_owned()],
    })
}
