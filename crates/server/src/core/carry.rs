//! Carrying out: effects become orders to shards, batches for the store, inputs of other machines.

use super::machines::{View, Who};
use super::router::{Destination, Origin, bounces, is_sealed, route, seal};
use super::{At, Core};
use crate::edge::audience::Broadcast;
use crate::edge::s2s::Item;
use crate::edge::shard::Order;
use crate::edge::slab::Place;
use machine::{AudienceChange, AudienceId, Class, Input, Output};
use std::collections::HashMap;
use std::sync::Arc;
use xmpp::stanza::{Condition, StanzaError};
use xmpp::stream::dialback::Pair;
use xmpp::{Element, Jid, Node, Shared};

/// Members of audiences on other servers, each of whom gets a copy by the stream to its domain.
pub(super) type RemoteMembers = HashMap<AudienceId, Vec<(Jid, Class)>>;

impl Core {
    /// Carries out everything that the machines want, and what follows from it.
    pub(super) async fn settle(&mut self) {
        loop {
            while let Some((origin, output)) = self.work.pop_front() {
                self.carry_out(origin, output).await;
            }
            self.close_closed().await;
            if self.work.is_empty() {
                return;
            }
        }
    }

    async fn carry_out(&mut self, origin: Origin, output: Output) {
        match output {
            Output::Send { to, stanza } => self.send(origin, to, stanza).await,
            Output::Fan { stanza, copies } => {
                for (to, marks) in copies {
                    self.send_marked(to, &stanza, marks).await;
                }
            }
            Output::Audience { audience, member, change } => self.change_audience(audience, member, change).await,
            Output::Broadcast { audience, plain, jids, except } => {
                self.broadcast(audience, plain.map(sealed), jids.map(sealed), &except).await;
            }
            Output::Persist { token, changes } => self.store.persist(Who::number_of(origin), token, changes),
            Output::Query { id, query } => self.store.query(Who::number_of(origin), id, query),
            Output::Renew(domain) => self.order_all(|| Order::Renew(domain.clone())).await,
            Output::Log(text) => tracing::info!(machine = ?origin, "{text}"),
        }
    }

    /// A stanza of a client.
    pub(super) async fn from_client(&mut self, mut stanza: Element) {
        seal(&mut stanza);
        let Some(Ok(from)) = stanza.get("from").map(Jid::new) else { return };
        let Some(to) = stanza.get("to").map(Jid::new) else {
            return self.feed(Who::Accounts, Input::Stanza(stanza));
        };
        let Ok(to) = to else { return };
        let destination = self.route(Origin::Client, &stanza, &from, &to);
        if self.note_outgoing(destination, &stanza, &from, &to) {
            self.dispatch(Origin::Client, destination, &from, to, Shared::new(stanza)).await;
        }
    }

    /// RFC 6121 4.6 and XEP-0191: what goes past the accounts. `false` when they have refused the stanza.
    fn note_outgoing(&mut self, destination: Destination, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        if destination == Destination::Accounts {
            return true;
        }
        let now = self.now();
        let Some((_, accounts)) = &mut self.machines.accounts else { return true };
        let mut out = Vec::new();
        let goes_on = accounts.note_outgoing(stanza, from, to, now, &mut out);
        self.want(Who::Accounts, out);
        goes_on
    }

    /// XEP-0191: what comes to a session past the accounts. `false` when they do not want it.
    fn note_incoming(&mut self, stanza: &Element, from: &Jid, to: &Jid) -> bool {
        let now = self.now();
        let Some((_, accounts)) = &mut self.machines.accounts else { return true };
        let mut out = Vec::new();
        let goes_on = accounts.note_incoming(stanza, from, to, now, &mut out);
        self.want(Who::Accounts, out);
        goes_on
    }

    /// A stanza of another server.
    pub(super) async fn from_server(&mut self, stanza: Element) {
        let Some(Ok(to)) = stanza.get("to").map(Jid::new) else { return };
        self.send(Origin::Remote, to, Shared::new(stanza)).await;
    }

