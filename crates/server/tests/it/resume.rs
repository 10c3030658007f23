//! Sessions that outlive their streams (XEP-0198), over real sockets, on two shards.

use crate::rooms::{create, enter};
use crate::site::{Settings, Site};
use crate::user::User;
use server::control::{LinkState, Request};
use std::time::Duration;
use xmpp::stream::TlsPolicy;
use xmpp::stream::client::{Failure, Resume};
use xmpp::{Element, Jid, ns};

const ROMEO: &str = "romeo@montague.lit/orchard";
const ROOM: &str = "coven@rooms.montague.lit";

pub fn site(settings: Settings) -> Site {
    let rest = format!("[rooms]\ndomain = \"rooms.montague.lit\"\n{}", settings.rest);
    Site::start("montague.lit", &["romeo", "benvolio", "tybalt"], &Settings { rest, ..settings })
}

/// Logs in and may resume; the id of the session.
pub fn managed(site: &Site, full: &str) -> (User, String) {
    let mut user = User::online(site, full);
    user.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let enabled = user.next_sm("enabled");
    assert_eq!(enabled.get("resume"), Some("true"));
    let id = enabled.get("id").expect("a session that may be resumed has an id").to_owned();
    (user, id)
}

/// Comes back for a session, having taken so many stanzas.
pub fn back(site: &Site, what: &str, full: &str, id: &str, handled: u32) -> Result<User, Failure> {
    User::connect(site, what, full, |config| {
        if site.server.config().c2s.tls == server::config::Encryption::Off {
            config.tls = TlsPolicy::Off;
        }
        config.resume = Some(Resume { jid: Jid::new(full).unwrap(), id: id.to_owned(), handled });
    })
}

fn resumed(site: &Site, full: &str, id: &str, handled: u32) -> User {
    back(site, "c2s", full, id, handled).unwrap_or_else(|why| panic!("{full} cannot resume: {why}"))
}

pub fn says(user: &mut User, text: &str) {
    user.send(&format!("<message to='{ROOM}' type='groupchat' id='{text}'><body>{text}</body></message>"));
}

pub fn body(message: &Element) -> String {
    message.get_child("body", ns::CLIENT).map(Element::content).unwrap_or_default()
}

/// Bodies of all messages that have come, in order.
fn bodies(user: &mut User) -> Vec<String> {
    user.quiet().iter().filter(|s| s.name() == "message").map(body).collect()
}

