//! The room where it is led: registrations, what is relayed, what is told. `docs/wire.md`, *Registration*, *Events*, *Netjoin*.

use crate::flaws::Flaw;
use crate::state::{
    Down, Event, Kept, Mark, Nick, Offer, Primary, Record, Request, Roster, Row, SITES, Seat, Served, SiteId, Up,
    Verdict, What,
};
use crate::state::{Id, State};
use crate::step::Step;

impl Step {
    /// Something from a site has come.
    pub(crate) fn primary_hears(&mut self, site: SiteId, up: Up) {
        match up {
            Up::Register { attempt, outboxes, resume, census } => {
                self.register(site, attempt, &outboxes, resume, census);
            }
            Up::Relay { outbox, n, epoch, what } => self.relayed(site, outbox, n, epoch, what),
            Up::Refused { epoch } => self.enter_refused(site, epoch),
        }
    }

    fn register(&mut self, site: SiteId, attempt: u8, outboxes: &[Offer], resume: usize, census: Option<bool>) {
        for offer in outboxes {
            // What is below has been acknowledged, whatever a crash has made of the mark.
            self.state.primary.raise(site, offer.name, offer.from - 1);
        }
        let outboxes: Vec<u8> = outboxes.iter().map(|offer| offer.name).collect();
        self.state.primary.links[site] = None;
        self.state.primary.pending[site] = None;
        let Some(listed) = census else {
            // Nobody there believes to be in.
            self.vacate(site, Seat::Absent);
            self.state.primary.pending[site] = Some(Request { attempt, outboxes });
            return;
        };
        let verdict = if listed { Some(self.verdict(site)) } else { None };
        if !listed {
            self.vacate(site, Seat::Absent);
        }
        self.grant(site, attempt, outboxes, resume, verdict);
    }

    /// Who is there stays; who was lost to a crash or to retention alone is entered again; all others are out.
    fn verdict(&mut self, site: SiteId) -> Verdict {
        match self.state.primary.seats[site] {
            Seat::Here(nick) => Verdict::Kept(nick),
            Seat::Lost(nick) => self.seat(site, nick),
            Seat::Retired => {
                let taken = self.state.primary.newcomer == Some(site);
                self.seat(site, if taken { Nick::Other } else { Nick::Own })
            }
            Seat::Kicked | Seat::Absent => Verdict::Removed,
        }
    }

    fn seat(&mut self, site: SiteId, nick: Nick) -> Verdict {
        self.state.primary.seats[site] = Seat::Here(nick);
        self.tell_roster(Some(site));
        Verdict::Kept(nick)
    }

    /// Takes somebody out, and tells the other sites where he was seen.
    fn vacate(&mut self, site: SiteId, as_what: Seat) {
        let before = std::mem::replace(&mut self.state.primary.seats[site], as_what);
        if matches!(before, Seat::Here(_)) {
            self.tell_roster(Some(site));
        }
    }

    fn grant(&mut self, site: SiteId, attempt: u8, outboxes: Vec<u8>, resume: usize, verdict: Option<Verdict>) {
        let primary = &mut self.state.primary;
        primary.epochs[site] += 1;
        let epoch = primary.epochs[site];
        let marks = outboxes.iter().map(|&name| Mark { name, n: primary.mark(site, name) }).collect();
        let link = matches!(primary.seats[site], Seat::Here(_));
        let granted = Down::Granted { attempt, epoch, marks, verdict, link };
        if link {
            primary.links[site] = Some(Served { epoch, d: 1, split: false, outboxes });
        }
        let (roster, rows) = (Roster::of(primary), primary.log.get(resume..).unwrap_or_default().to_vec());
        self.pass(site, granted);
        if link {
            self.pass(site, Down::Snapshot { epoch, roster, from: resume, rows });
        }
    }

