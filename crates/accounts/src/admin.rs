//! Administration of the accounts by ad-hoc commands (XEP-0050), those of XEP-0133, for the server's admins.

use crate::config::PASSWORD_BYTES_MAX;
use crate::kept::Setting;
use crate::ledger::{Afterwards, Before, Step};
use crate::manage::AccountError;
use crate::records::{KEY_MOTD, SPACE_DOMAIN, SPACE_MOTD_SEEN};
use crate::service::{Accounts, Addressed, error_to};
use machine::{Change, Output};
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};
use xmpp::sasl::{Credentials, ITERATIONS, SALT_BYTES};
use xmpp::stanza::command::{self, ADMIN, ANNOUNCE, Offer, Request, Stage, text};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::{Element, Jid, Shared, ns};

/// The message of the day, 4.24: told to each user once, until it is deleted. Its record is this as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Motd {
    /// Names it, so that nobody is told twice; an edited one keeps its name.
    id: String,
    text: String,
}

impl Accounts {
    /// An iq with `<command/>` for the domain.
    pub(crate) fn admin_command(&mut self, iq: &Addressed, out: &mut Vec<Output>) -> Result<(), StanzaError> {
        let request = Request::find(&iq.stanza)?;
        let offer = OFFERS.iter().find(|offer| offer.node == request.node);
        let offer = offer.ok_or_else(|| command::unknown(&request.node))?;
        if !self.is_admin(&iq.from) {
            return Err(Condition::Forbidden.into());
        }
        if let Stage::Submit(form) = &request.stage {
            command::is_of(form, ADMIN)?;
        }
        let answer = match (&request.stage, offer.node) {
            (Stage::Cancel, _) => request.canceled(&iq.stanza),
            (Stage::Begin, REGISTERED_NUM | ONLINE_NUM) => {
                request.completed(&iq.stanza, Some(&self.number(offer.node)))
            }
            (Stage::Begin, DELETE_MOTD) => return self.set_motd(None, iq, &request, out),
            (Stage::Begin, _) => request.executing(&iq.stanza, &self.form(offer)),
            (Stage::Submit(form), REGISTERED_LIST | ONLINE_LIST) => {
                request.completed(&iq.stanza, Some(&self.listed(offer.node, form)?))
            }
            (Stage::Submit(form), _) => return self.submitted(offer.node, form, iq, &request, out),
        };
        out.push(Output::Send { to: iq.from.clone(), stanza: Shared::new(answer) });
        Ok(())
    }

    /// The commands that somebody may give here, as the answer to a disco#items query.
    pub(crate) fn commands_for(&self, from: &Jid) -> Element {
        command::items(self.domain(), if self.is_admin(from) { &OFFERS } else { &[] })
    }

    fn is_admin(&self, jid: &Jid) -> bool {
        self.config.admins.contains(&jid.bare())
    }

