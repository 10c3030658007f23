//! Hats, XEP-0317: roles of an occupant that are the room's own, made and handed out by admins with ad-hoc commands, shown in
//! presence.

use super::{Apply, Cx, Room};
use crate::names::{Affiliation, Nick, Status};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use xmpp::stanza::command::{self, Offer, Request, Stage};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid};

/// All hats of a room; the record `room`/(jid)/`hats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hats {
    /// In order of their URIs.
    all: BTreeMap<String, Hat>,
    /// The URIs of the hats of each user, by bare JID, in the order in which they were given.
    worn: BTreeMap<String, Vec<String>>,
}

/// One hat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hat {
    title: String,
    /// The angle of its colour, 0 to 360 (XEP-0392).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hue: Option<String>,
}

impl Room {
    /// An iq with `<command xmlns='http://jabber.org/protocol/commands'/>`.
    pub fn handle_command(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) {
        if let Err(error) = self.command(from, iq, cx) {
            self.refuse(iq, error, cx);
        }
    }

    /// The commands that somebody may give here, as the answer to a disco#items query.
    pub fn commands_for(&self, from: &Jid) -> Element {
        let offers: Vec<Offer> = OFFERS.into_iter().filter(|offer| self.may_command(from, offer.node)).collect();
        command::items(self.jid.as_str(), &offers)
    }

    /// What an occupant's presence shows of his hats.
    pub fn hats_of(&self, bare: &Jid) -> Option<Element> {
        let worn = self.hats.worn.get(bare.as_str())?;
        let hat = |uri: &String| Some(self.hats.all.get(uri)?.element(uri));
        Some(Element::new("hats", HATS).with(worn.iter().filter_map(hat)))
    }

    /// 2: changes with every change of the list of hats; `None` where there are none.
    pub fn hats_hash(&self) -> Option<String> {
        let list = serde_json::to_vec(&self.hats.all).expect("hats are of strings");
        (!self.hats.all.is_empty()).then(|| URL_SAFE_NO_PAD.encode(&Sha256::digest(list)[..18]))
    }

    /// The hats are on disk: who asked is answered, then all see what has changed.
    pub fn hats_changed(&mut self, hats: Hats, request: &Element, cx: &mut Cx<'_>) {
        let seats = self.occupants.values().map(|occupant| (occupant.nick.clone(), occupant.bare.clone()));
        let seats: Vec<(Nick, Jid)> = seats.collect();
        let shown = |room: &Room| -> Vec<_> { seats.iter().map(|(_, bare)| room.hats_of(bare)).collect() };
        let before = shown(self);
        let known = std::mem::replace(&mut self.hats, hats);
        if let Some(admin) = request.get("from").and_then(|from| Jid::new(from).ok()) {
            self.answer(&admin, command::done(request), cx);
        }
        if known.all != self.hats.all {
            self.tell_config(&[Status::CONFIG], cx);
        }
        let after = shown(self);
        for ((nick, _), (before, after)) in seats.iter().zip(before.into_iter().zip(after)) {
            if before != after {
                self.tell_presence(nick, |_| {}, cx);
            }
        }
    }

    fn command(&mut self, from: &Jid, iq: &Element, cx: &mut Cx<'_>) -> Result<(), StanzaError> {
        let request = Request::find(iq)?;
        if !OFFERS.iter().any(|offer| offer.node == request.node) {
            return Err(command::unknown(&request.node).into());
        }
        if !self.may_command(from, &request.node) {
            return Err(Condition::Forbidden.into());
        }
        let answer = match (&request.stage, request.node.as_str()) {
            (Stage::Cancel, _) => request.canceled(iq),
            (_, LIST) => request.completed(iq, Some(&self.hats.list())),
            (_, LIST_ASSIGNED) => request.completed(iq, Some(&self.hats.list_worn())),
            (Stage::Begin, node) => request.executing(iq, &self.hats.form(node)),
            (Stage::Submit(form), _) => return self.change_hats(form, &request.node, iq, cx),
        };
        self.answer(from, answer, cx);
        Ok(())
    }

