//! One room as its primary leads it: XEP-0045, a file per section.
//!
//! | file | XEP-0045 |
//! |---|---|
//! | `tell` | how anything reaches occupants, directly or over links; nothing else may send to them |
//! | `route` | which rule a stanza falls under; addresses, 17.1 to 17.4 |
//! | `create` | 10.1 creating a room, locked until its owner has spoken |
//! | `admit` | 7.2 who may enter: every rule, top to bottom |
//! | `enter` | 7.2 entering; a further session of the same user; being entered again |
//! | `leave` | 7.14 leaving, and every other way out |
//! | `presence` | 7.7 and how an occupant looks to others |
//! | `nick` | 7.6 changing the nickname |
//! | `message` | 7.4 messages to all |
//! | `subject` | 8.1 the subject |
//! | `history` | 7.2.13 to 7.2.15 what was said before |
//! | `private` | 7.5 private messages, 17.4 iqs between occupants, XEP-0410 |
//! | `invite` | 7.8 |
//! | `voice` | 7.13 and 8.6 |
//! | `admin`, `privileges`, `affairs` | 8 and 9: what is asked, who may, and how it is done |
//! | `affiliations`, `lists` | 5.2 who is what for good; 8.5, 9.2, 9.5, 9.8, 10.5, 10.8 the lists |
//! | `archive` | XEP-0313 |
//! | `moderate` | XEP-0425: a message taken back by a moderator |
//! | `avatar` | XEP-0054 and XEP-0486: the room's vCard |
//! | `hats` | XEP-0317 |
//! | `versions` | XEP-0463: what has changed in the lists |
//! | `managed` | what admins of the service do from outside, in the manner of XEP-0133 |
//! | `owner` | 10 the owner's form, and the room's end |
//! | `config`, `config_form`, `config_lists`, `status` | 16.5.3 the form; 10.2.1 what its change tells all |
//! | `register` | 7.10, 7.12 and 9.9 registering with the room, reserved nicks |
//! | `disco` | 6.4 and 6.5 |
//! | `pending` | decisions that must be durable before anybody hears of them |
//! | `keep` | the records on disk |
//! | `draft` | a room that another server led, on its way into these |
//! | `ids` | occupant ids (XEP-0421) and stanza ids (XEP-0359) |
//! | `ghost` | 11.1 and 18.1.2: whoever cannot be reached is taken out |
//!
//! A room is entered by direct occupants (plain XEP-0045) and by those behind a replica; the files here do not care
//! which: [`tell`] does.

mod admin;
mod admit;
mod affairs;
mod affiliations;
mod archive;
mod avatar;
mod config;
mod config_form;
mod config_lists;
mod create;
mod disco;
mod draft;
mod enter;
mod ghost;
mod hats;
mod history;
mod ids;
mod invite;
mod keep;
mod leave;
mod lists;
mod managed;
mod message;
mod moderate;
mod nick;
mod owner;
mod pending;
mod presence;
mod private;
mod privileges;
mod refuse;
mod register;
mod route;
mod status;
mod subject;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod versions;
mod voice;

use crate::names::{Affiliation, Nick, Role};
use crate::primary::{Links, Sought, Up};
use crate::service::PrimaryConfig;
use crate::tally::Tally;
use machine::archive::Reading;
use machine::{AudienceId, Change, Gate, Now, Output, QueryId, Token};
use rand_chacha::ChaCha12Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use xmpp::{Element, Jid};

