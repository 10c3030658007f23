//! Carrying out what machines want, as a server does it: one input after the other, effects in their order.

use super::agenda::Happening;
use super::route::{Destination, Origin, bounces};
use super::server::DiskWork;
use super::{Scene, Which, World};
use machine::{AudienceChange, Change, Class, Input, Now, Output, Token};
use xmpp::stanza::{Condition, StanzaError};
use xmpp::xml::Splice;
use xmpp::{Element, Jid, Shared, ns};

impl World {
    /// Tells a machine something, and works until nothing is left to be told on that server.
    pub(super) fn feed(&mut self, server: usize, which: Which, input: Input) {
        self.servers[server].inputs.push_back((which, input));
        self.work(server);
    }

    /// Carries out what a machine wants.
    pub(super) fn carry_out_all(&mut self, server: usize, which: Which, outputs: Vec<Output>) {
        for output in outputs {
            self.carry_out(server, which, output);
        }
        self.work(server);
    }

    /// Tells the machines what is queued for them, until nothing is.
    pub(super) fn work(&mut self, server: usize) {
        if std::mem::replace(&mut self.servers[server].busy, true) {
            return;
        }
        while let Some((which, input)) = self.servers[server].inputs.pop_front() {
            let off_ms = self.servers[server].clock_off_ms;
            let (mut out, now) = (Vec::new(), Now { unix_ms: self.now.unix_ms + off_ms, ..self.now });
            if let Some(machine) = self.servers[server].machine(which) {
                machine.handle(input, now, &mut out);
            }
            for output in out {
                self.carry_out(server, which, output);
            }
        }
        self.servers[server].busy = false;
    }

    fn carry_out(&mut self, server: usize, which: Which, output: Output) {
        match output {
            Output::Send { to, stanza } => {
                self.submit(server, origin_of(which), &to, stanza.into_addressed(to.as_str()))
            }
            Output::Fan { stanza, copies } => {
                for (to, mark) in copies {
                    let copy = self.copy_for(&stanza, &to, mark);
                    self.submit(server, origin_of(which), &to, copy);
                }
            }
            Output::Audience { audience, member, change } => {
                let audiences = &mut self.servers[server].audiences;
                match change {
                    AudienceChange::In(class) => {
                        audiences.entry(audience).or_default().insert(member, class);
                    }
                    AudienceChange::Out => {
                        audiences.entry(audience).or_default().remove(&member);
                    }
                    AudienceChange::End => {
                        audiences.remove(&audience);
                    }
                }
            }
            Output::Broadcast { audience, plain, jids, except } => {
                let members = self.servers[server].audiences.get(&audience).cloned().unwrap_or_default();
                for (member, class) in members.into_iter().filter(|(member, _)| !except.contains(member)) {
                    let stanza = if class == Class::Jids { &jids } else { &plain };
                    if let Some(stanza) = stanza {
                        let copy = stanza.addressed(member.as_str());
                        self.submit(server, origin_of(which), &member, copy);
                    }
                }
            }
            Output::Persist { token, changes } => self.persist(server, which, token, changes),
            Output::Query { id, query } => {
                let page = Some(self.servers[server].disk.query(&query));
                self.servers[server].disk_work.push_back((which, DiskWork::Read(id, page)));
                self.sync(server);
            }
            // What is swallowed here is swallowed by the weather, whichever stream it goes by.
            Output::Renew(_) => {}
            Output::Log(text) => self.tape.log(self.now.mono_ms, server, text),
        }
    }

    /// A stanza of a client, its sender stamped.
    pub(super) fn client_sends(&mut self, server: usize, from: &Jid, stanza: Element) {
        let Some(to) = stanza.get("to").map(Jid::new) else {
            return self.feed(server, Which::Accounts, Input::Stanza(stanza));
        };
        let Ok(to) = to else { return };
        let destination = self.servers[server].route(Origin::Client, &stanza, from, &to);
        if destination != Destination::Accounts
            && let Some(accounts) = &mut self.servers[server].accounts
        {
            let mut out = Vec::new();
            let goes_on = accounts.note_outgoing(&stanza, from, &to, self.now, &mut out);
            self.carry_out_all(server, Which::Accounts, out);
            if !goes_on {
                return;
            }
        }
        self.dispatch(server, destination, from, &to, stanza);
        self.work(server);
    }

    /// A stanza of another server, or of this one.
    pub(super) fn submit(&mut self, server: usize, origin: Origin, to: &Jid, stanza: Element) {
        let Some(Ok(from)) = stanza.get("from").map(Jid::new) else {
            return self.tape.complain(format!("a machine gave a stanza without a sender: {stanza}"));
        };
        let destination = self.servers[server].route(origin, &stanza, &from, to);
        self.dispatch(server, destination, &from, to, stanza);
    }

