//! What there is: a room's primary, two sites with a user each, the ordered links between them, and what has been promised.
//!
//! Numbers are small and start at 0; user and nick `s` are those of site `s`. What XEP-0282 and `docs/wire.md` say in stanzas is
//! here what the stanza means, [`Up`] and [`Down`]; their fields are the attributes of the same names.

// Fields of variants are told of at their variant.
#![allow(missing_docs)]

use std::collections::VecDeque;

/// A site, its user, and the nick he has unless somebody else took it.
pub type SiteId = usize;
/// A message, in the order in which they were said.
pub type Body = u8;
/// How many sites there are.
pub const SITES: usize = 2;

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The room, where it is led.
    pub primary: Primary,
    /// The sites.
    pub sites: [Site; SITES],
    /// The streams between each site and the primary.
    pub links: [Link; SITES],
    /// What may still happen.
    pub left: Left,
    /// What nobody in the protocol knows, for the properties.
    pub record: Record,
}

/// The streams between a site and the primary, both directions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// Whether what is sent arrives.
    pub whole: bool,
    /// In flight to the primary, the oldest first.
    pub up: VecDeque<Up>,
    /// In flight to the site.
    pub down: VecDeque<Down>,
}

/// The id of what was relayed, and of a message in every archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Whose outbox.
    pub site: SiteId,
    /// Its name.
    pub outbox: u8,
    /// Its number, from 1.
    pub n: u8,
}

/// A message in the room's one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Its id.
    pub id: Id,
    /// What is said.
    pub body: Body,
}

/// What was relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// The user enters.
    Join,
    /// The user leaves.
    Leave,
    /// The user has another presence.
    Show,
    /// The user says something.
    Say(Body),
}

/// An outbox as a registration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Its name.
    pub name: u8,
    /// The lowest number it still holds, or else the next it will give.
    pub from: u8,
}

/// How far an outbox has had its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Its name.
    pub name: u8,
    /// Everything up to here.
    pub n: u8,
}

/// What a site sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Up {
    /// `<replicate/>`. `census` says whether the user is listed, and is left out when nothing of before is to be sorted out;
    /// `resume` is how many rows of the room's order the mirror has.
    Register { attempt: u8, outboxes: Vec<Offer>, resume: usize, census: Option<bool> },
    /// Something of the user with its `<up/>`; no epoch while the registration is pending.
    Relay { outbox: u8, n: u8, epoch: Option<u8>, what: What },
    /// An ENTER nobody asked for.
    Refused { epoch: u8 },
}

/// What becomes of a seat of the census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is there, or there again, under his own nick or another.
    Kept(Nick),
    /// It is not.
    Removed,
}

/// Under which name somebody sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nick {
    /// His own.
    Own,
    /// The one he was given because his own was taken.
    Other,
}

/// Who is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roster {
    /// The users of the sites.
    pub users: [Option<Nick>; SITES],
    /// The nick of somebody who is served by the room itself.
    pub newcomer: Option<SiteId>,
}

/// What the primary sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Down {
    /// `<granted/>`; without a roster there is no link.
    Granted { attempt: u8, epoch: u8, marks: Vec<Mark>, verdict: Option<Verdict>, link: bool },
    /// From `config` to `synced`: the roster, and the rows behind the resume point.
    Snapshot { epoch: u8, roster: Roster, from: usize, rows: Vec<Row> },
    /// An event or ENTER or LEAVE with its `<at/>`; `ack` is of the outboxes in the order of the registration.
    Live { epoch: u8, d: u8, ack: Vec<Mark>, event: Event },
    /// An error for something relayed.
    Error { outbox: u8, n: u8 },
    /// What was relayed came under an epoch that is over.
    Stale { epoch: u8 },
}

/// What is numbered on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A message.
    Said(Row),
    /// Somebody came, went or has another nick.
    Roster(Roster),
    /// The site's user is in.
    Enter(Nick),
    /// The site's user is out.
    Leave { kicked: bool },
    /// Something relayed is missing, from this number on.
    Resend { outbox: u8, from: u8 },
}