/// Waits until so many sessions wait for their client.
pub fn asleep(site: &Site, count: u64) {
    while site.figures().sessions_asleep != count {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn s5_what_was_said_meanwhile_comes_once_and_in_order_and_nobody_has_noticed() {
    let site = site(Settings::clear());
    let (mut romeo, id) = managed(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    says(&mut benvolio, "before");
    while body(&romeo.next_of("message")) != "before" {}
    let handled = romeo.handled;
    // What the client has received and not counted when its stream breaks is sent again.
    says(&mut benvolio, "unseen");
    while body(&romeo.next_of("message")) != "unseen" {}
    drop(romeo);
    asleep(&site, 1);
    for n in 0..30 {
        says(&mut benvolio, &n.to_string());
    }
    benvolio.send(&format!("<message to='{ROMEO}' type='chat'><body>art thou there?</body></message>"));
    assert!(!benvolio.quiet().iter().any(|s| s.name() == "presence"), "romeo is in the room still");

    let mut romeo = resumed(&site, ROMEO, &id, handled);
    let answer = romeo.next();
    assert!(answer.is("resumed", ns::SM), "{answer:?} comes first");
    assert_eq!(answer.get("previd"), Some(id.as_str()));
    says(&mut benvolio, "after");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "after") {
        heard.push(body(&romeo.next_of("message")));
    }
    // What is said to him alone does not wait for the room's disk.
    let chats = heard.iter().filter(|body| *body == "art thou there?").count();
    heard.retain(|body| body != "art thou there?");
    let expected = ["unseen".to_owned()].into_iter().chain((0..30).map(|n| n.to_string()));
    let expected: Vec<String> = expected.chain(["after".to_owned()]).collect();
    assert_eq!((heard, chats), (expected, 1));
    assert_eq!((site.figures().sessions_asleep, site.figures().resumptions), (0, 1));

    // And once more: the counters go on.
    let handled = romeo.handled + handled;
    drop(romeo);
    says(&mut benvolio, "again");
    // It waits for the room's disk; then all have it at once.
    while body(&benvolio.next_of("message")) != "again" {}
    let mut romeo = resumed(&site, ROMEO, &id, handled);
    assert_eq!(bodies(&mut romeo), ["again"]);
}

#[test]
fn s5_what_a_client_sent_is_counted_over_its_streams() {
    let site = site(Settings::clear());
    let (mut romeo, id) = managed(&site, ROMEO);
    romeo.send("<message to='benvolio@montague.lit'/><r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(romeo.next_sm("a").get("h"), Some("1"));
    let handled = romeo.handled;
    drop(romeo);
    let mut romeo = resumed(&site, ROMEO, &id, handled);
    assert_eq!(romeo.next_sm("resumed").get("h"), Some("1"));
    romeo.send("<presence><show>away</show></presence><r xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(romeo.next_sm("a").get("h"), Some("2"));
}

#[test]
fn s5_a_stream_that_stands_ends_with_a_conflict() {
    let site = site(Settings::clear());
    let (mut older, id) = managed(&site, ROMEO);
    let mut newer = resumed(&site, ROMEO, &id, 0);
    assert_eq!(older.end().map(|error| error.condition), Some("conflict"));
    assert_eq!(newer.quiet().len(), 1, "resumed, and nothing else");
    assert_eq!(site.figures().client_connections, 1);
}

/// The answers to what a stranger asks are those for what does not exist.
#[test]
fn s5_a_session_is_its_users_alone() {
    let site = site(Settings::clear());
    let (romeo, id) = managed(&site, ROMEO);
    let handled = romeo.handled;
    drop(romeo);
    asleep(&site, 1);
    let refused = |full: &str, id: &str| back(&site, "c2s", full, id, 0).err();
    let unknown = Some(Failure::Refused("item-not-found".into()));
    assert_eq!(refused("tybalt@montague.lit/square", &id), unknown);
    let mut forged = id.clone().into_bytes();
    forged[30] = if forged[30] == b'A' { b'B' } else { b'A' };
    for id in ["", "some-long-sm-id", &String::from_utf8(forged).unwrap(), &"_".repeat(35)] {
        assert_eq!(refused(ROMEO, id), unknown, "{id}");
    }
    resumed(&site, ROMEO, &id, handled);
}

#[test]
fn s5_who_cannot_resume_may_bind() {
    let site = site(Settings::clear());
    let mut refused = User::connect(&site, "c2s", ROMEO, |config| config.tls = TlsPolicy::Off).unwrap();
    refused.send("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>");
    assert!(refused.next_sm("failed").has_child("unexpected-request", ns::STANZA_ERRORS), "bound already");
    let seen = crate::user::plain_session(
        &site,
        "romeo",
        "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>\
         <iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq></stream:stream>",
    );
    assert!(seen.contains("<failed xmlns='urn:xmpp:sm:3'><item-not-found"), "{seen}");
    assert!(seen.contains("<jid>romeo@montague.lit/"), "{seen}");
}

#[test]
fn s6_a_count_that_is_too_high_ends_the_stream() {
    let site = site(Settings::clear());
    let (mut romeo, id) = managed(&site, ROMEO);
    romeo.send("<a xmlns='urn:xmpp:sm:3' h='1000'/>");
    let error = romeo.end().expect("a stream error");
    assert_eq!(error.condition, "undefined-condition");
    assert!(error.extra.is_some_and(|extra| extra.is("handled-count-too-high", ns::SM)));
    assert_eq!(back(&site, "c2s", ROMEO, &id, 0).err(), Some(Failure::Refused("item-not-found".into())));
}

#[test]
fn s6_who_resumes_with_a_wrong_count_harms_the_new_stream_alone() {
    let site = site(Settings::clear());
    let (romeo, id) = managed(&site, ROMEO);
    let handled = romeo.handled;
    drop(romeo);
    asleep(&site, 1);
    match back(&site, "c2s", ROMEO, &id, 1_000).err() {
        Some(Failure::Stream(error)) => assert_eq!(error.condition, "undefined-condition"),
        other => panic!("{other:?}"),
    }
    resumed(&site, ROMEO, &id, handled);
}

#[test]
fn s7_a_stream_that_is_closed_ends_its_session() {
    let site = site(Settings::clear());
    let (mut romeo, id) = managed(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    romeo.send("</stream:stream>");
    let left = benvolio.next_of("presence");
    assert_eq!((left.get("type"), left.get("from")), (Some("unavailable"), Some(&*format!("{ROOM}/romeo"))));
    assert_eq!(back(&site, "c2s", ROMEO, &id, 0).err(), Some(Failure::Refused("item-not-found".into())));
}

/// XEP-0198 4: what was not acknowledged is treated as if it had been sent to a resource that is not there.
#[test]
fn s4_when_nobody_comes_back_messages_go_elsewhere() {
    let site = site(Settings { c2s: "resume_seconds = 2".into(), ..Settings::clear() });
    let (mut romeo, id) = managed(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    drop(romeo);
    asleep(&site, 1);
    let mut phone = User::online(&site, "romeo@montague.lit/phone");
    phone.quiet();
    says(&mut benvolio, "hear ye");
    benvolio.send(&format!(
        "<message to='{ROMEO}' type='chat'><body>where art thou?</body></message>\
         <iq type='get' id='v' to='{ROMEO}'><query xmlns='jabber:iq:version'/></iq>"
    ));
    let message = phone.next_of("message");
    assert_eq!(
        (body(&message).as_str(), message.get("from")),
        ("where art thou?", benvolio.jid.as_ref().map(Jid::as_str))
    );
    assert!(message.has_child("delay", ns::DELAY), "{message:?}");
    let answer = benvolio.next_of("iq");
    assert_eq!((answer.get("id"), answer.get("type")), (Some("v"), Some("error")));
    let left = benvolio.next_of("presence");
    assert_eq!((left.get("type"), left.get("from")), (Some("unavailable"), Some(&*format!("{ROOM}/romeo"))));
    assert_eq!(bodies(&mut phone), [""; 0], "rooms keep what they say");
    assert_eq!(back(&site, "c2s", ROMEO, &id, 0).err(), Some(Failure::Refused("item-not-found".into())));
    assert_eq!(site.figures().sessions_asleep, 0);
}

#[test]
fn a_session_that_waits_for_too_much_ends_and_the_server_goes_on() {
    let site = site(Settings { limits: "unacked_stanzas = 100".into(), ..Settings::clear() });
    let (mut romeo, id) = managed(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    let handled = romeo.handled;
    drop(romeo);
    asleep(&site, 1);
    for n in 0..110 {
        says(&mut benvolio, &n.to_string());
    }
    while benvolio.next_of("presence").get("type") != Some("unavailable") {}
    assert_eq!(back(&site, "c2s", ROMEO, &id, handled).err(), Some(Failure::Refused("item-not-found".into())));
}

/// Whoever comes back without resuming, again and again, is let in: what waits longest ends.
#[test]
fn sessions_that_nobody_comes_back_for_shut_nobody_out() {
    let site = site(Settings::clear());
    let most = accounts::config::SESSIONS_PER_ACCOUNT_MAX as u64;
    let mut first = None;
    for n in 0..most + 3 {
        let (user, id) = managed(&site, &format!("romeo@montague.lit/{n}"));
        first.get_or_insert((id, user.handled));
        drop(user);
        asleep(&site, (n + 1).min(most));
    }
    let (id, handled) = first.unwrap();
    let gone = back(&site, "c2s", "romeo@montague.lit/0", &id, handled).err();
    assert_eq!(gone, Some(Failure::Refused("item-not-found".into())));
}

#[test]
fn a_client_that_acknowledges_nothing_loses_resumption_and_nothing_else() {
    let site = site(Settings { limits: "unacked_stanzas = 100".into(), ..Settings::clear() });
    let (mut romeo, id) = managed(&site, ROMEO);
    create(&mut romeo, "romeo");
    for n in 0..150 {
        says(&mut romeo, &n.to_string());
    }
    let mut heard = 0;
    while heard < 150 {
        heard += usize::from(!body(&romeo.next_of("message")).is_empty());
    }
    assert_eq!(romeo.quiet().iter().filter(|s| s.name() == "message").count(), 0);
    // Who has taken it all misses nothing, so it can resume; who has not, cannot.
    drop(romeo);
    assert_eq!(back(&site, "c2s", ROMEO, &id, 3).err(), Some(Failure::Refused("item-not-found".into())));
}

/// XEP-0352 4.2 and 5.1: presence waits, of each the last alone; a message brings it along, and so does somebody who looks.
#[test]
fn xep_0352_presence_waits_while_nobody_looks() {
    let site = site(Settings::clear());
    let mut romeo = User::online(&site, ROMEO);
    create(&mut romeo, "romeo");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    enter(&mut benvolio, "benvolio");
    romeo.quiet();
    romeo.send("<inactive xmlns='urn:xmpp:csi:0'/>");
    romeo.quiet();
    let mut shows = |show: &str, text: Option<&str>| {
        benvolio.send(&format!("<presence to='{ROOM}/benvolio'><show>{show}</show></presence>"));
        if let Some(text) = text {
            says(&mut benvolio, text);
            while body(&benvolio.next_of("message")) != text {}
        }
        benvolio.quiet();
    };
    shows("away", None);
    shows("dnd", Some("hark"));
    let shown = |stanza: &Element| stanza.get_child("show", ns::CLIENT).map(Element::content);
    let first = romeo.next();
    assert_eq!((first.name(), shown(&first)), ("presence", Some("dnd".into())), "{first:?}");
    assert_eq!(body(&romeo.next()), "hark");
    shows("xa", None);
    romeo.send("<active xmlns='urn:xmpp:csi:0'/>");
    let seen = romeo.quiet();
    assert_eq!(seen.iter().map(shown).collect::<Vec<_>>(), [Some("xa".into())], "{seen:?}");
}

#[test]
fn a_session_is_resumed_by_another_kind_of_connection() {
    let site = site(Settings::tls());
    let mut romeo = User::connect(&site, "c2s", ROMEO, |_| {}).unwrap();
    romeo.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let id = romeo.next_sm("enabled").get("id").unwrap().to_owned();
    for what in ["c2s-tls", "c2s", "c2s-tls"] {
        let handled = romeo.handled;
        drop(romeo);
        romeo = back(&site, what, ROMEO, &id, handled).unwrap();
        romeo.handled = handled;
        assert!(romeo.next().is("resumed", ns::SM));
        assert_eq!(romeo.quiet().len(), 0);
        romeo.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", romeo.handled));
        assert_eq!(romeo.quiet().len(), 0);
    }
}

#[test]
fn clients_are_asked_what_they_have() {
    let site = site(Settings::clear());
    let (mut romeo, _) = managed(&site, ROMEO);
    romeo.quiet();
    assert!(romeo.next().is("r", ns::SM), "asked a while after little was sent");
    romeo.send(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", romeo.handled));
    let pings: String =
        (0..20).map(|n| format!("<iq type='get' id='{n}'><ping xmlns='urn:xmpp:ping'/></iq>")).collect();
    romeo.send(&pings);
    let mut answers = 0;
    while romeo.next().ns() == ns::CLIENT {
        answers += 1;
    }
    assert_eq!(answers, 20, "asked at once after much was sent");
}

/// XEP-0282 4.11 and XEP-0198: who sleeps while the link to the room is lost gets all there is when he wakes.
#[test]
fn a_split_is_slept_through() {
    let avalon = "[rooms]\ndomain = \"rooms.montague.lit\"\nkeepalive_seconds = 1\nsuspect_seconds = 1";
    let primary = Site::start("montague.lit", &["romeo"], &Settings { rest: avalon.into(), ..Settings::clear() });
    let mirror = "[replica]\njid = \"replica@capulet.lit\"\nkeepalive_seconds = 1\nsuspect_seconds = 1";
    let names = ["juliet", "tybalt"];
    let site = Site::start("capulet.lit", &names, &Settings { rest: mirror.into(), ..Settings::clear() });
    primary.meets(&site);
    site.routes_to("rooms.montague.lit", primary.address("s2s"));
    let mut romeo = User::online(&primary, ROMEO);
    create(&mut romeo, "romeo");
    let (mut juliet, id) = managed(&site, "juliet@capulet.lit/balcony");
    enter(&mut juliet, "juliet");
    let mut tybalt = User::online(&site, "tybalt@capulet.lit/hall");
    enter(&mut tybalt, "tybalt");
    says(&mut romeo, "before");
    while body(&juliet.next_of("message")) != "before" {}
    let handled = juliet.handled;
    drop(juliet);
    asleep(&site, 1);

    primary.ask(Request::LinkCut { domain: "capulet.lit".into() }).unwrap();
    primary.link_becomes("capulet.lit", |link| link.state == LinkState::Cut);
    site.link_becomes("rooms.montague.lit", |link| link.state == LinkState::Split);
    says(&mut tybalt, "on the island");
    says(&mut romeo, "on the mainland");
    while body(&tybalt.next_of("message")) != "on the island" {}
    primary.ask(Request::LinkHeal { domain: "capulet.lit".into() }).unwrap();
    site.link_becomes("rooms.montague.lit", |link| link.state == LinkState::Live);
    while body(&romeo.next_of("message")) != "on the island" {}
    while body(&tybalt.next_of("message")) != "on the mainland" {}
    says(&mut romeo, "joined");
    while body(&tybalt.next_of("message")) != "joined" {}

    let mut juliet = resumed(&site, "juliet@capulet.lit/balcony", &id, handled);
    let heard: Vec<String> = bodies(&mut juliet)
        .into_iter()
        .filter(|b| ["before", "on the island", "on the mainland", "joined"].contains(&b.as_str()))
        .collect();
    assert_eq!(heard, ["on the island", "on the mainland", "joined"]);
    assert!(
        !romeo.quiet().iter().any(|s| {
            s.get("type") == Some("unavailable") && s.get("from").is_some_and(|from| from.ends_with("/juliet"))
        }),
        "she never left"
    );
}