    fn change_hats(&mut self, form: &Form, node: &str, iq: &Element, cx: &mut Cx<'_>) -> Result<(), StanzaError> {
        command::is_of(form, FORM_TYPE)?;
        let mut hats = self.hats.clone();
        match node {
            CREATE => hats.create(form)?,
            DESTROY => hats.destroy(form)?,
            ASSIGN => hats.assign(form)?,
            _ => hats.unassign(form)?,
        }
        let changes = vec![super::put("room", &self.jid, "hats", &hats)];
        self.decide(changes, Apply::Hats(hats), iq, cx);
        Ok(())
    }

    /// Admins hand hats out; whoever may read here may know which there are, and occupants see who wears them.
    fn may_command(&self, from: &Jid, node: &str) -> bool {
        match node {
            LIST => self.may_read(from),
            _ => self.affiliation_of(from) >= Affiliation::Admin,
        }
    }
}

impl Hats {
    /// 3.2: a new hat, or another look of one that is there.
    fn create(&mut self, form: &Form) -> Result<(), StanzaError> {
        let (uri, title) = (text(form, "hats#uri")?, text(form, "hats#title")?);
        let hue = form.get("hats#hue").map(str::trim).filter(|hue| !hue.is_empty());
        let is_angle = |hue: &str| hue.parse::<f64>().is_ok_and(|angle| (0.0..=360.0).contains(&angle));
        if hue.is_some_and(|hue| hue.len() > HUE_BYTES_MAX || !is_angle(hue)) {
            return Err(StanzaError::new(Condition::NotAcceptable, "A hue is an angle from 0 to 360."));
        }
        if !uri.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
            return Err(StanzaError::new(Condition::NotAcceptable, "A hat is named by a URI."));
        }
        if self.all.len() >= HATS_MAX && !self.all.contains_key(&uri) {
            return Err(Condition::ResourceConstraint.into());
        }
        self.all.insert(uri, Hat { title, hue: hue.map(str::to_owned) });
        Ok(())
    }

    /// 3.3: nobody wears it any more.
    fn destroy(&mut self, form: &Form) -> Result<(), StanzaError> {
        let uri = self.known(form)?;
        self.all.remove(&uri);
        self.worn.values_mut().for_each(|worn| worn.retain(|hat| *hat != uri));
        self.worn.retain(|_, worn| !worn.is_empty());
        Ok(())
    }

    /// 3.5.
    fn assign(&mut self, form: &Form) -> Result<(), StanzaError> {
        let (uri, jid) = (self.known(form)?, address(form)?.to_string());
        if self.worn.len() >= WEARERS_MAX && !self.worn.contains_key(&jid) {
            return Err(Condition::ResourceConstraint.into());
        }
        let worn = self.worn.entry(jid).or_default();
        if !worn.contains(&uri) {
            worn.push(uri);
        }
        // As many as there may be of one user, they go into each of his presences.
        if worn.len() > WORN_MAX { Err(Condition::ResourceConstraint.into()) } else { Ok(()) }
    }

    /// 3.6.
    fn unassign(&mut self, form: &Form) -> Result<(), StanzaError> {
        let (uri, jid) = (self.known(form)?, address(form)?.to_string());
        let worn = self.worn.get_mut(&jid).filter(|worn| worn.contains(&uri)).ok_or(Condition::ItemNotFound)?;
        worn.retain(|hat| *hat != uri);
        self.worn.retain(|_, worn| !worn.is_empty());
        Ok(())
    }

    fn known(&self, form: &Form) -> Result<String, StanzaError> {
        let uri = text(form, "hats#uri")?;
        if self.all.contains_key(&uri) { Ok(uri) } else { Err(Condition::ItemNotFound.into()) }
    }

    fn form(&self, node: &str) -> Form {
        let offer = OFFERS.iter().find(|offer| offer.node == node).expect("it was looked for");
        let what = match node {
            CREATE => "create",
            DESTROY => "destroy",
            ASSIGN => "assign",
            _ => "remove",
        };
        let form = Form::new("form").title(offer.name).instructions(&format!("Fill out this form to {what} a hat."));
        let form = form.with_type(FORM_TYPE);
        let line = |var: &str, label: &str| Field::new("text-single", var).label(label);
        let which = || {
            let field = Field::new("list-single", "hats#uri").label("Hat").required();
            self.all.iter().fold(field, |field, (uri, hat)| field.option(&hat.title, uri))
        };
        let whose = || Field::new("jid-single", "hats#jid").label("User Address").required();
        match node {
            CREATE => form
                .field(line("hats#title", "Hat Title").required())
                .field(line("hats#uri", "Hat URI").required())
                .field(line("hats#hue", "Hat Hue")),
            DESTROY => form.field(which()),
            _ => form.field(whose()).field(which()),
        }
    }

    fn list(&self) -> Form {
        let columns = ["hats#title", "hats#uri", "hats#hue"];
        let row =
            |(uri, hat): (&String, &Hat)| vec![hat.title.clone(), uri.clone(), hat.hue.clone().unwrap_or_default()];
        let rows = self.all.iter().map(row).collect();
        Form::new("result").title("Hats List").table(columns.map(Field::column).into(), rows)
    }

    fn list_worn(&self) -> Form {
        let columns = ["hats#jid", "hats#uri", "hats#title", "hats#hue"];
        let mut rows = Vec::new();
        for (jid, worn) in &self.worn {
            for (uri, hat) in worn.iter().filter_map(|uri| Some((uri, self.all.get(uri)?))) {
                let hue = hat.hue.clone().unwrap_or_default();
                rows.push(vec![jid.clone(), uri.clone(), hat.title.clone(), hue]);
            }
        }
        Form::new("result").title("Assigned Hats List").table(columns.map(Field::column).into(), rows)
    }
}

