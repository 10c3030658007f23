//! A site: what its user does, what it relays, what it is sent. `docs/wire.md`, *Registration*, *Netsplit*, *Netjoin*.

use crate::flaws::Flaw;
use crate::state::{Conn, Down, Event, Heard, Id, Mark, Outbox, Record, Roster, Row, SiteId, Up, User, Verdict, What};
use crate::step::Step;

impl Step {
    /// The user asks to enter.
    pub(crate) fn user_joins(&mut self, site: SiteId) {
        let s = &mut self.state.sites[site];
        s.user = User::Asking;
        match s.conn {
            Conn::Live { .. } => self.submit(site, What::Join),
            Conn::Idle => s.conn = Conn::Off,
            _ => {}
        }
    }

    /// The user leaves.
    pub(crate) fn user_leaves(&mut self, site: SiteId) {
        self.state.sites[site].user = User::Out;
        self.submit(site, What::Leave);
    }

    /// The user says something.
    pub(crate) fn user_says(&mut self, site: SiteId) {
        let body = self.state.record.authors.len() as u8;
        self.state.record.authors.push(site);
        self.submit(site, What::Say(body));
        if self.flaw == Some(Flaw::ShowBeforeDurable) {
            self.show_early(site);
        }
    }

    /// Accepts something of the user, and relays it when the link is live.
    pub(crate) fn submit(&mut self, site: SiteId, what: What) {
        let s = &mut self.state.sites[site];
        s.outbox.push(what);
        if let Conn::Live { epoch, .. } = s.conn {
            let (outbox, n) = (s.outbox.name, s.outbox.last());
            self.state.links[site].rise(Up::Relay { outbox, n, epoch: Some(epoch), what });
        }
    }

    /// Sends the request, and behind one that is fresh the join.
    pub(crate) fn site_registers(&mut self, site: SiteId) {
        let listed = self.state.sites[site].is_listed(self.flaw);
        let s = &mut self.state.sites[site];
        s.attempt += 1;
        let fresh = !listed && s.older.is_empty() && !s.restarted;
        if fresh {
            self.renew_outbox(site);
        }
        let s = &mut self.state.sites[site];
        s.conn = Conn::Asked { fresh };
        let outboxes = std::iter::once(&s.outbox).chain(&s.older).map(Outbox::offer).collect();
        let census = (!fresh).then_some(listed);
        let resume = if fresh { 0 } else { s.place };
        let register = Up::Register { attempt: s.attempt, outboxes, resume, census };
        self.state.links[site].rise(register);
        if fresh {
            self.send_outstanding(site, None);
        }
    }

    /// Before a registration that follows upon nothing: what was sent before may have had an outcome that is lost, so the
    /// join goes out under a new name.
    fn renew_outbox(&mut self, site: SiteId) {
        self.give_back(site);
        let s = &mut self.state.sites[site];
        if s.user == User::Asking {
            s.outbox.push(What::Join);
        }
    }

    fn send_outstanding(&mut self, site: SiteId, epoch: Option<u8>) {
        let (s, link) = (&self.state.sites[site], &mut self.state.links[site]);
        for outbox in s.older.iter().chain(std::iter::once(&s.outbox)) {
            for entry in outbox.open() {
                link.rise(Up::Relay { outbox: outbox.name, n: entry.n, epoch, what: entry.what });
            }
        }
    }

    /// Something from the primary has come.
    pub(crate) fn site_hears(&mut self, site: SiteId, down: Down) {
        match (down, self.state.sites[site].conn) {
            (Down::Granted { attempt, epoch, marks, verdict, link }, Conn::Asked { fresh })
                if attempt == self.state.sites[site].attempt =>
            {
                self.granted(site, epoch, &marks, verdict, (link, fresh));
            }
            (Down::Snapshot { epoch, roster, from, rows }, Conn::Syncing { epoch: granted, verdict })
                if epoch == granted =>
            {
                self.synced(site, epoch, roster, (from, rows), verdict);
            }
            (Down::Live { epoch, d, ack, event }, Conn::Live { epoch: present, d: last }) if epoch == present => {
                let gap = d != last + 1 && self.flaw != Some(Flaw::IgnoreGap);
                if gap {
                    return self.state.sites[site].conn = Conn::Off;
                }
                self.state.sites[site].conn = Conn::Live { epoch, d };
                ack.iter().for_each(|mark| self.state.sites[site].acknowledge(mark));
                self.happens(site, epoch, event);
            }
            (Down::Live { epoch, .. }, Conn::Syncing { epoch: granted, .. }) if epoch == granted => {
                // The snapshot was cut short.
                self.state.sites[site].conn = Conn::Off;
            }
            (Down::Error { outbox, n }, _) => self.refused(site, outbox, n),
            (Down::Stale { epoch }, Conn::Live { epoch: present, .. } | Conn::Syncing { epoch: present, .. })
                if epoch == present =>
            {
                self.state.sites[site].conn = Conn::Off;
            }
            _ => {}
        }
    }

