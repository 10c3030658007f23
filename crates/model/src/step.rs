//! One step: a state, changed by what happens, and what both ends do by themselves.

use crate::flaws::Flaw;
use crate::state::{Conn, Entry, Mark, Outbox, SITES, Seat, Site, SiteId, State, User, What};

/// A state on its way to the next.
pub(crate) struct Step {
    /// As far as it has come.
    pub state: State,
    /// The mistake that is made, if any.
    pub flaw: Option<Flaw>,
}

impl Step {
    /// Both ends compare their heads, with nothing in flight (*Keepalive*).
    pub(crate) fn heads(&mut self, site: SiteId) {
        let s = &mut self.state.sites[site];
        let Conn::Live { epoch, d } = s.conn else { return };
        let primary = &self.state.primary;
        let link = primary.links[site].as_ref().filter(|served| served.epoch == epoch && !served.split);
        if link.is_none_or(|served| served.d != d) {
            return s.conn = Conn::Off;
        }
        let missing = s.outboxes_told(self.flaw).find(|outbox| outbox.last() > primary.mark(site, outbox.name));
        if let Some((name, mark)) = missing.map(|outbox| (outbox.name, primary.mark(site, outbox.name))) {
            return self.resend(site, name, mark + 1);
        }
        let kept = &primary.kept.marks[site];
        let marks: Vec<Mark> = kept.iter().zip(0..).map(|(&n, name)| Mark { name, n }).collect();
        marks.iter().for_each(|mark| s.acknowledge(mark));
    }

    /// Where no crash can come any more, disks are not waited for.
    pub(crate) fn settle(&mut self) {
        if self.state.left.crashes == 0 {
            self.primary_synced();
            (0..SITES).for_each(|site| self.site_synced(site));
        }
        for s in &mut self.state.sites {
            if s.conn == Conn::Off && !s.has_cause() {
                s.conn = Conn::Idle;
            }
        }
    }
}

impl State {
    /// Whether comparing heads would show anything.
    pub(crate) fn heads_differ(&self, site: SiteId, flaw: Option<Flaw>) -> bool {
        let (s, primary, link) = (&self.sites[site], &self.primary, &self.links[site]);
        let Conn::Live { epoch, d } = s.conn else { return false };
        if !link.whole || !link.is_quiet() || primary.waits {
            return false;
        }
        let served = primary.links[site].as_ref().filter(|served| served.epoch == epoch && !served.split);
        let kept = |name: u8| primary.kept.marks[site].get(usize::from(name)).copied().unwrap_or(0);
        served.is_none_or(|served| served.d != d)
            || s.outboxes_told(flaw).any(|outbox| outbox.last() > primary.mark(site, outbox.name))
            || s.outboxes().any(|outbox| outbox.open().any(|entry| entry.n <= kept(outbox.name)))
    }

    /// Whether the primary has something that is not on disk.
    pub(crate) fn primary_writes(&self) -> bool {
        let p = &self.primary;
        p.waits || p.durable < p.log.len() || p.kept.seats != p.seats || p.kept.marks != p.marks
    }

    /// Whether nobody at the primary has this nick, or may claim it.
    pub(crate) fn is_free(&self, nick: SiteId) -> bool {
        use crate::state::Nick::Own;
        !matches!(self.primary.seats[nick], Seat::Here(Own) | Seat::Lost(Own))
    }
}

impl Site {
    /// All outboxes.
    pub(crate) fn outboxes(&self) -> impl Iterator<Item = &Outbox> {
        self.older.iter().chain(std::iter::once(&self.outbox))
    }

    /// Those whose last number a ping says.
    fn outboxes_told(&self, flaw: Option<Flaw>) -> impl Iterator<Item = &Outbox> {
        let present_only = flaw == Some(Flaw::HeadsOfPresentOutbox);
        self.older.iter().filter(move |_| !present_only).chain(std::iter::once(&self.outbox))
    }

    /// Whether the user is in by what the primary has acknowledged: he believes so, or his leave, or what he said before a
    /// crash, is still to be told.
    pub(crate) fn is_listed(&self, flaw: Option<Flaw>) -> bool {
        let speaks = |entry: &Entry| matches!(entry.what, What::Leave | What::Say(_));
        let speaks_still = flaw != Some(Flaw::CensusOfSessions)
            && self.outboxes().any(|outbox| outbox.entries.iter().any(|e| e.n > outbox.acked && speaks(e)));
        matches!(self.user, User::In { .. }) || speaks_still
    }

    /// Whether there is anything to be connected for.
    pub(crate) fn has_cause(&self) -> bool {
        self.user != User::Out || self.restarted || self.outboxes().any(|outbox| !outbox.is_done())
    }

    /// Whether what is accepted is written before it goes anywhere.
    pub(crate) fn waits_for_disk(&self) -> bool {
        !matches!(self.conn, Conn::Live { .. })
    }

    /// Whether there is something that is not on disk and should be.
    pub(crate) fn writes(&self) -> bool {
        let waits = self.waits_for_disk();
        let unwritten = |outbox: &Outbox, entry: &Entry| {
            if entry.n <= outbox.acked {
                entry.durable
            } else {
                !entry.durable && (waits || matches!(entry.what, What::Say(_)))
            }
        };
        let unshown = |entry: &Entry| {
            self.island
                && entry.durable
                && !entry.shown
                && matches!((entry.what, &self.user), (What::Say(_), User::In { .. }))
        };
        self.durable < self.mirror.len()
            || self.outboxes().any(|outbox| outbox.entries.iter().any(|entry| unwritten(outbox, entry)))
            || self.outbox.open().any(unshown)
    }

    /// Everything up to a mark has had its outcome.
    pub(crate) fn acknowledge(&mut self, mark: &Mark) {
        for outbox in self.older.iter_mut().chain(std::iter::once(&mut self.outbox)).filter(|o| o.name == mark.name) {
            outbox.acked = outbox.acked.max(mark.n.min(outbox.last()));
            let acked = outbox.acked;
            outbox.entries.retain(|entry| entry.n > acked || entry.durable);
        }
    }
}

impl Outbox {
    /// Numbers what is open on from the mark: presence between what a crash has left was never written.
    pub(crate) fn close_gaps(&mut self) {
        let first = self.acked + 1;
        let open = self.entries.iter_mut().filter(|entry| entry.n >= first);
        self.next = open.zip(first..).map(|(entry, n)| entry.n = n).count() as u8 + first;
    }
}