/// The room where it is led.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Primary {
    /// What became of each user.
    pub seats: [Seat; SITES],
    /// The nick of an occupant who is served directly.
    pub newcomer: Option<SiteId>,
    /// The one order; rows from `durable` on are on their way to the disk and nobody has seen them.
    pub log: Vec<Row>,
    /// How many rows are on disk.
    pub durable: usize,
    /// The marks, by site, outbox by outbox.
    pub marks: [Vec<u8>; SITES],
    /// Marks and seats as they are on disk.
    pub kept: Kept,
    /// The links.
    pub links: [Option<Served>; SITES],
    /// Requests that wait for their user to be admitted.
    pub pending: [Option<Request>; SITES],
    /// How many epochs there have been. Stands for randomness: no crash takes it back.
    pub epochs: [u8; SITES],
    /// Whether the next thing said has to wait for the disk.
    pub waits: bool,
    /// What waits for the disk, in order.
    pub gate: VecDeque<(SiteId, Down)>,
}

/// What the disk of the primary has besides the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The seats.
    pub seats: [Seat; SITES],
    /// The marks.
    pub marks: [Vec<u8>; SITES],
}

/// What the primary knows of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seat {
    /// He is in.
    Here(Nick),
    /// He was in before a restart; his nick is kept for him.
    Lost(Nick),
    /// Retention has removed him, and nothing else.
    Retired,
    /// Somebody has removed him.
    Kicked,
    /// Nothing is known.
    Absent,
}

/// A registration as the primary has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Served {
    /// Names it.
    pub epoch: u8,
    /// The last number sent.
    pub d: u8,
    /// Nothing is sent until it registers anew.
    pub split: bool,
    /// The outboxes it named, the present one first.
    pub outboxes: Vec<u8>,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Which.
    pub attempt: u8,
    /// Its outboxes.
    pub outboxes: Vec<u8>,
}

/// A site: a replica and its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Site {
    /// How it stands with the primary.
    pub conn: Conn,
    /// Whether people here know that they are cut off.
    pub island: bool,
    /// Whether the mirror is of before a restart and the primary has not been told.
    pub restarted: bool,
    /// The user.
    pub user: User,
    /// What is relayed and has not had its outcome.
    pub outbox: Outbox,
    /// The same of before restarts, the oldest first.
    pub older: Vec<Outbox>,
    /// Rows of the room's order, as far as they have come.
    pub mirror: Vec<Row>,
    /// How many of them are on disk.
    pub durable: usize,
    /// From where a registration resumes: how many rows there are.
    pub place: usize,
    /// Whom the mirror has.
    pub roster: Roster,
    /// How many requests there have been. Stands for random ids.
    pub attempt: u8,
    /// How many outboxes there have been. Stands for random names.
    pub names: u8,
}

/// How a site stands with the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conn {
    /// There is nothing to be connected for.
    Idle,
    /// Lost, or not yet asked for.
    Off,
    /// Asked for; `fresh` when nothing of before is to be sorted out.
    Asked { fresh: bool },
    /// Granted; the snapshot is coming.
    Syncing { epoch: u8, verdict: Option<Verdict> },
    /// As it should be; `d` is the last number applied.
    Live { epoch: u8, d: u8 },
}

/// A user and his client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// Out, and he knows: he left, or was told, or his stream ended.
    Out,
    /// He has asked to enter.
    Asking,
    /// In, as far as he knows, since the mirror had so many rows, and this is what he was shown since.
    In { since: usize, heard: Vec<Heard> },
}

/// Something a user was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Heard {
    /// What was said.
    pub row: Row,
    /// Whether it was shown before the primary had it.
    pub early: bool,
}

/// An outbox: contiguous numbers, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outbox {
    /// Its name.
    pub name: u8,
    /// The next number.
    pub next: u8,
    /// Up to here everything has had its outcome; what is there of it is only still on disk.
    pub acked: u8,
    /// What it holds.
    pub entries: Vec<Entry>,
}

