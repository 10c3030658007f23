//! What a client says to a room and hears from it: XEP-0045, XEP-0313, XEP-0359.

use anyhow::{Context, Result};
use driver::Client;
use std::time::Duration;
use xmpp::{Element, ns};

/// A message as an occupant or the archive has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The room's stanza-id.
    pub id: String,
    /// Whose nick it came from.
    pub nick: String,
    /// The id its author gave it.
    pub message_id: String,
    /// What was said.
    pub body: String,
}

/// `<presence/>` that enters, asking for no history.
pub fn enter(room: &str, nick: &str) -> Element {
    let history = Element::new("history", ns::MUC).attr("maxstanzas", "0");
    let x = Element::new("x", ns::MUC).child(history);
    Element::stanza("presence").attr("to", format!("{room}/{nick}")).child(x)
}

/// `<presence/>` that leaves.
pub fn leave(room: &str, nick: &str) -> Element {
    Element::stanza("presence").attr("to", format!("{room}/{nick}")).attr("type", "unavailable")
}

/// A message to all.
pub fn say(room: &str, id: &str, body: &str) -> Element {
    let body = Element::new("body", ns::CLIENT).text(body);
    Element::stanza("message").attr("to", room).attr("type", "groupchat").attr("id", id).child(body)
}

/// The empty form that makes a new room an instant one, 10.1.2.
pub fn open(room: &str) -> Element {
    let form = Element::new("x", ns::FORMS).attr("type", "submit");
    Element::stanza("iq").attr("to", room).attr("type", "set").child(Element::new("query", ns::MUC_OWNER).child(form))
}

/// The owner's form of a room that stays and where everybody may see real addresses, so that who is cut off is shown away.
pub fn open_to_all_eyes(room: &str) -> Element {
    let field = |var: &str, value: &str| {
        Element::new("field", ns::FORMS).attr("var", var).child(Element::new("value", ns::FORMS).text(value))
    };
    let form = Element::new("x", ns::FORMS)
        .attr("type", "submit")
        .child(field("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"))
        .child(field("muc#roomconfig_persistentroom", "1"))
        .child(field("muc#roomconfig_whois", "anyone"));
    Element::stanza("iq").attr("to", room).attr("type", "set").child(Element::new("query", ns::MUC_OWNER).child(form))
}

/// Takes an occupant's role away, 8.2.
pub fn kick(room: &str, nick: &str) -> Element {
    let item = Element::new("item", ns::MUC_ADMIN).attr("nick", nick).attr("role", "none");
    Element::stanza("iq").attr("to", room).attr("type", "set").child(Element::new("query", ns::MUC_ADMIN).child(item))
}

/// Whether a presence of a room bears a status code.
pub fn has_status(stanza: &Element, code: &str) -> bool {
    let x = stanza.get_child("x", ns::MUC_USER);
    x.is_some_and(|x| x.children().any(|s| s.is("status", ns::MUC_USER) && s.get("code") == Some(code)))
}

/// Whether this is the presence of `nick` in `room`, available or not.
pub fn is_presence(stanza: &Element, room: &str, nick: &str, available: bool) -> bool {
    let from = stanza.get("from").and_then(|from| from.strip_prefix(room)).and_then(|rest| rest.strip_prefix('/'));
    let kind = if available { None } else { Some("unavailable") };
    stanza.name() == "presence" && from == Some(nick) && stanza.get("type") == kind
}

/// A message of the room to all, unless it is none, or one without a body.
pub fn heard(stanza: &Element, room: &str) -> Option<Heard> {
    let (from, nick) = stanza.get("from")?.split_once('/')?;
    let body = stanza.get_child("body", ns::CLIENT)?.content();
    if stanza.name() != "message" || stanza.get("type") != Some("groupchat") || from != room {
        return None;
    }
    let by_room = |e: &&Element| e.is("stanza-id", STANZA_ID) && e.get("by") == Some(room);
    let id = stanza.children().find(by_room).and_then(|e| e.get("id")).unwrap_or_default();
    let message_id = stanza.get("id").unwrap_or_default();
    Some(Heard { id: id.into(), nick: nick.into(), message_id: message_id.into(), body })
}

