//! A room that another server led, on its way to be led here: what its owner configured, who is what, what was said. Nothing of
//! it is taken that could not have come to be here.

use super::admin::{AFFILIATIONS_MAX, REASON_BYTES_MAX};
use super::avatar::{VCARD, Vcard};
use super::config_form;
use super::create::name;
use super::keep::{Kept, Meta};
use super::message::{as_broadcast, is_archived};
use super::{Affiliated, Affiliations, Config, NICK_BYTES_MAX, Past, put};
use crate::names::{Affiliation, Nick};
use machine::{Change, Row};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use xmpp::stanza::Condition;
use xmpp::stanza::form::{Field, Form};
use xmpp::{Element, Jid, Shared, ns};

/// A room that is being put together.
#[derive(Debug)]
pub struct Draft {
    room: Jid,
    config: Config,
    affiliations: Affiliations,
    /// The nick of who set it, its text, when.
    subject: Option<(Option<Nick>, String, i64)>,
    vcard: Option<Vcard>,
    /// The last number given.
    seq: u64,
    /// The stamp of the last message, Unix milliseconds.
    stamp_ms: i64,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSaid {
    /// Archives keep what was said, and neither presence nor what clients tell each other in passing.
    #[error("is nothing that was said to all")]
    Passing,
    /// It has no author: from the room itself, or from nobody.
    #[error("is from no occupant")]
    NoOccupant,
    /// It cannot be sent to anybody.
    #[error("is no stanza that can be sent")]
    Malformed,
    /// It is longer than what a client may send.
    #[error("is longer than a stanza may be")]
    TooLong,
}

impl Draft {
    /// A room as it would come to be here, but persistent and open: there is nobody in it to do the rest.
    pub fn new(room: Jid) -> Draft {
        let config = Config { persistent: true, ..Config::default() };
        let affiliations = Affiliations::default();
        Draft { room, config, affiliations, subject: None, vcard: None, seq: 0, stamp_ms: i64::MIN }
    }

    /// Its bare address.
    pub fn room(&self) -> &Jid {
        &self.room
    }

