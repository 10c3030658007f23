//! What holds whatever comes: no stanza makes a replica panic, and no fault of a link loses or doubles anything for long.

use crate::site::{ROOM, Site, THEN_MS, join};
use crate::world::{CAST, Fault, SERVICE, SITES, World};
use machine::{Input, Machine, Now};
use proptest::prelude::*;
use xmpp::{Element, ns};

/// Elements as a hostile peer may nest them: known names in known namespaces, in any place.
fn element() -> impl Strategy<Value = Element> {
    const NAMES: [&str; 24] = [
        "x",
        "at",
        "up",
        "enter",
        "leave",
        "granted",
        "seat",
        "mark",
        "stale",
        "refused",
        "resend",
        "synced",
        "config",
        "jids",
        "heads",
        "head",
        "ping",
        "query",
        "withdrawn",
        "error",
        "item",
        "status",
        "delay",
        "remote-server-timeout",
    ];
    const SPACES: [&str; 10] = [
        ns::DMUC,
        ns::NETJOIN,
        ns::MUC,
        ns::MUC_USER,
        ns::CLIENT,
        ns::STANZA_ERRORS,
        ns::PING,
        ns::DISCO_INFO,
        ns::DELAY,
        ns::SID,
    ];
    const ATTRIBUTES: [(&str, &str); 16] = [
        ("epoch", "e1"),
        ("d", "1"),
        ("d", "13"),
        ("kind", "event"),
        ("kind", "enter"),
        ("kind", "synced"),
        ("kind", "roster"),
        ("seq", "900"),
        ("n", "18446744073709551615"),
        ("outbox", "o"),
        ("jid", "squit@eris.dclxvii.irc/jupiter"),
        ("nick", "WiZ"),
        ("role", "moderator"),
        ("affiliation", "none"),
        ("code", "303"),
        ("stamp", "1990-10-13T23:58:37Z"),
    ];
    let leaf = (0..NAMES.len(), 0..SPACES.len(), prop::collection::vec(0..ATTRIBUTES.len(), 0..6)).prop_map(
        |(name, space, attributes)| {
            attributes.into_iter().fold(Element::new(NAMES[name], SPACES[space]), |element, index| {
                element.attr(ATTRIBUTES[index].0, ATTRIBUTES[index].1)
            })
        },
    );
    leaf.prop_recursive(3, 12, 4, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..4)).prop_map(|(element, children)| element.with(children))
    })
}

fn stanza() -> impl Strategy<Value = Element> {
    const ADDRESSES: [&str; 8] = [
        "wallops@channel.avalon.irc",
        "wallops@channel.avalon.irc/WiZ",
        "wallops@channel.avalon.irc/BigCheese",
        "channel.avalon.irc",
        "replica@eris.dclxvii.irc",
        "squit@eris.dclxvii.irc/jupiter",
        "troy@eris.dclxvii.irc/screwdriver",
        "other@example.org/x",
    ];
    const KINDS: [&str; 8] = ["", "error", "unavailable", "groupchat", "get", "set", "result", "chat"];
    let names = prop::sample::select(vec!["message", "presence", "iq"]);
    (names, 0..ADDRESSES.len(), 0..ADDRESSES.len(), 0..KINDS.len(), prop::collection::vec(element(), 0..4)).prop_map(
        |(name, from, to, kind, children)| {
            let stanza = Element::stanza(name).attr("from", ADDRESSES[from]).attr("to", ADDRESSES[to]).attr("id", "1");
            stanza.attr_opt("type", Some(KINDS[kind]).filter(|kind| !kind.is_empty())).with(children)
        },
    )
}

/// What happens in a room while its links fail.
#[derive(Debug, Clone)]
enum Act {
    Says(usize),
    Shows(usize),
    /// Somebody comes, by the number of the site.
    Comes(usize),
    /// And goes.
    Goes(usize),
    Cut(usize),
    Heal(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..CAST.len()).prop_map(Act::Says),
        2 => (0..CAST.len()).prop_map(Act::Shows),
        1 => (0..SITES.len()).prop_map(Act::Comes),
        1 => (0..SITES.len()).prop_map(Act::Goes),
        1 => (0..SITES.len()).prop_map(Act::Cut),
        1 => (0..SITES.len()).prop_map(Act::Heal),
        2 => (0..20_000u64).prop_map(Act::Wait),
    ]
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![6 => Just(None), 1 => Just(Some(Fault::Drop)), 1 => Just(Some(Fault::Twice)), 1 => Just(Some(Fault::Late))]
}

