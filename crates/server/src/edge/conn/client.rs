//! What a client's connection has besides bytes: its address, and the stanzas that it has not acknowledged (XEP-0198).
//!
//! A session whose stream broke keeps its place on the shard, so it stays in every audience it is in: what is sent to
//! it is put with what is not acknowledged, which costs less than writing it. Nobody else notices.

use super::{Conn, End, Transport, Watch};
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use xmpp::stanza::delay;
use xmpp::stream::StreamError;
use xmpp::stream::client_state::Waiting;
use xmpp::stream::management::{Bounds, Outbound, REQUEST, Sent};
use xmpp::stream::websocket::put_header;
use xmpp::xml::Splice;
use xmpp::{Element, Jid, Shared, ns};

/// Most stanzas kept for a client whose address is given but not told to it yet.
const EARLY_STANZAS_MAX: usize = 100;

/// Seconds after which a client is asked for an acknowledgement, when too little went out to ask for it at once. Short
/// enough to find a phone's radio awake still.
const ASK_LATE_SECONDS: u32 = 3;

/// What only connections of clients have.
#[derive(Default)]
pub(super) struct OfClient {
    /// The full address, once it has been told.
    address: OnceCell<Jid>,
    early: RefCell<Vec<Shared>>,
    /// Most have none, so it is elsewhere.
    managed: RefCell<Option<Box<Managed>>>,
    /// Each stanza is a message of a WebSocket (RFC 7395).
    framed: Cell<bool>,
    /// What waits while nobody looks at the client; none while somebody does.
    waiting: RefCell<Option<Box<Waiting>>>,
}

/// A client that acknowledges what it takes.
struct Managed {
    outbound: Outbound,
    resumption: Option<Resumption>,
}

/// By what, and for how long, a session is found again when its stream has broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumption {
    /// Part of the id, which nobody can guess.
    pub nonce: [u8; 16],
    /// Seconds.
    pub seconds: u32,
}

impl Conn {
    /// The client has been told its address: what came for it meanwhile is written now.
    pub fn go_live(&self, address: Jid) {
        let _ = self.client.address.set(address);
        for stanza in self.client.early.take() {
            self.deliver(&stanza, 0, &mut Vec::new());
        }
    }

    /// The full address of a client that has been told it.
    pub fn address(&self) -> Option<&Jid> {
        self.client.address.get()
    }

    /// Writes a stanza to a client, in this second of the shard's clock; `scratch` is room to work in.
    pub fn deliver(&self, stanza: &Shared, second: u32, scratch: &mut Vec<u8>) {
        if self.address().is_none() {
            let mut early = self.client.early.borrow_mut();
            if early.len() < EARLY_STANZAS_MAX {
                return early.push(stanza.clone());
            }
            return self.end(End::Slow);
        };
        scratch.clear();
        self.put_together(std::iter::once(stanza), second, scratch);
        self.write(scratch);
    }