/// Something accepted from the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its number.
    pub n: u8,
    /// What.
    pub what: What,
    /// Whether it is on disk.
    pub durable: bool,
    /// Whether local people were shown it before the primary had it.
    pub shown: bool,
}

/// How much may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Left {
    /// Messages, by any user.
    pub says: u8,
    /// Changes of presence.
    pub shows: u8,
    /// Users that leave.
    pub leaves: u8,
    /// Users that enter.
    pub joins: u8,
    /// Cuts of a link.
    pub cuts: u8,
    /// Last stanzas in flight lost without a word.
    pub losses: u8,
    /// Crashes, of any server.
    pub crashes: u8,
    /// Kicks, at the primary.
    pub kicks: u8,
    /// Ends of a retention.
    pub retentions: u8,
    /// Somebody from elsewhere who takes a free nick of a site's user.
    pub newcomers: u8,
}

/// What is true and known to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Record {
    /// Whose each message is, in the order in which they were said.
    pub authors: Vec<SiteId>,
    /// Messages that were promised: durable at their site or in the log, or shown to anybody.
    pub accepted: u8,
    /// Under which id each message was shown that was shown early.
    pub promised: Vec<Row>,
    /// Messages of which their site has recorded that they were refused.
    pub refused: u8,
    /// Users that were removed by somebody and have not been admitted since.
    pub kicked: u8,
    /// Users that were ever removed by somebody.
    pub voided: u8,
    /// Users whose seat a crash of the primary has lost: it is written without waiting.
    pub forgotten: u8,
}

impl Outbox {
    /// An empty one.
    pub fn new(name: u8) -> Outbox {
        Outbox { name, next: 1, acked: 0, entries: Vec::new() }
    }

    /// What has not had its outcome.
    pub fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.n > self.acked)
    }

    /// Whether all has had its outcome.
    pub fn is_done(&self) -> bool {
        self.open().next().is_none()
    }

    /// The last number given.
    pub fn last(&self) -> u8 {
        self.next - 1
    }

    /// As a registration names it.
    pub fn offer(&self) -> Offer {
        Offer { name: self.name, from: self.entries.first().map_or(self.next, |e| e.n.max(self.acked + 1)) }
    }

    /// Takes something in.
    pub fn push(&mut self, what: What) {
        self.entries.push(Entry { n: self.next, what, durable: false, shown: false });
        self.next += 1;
    }
}

impl Link {
    /// One with nothing in flight.
    pub fn new() -> Link {
        Link { whole: true, up: VecDeque::new(), down: VecDeque::new() }
    }

    /// Whether nothing is in flight.
    pub fn is_quiet(&self) -> bool {
        self.up.is_empty() && self.down.is_empty()
    }

    /// Puts something on the way to the primary.
    pub fn rise(&mut self, up: Up) {
        if self.whole {
            self.up.push_back(up);
        }
    }

    /// Puts something on the way to the site.
    pub fn fall(&mut self, down: Down) {
        if self.whole {
            self.down.push_back(down);
        }
    }
}

impl Default for Link {
    fn default() -> Link {
        Link::new()
    }
}

impl Roster {
    /// Who is in by what the primary knows.
    pub fn of(primary: &Primary) -> Roster {
        let users = primary.seats.map(|seat| match seat {
            Seat::Here(nick) => Some(nick),
            _ => None,
        });
        Roster { users, newcomer: primary.newcomer }
    }
}

impl Record {
    /// A set with one more.
    pub fn add(set: &mut u8, body: Body) {
        *set |= 1 << body;
    }

    /// A set with one less.
    pub fn remove(set: &mut u8, body: Body) {
        *set &= !(1 << body);
    }

    /// Whether it is in a set.
    pub fn has(set: u8, body: Body) -> bool {
        set & (1 << body) != 0
    }
}
