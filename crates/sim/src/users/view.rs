//! What a client makes of what it receives from one room.

use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// A room as a client sees it.
#[derive(Debug, Clone)]
pub struct View {
    room: Jid,
    /// Its own nickname while it is in.
    pub me: Option<String>,
    /// Whether the room was not there before it came, and has not been opened to others as far as it knows (10.1).
    pub made: bool,
    /// Who is there, by nickname.
    pub seats: BTreeMap<String, Seat>,
    /// Whether others than itself are of no account to it.
    own: bool,
}

/// An occupant as a client sees one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// XEP-0045 5.2.
    pub affiliation: String,
    /// XEP-0045 5.1.
    pub role: String,
    /// The rest of the presence: show, status …
    pub payload: String,
}

/// What a client notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is in (again).
    Entered,
    /// It is out, for these reasons.
    Left(Vec<String>),
    /// It may not enter: the condition.
    Refused(String),
    /// A request was answered: its id, and whether it was granted.
    Answered(String, bool),
}

impl View {
    /// Of a room that is not known yet.
    pub fn of(room: &Jid) -> View {
        View { room: room.clone(), me: None, made: false, seats: BTreeMap::new(), own: false }
    }

    /// Of the same, where nobody will ask who else is there.
    pub fn own(room: &Jid) -> View {
        View { own: true, ..View::of(room) }
    }

    /// Its own role.
    pub fn role(&self) -> Option<&str> {
        let seat = self.seats.get(self.me.as_ref()?)?;
        Some(&seat.role)
    }

    /// Takes in a stanza.
    pub fn hear(&mut self, stanza: &Element) -> Option<News> {
        let from = stanza.get("from")?;
        // The room itself, or an occupant of it.
        let nick = match from.strip_prefix(self.room.as_str())? {
            "" => None,
            rest => Some(rest.strip_prefix('/')?),
        };
        match (stanza.name(), stanza.get("type")) {
            ("iq", Some(kind @ ("result" | "error"))) => {
                Some(News::Answered(stanza.get("id")?.to_owned(), kind == "result"))
            }
            ("presence", Some("error")) if self.me.is_none() => Some(News::Refused(condition(stanza))),
            ("presence", None) => self.is_there(nick?, stanza),
            ("presence", Some("unavailable")) => self.is_gone(nick, stanza),
            _ => None,
        }
    }

    fn is_there(&mut self, nick: &str, stanza: &Element) -> Option<News> {
        let item = stanza.get_child("x", ns::MUC_USER)?.get_child("item", ns::MUC_USER)?;
        let is_self = has_status(stanza, SELF);
        if self.own && !is_self && self.me.as_deref() != Some(nick) {
            return None;
        }
        let told = |name| item.get(name).unwrap_or_default().to_owned();
        let said = stanza.children().filter(|c| !matches!(c.ns(), ns::MUC_USER | ns::OCCUPANT_ID));
        let payload = said.map(Element::to_xml).collect();
        let seat = Seat { affiliation: told("affiliation"), role: told("role"), payload };
        self.seats.insert(nick.to_owned(), seat);
        if !is_self {
            return None;
        }
        self.made |= has_status(stanza, CREATED);
        self.me = Some(nick.to_owned());
        Some(News::Entered)
    }

    fn is_gone(&mut self, nick: Option<&str>, stanza: &Element) -> Option<News> {
        let told = has_status(stanza, SELF);
        // Not by the nickname: that it has another by now may have been lost, and another have its own. XEP-0045 10.9 has no code.
        let own = told || is_destroyed(stanza);
        let renamed = has_status(stanza, RENAMED);
        if let Some(nick) = nick {
            self.seats.remove(nick);
        }
        if renamed && told && self.me.is_some() {
            // From here on its nickname is the new one: the old may be another's before it is shown under that.
            let item = stanza.get_child("x", ns::MUC_USER).and_then(|x| x.get_child("item", ns::MUC_USER));
            self.me = item.and_then(|item| item.get("nick")).map(str::to_owned).or(self.me.take());
        }
        if renamed || !own {
            return None;
        }
        (self.me, self.made) = (None, false);
        self.seats.clear();
        Some(News::Left(statuses(stanza).map(str::to_owned).collect()))
    }
}

/// The status codes of a presence.
pub fn statuses(stanza: &Element) -> impl Iterator<Item = &str> {
    let x = stanza.get_child("x", ns::MUC_USER).into_iter().flat_map(Element::children);
    x.filter(|c| c.name() == "status").filter_map(|c| c.get("code"))
}

/// Whether a presence has a status code.
pub fn has_status(stanza: &Element, code: &str) -> bool {
    statuses(stanza).any(|known| known == code)
}

/// Whether it tells somebody that the room was not there before he came, XEP-0045 10.1.1.
pub fn is_new(stanza: &Element) -> bool {
    stanza.name() == "presence" && has_status(stanza, CREATED)
}

/// Whether the room is no more, XEP-0045 10.9.
pub fn is_destroyed(stanza: &Element) -> bool {
    let x = stanza.get_child("x", ns::MUC_USER).filter(|_| stanza.name() == "presence");
    x.is_some_and(|x| x.has_child("destroy", ns::MUC_USER))
}

/// The condition of an error.
pub fn condition(stanza: &Element) -> String {
    let error = stanza.get_child("error", ns::CLIENT).and_then(|error| error.children().next());
    error.map(|condition| condition.name().to_owned()).unwrap_or_default()
}

/// This is about the receiver.
const SELF: &str = "110";
/// A new room has been made.
const CREATED: &str = "201";
/// The nickname changes.
const RENAMED: &str = "303";

#[cfg(test)]
mod tests {
    use super::*;

    /// XEP-0045 7.2.2: a client knows by 110 what is about itself. That it has another nickname was lost, and who came under the former goes.
    #[test]
    fn who_has_a_clients_former_nickname_is_another() {
        let mut view = View::of(&Jid::new("wallops@channel.avalon.irc").unwrap());
        let hears = |view: &mut View, kind: &str, inner: &str| {
            let text = format!(
                "<presence from='wallops@channel.avalon.irc/Efchen'{kind}><x xmlns='http://jabber.org/protocol/muc#user'>\
                 <item affiliation='none' role='participant'/>{inner}</x></presence>"
            );
            view.hear(&Element::parse(&text).unwrap())
        };
        let (gone, own) = (" type='unavailable'", "<status code='110'/>");
        for (inner, is_out) in [("", false), (own, true), ("<destroy/>", true)] {
            assert_eq!(hears(&mut view, "", own), Some(News::Entered));
            hears(&mut view, gone, inner);
            assert_eq!(view.me.is_none(), is_out, "{inner}");
        }
    }
}