    fn relayed(&mut self, site: SiteId, outbox: u8, n: u8, epoch: Option<u8>, what: What) {
        let primary = &self.state.primary;
        let serves = |served: &Served| !served.split && served.outboxes.contains(&outbox);
        let link = primary.links[site].as_ref().filter(|served| serves(served));
        let waits = primary.pending[site].as_ref().is_some_and(|request| request.outboxes.contains(&outbox));
        match epoch {
            Some(epoch) if self.flaw != Some(Flaw::NoEpochCheck) && link.is_none_or(|l| l.epoch != epoch) => {
                return self.pass(site, Down::Stale { epoch });
            }
            None if link.is_none() && !waits => return,
            _ => {}
        }
        let mark = primary.mark(site, outbox);
        if n <= mark && self.flaw != Some(Flaw::NoMarkCheck) {
            return;
        }
        if n > mark + 1 {
            return self.tell(site, Event::Resend { outbox, from: mark + 1 });
        }
        self.state.primary.raise(site, outbox, n);
        self.hand_on(site, Id { site, outbox, n }, what);
    }

    fn hand_on(&mut self, site: SiteId, id: Id, what: What) {
        let here = matches!(self.state.primary.seats[site], Seat::Here(_));
        match what {
            What::Say(body) if here => {
                let row = Row { id, body };
                self.state.primary.log.push(row);
                self.await_disk();
                (0..SITES).for_each(|to| self.tell(to, Event::Said(row)));
            }
            What::Say(_) => self.pass(site, Down::Error { outbox: id.outbox, n: id.n }),
            What::Leave if here => self.remove(site, Seat::Absent, false),
            What::Leave => {}
            What::Show => self.tell_roster(None),
            What::Join => self.join(site, id),
        }
    }

    /// LEAVE is the last thing sent to a site that has no other seat.
    fn remove(&mut self, site: SiteId, as_what: Seat, kicked: bool) {
        self.state.primary.seats[site] = as_what;
        self.tell(site, Event::Leave { kicked });
        self.state.primary.links[site] = None;
        self.tell_roster(Some(site));
    }

    fn join(&mut self, site: SiteId, id: Id) {
        let nick = match self.state.primary.seats[site] {
            Seat::Here(nick) | Seat::Lost(nick) => nick,
            _ if self.state.primary.newcomer == Some(site) => {
                self.state.primary.pending[site] = None;
                return self.pass(site, Down::Error { outbox: id.outbox, n: id.n });
            }
            _ => Nick::Own,
        };
        Record::remove(&mut self.state.record.kicked, site as u8);
        if self.state.primary.seats[site] != Seat::Here(nick) {
            self.seat(site, nick);
        }
        if let Some(request) = self.state.primary.pending[site].take() {
            self.grant(site, request.attempt, request.outboxes, 0, None);
        }
        self.tell(site, Event::Enter(nick));
    }

    fn enter_refused(&mut self, site: SiteId, epoch: u8) {
        let current = self.state.primary.links[site].as_ref().is_some_and(|served| served.epoch == epoch);
        if current && matches!(self.state.primary.seats[site], Seat::Here(_)) {
            self.remove(site, Seat::Absent, false);
        }
    }

    /// Somebody at the primary removes the user of a site.
    pub(crate) fn kick(&mut self, site: SiteId) {
        let told_at_once = self.flaw == Some(Flaw::KickNotAwaited);
        if !told_at_once {
            self.await_disk();
        }
        self.remove(site, Seat::Kicked, true);
        if told_at_once {
            self.state.note_kicks();
        }
    }

    /// The time is over for which a split site keeps its seat.
    pub(crate) fn retire(&mut self, site: SiteId) {
        self.state.primary.links[site] = None;
        self.vacate(site, Seat::Retired);
    }

    /// Somebody from elsewhere takes a nick.
    pub(crate) fn newcomer(&mut self, nick: SiteId) {
        self.state.primary.newcomer = Some(nick);
        self.tell_roster(None);
    }

