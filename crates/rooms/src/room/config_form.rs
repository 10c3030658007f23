//! The configuration as a form, XEP-0045 16.5.3: what an owner is shown, and what he may send back. The two lists in it, admins
//! and owners, are in `config_lists`.

use super::config::Registration;
use super::history::HISTORY_MAX;
use super::{Config, PrivateMessages, Whois, admit::OCCUPANTS_MAX};
use crate::names::Role;
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Jid, ns};

/// Why a submitted form is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// The form is another than the one for rooms.
    #[error("This is not the form of a room's configuration.")]
    FormType,
    /// A value that the field cannot have.
    #[error("The field {0} cannot have this value.")]
    Value(&'static str),
    /// A text that is longer than [`TEXT_BYTES_MAX`], a list longer than its bound.
    #[error("The field {0} is too long.")]
    TooLong(&'static str),
    /// 10.1.3: a room protected by an empty password.
    #[error("A room protected by a password needs one.")]
    NoPassword,
    /// 10.2: the last owner is taken from the list.
    #[error("A room has at least one owner.")]
    NoOwner,
}

impl FormError {
    /// The error on the wire: 10.1.3 for options that cannot be, 10.2 for the last owner.
    pub fn error(&self) -> StanzaError {
        let condition = if *self == FormError::NoOwner { Condition::Conflict } else { Condition::NotAcceptable };
        StanzaError::new(condition, self.to_string())
    }
}

const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const LANG: &str = "muc#roomconfig_lang";
const PERSISTENT: &str = "muc#roomconfig_persistentroom";
const PUBLIC: &str = "muc#roomconfig_publicroom";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
const MODERATED: &str = "muc#roomconfig_moderatedroom";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const WHOIS: &str = "muc#roomconfig_whois";
const CHANGE_SUBJECT: &str = "muc#roomconfig_changesubject";
const ALLOW_INVITES: &str = "muc#roomconfig_allowinvites";
const ALLOW_PM: &str = "muc#roomconfig_allowpm";
const BROADCAST: &str = "muc#roomconfig_presencebroadcast";
const MEMBER_LIST: &str = "muc#roomconfig_getmemberlist";
const HISTORY: &str = "muc#maxhistoryfetch";
/// What others call it.
pub(super) const HISTORY_LENGTH: &str = "muc#roomconfig_historylength";
const MAX_USERS: &str = "muc#roomconfig_maxusers";
const LOGGING: &str = "muc#roomconfig_enablelogging";
const PUBSUB: &str = "muc#roomconfig_pubsub";
const CONTACTS: &str = "muc#roominfo_contactjid";
const REGISTRATION: &str = "{urn:netjoin:dmuc:0}registration";
const LIST_OCCUPANTS: &str = "{urn:netjoin:dmuc:0}listoccupants";
const REPLICAS: &str = "{urn:netjoin:dmuc:0}replicas";

/// Longest name, description or password, bytes.
const TEXT_BYTES_MAX: usize = 2_000;
/// Most contact addresses.
const CONTACTS_MAX: usize = 20;
/// The numbers of occupants that are offered; any other within bounds is taken as well.
const MAX_USERS_OFFERED: [&str; 8] = ["none", "10", "20", "30", "50", "100", "500", "1000"];

/// The form as shown to an owner, filled in; the fields of the two lists come last.
pub(crate) fn form(config: &Config, room: &Jid, lists: [Field; 2]) -> Form {
    let form = Form::new("form")
        .title(&format!("Configuration of {room}"))
        .instructions("To take the room as it stands here, submit the form; fields that are left out stay as they are.")
        .with_type(ns::MUC_ROOMCONFIG)
        .field(text("text-single", NAME, "Natural-Language Room Name", &config.name))
        .field(text("text-single", DESCRIPTION, "Short Description of Room", &config.description))
        .field(text("text-single", LANG, "Natural Language for Room Discussions", &config.lang))
        .field(Field::boolean(LOGGING, config.logging).label("Keep an archive of what is said?"))
        .field(Field::boolean(CHANGE_SUBJECT, config.change_subject).label("Allow Occupants to Change Subject?"))
        .field(Field::boolean(ALLOW_INVITES, config.allow_invites).label("Allow Members to Invite Others?"))
        .field(allow_pm(config))
        .field(max_users(config))
        .field(roles(BROADCAST, "Roles for which Presence is Broadcasted", &config.presence_broadcast))
        .field(roles(MEMBER_LIST, "Roles and Affiliations that May Retrieve Member List", &config.member_list))
        .field(Field::boolean(PUBLIC, config.public).label("Make Room Publicly Searchable?"))
        .field(Field::boolean(PERSISTENT, config.persistent).label("Make Room Persistent?"))
        .field(Field::boolean(MODERATED, config.moderated).label("Make Room Moderated?"))
        .field(Field::boolean(MEMBERS_ONLY, config.members_only).label("Make Room Members-Only?"));
    let form = form
        .field(registration(config))
        .field(Field::boolean(PROTECTED, config.password.is_some()).label("Password Required to Enter?"))
        .field(Field::fixed("If a password is required to enter this room, you must specify the password below."))
        .field(text("text-private", SECRET, "Password", config.password.as_deref().unwrap_or_default()))
        .field(whois(config))
        .field(text(
            "text-single",
            HISTORY,
            "Maximum Number of History Messages Returned by Room",
            &config.history_stanzas.to_string(),
        ))
        .field(text("text-single", PUBSUB, "XMPP URI of Associated Publish-Subscribe Node", &config.pubsub))
        .field(Field::new("jid-multi", CONTACTS).label("Contact Addresses").values(&config.contacts))
        .field(Field::boolean(LIST_OCCUPANTS, config.list_occupants).label("May anybody list the occupants?"))
        .field(Field::boolean(REPLICAS, config.replicas).label("May other sites hold replicas of this room?"));
    let [admins, owners] = lists;
    form.field(Field::fixed("The people who have admin status in the room, one Jabber ID per line."))
        .field(admins)
        .field(Field::fixed("The owners of the room, one Jabber ID per line."))
        .field(owners)
}

fn allow_pm(config: &Config) -> Field {
    text("list-single", ALLOW_PM, "Who Can Send Private Messages?", config.private_messages.as_str())
        .option("Anyone", "anyone")
        .option("Anyone with Voice", "participants")
        .option("Moderators Only", "moderators")
        .option("Nobody", "none")
}

fn max_users(config: &Config) -> Field {
    let value = match config.max_users {
        0 => "none".to_owned(),
        n => n.to_string(),
    };
    let mut field = text("list-single", MAX_USERS, "Maximum Number of Occupants", &value);
    if !MAX_USERS_OFFERED.contains(&value.as_str()) {
        field = field.option(&value, &value);
    }
    MAX_USERS_OFFERED.iter().fold(field, |field, n| field.option(if *n == "none" { "None" } else { n }, n))
}

fn roles(var: &str, label: &str, chosen: &[Role]) -> Field {
    Field::new("list-multi", var)
        .label(label)
        .values(chosen.iter().rev().map(|role| role.as_str()))
        .option("Moderator", "moderator")
        .option("Participant", "participant")
        .option("Visitor", "visitor")
}

fn whois(config: &Config) -> Field {
    text("list-single", WHOIS, "Who May Discover Real JIDs?", config.whois.as_str())
        .option("Moderators Only", "moderators")
        .option("Anyone", "anyone")
}

fn registration(config: &Config) -> Field {
    text("list-single", REGISTRATION, "Who May Register as a Member?", config.registration.as_str())
        .option("Anyone; in a moderated or members-only room with an admin's approval", "open")
        .option("Whom an admin approves", "approval")
        .option("Nobody", "closed")
}

/// The configuration that a submitted form asks for; fields that are not there stay as they are, unknown ones are of no
/// account.
pub(crate) fn read(before: &Config, form: &Form) -> Result<Config, FormError> {
    if form.form_type().is_some_and(|of| of != ns::MUC_ROOMCONFIG) {
        return Err(FormError::FormType);
    }
    let mut config = before.clone();
    for (var, into) in [
        (NAME, &mut config.name),
        (DESCRIPTION, &mut config.description),
        (LANG, &mut config.lang),
        (PUBSUB, &mut config.pubsub),
    ] {
        read_text(form, var, into)?;
    }
    for (var, into) in [
        (PERSISTENT, &mut config.persistent),
        (PUBLIC, &mut config.public),
        (MEMBERS_ONLY, &mut config.members_only),
        (MODERATED, &mut config.moderated),
        (ALLOW_INVITES, &mut config.allow_invites),
        (CHANGE_SUBJECT, &mut config.change_subject),
        (LOGGING, &mut config.logging),
        (LIST_OCCUPANTS, &mut config.list_occupants),
        (REPLICAS, &mut config.replicas),
    ] {
        read_truth(form, var, into)?;
    }
    read_password(form, &mut config.password)?;
    read_choice(form, WHOIS, Whois::parse, &mut config.whois)?;
    read_choice(form, ALLOW_PM, PrivateMessages::parse, &mut config.private_messages)?;
    read_choice(form, REGISTRATION, Registration::parse, &mut config.registration)?;
    read_roles(form, BROADCAST, &mut config.presence_broadcast)?;
    read_roles(form, MEMBER_LIST, &mut config.member_list)?;
    for var in [HISTORY, HISTORY_LENGTH] {
        let number = |text: &str| text.trim().parse().ok().filter(|n| *n <= HISTORY_MAX);
        read_choice(form, var, number, &mut config.history_stanzas)?;
    }
    let most = |text: &str| match text.trim() {
        "none" | "" => Some(0),
        number => number.parse().ok().filter(|n| *n <= OCCUPANTS_MAX),
    };
    read_choice(form, MAX_USERS, most, &mut config.max_users)?;
    if let Some(contacts) = read_jids(form, CONTACTS, CONTACTS_MAX)? {
        config.contacts = contacts.iter().map(Jid::to_string).collect();
    }
    Ok(config)
}

/// The two fields of a password: whether there is one, and which.
fn read_password(form: &Form, password: &mut Option<String>) -> Result<(), FormError> {
    let mut protected = password.is_some();
    read_truth(form, PROTECTED, &mut protected)?;
    let mut secret = password.clone().unwrap_or_default();
    read_text(form, SECRET, &mut secret)?;
    // A secret alone says what is meant, unless the other field says the contrary.
    let wanted = protected || (form.values(PROTECTED).is_none() && !secret.is_empty());
    *password = match (wanted, secret.is_empty()) {
        (true, true) => return Err(FormError::NoPassword),
        (true, false) => Some(secret),
        (false, _) => None,
    };
    Ok(())
}

fn read_text(form: &Form, var: &'static str, into: &mut String) -> Result<(), FormError> {
    if let Some(values) = form.values(var) {
        let text = values.join("\n");
        if text.len() > TEXT_BYTES_MAX {
            return Err(FormError::TooLong(var));
        }
        *into = text;
    }
    Ok(())
}

fn read_truth(form: &Form, var: &'static str, into: &mut bool) -> Result<(), FormError> {
    if form.get(var).is_some() {
        *into = form.boolean(var).ok_or(FormError::Value(var))?;
    }
    Ok(())
}

fn read_choice<T>(
    form: &Form,
    var: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    into: &mut T,
) -> Result<(), FormError> {
    if let Some(value) = form.get(var) {
        *into = parse(value).ok_or(FormError::Value(var))?;
    }
    Ok(())
}

fn read_roles(form: &Form, var: &'static str, into: &mut Vec<Role>) -> Result<(), FormError> {
    if let Some(roles) = form.values(var) {
        let known = |text: &String| Role::parse(text).filter(|role| *role != Role::None);
        let mut roles: Vec<Role> = roles.iter().map(known).collect::<Option<_>>().ok_or(FormError::Value(var))?;
        roles.sort();
        roles.dedup();
        *into = roles;
    }
    Ok(())
}

/// A field of addresses, without their resources; `None` where there is no such field. Empty lines are none.
pub(crate) fn read_jids(form: &Form, var: &'static str, max: usize) -> Result<Option<Vec<Jid>>, FormError> {
    let Some(values) = form.values(var) else { return Ok(None) };
    if values.len() > max {
        return Err(FormError::TooLong(var));
    }
    let lines = values.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let jids = lines.map(|text| Jid::new(text).map(|jid| jid.bare()).map_err(|_| FormError::Value(var)));
    jids.collect::<Result<_, _>>().map(Some)
}

fn text(kind: &str, var: &str, label: &str, value: &str) -> Field {
    let field = Field::new(kind, var).label(label);
    if value.is_empty() { field } else { field.value(value) }
}