/// The roster as a newcomer of a site is shown it: nick, affiliation and role, show.
fn roster_at(world: &mut World, site: &str) -> Vec<String> {
    let newcomer = format!("newcomer@{site}/x");
    world.user(&join(&newcomer, "newcomer"));
    let shown = world.take(&newcomer);
    world.user(&format!("<presence from='{newcomer}' type='unavailable' to='{ROOM}/newcomer'/>"));
    let mut roster: Vec<String> = shown
        .iter()
        .filter(|s| {
            s.name() == "presence" && s.get("type").is_none() && !s.get("from").is_some_and(|f| f.ends_with("newcomer"))
        })
        .map(|s| {
            let mut s = s.clone();
            s.unset("to");
            s.to_xml()
        })
        .collect();
    roster.sort();
    roster
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stanza_makes_a_replica_panic(stanzas in prop::collection::vec(stanza(), 1..20)) {
        let users = [("WiZ", "squit@eris.dclxvii.irc/jupiter"), ("Troy", "troy@eris.dclxvii.irc/screwdriver")];
        let mut site = Site::with_users("eris.dclxvii.irc", &users);
        for (index, stanza) in stanzas.into_iter().enumerate() {
            let mut out = Vec::new();
            site.replica.wants(&stanza);
            let now = Now { mono_ms: 2_000 + index as u64 * 500, unix_ms: THEN_MS };
            site.replica.handle(Input::Stanza(stanza), now, &mut out);
            site.replica.handle(Input::Timeout, now, &mut out);
        }
    }

    /// Drop, double, overtake and cut as one likes: once all is whole and time has passed, everybody has been sent every
    /// message once, in the primary's order but for what was said at their own site while it was an island, and all rosters are
    /// the primary's.
    #[test]
    fn faults_heal(
        acts in prop::collection::vec(act(), 1..25),
        faults in prop::collection::vec(fault(), 0..60),
    ) {
        let mut world = World::with_cast(true);
        world.inbox.clear();
        world.faults = faults.into();
        for (number, act) in acts.iter().enumerate() {
            match act {
                Act::Says(who) => world.says(CAST[*who].0, &format!("{number}")),
                Act::Shows(who) => {
                    let (nick, jid) = CAST[*who];
                    world.user(&format!("<presence from='{jid}' to='{ROOM}/{nick}'><status>{number}</status></presence>"));
                }
                Act::Comes(site) => world.user(&join(&format!("guest@{}/x", SITES[*site]), &format!("guest{site}"))),
                Act::Goes(site) => world.user(&format!(
                    "<presence from='guest@{}/x' type='unavailable' to='{ROOM}/guest{site}'/>",
                    SITES[*site]
                )),
                Act::Cut(site) => world.cut(SITES[*site]),
                Act::Heal(site) => world.heal(SITES[*site]),
                Act::Wait(ms) => world.pass_ms(*ms),
            }
        }
        world.faults.clear();
        SITES.into_iter().for_each(|site| world.heal(site));
        world.pass_ms(900_000);
        let said = world.archived(SERVICE);
        let spoke = acts.iter().filter(|act| matches!(act, Act::Says(_))).count();
        prop_assert_eq!(said.len(), spoke, "said {:?}", said);
        for (nick, jid) in CAST {
            let got = world.take(jid);
            // What was said here while the room was not reached was heard ahead of the rest; each in its order.
            let (mut split, mut ahead, mut rest) = (false, Vec::new(), Vec::new());
            for (from, body) in got.iter().filter_map(|s| Some((s.get("from")?, s.get_child("body", ns::CLIENT)?.content()))) {
                match from == ROOM {
                    true => split = body.contains("not reached any more"),
                    false if split => ahead.push(body),
                    false => rest.push(body),
                }
            }
            let (said_ahead, said_else): (Vec<String>, Vec<String>) =
                said.iter().cloned().partition(|number| ahead.contains(number));
            prop_assert_eq!(ahead, said_ahead, "{} while cut off", nick);
            prop_assert_eq!(rest, said_else, "{} otherwise", nick);
        }
        for site in SITES {
            prop_assert_eq!(world.archived(site), said.clone(), "the mirror of {}", site);
            prop_assert_eq!(world.states(site), ["live"]);
        }
        let roster = roster_at(&mut world, SITES[0]);
        prop_assert!(roster.len() >= CAST.len());
        for site in &SITES[1..] {
            let there = roster_at(&mut world, site);
            prop_assert_eq!(&there, &roster, "the roster at {}", site);
        }
    }
}
