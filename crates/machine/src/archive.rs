//! XEP-0313 as a room answers it, at its primary or from a mirror, and an account: what a query asks for (4.1, 4.3 with XEP-0059), a
//! page of rows as stanzas (4.2, 4.3), and between which messages an archive lies (5). Who may read is said elsewhere.

use crate::{ArchivePage, ArchiveQuery, Author, By, Class, Row};
use xmpp::stanza::form::{Field, Form};
use xmpp::stanza::{Condition, delay, format_ms, iq_result, parse_ms, rsm};
use xmpp::{Element, Jid, ns};

/// What an iq with `<query/>` or `<metadata/>` in `urn:xmpp:mam:2` comes to.
pub enum Asked {
    /// The filters there are, as the answer to the iq (4.1.5).
    Filters(Element),
    /// Something is to be read.
    Page(Reading, Box<ArchiveQuery>),
}

/// A query that is being read.
#[derive(Debug)]
pub struct Reading {
    /// Who has asked.
    pub asker: Jid,
    /// The iq.
    pub iq: Element,
    /// Whether the asker may know who is behind a nick.
    class: Class,
    wanted: Wanted,
}

/// What a query is after.
#[derive(Debug)]
enum Wanted {
    /// A page of messages.
    Page {
        query_id: Option<String>,
        /// Last rows first within the page (4.3.4).
        flip: bool,
        /// From its end towards the archive's beginning.
        backwards: bool,
    },
    /// Section 5: the archive's first message, to be followed by the last.
    First,
    /// Section 5: its last, when this is the first.
    Last(Element),
}

/// What follows when a query has been read.
pub enum Next {
    /// These are the answer.
    Answer(Vec<Element>),
    /// More is to be read.
    Read(Box<Reading>, Box<ArchiveQuery>),
}

/// Whether a page may come out otherwise when it is asked for again (XEP-0313 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// It will not.
    Stable,
    /// It may.
    Unstable,
}

/// Reads what `from`, who may see what is of `class`, asks of `archive`; `with` says what the rows have to have for a filter by
/// address.
///
/// # Errors
/// The condition that answers the iq.
pub fn asked(
    (from, class): (&Jid, Class),
    iq: &Element,
    query: &Element,
    archive: String,
    with: impl Fn(Jid) -> Option<By>,
) -> Result<Asked, Condition> {
    if query.name() == "metadata" {
        let reading = Reading { asker: from.clone(), iq: iq.clone(), class, wanted: Wanted::First };
        return Ok(Asked::Page(reading, Box::new(end_of(archive, false))));
    }
    if iq.get("type") == Some("get") {
        return Ok(Asked::Filters(iq_result(iq).child(Element::new("query", ns::MAM).child(filters().element()))));
    }
    if query.get("node").is_some() {
        return Err(Condition::ItemNotFound);
    }
    let query_id = query.get("queryid").map(str::to_owned);
    let flip = query.has_child("flip-page", ns::MAM);
    let query = ArchiveQuery { site: Some(from.domain().to_owned()), ..parse(query, archive, with)? };
    let wanted = Wanted::Page { query_id, flip, backwards: query.backwards };
    Ok(Asked::Page(Reading { asker: from.clone(), iq: iq.clone(), class, wanted }, Box::new(query)))
}

/// 4.1.1 in a room: its bare address is that of all occupants, another bare one that of all whose address it is a part of.
pub fn of_room(asker: (&Jid, Class), room: &Jid, jid: &Jid) -> Option<By> {
    Some(jid).filter(|jid| *jid != room).map(|jid| by(asker, room, jid))
}

/// The first message of an archive, or the last.
fn end_of(archive: String, last: bool) -> ArchiveQuery {
    ArchiveQuery { archive, backwards: last, max: 1, ..ArchiveQuery::default() }
}

impl Reading {
    /// The same for an asker who may not see any more what he might when he asked.
    pub fn seen_by(self, class: Class) -> Reading {
        if class == Class::Plain { Reading { class, ..self } } else { self }
    }

    /// Whether it asks for the ends of the whole archive, which a part of it does not have.
    pub fn is_of_the_whole(&self) -> bool {
        !matches!(self.wanted, Wanted::Page { .. })
    }

    /// Whether its page is read from its end, so that nothing it may lack lies before the first row.
    pub fn is_backwards(&self) -> bool {
        matches!(self.wanted, Wanted::Page { backwards: true, .. })
    }

    /// What was read of `archive`, as its owner, a room or an account, says it.
    pub fn next(self, room: &Jid, archive: String, page: ArchivePage, stability: Stability) -> Next {
        let end = |name: &str| {
            let row = page.rows.first()?;
            Some(Element::new(name, ns::MAM).attr("id", &row.id).attr("timestamp", format_ms(row.stamp_ms)))
        };
        let ends = match (&self.wanted, end("start")) {
            (Wanted::Page { query_id, flip, .. }, _) => {
                return Next::Answer(self.page(room, query_id.as_deref(), *flip, page, stability));
            }
            (Wanted::First, Some(first)) => {
                let reading = Reading { wanted: Wanted::Last(first), ..self };
                return Next::Read(Box::new(reading), Box::new(end_of(archive, true)));
            }
            (Wanted::First, None) => Vec::new(),
            // Should it have been emptied meanwhile, it is as if it had been so before.
            (Wanted::Last(first), _) => end("end").map(|last| vec![first.clone(), last]).unwrap_or_default(),
        };
        Next::Answer(vec![iq_result(&self.iq).child(Element::new("metadata", ns::MAM).with(ends))])
    }