    /// The power fails: what is not on disk is gone, and who is on it is waited for.
    pub(crate) fn primary_crashes(&mut self) {
        let State { primary, record, links, .. } = &mut self.state;
        primary.log.truncate(primary.durable);
        for (site, link) in links.iter_mut().enumerate() {
            if matches!(primary.seats[site], Seat::Here(_)) && matches!(primary.kept.seats[site], Seat::Absent) {
                Record::add(&mut record.forgotten, site as u8);
            }
            link.up.clear();
        }
        primary.seats = primary.kept.seats.map(|seat| match seat {
            Seat::Here(nick) | Seat::Lost(nick) => Seat::Lost(nick),
            Seat::Retired => Seat::Lost(Nick::Own),
            // Removals are remembered in memory.
            Seat::Kicked | Seat::Absent => Seat::Absent,
        });
        primary.marks = primary.kept.marks.clone();
        (primary.links, primary.pending, primary.newcomer) = (Default::default(), Default::default(), None);
        primary.gate.clear();
        primary.waits = false;
        primary.kept.seats = primary.seats;
    }

    /// The disk has everything.
    pub(crate) fn primary_synced(&mut self) {
        let State { primary, record, links, .. } = &mut self.state;
        primary.durable = primary.log.len();
        primary.log.iter().for_each(|row| Record::add(&mut record.accepted, row.body));
        primary.kept = Kept { seats: primary.seats, marks: primary.marks.clone() };
        primary.waits = false;
        for (site, down) in primary.gate.drain(..) {
            links[site].fall(down);
        }
        self.state.note_kicks();
    }

    fn await_disk(&mut self) {
        if self.flaw != Some(Flaw::AckBeforeDurable) {
            self.state.primary.waits = true;
        }
    }

    fn tell_roster(&mut self, except: Option<SiteId>) {
        let roster = Roster::of(&self.state.primary);
        for site in (0..SITES).filter(|&site| Some(site) != except) {
            self.tell(site, Event::Roster(roster));
        }
    }

    /// Numbers something and sends it, unless the link is split or there is none.
    fn tell(&mut self, site: SiteId, event: Event) {
        let primary = &mut self.state.primary;
        let said = primary.waits || self.flaw == Some(Flaw::AckBeforeDurable);
        let Some(served) = primary.links[site].as_mut().filter(|served| !served.split) else { return };
        served.d += 1;
        let (epoch, d) = (served.epoch, served.d);
        // What waits is sent when all before it is on disk.
        let marks = if said { &primary.marks[site] } else { &primary.kept.marks[site] };
        let mark = |&name: &u8| Mark { name, n: marks.get(usize::from(name)).copied().unwrap_or(0) };
        let ack = served.outboxes.iter().map(mark).collect();
        self.pass(site, Down::Live { epoch, d, ack, event });
    }

    fn pass(&mut self, site: SiteId, down: Down) {
        if self.state.primary.waits {
            self.state.primary.gate.push_back((site, down));
        } else {
            self.state.links[site].fall(down);
        }
    }
}

impl State {
    /// A kick counts from when it is told, which is when it is on disk.
    fn note_kicks(&mut self) {
        for site in (0..SITES).filter(|&site| self.primary.seats[site] == Seat::Kicked) {
            Record::add(&mut self.record.kicked, site as u8);
            Record::add(&mut self.record.voided, site as u8);
        }
    }
}

impl Primary {
    /// The mark of an outbox; 0 when it is not known.
    pub fn mark(&self, site: SiteId, outbox: u8) -> u8 {
        self.marks[site].get(usize::from(outbox)).copied().unwrap_or(0)
    }

    /// Raises a mark, never lowers it.
    pub fn raise(&mut self, site: SiteId, outbox: u8, n: u8) {
        let (marks, at) = (&mut self.marks[site], usize::from(outbox));
        if marks.len() <= at {
            marks.resize(at + 1, 0);
        }
        marks[at] = marks[at].max(n);
    }
}
