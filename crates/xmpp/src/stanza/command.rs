//! Ad-hoc commands, XEP-0050, of one stage: asked for, a form is shown; submitted, it is done. Which command it is and what was
//! filled in stands in each request, so nothing is remembered between the two, and a form may be submitted at once. A session
//! is named after the request that begins it.

use super::form::Form;
use super::{Condition, StanzaError, iq_result};
use crate::{Element, Jid, ns};

/// A command as it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its name on the wire.
    pub node: &'static str,
    /// Its name for people.
    pub name: &'static str,
}

/// What somebody wants of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// To see its form, or to have it done when it needs none.
    Begin,
    /// To have it done as this form says.
    Submit(Form),
    /// Not to have it done after all (3.1).
    Cancel,
}

/// A request, an iq of type `set` with `<command/>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which command.
    pub node: String,
    /// What is wanted of it.
    pub stage: Stage,
    /// The name of the session, where it has one already.
    session: Option<String>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// 3.4 (errors): what is wrong with it, in the terms of section 4.2.
    pub fn find(iq: &Element) -> Result<Request, StanzaError> {
        let command = iq.get_child("command", ns::COMMANDS).filter(|_| iq.get("type") == Some("set"));
        let command = command.ok_or(Condition::BadRequest)?;
        let node = command.get("node").ok_or(Condition::BadRequest)?.to_owned();
        let session = command.get("sessionid").map(str::to_owned);
        let form = match command.get_child("x", ns::FORMS) {
            None => None,
            Some(x) => Some(Form::parse(x).ok_or_else(|| wrong("bad-payload"))?),
        };
        let stage = match (command.get("action").unwrap_or("execute"), form) {
            ("cancel", _) => Stage::Cancel,
            ("execute" | "complete" | "next", Some(form)) if form.kind == "cancel" => Stage::Cancel,
            ("execute" | "complete" | "next", Some(form)) if form.kind == "submit" => Stage::Submit(form),
            ("execute" | "complete" | "next", Some(_)) => return Err(wrong("bad-payload")),
            ("execute", None) => Stage::Begin,
            // 3.4: there is nothing before the only stage, nor behind it without what it asks for.
            ("complete" | "next", None) => return Err(wrong("bad-payload")),
            ("prev", _) => return Err(wrong("bad-action")),
            _ => return Err(wrong("malformed-action")),
        };
        Ok(Request { node, stage, session })
    }

    /// The answer that shows the form.
    pub fn executing(&self, iq: &Element, form: &Form) -> Element {
        let actions = Element::new("actions", ns::COMMANDS).attr("execute", "complete");
        let actions = actions.child(Element::new("complete", ns::COMMANDS));
        let command = self.command(iq, "executing").child(actions).child(form.element());
        iq_result(iq).child(command)
    }

    /// The answer that says it was done, with what it has come to.
    pub fn completed(&self, iq: &Element, result: Option<&Form>) -> Element {
        iq_result(iq).child(self.command(iq, "completed").with(result.map(Form::element)))
    }

    /// The answer that says it was not.
    pub fn canceled(&self, iq: &Element) -> Element {
        iq_result(iq).child(self.command(iq, "canceled"))
    }

    fn command(&self, iq: &Element, status: &str) -> Element {
        let session = self.session.as_deref().or(iq.get("id")).unwrap_or_default();
        Element::new("command", ns::COMMANDS).attr("node", &self.node).attr("sessionid", session).attr("status", status)
    }
}

/// A text of one or several lines; `None` where it says nothing.
pub fn text(form: &Form, var: &str) -> Option<String> {
    form.values(var).map(|lines| lines.join("\n")).filter(|text| !text.trim().is_empty())
}

/// Somebody's bare address, as a form says it.
///
/// # Errors
/// `jid-malformed` when it is none.
pub fn person(text: &str) -> Result<Jid, StanzaError> {
    let jid = Jid::new(text.trim()).map_err(|_| Condition::JidMalformed)?.bare();
    if jid.local().is_some() { Ok(jid) } else { Err(Condition::JidMalformed.into()) }
}

/// The result of a request that has been carried out: bare, or that of a command.
pub fn done(request: &Element) -> Element {
    match Request::find(request) {
        Ok(command) => command.completed(request, None),
        Err(_) => iq_result(request),
    }
}

/// What is said of a command that is not here: XEP-0133 5, where it is one of those, else as of any node.
pub fn unknown(node: &str) -> Condition {
    let is_known = node.strip_prefix(ADMIN).is_some_and(|rest| rest.starts_with('#'));
    if is_known { Condition::FeatureNotImplemented } else { Condition::ItemNotFound }
}

/// XEP-0068: a form that says of itself that it is another than `form_type` is not the one that was shown.
///
/// # Errors
/// 4.2: `bad-payload`.
pub fn is_of(form: &Form, form_type: &str) -> Result<(), StanzaError> {
    match form.form_type() {
        Some(other) if other != form_type => Err(wrong("bad-payload")),
        _ => Ok(()),
    }
}

