//! XEP-0313 as a room answers it, at its primary or from a mirror: what a query asks for (4.1, 4.3 with XEP-0059), and a page of
//! rows as stanzas (4.2, 4.3). Who may read is said elsewhere.

use machine::{ArchivePage, ArchiveQuery, Row};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, delay, iq_result, parse_ms, rsm};
use xmpp::{Element, Jid, ns};

/// What an iq with `<query xmlns='urn:xmpp:mam:2'/>` comes to.
pub(crate) enum Asked {
    /// The filters there are, as the answer to the iq (4.1.5).
    Filters(Element),
    /// A page is to be read.
    Page(Reading, Box<ArchiveQuery>),
}

/// A query that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Who has asked.
    pub asker: Jid,
    /// What was asked, without what it asks for.
    pub iq: Element,
    query_id: Option<String>,
    /// Last rows first within the page (4.1.6).
    flip: bool,
}

/// Whether a page may come out otherwise when it is asked for again (XEP-0313 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stability {
    Stable,
    Unstable,
}

/// Reads what `from` asks of `archive`.
pub(crate) fn asked(from: &Jid, iq: &Element, query: &Element, archive: String) -> Result<Asked, Condition> {
    if iq.get("type") == Some("get") {
        return Ok(Asked::Filters(iq_result(iq).child(Element::new("query", ns::MAM).child(filters().element()))));
    }
    if query.get("node").is_some() {
        return Err(Condition::ItemNotFound);
    }
    let wanted = ArchiveQuery { site: Some(from.domain().to_owned()), ..parse(query, archive)? };
    let reading = Reading {
        asker: from.clone(),
        iq: iq.clone(),
        query_id: query.get("queryid").map(str::to_owned),
        flip: query.has_child("flip-page", ns::MAM),
    };
    Ok(Asked::Page(reading, Box::new(wanted)))
}

impl Reading {
    /// The rows as messages of `room`, then the result that ends the page (4.2, 4.3).
    pub fn answer(&self, room: &Jid, page: ArchivePage, stability: Stability) -> Vec<Element> {
        let last = page.rows.last().map(|row| last_id(row, &self.asker));
        let first = page.rows.first().map(|row| row.id.clone());
        let mut rows = page.rows;
        if self.flip {
            rows.reverse();
        }
        let fin = Element::new("fin", ns::MAM)
            .attr_opt("complete", page.complete.then_some("true"))
            .attr_opt("stable", (stability == Stability::Unstable).then_some("false"))
            .child(rsm::set(first.as_deref(), last.as_deref(), None, page.count));
        let mut stanzas: Vec<Element> = rows.iter().filter_map(|row| self.result(room, row)).collect();
        stanzas.push(iq_result(&self.iq).child(fin));
        stanzas
    }

    fn result(&self, room: &Jid, row: &Row) -> Option<Element> {
        let said = Element::parse(&row.stanza).ok()?;
        let forwarded = Element::new("forwarded", ns::FORWARD).child(delay(None, row.stamp_ms)).child(said);
        let result = Element::new("result", ns::MAM)
            .attr_opt("queryid", self.query_id.as_ref())
            .attr("id", &row.id)
            .child(forwarded);
        Some(Element::stanza("message").attr("from", room.as_str()).child(result))
    }
}

/// The id behind which the next page begins: of a row that the asker's site has born, that very row (`docs/wire.md`).
fn last_id(row: &Row, asker: &Jid) -> String {
    let born_there = row.born.as_ref().is_some_and(|born| born.site == asker.domain());
    if born_there { format!("{}~", row.id) } else { row.id.clone() }
}

/// Reads a query's form and page; what is not known is refused (4.1.5), never silently left out.
fn parse(query: &Element, archive: String) -> Result<ArchiveQuery, Condition> {
    let mut wanted = ArchiveQuery { archive, max: PAGE_ROWS_DEFAULT, ..ArchiveQuery::default() };
    if query.has_child("x", ns::FORMS) {
        let form = Form::find(query).filter(|form| form.kind == "submit" && form.form_type() == Some(ns::MAM));
        parse_filters(&form.ok_or(Condition::BadRequest)?, &mut wanted)?;
    }
    let page = rsm::Request::find(query).map_err(|_| Condition::BadRequest)?;
    if page.index.is_some() {
        return Err(Condition::FeatureNotImplemented);
    }
    wanted.max = page.max.map_or(PAGE_ROWS_DEFAULT, |max| (max as usize).min(PAGE_ROWS_MAX));
    wanted.count = query.has_child("set", ns::RSM);
    wanted.after_id = page.after;
    if let Some(before) = page.before {
        wanted.backwards = true;
        if !before.is_empty() {
            wanted.before_id = Some(before);
        }
    }
    Ok(wanted)
}

fn parse_filters(form: &Form, wanted: &mut ArchiveQuery) -> Result<(), Condition> {
    for field in &form.fields {
        let value = field.values.first().cloned();
        let stamp = || value.as_deref().and_then(parse_ms).ok_or(Condition::BadRequest);
        match field.var.as_str() {
            "FORM_TYPE" => {}
            "start" => wanted.start_ms = Some(stamp()?),
            "end" => wanted.end_ms = Some(stamp()?),
            "with" => {
                let jid = value.as_deref().and_then(|text| Jid::new(text).ok()).ok_or(Condition::JidMalformed)?;
                wanted.with = Some(jid.to_string());
            }
            "after-id" => wanted.between.get_or_insert_default().after_id = value,
            "before-id" => wanted.between.get_or_insert_default().before_id = value,
            "ids" if field.values.len() <= PAGE_ROWS_MAX => wanted.ids = field.values.clone(),
            "ids" => return Err(Condition::NotAcceptable),
            _ => return Err(Condition::FeatureNotImplemented),
        }
    }
    Ok(())
}

/// 4.1.5: the filters there are.
fn filters() -> Form {
    Form::new("form")
        .with_type(ns::MAM)
        .field(Field::new("jid-single", "with"))
        .field(Field::new("text-single", "start"))
        .field(Field::new("text-single", "end"))
        .field(Field::new("text-single", "before-id"))
        .field(Field::new("text-single", "after-id"))
        .field(Field::new("list-multi", "ids"))
}

/// Rows in a page when the asker does not say.
const PAGE_ROWS_DEFAULT: usize = 50;
/// Most rows in a page.
const PAGE_ROWS_MAX: usize = 200;
