//! A room over real sockets: audiences on several shards, and what a client that goes leaves behind.

use crate::site::{Settings, Site};
use crate::user::User;

fn site(users: &[&str]) -> Site {
    let settings = Settings { rest: "[rooms]\ndomain = \"rooms.montague.lit\"".into(), ..Settings::clear() };
    Site::start("montague.lit", users, &settings)
}

fn enter(user: &mut User, nick: &str) {
    user.send(&format!(
        "<presence to='coven@rooms.montague.lit/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    // XEP-0045 7.2.15: the subject is the last thing that who enters is sent.
    while !user.next_of("message").has_child("subject", "jabber:client") {}
}

/// XEP-0045 10.1.2: who creates a room accepts it as it is; until then it is locked.
fn create(user: &mut User, nick: &str) {
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