pub(crate) use admin::REASON_BYTES_MAX;
pub(crate) use admit::{JoinError, NICK_BYTES_MAX, SESSIONS_PER_SEAT_MAX};
pub(crate) use affiliations::{Affiliated, Affiliations};
pub(crate) use config::{Config, PrivateMessages, Whois};
pub(crate) use create::name as fresh_name;
pub use draft::{Draft, NotSaid};
pub(crate) use enter::{is_join, payload_of, presence_with, shown_away};
pub(crate) use hats::HATS;
pub(crate) use keep::{Kept, PutOut, Seated, put};
pub use keep::{SPACES, check};
pub(crate) use leave::Removal;
pub(crate) use managed::Making;
pub(crate) use message::{HINTS, RETRACT, as_broadcast, is_archived, worth_keeping};
pub(crate) use moderate::{is_tombstone, retracted_by, tombstone};
pub(crate) use owner::Destruction;
pub(crate) use pending::{Apply, Pending, Waiting};
pub(crate) use presence::{absent, occupant_id, outsider};
pub(crate) use private::as_private;
pub(crate) use privileges::{Standing, judge_role};
pub(crate) use subject::is_subject;
pub(crate) use tell::{Event, HistoryWanted, Part, Shown, add_statuses, has_status, statuses_of, without_jids};
pub(crate) use versions::is_of_versions;

/// A room with all who are in it.
pub(crate) struct Room {
    /// The bare address.
    pub jid: Jid,
    /// The upper half of the room's tokens and queries.
    pub number: u32,
    /// What the operator says of the whole service.
    pub service: Arc<PrimaryConfig>,
    pub life: Life,
    /// Whether there is anything of the room on disk.
    pub kept: bool,
    pub config: Config,
    pub audience: AudienceId,
    pub affiliations: Affiliations,
    pub occupants: BTreeMap<Nick, Occupant>,
    /// Full JID of every session to the nick it is in under.
    pub sessions: BTreeMap<Jid, Nick>,
    pub history: VecDeque<Past>,
    pub subject: Option<Past>,
    pub order: Order,
    /// XEP-0282: the replicas.
    pub links: Links,
    pub gate: Gate,
    /// A decision that is being made durable; nothing else is decided meanwhile.
    pub pending: Option<Pending>,
    /// Something relayed that may have been said before.
    pub sought: Option<Sought>,
    /// What came meanwhile, in order.
    pub waiting: VecDeque<Waiting>,
    /// Messages told on condition that they become durable, oldest first.
    pub unsure: VecDeque<Unsure>,
    /// Iqs passed on to occupants, by the id they were given.
    pub passed: BTreeMap<String, private::Passed>,
    /// Private messages whose errors go back to who sent them, the oldest first.
    pub private: VecDeque<private::Sent>,
    /// Sessions that were asked whether they are there; one that leaves is none any more.
    pub doubted: BTreeMap<Jid, ghost::Doubted>,
    /// Who was given voice or had it taken in a moderated room, so that it is so at the next visit (5.1).
    pub voices: BTreeMap<Jid, Role>,
    /// What the room shows of itself (XEP-0486).
    pub vcard: Option<avatar::Vcard>,
    pub hats: hats::Hats,
    pub versions: versions::Versions,
    /// The number of the last message that the history has taken.
    pub said_seq: u64,
    /// Where in the order users on a list were when they were here last, by bare JID (XEP-0437).
    pub left: BTreeMap<Jid, u64>,
    /// Invitations that may still be answered, oldest first.
    pub invited: VecDeque<invite::Invited>,
    /// Whose registration waits for an admin, oldest first (9.9).
    pub applicants: VecDeque<register::Applicant>,
    /// Queries of the archive under way.
    pub readings: BTreeMap<QueryId, Reading>,
    /// Retractions whose message is being looked for.
    pub retractions: BTreeMap<QueryId, moderate::Retraction>,
    /// The lower half of the last query's number.
    pub last_query: u32,
    /// Sessions of before a restart that have not been told yet.
    pub lost: Vec<Lost>,
    /// How it was destroyed, when it was.
    pub destruction: Option<Destruction>,
    /// Since when they are waited for, monotonic milliseconds; none before the first look at them.
    pub lost_since_ms: Option<u64>,
    /// An empty temporary room is not given up before (monotonic milliseconds); 0 for at once.
    pub kept_until_ms: u64,
    pub rng: ChaCha12Rng,
}

/// A room's life, XEP-0045 10.1 and 10.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Only an address: nobody has created it yet.
    Unborn,
    /// Created, and not yet opened by its owner (10.1.1).
    Locked,
    Open,
    /// Destroyed or given up; the service takes it away when nothing is held back any more.
    Over,
}