    fn submitted(
        &mut self,
        node: &str,
        form: &Form,
        iq: &Addressed,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        let completed = Output::Send { to: iq.from.clone(), stanza: Shared::new(request.completed(&iq.stanza, None)) };
        match node {
            ADD_USER => {
                let user = self.user(form.get("accountjid"))?;
                let password = password(form)?;
                if form.get("password-verify").is_some_and(|again| again != password) {
                    return Err(StanzaError::new(Condition::NotAcceptable, "the two passwords differ"));
                }
                let credentials = self.keys_of(password);
                let step = self.create_step(&user, credentials).map_err(refused)?;
                self.answer_later(step, completed, iq, out);
            }
            CHANGE_PASSWORD => {
                let local = self.user(form.get("accountjid"))?;
                let credentials = self.keys_of(password(form)?);
                let step = self.credentials_step(&local, credentials).map_err(refused)?;
                let afterwards = Some(Afterwards::EndSessions { local });
                self.answer_later(Step { afterwards, ..step }, completed, iq, out);
            }
            DELETE_USER => {
                let locals = self.users(form)?.into_iter().map(|jid| self.user(Some(jid.bare_str())));
                let mut locals = locals.collect::<Result<Vec<_>, _>>()?;
                locals.sort();
                locals.dedup();
                if locals.iter().any(|local| self.credentials(local).is_none()) {
                    return Err(Condition::ItemNotFound.into());
                }
                let last = locals.pop().ok_or(Condition::BadRequest)?;
                for local in locals {
                    let step = self.delete_step(&local).map_err(refused)?;
                    self.ledger.commit(step, out);
                }
                let step = self.delete_step(&last).map_err(refused)?;
                self.answer_later(step, completed, iq, out);
            }
            END_SESSION => {
                let meant = self.users(form)?;
                if meant.iter().any(|jid| self.account(jid).is_none() || !jid.is_bare() && self.session(jid).is_none())
                {
                    return Err(Condition::ItemNotFound.into());
                }
                out.push(completed);
                for jid in meant {
                    let of = |session: &Jid| jid.is_bare() || *session == jid;
                    self.end_sessions_of(jid.local().unwrap_or_default(), of, "policy-violation", out);
                }
            }
            ANNOUNCE => {
                let told = announcement(self.domain(), "Announcement", &long_text(form, "announcement")?);
                let online = self.accounts.values().flat_map(|account| account.available());
                out.extend(online.map(|session| Output::Send { to: session.jid.clone(), stanza: told.clone() }));
                out.push(completed);
            }
            EDIT_MOTD if self.motd.is_some() => {
                let text = long_text(form, "motd")?;
                let motd = self.motd.clone().map(|motd| Motd { text, ..motd });
                self.set_motd(motd, iq, request, out)?;
            }
            _ => {
                let text = long_text(form, "motd")?;
                let id = format!("{:016x}", self.random.next_u64());
                self.set_motd(Some(Motd { id, text }), iq, request, out)?;
            }
        }
        Ok(())
    }

    /// 4.24 to 4.26: who is there is told it when it is durable, others when they come.
    fn set_motd(
        &mut self,
        motd: Option<Motd>,
        iq: &Addressed,
        request: &Request,
        out: &mut Vec<Output>,
    ) -> Result<(), StanzaError> {
        if self.ledger.is_full() {
            return Err(AccountError::Busy.condition().into());
        }
        let (space, owner, key) = (SPACE_DOMAIN, String::new(), KEY_MOTD.to_owned());
        let change = match &motd {
            Some(motd) => {
                let value = serde_json::to_string(motd).expect("texts are JSON");
                Change::Put { space, owner, key, value }
            }
            None => Change::Delete { space, owner, key },
        };
        let before = Before::Motd { motd: std::mem::replace(&mut self.motd, motd) };
        let completed = Output::Send { to: iq.from.clone(), stanza: Shared::new(request.completed(&iq.stanza, None)) };
        let afterwards = Some(Afterwards::TellMotd);
        let step = Step { changes: vec![change], before: vec![before], afterwards, ..Step::default() };
        self.answer_later(step, completed, iq, out);
        Ok(())
    }

    /// Everybody who is there and has not been told the message of the day is.
    pub(crate) fn tell_motd_to_all(&mut self, out: &mut Vec<Output>) {
        let reachable = self.accounts.values().flat_map(|account| account.reachable().map(|(s, _)| s.jid.clone()));
        for session in reachable.collect::<Vec<_>>() {
            self.tell_motd(&session, out);
        }
    }

    /// A session has come that takes messages: it is told the message of the day, unless its user has been.
    pub(crate) fn tell_motd(&mut self, session: &Jid, out: &mut Vec<Output>) {
        let (Some(motd), Some(local), Some(account)) = (&self.motd, session.local(), self.account(session)) else {
            return;
        };
        let seen = serde_json::Value::from(motd.id.as_str()).to_string();
        if account.leaving || account.kept.get(SPACE_MOTD_SEEN, "") == Some(&seen) {
            return;
        }
        let stanza = announcement(self.domain(), "Message of the day", &motd.text);
        out.push(Output::Send { to: session.clone(), stanza });
        let local = local.to_owned();
        let step = self.keep(&local, vec![Setting::put(SPACE_MOTD_SEEN, "", seen)]);
        self.ledger.commit(step, out);
    }

    /// The answer to a command comes when the store has what it changes.
    fn answer_later(&mut self, step: Step, answer: Output, iq: &Addressed, out: &mut Vec<Output>) {
        let mut then = step.then;
        then.push(answer);
        let otherwise = error_to(&iq.stanza, Condition::InternalServerError).into_iter().collect();
        self.ledger.commit(Step { then, otherwise, ..step }, out);
    }