    /// Appends what a client gets of these stanzas to `out`, to be written by [`Conn::write`], and says how many they are.
    pub fn put_together<'a>(&self, stanzas: impl Iterator<Item = &'a Shared>, second: u32, out: &mut Vec<u8>) -> usize {
        let Some(address) = self.address() else { return 0 };
        let managed = &mut *self.client.managed.borrow_mut();
        let waiting = &mut *self.client.waiting.borrow_mut();
        let mut count = 0;
        for stanza in stanzas {
            if let Some(waiting) = waiting {
                if waiting.holds(stanza) {
                    continue;
                }
                count += waiting.take().map(|held| self.put(managed, &held, address, second, out)).sum::<usize>();
            }
            count += self.put(managed, stanza, address, second, out);
        }
        if let Some(managed) = managed
            && self.is_connected()
            && managed.outbound.wants_request()
        {
            self.put_markup(REQUEST.as_bytes(), out);
        }
        self.traffic.borrow().stanzas_out(count);
        count
    }

    /// Appends what a client gets of one stanza; how many that is.
    fn put(
        &self,
        managed: &mut Option<Box<Managed>>,
        stanza: &Shared,
        address: &Jid,
        second: u32,
        out: &mut Vec<u8>,
    ) -> usize {
        if let Some(managed) = managed
            && self.note_sent(managed, stanza, second) == Goes::Nowhere
        {
            return 0;
        }
        self.splice(stanza, address, out);
        1
    }

    fn splice(&self, stanza: &Shared, address: &Jid, out: &mut Vec<u8>) {
        if !self.client.framed.get() {
            return stanza.splice(Splice { to: address.as_str(), tail: b"" }, out);
        }
        let start = out.len();
        stanza.splice_alone(address.as_str(), out);
        put_header(start, out);
    }

    /// From now on what it is sent goes in messages of a WebSocket, or does not.
    pub fn frame(&self, framed: bool) {
        self.client.framed.set(framed);
    }

    fn put_markup(&self, markup: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(markup);
        if self.client.framed.get() {
            put_header(start, out);
        }
    }

    /// Writes markup that is no stanza.
    pub fn say(&self, markup: &[u8]) {
        let mut bytes = Vec::new();
        self.put_markup(markup, &mut bytes);
        self.write(&bytes);
    }

    /// Somebody looks at the client again, or nobody does any more (XEP-0352 4.2).
    pub fn look(&self, somebody: bool, second: u32) {
        if !somebody {
            self.client.waiting.borrow_mut().get_or_insert_default();
            return;
        }
        let Some(mut waiting) = self.client.waiting.take() else { return };
        let stanzas: Vec<Shared> = waiting.take().collect();
        let mut bytes = Vec::new();
        self.put_together(stanzas.iter(), second, &mut bytes);
        self.write(&bytes);
    }

    /// Keeps a stanza until it is acknowledged. Over the bounds a client that is there loses the chance to be sent the
    /// oldest again; a session that waits for its client has waited for too much.
    fn note_sent(&self, managed: &mut Managed, stanza: &Shared, second: u32) -> Goes {
        managed.outbound.push(stanza.clone(), second);
        let connected = self.is_connected();
        match (managed.outbound.is_over(), connected) {
            (true, true) => managed.outbound.forget_oldest(),
            (true, false) => self.end(End::Slow),
            _ => {}
        }
        if connected { Goes::Out } else { Goes::Nowhere }
    }

    /// From here on stanzas are counted (XEP-0198 3).
    pub fn manage(&self, bounds: Bounds, resumption: Option<Resumption>) {
        let managed = Managed { outbound: Outbound::new(bounds), resumption };
        *self.client.managed.borrow_mut() = Some(Box::new(managed));
    }

    /// The client has taken so many (XEP-0198 4).
    pub fn acknowledge(&self, handled: u32) -> Result<(), StreamError> {
        match &mut *self.client.managed.borrow_mut() {
            Some(managed) => managed.outbound.acknowledge(handled),
            None => Ok(()),
        }
    }

    /// Asks a client that acknowledges whether it is there; whether it does.
    pub fn ask(&self) -> bool {
        let asked = self.client.managed.borrow_mut().as_mut().is_some_and(|managed| managed.outbound.ask());
        if asked {
            self.say(REQUEST.as_bytes());
        }
        asked
    }

    /// Asks a client that was sent little, a while ago, for its acknowledgement.
    pub fn ask_late(&self, second: u32) {
        let before = second.saturating_sub(ASK_LATE_SECONDS);
        let mut managed = self.client.managed.borrow_mut();
        if managed.as_mut().is_some_and(|m| self.is_connected() && m.outbound.wants_late_request(before)) {
            self.say(REQUEST.as_bytes());
        }
    }

    /// By what the session is found again, if all that its client may miss is kept.
    pub fn resumption(&self) -> Option<Resumption> {
        let managed = self.client.managed.borrow();
        managed.as_ref().filter(|managed| managed.outbound.is_whole())?.resumption
    }

    /// The stream has broken: the session waits for its client.
    pub fn fall_asleep(&self, second: u32, resumption: Resumption) {
        // XEP-0352 5.2: whoever comes back looks.
        self.look(true, second);
        if let Some(managed) = &mut *self.client.managed.borrow_mut() {
            managed.outbound.stream_ended();
        }
        self.go_on();
        self.watch.set(Watch::Until(second.saturating_add(resumption.seconds)));
    }

    /// The client is back, by this transport. What it has not acknowledged is sent by [`Conn::send_again`].
    pub fn awake(&self, transport: Transport, second: u32) -> io::Result<()> {
        self.give_transport(transport)?;
        self.go_on();
        self.heard.set((second, false));
        self.watch.set(Watch::Client);
        Ok(())
    }

    /// Sends what is not acknowledged, in order, with the time it was first sent at (XEP-0198 5).
    pub fn send_again(&self, clock: Clock) {
        let (Some(address), managed) = (self.address(), self.client.managed.borrow()) else { return };
        let Some(managed) = managed.as_ref() else { return };
        // What the client has missed is owed to it, and bounded by itself: it is no sign of a slow reader.
        let allowed = self.outbound_bytes_max.get().max(clock.outbound_bytes_max + managed.outbound.bytes());
        self.outbound_bytes_max.set(allowed);
        let mut bytes = Vec::new();
        for sent in managed.outbound.unacknowledged() {
            let stanza = clock.delayed(sent, address.domain()).map(Shared::new);
            let stanza = stanza.as_ref().unwrap_or(&sent.stanza);
            bytes.clear();
            self.splice(stanza, address, &mut bytes);
            self.write(&bytes);
        }
        self.traffic.borrow().stanzas_out(managed.outbound.unacknowledged().len());
    }

    /// The session ends: what its client has not acknowledged, addressed to it, with the time it was sent at.
    pub fn undelivered(&self, clock: Clock) -> Vec<Element> {
        let (Some(address), Some(managed)) = (self.address(), self.client.managed.take()) else { return Vec::new() };
        let addressed = |sent: &Sent| match clock.delayed(sent, address.domain()) {
            Some(delayed) => delayed.attr("to", address.as_str()),
            None => sent.stanza.addressed(address.as_str()),
        };
        let stanzas = managed.outbound.unacknowledged().filter(|sent| sent.stanza.element().name() != "presence");
        stanzas.map(addressed).collect()
    }
}

/// What becomes of a stanza's bytes.
#[derive(PartialEq)]
enum Goes {
    Out,
    Nowhere,
}

/// The shard's clock and the world's, at the same moment, and what holds for all connections.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The shard's second.
    pub second: u32,
    /// Unix milliseconds.
    pub unix_ms: i64,
    /// `limits.outbound_bytes`.
    pub outbound_bytes_max: usize,
}

impl Clock {
    /// A message that comes late says so (XEP-0203), unless it does already.
    fn delayed(&self, sent: &Sent, domain: &str) -> Option<Element> {
        let stanza = sent.stanza.element();
        let late = self.second.saturating_sub(sent.second);
        if stanza.name() != "message" || late == 0 || stanza.has_child("delay", ns::DELAY) {
            return None;
        }
        let stamp_ms = self.unix_ms - i64::from(late) * 1_000;
        Some(stanza.clone().child(delay(Some(domain), stamp_ms)))
    }
}
