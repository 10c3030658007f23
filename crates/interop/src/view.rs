//! A room as a client sees it: the owner's form, the lists, the subject, the archive with its ids and stamps. For comparing two
//! servers that should have the same.

use crate::room::{PATIENCE, go_in, leave};
use anyhow::{Context, Result, ensure};
use driver::Client;
use std::collections::{BTreeMap, BTreeSet};
use xmpp::stanza::form::Form;
use xmpp::stanza::{format_ms, parse_ms};
use xmpp::{Element, ns};

/// What an owner sees of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The values of each field of the form, in order.
    pub form: BTreeMap<String, Vec<String>>,
    /// Address, affiliation, reserved nick.
    pub lists: BTreeSet<(String, String, Option<String>)>,
    /// Whose nick it is of, when it was set, and what it is.
    pub subject: (Option<String>, Option<String>, String),
    /// Id, stamp, sender, what was said; oldest first.
    pub archive: Vec<(String, String, String, String)>,
}

/// Looks at a room, as its owner, with a nick that he has there.
pub async fn view(owner: &Client, room: &str, nick: &str) -> Result<View> {
    // Before he is in: who is has a nick in the lists that need not be a reserved one.
    let lists = lists(owner, room).await?;
    let before = owner.seen(<[Element]>::len);
    go_in(owner, room, nick).await?;
    let has_subject = |s: &Element| s.get("from").is_some_and(|from| from.starts_with(room)) && is_subject(s);
    owner.wait_until(PATIENCE, |seen| seen[before..].iter().any(has_subject)).await?;
    let subject = owner.seen(|seen| seen[before..].iter().find(|s| has_subject(s)).cloned()).context("just seen")?;
    let view = View {
        form: form(owner, room).await?,
        lists,
        subject: (
            subject.get("from").and_then(|from| from.split_once('/')).map(|(_, nick)| nick.to_owned()),
            subject.get_child("delay", ns::DELAY).and_then(|delay| delay.get("stamp")).map(str::to_owned),
            subject.get_child("subject", ns::CLIENT).map(Element::content).unwrap_or_default(),
        ),
        archive: archive(owner, room).await?,
    };
    owner.send(&leave(room, nick)).await?;
    Ok(view)
}

/// Submits those of these fields that the owner's form has.
pub async fn configure(owner: &Client, room: &str, fields: &[(&str, &[&str])]) -> Result<()> {
    let mut form = Form::new("submit").with_type(ns::MUC_ROOMCONFIG);
    let known = self::form(owner, room).await?;
    for (var, values) in fields.iter().filter(|(var, _)| known.contains_key(*var)) {
        let field = xmpp::stanza::form::Field::new("text-multi", var);
        form = form.field(field.values(values.iter().copied()));
    }
    let query = Element::new("query", ns::MUC_OWNER).child(form.element());
    done(owner, Element::stanza("iq").attr("to", room).attr("type", "set").child(query)).await
}

/// Sets somebody's affiliation.
pub async fn affiliate(owner: &Client, room: &str, jid: &str, affiliation: &str, nick: Option<&str>) -> Result<()> {
    let item = Element::new("item", ns::MUC_ADMIN).attr("affiliation", affiliation).attr("jid", jid);
    let query = Element::new("query", ns::MUC_ADMIN).child(item.attr_opt("nick", nick));
    done(owner, Element::stanza("iq").attr("to", room).attr("type", "set").child(query)).await
}

/// Asks, and wants it done.
pub async fn done(client: &Client, iq: Element) -> Result<()> {
    let answer = client.ask(iq.clone()).await?;
    ensure!(answer.get("type") == Some("result"), "{iq} was refused: {answer}");
    Ok(())
}

async fn form(owner: &Client, room: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let query = Element::new("query", ns::MUC_OWNER);
    let answer = owner.ask(Element::stanza("iq").attr("to", room).attr("type", "get").child(query)).await?;
    let form = answer.get_child("query", ns::MUC_OWNER).and_then(Form::find);
    let form = form.with_context(|| format!("no form: {answer}"))?;
    let fields = form.fields.into_iter().filter(|field| !field.var.is_empty() && field.var != "FORM_TYPE");
    Ok(fields
        .map(|field| {
            let mut values = field.values;
            values.retain(|value| !value.is_empty());
            // Which is its default (XEP-0004 3.3, Table 2).
            if field.kind.as_deref() == Some("boolean") && values.is_empty() {
                values.push("0".to_owned());
            }
            values.sort();
            (field.var, values)
        })
        .collect())
}

async fn lists(owner: &Client, room: &str) -> Result<BTreeSet<(String, String, Option<String>)>> {
    let mut all = BTreeSet::new();
    for affiliation in ["owner", "admin", "member", "outcast"] {
        let item = Element::new("item", ns::MUC_ADMIN).attr("affiliation", affiliation);
        let query = Element::new("query", ns::MUC_ADMIN).child(item);
        let answer = owner.ask(Element::stanza("iq").attr("to", room).attr("type", "get").child(query)).await?;
        let query = answer.get_child("query", ns::MUC_ADMIN).with_context(|| format!("no list: {answer}"))?;
        for item in query.children() {
            let get = |name: &str| item.get(name).map(str::to_owned);
            all.insert((get("jid").unwrap_or_default(), affiliation.to_owned(), get("nick")));
        }
    }
    Ok(all)
}

async fn archive(owner: &Client, room: &str) -> Result<Vec<(String, String, String, String)>> {
    let before = owner.seen(<[Element]>::len);
    let query = Element::new("query", ns::MAM).attr("queryid", "view");
    let query = query.child(Element::new("set", ns::RSM).child(Element::new("max", ns::RSM).text("50")));
    let answer = owner.ask(Element::stanza("iq").attr("to", room).attr("type", "set").child(query)).await?;
    let fin = answer.get_child("fin", ns::MAM).with_context(|| format!("no archive: {answer}"))?;
    ensure!(fin.get("complete") == Some("true"), "the archive is longer than a page: {fin}");
    let row = |stanza: &Element| {
        let result = stanza.get_child("result", ns::MAM).filter(|result| result.get("queryid") == Some("view"))?;
        let forwarded = result.get_child("forwarded", ns::FORWARD)?;
        let said = forwarded.get_child("message", ns::CLIENT)?;
        Some((
            result.get("id")?.to_owned(),
            // To the millisecond, whatever more a server says.
            format_ms(parse_ms(forwarded.get_child("delay", ns::DELAY)?.get("stamp")?)?),
            said.get("from")?.to_owned(),
            said.get_child("body", ns::CLIENT).or_else(|| said.get_child("subject", ns::CLIENT))?.content(),
        ))
    };
    Ok(owner.seen(|seen| seen[before..].iter().filter_map(row).collect()))
}

fn is_subject(stanza: &Element) -> bool {
    stanza.name() == "message" && stanza.has_child("subject", ns::CLIENT) && !stanza.has_child("body", ns::CLIENT)
}
