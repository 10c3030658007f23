//! A primary that lies can lie about its own rooms alone, XEP-0282 7 and `docs/wire.md`: what it, or somebody who claims to be
//! one, may try at a site, and what that costs anybody else.

use crate::site::*;
use machine::Input;
use rooms::Status;
use rooms::wire::{At, Down, Head, Heads, Kind, Removed, Verdict};
use xmpp::{Element, ns};

const MALLORY: &str = "mallory@eris.dclxvii.irc/x";
const WUMPUS: &str = "argl@killrc.oulubox.irc/laptop";

fn eris() -> Site {
    Site::with_users("eris.dclxvii.irc", &[("WiZ", WIZ), ("Troy", TROY)])
}

fn state(site: &Site) -> &'static str {
    site.replica.links(site.now)[0].state
}

fn to<'a>(got: &'a [Element], who: &str) -> Vec<&'a Element> {
    got.iter().filter(|stanza| stanza.get("to") == Some(who)).collect()
}

fn to_users(got: &[Element]) -> Vec<&Element> {
    [WIZ, TROY, MALLORY, WUMPUS].into_iter().flat_map(|who| to(got, who)).collect()
}

/// 4.5: ENTER for whoever has not asked, here or anywhere else, is refused and nobody hears of it.
#[test]
fn enter_for_strangers_is_refused() {
    let mut site = eris();
    for stranger in [MALLORY, WUMPUS] {
        let got = site.enter(&own_presence("Mallory", "none", "participant"), stranger);
        assert!(to_users(&got).is_empty(), "{got:?}");
        let refusal = got.last().expect("an answer").to_xml();
        for part in ["<not-allowed", stranger, "epoch='e1'", "<refused"] {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
    }
    assert_eq!(to_users(&site.event(&groupchat("Wumpus", "among us", 900), 900)).len(), 2, "and they hear nothing");
}

/// A roster, or anything of a snapshot, that nobody asked for: the link is taken for lost, and asked for anew; nobody sees it.
#[test]
fn an_unasked_roster_is_not_taken() {
    for (down, kind) in
        [(Down::Roster, Kind::Roster), (Down::Past { said_ms: Some(0) }, Kind::History), (SYNCED, Kind::Synced)]
    {
        let mut site = eris();
        let seq = (kind != Kind::Roster).then_some(900);
        let got = site.down(&presence("Mallory", "owner", "moderator"), down, kind, seq);
        assert!(to_users(&got).is_empty(), "{got:?}");
        assert_eq!(state(&site), "suspect");
    }
}

/// Seats without end: a mirror that has as many as may be takes no more, and nobody sees the one too many; so it is with whom a
/// snapshot shows away.
#[test]
fn invented_seats_have_a_bound() {
    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    let left = site.announce(&asked);
    site.grant(&left, 0, false);
    let nicks: Vec<String> = (1..SEATS_MAX).map(|n| format!("n{n}")).collect();
    let roster: Vec<_> = nicks.iter().map(|nick| (nick.as_str(), "none", "participant")).collect();
    site.snapshot(&roster, &[], 800);
    site.event(&presence("WiZ", "none", "participant"), 801);
    site.enter(&own_presence("WiZ", "none", "participant"), WIZ);
    let last = site.event(&presence("n1", "none", "participant").replace("<x ", "<show>dnd</show><x "), 802);
    assert_eq!((to(&last, WIZ).len(), state(&site)), (1, "live"), "those there are may do what they like");
    let over = site.event(&presence("over", "none", "participant"), 803);
    assert_eq!((to(&over, WIZ).len(), state(&site)), (0, "suspect"));

    let mut site = Site::new("eris.dclxvii.irc");
    let asked = site.send(&join(WIZ, "WiZ"));
    let left = site.announce(&asked);
    site.grant(&left, 0, false);
    for chunk in 0..=SEATS_MAX / 200 {
        let nicks = (0..200).map(|n| format!("n{}", chunk * 200 + n).parse().unwrap()).collect();
        let away = rooms::wire::Away { site: None, lifted: false, nicks };
        site.down(&format!("<message from='{ROOM}'/>"), Down::Away(away), Kind::Away, None);
    }
    assert_eq!(state(&site), "suspect");
}

/// Most seats in a mirrored room.
const SEATS_MAX: usize = 100_000;

/// A room that nobody here is in: whatever comes of it, it is told that nobody is, and nobody hears of it.
#[test]
fn a_room_nobody_asked_for_is_told_so() {
    let mut site = eris();
    let x = Down::Event { said_ms: Some(0), config: None }.x();
    let at = At { seq: Some(1), ..At::new("e1", 1, Kind::Event) };
    let event =
        Element::parse(&groupchat("WiZ", "buy", 1)).expect("a message").to_xml().replace(ROOM, "shop@evil.example");
    let event =
        Element::parse(&event).expect("a message").attr("to", "replica@eris.dclxvii.irc").child(x.child(at.element()));
    for _ in 0..3 {
        let got = site.feed(Input::Stanza(event.clone()));
        assert_eq!((got.len(), got[0].get("to")), (1, Some("shop@evil.example")));
        assert!(got[0].to_xml().contains("deserted='true'"), "{}", got[0]);
    }
    assert_eq!(site.replica.links(site.now).len(), 1, "and nothing is kept of it");
}

/// Who answers a registration is whom it went to, and no service says anything of another's rooms.
#[test]
fn a_service_speaks_for_its_own_rooms() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_500);
    let (id, _) = site.request(&left);
    let got = site.send(&format!(
        "<iq type='error' id='{id}' from='wallops@evil.example' to='replica@eris.dclxvii.irc'><error type='cancel'>\
         <gone xmlns='{}'/><destroyed xmlns='{}' incarnation='i1'/></error></iq>",
        ns::STANZA_ERRORS,
        ns::NETJOIN
    ));
    assert_eq!((got, state(&site)), (vec![], "registering"));
    site.grant(&left, 2, true);
    site.snapshot(&CAST, &[], 900);
    let head = Head { room: ROOM.parse().expect("a room"), epoch: "other".into(), d: 99, ack: None };
    let ping = Element::new("ping", ns::PING).child(Heads::Down(vec![head]).element());
    let iq = |from: &str| {
        let iq = Element::stanza("iq").attr("type", "get").attr("id", "k").attr("from", from);
        Input::Stanza(iq.attr("to", "replica@eris.dclxvii.irc").child(ping.clone()))
    };
    site.feed(iq("evil.example"));
    assert_eq!(state(&site), "live");
    site.feed(iq(SERVICE));
    assert_eq!(state(&site), "suspect", "its own service may say so");
}

