//! The protocol as a transition system: what may happen in a state, and what it becomes.

use crate::bounds::{At, Bounds};
use crate::flaws::Flaw;
use crate::properties::{REGISTRATIONS_MAX, properties};
use crate::state::{
    Conn, Kept, Left, Link, Nick, Outbox, Primary, Record, Roster, SITES, Seat, Served, Site, SiteId, State, User,
};
use crate::step::Step;
use stateright::{Model, Property};

/// The protocol within bounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// How much may happen.
    pub left: Left,
    /// Where.
    pub at: At,
    /// The mistake that is made, for showing that it is seen.
    pub flaw: Option<Flaw>,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A user says something.
    Say(SiteId),
    /// A user changes his presence.
    Show(SiteId),
    /// A user leaves.
    Leave(SiteId),
    /// A user asks to enter.
    Join(SiteId),
    /// A user is kicked, at the primary.
    Kick(SiteId),
    /// Somebody from elsewhere takes a nick.
    Newcomer(SiteId),
    /// A split has lasted so long that the seat is removed.
    Retire(SiteId),
    /// A link breaks: what is in flight is lost.
    Cut(SiteId),
    /// It works again.
    Heal(SiteId),
    /// The last stanza in flight to the primary is lost without a word.
    LoseUp(SiteId),
    /// The last stanza in flight to the site is.
    LoseDown(SiteId),
    /// The power of the primary fails.
    CrashPrimary,
    /// The power of a site fails.
    Crash(SiteId),
    /// The oldest stanza in flight to the primary arrives.
    Rise(SiteId),
    /// The oldest in flight to the site does.
    Fall(SiteId),
    /// The disk of the primary has done what it was given.
    SyncPrimary,
    /// The disk of a site has.
    Sync(SiteId),
    /// A site sees that its link is cut.
    SiteNotices(SiteId),
    /// Its users are told.
    Island(SiteId),
    /// The primary sees it.
    PrimaryNotices(SiteId),
    /// A site asks for a registration, or asks again where no answer came.
    Register(SiteId),
    /// A ping and its answer.
    Heads(SiteId),
}

impl Protocol {
    /// Within these bounds, without a mistake.
    pub fn within(bounds: Bounds) -> Protocol {
        Protocol { left: bounds.left, at: bounds.at, flaw: None }
    }

    /// With a mistake.
    pub fn with(self, flaw: Flaw) -> Protocol {
        Protocol { flaw: Some(flaw), ..self }
    }

    /// Whether nothing is under way, all links are whole, and so nothing will happen by itself.
    pub fn is_at_rest(&self, state: &State) -> bool {
        let quiet = |link: &Link| link.whole && link.is_quiet();
        let mut moves = Vec::new();
        if state.links.iter().all(quiet) {
            self.moves(state, &mut moves);
            return moves.is_empty();
        }
        false
    }

    /// What both ends, links and disks do by themselves.
    pub(crate) fn moves(&self, state: &State, actions: &mut Vec<Action>) {
        if state.left.crashes > 0 && state.primary_writes() {
            actions.push(Action::SyncPrimary);
        }
        for site in 0..SITES {
            self.moves_of(state, site, actions);
        }
    }

    fn moves_of(&self, state: &State, site: SiteId, actions: &mut Vec<Action>) {
        let (s, link) = (&state.sites[site], &state.links[site]);
        if !link.up.is_empty() {
            actions.push(Action::Rise(site));
        }
        if !link.down.is_empty() {
            actions.push(Action::Fall(site));
        }
        if state.left.crashes > 0 && s.writes() {
            actions.push(Action::Sync(site));
        }
        if !link.whole {
            if !matches!(s.conn, Conn::Idle | Conn::Off) {
                actions.push(Action::SiteNotices(site));
            }
            if s.conn == Conn::Off && !s.island && matches!(s.user, User::In { .. }) {
                actions.push(Action::Island(site));
            }
            let knows = state.primary.links[site].as_ref().is_none_or(|served| served.split);
            if !knows || state.primary.pending[site].is_some() {
                actions.push(Action::PrimaryNotices(site));
            }
            return;
        }
        let unanswered = matches!(s.conn, Conn::Asked { .. } | Conn::Syncing { .. });
        if s.conn == Conn::Off || (unanswered && link.is_quiet() && !state.primary.waits) {
            actions.push(Action::Register(site));
        }
        if state.heads_differ(site, self.flaw) {
            actions.push(Action::Heads(site));
        }
    }