    /// A stanza by the stream of a component. Whoever is held apart by hand is not heard by this way either.
    pub(super) async fn from_component(&mut self, stanza: Element) {
        let address = |name| stanza.get(name).and_then(|text| Jid::new(text).ok());
        let (Some(from), Some(to)) = (address("from"), address("to")) else { return };
        if !self.edge.is_held_apart(from.domain()) {
            self.send(Origin::Component, to, Shared::new(stanza)).await;
            if from.local().is_none() {
                self.note_attached();
            }
        }
    }

    /// An answer of the edge itself.
    pub(super) fn reply(&mut self, stanza: Element) {
        let Some(Ok(to)) = stanza.get("to").map(Jid::new) else { return };
        self.work.push_back((Origin::Host, Output::Send { to, stanza: Shared::new(stanza) }));
    }

    fn route(&self, origin: Origin, stanza: &Element, from: &Jid, to: &Jid) -> Destination {
        route(origin, stanza, from, to, &View { machines: &self.machines, sessions: &self.sessions })
    }

    /// Sends a stanza to where it belongs.
    async fn send(&mut self, origin: Origin, to: Jid, stanza: Shared) {
        let from = match stanza.element().get("from").map(Jid::new) {
            Some(Ok(from)) => from,
            // RFC 6120 8.1.2.1: what a server says for a client's own account may be without.
            None => to.bare(),
            // Only a machine could do so; clients and servers are stamped and checked.
            Some(Err(_)) => return tracing::error!(?origin, %to, "a stanza from nowhere was dropped"),
        };
        let destination = self.route(origin, stanza.element(), &from, &to);
        self.dispatch(origin, destination, &from, to, stanza).await;
    }

    async fn dispatch(&mut self, origin: Origin, destination: Destination, from: &Jid, to: Jid, stanza: Shared) {
        match destination {
            Destination::Session if origin != Origin::Accounts && !self.note_incoming(stanza.element(), from, &to) => {}
            Destination::Session => self.deliver(&to, sealed(stanza)).await,
            Destination::Accounts => self.feed(Who::Accounts, Input::Stanza(stanza.addressed(to.as_str()))),
            Destination::Primary => self.feed(Who::Primary, Input::Stanza(stanza.addressed(to.as_str()))),
            Destination::Replica => self.feed(Who::Replica, Input::Stanza(stanza.addressed(to.as_str()))),
            Destination::Remote => self.to_server(from, Item { to, stanza, tail: Vec::new() }).await,
            Destination::Nowhere(condition) => self.bounce(&to, &stanza, &condition.into()),
        }
    }

    /// A copy for one replica, with marks of its own at the end of the last child.
    async fn send_marked(&mut self, to: Jid, stanza: &Shared, marks: Element) {
        if self.machines.replica.as_ref().is_some_and(|(jid, _)| jid.as_str() == to.bare_str()) {
            let marked = mark(stanza.addressed(to.as_str()), marks);
            return self.feed(Who::Replica, Input::Stanza(marked));
        }
        let Some(Ok(from)) = stanza.element().get("from").map(Jid::new) else { return };
        let tail = marks.to_xml().into_bytes();
        self.to_server(&from, Item { to, stanza: stanza.clone(), tail }).await;
    }

    async fn deliver(&mut self, to: &Jid, stanza: Shared) {
        if let Some(at) = self.sessions.get(to) {
            self.order(at.shard, Order::Deliver(at.place, stanza)).await;
        }
    }

    async fn to_server(&mut self, from: &Jid, item: Item) {
        let pair = Pair { from: from.domain().into(), to: item.to.domain().into() };
        let component = self.edge.component_for(&pair);
        if component.is_none() && !self.edge.hosts(&pair.from) {
            return tracing::error!(from = pair.from, "a stanza in the name of a foreign domain was dropped");
        }
        if self.edge.is_held_apart(&pair.to) {
            return self.bounce(&item.to, &item.stanza, &Condition::RemoteServerTimeout.into());
        }
        if let Some(index) = component {
            return self.order(self.edge.component_shard(index), Order::ToComponent(index, item)).await;
        }
        let shard = self.edge.shard_of(&pair);
        self.order(shard as u16, Order::ToServer(pair, item)).await;
    }

    /// Stanzas that another server did not take.
    pub(super) fn undelivered(&mut self, items: Vec<Item>, error: &StanzaError) {
        for item in items {
            self.bounce(&item.to, &item.stanza, error);
        }
    }