    fn keys_of(&mut self, password: &str) -> Credentials {
        let mut salt = [0; SALT_BYTES];
        self.random.fill_bytes(&mut salt);
        Credentials::new(password, &salt, ITERATIONS)
    }

    /// The localpart of a user of this domain.
    fn user(&self, jid: Option<&str>) -> Result<String, StanzaError> {
        let jid = command::person(jid.ok_or(Condition::BadRequest)?)?;
        match jid.local().filter(|_| self.is_here(&jid)) {
            Some(local) => Ok(local.to_owned()),
            None => Err(StanzaError::new(Condition::ItemNotFound, "no account here can have this address")),
        }
    }

    /// The addresses of a form, in this domain.
    fn users(&self, form: &Form) -> Result<Vec<Jid>, StanzaError> {
        let named = form.values("accountjids").filter(|named| !named.is_empty()).ok_or(Condition::BadRequest)?;
        if named.len() > NAMED_MAX {
            return Err(Condition::PolicyViolation.into());
        }
        let jids =
            named.iter().map(|text| Jid::new(text.trim()).map_err(|_| StanzaError::from(Condition::JidMalformed)));
        let jids = jids.collect::<Result<Vec<_>, _>>()?;
        match jids.iter().all(|jid| self.is_here(jid) && jid.local().is_some()) {
            true => Ok(jids),
            false => Err(Condition::ItemNotFound.into()),
        }
    }

    /// 4.13, 4.15: how many there are.
    fn number(&self, node: &str) -> Form {
        let (var, number) = match node {
            REGISTERED_NUM => ("registeredusersnum", self.list().count()),
            _ => ("onlineusersnum", self.online().count()),
        };
        Form::new("result").with_type(ADMIN).field(Field::submitted(var, number.to_string()))
    }

    /// 4.18, 4.20: who they are, as many as are asked for and as a stanza has room for.
    fn listed(&self, node: &str, form: &Form) -> Result<Form, StanzaError> {
        let max = match form.get("max_items") {
            None | Some("none") => LISTED_MAX,
            Some(max) => max.parse::<usize>().map_err(|_| Condition::NotAcceptable)?.min(LISTED_MAX),
        };
        let address = |local: &str| self.bare(local);
        let (var, users): (_, Vec<String>) = match node {
            REGISTERED_LIST => ("registereduserjids", self.list().take(max).map(address).collect()),
            _ => ("onlineuserjids", self.online().take(max).map(address).collect()),
        };
        Ok(Form::new("result").with_type(ADMIN).field(Field::new("jid-multi", var).values(users)))
    }

    fn online(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().filter(|(_, account)| !account.sessions.is_empty()).map(|(local, _)| local.as_str())
    }

    fn form(&self, offer: &Offer) -> Form {
        let what = match offer.node {
            ADD_USER => "add a user",
            CHANGE_PASSWORD => "change a user's password",
            DELETE_USER => "delete users",
            END_SESSION => "end sessions of users; an address without a resource stands for all of a user's",
            REGISTERED_LIST => "request the registered users of this service",
            ONLINE_LIST => "request the online users of this service",
            ANNOUNCE => "make an announcement to all active users of this service",
            EDIT_MOTD => "edit the message of the day",
            _ => "set the message of the day",
        };
        let form = Form::new("form").title(offer.name).instructions(&format!("Fill out this form to {what}."));
        let form = form.with_type(ADMIN);
        let one = || Field::new("jid-single", "accountjid").label("The Jabber ID of the account").required();
        let several = || Field::new("jid-multi", "accountjids").label("The Jabber IDs").required();
        let password = |var, label| Field::new("text-private", var).label(label).required();
        match offer.node {
            ADD_USER => form
                .field(one())
                .field(password("password", "The password"))
                .field(password("password-verify", "The password again")),
            CHANGE_PASSWORD => form.field(one()).field(password("password", "The new password")),
            DELETE_USER | END_SESSION => form.field(several()),
            REGISTERED_LIST | ONLINE_LIST => {
                let field = Field::new("list-single", "max_items").label("How many to show");
                let options = ["25", "50", "75", "100", "150", "200", "none"];
                form.field(options.iter().fold(field, |field, max| field.option(max, max)))
            }
            ANNOUNCE => form.field(Field::new("text-multi", "announcement").label("Announcement").required()),
            // 4.25: the one there is, to be edited.
            _ => {
                let field = Field::new("text-multi", "motd").label("Message of the Day").required();
                let there = self.motd.iter().filter(|_| offer.node == EDIT_MOTD);
                form.field(field.values(there.flat_map(|motd| motd.text.lines())))
            }
        }
    }
}