    fn granted(
        &mut self,
        site: SiteId,
        epoch: u8,
        marks: &[Mark],
        verdict: Option<Verdict>,
        (link, fresh): (bool, bool),
    ) {
        let s = &mut self.state.sites[site];
        marks.iter().for_each(|mark| s.acknowledge(mark));
        if !fresh {
            // The primary has had what the mark says and nothing behind it.
            s.older.iter_mut().for_each(Outbox::close_gaps);
        }
        if link {
            return s.conn = Conn::Syncing { epoch, verdict };
        }
        let user = s.user.clone();
        self.link_ends(site);
        if self.flaw == Some(Flaw::SkipVerdict) {
            self.state.sites[site].user = user;
        }
    }

    /// Nothing of this site is in the room any more: what waits goes back to its authors.
    fn link_ends(&mut self, site: SiteId) {
        let s = &mut self.state.sites[site];
        if matches!(s.user, User::In { .. }) {
            s.user = User::Out;
        }
        (s.roster, s.island, s.restarted) = (Roster::default(), false, false);
        s.conn = if s.user == User::Asking { Conn::Off } else { Conn::Idle };
        self.give_back(site);
    }

    /// Refuses what is open, recording it, and begins another outbox where there was anything.
    fn give_back(&mut self, site: SiteId) {
        let s = &mut self.state.sites[site];
        for outbox in s.older.iter().chain(std::iter::once(&s.outbox)) {
            for entry in outbox.open() {
                if let What::Say(body) = entry.what {
                    Record::add(&mut self.state.record.refused, body);
                }
            }
        }
        s.older.clear();
        if s.outbox.next > 1 {
            s.names += 1;
            s.outbox = Outbox::new(s.names);
        }
    }

    fn synced(
        &mut self,
        site: SiteId,
        epoch: u8,
        roster: Roster,
        (from, rows): (usize, Vec<Row>),
        verdict: Option<Verdict>,
    ) {
        let s = &mut self.state.sites[site];
        (s.roster, s.island, s.restarted, s.conn) = (roster, false, false, Conn::Live { epoch, d: 1 });
        if from == 0 {
            s.mirror.clear();
            s.durable = 0;
        }
        for row in rows {
            self.take_in(site, row);
        }
        let s = &mut self.state.sites[site];
        if verdict == Some(Verdict::Removed) {
            return self.link_ends(site);
        }
        if s.user == User::Out {
            // Who spoke before a crash and has not come back leaves.
            let silent = !s.outboxes().any(|outbox| outbox.open().any(|entry| entry.what == What::Leave));
            let last = s.older.last_mut().unwrap_or(&mut s.outbox);
            if silent {
                last.push(What::Leave);
            }
        }
        self.send_outstanding(site, Some(epoch));
        let s = &self.state.sites[site];
        if s.user == User::Asking && !s.outbox.open().any(|entry| entry.what == What::Join) {
            self.submit(site, What::Join);
        }
    }

    /// A message that is in the one order.
    fn take_in(&mut self, site: SiteId, row: Row) {
        let again = self.flaw == Some(Flaw::ShowAgain);
        let s = &mut self.state.sites[site];
        s.mirror.push(row);
        s.place = s.mirror.len();
        Record::add(&mut self.state.record.accepted, row.body);
        if let User::In { heard, .. } = &mut s.user
            && (again || !heard.iter().any(|other| other.row.id == row.id))
        {
            heard.push(Heard { row, early: false });
        }
    }

    fn happens(&mut self, site: SiteId, epoch: u8, event: Event) {
        let s = &mut self.state.sites[site];
        match event {
            Event::Said(row) => self.take_in(site, row),
            Event::Roster(roster) => s.roster = roster,
            Event::Enter(nick) => {
                s.roster.users[site] = Some(nick);
                match s.user {
                    User::Asking => s.user = User::In { since: s.mirror.len(), heard: Vec::new() },
                    User::Out => self.state.links[site].rise(Up::Refused { epoch }),
                    User::In { .. } => {}
                }
            }
            Event::Leave { .. } => {
                if self.flaw == Some(Flaw::LeaveForgetsOutbox) {
                    s.outbox.acked = s.outbox.last();
                    s.older.clear();
                }
                self.link_ends(site);
            }
            Event::Resend { outbox, from } => self.resend(site, outbox, from),
        }
    }