    /// Sets one option, named and valued as in the owner's form (XEP-0045 16.5.3). One that there is not, or that cannot be so,
    /// leaves all as it was; the error says why.
    pub fn configure(&mut self, var: &str, values: &[String]) -> Result<(), String> {
        let known = config_form::form(&self.config, &self.room, [Field::fixed(""), Field::fixed("")]);
        if var != config_form::HISTORY_LENGTH && !known.fields.iter().any(|field| field.var == var) {
            return Err("there is no such option".to_owned());
        }
        let form = Form::new("submit").field(Field::new("text-multi", var).values(values));
        self.config = config_form::read(&self.config, &form).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Says what a user is to the room: by bare JID, in bans by domain too; with the nick that is reserved for him.
    pub fn affiliate(
        &mut self,
        jid: &str,
        affiliation: &str,
        nick: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), String> {
        let affiliation =
            Affiliation::parse(affiliation).ok_or_else(|| format!("{affiliation:?} is no affiliation"))?;
        let jid = Jid::new(jid).map_err(|error| error.to_string())?.bare();
        if affiliation == Affiliation::None {
            return Ok(());
        }
        if affiliation != Affiliation::Outcast && jid.local().is_none() {
            return Err(format!("a domain cannot be {}", affiliation.as_str()));
        }
        if self.affiliations.len() >= AFFILIATIONS_MAX {
            return Err(format!("a room's lists have {AFFILIATIONS_MAX} entries at the most"));
        }
        let reason = reason.filter(|reason| !reason.is_empty() && reason.len() <= REASON_BYTES_MAX);
        let nick = nick.and_then(|nick| nick.parse::<Nick>().ok()).filter(|nick| nick.as_str().len() <= NICK_BYTES_MAX);
        let nick = nick.filter(|nick| self.affiliations.reserved_for(nick).is_none());
        let known = Affiliated { affiliation, reason: reason.map(str::to_owned), nick: None };
        self.affiliations.set(jid, Some(Affiliated { nick, ..known }));
        Ok(())
    }

    /// The nick reserved for a user, as it was taken.
    pub fn nick_of(&self, jid: &str) -> Option<&str> {
        self.affiliations.get(&Jid::new(jid).ok()?.bare())?.nick.as_ref().map(Nick::as_str)
    }

    /// Whether it has an owner.
    pub fn has_owner(&self) -> bool {
        self.affiliations.iter().any(|(_, known)| known.affiliation == Affiliation::Owner)
    }

    /// What its subject is, of whom and since when.
    pub fn entitle(&mut self, nick: Option<&str>, subject: String, stamp_ms: i64) {
        self.subject = Some((nick.and_then(|nick| nick.parse().ok()), subject, stamp_ms));
    }

    /// Its vCard with the avatar in it (XEP-0054, XEP-0486); an empty one is none. One that no owner could set leaves all as it
    /// was; the error says why.
    pub fn show(&mut self, card: &Element) -> Result<(), String> {
        // It was made of names and depths that nobody has judged yet.
        let card = Element::parse(&card.to_xml()).ok().filter(|card| card.is("vCard", VCARD));
        let card = card.ok_or("is no vCard that can be sent")?;
        self.vcard = Vcard::read(&card).map_err(|condition| match condition {
            Condition::PolicyViolation => "is longer than a room's vCard may be".to_owned(),
            _ => "has a picture that is no base64".to_owned(),
        })?;
        Ok(())
    }

    /// The row of a message that was said, oldest first; from whoever has the resource of its `from`. A stamp that falls behind
    /// the last is raised to it.
    pub fn say(&mut self, said: &Element, id: &str, stamp_ms: i64) -> Result<Row, NotSaid> {
        if said.name() != "message" || said.ns() != ns::CLIENT || said.get("type") != Some("groupchat") {
            return Err(NotSaid::Passing);
        }
        if !is_archived(said) {
            return Err(NotSaid::Passing);
        }
        let from = said.get("from").and_then(|from| Jid::new(from).ok()).ok_or(NotSaid::NoOccupant)?;
        let nick = Nick::of(&from).ok_or(NotSaid::NoOccupant)?;
        let said = as_broadcast(said, &self.room, &nick, None, Some(id));
        if !is_archived(&said) {
            return Err(NotSaid::Passing);
        }
        let stanza = said.to_xml();
        if stanza.len() > STANZA_BYTES_MAX {
            return Err(NotSaid::TooLong);
        }
        // It was made of names and depths that nobody has judged yet.
        Element::parse(&stanza).map_err(|_| NotSaid::Malformed)?;
        self.seq += 1;
        self.stamp_ms = self.stamp_ms.max(stamp_ms);
        Ok(Row {
            archive: self.room.to_string(),
            seq: self.seq,
            id: id.to_owned(),
            stamp_ms: self.stamp_ms,
            with: nick.in_room(&self.room).to_string(),
            stanza,
            author: None,
            born: None,
        })
    }

    /// The room's records; `seed` is random, for what only the room may know and what tells this life of it from any other.
    pub fn records(self, seed: [u8; 32]) -> Vec<Change> {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        let incarnation = name(&mut rng);
        let mut changes = Vec::new();
        let mut seq = self.seq;
        if let Some((nick, subject, stamp_ms)) = self.subject {
            // Behind all messages, whenever it was set: a place of its own.
            seq += 1;
            let id = name(&mut rng);
            let said = Element::stanza("message").attr("type", "groupchat");
            let said = said.child(Element::new("subject", ns::CLIENT).text(subject));
            let stanza = match &nick {
                Some(nick) => as_broadcast(&said, &self.room, nick, None, Some(&id)),
                None => said.attr("from", self.room.as_str()),
            };
            let past = Past { seq, id, stamp_ms, stanza: Shared::new(stanza) };
            changes.push(put("room", &self.room, "subject", &Kept::subject(&past)));
        }
        changes.extend(self.vcard.map(|vcard| vcard.record(&self.room)));
        for (jid, known) in self.affiliations.iter() {
            changes.push(put("affiliation", &self.room, jid.as_str(), known));
        }
        let meta = Meta { config: self.config, incarnation, secret, reserved: seq, locked: false };
        changes.push(put("room", &self.room, "meta", &meta));
        changes
    }
}

/// Longest stanza that is taken, bytes: what a client may send at the most, with what the room adds.
const STANZA_BYTES_MAX: usize = 262_144 + 1_024;
