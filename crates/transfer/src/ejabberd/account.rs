//! An account of ejabberd: its records `passwd`, `roster`, `vcard`, `private_storage`, `offline_msg`.

use super::{element, microseconds};
use crate::error::TransferError;
use crate::sink::Sink;
use crate::terms::Term;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xmpp::sasl::Keys;
use xmpp::{Element, ns};

/// Begins an account; `None` where it is not to be taken, which is told.
pub(super) fn begin(
    user: &str,
    fields: &[Term],
    sink: &mut Sink<'_, '_>,
) -> Result<Option<accounts::Draft>, TransferError> {
    let password = fields.get(2);
    if let Some(password) = password.and_then(Term::text) {
        return sink.account_with_password(user, password);
    }
    match password.and_then(scram) {
        Some((Hash::Sha1, keys)) => sink.account_with_keys(user, Some(keys), None),
        Some((Hash::Sha256, keys)) => sink.account_with_keys(user, None, Some(keys)),
        None => {
            sink.leave_user(user, "passwd", "it has neither a password nor keys for SCRAM-SHA-1 or SCRAM-SHA-256");
            Ok(None)
        }
    }
}

enum Hash {
    Sha1,
    Sha256,
}

/// `{scram,StoredKey,ServerKey,Salt,Hash,Iterations}`, without the hash before 20.
fn scram(term: &Term) -> Option<(Hash, Keys)> {
    let (hash, [stored, server, salt], iterations) = match term.tuple() {
        [_, stored, server, salt, hash, iterations] => match hash.atom()? {
            "sha" => (Hash::Sha1, [stored, server, salt], iterations),
            "sha256" => (Hash::Sha256, [stored, server, salt], iterations),
            _ => return None,
        },
        [_, stored, server, salt, iterations] => (Hash::Sha1, [stored, server, salt], iterations),
        _ => return None,
    };
    let bytes = |term: &Term| STANDARD.decode(term.text()?).ok();
    let iterations = iterations.int().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0)?;
    Some((hash, Keys { salt: bytes(salt)?, iterations, stored_key: bytes(stored)?, server_key: bytes(server)? }))
}

/// A record that belongs to an account.
pub(super) fn take(fields: &[Term], draft: &mut accounts::Draft, sink: &mut Sink<'_, '_>) {
    let table = fields.first().and_then(Term::atom).unwrap_or_default();
    let stanza = |at: usize, outer| fields.get(at).and_then(|term| element(term, outer)).ok_or("is no XML".to_owned());
    let done = match table {
        "vcard" => stanza(2, ns::VCARD).and_then(|card| draft.vcard(&card)),
        "private_storage" => stanza(2, "").and_then(|element| draft.private(&element)),
        // `{offline_msg,_,When,Until,From,To,Packet}`
        "offline_msg" => {
            let stamp_ms = fields.get(2).and_then(microseconds).unwrap_or_default().div_euclid(1_000);
            stanza(6, ns::CLIENT).and_then(|message| draft.offline(&message, stamp_ms))
        }
        _ => return contact(fields, draft, sink),
    };
    sink.judge(draft.local(), table, done);
}

/// `{roster,_,{User,Domain},{U,D,R},Name,Subscription,Ask,Groups,Message,_}`.
fn contact(fields: &[Term], draft: &mut accounts::Draft, sink: &mut Sink<'_, '_>) {
    let read = || {
        let (user, domain) = super::whose(fields.get(3)?)?;
        let jid = if user.is_empty() { domain } else { format!("{user}@{domain}") };
        let (name, subscription, ask) = (fields.get(4)?.text()?, fields.get(5)?.atom()?, fields.get(6)?.atom()?);
        let groups: Vec<&str> = fields.get(7)?.list().iter().filter_map(Term::text).collect();
        Some((jid, name, subscription, ask, groups))
    };
    let Some((jid, name, subscription, ask, groups)) = read() else {
        return sink.leave_user(draft.local(), "roster", "a contact cannot be read");
    };
    // One whose request is all there is of him is in no roster.
    let is_request = subscription == "none" && ask == "in" && name.is_empty() && groups.is_empty();
    if !is_request {
        let item = Element::new("item", ns::ROSTER)
            .attr("jid", &jid)
            .attr_opt("name", Some(name).filter(|name| !name.is_empty()))
            .attr("subscription", subscription)
            .attr_opt("ask", matches!(ask, "out" | "both" | "subscribe").then_some("subscribe"))
            .with(groups.iter().map(|group| Element::new("group", ns::ROSTER).text(*group)));
        sink.contact(draft, &item);
    }
    if matches!(ask, "in" | "both") {
        sink.request(draft, &Element::stanza("presence").attr("from", jid).attr("type", "subscribe"));
    }
}
