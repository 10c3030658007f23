//! A room over real sockets: audiences on several shards, and what a client that goes leaves behind.

use crate::site::{Settings, Site};
use crate::user::User;
use server::control::{Answer, LinkState, Request, RoomDetail};

pub fn site(users: &[&str]) -> Site {
    let settings = Settings { rest: "[rooms]\ndomain = \"rooms.montague.lit\"".into(), ..Settings::clear() };
    Site::start("montague.lit", users, &settings)
}

pub fn enter(user: &mut User, nick: &str) {
    user.send(&format!(
        "<presence to='coven@rooms.montague.lit/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    // XEP-0045 7.2.15: the subject is the last thing that who enters is sent.
    while !user.next_of("message").has_child("subject", "jabber:client") {}
}

/// XEP-0045 10.1.2: who creates a room accepts it as it is; until then it is locked.
pub fn create(user: &mut User, nick: &str) {
    enter(user, nick);
    user.send(
        "<iq type='set' id='open' to='coven@rooms.montague.lit'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'/></query></iq>",
    );
    assert_eq!(user.next_of("iq").get("type"), Some("result"));
}

#[test]
fn what_is_said_in_a_room_reaches_everybody_once_and_in_order() {
    let names: Vec<String> = (0..12).map(|n| format!("witch{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let site = site(&names);
    let mut users: Vec<User> = names
        .iter()
        .map(|name| {
            let mut user = User::online(&site, &format!("{name}@montague.lit/heath"));
            if *name == "witch0" {
                create(&mut user, name)
            } else {
                enter(&mut user, name)
            }
            user
        })
        .collect();
    for n in 0..50 {
        users[0].send(&format!(
            "<message to='coven@rooms.montague.lit' type='groupchat' id='m{n}'><body>{n}</body></message>"
        ));
    }
    for user in &mut users {
        for n in 0..50 {
            let heard = user.next_of("message");
            assert_eq!(heard.get("from"), Some("coven@rooms.montague.lit/witch0"));
            assert_eq!(heard.get_child("body", "jabber:client").unwrap().content(), n.to_string());
        }
    }
}

#[test]
fn a_client_that_vanishes_leaves_its_rooms() {
    let site = site(&["romeo", "benvolio"]);
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    drop(romeo);
    let left = benvolio.next_of("presence");
    assert_eq!((left.get("type"), left.get("from")), (Some("unavailable"), Some("coven@rooms.montague.lit/romeo")));
}

/// XEP-0282: one copy of each message crosses to the site, whatever the number of its users there.
#[test]
fn a_room_elsewhere_is_reached_through_the_replica() {
    let avalon = Settings { rest: "[rooms]\ndomain = \"rooms.montague.lit\"".into(), ..Settings::clear() };
    let primary = Site::start("montague.lit", &["romeo"], &avalon);
    let mirror = Settings { rest: "[replica]\njid = \"replica@capulet.lit\"".into(), ..Settings::clear() };
    let names = ["juliet", "nurse", "tybalt", "paris"];
    let site = Site::start("capulet.lit", &names, &mirror);
    primary.meets(&site);
    primary.routes_to("capulet.lit", site.address("s2s"));
    site.routes_to("rooms.montague.lit", primary.address("s2s"));

    let mut romeo = User::online(&primary, "romeo@montague.lit/orchard");
    create(&mut romeo, "romeo");
    let mut users: Vec<User> = names
        .iter()
        .map(|name| {
            let mut user = User::online(&site, &format!("{name}@capulet.lit/hall"));
            enter(&mut user, name);
            user
        })
        .collect();
    let before = primary.link("capulet.lit").stanzas_out;
    for n in 0..20 {
        romeo.send(&format!(
            "<message to='coven@rooms.montague.lit' type='groupchat' id='m{n}'><body>{n}</body></message>"
        ));
    }
    for user in &mut users {
        for n in 0..20 {
            let heard = user.next_of("message");
            assert_eq!(heard.get("from"), Some("coven@rooms.montague.lit/romeo"));
            assert_eq!(heard.get_child("body", "jabber:client").unwrap().content(), n.to_string());
            assert!(!heard.children().any(|c| matches!(c.ns(), "urn:xmpp:tmp:dmuc:0" | "urn:netjoin:dmuc:0")));
        }
    }
    let crossed = primary.link("capulet.lit").stanzas_out - before;
    assert!((20..30).contains(&crossed), "{crossed} stanzas for 20 messages to 4 users");

    users[1].send("<message to='coven@rooms.montague.lit' type='groupchat'><body>anon</body></message>");
    while romeo.next_of("message").get("from") != Some("coven@rooms.montague.lit/nurse") {}
}

fn shown(site: &Site) -> RoomDetail {
    let room = xmpp::Jid::new("coven@rooms.montague.lit").unwrap();
    let Ok(Answer::Room(detail)) = site.ask(Request::RoomShow { room }) else { panic!("no such room") };
    detail
}

/// XEP-0282 4.11: both sides say that the link is lost, and that it is back.
#[test]
fn a_link_that_is_cut_and_healed_is_shown_so_on_both_sides() {
    let hasty = "keepalive_seconds = 1\nsuspect_seconds = 1";
    let led = Settings { rest: format!("[rooms]\ndomain = \"rooms.montague.lit\"\n{hasty}"), ..Settings::clear() };
    let primary = Site::start("montague.lit", &["romeo"], &led);
    let mirror = Settings { rest: format!("[replica]\njid = \"replica@capulet.lit\"\n{hasty}"), ..Settings::clear() };
    let site = Site::start("capulet.lit", &["juliet"], &mirror);
    primary.meets(&site);
    site.routes_to("rooms.montague.lit", primary.address("s2s"));
    let mut romeo = User::online(&primary, "romeo@montague.lit/orchard");
    create(&mut romeo, "romeo");
    let mut juliet = User::online(&site, "juliet@capulet.lit/balcony");
    enter(&mut juliet, "juliet");

    let (there, here) = ("rooms.montague.lit", "capulet.lit");
    let live = |link: &server::control::Link| (link.state, link.rooms, link.outbox) == (LinkState::Live, 1, Some(0));
    assert!(site.link_becomes(there, live).lag_ms.is_some());
    assert!(primary.link_becomes(here, live).lag_ms.is_some());
    let detail = shown(&primary);
    let seats: Vec<_> = detail.occupants_list.iter().map(|o| (o.nick.as_str(), o.role.as_str())).collect();
    assert_eq!(seats, [("juliet", "participant"), ("romeo", "moderator")]);
    assert!(detail.seq.is_some_and(|seq| seq >= 2));
    assert_eq!(detail.replicas_list[0].state, LinkState::Live);

    assert_eq!(site.ask(Request::LinkCut { domain: there.into() }), Ok(Answer::Done));
    assert_eq!(site.link(there).state, LinkState::Cut);
    let lost = primary.link_becomes(here, |link| link.state == LinkState::Split);
    assert!(lost.since.is_some() && lost.rooms == 1, "{lost:?}");
    let figures = primary.figures().links.into_iter().find(|link| link.domain == here).unwrap();
    assert_eq!(figures.state, LinkState::Split);

    assert_eq!(site.ask(Request::LinkHeal { domain: there.into() }), Ok(Answer::Done));
    assert!(site.link_becomes(there, live).resumes >= 1);
    primary.link_becomes(here, live);
    assert_eq!(shown(&primary).occupants_list.len(), 2);
}
