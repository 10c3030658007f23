//! What XEP-0045 promises each occupant for each act: worked out from the story alone, never from what the servers did.

use super::cast::{Act, Person, ROOM, by_nick};
use std::collections::BTreeMap;
use xmpp::{Element, ns};

/// One stanza as a user sees it, in what matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sight {
    /// From whom: a nick, or empty for the room.
    pub from: String,
    /// What.
    pub what: What,
}

/// The kinds of stanza the story has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Somebody is there: affiliation, role, the real JID if it was shown, status codes.
    Present(String, String, Option<String>, Vec<u16>),
    /// Somebody has gone, with status codes.
    Gone(Vec<u16>),
    /// Somebody says or said something; `true` when it is history.
    Message(String, bool),
    /// The subject.
    Subject(String),
}

/// The room as the story makes it.
#[derive(Debug, Default)]
pub struct Model {
    /// Who is in, in the order they entered, with role and affiliation as they are now.
    inside: Vec<(&'static Person, String, String)>,
    affiliations: BTreeMap<&'static str, String>,
    said: Vec<(&'static str, &'static str)>,
}

impl Model {
    /// What each user who is concerned will see because of `act`; order matters only where it says so: an entrant's list is
    /// in order, all others have one stanza.
    pub fn act(&mut self, act: Act) -> BTreeMap<&'static str, Vec<Sight>> {
        match act {
            Act::Enters(nick) => self.enters(by_nick(nick)),
            Act::Opens(_) => BTreeMap::new(),
            Act::Affiliates(_, nick) => {
                self.affiliations.insert(nick, by_nick(nick).affiliation.into());
                BTreeMap::new()
            }
            Act::Promotes(_, nick) => self.promotes(nick),
            Act::Says(nick, text) => {
                self.said.push((nick, text));
                self.all(|_| Sight { from: nick.into(), what: What::Message(text.into(), false) })
            }
            Act::Leaves(nick) => {
                let seen = self.all(|p| Sight { from: nick.into(), what: What::Gone(own(p.nick == nick)) });
                self.inside.retain(|(p, ..)| p.nick != nick);
                seen
            }
        }
    }

    /// Who is in, by site.
    pub fn inside_at(&self, site: &str) -> usize {
        self.inside.iter().filter(|(p, ..)| p.site == site).count()
    }

    fn enters(&mut self, who: &'static Person) -> BTreeMap<&'static str, Vec<Sight>> {
        let first = self.inside.is_empty();
        let affiliation =
            if first { "owner".into() } else { self.affiliations.get(who.nick).cloned().unwrap_or("none".into()) };
        let role = if affiliation == "owner" || affiliation == "admin" { "moderator" } else { "participant" };
        let mut seen = self.all(|p| self.presence(who, &affiliation, role, self.sees_jids(p), vec![]));
        self.inside.push((who, affiliation, role.to_owned()));
        let mut mine: Vec<Sight> = Vec::new();
        for (other, affiliation, role) in self.inside.iter().filter(|(p, ..)| p.nick != who.nick) {
            mine.push(self.presence(other, affiliation, role, self.sees_jids(who), vec![]));
        }
        let (_, affiliation, role) = self.inside.last().expect("just put in");
        let codes = if first { vec![110, 170, 201] } else { vec![110, 170] };
        mine.push(self.presence(who, affiliation, role, self.sees_jids(who), codes));
        for (nick, text) in &self.said {
            mine.push(Sight { from: (*nick).into(), what: What::Message((*text).into(), true) });
        }
        mine.push(Sight { from: String::new(), what: What::Subject(String::new()) });
        seen.insert(who.nick, mine);
        seen
    }

    fn promotes(&mut self, nick: &'static str) -> BTreeMap<&'static str, Vec<Sight>> {
        for (person, _, role) in &mut self.inside {
            if person.nick == nick {
                *role = "moderator".into();
            }
        }
        let (who, affiliation, role) =
            self.inside.iter().find(|(p, ..)| p.nick == nick).cloned().expect("is in the room");
        self.all(|p| self.presence(who, &affiliation, &role, self.sees_jids(p), own(p.nick == nick)))
    }

    fn all(&self, sight: impl Fn(&'static Person) -> Sight) -> BTreeMap<&'static str, Vec<Sight>> {
        self.inside.iter().map(|(p, ..)| (p.nick, vec![sight(p)])).collect()
    }

    fn sees_jids(&self, who: &Person) -> bool {
        self.inside.iter().any(|(p, _, role)| p.nick == who.nick && role == "moderator")
    }

    fn presence(&self, who: &Person, affiliation: &str, role: &str, jid: bool, codes: Vec<u16>) -> Sight {
        let jid = jid.then(|| who.jid());
        Sight { from: who.nick.into(), what: What::Present(affiliation.into(), role.into(), jid, codes) }
    }
}

fn own(own: bool) -> Vec<u16> {
    if own { vec![110] } else { vec![] }
}

/// What a received stanza is in the story's terms; `None` for what is not of the room.
pub fn sight(stanza: &Element) -> Option<Sight> {
    let (room, nick) = match stanza.get("from")?.split_once('/') {
        Some((room, nick)) => (room, nick),
        None => (stanza.get("from")?, ""),
    };
    if room != ROOM || stanza.name() == "iq" {
        return None;
    }
    let what = match stanza.name() {
        "presence" => presence(stanza)?,
        _ => match (stanza.get_child("body", ns::CLIENT), stanza.get_child("subject", ns::CLIENT)) {
            (Some(body), _) => What::Message(body.content(), stanza.has_child("delay", ns::DELAY)),
            (None, Some(subject)) => What::Subject(subject.content()),
            (None, None) => return None,
        },
    };
    Some(Sight { from: nick.into(), what })
}

fn presence(stanza: &Element) -> Option<What> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    let mut codes: Vec<u16> = x.children().filter_map(|c| c.get("code")?.parse().ok()).collect();
    codes.sort_unstable();
    if stanza.get("type") == Some("unavailable") {
        return Some(What::Gone(codes));
    }
    let item = x.get_child("item", ns::MUC_USER)?;
    let text = |name| item.get(name).unwrap_or_default().to_owned();
    Some(What::Present(text("affiliation"), text("role"), item.get("jid").map(str::to_owned), codes))
}

/// Whether anything of the replicas' language is in a stanza that reached a client.
pub fn leaks(stanza: &Element) -> bool {
    matches!(stanza.ns(), ns::DMUC | ns::NETJOIN) || stanza.children().any(leaks)
}
