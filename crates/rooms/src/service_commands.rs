//! Administration of the service by ad-hoc commands (XEP-0050), in the manner of XEP-0133, for its admins: rooms are made, listed
//! and destroyed, people given another affiliation, all occupants told something.

use crate::names::Affiliation;
use crate::room::{Config, Cx, Destruction, Life, Making, Room};
use crate::service::{Primary, ROOMS_MAX, reply};
use machine::{Now, Output};
use xmpp::stanza::command::{self, ADMIN, ANNOUNCE, Offer, Request, Stage, person, text};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

impl Primary {
    /// An iq with `<command xmlns='http://jabber.org/protocol/commands'/>` to the service.
    pub(crate) fn handle_command(&mut self, iq: &Element, now: Now, out: &mut Vec<Output>) {
        match self.command(iq, now, out) {
            Ok(Some(answer)) => {
                if let Some(to) = answer.get("to").and_then(|to| Jid::new(to).ok()) {
                    out.push(Output::Send { to, stanza: Shared::new(answer) });
                }
            }
            Ok(None) => {}
            Err(error) => reply(iq, &error, out),
        }
    }

    /// The commands that somebody may give here, as the answer to a disco#items query.
    pub(crate) fn commands_for(&self, from: Option<&Jid>) -> Element {
        let offers = if from.is_some_and(|from| self.is_admin(from)) { &OFFERS[..] } else { &[] };
        command::items(self.config.domain.as_str(), offers)
    }

    fn is_admin(&self, jid: &Jid) -> bool {
        self.config.admins.contains(&jid.bare())
    }

    /// The answer; `None` when a room gives it once it is done.
    fn command(&mut self, iq: &Element, now: Now, out: &mut Vec<Output>) -> Result<Option<Element>, StanzaError> {
        let request = Request::find(iq)?;
        let offer = OFFERS.iter().find(|offer| offer.node == request.node);
        let offer = offer.ok_or_else(|| command::unknown(&request.node))?;
        let from = iq.get("from").and_then(|from| Jid::new(from).ok());
        if !from.is_some_and(|from| self.is_admin(&from)) {
            return Err(Condition::Forbidden.into());
        }
        let form = match (&request.stage, offer.node) {
            (Stage::Cancel, _) => return Ok(Some(request.canceled(iq))),
            (Stage::Begin, LIST) => return Ok(Some(request.completed(iq, Some(&self.list(None))))),
            (Stage::Begin, _) => return Ok(Some(request.executing(iq, &form(offer)))),
            (Stage::Submit(form), node) => {
                command::is_of(form, if node == ANNOUNCE { ADMIN } else { FORM_TYPE })?;
                form
            }
        };
        match offer.node {
            LIST => return Ok(Some(request.completed(iq, Some(&self.list(form.get("after")))))),
            CREATE => self.create(form, iq, now, out)?,
            DESTROY => {
                let destruction =
                    Destruction { venue: address(form, "venue")?, password: None, reason: text(form, "reason") };
                let jid = self.room_there(form)?;
                self.with_room(&jid, now, out, |room, cx| room.destroy_by_command(destruction, iq, cx));
            }
            AFFILIATION => {
                let jid = self.room_there(form)?;
                let query = affiliation_query(form)?;
                self.with_room(&jid, now, out, |room, cx| room.change_by_command(&query, iq, cx));
            }
            _ => {
                let text = text(form, "announcement").ok_or(Condition::BadRequest)?;
                if text.len() > ANNOUNCEMENT_BYTES_MAX {
                    return Err(Condition::PolicyViolation.into());
                }
                let rooms = self.rooms.values().filter(|room| !room.occupants.is_empty());
                let rooms: Vec<Jid> = rooms.map(|room| room.jid.clone()).collect();
                for jid in rooms {
                    self.with_room(&jid, now, out, |room, cx| room.announce(&text, cx));
                }
                return Ok(Some(request.completed(iq, None)));
            }
        }
        Ok(None)
    }