impl Hat {
    fn element(&self, uri: &str) -> Element {
        Element::new("hat", HATS).attr("title", &self.title).attr("uri", uri).attr_opt("hue", self.hue.as_ref())
    }
}

fn text(form: &Form, var: &str) -> Result<String, StanzaError> {
    let value = form.get(var).map(str::trim).filter(|value| !value.is_empty()).ok_or(Condition::BadRequest)?;
    if value.len() > TEXT_BYTES_MAX { Err(Condition::NotAcceptable.into()) } else { Ok(value.to_owned()) }
}

fn address(form: &Form) -> Result<Jid, StanzaError> {
    xmpp::stanza::command::person(&text(form, "hats#jid")?)
}

/// XEP-0317.
pub(crate) const HATS: &str = "urn:xmpp:hats:0";
const FORM_TYPE: &str = "urn:xmpp:hats:commands";
const CREATE: &str = "urn:xmpp:hats:commands:create";
const DESTROY: &str = "urn:xmpp:hats:commands:destroy";
const LIST: &str = "urn:xmpp:hats:commands:list";
const ASSIGN: &str = "urn:xmpp:hats:commands:assign";
const UNASSIGN: &str = "urn:xmpp:hats:commands:unassign";
const LIST_ASSIGNED: &str = "urn:xmpp:hats:commands:list-assigned";
/// The commands of a room.
pub(crate) const OFFERS: [Offer; 6] = [
    Offer { node: CREATE, name: "Creating a Hat" },
    Offer { node: DESTROY, name: "Destroying a Hat" },
    Offer { node: LIST, name: "Hats List" },
    Offer { node: ASSIGN, name: "Assigning a Hat" },
    Offer { node: UNASSIGN, name: "Removing a Hat" },
    Offer { node: LIST_ASSIGNED, name: "Assigned Hats List" },
];
/// Most hats of a room.
const HATS_MAX: usize = 50;
/// Most users of a room who wear any: the record is written as a whole, and listed in one stanza.
const WEARERS_MAX: usize = 200;
/// Most hats that one user wears.
const WORN_MAX: usize = 10;
/// Longest title or URI, bytes.
const TEXT_BYTES_MAX: usize = 200;
/// Longest hue, characters: six decimals and more are of no account.
const HUE_BYTES_MAX: usize = 16;