    /// What comes from outside.
    fn events(&self, state: &State, actions: &mut Vec<Action>) {
        let left = &state.left;
        if left.crashes > 0 {
            actions.push(Action::CrashPrimary);
        }
        let sites = if self.at == At::Both { SITES } else { 1 };
        for site in 0..sites {
            let (s, link, seat) = (&state.sites[site], &state.links[site], state.primary.seats[site]);
            let is_in = matches!(s.user, User::In { .. });
            let is_split = state.primary.links[site].as_ref().is_none_or(|served| served.split);
            let possible = [
                (left.says > 0 && is_in, Action::Say(site)),
                (left.shows > 0 && is_in, Action::Show(site)),
                (left.leaves > 0 && is_in, Action::Leave(site)),
                (left.joins > 0 && s.user == User::Out, Action::Join(site)),
                (left.kicks > 0 && matches!(seat, Seat::Here(_)), Action::Kick(site)),
                (
                    left.retentions > 0 && is_split && matches!(seat, Seat::Here(_) | Seat::Lost(_)),
                    Action::Retire(site),
                ),
                (left.newcomers > 0 && state.is_free(site), Action::Newcomer(site)),
                (left.cuts > 0 && link.whole, Action::Cut(site)),
                (!link.whole, Action::Heal(site)),
                (left.losses > 0 && !link.up.is_empty(), Action::LoseUp(site)),
                (left.losses > 0 && !link.down.is_empty(), Action::LoseDown(site)),
                (left.crashes > 0, Action::Crash(site)),
            ];
            actions.extend(possible.into_iter().filter(|(may, _)| *may).map(|(_, action)| action));
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    /// Both users are in, and all is well.
    fn init_states(&self) -> Vec<State> {
        let served = |_| Some(Served { epoch: 1, d: 1, split: false, outboxes: vec![0] });
        let seats = [Seat::Here(Nick::Own); SITES];
        let marks: [Vec<u8>; SITES] = Default::default();
        let primary = Primary {
            seats,
            newcomer: None,
            log: Vec::new(),
            durable: 0,
            marks: marks.clone(),
            kept: Kept { seats, marks },
            links: [0, 1].map(served),
            pending: [None, None],
            epochs: [1; SITES],
            waits: false,
            gate: Default::default(),
        };
        let roster = Roster { users: [Some(Nick::Own); SITES], newcomer: None };
        let site = |_| Site {
            conn: Conn::Live { epoch: 1, d: 1 },
            island: false,
            restarted: false,
            user: User::In { since: 0, heard: Vec::new() },
            outbox: Outbox::new(0),
            older: Vec::new(),
            mirror: Vec::new(),
            durable: 0,
            place: 0,
            roster,
            attempt: 0,
            names: 0,
        };
        let links = [Link::new(), Link::new()];
        let record = Record::default();
        vec![State { primary, sites: [0, 1].map(site), links, left: self.left, record }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.moves(state, actions);
        self.events(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut step = Step { state: state.clone(), flaw: self.flaw };
        step.take(action);
        step.settle();
        Some(step.state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.sites.iter().all(|site| site.attempt <= REGISTRATIONS_MAX)
    }

    fn properties(&self) -> Vec<Property<Protocol>> {
        properties()
    }
}

impl Step {
    fn take(&mut self, action: Action) {
        let left = &mut self.state.left;
        match action {
            Action::Say(_) => left.says -= 1,
            Action::Show(_) => left.shows -= 1,
            Action::Leave(_) => left.leaves -= 1,
            Action::Join(_) => left.joins -= 1,
            Action::Kick(_) => left.kicks -= 1,
            Action::Newcomer(_) => left.newcomers -= 1,
            Action::Retire(_) => left.retentions -= 1,
            Action::Cut(_) => left.cuts -= 1,
            Action::LoseUp(_) | Action::LoseDown(_) => left.losses -= 1,
            Action::CrashPrimary | Action::Crash(_) => left.crashes -= 1,
            _ => return self.follow(action),
        }
        self.befall(action);
    }

    /// What comes from outside.
    fn befall(&mut self, action: Action) {
        match action {
            Action::Say(site) => self.user_says(site),
            Action::Show(site) => self.submit(site, crate::state::What::Show),
            Action::Leave(site) => self.user_leaves(site),
            Action::Join(site) => self.user_joins(site),
            Action::Kick(site) => self.kick(site),
            Action::Newcomer(nick) => self.newcomer(nick),
            Action::Retire(site) => self.retire(site),
            Action::Cut(site) => self.state.links[site] = Link { whole: false, ..Link::new() },
            Action::LoseUp(site) => drop(self.state.links[site].up.pop_back()),
            Action::LoseDown(site) => drop(self.state.links[site].down.pop_back()),
            Action::CrashPrimary => self.primary_crashes(),
            Action::Crash(site) => self.site_crashes(site),
            _ => {}
        }
    }

    /// What happens by itself.
    fn follow(&mut self, action: Action) {
        match action {
            Action::Heal(site) => self.state.links[site].whole = true,
            Action::Rise(site) => {
                if let Some(up) = self.state.links[site].up.pop_front() {
                    self.primary_hears(site, up);
                }
            }
            Action::Fall(site) => {
                if let Some(down) = self.state.links[site].down.pop_front() {
                    self.site_hears(site, down);
                }
            }
            Action::SyncPrimary => self.primary_synced(),
            Action::Sync(site) => self.site_synced(site),
            Action::SiteNotices(site) => self.state.sites[site].conn = Conn::Off,
            Action::Island(site) => self.island_begins(site),
            Action::PrimaryNotices(site) => self.primary_notices(site),
            Action::Register(site) => self.site_registers(site),
            Action::Heads(site) => self.heads(site),
            _ => {}
        }
    }

    fn primary_notices(&mut self, site: SiteId) {
        let primary = &mut self.state.primary;
        primary.pending[site] = None;
        if let Some(served) = &mut primary.links[site] {
            served.split = true;
        }
    }
}