    fn create(&mut self, form: &Form, iq: &Element, now: Now, out: &mut Vec<Output>) -> Result<(), StanzaError> {
        let jid = self.room_named(form)?;
        let owners = form.values("owners").unwrap_or_default();
        let owners = owners.iter().map(|text| person(text)).collect::<Result<Vec<Jid>, _>>()?;
        if owners.is_empty() {
            return Err(Condition::BadRequest.into());
        }
        let name = text(form, "name").unwrap_or_default();
        if owners.len() > OWNERS_MAX || name.len() > NAME_BYTES_MAX {
            return Err(Condition::PolicyViolation.into());
        }
        if self.rooms.contains_key(&jid) {
            return Err(Condition::Conflict.into());
        }
        if self.rooms.len() >= ROOMS_MAX {
            return Err(Condition::ResourceConstraint.into());
        }
        let public = form.boolean("public").unwrap_or(true);
        let making = Making { config: Config { name, public, persistent: true, ..Config::default() }, owners };
        self.add_room(&jid);
        self.with_room(&jid, now, out, |room: &mut Room, cx: &mut Cx<'_>| room.make(making, iq, cx));
        Ok(())
    }

    /// All rooms, those too that are not public, in order of their addresses; as many as a stanza has room for behind `after`.
    fn list(&self, after: Option<&str>) -> Form {
        let is_there = |room: &&Room| matches!(room.life, Life::Locked | Life::Open);
        let behind = |room: &&Room| after.is_none_or(|after| room.jid.as_str() > after);
        let mut rooms = self.rooms.values().filter(is_there).filter(behind);
        let row = |room: &Room| {
            let summary = room.summary();
            let persistent = if summary.persistent { "1" } else { "0" };
            let (occupants, replicas) = (summary.occupants.to_string(), summary.replicas.len().to_string());
            vec![summary.jid.to_string(), summary.name, occupants, persistent.to_owned(), replicas]
        };
        let rows: Vec<Vec<String>> = rooms.by_ref().take(ROWS_MAX).map(row).collect();
        let more = rooms.next().and_then(|_| rows.last()).map(|last| last[0].clone());
        let form = Form::new("result").title("Rooms").with_type(FORM_TYPE);
        let form = more.iter().fold(form, |form, last| form.field(Field::new("text-single", "after").value(last)));
        form.table(["room", "name", "occupants", "persistent", "replicas"].map(Field::column).into(), rows)
    }

    /// The address of a room, of which the part before the @ will do.
    fn room_named(&self, form: &Form) -> Result<Jid, StanzaError> {
        let named = text(form, "room").ok_or(Condition::BadRequest)?;
        let named = if named.contains('@') { named } else { format!("{named}@{}", self.config.domain) };
        let jid = Jid::new(&named).map_err(|_| Condition::JidMalformed)?;
        let is_room = jid.is_bare() && jid.local().is_some() && jid.server() == self.config.domain;
        if is_room { Ok(jid) } else { Err(Condition::JidMalformed.into()) }
    }

    fn room_there(&self, form: &Form) -> Result<Jid, StanzaError> {
        let jid = self.room_named(form)?;
        let room = self.rooms.get(&jid).filter(|room| matches!(room.life, Life::Locked | Life::Open));
        if room.is_some() { Ok(jid) } else { Err(Condition::ItemNotFound.into()) }
    }
}

fn form(offer: &Offer) -> Form {
    let form = Form::new("form").title(offer.name);
    let room = || Field::new("text-single", "room").label("The room").required();
    match offer.node {
        CREATE => form
            .with_type(FORM_TYPE)
            .field(room())
            .field(Field::new("text-single", "name").label("Its name for people"))
            .field(Field::boolean("public", true).label("Whether it is listed"))
            .field(Field::new("jid-multi", "owners").label("Its owners").required()),
        DESTROY => form
            .with_type(FORM_TYPE)
            .field(room())
            .field(Field::new("text-single", "reason").label("Why"))
            .field(Field::new("jid-single", "venue").label("Where its people may go on")),
        AFFILIATION => {
            let affiliations = ["owner", "admin", "member", "none", "outcast"];
            let field = Field::new("list-single", "affiliation").label("The affiliation").required();
            form.with_type(FORM_TYPE)
                .field(room())
                .field(Field::new("jid-single", "jid").label("Whose").required())
                .field(affiliations.iter().fold(field, |field, name| field.option(name, name)))
                .field(Field::new("text-single", "reason").label("Why"))
        }
        // XEP-0133 4.23.
        _ => form
            .instructions("All who are in a room of this service are told this.")
            .with_type(ADMIN)
            .field(Field::new("text-multi", "announcement").label("Announcement").required()),
    }
}

/// What an owner would ask of the room.
fn affiliation_query(form: &Form) -> Result<Element, StanzaError> {
    let (jid, affiliation) = (form.get("jid"), form.get("affiliation"));
    let (Some(jid), Some(affiliation)) = (jid, affiliation) else { return Err(Condition::BadRequest.into()) };
    Affiliation::parse(affiliation).ok_or(Condition::NotAcceptable)?;
    let reason = text(form, "reason").map(|reason| Element::new("reason", ns::MUC_ADMIN).text(reason));
    let item = Element::new("item", ns::MUC_ADMIN).attr("affiliation", affiliation).attr("jid", jid).with(reason);
    Ok(Element::new("query", ns::MUC_ADMIN).child(item))
}

fn address(form: &Form, var: &str) -> Result<Option<Jid>, StanzaError> {
    let jid = text(form, var).map(|text| Jid::new(&text)).transpose();
    jid.map_err(|_| Condition::JidMalformed.into())
}

/// FORM_TYPE of what it does not.
const FORM_TYPE: &str = "urn:netjoin:rooms:0";
const CREATE: &str = "urn:netjoin:rooms:0#create";
const DESTROY: &str = "urn:netjoin:rooms:0#destroy";
const LIST: &str = "urn:netjoin:rooms:0#list";
const AFFILIATION: &str = "urn:netjoin:rooms:0#affiliation";
/// The commands of the service.
pub(crate) const OFFERS: [Offer; 5] = [
    Offer { node: CREATE, name: "Create a Room" },
    Offer { node: DESTROY, name: "Destroy a Room" },
    Offer { node: LIST, name: "List All Rooms" },
    Offer { node: AFFILIATION, name: "Change an Affiliation" },
    Offer { node: ANNOUNCE, name: "Send Announcement to All Occupants" },
];
/// Most rooms in one answer: some 300 bytes each.
const ROWS_MAX: usize = 200;
/// Most owners of a room that is made.
const OWNERS_MAX: usize = 100;
/// Longest name of one.
const NAME_BYTES_MAX: usize = 2_000;
/// Longest announcement: it goes to everybody at once.
const ANNOUNCEMENT_BYTES_MAX: usize = 4_000;
