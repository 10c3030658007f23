//! Scenes to be measured: a room with so many occupants, a message to all of them, a crowd that enters.
//!
//! Each scene is a function without clock and randomness, so that instruction counts of it repeat.

use machine::{Input, Machine, Now, Output};
use rooms::{Create, Primary, PrimaryConfig};
use xmpp::{Element, Shared};

const ROOM: &str = "coven@chat.shakespeare.lit";

/// A room service with its clock.
pub struct Scene {
    service: Primary,
    now: Now,
}

impl Scene {
    /// An open room whose owner is its only occupant.
    pub fn room() -> Scene {
        let config = PrimaryConfig {
            domain: "chat.shakespeare.lit".parse().expect("a domain"),
            create: Create::Anyone,
            local_domains: Vec::new(),
            admins: Vec::new(),
            replicas: vec!["*".into()],
            keepalive_seconds: 60,
            suspect_seconds: 10,
        };
        let service = Primary::new(config, [1; 32], Vec::new(), Vec::new());
        let mut scene = Scene { service, now: Now { mono_ms: 0, unix_ms: 1_034_553_517_000 } };
        scene.run(&join(0));
        scene.run(&format!(
            "<iq from='{}' id='i' to='{ROOM}' type='set'><query xmlns='http://jabber.org/protocol/muc#owner'>\
             <x xmlns='jabber:x:data' type='submit'/></query></iq>",
            user(0)
        ));
        scene
    }

    /// A room with `occupants` direct occupants.
    pub fn room_with(occupants: usize) -> Scene {
        let mut scene = Scene::room();
        scene.enter(1..occupants);
        scene
    }

    /// These users enter, everybody's presence being shown to everybody; gives the number of stanzas sent one to one.
    pub fn enter(&mut self, users: std::ops::Range<usize>) -> usize {
        users.map(|n| sends(&self.run(&join(n)))).sum()
    }

    /// The owner says something to all: parsed, judged, archived, told. Gives what is to be done.
    pub fn say(&mut self, message: &Element) -> Vec<Output> {
        self.feed(Input::Stanza(message.clone()))
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

/// A message of 411 bytes on the wire, as the owner's client sends it.
pub fn message() -> Element {
    let frame = |body: &str| {
        format!("<message from='{}' id='m1' to='{ROOM}' type='groupchat'><body>{body}</body></message>", user(0))
    };
    let body = "x".repeat(411 - frame("").len());
    Element::parse(&frame(&body)).expect("a message")
}

/// The stanza of the one broadcast among outputs.
pub fn broadcast(outputs: &[Output]) -> Option<&Shared> {
    outputs.iter().find_map(|output| match output {
        Output::Broadcast { plain, .. } => plain.as_ref(),
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
