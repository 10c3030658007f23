//! How often what there is to be seen was seen: each fault, each effect that users or links show, and each consequence of a netsplit and
//! of the rules of a netjoin ([`rules`]), and of a disk that is older ([`set_back`]). What is never seen in many seeds is not tested by them.

mod rules;
mod set_back;

use crate::scenario::Outcome;
use crate::scenario::faults::Fault;
use crate::users::view;
use crate::world::{Scene, Tape};
use std::collections::BTreeMap;
use std::fmt;
use xmpp::{Element, ns};

/// In how many runs each thing was seen.
#[derive(Debug, Clone)]
pub struct Coverage(BTreeMap<String, u64>);

/// Something that a stanza on a link, or to a user, shows.
type Effect = (&'static str, fn(&Element) -> bool);

/// What is seen on links.
const ON_LINKS: [Effect; 19] = [
    ("link: asked for the first time", |s| replicate(s).is_some_and(|r| !r.has_child("resume", ns::NETJOIN))),
    ("link: resumed", |s| replicate(s).is_some_and(|r| r.has_child("resume", ns::NETJOIN))),
    ("link: asked with what a start before had left", |s| {
        replicate(s).is_some_and(|r| r.children().filter(|c| c.name() == "outbox").count() > 1)
    }),
    ("link: refused", |s| is_error(s) && s.name() == "iq" && replicate(s).is_none() && to_replica(s)),
    ("link: withdrawn", |s| s.has_child("withdraw", ns::NETJOIN)),
    ("verdict: kept", |s| has_verdict(s, "kept")),
    ("verdict: entered again", |s| has_verdict(s, "reenter")),
    ("verdict: removed", |s| has_verdict(s, "removed")),
    ("sent: recent history", |s| is_kind(s, "history")),
    ("sent: what was missed", |s| is_kind(s, "missed")),
    ("sent: ENTER", |s| is_kind(s, "enter")),
    ("sent: LEAVE", |s| is_kind(s, "leave")),
    ("sent: real addresses", |s| is_kind(s, "jids")),
    ("sent: asked again for what was relayed", |s| is_kind(s, "resend")),
    ("sent: a digest", |s| is_kind(s, "digest")),
    ("sent: several parts", |s| at(s).is_some_and(|at| at.get("parts").is_some())),
    ("said: another epoch", |s| dmuc(s).is_some_and(|x| x.has_child("stale", ns::NETJOIN))),
    ("said: an ENTER is refused", |s| dmuc(s).is_some_and(|x| x.has_child("refused", ns::NETJOIN))),
    ("said: an error for what was relayed", |s| is_error(s) && dmuc(s).is_some_and(|x| x.has_child("up", ns::NETJOIN))),
];

/// What users are sent.
const TO_USERS: [Effect; 8] = [
    ("user: in", |s| s.name() == "presence" && has_status(s, "110") && s.get("type").is_none()),
    ("user: out for a technical reason", |s| has_status(s, "333") && has_status(s, "110")),
    ("user: kicked", |s| has_status(s, "307") && !has_status(s, "333")),
    ("user: banned", |s| has_status(s, "301")),
    ("user: another nick", |s| has_status(s, "303")),
    ("user: may not enter", |s| s.name() == "presence" && is_error(s)),
    ("user: a message is refused", |s| s.name() == "message" && is_error(s)),
    ("user: a message comes later", |s| s.name() == "message" && s.has_child("delay", ns::DELAY)),
];

impl Default for Coverage {
    fn default() -> Coverage {
        let faults = Fault::ALL.into_iter().map(fault);
        let effects = ON_LINKS.iter().chain(&TO_USERS).map(|(name, _)| (*name).to_owned());
        let rules = rules::RULES.into_iter().chain(set_back::RULES).map(str::to_owned);
        Coverage(faults.chain(effects).chain(rules).map(|name| (name, 0)).collect())
    }
}

impl Coverage {
    /// Adds what a run has shown.
    pub fn add(&mut self, outcome: &Outcome) {
        let faults = outcome.befell.keys().copied().map(fault);
        let seen: Vec<String> = faults
            .chain(effects(&outcome.tape))
            .chain(rules::seen(&outcome.tape, &outcome.room).into_iter().map(str::to_owned))
            .chain(set_back::seen(&outcome.tape, &outcome.room).map(str::to_owned))
            .collect();
        for name in seen {
            *self.0.entry(name).or_default() += 1;
        }
    }

    /// Adds what other runs have shown.
    pub fn merge(&mut self, other: &Coverage) {
        for (name, times) in &other.0 {
            *self.0.entry(name.clone()).or_default() += times;
        }
    }

    /// What was never seen.
    pub fn never(&self) -> Vec<&str> {
        self.0.iter().filter(|(_, times)| **times == 0).map(|(name, _)| name.as_str()).collect()
    }
}

/// In how many runs, and what.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, times)| writeln!(f, "{times:>8} {name}"))
    }
}

fn fault(fault: Fault) -> String {
    format!("fault: {fault:?}")
}

fn effects(tape: &Tape) -> impl Iterator<Item = String> {
    let received = tape.tellings.iter().filter_map(|telling| match &telling.what {
        Scene::Received(stanza) => Some(stanza),
        _ => None,
    });
    let seen = shown(&ON_LINKS, tape.on_links()).into_iter().chain(shown(&TO_USERS, received));
    seen.map(str::to_owned)
}

/// Which of these effects the stanzas show; one that was seen is not looked for any more.
fn shown<'a>(effects: &[Effect], stanzas: impl Iterator<Item = &'a Element>) -> Vec<&'static str> {
    let (mut seen, mut unseen) = (Vec::new(), effects.to_vec());
    for stanza in stanzas {
        seen.extend(unseen.extract_if(.., |(_, shows)| shows(stanza)).map(|(name, _)| name));
    }
    seen
}

fn replicate(stanza: &Element) -> Option<&Element> {
    stanza.get_child("replicate", ns::NETJOIN).filter(|_| !is_error(stanza))
}

fn has_verdict(stanza: &Element, verdict: &str) -> bool {
    let granted = stanza.get_child("granted", ns::NETJOIN).into_iter().flat_map(Element::children);
    granted.into_iter().any(|child| child.get("verdict") == Some(verdict))
}

fn dmuc(stanza: &Element) -> Option<&Element> {
    stanza.get_child("x", ns::DMUC)
}

fn at(stanza: &Element) -> Option<&Element> {
    dmuc(stanza)?.get_child("at", ns::NETJOIN)
}

fn is_kind(stanza: &Element, kind: &str) -> bool {
    at(stanza).is_some_and(|at| at.get("kind") == Some(kind))
}

fn is_error(stanza: &Element) -> bool {
    stanza.get("type") == Some("error")
}

fn to_replica(stanza: &Element) -> bool {
    stanza.get("to").is_some_and(|to| to.starts_with("replica@"))
}

fn has_status(stanza: &Element, code: &str) -> bool {
    stanza.name() == "presence" && view::has_status(stanza, code)
}