/// The room's one order of events, `docs/wire.md`.
pub(crate) struct Order {
    /// Which life of the room this is; a room created anew under the same name has another.
    pub incarnation: String,
    /// Which start of the primary this is.
    pub term: String,
    /// The last number given.
    pub seq: u64,
    /// The last that may have been given before this start.
    pub begun: u64,
    /// Numbers up to here are reserved on disk.
    pub reserved: u64,
    /// The write that reserves more, and up to where they were reserved before it.
    pub reserving: Option<(Token, u64)>,
    /// The stamp of the last message, Unix milliseconds; stamps never fall with rising numbers.
    pub stamp_ms: i64,
    /// What occupant-ids, stanza-ids and the keys of outboxes are made with. Never leaves the primary.
    pub secret: ids::Secret,
}

/// A seat: one nick, one bare JID, one or more sessions.
#[derive(Debug, Clone)]
pub(crate) struct Occupant {
    pub nick: Nick,
    /// The real bare JID.
    pub bare: Jid,
    pub role: Role,
    pub affiliation: Affiliation,
    /// XEP-0421.
    pub occupant_id: String,
    /// When it entered, as a number of the room's order.
    pub entered: u64,
    /// The last is the one whose presence others see; never empty while the occupant is in the room.
    pub sessions: Vec<Session>,
    /// Whether the others have been shown it; not where presence of its role is not broadcast.
    pub told: bool,
    pub roster: presence::RosterCache,
}

/// One client of an occupant.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The real full JID.
    pub jid: Jid,
    /// How what the room says reaches it.
    pub via: Via,
    /// Payload of its last presence: show, status, caps …; no muc or muc#user element, no id.
    pub payload: Arc<[Element]>,
}

/// How what the room says reaches a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// Plain XEP-0045: stanzas go to the full JID.
    Direct,
    /// XEP-0282: through this replica.
    Replica(Jid),
}

/// A message that was said, as history keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub seq: u64,
    /// The stanza-id.
    pub id: String,
    pub stamp_ms: i64,
    /// As broadcast, without `to`.
    pub stanza: xmpp::Shared,
}

/// A message that is undone if its row cannot be kept.
#[derive(Debug)]
pub(crate) struct Unsure {
    pub token: Token,
    pub seq: u64,
    /// The subject that was there before, when the message is one.
    pub subject_before: Option<Option<Past>>,
}

/// A session of before a restart.
#[derive(Debug, Clone)]
pub(crate) struct Lost {
    pub jid: Jid,
    pub nick: Nick,
    pub via: Via,
}

/// The time and the way out, passed down every call.
pub(crate) struct Cx<'a> {
    pub now: Now,
    pub out: &'a mut Vec<Output>,
    /// The mark of the stanza being handled, when a replica relayed it.
    pub up: Option<Up>,
    /// Whether the mark has gone into a `Persist` with its outcome, or waits with its stanza.
    pub mark_kept: bool,
    /// What is to be counted of links, by domain.
    pub tallied: Vec<(String, Tally)>,
    /// Sessions that have left the room.
    pub left: Vec<Jid>,
}

impl<'a> Cx<'a> {
    /// For a stanza that no replica relayed.
    pub fn new(now: Now, out: &'a mut Vec<Output>) -> Cx<'a> {
        Cx { now, out, up: None, mark_kept: false, tallied: Vec::new(), left: Vec::new() }
    }

    /// Counts something of the link to a replica.
    pub fn tally(&mut self, replica: &Jid, what: Tally) {
        self.tallied.push((replica.domain().to_owned(), what));
    }

    /// The mark of the stanza being handled as a change, once: whoever persists its outcome takes it along.
    pub fn take_mark(&mut self, room: &Jid) -> Option<Change> {
        let up = self.up.as_ref().filter(|_| !self.mark_kept)?;
        self.mark_kept = true;
        Some(up.change(room))
    }
}