    /// The rows as messages of `room`, then the result that ends the page (4.2, 4.3).
    fn page(
        &self,
        room: &Jid,
        query_id: Option<&str>,
        flip: bool,
        page: ArchivePage,
        stability: Stability,
    ) -> Vec<Element> {
        let last = page.rows.last().map(|row| last_id(row, &self.asker));
        let first = page.rows.first().map(|row| row.id.clone());
        let mut rows = page.rows;
        if flip {
            rows.reverse();
        }
        let fin = Element::new("fin", ns::MAM)
            .attr_opt("complete", page.complete.then_some("true"))
            .attr_opt("stable", (stability == Stability::Unstable).then_some("false"))
            .child(rsm::set(first.as_deref(), last.as_deref(), None, page.count));
        let mut stanzas: Vec<Element> = rows.iter().filter_map(|row| result(room, self.class, query_id, row)).collect();
        stanzas.push(iq_result(&self.iq).child(fin));
        stanzas
    }
}

/// One row as a message of `room`; who may know is told who has said it (*MUC Archives*).
fn result(room: &Jid, class: Class, query_id: Option<&str>, row: &Row) -> Option<Element> {
    let author = row.author.as_ref().filter(|_| class == Class::Jids).map(author);
    let said = Element::parse(&row.stanza).ok()?.with(author);
    let forwarded = Element::new("forwarded", ns::FORWARD).child(delay(None, row.stamp_ms)).child(said);
    let result = Element::new("result", ns::MAM).attr_opt("queryid", query_id).attr("id", &row.id).child(forwarded);
    Some(Element::stanza("message").attr("from", room.as_str()).child(result))
}

/// The author as presence in a non-anonymous room shows him.
fn author(author: &Author) -> Element {
    let jid = match author.resource.as_str() {
        "" => author.bare.clone(),
        resource => format!("{}/{resource}", author.bare),
    };
    let item = Element::new("item", ns::MUC_USER)
        .attr("affiliation", &author.affiliation)
        .attr("jid", jid)
        .attr("role", &author.role);
    Element::new("x", ns::MUC_USER).child(item)
}

/// The id behind which the next page begins: of a row that the asker may have seen ahead of its place, that very row (`docs/wire.md`).
fn last_id(row: &Row, asker: &Jid) -> String {
    if row.born.as_ref().is_some_and(|born| born.is_for(asker.domain())) {
        format!("{}~", row.id)
    } else {
        row.id.clone()
    }
}

/// Reads a query's form and page; what is not known is refused (4.1.5), never silently left out.
fn parse(query: &Element, archive: String, with: impl Fn(Jid) -> Option<By>) -> Result<ArchiveQuery, Condition> {
    let mut wanted = ArchiveQuery { archive, max: PAGE_ROWS_DEFAULT, ..ArchiveQuery::default() };
    if query.has_child("x", ns::FORMS) {
        let form = Form::find(query).filter(|form| form.kind == "submit" && form.form_type() == Some(ns::MAM));
        parse_filters(&form.ok_or(Condition::BadRequest)?, with, &mut wanted)?;
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

fn parse_filters(form: &Form, with: impl Fn(Jid) -> Option<By>, wanted: &mut ArchiveQuery) -> Result<(), Condition> {
    for field in &form.fields {
        let value = field.values.first().cloned();
        let stamp = || value.as_deref().and_then(parse_ms).ok_or(Condition::BadRequest);
        match field.var.as_str() {
            "FORM_TYPE" => {}
            "start" => wanted.start_ms = Some(stamp()?),
            "end" => wanted.end_ms = Some(stamp()?),
            "with" => {
                let jid = value.as_deref().and_then(|text| Jid::new(text).ok()).ok_or(Condition::JidMalformed)?;
                wanted.with = with(jid);
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

/// 4.1.1: by a real address only who may know of it finds anything, and anybody himself; for others nobody has one.
fn by((asker, class): (&Jid, Class), room: &Jid, jid: &Jid) -> By {
    let may_know = class == Class::Jids || asker.bare_str() == jid.bare_str();
    if !may_know || jid.bare_str() == room.as_str() {
        return By::Occupant(jid.to_string());
    }
    By::Author { bare: jid.bare_str().to_owned(), resource: jid.resource().map(str::to_owned) }
}

/// What is said of a room whose archive can be asked (8): paging backwards, `ids` and section 5 are `#extended`.
pub const EXTENDED: &str = "urn:xmpp:mam:2#extended";

/// 4.1.5: the filters there are.
fn filters() -> Form {
    Form::new("form")
        .with_type(ns::MAM)
        .field(Field::new("jid-single", "with"))
        .field(Field::new("text-single", "start"))
        .field(Field::new("text-single", "end"))
        .field(Field::new("text-single", "before-id"))
        .field(Field::new("text-single", "after-id"))
        // Any id may be said: they are not listed, but none is foreign to the field (XEP-0122).
        .field(Field::new("list-multi", "ids").open())
}

/// Rows in a page when the asker does not say.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Most rows in a page.
pub const PAGE_ROWS_MAX: usize = 200;
