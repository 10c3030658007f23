//! Input, Output, Change: the contract on a page.

use std::borrow::Cow;
use xmpp::{Element, Jid, Shared};

/// A machine without clock, thread, socket or file.
pub trait Machine {
    /// Takes one input at a time that never goes back; appends what is to be done, in order.
    fn handle(&mut self, input: Input, now: Now, out: &mut Vec<Output>);

    /// When [`Input::Timeout`] is wanted next, on the clock of [`Now::mono_ms`].
    fn next_timeout(&self) -> Option<u64>;
}

/// The time, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; only differences mean anything.
    pub mono_ms: u64,
    /// Unix milliseconds, for stamps that people read.
    pub unix_ms: i64,
}

/// What happened outside.
#[derive(Debug, Clone)]
pub enum Input {
    /// A stanza for this machine. `from` is there and authenticated, `to` is there and a parsed address.
    Stanza(Element),
    /// Everything of this `Persist` is on disk; answers come in the order of the requests.
    Persisted(Token),
    /// Nothing of this `Persist` is on disk.
    PersistFailed(Token),
    /// The answer to [`Output::Query`]; `None` when the store could not read.
    Rows(QueryId, Option<ArchivePage>),
    /// A client's stream of this full address has ended or was replaced (accounts only).
    SessionEnded(Jid),
    /// The stream to or from this domain has ended, or could not be made.
    StreamEnded(String),
    /// An operator who held this domain apart lets it be reached again.
    Reachable(String),
    /// The time asked for by `next_timeout` has come.
    Timeout,
}

/// What is to be done outside, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A stanza for one address: a session, a machine or a remote domain, as the router finds.
    Send {
        /// The recipient.
        to: Jid,
        /// The stanza without `to`.
        stanza: Shared,
    },
    /// One stanza for many links, each copy with marks of its own spliced in at the end of its last child.
    Fan {
        /// The stanza without `to`; its last child is the `<x/>` of XEP-0282, which may be empty.
        stanza: Shared,
        /// (replica, marks).
        copies: Vec<(Jid, Element)>,
    },
    /// Someone joins, leaves or sees more of an audience.
    Audience {
        /// Which one.
        audience: AudienceId,
        /// A full address.
        member: Jid,
        /// What changes.
        change: AudienceChange,
    },
    /// One stanza for a whole audience.
    Broadcast {
        /// To whom.
        audience: AudienceId,
        /// What members of [`Class::Plain`] get.
        plain: Option<Shared>,
        /// What members of [`Class::Jids`] get.
        jids: Option<Shared>,
        /// Members who get neither.
        except: Vec<Jid>,
    },
    /// To be made durable, all of it or nothing; answered by `Persisted` or `PersistFailed`.
    Persist {
        /// Names it in the answer; unique in the machine.
        token: Token,
        /// In this order.
        changes: Vec<Change>,
    },
    /// To be read from an archive; answered by `Rows`. Sees every change persisted before it.
    Query {
        /// Names it in the answer.
        id: QueryId,
        /// What to read.
        query: ArchiveQuery,
    },
    /// Nothing comes back from this domain: streams to it are ended, and made anew when there is something to send.
    Renew(String),
    /// For the operator's log: names the room or the link, never a body.
    Log(String),
}

/// Names a `Persist` of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Names a `Query` of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// A set of sessions that get the same broadcasts; unique within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AudienceId(pub u64);

/// What a member of an audience may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// No real JIDs.
    Plain,
    /// Real JIDs.
    Jids,
}

/// A change of an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudienceChange {
    /// In, or seeing another class than before.
    In(Class),
    /// Out.
    Out,
    /// The audience ends with all its members; `member` is of no account.
    End,
}

/// A durable change. `space` is a kind of record (`room`, `affiliation`, `account` …), `owner` whose it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets a record.
    Put {
        /// The kind of record.
        space: &'static str,
        /// Whose it is.
        owner: String,
        /// Which of the owner's.
        key: String,
        /// JSON, versioned by its fields having defaults.
        value: String,
    },
    /// Removes a record.
    Delete {
        /// The kind of record.
        space: &'static str,
        /// Whose it is.
        owner: String,
        /// Which of the owner's.
        key: String,
    },
    /// Removes all records of a kind that an owner has.
    DeleteAll {
        /// The kind of record.
        space: &'static str,
        /// Whose they are.
        owner: String,
    },
    /// Appends to an archive; a row whose (archive, id) is there already is left as it is.
    Append(Row),
    /// Puts a row in the place that it has by the word of another archive, whatever is here: what lies behind `above` and up to that
    /// place goes to the end of `aside`, where one of the same id gives way; the row itself is taken from `aside`, and from behind its
    /// place. One that is in its place or before that already is left as it is.
    Settle {
        /// The row.
        row: Row,
        /// Behind which place the archive has nothing else, up to this row's; any place from that on means the place alone.
        above: u64,
        /// Where to the rest goes.
        aside: String,
    },
    /// Removes a row.
    DeleteRow {
        /// The archive.
        archive: String,
        /// The row's id.
        id: String,
    },
    /// Notes that rows were shown at their authors' site while that had come no further than `base`. A row that has a birth, or
    /// no author, stays as it is.
    Born {
        /// The archive.
        archive: String,
        /// The rows' ids; one that is not there is none.
        ids: Vec<String>,
        /// The last place in the order that the site had.
        base: u64,
    },
    /// Moves rows to another archive, where one of the same id or place gives way.
    MoveRows {
        /// The archive.
        archive: String,
        /// Rows behind this place,
        above: u64,
        /// and before this one.
        below: u64,
        /// Where to.
        to: String,
        /// By how much their places are raised there.
        shift: u64,
    },
    /// Removes an archive. None of its rows is seen again, whatever has its name next; a long one gives its room back in time.
    DeleteArchive {
        /// The archive.
        archive: String,
    },
    /// Removes rows that are older than this: at once where they are few, else in time.
    TrimArchive {
        /// The archive.
        archive: String,
        /// Unix milliseconds; rows with a smaller stamp go.
        before_ms: i64,
    },
}

