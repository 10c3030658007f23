//! The memory of an island through a long split: it grows with what is said there and with nothing else.

use crate::net::{Net, SERVICE};
use crate::{ISLE, MAIN, SITES};
use xmpp::{Jid, ns};

/// What was measured, in bytes of resident memory of the process; the island's disk is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Island {
    /// Growth while nothing was said.
    pub quiet: i64,
    /// Growth while something was.
    pub talk: i64,
    /// Bytes of what was said, as stanzas.
    pub said: u64,
}

/// Twenty people on an island for most of a day, who show themselves `acts` times, ping themselves, write to each other in private and
/// try what only the room can do as often; and then say `messages`.
pub fn island(acts: usize, messages: usize) -> Island {
    let room: Jid = format!("wallops@{SERVICE}").parse().expect("an address");
    let mut net = Net::new(&SITES);
    net.open(MAIN, &room, &[("muc#roomconfig_whois", "anyone")]);
    let user = |n: usize| format!("user{}", n % PEOPLE);
    (0..PEOPLE).for_each(|n| net.join(ISLE, &user(n), &room));
    net.forget_disk(ISLE);
    net.cut(ISLE);
    net.pass_ms(15_000);
    // What a first round needs is not growth.
    quiet(&mut net, &room, acts / 10, &user);
    let before = resident();
    quiet(&mut net, &room, acts, &user);
    let silent = resident();
    let body = "It is raining in Vesa, that is what I wanted to say. ".repeat(4);
    (0..messages).for_each(|n| net.say(ISLE, &user(n), &room, &body));
    let told = net.told;
    net.say(ISLE, &user(0), &room, "still here");
    assert!(net.told > told, "it still is an island, and not given up");
    let said = (messages * (body.len() + 100)) as u64;
    Island { quiet: silent - before, talk: resident() - silent, said }
}

fn quiet(net: &mut Net, room: &Jid, acts: usize, user: &impl Fn(usize) -> String) {
    for n in 0..acts {
        let (me, other) = (user(n), user(n + 1));
        let from = net.address(ISLE, &me);
        let ping = format!("<iq type='get' id='p' from='{from}' to='{room}/{me}'><ping xmlns='{}'/></iq>", ns::PING);
        let whisper = format!("<message from='{from}' to='{room}/{other}' type='chat'><body>psst {n}</body></message>");
        let subject = format!("<message from='{from}' to='{room}' type='groupchat'><subject>{n}</subject></message>");
        let nick = format!("<presence from='{from}' to='{room}/another{n}'/>");
        let history = format!("<iq type='set' id='q' from='{from}' to='{room}'><query xmlns='{}'/></iq>", ns::MAM);
        net.show(ISLE, &me, room, "", &format!("<show>away</show><status>{n}</status>"));
        for stanza in [ping, whisper, subject, nick, history] {
            net.user(ISLE, &stanza);
        }
        if n.is_multiple_of(PRESENCES_PER_PASS) {
            net.pass_ms(60_000);
        }
    }
}

/// Resident memory of this process, bytes.
fn resident() -> i64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says what a process has");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok());
    pages.expect("the second number is the resident pages") * 4_096
}

/// People on the island.
const PEOPLE: usize = 20;
/// After so many acts a minute passes, in which the site asks for its room.
const PRESENCES_PER_PASS: usize = 100;
