//! Keepalive, XEP-0282 4.10: pings between the service and a replica for all their rooms together, with how far each side
//! has sent, so that a lost tail is found within one interval; `docs/wire.md`, *Keepalive*.

use super::link::{Link, Links, Phase};
use super::receive::is_connectivity;
use crate::room::{Lost, Room, Via};
use crate::service::Primary;
use crate::wire::{Ack, HEADS_MAX, Head, Heads, Sent, Stale};
use machine::{Now, Output};
use std::collections::{BTreeMap, BTreeSet};
use xmpp::{Element, Jid, Shared, ns};

/// What the service knows of the replicas of all its rooms.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    peers: BTreeMap<Jid, Peer>,
    /// When the replicas are looked at next; none while no room has any.
    due_ms: Option<u64>,
    pings: u64,
}

#[derive(Debug, Default)]
struct Peer {
    /// The id of the ping that is not answered yet, and when it was sent.
    pinged: Option<(String, u64)>,
    /// Pings in a row without an answer.
    lost: u32,
    /// When a ping or pong was last sent.
    sent_ms: u64,
    /// How long after the last ping a split replica is pinged again; doubled each time.
    again_ms: u64,
}

/// What one replica has in all rooms.
struct Standing {
    rooms: Vec<Jid>,
    sent_ms: u64,
    /// Whether it is doubted in some room.
    suspect: bool,
    /// Whether it is lost in every room.
    split: bool,
}

impl Primary {
    /// A stanza to the service's own address that concerns its links; whether it did.
    pub(crate) fn link_stanza(&mut self, stanza: &Element, now: Now, out: &mut Vec<Output>) -> bool {
        let Some(from) = stanza.get("from").and_then(|from| Jid::new(from).ok()) else { return false };
        match (stanza.name(), stanza.get("type")) {
            ("iq", Some("get")) => {
                let ping = stanza.get_child("ping", ns::PING).and_then(|ping| ping.get_child("heads", ns::NETJOIN));
                let Some(Ok(heads)) = ping.map(Heads::parse) else { return false };
                self.judge_heads(&from, &heads, now, out);
                self.pong(&from, stanza, now, out);
                true
            }
            ("iq", Some("result" | "error")) => self.ponged(&from, stanza, now, out),
            _ => false,
        }
    }

    /// The stream to this domain has ended: its replicas are doubted, and asked at once; but not without end where a
    /// network refuses every stream and so ends one with every question.
    pub(crate) fn link_stream_ended(&mut self, domain: &str, now: Now, out: &mut Vec<Output>) {
        let of_domain = self.standings().into_iter().filter(|(replica, _)| replica.domain() == domain);
        // Every ping to a site that cannot be reached ends a stream: those that are split are asked in their own time.
        let over: Vec<Jid> = of_domain.filter(|(_, standing)| !standing.split).map(|(replica, _)| replica).collect();
        for replica in over {
            self.suspect_everywhere(&replica, now, out);
            let asked = self.keepalive.peers.get(&replica).is_some_and(|peer| now.mono_ms < peer.sent_ms + TICK_MS_MIN);
            if !asked {
                self.ping(&replica, now, out);
            }
        }
    }

    /// This domain may be reached again: its replicas are asked at once, those that are split too.
    pub(crate) fn link_reachable(&mut self, domain: &str, now: Now, out: &mut Vec<Output>) {
        let standings = self.standings();
        for replica in standings.keys().filter(|replica| replica.domain() == domain) {
            self.keepalive.peers.entry(replica.clone()).or_default().again_ms = 0;
            self.ping(replica, now, out);
        }
    }

    /// When [`Primary::service_link_timeout`] is wanted, monotonic milliseconds.
    pub(crate) fn next_service_link_timeout(&self) -> Option<u64> {
        self.keepalive.due_ms
    }