    /// Answers with an error where one may; it comes from whom the stanza was for (RFC 6120 8.3.1).
    fn bounce(&mut self, to: &Jid, stanza: &Shared, error: &StanzaError) {
        if !bounces(stanza.element()) {
            return;
        }
        let reply = error.reply(&stanza.addressed(to.as_str()));
        let Some(Ok(sender)) = reply.get("to").map(Jid::new) else { return };
        let origin = if self.edge.hosts(to.domain()) { Origin::Host } else { Origin::Remote };
        self.work.push_back((origin, Output::Send { to: sender, stanza: Shared::new(reply) }));
    }

    async fn change_audience(&mut self, audience: AudienceId, member: Jid, change: AudienceChange) {
        let class = match change {
            AudienceChange::In(class) => Some(class),
            AudienceChange::Out => None,
            AudienceChange::End => {
                self.remote_members.remove(&audience);
                return self.order_all(|| Order::EndAudience(audience)).await;
            }
        };
        if let Some(at) = self.sessions.get(&member) {
            return self.order(at.shard, Order::Member(audience, at.place, class)).await;
        }
        if self.edge.hosts(member.domain()) {
            return;
        }
        let members = self.remote_members.entry(audience).or_default();
        members.retain(|(other, _)| *other != member);
        members.extend(class.map(|class| (member, class)));
        if members.is_empty() {
            self.remote_members.remove(&audience);
        }
    }

    async fn broadcast(&mut self, audience: AudienceId, plain: Option<Shared>, jids: Option<Shared>, except: &[Jid]) {
        let places: Vec<At> = except.iter().filter_map(|jid| self.sessions.get(jid)).copied().collect();
        for shard in 0..self.edge.shards.len() as u16 {
            let except: Arc<[Place]> = places.iter().filter(|at| at.shard == shard).map(|at| at.place).collect();
            let broadcast = Broadcast { audience, plain: plain.clone(), jids: jids.clone(), except };
            self.order(shard, Order::Broadcast(broadcast)).await;
        }
        let Some(members) = self.remote_members.get(&audience) else { return };
        let copies: Vec<(Jid, Shared)> = members
            .iter()
            .filter(|(member, _)| !except.contains(member))
            .filter_map(|(member, class)| {
                let stanza = if *class == Class::Jids { &jids } else { &plain };
                Some((member.clone(), stanza.clone()?))
            })
            .collect();
        for (to, stanza) in copies {
            self.send(Origin::Primary, to, stanza).await;
        }
    }

    /// Streams that the accounts want closed.
    async fn close_closed(&mut self) {
        let Some((_, accounts)) = &mut self.machines.accounts else { return };
        for closed in accounts.take_closed() {
            self.wakes(&closed.jid);
            if let Some(at) = self.sessions.remove(&closed.jid) {
                self.order(at.shard, Order::Close(at.place, closed.condition)).await;
            }
        }
    }

    pub(super) async fn order(&self, shard: u16, order: Order) {
        if let Some(inbox) = self.edge.shards.get(usize::from(shard)) {
            // A shard that has ended has nobody left to tell.
            let _ = inbox.send(order).await;
        }
    }

    pub(super) async fn order_all(&self, order: impl Fn() -> Order) {
        for inbox in &self.edge.shards {
            let _ = inbox.send(order()).await;
        }
    }
}

/// What a client may be sent: without the namespaces that stay between servers.
fn sealed(stanza: Shared) -> Shared {
    if !stanza.element().children().any(is_sealed) {
        return stanza;
    }
    let mut element = stanza.element().clone();
    seal(&mut element);
    Shared::new(element)
}

/// Puts marks at the end of the last child.
fn mark(mut stanza: Element, marks: Element) -> Element {
    let last = stanza.nodes().iter().rev().find_map(|node| match node {
        Node::Element(child) => Some((child.name().to_owned(), child.ns().to_owned())),
        Node::Text(_) => None,
    });
    if let Some((name, ns)) = last
        && let Some(child) = stanza.get_child_mut(&name, &ns)
    {
        child.push(marks);
    }
    stanza
}