/// 2.2: the commands of `jid`, as the answer to a disco#items query at the node of commands.
pub fn items(jid: &str, offers: &[Offer]) -> Element {
    let item = |offer: &Offer| {
        Element::new("item", ns::DISCO_ITEMS).attr("jid", jid).attr("name", offer.name).attr("node", offer.node)
    };
    Element::new("query", ns::DISCO_ITEMS).attr("node", ns::COMMANDS).with(offers.iter().map(item))
}

/// 2.3: what a disco#info query at the node of commands, or of one of them, is answered.
pub fn info(node: &str, offers: &[Offer]) -> Option<Element> {
    let (kind, name) = match offers.iter().find(|offer| offer.node == node) {
        Some(offer) => ("command-node", Some(offer.name)),
        None if node == ns::COMMANDS => ("command-list", None),
        None => return None,
    };
    let identity = Element::new("identity", ns::DISCO_INFO)
        .attr("category", "automation")
        .attr_opt("name", name)
        .attr("type", kind);
    let feature = |var: &str| Element::new("feature", ns::DISCO_INFO).attr("var", var);
    Some(
        Element::new("query", ns::DISCO_INFO)
            .attr("node", node)
            .child(identity)
            .child(feature(ns::COMMANDS))
            .child(feature(ns::FORMS)),
    )
}

/// FORM_TYPE of what administration asks (XEP-0133); its commands are this, a `#` and their names.
pub const ADMIN: &str = "http://jabber.org/protocol/admin";
/// Telling all who are there something, XEP-0133 4.23.
pub const ANNOUNCE: &str = "http://jabber.org/protocol/admin#announce";

/// 4.2: bad requests, with what is bad about them.
fn wrong(what: &str) -> StanzaError {
    StanzaError { extra: Some(Element::new(what, ns::COMMANDS)), ..StanzaError::from(Condition::BadRequest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::form::Field;

    const FORM: &str = "<x xmlns='jabber:x:data' type='submit'><field var='jid'><value>a@b</value></field></x>";

    fn read(attributes: &str, content: &str) -> Result<Request, String> {
        let iq = format!(
            "<iq xmlns='jabber:client' type='set' id='c' from='a@b/c' to='d'>\
             <command xmlns='http://jabber.org/protocol/commands' node='n' {attributes}>{content}</command></iq>"
        );
        Request::find(&Element::parse(&iq).expect("an iq"))
            .map_err(|error| error.extra.map_or("none".to_owned(), |extra| extra.name().to_owned()))
    }

    #[test]
    fn s3_4_what_is_wanted_is_in_the_action_and_the_form() {
        let stage = |attributes: &str, content: &str| read(attributes, content).map(|request| request.stage);
        let submitted =
            Stage::Submit(Form::new("submit").field(Field { kind: None, ..Field::new("", "jid").value("a@b") }));
        assert_eq!(stage("", ""), Ok(Stage::Begin));
        assert_eq!(stage("action='execute'", ""), Ok(Stage::Begin));
        assert_eq!(stage("sessionid='s' action='complete'", FORM), Ok(submitted.clone()));
        assert_eq!(stage("", FORM), Ok(submitted));
        assert_eq!(stage("action='cancel'", ""), Ok(Stage::Cancel));
        assert_eq!(stage("", "<x xmlns='jabber:x:data' type='cancel'/>"), Ok(Stage::Cancel));
        assert_eq!(stage("action='prev'", ""), Err("bad-action".into()));
        assert_eq!(stage("action='wish'", ""), Err("malformed-action".into()));
        assert_eq!(stage("action='complete'", ""), Err("bad-payload".into()));
        assert_eq!(stage("", "<x xmlns='jabber:x:data' type='result'/>"), Err("bad-payload".into()));
    }

    #[test]
    fn s2_4_a_form_is_shown_and_what_was_done_is_said_in_the_same_session() {
        let iq = Element::parse(
            "<iq xmlns='jabber:client' type='set' id='c' from='a@b/c' to='d'>\
             <command xmlns='http://jabber.org/protocol/commands' node='n'/></iq>",
        );
        let iq = iq.expect("an iq");
        let first = Request::find(&iq).expect("a request");
        assert_eq!(
            first.executing(&iq, &Form::new("form")).to_xml(),
            "<iq type='result' id='c' from='d' to='a@b/c'><command xmlns='http://jabber.org/protocol/commands' \
             node='n' sessionid='c' status='executing'><actions execute='complete'><complete/></actions>\
             <x xmlns='jabber:x:data' type='form'/></command></iq>"
        );
        let second = read("sessionid='s1'", FORM).expect("a request");
        assert!(second.completed(&iq, None).to_xml().contains("sessionid='s1' status='completed'/>"));
        assert!(second.canceled(&iq).to_xml().contains("sessionid='s1' status='canceled'/>"));
    }
}
