//! Plays in the simulated world: on one node, and with every user at a site of his own.

use super::script::{self, Received};
use super::{Deed, Places, Script, Step, Transcript};
use crate::compare::Kind;
use crate::world::{Scene, ServerConfig, World};
use std::collections::BTreeMap;
use xmpp::{Element, Jid};

/// Where a transcript is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// One server has the accounts and the rooms.
    OneNode,
    /// Every account is at a site of its own, with a replica.
    EverybodyApart,
}

impl Stage {
    /// Both.
    pub const ALL: [Stage; 2] = [Stage::OneNode, Stage::EverybodyApart];
}

/// Plays a transcript; the first step that did not go as it stands there is told.
pub fn play(transcript: &Transcript, stage: Stage) -> Result<World, String> {
    let mut play = Play::new(transcript, stage);
    for step in &transcript.steps {
        let received = play.take(step);
        play.script.check(step, &received).map_err(|e| format!("{stage:?}: {e}"))?;
    }
    let world = play.world;
    if let Some(complaint) = world.tape.complaints.first() {
        return Err(format!("{stage:?}: {complaint}"));
    }
    let entered = world.tape.crossings.iter().any(|crossing| is_enter(&crossing.stanza));
    if entered != (stage == Stage::EverybodyApart) {
        return Err(format!("{stage:?}: whether somebody entered through a replica: {entered}"));
    }
    Ok(world)
}

/// Whether this is the ENTER of XEP-0282 4.5.
fn is_enter(stanza: &Element) -> bool {
    stanza.get_child("x", xmpp::ns::DMUC).is_some_and(|x| x.has_child("enter", xmpp::ns::DMUC))
}

/// The transcript with what is received on one node.
pub fn write(transcript: &Transcript) -> Transcript {
    let mut written = transcript.clone();
    let mut names = Names::of(transcript);
    let mut play = Play::new(transcript, Stage::OneNode);
    for (step, out) in transcript.steps.iter().zip(&mut written.steps) {
        let received = play.take(step);
        out.receives = play.script.written(&received);
        for (_, stanzas) in &mut out.receives {
            for stanza in stanzas {
                names.put_into(stanza);
            }
        }
        // What is named here may be sent later by its name.
        let learned = play.script.check(out, &received);
        learned.expect("what was received is what was received");
    }
    written
}

struct Play<'a> {
    world: World,
    script: Script<'a>,
    /// How much of the tape has been looked at.
    seen: usize,
}

impl<'a> Play<'a> {
    fn new(transcript: &'a Transcript, stage: Stage) -> Play<'a> {
        let places = match stage {
            Stage::OneNode => Places::as_written(),
            Stage::EverybodyApart => Places::apart(transcript),
        };
        let script = Script::new(transcript, places);
        let mut world = World::new(SEED, THEN_MS);
        let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let members: Vec<Jid> = transcript.cast.iter().filter_map(|member| script.address(&member.name)).collect();
        for jid in &members {
            users.entry(jid.domain().to_owned()).or_default().push(jid.local().unwrap_or_default().to_owned());
        }
        for (domain, users) in users {
            let users: Vec<&str> = users.iter().map(String::as_str).collect();
            world.add(match stage {
                Stage::OneNode => ServerConfig::plain_site(&domain, &users).with_rooms(ROOMS),
                Stage::EverybodyApart => ServerConfig::site(&domain, &users),
            });
        }
        if stage == Stage::EverybodyApart {
            world.add(ServerConfig::rooms(ROOMS));
        }
        for jid in &members {
            world.connect(jid);
        }
        world.quiet();
        let seen = world.tape.tellings.len();
        Play { world, script, seen }
    }

    /// Takes a step and waits for quiet; what everybody received.
    fn take(&mut self, step: &Step) -> Received {
        let Some(who) = self.script.address(&step.who) else { return Received::new() };
        match &step.deed {
            Deed::Sends(stanzas) => {
                for stanza in stanzas {
                    let stanza = self.script.to_send(stanza);
                    self.world.send(&who, stanza);
                }
            }
            Deed::Connects => {
                self.world.connect(&who);
            }
            Deed::Disconnects => self.world.disconnect(&who),
        }
        self.world.quiet();
        let received = self.received();
        self.world.pass_ms(STEP_MS);
        received
    }

    fn received(&mut self) -> Received {
        let mut received = Received::new();
        for telling in self.world.tape.tellings.iter().skip(self.seen) {
            let member = self.script.transcript.cast.iter().find(|member| {
                self.script.address(&member.name).is_some_and(|address| address.as_str() == telling.who)
            });
            if let (Some(member), Scene::Received(stanza)) = (member, &telling.what) {
                received.entry(member.name.clone()).or_default().push(stanza.clone());
            }
        }
        self.seen = self.world.tape.tellings.len();
        received
    }
}

/// Short names for the ids that servers make, for a person to read.
#[derive(Default)]
struct Names {
    known: BTreeMap<(Kind, String), String>,
    /// How many there are of each kind.
    counts: BTreeMap<&'static str, usize>,
}

impl Names {
    /// Those that somebody sends are good as they are.
    fn of(transcript: &Transcript) -> Names {
        let sent = transcript.steps.iter().filter_map(|step| match &step.deed {
            Deed::Sends(stanzas) => Some(stanzas),
            _ => None,
        });
        let chosen = sent.flatten().flat_map(script::chosen_ids);
        Names { known: chosen.map(|id| ((Kind::Id, id.to_owned()), id.to_owned())).collect(), ..Names::default() }
    }

    fn put_into(&mut self, element: &mut Element) {
        let children: Vec<Element> = element.children().cloned().collect();
        let about_messages =
            matches!(element.ns(), xmpp::ns::SID | xmpp::ns::MAM | xmpp::ns::MODERATE | script::RETRACT);
        let kinds = [
            ("id", "message", about_messages),
            ("id", "occupant", element.ns() == xmpp::ns::OCCUPANT_ID),
            ("since", "version", element.name() == "mav"),
            ("until", "version", element.name() == "mav"),
        ];
        for (attribute, what, _) in kinds.into_iter().filter(|kind| kind.2) {
            if let Some(id) = element.get(attribute).map(str::to_owned) {
                let name = self.name(id, what);
                element.set(attribute, name);
            }
        }
        if element.ns() == xmpp::ns::RSM && matches!(element.name(), "first" | "last") && !element.content().is_empty()
        {
            let name = self.name(element.content(), "message");
            element.clear();
            element.push_text(name);
        }
        if children.is_empty() {
            return;
        }
        element.clear();
        for mut child in children {
            self.put_into(&mut child);
            element.push(child);
        }
    }

    fn name(&mut self, id: String, what: &'static str) -> String {
        if let Some(known) = self.known.get(&(Kind::Id, id.clone())) {
            return known.clone();
        }
        let count = self.counts.entry(what).or_default();
        *count += 1;
        let name = format!("{what}-{count}");
        self.known.insert((Kind::Id, id), name.clone());
        name
    }
}

/// The service of all transcripts.
const ROOMS: &str = "chat.shakespeare.lit";
/// 2002-10-13T23:58:37Z, when the witches met.
const THEN_MS: i64 = 1_034_553_517_000;
/// What passes between steps, so that stamps differ.
const STEP_MS: u64 = 1_000;
/// Any.
const SEED: u64 = 7;