    fn dispatch(&mut self, server: usize, destination: Destination, from: &Jid, to: &Jid, stanza: Element) {
        let which = match destination {
            Destination::Session => {
                // What is written to a client that has vanished nobody receives.
                if self.online.contains(to.as_str()) {
                    self.tape.tell(self.now.mono_ms, to.as_str(), Scene::Received(stanza));
                }
                return;
            }
            Destination::Remote => return self.depart(from, to, stanza),
            Destination::Nowhere(condition) => return self.bounce(server, Origin::Host, &stanza, condition),
            Destination::Accounts => Which::Accounts,
            Destination::Primary => Which::Primary,
            Destination::Replica => Which::Replica,
        };
        // The caller works it off: in the order of effects, behind what is waiting.
        self.servers[server].inputs.push_back((which, Input::Stanza(stanza)));
    }

    /// Answers with an error where one may, in the name of whom the stanza was for.
    pub(super) fn bounce(&mut self, server: usize, origin: Origin, stanza: &Element, condition: Condition) {
        if !bounces(stanza) {
            return;
        }
        let reply = StanzaError::from(condition).reply(stanza);
        if let Some(Ok(sender)) = reply.get("to").map(Jid::new) {
            self.submit(server, origin, &sender, reply);
        }
    }

    fn persist(&mut self, server: usize, which: Which, token: Token, changes: Vec<Change>) {
        let s = &mut self.servers[server];
        let taken = !s.disk_full && {
            let taken = s.disk.persist(changes);
            taken
                .map_err(|conflict| {
                    self.tape.complain(format!("at {}, server {server}, {which:?}: {conflict}", self.now.mono_ms))
                })
                .is_ok()
        };
        self.servers[server].disk_work.push_back((which, DiskWork::Write(token, taken, self.now.mono_ms)));
        self.sync(server);
    }

    /// Starts to work on what is queued, when the disk is free. What is read is answered behind what was written before.
    fn sync(&mut self, server: usize) {
        let at = self.now.mono_ms + self.disk_delay();
        let s = &mut self.servers[server];
        if s.syncing == 0 && !s.disk_work.is_empty() {
            s.syncing = s.disk_work.len();
            let life = s.life;
            self.agenda.put(at, Happening::Synced { server, life });
        }
    }

    /// The disk has done what it was given.
    pub(super) fn synced(&mut self, server: usize, life: u64) {
        let s = &mut self.servers[server];
        if s.life != life {
            return;
        }
        let done: Vec<(Which, DiskWork)> = s.disk_work.drain(..s.syncing).collect();
        s.disk.sync_first(done.iter().filter(|(_, work)| matches!(work, DiskWork::Write(_, true, _))).count());
        s.syncing = 0;
        self.sync(server);
        for (which, work) in done {
            let input = match work {
                DiskWork::Write(token, true, _) => Input::Persisted(token),
                DiskWork::Write(token, false, _) => Input::PersistFailed(token),
                DiskWork::Read(id, page) => Input::Rows(id, page),
            };
            self.feed(server, which, input);
        }
    }

    fn disk_delay(&mut self) -> u64 {
        self.rng.between(self.disk_ms.0, self.disk_ms.1)
    }
}

impl World {
    /// A copy for one link, with marks of its own.
    fn copy_for(&mut self, stanza: &Shared, to: &Jid, mark: Element) -> Element {
        if !self.is_read_again() {
            let mut copy = stanza.addressed(to.as_str());
            if let Some(x) = copy.get_child_mut("x", ns::DMUC) {
                x.push(mark);
                return copy;
            }
        }
        spliced(stanza, to, &mark)
    }

    /// Whether a stanza is written and read again as on a stream. Most go over as they are: reading is half of what a run costs
    /// otherwise.
    pub(super) fn is_read_again(&mut self) -> bool {
        self.written += 1;
        self.written.is_multiple_of(READ_AGAIN_EVERY)
    }
}

/// Of so many stanzas one is.
const READ_AGAIN_EVERY: u64 = 32;

fn origin_of(which: Which) -> Origin {
    match which {
        Which::Accounts => Origin::Accounts,
        Which::Primary => Origin::Primary,
        Which::Replica => Origin::Replica,
    }
}

/// A copy as it is written: the address and the marks spliced into bytes that are the same for all.
fn spliced(stanza: &Shared, to: &Jid, mark: &Element) -> Element {
    let mut bytes = Vec::new();
    stanza.splice(Splice { to: to.as_str(), tail: mark.to_xml().as_bytes() }, &mut bytes);
    let text = String::from_utf8(bytes).expect("what is serialised is text");
    Element::parse(&text).expect("what is serialised is XML")
}