/// One archived message.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The archive: a room's bare JID at its primary, `mirror:` and the JID at a replica.
    pub archive: String,
    /// Its place in the one order; unique within the archive.
    pub seq: u64,
    /// Its stanza-id, XEP-0359; unique within the archive.
    pub id: String,
    /// When the primary accepted it, Unix milliseconds, never falling with rising `seq`.
    pub stamp_ms: i64,
    /// Whom a filter `with` finds: the occupant's JID in the room.
    pub with: String,
    /// The stanza as XML, without `to` and without real JIDs.
    pub stanza: String,
    /// Who said it, where that is known: not of what the room says itself, nor at a replica.
    pub author: Option<Author>,
    /// Where and on what it was said, when that was not the room as it was.
    pub born: Option<Born>,
}

/// The author of a row as he was when he said it (XEP-0313 *MUC Archives*); for those alone who may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The real bare JID.
    pub bare: String,
    /// The resource of the client that said it.
    pub resource: String,
    /// What he was to the room for good, XEP-0045 5.2.
    pub affiliation: Cow<'static, str>,
    /// What he was in it, XEP-0045 5.1.
    pub role: Cow<'static, str>,
}

/// The birth of a row ahead of its place, on an island or in what the room has lost since: those who saw it there had not seen what the
/// room has between `base` and the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Born {
    /// The last place in the order that they had.
    pub base: u64,
    /// The domain of its author, whose island it was; empty where anybody may have seen it.
    pub site: String,
}

impl Born {
    /// Whether users of this site may have seen it there.
    pub fn is_for(&self, site: &str) -> bool {
        self.site.is_empty() || self.site == site
    }
}

impl Row {
    /// Notes a birth as [`Change::Born`] does.
    pub fn bear(&mut self, base: u64) {
        if let (Some(author), None) = (&self.author, &self.born) {
            let site = author.bare.split_once('@').map_or(&*author.bare, |(_, domain)| domain);
            self.born = Some(Born { base, site: site.to_owned() });
        }
    }
}

/// A page to be read, XEP-0313 4 with XEP-0059 paging.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArchiveQuery {
    /// The archive.
    pub archive: String,
    /// Only from this time on, Unix milliseconds.
    pub start_ms: Option<i64>,
    /// Only up to this time, Unix milliseconds.
    pub end_ms: Option<i64>,
    /// Only by this one.
    pub with: Option<By>,
    /// Only behind the row with this id; behind its `base` instead when it was born at `site`, unless the id ends in `~`,
    /// which means behind that very row.
    pub after_id: Option<String>,
    /// The domain of who asks.
    pub site: Option<String>,
    /// Only before the row with this id.
    pub before_id: Option<String>,
    /// Only behind this place.
    pub after_seq: Option<u64>,
    /// Only rows with these ids, in any order; all must exist (`mam:2#extended`).
    pub ids: Vec<String>,
    /// Only rows between others, which `count` heeds (`mam:2#extended`); boxed, since hardly anybody asks for it.
    pub between: Option<Box<Between>>,
    /// The last page instead of the first.
    pub backwards: bool,
    /// Rows in a page at the most.
    pub max: usize,
    /// Whether `count` is wanted.
    pub count: bool,
}

/// Whose rows are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By an occupant's JID: [`Row::with`].
    Occupant(String),
    /// By a real JID: [`Row::author`].
    Author {
        /// The bare JID.
        bare: String,
        /// The resource, where only that of one client is meant.
        resource: Option<String>,
    },
}

impl By {
    /// Whether a row is by this one.
    pub fn lets_through(&self, row: &Row) -> bool {
        match self {
            By::Occupant(with) => row.with == *with,
            By::Author { bare, resource } => row.author.as_ref().is_some_and(|author| {
                author.bare == *bare && resource.as_ref().is_none_or(|resource| author.resource == *resource)
            }),
        }
    }
}

/// Rows that others lie between: a filter, where `after_id` and `before_id` of a query are a place to read on from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Between {
    /// Only behind the row with this id, which is read as `after_id` is.
    pub after_id: Option<String>,
    /// Only before the row with this id.
    pub before_id: Option<String>,
}

/// A page that was read, in rising order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ArchivePage {
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether no more rows follow in the direction of reading.
    pub complete: bool,
    /// The place that `after_id` came to; 0 where there was none.
    pub behind: u64,
    /// How many rows match without paging, where asked for.
    pub count: Option<u64>,
    /// Whether `after_id`, `before_id`, `between` or one of `ids` names no row (XEP-0313 5: `item-not-found`).
    pub unknown_id: bool,
}

/// A record as loaded at the start; of the kinds that [`Change::Put`] sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The kind of record.
    pub space: String,
    /// Whose it is.
    pub owner: String,
    /// Which of the owner's.
    pub key: String,
    /// JSON.
    pub value: String,
}