/// Enters and waits until it is in; opens the room when that made it.
pub async fn go_in(client: &Client, room: &str, nick: &str) -> Result<()> {
    let before = client.seen(<[Element]>::len);
    client.send(&enter(room, nick)).await?;
    let own = |s: &Element| is_presence(s, room, nick, true) && has_status(s, "110");
    let refused = |s: &Element| s.name() == "presence" && s.get("type") == Some("error");
    client.wait_until(PATIENCE, |seen| seen[before..].iter().any(|s| own(s) || refused(s))).await?;
    let answer = client.seen(|seen| seen[before..].iter().find(|s| own(s) || refused(s)).cloned());
    let answer = answer.context("it was just seen")?;
    anyhow::ensure!(!refused(&answer), "{} was not let in: {answer}", client.jid());
    if has_status(&answer, "201") {
        let opened = client.ask(open(room)).await?;
        anyhow::ensure!(opened.get("type") == Some("result"), "the room was not opened: {opened}");
    }
    Ok(())
}

/// Waits until a client hears this from that nick.
pub async fn hears(client: &Client, room: &str, nick: &str, body: &str) -> Result<()> {
    let this = |s: &Element| heard(s, room).is_some_and(|h| h.nick == nick && h.body == body);
    let waiting = client.wait_until(PATIENCE, |seen| seen.iter().any(this)).await;
    waiting.with_context(|| format!("{} was to hear {nick} say {body:?}", client.jid()))
}

/// The whole archive of a room, oldest first, paged.
pub async fn archive(client: &Client, room: &str) -> Result<Vec<Heard>> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    for page in 0..PAGES_MAX {
        let query_id = format!("page-{page}");
        let max = Element::new("max", ns::RSM).text(PAGE.to_string());
        let mut set = Element::new("set", ns::RSM).child(max);
        if let Some(after) = &after {
            set.push(Element::new("after", ns::RSM).text(after.as_str()));
        }
        let before = client.seen(<[Element]>::len);
        let query = Element::new("query", MAM).attr("queryid", &query_id).child(set);
        let answer = client.ask(Element::stanza("iq").attr("to", room).attr("type", "set").child(query)).await?;
        let fin = answer.get_child("fin", MAM).with_context(|| format!("no archive: {answer}"))?;
        let rows: Vec<Heard> =
            client.seen(|seen| seen[before..].iter().filter_map(|s| archived(s, room, &query_id)).collect());
        let last = fin.get_child("set", ns::RSM).and_then(|set| set.get_child("last", ns::RSM)).map(Element::content);
        let complete = fin.get("complete") == Some("true");
        all.extend(rows);
        if complete {
            return Ok(all);
        }
        anyhow::ensure!(last.is_some() && last != after, "a page without an end: {answer}");
        after = last;
    }
    anyhow::bail!("the archive has more than {PAGES_MAX} pages")
}

fn archived(stanza: &Element, room: &str, query_id: &str) -> Option<Heard> {
    let result = stanza.get_child("result", MAM).filter(|r| r.get("queryid") == Some(query_id))?;
    let message = result.get_child("forwarded", FORWARD)?.get_child("message", ns::CLIENT)?;
    Some(Heard { id: result.get("id")?.into(), ..heard(message, room)? })
}

/// How long anything here may take to be seen.
pub const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: usize = 100;
/// So that a server that never says `complete` ends the test.
const PAGES_MAX: usize = 20_000;
const MAM: &str = "urn:xmpp:mam:2";
const FORWARD: &str = "urn:xmpp:forward:0";
const STANZA_ID: &str = "urn:xmpp:sid:0";
