//! Scenes to be measured: a stanza that comes in, a room with so many occupants or replicas, somebody who enters.
//!
//! Each scene is a function without clock and randomness, so that instruction counts of it repeat.

use machine::{Input, Machine, Now, Output};
use rooms::{Create, Primary, PrimaryConfig};
use xmpp::xml::{Limits, Parser, Pool, Splice, StreamEvent};
use xmpp::{Element, Shared, ns};

const ROOM: &str = "coven@chat.shakespeare.lit";

/// Bytes of the message that all benches send.
pub const MESSAGE_BYTES: usize = 411;

/// Whether occupants of a scene's room see each other's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// As every room does unless its owner says otherwise.
    Shown,
    /// Only moderators' is: large rooms of a scene fill faster, what is said to them costs the same.
    Hidden,
}

/// A room service with its clock.
pub struct Scene {
    service: Primary,
    now: Now,
}

impl Scene {
    /// An open room whose owner is its only occupant.
    pub fn room(presence: Presence) -> Scene {
        let config = PrimaryConfig {
            supply_members: false,
            domain: "chat.shakespeare.lit".parse().expect("a domain"),
            create: Create::Anyone,
            local_domains: Vec::new(),
            admins: Vec::new(),
            contacts: Default::default(),
            replicas: vec!["*".into()],
            keepalive_seconds: 60,
            suspect_seconds: 10,
            retention_seconds: 3_600,
            mark_away: true,
        };
        let service = Primary::new(config, [1; 32], Vec::new(), Vec::new());
        let mut scene = Scene { service, now: Now { mono_ms: 0, unix_ms: 1_034_553_517_000 } };
        scene.run(&join(0));
        let broadcast = match presence {
            Presence::Shown => "",
            Presence::Hidden => "<field var='muc#roomconfig_presencebroadcast'><value>moderator</value></field>",
        };
        scene.run(&format!(
            "<iq from='{}' id='i' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>{CONFIG_FORM}</value></field>\
             {broadcast}</x></query></iq>",
            user(0)
        ));
        scene
    }

    /// These users enter directly; gives the number of stanzas sent one to one.
    pub fn enter(&mut self, users: std::ops::Range<usize>) -> usize {
        users.map(|n| sends(&self.run(&join(n)))).sum()
    }

    /// A site registers a replica of the room, and so many of its users enter through it.
    pub fn replicate(&mut self, site: usize, occupants: usize) {
        let replica = format!("replica@site{site}.example");
        let granted = self.run(&format!(
            "<iq type='set' from='{replica}' to='{ROOM}' id='r1'><replicate xmlns='{}' version='0' keepalive='60' \
             maxstanzas='100' maxbytes='65536'><outbox name='o{site}' from='1'/></replicate></iq>",
            ns::NETJOIN
        ));
        let mut epoch = epoch_in(&granted, &replica);
        for n in 1..=occupants {
            let mark = Element::new("up", ns::NETJOIN)
                .attr("outbox", format!("o{site}"))
                .attr("n", n.to_string())
                .attr_opt("epoch", epoch.as_ref());
            let relayed = Element::stanza("presence")
                .attr("from", format!("witch{n}@site{site}.example/broom"))
                .attr("to", format!("{ROOM}/witch{n}of{site}"))
                .child(Element::new("x", ns::MUC))
                .child(Element::new("x", ns::DMUC).child(mark));
            let outputs = self.feed(Input::Stanza(relayed));
            epoch = epoch.or_else(|| epoch_in(&outputs, &replica));
        }
        assert!(epoch.is_some(), "a replica whose user was admitted is granted its registration");
    }

    /// The owner says something to all: judged, archived, told. Gives what is to be done.
    pub fn say(&mut self, message: Element) -> Vec<Output> {
        self.feed(Input::Stanza(message))
    }

    fn run(&mut self, stanza: &str) -> Vec<Output> {
        self.feed(Input::Stanza(Element::parse(stanza).expect("a scene's stanza")))
    }

    /// Handles an input; whatever is to be persisted is on disk at once.
    fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.service.handle(input, self.now, &mut outputs);
        let mut from = 0;
        while from < outputs.len() {
            let tokens: Vec<_> = outputs[from..]
                .iter()
                .filter_map(|output| match output {
                    Output::Persist { token, .. } => Some(*token),
                    _ => None,
                })
                .collect();
            from = outputs.len();
            for token in tokens {
                self.service.handle(Input::Persisted(token), self.now, &mut outputs);
            }
        }
        outputs
    }
}

/// A client's stream behind its header, whose parser rests between stanzas.
pub struct Reading {
    parser: Parser,
    pool: Pool,
}

impl Reading {
    /// Reads the header.
    pub fn begin() -> Reading {
        let mut reading = Reading { parser: Parser::new(Limits::AUTHENTICATED), pool: Pool::new() };
        let header = format!(
            "<stream:stream xmlns='{}' xmlns:stream='{}' to='shakespeare.lit' version='1.0'>",
            ns::CLIENT,
            ns::STREAMS
        );
        let opened = reading.parser.next(&mut header.as_bytes());
        assert!(matches!(opened, Ok(Some(StreamEvent::Open(_)))), "the scene's header is a good one");
        reading.parser.rest(&mut reading.pool);
        reading
    }

    /// Reads one stanza: a parser is borrowed, fed and given back.
    pub fn stanza(&mut self, bytes: &[u8]) -> Option<Element> {
        self.parser.wake(&mut self.pool);
        let event = self.parser.next(&mut &bytes[..]);
        self.parser.rest(&mut self.pool);
        match event {
            Ok(Some(StreamEvent::Stanza(stanza))) => Some(stanza),
            _ => None,
        }
    }
}

/// A message of [`MESSAGE_BYTES`] on the wire, as the owner's client sends it.
pub fn message() -> String {
    let frame = |body: &str| {
        format!("<message from='{}' id='m1' to='{ROOM}' type='groupchat'><body>{body}</body></message>", user(0))
    };
    frame(&"x".repeat(MESSAGE_BYTES - frame("").len()))
}

/// The stanza of the one broadcast among outputs.
pub fn broadcast(outputs: &[Output]) -> Option<&Shared> {
    outputs.iter().find_map(|output| match output {
        Output::Broadcast { plain, .. } => plain.as_ref(),
        _ => None,
    })
}

/// Writes what replicas get of a broadcast, one after the other; gives how many there were.
pub fn write_copies(outputs: &[Output], bytes: &mut Vec<u8>) -> usize {
    let mut written = 0;
    for output in outputs {
        let Output::Fan { stanza, copies } = output else { continue };
        for (to, marks) in copies {
            let tail = marks.to_xml();
            bytes.clear();
            stanza.splice(Splice { to: to.as_str(), tail: tail.as_bytes() }, bytes);
            written += 1;
        }
    }
    written
}

fn epoch_in(outputs: &[Output], replica: &str) -> Option<String> {
    outputs.iter().find_map(|output| match output {
        Output::Send { to, stanza } if to.as_str() == replica => {
            let granted = stanza.element().get_child("granted", ns::NETJOIN)?;
            granted.get("epoch").map(str::to_owned)
        }
        _ => None,
    })
}

fn sends(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Send { .. })).count()
}

fn user(n: usize) -> String {
    format!("witch{n}@shakespeare.lit/broom")
}

fn join(n: usize) -> String {
    format!(
        "<presence from='{}' to='{ROOM}/witch{n}'><show>chat</show>\
         <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://example.org' ver='abc'/>\
         <x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
        user(n)
    )
}

const CONFIG_FORM: &str = "http://jabber.org/protocol/muc#roomconfig";
