//! Reading the room's archive as a client does, XEP-0313 with XEP-0059 paging.

use super::User;
use super::stays::body_of;
use crate::world::{Scene, World};
use xmpp::{Element, Jid, ns};

/// A message as the archive has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its stanza-id.
    pub id: String,
    /// Its text; `None` for a change of the subject.
    pub body: Option<String>,
}

/// Pages through the whole archive; what does not work is told.
pub fn read(user: &User, world: &mut World) -> Result<Vec<Archived>, String> {
    let mut archive: Vec<Archived> = Vec::new();
    let mut after: Option<String> = None;
    for number in 0..PAGES_MAX {
        let asked = world.tape.tellings.len();
        let (id, query_id) = (format!("mam-{number}"), format!("q{number}"));
        user.send(world, page(&user.room, &id, &query_id, after.as_deref(), PAGE_ROWS));
        world.quiet();
        let mut complete = None;
        for telling in world.tape.tellings.iter().skip(asked).filter(|t| t.who == user.jid.as_str()) {
            let Scene::Received(stanza) = &telling.what else { continue };
            if let Some(result) = stanza.get_child("result", ns::MAM) {
                archive.push(archived(result)?);
            } else if let Some(fin) = stanza.get_child("fin", ns::MAM) {
                complete = Some(fin.get("complete") == Some("true"));
                // Where a page ended is for the room to say: after what an island said an id alone means more (XEP-0059 2.2).
                after =
                    fin.get_child("set", ns::RSM).and_then(|set| set.get_child("last", ns::RSM)).map(Element::content);
            }
        }
        match complete {
            Some(true) => return Ok(archive),
            Some(false) => {}
            None => return Err(format!("page {number} of the archive was not answered")),
        }
    }
    Err("the archive has no end".to_owned())
}

/// Asks for a page of so many rows, the first of all or the one behind a message.
pub fn page(room: &Jid, id: &str, query_id: &str, after: Option<&str>, rows: usize) -> Element {
    let mut set = Element::new("set", ns::RSM).child(Element::new("max", ns::RSM).text(rows.to_string()));
    if let Some(after) = after {
        set.push(Element::new("after", ns::RSM).text(after));
    }
    let query = Element::new("query", ns::MAM).attr("queryid", query_id).child(set);
    Element::stanza("iq").attr("type", "set").attr("id", id).attr("to", room.as_str()).child(query)
}

fn archived(result: &Element) -> Result<Archived, String> {
    let message = result.get_child("forwarded", ns::FORWARD).and_then(|f| f.get_child("message", ns::CLIENT));
    let message = message.ok_or_else(|| format!("a result without a message: {result}"))?;
    Ok(Archived { id: result.get("id").unwrap_or_default().to_owned(), body: body_of(message) })
}

/// Rows asked for at a time.
pub(crate) const PAGE_ROWS: usize = 50;
/// More than any scenario fills.
const PAGES_MAX: usize = 1_000;
