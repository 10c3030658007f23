//! What users are by all that the room has said to anybody: an affiliation, which is a user's, and roles, which his occupants have
//! (XEP-0045 5). Who has come in under two nicknames is two occupants, and may do whatever either of them may.

use super::people::{Occupant, People, address_in, bare, item, subject};
use crate::users::view::has_status;
use crate::world::{Crossing, Scene, SetBack, Telling};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, ns};

/// Where on the tape something was said, and what.
type Words = Vec<(usize, String)>;

#[derive(Default)]
pub(super) struct Given {
    /// Of a user: the affiliations he was given, and by nickname the roles.
    said: BTreeMap<String, BTreeMap<Option<String>, Words>>,
    /// What clients have asked for and were not answered, by client and id: the request, and its place on the tape.
    asked: BTreeMap<(String, String), (Element, usize)>,
    /// Everybody who has a client.
    users: BTreeSet<String>,
}

impl Given {
    /// A client asks for something, or is there at all.
    pub fn told(&mut self, telling: &Telling, at: usize) {
        if !self.users.contains(bare(&telling.who)) {
            self.users.insert(bare(&telling.who).to_owned());
        }
        let Scene::Sent(stanza) = &telling.what else { return };
        if let Some(id) = stanza.get("id").filter(|_| stanza.name() == "iq" && stanza.get("type") == Some("set")) {
            self.asked.insert((telling.who.clone(), id.to_owned()), (stanza.clone(), at));
        }
    }

    /// The request that this answers, and its place on the tape; it is answered by that.
    pub fn answered(&mut self, who: &str, answer: &Element) -> Option<(Element, usize)> {
        self.asked.remove(&(who.to_owned(), answer.get("id").unwrap_or_default().to_owned()))
    }

    /// Where on the tape a client has asked for the page of the archive that this is a row of.
    pub fn page_asked(&self, who: &str, row: &Element) -> Option<usize> {
        let query_id = row.get("queryid")?;
        let of_client = self.asked.iter().filter(|((client, _), _)| client == who).map(|(_, asked)| asked);
        let query = |request: &Element| request.get_child("query", ns::MAM)?.get("queryid").map(str::to_owned);
        of_client.rev().find(|(request, _)| query(request).as_deref() == Some(query_id)).map(|(_, at)| *at)
    }

    /// The first other user whose address is said.
    pub fn others_address(&self, who: &str, stanza: &Element) -> Option<&str> {
        address_in(stanza, || self.users.iter().filter(|user| *user != bare(who)).map(String::as_str))
    }

    /// The room says something.
    pub fn crossed(&mut self, crossing: &Crossing, at: usize, people: &People) {
        let stanza = &crossing.stanza;
        match (stanza.name(), stanza.get("type")) {
            ("presence", None | Some("unavailable")) => self.is_now(stanza, at, people),
            ("iq", Some("result")) => self.granted(stanza, at),
            _ => {}
        }
    }

    fn is_now(&mut self, stanza: &Element, at: usize, people: &People) {
        let Some((occupant, item)) = Occupant::of(stanza).zip(item(stanza)) else { return };
        let Some(user) = people.user(&occupant.id) else { return };
        let words = self.said.entry(user.to_owned()).or_default();
        let is_gone = stanza.get("type").is_some();
        // Of who is not there what he is to the room is not said by that (XEP-0045 8.2, 10.9).
        if let Some(affiliation) = item.get("affiliation").filter(|_| !is_gone) {
            words.entry(None).or_default().push((at, affiliation.to_owned()));
        }
        let renamed = has_status(stanza, "303");
        // LEAVE, and what somebody gets of himself by it, is about one session of perhaps several.
        if is_gone && subject(stanza).is_some() && !renamed {
            return;
        }
        if let Some(role) = item.get("role").map(|role| if is_gone { "none" } else { role }) {
            words.entry(Some(occupant.nick)).or_default().push((at, role.to_owned()));
        }
    }

    /// An admin is granted affiliations for users: of who is not in the room that is all that it says.
    fn granted(&mut self, answer: &Element, at: usize) {
        let key = (answer.get("to").unwrap_or_default().to_owned(), answer.get("id").unwrap_or_default().to_owned());
        let Some((request, _)) = self.asked.get(&key) else { return };
        let items = request.get_child("query", ns::MUC_ADMIN).into_iter().flat_map(Element::children);
        for (user, affiliation) in items.filter_map(|item| item.get("jid").zip(item.get("affiliation"))) {
            let words = self.said.entry(bare(user).to_owned()).or_default();
            words.entry(None).or_default().push((at, affiliation.to_owned()));
        }
    }

    /// The room has gone on with a copy of its disk: what users were when it was made they are again.
    pub fn set_back(&mut self, lost: &SetBack) {
        for words in self.said.values_mut().flat_map(BTreeMap::values_mut) {
            // The last of before, and what was said just then.
            let until = words.partition_point(|(at, _)| *at <= lost.from);
            let from = words.partition_point(|(at, _)| *at < lost.from).saturating_sub(1);
            let again: Vec<_> =
                words[from.min(until)..until].iter().map(|(_, word)| (lost.told, word.clone())).collect();
            words.extend(again);
        }
    }

    /// Whether somebody of this nickname had this role at the place `since` or has had it later.
    pub fn had_role(&self, nick: &str, role: &str, since: usize) -> bool {
        let words = self.said.values().filter_map(|said| said.get(&Some(nick.to_owned())));
        words.flat_map(|words| held(words, since)).any(|(_, had)| had == role)
    }

    /// The affiliations and roles that a user had at the place `since` or has had later.
    pub fn held_since(&self, user: &str, since: usize) -> BTreeSet<&str> {
        let all = self.said.get(user).into_iter().flat_map(BTreeMap::values);
        all.flat_map(|words| held(words, since)).map(|(_, word)| word.as_str()).collect()
    }
}

/// The word that held at the place `since`, and those after it.
fn held(words: &Words, since: usize) -> &[(usize, String)] {
    &words[words.partition_point(|(at, _)| *at <= since).saturating_sub(1)..]
}