/// Seats of the answer that nobody has named: nothing is said in the name of users of other sites, nor of any here for another room.
#[test]
fn an_answer_speaks_for_nobody_else() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_500);
    let (id, request) = site.request(&left);
    let mut granted = site.granted(&request, 2, true, |_| Verdict::Kept);
    let removed = Removed { status: Status::KICKED, actor: None, reason: None };
    for (jid, verdict) in [(WUMPUS, Verdict::Kept), (BIGCHEESE, Verdict::Reenter), (MALLORY, Verdict::Removed(removed))]
    {
        let seat =
            rooms::wire::Seat { nick: "X".parse().expect("a nick"), jid: jid.parse().expect("an address"), verdict };
        granted.seats.push(seat);
    }
    let got = site.answer(&id, &granted);
    let named = |s: &&Element| {
        [WUMPUS, BIGCHEESE, MALLORY].iter().any(|jid| s.get("from") == Some(jid) || s.get("to") == Some(jid))
    };
    assert_eq!(got.iter().find(named), None);
    let got = site.snapshot(&CAST, &[], 900);
    assert_eq!(got.iter().find(named), None);
    assert_eq!(state(&site), "live");
}

/// LEAVE for somebody of another site says nothing to him, and who is here stays.
#[test]
fn nobody_of_another_site_is_kicked_from_here() {
    let mut site = eris();
    let down = Down::Leave { jid: WUMPUS.parse().expect("an address") };
    let own = unavailable("Wumpus", "<status code='307'/><status code='110'/>");
    let got = site.down(&own, down, Kind::Leave, None);
    assert_eq!((got, state(&site)), (vec![], "live"));
}

/// An epoch that is over stays so: what comes of it is not applied, and said to be stale once a second.
#[test]
fn an_epoch_does_not_come_back() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_500);
    site.grant(&left, 2, true);
    site.snapshot(&CAST, &[], 900);
    site.pass_ms(2_000);
    for n in 0..3 {
        let at = At { seq: Some(901), ..At::new("e1", 40 + n, Kind::Event) };
        let down = Down::Event { said_ms: Some(0), config: None };
        let got = site.down_at(&groupchat("Wumpus", "from before", 901), down, at);
        assert!(to_users(&got).is_empty(), "{got:?}");
        let stale = got.iter().filter(|s| s.to_xml().contains("<stale")).count();
        assert_eq!(stale, usize::from(n == 0));
    }
    assert_eq!(state(&site), "live");
}

/// Numbers that were given are not given again: neither seen twice nor kept twice. Ids and stamps are the room's own to choose, and
/// nothing but its own archive has them.
#[test]
fn numbers_and_ids_said_again_change_nothing() {
    let mut site = eris();
    site.event(&groupchat("Wumpus", "first", 900), 900);
    let got = site.event(&groupchat("Wumpus", "again", 900), 900);
    assert!(to_users(&got).is_empty(), "{got:?}");
    let forged = groupchat("Wumpus", "forged", 900);
    site.down(&forged, Down::Event { said_ms: Some(i64::MAX / 2), config: None }, Kind::Event, Some(u64::MAX));
    assert!(site.rows.iter().all(|row| row.archive == format!("mirror:{ROOM}")));
    let rows: Vec<&str> = site.rows.iter().filter(|row| row.id == "s900").map(|row| &*row.stanza).collect();
    assert!(rows.len() == 1 && rows[0].contains("first"), "{rows:?}");
    // Whatever it has counted up to, an island is one.
    site.feed(Input::StreamEnded(SERVICE.into()));
    site.pass_ms(15_000);
    assert_eq!(to(&site.send(&says(WIZ, "hi")), TROY).len(), 1);
}

/// A snapshot without end is given up, however steadily it comes, and nobody has seen anything of it.
#[test]
fn an_endless_snapshot_is_given_up() {
    let mut site = eris();
    site.feed(Input::StreamEnded(SERVICE.into()));
    let left = site.pass_ms(1_500);
    site.grant(&left, 2, true);
    let mut seen = Vec::new();
    for n in 0..200 {
        seen.extend(site.down(&presence(&format!("n{n}"), "none", "participant"), Down::Roster, Kind::Roster, None));
        seen.extend(site.pass_ms(500));
        if state(&site) != "syncing" {
            break;
        }
    }
    assert!(matches!(state(&site), "suspect" | "registering" | "split"), "{}", state(&site));
    assert!(!to_users(&seen).iter().any(|s| s.name() == "presence"), "{seen:?}");
}