    /// The time asked for has come.
    pub(crate) fn service_link_timeout(&mut self, now: Now, out: &mut Vec<Output>) {
        let interval_ms = self.config.keepalive_seconds.saturating_mul(1_000).max(TICK_MS_MIN);
        let standings = self.standings();
        self.keepalive.peers.retain(|replica, _| standings.contains_key(replica));
        for (replica, standing) in &standings {
            self.look_at(replica, standing, interval_ms, now, out);
        }
        self.send_digests(interval_ms, now, out);
        self.keepalive.due_ms = (!standings.is_empty()).then_some(now.mono_ms + (interval_ms / 4).max(TICK_MS_MIN));
    }

    /// Loaded: the replicas of before are asked whether they still are.
    pub(crate) fn look_for_lost(&mut self) {
        if self.rooms.values().any(|room| !room.lost_replicas().is_empty()) {
            self.keepalive.due_ms = Some(0);
        }
    }

    /// A room has been touched: from its first replica on the service looks after them.
    pub(crate) fn note_links(&mut self, room: &Jid, now: Now) {
        if self.keepalive.due_ms.is_none() && self.rooms.get(room).is_some_and(|room| room.links.any()) {
            let interval_ms = self.config.keepalive_seconds.saturating_mul(1_000);
            self.keepalive.due_ms = Some(now.mono_ms + (interval_ms / 4).max(TICK_MS_MIN));
        }
    }

    fn look_at(&mut self, replica: &Jid, standing: &Standing, interval_ms: u64, now: Now, out: &mut Vec<Output>) {
        let peer = self.keepalive.peers.entry(replica.clone()).or_default();
        if peer.pinged.as_ref().is_some_and(|(_, at)| now.mono_ms >= at + interval_ms) {
            peer.pinged = None;
            peer.lost += 1;
            if peer.lost >= PINGS_LOST_MAX {
                // A stream may stand that carries nothing any more.
                out.push(Output::Renew(replica.domain().to_owned()));
            }
        }
        let (is_lost, waits) = (peer.lost >= PINGS_LOST_MAX, peer.pinged.is_some());
        let is_silent = now.mono_ms >= peer.sent_ms.max(standing.sent_ms) + interval_ms;
        let soon_ms = (self.config.suspect_seconds.saturating_mul(1_000) / SUSPECT_PINGS).max(TICK_MS_MIN);
        if standing.split {
            return self.look_at_split(replica, soon_ms, interval_ms, now, out);
        }
        peer.again_ms = 0;
        let retries = standing.suspect && now.mono_ms >= peer.sent_ms + soon_ms;
        let asks_again = peer.lost > 0;
        if is_lost {
            self.suspect_everywhere(replica, now, out);
        }
        if retries || (!waits && (is_silent || asks_again)) {
            self.ping(replica, now, out);
        }
    }

    /// A replica that is lost is asked at first as often as a doubted one, and ever more seldom, up to the usual interval.
    fn look_at_split(&mut self, replica: &Jid, soon_ms: u64, interval_ms: u64, now: Now, out: &mut Vec<Output>) {
        let Some(peer) = self.keepalive.peers.get_mut(replica) else { return };
        peer.again_ms = peer.again_ms.max(soon_ms);
        if now.mono_ms >= peer.sent_ms + peer.again_ms {
            peer.again_ms = peer.again_ms.saturating_mul(2).min(interval_ms.max(soon_ms));
            self.ping(replica, now, out);
        }
    }

    fn ping(&mut self, replica: &Jid, now: Now, out: &mut Vec<Output>) {
        let heads = self.heads_for(replica);
        let mut chunks: Vec<&[Head]> = heads.chunks(HEADS_MAX).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        for chunk in chunks {
            self.keepalive.pings += 1;
            let id = format!("keepalive-{}", self.keepalive.pings);
            let ping = Element::new("ping", ns::PING).child(Heads::Down(chunk.to_vec()).element());
            let iq = Element::stanza("iq")
                .attr("type", "get")
                .attr("id", &id)
                .attr("from", self.config.domain.as_str())
                .child(ping);
            out.push(Output::Send { to: replica.clone(), stanza: Shared::new(iq) });
            let peer = self.keepalive.peers.entry(replica.clone()).or_default();
            peer.pinged = Some((id, now.mono_ms));
            peer.sent_ms = now.mono_ms;
        }
    }

