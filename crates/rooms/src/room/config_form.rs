//! The configuration as a form, XEP-0045 15.5.3: what an owner is shown, and what he may send back.

use super::history::HISTORY_MAX;
use super::{Config, PrivateMessages, Whois, admit::OCCUPANTS_MAX};
use crate::names::Role;
use xmpp::stanza::form::{Field, Form};
use xmpp::{Jid, ns};

/// Why a submitted form is refused; on the wire `not-acceptable` with this sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// The form is another than the one for rooms.
    #[error("This is not the form of a room's configuration.")]
    FormType,
    /// A value that the field cannot have.
    #[error("The field {0} cannot have this value.")]
    Value(&'static str),
    /// A text that is longer than [`TEXT_BYTES_MAX`].
    #[error("The field {0} is too long.")]
    TooLong(&'static str),
    /// 10.1.3: a room protected by an empty password.
    #[error("A room protected by a password needs one.")]
    NoPassword,
}

const NAME: &str = "muc#roomconfig_roomname";
const DESCRIPTION: &str = "muc#roomconfig_roomdesc";
const PERSISTENT: &str = "muc#roomconfig_persistentroom";
const PUBLIC: &str = "muc#roomconfig_publicroom";
const MEMBERS_ONLY: &str = "muc#roomconfig_membersonly";
const MODERATED: &str = "muc#roomconfig_moderatedroom";
const PROTECTED: &str = "muc#roomconfig_passwordprotectedroom";
const SECRET: &str = "muc#roomconfig_roomsecret";
const WHOIS: &str = "muc#roomconfig_whois";
const CHANGE_SUBJECT: &str = "muc#roomconfig_changesubject";
const BROADCAST: &str = "muc#roomconfig_presencebroadcast";
const ALLOW_PM: &str = "muc#roomconfig_allowpm";
const ALLOW_INVITES: &str = "muc#roomconfig_allowinvites";
const HISTORY: &str = "muc#maxhistoryfetch";
const HISTORY_LENGTH: &str = "muc#roomconfig_historylength";
const MAX_USERS: &str = "muc#roomconfig_maxusers";
const LOGGING: &str = "muc#roomconfig_enablelogging";
const REPLICAS: &str = "{urn:netjoin:dmuc:0}replicas";

/// Longest name, description or password, bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// The form as shown to an owner, filled in.
pub(crate) fn form(config: &Config, room: &Jid) -> Form {
    let max_users = match config.max_users {
        0 => "none".to_owned(),
        n => n.to_string(),
    };
    Form::new("form")
        .title(&format!("Configuration of {room}"))
        .with_type(ns::MUC_ROOMCONFIG)
        .field(text("text-single", NAME, "Name of the room", &config.name))
        .field(text("text-single", DESCRIPTION, "What it is for", &config.description))
        .field(Field::boolean(PERSISTENT, config.persistent).label("Keep the room when the last occupant leaves"))
        .field(Field::boolean(PUBLIC, config.public).label("Show the room in the list of rooms"))
        .field(Field::boolean(MEMBERS_ONLY, config.members_only).label("Only members may enter"))
        .field(Field::boolean(MODERATED, config.moderated).label("Who enters may speak only when given voice"))
        .field(Field::boolean(PROTECTED, config.password.is_some()).label("A password is needed to enter"))
        .field(text("text-private", SECRET, "The password", config.password.as_deref().unwrap_or_default()))
        .field(
            text("list-single", WHOIS, "Who may see real addresses", whois_value(config.whois))
                .option("Moderators", "moderators")
                .option("Anyone", "anyone"),
        )
        .field(Field::boolean(CHANGE_SUBJECT, config.change_subject).label("Participants may change the subject"))
        .field(Field::boolean(ALLOW_INVITES, config.allow_invites).label("Members may invite others"))
        .field(
            Field::new("list-multi", BROADCAST)
                .label("Roles whose presence all see")
                .values(config.presence_broadcast.iter().map(|role| role.as_str()))
                .option("Moderators", "moderator")
                .option("Participants", "participant")
                .option("Visitors", "visitor"),
        )
        .field(
            text("list-single", ALLOW_PM, "Who may send private messages", pm_value(config.private_messages))
                .option("Anyone", "anyone")
                .option("Participants", "participants")
                .option("Moderators", "moderators")
                .option("Nobody", "none"),
        )
        .field(text("text-single", HISTORY, "Most messages shown on entering", &config.history_stanzas.to_string()))
        .field(text("text-single", MAX_USERS, "Most occupants; none for no limit", &max_users))
        .field(Field::boolean(LOGGING, config.logging).label("Keep an archive of what is said"))
        .field(Field::boolean(REPLICAS, config.replicas).label("Other sites may hold replicas of this room"))
}

/// The configuration that a submitted form asks for; fields that are not there stay as they are, unknown ones are of no
/// account.
pub(crate) fn read(before: &Config, form: &Form) -> Result<Config, FormError> {
    if form.form_type().is_some_and(|of| of != ns::MUC_ROOMCONFIG) {
        return Err(FormError::FormType);
    }
    let mut config = before.clone();
    read_text(form, NAME, &mut config.name)?;
    read_text(form, DESCRIPTION, &mut config.description)?;
    read_truth(form, PERSISTENT, &mut config.persistent)?;
    read_truth(form, PUBLIC, &mut config.public)?;
    read_truth(form, MEMBERS_ONLY, &mut config.members_only)?;
    read_truth(form, MODERATED, &mut config.moderated)?;
    read_truth(form, ALLOW_INVITES, &mut config.allow_invites)?;
    read_truth(form, CHANGE_SUBJECT, &mut config.change_subject)?;
    read_truth(form, LOGGING, &mut config.logging)?;
    read_truth(form, REPLICAS, &mut config.replicas)?;
    read_password(form, &mut config.password)?;
    if let Some(value) = form.get(WHOIS) {
        config.whois = match value {
            "anyone" => Whois::Anyone,
            "moderators" => Whois::Moderators,
            _ => return Err(FormError::Value(WHOIS)),
        };
    }
    if let Some(value) = form.get(ALLOW_PM) {
        config.private_messages = match value {
            "anyone" => PrivateMessages::Anyone,
            "participants" => PrivateMessages::Participants,
            "moderators" => PrivateMessages::Moderators,
            "none" => PrivateMessages::None,
            _ => return Err(FormError::Value(ALLOW_PM)),
        };
    }
    if let Some(roles) = form.values(BROADCAST) {
        let known = |text: &String| Role::parse(text).filter(|role| *role != Role::None);
        let mut roles: Vec<Role> = roles.iter().map(known).collect::<Option<_>>().ok_or(FormError::Value(BROADCAST))?;
        roles.sort();
        roles.dedup();
        config.presence_broadcast = roles;
    }
    for field in [HISTORY, HISTORY_LENGTH] {
        if let Some(value) = form.get(field) {
            let number: usize = value.trim().parse().map_err(|_| FormError::Value(field))?;
            config.history_stanzas = number.min(HISTORY_MAX);
        }
    }
    if let Some(value) = form.get(MAX_USERS) {
        config.max_users = match value.trim() {
            "none" | "" => 0,
            number => number.parse::<usize>().map_err(|_| FormError::Value(MAX_USERS))?.min(OCCUPANTS_MAX),
        };
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

fn text(kind: &str, var: &str, label: &str, value: &str) -> Field {
    Field::new(kind, var).label(label).value(value)
}

fn whois_value(whois: Whois) -> &'static str {
    match whois {
        Whois::Moderators => "moderators",
        Whois::Anyone => "anyone",
    }
}

fn pm_value(who: PrivateMessages) -> &'static str {
    match who {
        PrivateMessages::Anyone => "anyone",
        PrivateMessages::Participants => "participants",
        PrivateMessages::Moderators => "moderators",
        PrivateMessages::None => "none",
    }
}