    /// Something relayed did not arrive.
    pub(crate) fn resend(&mut self, site: SiteId, name: u8, from: u8) {
        let (s, link) = (&self.state.sites[site], &mut self.state.links[site]);
        let Conn::Live { epoch, .. } = s.conn else { return };
        for outbox in s.older.iter().chain(std::iter::once(&s.outbox)).filter(|outbox| outbox.name == name) {
            for entry in outbox.open().filter(|entry| entry.n >= from) {
                link.rise(Up::Relay { outbox: name, n: entry.n, epoch: Some(epoch), what: entry.what });
            }
        }
    }

    /// Something relayed has failed.
    fn refused(&mut self, site: SiteId, name: u8, n: u8) {
        let s = &mut self.state.sites[site];
        if s.outbox.name != name || n <= s.outbox.acked {
            return;
        }
        let what = s.outbox.open().find(|entry| entry.n == n).map(|entry| entry.what);
        s.acknowledge(&Mark { name, n });
        match what {
            Some(What::Join) if s.user == User::Asking => {
                s.user = User::Out;
                self.link_ends(site);
            }
            Some(What::Say(body)) => {
                Record::add(&mut self.state.record.refused, body);
                if let User::In { heard, .. } = &mut s.user {
                    heard.retain(|heard| heard.row.body != body);
                }
            }
            _ => {}
        }
    }

    /// People are told that they are cut off; what waits is theirs to see once it is on disk.
    pub(crate) fn island_begins(&mut self, site: SiteId) {
        self.state.sites[site].island = true;
    }

    /// The disk has everything.
    pub(crate) fn site_synced(&mut self, site: SiteId) {
        let keeps_presence = self.flaw != Some(Flaw::PresenceNotKept);
        let s = &mut self.state.sites[site];
        s.durable = s.mirror.len();
        let waits = s.waits_for_disk();
        for outbox in s.older.iter_mut().chain(std::iter::once(&mut s.outbox)) {
            let acked = outbox.acked;
            outbox.entries.retain(|entry| entry.n > acked);
            for entry in &mut outbox.entries {
                match entry.what {
                    What::Say(body) => {
                        entry.durable = true;
                        Record::add(&mut self.state.record.accepted, body);
                    }
                    _ => entry.durable |= waits && keeps_presence,
                }
            }
        }
        s.older.retain(|outbox| !outbox.entries.is_empty());
        self.show_early(site);
    }

    /// On an island people see what is in the outbox.
    fn show_early(&mut self, site: SiteId) {
        let unsafe_too = self.flaw == Some(Flaw::ShowBeforeDurable);
        let s = &mut self.state.sites[site];
        let User::In { heard, .. } = &mut s.user else { return };
        if !s.island {
            return;
        }
        let outbox = s.outbox.name;
        let acked = s.outbox.acked;
        for entry in s.outbox.entries.iter_mut().filter(|e| e.n > acked && (e.durable || unsafe_too) && !e.shown) {
            let What::Say(body) = entry.what else { continue };
            entry.shown = true;
            Record::add(&mut self.state.record.accepted, body);
            let row = Row { id: Id { site, outbox, n: entry.n }, body };
            heard.push(Heard { row, early: true });
            self.state.record.promised.push(row);
        }
    }

    /// The power fails.
    pub(crate) fn site_crashes(&mut self, site: SiteId) {
        let flaw = self.flaw;
        let s = &mut self.state.sites[site];
        (s.user, s.conn, s.island, s.restarted) = (User::Out, Conn::Off, false, true);
        s.mirror.truncate(s.durable);
        s.roster = Roster::default();
        if flaw != Some(Flaw::ResumeVolatile) {
            s.place = s.mirror.len();
        }
        s.names += 1;
        let before = std::mem::replace(&mut s.outbox, Outbox::new(s.names));
        s.older.push(before);
        for outbox in &mut s.older {
            outbox.entries.retain(|entry| entry.durable);
            outbox.entries.iter_mut().for_each(|entry| entry.shown = false);
            outbox.next = outbox.entries.last().map_or(outbox.next, |entry| entry.n + 1);
            outbox.acked = 0;
        }
        s.older.retain(|outbox| !outbox.entries.is_empty() && flaw != Some(Flaw::OutboxInMemory));
        if flaw == Some(Flaw::RenumberOutbox) {
            for outbox in std::mem::take(&mut s.older) {
                outbox.entries.iter().for_each(|entry| {
                    s.outbox.push(entry.what);
                    s.outbox.entries.iter_mut().for_each(|entry| entry.durable = true);
                });
            }
        }
        self.state.links[site].down.clear();
    }
}