    fn pong(&mut self, replica: &Jid, ping: &Element, now: Now, out: &mut Vec<Output>) {
        let heads = self.heads_for(replica);
        let first = heads.get(..HEADS_MAX).unwrap_or(&heads).to_vec();
        let iq = Element::stanza("iq")
            .attr("type", "result")
            .attr_opt("id", ping.get("id"))
            .attr("from", self.config.domain.as_str())
            .child(Heads::Down(first).element());
        out.push(Output::Send { to: replica.clone(), stanza: Shared::new(iq) });
        if let Some(peer) = self.keepalive.peers.get_mut(replica) {
            peer.sent_ms = now.mono_ms;
        }
    }

    /// An answer to a ping: any but a bounce means that somebody is there.
    fn ponged(&mut self, replica: &Jid, iq: &Element, now: Now, out: &mut Vec<Output>) -> bool {
        let Some(peer) = self.keepalive.peers.get_mut(replica) else { return false };
        if !iq.get("id").is_some_and(|id| id.starts_with("keepalive-")) {
            return false;
        }
        if peer.pinged.as_ref().is_some_and(|(id, _)| Some(id.as_str()) == iq.get("id")) {
            peer.pinged = None;
        }
        if iq.get("type") == Some("error") && is_connectivity(iq) {
            peer.lost += 1;
            self.suspect_everywhere(replica, now, out);
            return true;
        }
        peer.lost = 0;
        let heads = iq.get_child("heads", ns::NETJOIN).map(Heads::parse);
        match heads {
            Some(Ok(heads)) => self.judge_heads(replica, &heads, now, out),
            _ => self.judge_heads(replica, &Heads::Up(Vec::new()), now, out),
        }
        true
    }

    /// What a replica says it has sent: the stream is ordered, so what has not come is lost.
    fn judge_heads(&mut self, replica: &Jid, heads: &Heads, now: Now, out: &mut Vec<Output>) {
        for room in self.standings().remove(replica).into_iter().flat_map(|standing| standing.rooms) {
            self.with_room(&room, now, out, |room, cx| room.sign_of_life(replica, cx));
        }
        let Heads::Up(sent) = heads else { return };
        let mut ended = BTreeSet::new();
        for sent in sent {
            if self.rooms.contains_key(&sent.room) {
                self.with_room(&sent.room, now, out, |room, cx| room.judge_sent(replica, sent, cx));
            } else if sent.room.domain() == self.config.domain.as_str() && ended.insert(&sent.room) {
                // It has not heard that the room has ended; asking for it again it will.
                out.push(Stale { epoch: sent.epoch.clone() }.told(&sent.room, replica));
            }
        }
    }

    fn suspect_everywhere(&mut self, replica: &Jid, now: Now, out: &mut Vec<Output>) {
        let Some(standing) = self.standings().remove(replica) else { return };
        for room in &standing.rooms {
            self.with_room(room, now, out, |room, cx| room.suspect(replica, cx));
        }
        // Looked at soon, so that it is asked at short intervals while it is doubted.
        let soon = now.mono_ms + TICK_MS_MIN;
        self.keepalive.due_ms = Some(self.keepalive.due_ms.map_or(soon, |due| due.min(soon)));
    }

