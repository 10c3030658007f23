//! What a netjoin transfers, beside the difference itself.

use crate::net::{Net, SERVICE};
use crate::{ISLE, LIVE, MAIN, SITES, kind};
use std::collections::BTreeMap;
use xmpp::{Element, Jid, ns};

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes both ways from the moment the link is whole until the mirror is: request, verdicts, snapshot, pings.
    pub crossed: u64,
    /// The difference as it crossed to a site that was there: every message, and the last presence of each occupant it is about.
    pub live: u64,
    /// The same without marks and address, as XEP-0045 alone would have it.
    pub bare: u64,
    /// Messages that came as missed.
    pub messages: usize,
    /// Presences that came as the roster.
    pub presences: usize,
    /// Whether people were told that something is missing.
    pub gap: bool,
}

/// A site is cut off while `messages` are said and `changes` occupants of others change, come or leave, each `times` times;
/// `stay` more are in the room and do nothing.
pub fn transfer(messages: usize, changes: usize, times: usize, stay: usize) -> Transfer {
    let room: Jid = format!("wallops@{SERVICE}").parse().expect("an address");
    let mut net = Net::new(&SITES);
    net.open(MAIN, &room, &[]);
    net.join(LIVE, "witness", &room);
    net.join(ISLE, "castaway", &room);
    for n in 0..stay {
        net.join(MAIN, &format!("still{n}"), &room);
    }
    let user = |n: usize| format!("user{n}");
    // Of four one comes, one goes, two change.
    let (comes, goes) = (|n: usize| n.is_multiple_of(4), |n: usize| n % 4 == 1);
    for n in (0..changes).filter(|n| !comes(*n)) {
        net.join(MAIN, &user(n), &room);
    }
    net.cut(ISLE);
    net.pass_ms(15_000);
    net.tap(LIVE);
    for n in 0..messages {
        net.say(
            MAIN,
            "owner",
            &room,
            &format!("{n}: BigCheese, it is us who are having a truly rotten time over here"),
        );
    }
    for time in 0..times {
        for n in 0..changes {
            match time {
                0 if comes(n) => net.join(MAIN, &user(n), &room),
                _ if time + 1 == times && goes(n) => net.show(MAIN, &user(n), &room, "type='unavailable'", ""),
                _ => net.show(
                    MAIN,
                    &user(n),
                    &room,
                    "",
                    &format!("<show>away</show><status>for the {time}. time</status>"),
                ),
            }
        }
    }
    let difference = difference(&net.tap(LIVE));
    let before = net.crossed(ISLE);
    net.tap(ISLE);
    net.heal(ISLE);
    for _ in 0..1_000 {
        if net.live(ISLE) == 1 {
            break;
        }
        net.pass_ms(500);
    }
    assert_eq!(net.live(ISLE), 1, "it is joined");
    let (after, came) = (net.crossed(ISLE), net.tap(ISLE));
    let of_kind = |wanted: &str| came.iter().filter(|s| kind(s) == Some(wanted)).count();
    let bytes = |of: &dyn Fn(&Element) -> String| difference.iter().map(|s| of(s).len() as u64).sum();
    Transfer {
        crossed: after.down_bytes - before.down_bytes + after.up_bytes - before.up_bytes,
        live: bytes(&Element::to_xml),
        bare: bytes(&bare),
        messages: of_kind("missed"),
        presences: of_kind("roster"),
        gap: came.iter().any(|s| s.to_xml().contains("gap='true'")),
    }
}

/// Of what a site was told: every message, and of presence the last of each nick.
fn difference(told: &[Element]) -> Vec<Element> {
    let events = told.iter().filter(|s| kind(s) == Some("event"));
    let (messages, presences): (Vec<&Element>, Vec<&Element>) = events.partition(|s| s.name() == "message");
    let last: BTreeMap<Option<&str>, &Element> = presences.into_iter().map(|s| (s.get("from"), s)).collect();
    messages.into_iter().chain(last.into_values()).cloned().collect()
}

fn bare(stanza: &Element) -> String {
    let mut bare = stanza.clone();
    bare.retain(|child| child.ns() != ns::DMUC);
    bare.unset("to");
    bare.to_xml()
}