/// A message of the domain to a user.
fn announcement(domain: &str, subject: &str, body: &str) -> Shared {
    let child = |name: &str, text: &str| Element::new(name, ns::CLIENT).text(text);
    Shared::new(
        Element::stanza("message").attr("from", domain).child(child("subject", subject)).child(child("body", body)),
    )
}

fn password(form: &Form) -> Result<&str, StanzaError> {
    let password = form.get("password").ok_or(Condition::BadRequest)?;
    match password.len() {
        1..=PASSWORD_BYTES_MAX => Ok(password),
        _ => Err(StanzaError::new(Condition::NotAcceptable, "the password is empty or too long")),
    }
}

fn long_text(form: &Form, var: &str) -> Result<String, StanzaError> {
    let text = text(form, var).ok_or(Condition::BadRequest)?;
    if text.len() > ANNOUNCEMENT_BYTES_MAX { Err(Condition::PolicyViolation.into()) } else { Ok(text) }
}

/// What an admin is told; of an account that there is not, otherwise than its own user.
fn refused(error: AccountError) -> StanzaError {
    let condition = match error {
        AccountError::Unknown => Condition::ItemNotFound,
        _ => error.condition(),
    };
    StanzaError::new(condition, error.to_string())
}

const ADD_USER: &str = "http://jabber.org/protocol/admin#add-user";
const DELETE_USER: &str = "http://jabber.org/protocol/admin#delete-user";
const END_SESSION: &str = "http://jabber.org/protocol/admin#end-user-session";
const CHANGE_PASSWORD: &str = "http://jabber.org/protocol/admin#change-user-password";
const REGISTERED_NUM: &str = "http://jabber.org/protocol/admin#get-registered-users-num";
const ONLINE_NUM: &str = "http://jabber.org/protocol/admin#get-online-users-num";
const REGISTERED_LIST: &str = "http://jabber.org/protocol/admin#get-registered-users-list";
const ONLINE_LIST: &str = "http://jabber.org/protocol/admin#get-online-users-list";
const SET_MOTD: &str = "http://jabber.org/protocol/admin#set-motd";
const EDIT_MOTD: &str = "http://jabber.org/protocol/admin#edit-motd";
const DELETE_MOTD: &str = "http://jabber.org/protocol/admin#delete-motd";
/// The commands of the domain.
pub(crate) const OFFERS: [Offer; 12] = [
    Offer { node: ADD_USER, name: "Add a User" },
    Offer { node: DELETE_USER, name: "Delete Users" },
    Offer { node: END_SESSION, name: "End Sessions of Users" },
    Offer { node: CHANGE_PASSWORD, name: "Change a User's Password" },
    Offer { node: REGISTERED_NUM, name: "Get Number of Registered Users" },
    Offer { node: ONLINE_NUM, name: "Get Number of Online Users" },
    Offer { node: REGISTERED_LIST, name: "Get List of Registered Users" },
    Offer { node: ONLINE_LIST, name: "Get List of Online Users" },
    Offer { node: ANNOUNCE, name: "Send Announcement to Online Users" },
    Offer { node: SET_MOTD, name: "Set Message of the Day" },
    Offer { node: EDIT_MOTD, name: "Edit Message of the Day" },
    Offer { node: DELETE_MOTD, name: "Delete Message of the Day" },
];
/// Users named in one request: each is a change for the store.
const NAMED_MAX: usize = 100;
/// Users in one answer, of some 50 bytes each as a rule.
const LISTED_MAX: usize = 1_000;
/// Longest announcement: it goes to everybody at once.
const ANNOUNCEMENT_BYTES_MAX: usize = 4_000;
