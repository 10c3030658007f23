//! The room's archive, XEP-0313: queried by time, occupant and id (4.1), page by page (4.3, XEP-0059).
//!
//! Who may enter may read: not the banned, in a members-only room members, behind a password members and occupants.

use super::{Cx, Room};
use crate::names::Affiliation;
use machine::{ArchivePage, ArchiveQuery, Output, QueryId, Row};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, StanzaError, delay, iq_result, parse_ms, rsm};
use xmpp::{Element, Jid, ns};

/// A query that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    asker: Jid,
    iq: Element,
    query_id: Option<String>,
    /// Last rows first within the page (4.1.6).
    flip: bool,
}

impl Room {
    /// An iq with `<query xmlns='urn:xmpp:mam:2'/>`.
    pub fn handle_archive(&mut self, from: &Jid, iq: &Element, query: &Element, cx: &mut Cx<'_>) {
        if !self.may_read(from) {
            return self.refuse(iq, Condition::Forbidden, cx);
        }
        if iq.get("type") == Some("get") {
            let answer = iq_result(iq).child(Element::new("query", ns::MAM).child(filters().element()));
            return self.answer(from, answer, cx);
        }
        if query.get("node").is_some() {
            return self.refuse(iq, Condition::ItemNotFound, cx);
        }
        if self.readings.len() >= READINGS_MAX {
            return self.refuse(iq, StanzaError::new(Condition::ResourceConstraint, "Too many queries at a time."), cx);
        }
        match parse(query, &self.jid) {
            Ok(wanted) => {
                let wanted = ArchiveQuery { site: Some(from.domain().to_owned()), ..wanted };
                self.read(from, iq, query, wanted, cx);
            }
            Err(condition) => self.refuse(iq, condition, cx),
        }
    }

    /// A number for a query of this room; the links ask by it too.
    pub fn next_query(&mut self) -> QueryId {
        self.last_query = self.last_query.wrapping_add(1);
        QueryId((u64::from(self.number) << 32) | u64::from(self.last_query))
    }

    /// The answer to a query.
    pub fn rows(&mut self, id: QueryId, page: Option<ArchivePage>, cx: &mut Cx<'_>) {
        let page = match self.retraction_rows(id, page, cx) {
            Ok(()) => return,
            Err(page) => page,
        };
        let Some(reading) = self.readings.remove(&id) else { return self.link_rows(id, page, cx) };
        match page {
            None => self.refuse(&reading.iq, Condition::InternalServerError, cx),
            Some(page) if page.unknown_id => self.refuse(&reading.iq, Condition::ItemNotFound, cx),
            Some(page) => self.answer_page(&reading, page, cx),
        }
    }

    fn read(&mut self, from: &Jid, iq: &Element, query: &Element, wanted: ArchiveQuery, cx: &mut Cx<'_>) {
        let id = self.next_query();
        let reading = Reading {
            asker: from.clone(),
            iq: iq.clone(),
            query_id: query.get("queryid").map(str::to_owned),
            flip: query.has_child("flip-page", ns::MAM),
        };
        self.readings.insert(id, reading);
        cx.out.push(Output::Query { id, query: wanted });
    }

    /// The rows as messages, then the result that ends the page (4.2, 4.3).
    fn answer_page(&mut self, reading: &Reading, page: ArchivePage, cx: &mut Cx<'_>) {
        let ids =
            (page.rows.first().map(|row| row.id.clone()), page.rows.last().map(|row| last_id(row, &reading.asker)));
        let mut rows = page.rows;
        if reading.flip {
            rows.reverse();
        }
        for row in &rows {
            if let Some(message) = self.result(reading, row) {
                self.answer(&reading.asker, message, cx);
            }
        }
        let fin = Element::new("fin", ns::MAM).attr_opt("complete", page.complete.then_some("true")).child(rsm::set(
            ids.0.as_deref(),
            ids.1.as_deref(),
            None,
            page.count,
        ));
        self.answer(&reading.asker, iq_result(&reading.iq).child(fin), cx);
    }

    fn result(&self, reading: &Reading, row: &Row) -> Option<Element> {
        let said = Element::parse(&row.stanza).ok()?;
        let forwarded = Element::new("forwarded", ns::FORWARD).child(delay(None, row.stamp_ms)).child(said);
        let result = Element::new("result", ns::MAM)
            .attr_opt("queryid", reading.query_id.as_ref())
            .attr("id", &row.id)
            .child(forwarded);
        Some(Element::stanza("message").attr("from", self.jid.as_str()).child(result))
    }

    /// Whether somebody may know what is said in the room.
    pub fn may_read(&self, from: &Jid) -> bool {
        let affiliation = self.affiliation_of(from);
        let closed = self.config.members_only || self.config.password.is_some();
        affiliation != Affiliation::Outcast
            && (self.sessions.contains_key(from) || !closed || affiliation >= Affiliation::Member)
    }
}

/// The id behind which the next page begins: of a row that the asker's site has born, that very row (`docs/wire.md`).
fn last_id(row: &Row, asker: &Jid) -> String {
    let born_there = row.born.as_ref().is_some_and(|born| born.site == asker.domain());
    if born_there { format!("{}~", row.id) } else { row.id.clone() }
}

/// Reads a query's form and page; what is not known is refused (4.1.5), never silently left out.
fn parse(query: &Element, room: &Jid) -> Result<ArchiveQuery, Condition> {
    let mut wanted = ArchiveQuery { archive: room.to_string(), max: PAGE_ROWS_DEFAULT, ..ArchiveQuery::default() };
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
    if page.after.is_some() {
        wanted.after_id = page.after;
    }
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
            "after-id" => wanted.after_id = value,
            "before-id" => wanted.before_id = value,
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
/// Most queries of a room under way at a time.
const READINGS_MAX: usize = 200;
