//! Protocol property P10: nobody is outside without having been told. Who is told that he is out learns why, and from then on hears
//! nothing of the room until he asks.

use super::people::{People, is_destroyed};
use super::watch::Watch;
use crate::address::bare;
use crate::users::answers_join;
use crate::users::view::{News, View};
use crate::world::{Scene, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, ns};

pub(super) struct Outside {
    room: Jid,
    clients: BTreeMap<String, Client>,
}

struct Client {
    view: View,
    /// Whether it has asked to leave, or its stream before has ended, which says the same.
    leaving: bool,
    /// The joins of this stream that were not answered, by their ids: each permits one entry. An answer to a join of a stream before is
    /// none to these.
    asking: BTreeSet<String>,
    /// Whether it has been told that it is out, and has not asked to be in since.
    out: bool,
}

impl Outside {
    pub fn of(room: &Jid) -> Outside {
        Outside { room: room.clone(), clients: BTreeMap::new() }
    }
}

impl Watch for Outside {
    fn told(&mut self, telling: &Telling, _: usize, _: &People) -> Result<(), String> {
        let of = |leaving| Client { view: View::own(&self.room), leaving, asking: BTreeSet::new(), out: false };
        let client = self.clients.entry(telling.who.clone()).or_insert_with(|| of(false));
        match &telling.what {
            Scene::Connected => {}
            Scene::Ended => *client = of(true),
            Scene::Sent(stanza) if stanza.name() == "presence" => match stanza.get("type") {
                None if stanza.has_child("x", ns::MUC) => {
                    client.asking.extend(stanza.get("id").map(str::to_owned));
                    client.out = false;
                }
                Some("unavailable") => client.leaving = true,
                _ => {}
            },
            Scene::Sent(_) => {}
            Scene::Received(stanza) => {
                let was_in = client.view.me.is_some();
                let (who, news) = (&telling.who, client.view.hear(stanza));
                if client.out && is_of_all(stanza, &self.room) {
                    return Err(format!("{who} was told that it is out, and is sent {stanza}"));
                }
                if answers_join(stanza) {
                    client.asking.remove(stanza.get("id").unwrap_or_default());
                }
                if let Some(News::Left(codes)) = news.filter(|_| was_in) {
                    client.out = client.asking.is_empty();
                    let why = codes.iter().any(|code| REASONS.contains(&code.as_str())) || is_destroyed(stanza);
                    if !why && !std::mem::take(&mut client.leaving) {
                        return Err(format!("{who} is out and was not told why: {stanza}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether it is what all occupants are sent.
fn is_of_all(stanza: &Element, room: &Jid) -> bool {
    let of_room = stanza.get("from").is_some_and(|from| bare(from) == room.as_str());
    let presence = stanza.name() == "presence" && stanza.get("type").is_none();
    of_room && (presence || stanza.get("type") == Some("groupchat"))
}

/// Why somebody is out who has not asked to be, XEP-0045 15.6.2: banned, kicked, no member (any more), the service ends, a failure.
const REASONS: [&str; 6] = ["301", "307", "321", "322", "332", "333"];
