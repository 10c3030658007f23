//! An account of Prosody: the tables of its stores `accounts` and `roster`.

use crate::error::TransferError;
use crate::lua::{Key, Table, Value};
use crate::sink::Sink;
use xmpp::sasl::Keys;
use xmpp::{Element, ns};

/// Begins an account; `None` where it is not to be taken, which is told.
pub(crate) fn begin(
    account: &Table,
    user: &str,
    sink: &mut Sink<'_, '_>,
) -> Result<Option<accounts::Draft>, TransferError> {
    match (account.text("password"), scram(account)) {
        (Some(password), _) => sink.account_with_password(user, password),
        (None, Some(keys)) => sink.account_with_keys(user, Some(keys), None),
        (None, None) => {
            sink.leave_user(user, "accounts", "it has neither a password nor keys for SCRAM-SHA-1");
            Ok(None)
        }
    }
}

/// What `internal_hashed` keeps, for SCRAM-SHA-1 as Prosody comes.
fn scram(account: &Table) -> Option<Keys> {
    Some(Keys {
        salt: account.text("salt")?.as_bytes().to_vec(),
        iterations: account.number("iteration_count").filter(|n| (1.0..1e9).contains(n))? as u32,
        stored_key: hex(account.text("stored_key")?)?,
        server_key: hex(account.text("server_key")?)?,
    })
}

/// The contacts of an account; what stands under `false` is about the roster itself, and who has asked.
pub(crate) fn roster(roster: &Table, draft: &mut accounts::Draft, sink: &mut Sink<'_, '_>) {
    for (jid, item) in roster.named() {
        let Value::Table(item) = item else { continue };
        let text = |name: &str| item.text(name).filter(|text| !text.is_empty());
        let groups = item.table("groups").into_iter().flat_map(Table::named);
        let element = Element::new("item", ns::ROSTER)
            .attr("jid", jid)
            .attr_opt("name", text("name"))
            .attr_opt("subscription", text("subscription"))
            .attr_opt("ask", text("ask"))
            .with(groups.map(|(group, _)| Element::new("group", ns::ROSTER).text(group)));
        sink.contact(draft, &element);
    }
    let Some(Value::Table(about)) = roster.0.get(&Key::Bool(false)) else { return };
    for (jid, asked) in about.table("pending").into_iter().flat_map(Table::named) {
        let presence = match asked {
            Value::Table(stanza) => super::stanza(stanza),
            _ => None,
        };
        let presence = presence.unwrap_or_else(|| Element::stanza("presence").attr("type", "subscribe"));
        sink.request(draft, &presence.attr("from", jid));
    }
}

/// What `vcard`, `private` and `blocklist` keep, a table each.
pub(crate) fn kept(store: &str, table: &Table, draft: &mut accounts::Draft, sink: &mut Sink<'_, '_>) {
    let each = table.named().filter_map(|(key, value)| match value {
        Value::Table(element) => Some((key, super::element(element, ""))),
        _ => None,
    });
    match store {
        "vcard" if table.text("name").is_some() => {
            let done = super::element(table, "").ok_or("is no XML".to_owned()).and_then(|card| draft.vcard(&card));
            sink.judge(draft.local(), store, done);
        }
        "private" => each.for_each(|(key, element)| {
            let done = element.ok_or("is no XML".to_owned()).and_then(|element| draft.private(&element));
            sink.judge(draft.local(), &format!("private, {key}"), done);
        }),
        "blocklist" => table.named().filter(|(_, blocked)| **blocked == Value::Bool(true)).for_each(|(jid, _)| {
            let done = draft.block(jid);
            sink.judge(draft.local(), &format!("blocked {jid}"), done);
        }),
        _ => {}
    }
}

/// A message that waits, of the archive `offline`.
pub(crate) fn waiting(message: Option<&Element>, when: f64, draft: &mut accounts::Draft, sink: &mut Sink<'_, '_>) {
    let message = message.filter(|message| message.is("message", ns::CLIENT)).ok_or("is no message".to_owned());
    let done = message.and_then(|message| draft.offline(message, super::milliseconds(when)));
    sink.judge(draft.local(), "offline", done);
}

fn hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