    fn standings(&self) -> BTreeMap<Jid, Standing> {
        let mut standings: BTreeMap<Jid, Standing> = BTreeMap::new();
        for (jid, room) in &self.rooms {
            for (replica, link) in &room.links.links {
                let standing = standings.entry(replica.clone()).or_insert(Standing {
                    rooms: Vec::new(),
                    sent_ms: 0,
                    suspect: false,
                    split: true,
                });
                standing.rooms.push(jid.clone());
                standing.sent_ms = standing.sent_ms.max(link.sent_ms);
                standing.suspect |= link.suspect_ms.is_some();
                standing.split &= link.is_split();
            }
            // Asked like one that is split: should its site know nothing of the room any more, it says so.
            for replica in room.lost_replicas() {
                let unheard = Standing { rooms: Vec::new(), sent_ms: 0, suspect: false, split: true };
                standings.entry(replica).or_insert(unheard).rooms.push(jid.clone());
            }
        }
        standings
    }

    fn heads_for(&self, replica: &Jid) -> Vec<Head> {
        self.rooms.values().filter_map(|room| room.head_for(replica)).collect()
    }
}

impl Room {
    /// How far the room has sent to a replica; none while something waits for the disk or its snapshot is on its way. One that is
    /// doubted or lost is told as well: should its site know nothing of the room any more, it says so. What is acknowledged has been told
    /// there.
    fn head_for(&self, replica: &Jid) -> Option<Head> {
        let syncing = |link: &Link| matches!(link.phase, Phase::Syncing { .. });
        if self.lost_replicas().contains(replica) {
            return Some(Head { room: self.jid.clone(), epoch: self.order.term.clone(), d: 0, ack: None });
        }
        let link = self.links.links.get(replica).filter(|link| !syncing(link) && self.gate.held() == 0)?;
        let present = link.outboxes.first()?;
        let n = self.links.durable(replica, present);
        let ack = (n > 0 && link.held.is_empty() && !link.is_split()).then(|| Ack { outbox: present.clone(), n });
        Some(Head { room: self.jid.clone(), epoch: link.epoch.clone(), d: link.d, ack })
    }

    /// Replicas of before a restart that have not come back, by whom somebody was in the room.
    fn lost_replicas(&self) -> BTreeSet<Jid> {
        let of_replica = |lost: &Lost| match &lost.via {
            Via::Replica(replica) if !self.links.links.contains_key(replica) => Some(replica.clone()),
            _ => None,
        };
        self.lost.iter().filter_map(of_replica).collect()
    }

    /// How far a replica says it has sent.
    fn judge_sent(&mut self, replica: &Jid, sent: &Sent, cx: &mut crate::room::Cx<'_>) {
        let Some(link) = self.links.links.get(replica) else {
            // It takes itself to be registered; if it has not asked again it has missed that it is not.
            if !self.links.pending.contains_key(replica) {
                self.tell_stale(replica, &sent.epoch, cx);
            }
            return;
        };
        if link.epoch != sent.epoch || link.is_split() {
            return self.tell_stale(replica, &sent.epoch, cx);
        }
        let known = link.outboxes.contains(&sent.outbox);
        let present = self.links.marks.get(replica, &sent.outbox);
        if known && sent.n > present {
            self.ask_again(replica, &sent.outbox, present + 1, cx);
        }
    }
}

impl Links {
    /// The highest number of an outbox whose outcome is durable, given that nothing waits for the disk at the gate.
    fn durable(&self, replica: &Jid, outbox: &str) -> u64 {
        let lazy = self.lazy.iter().filter(|(_, by, ack)| by == replica && ack.outbox == outbox);
        let oldest = lazy.map(|(.., ack)| ack.n).min();
        oldest.map_or_else(|| self.marks.get(replica, outbox), |n| n - 1)
    }
}

/// Pings in a row without an answer after which a link is doubted.
const PINGS_LOST_MAX: u32 = 2;
/// How often a doubted replica is asked before it is given up.
const SUSPECT_PINGS: u64 = 4;
/// The replicas are looked at no more often than this.
const TICK_MS_MIN: u64 = 1_000;
