//! Clients by WebSocket (RFC 7395), with a client library's frames, and the same sessions by other connections.

use crate::resume::{asleep, back, body, says};
use crate::rooms::enter;
use crate::site::{Settings, Site};
use crate::user::{Socket, User};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::io::{Read, Write};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, Message, WebSocket};
use xmpp::{Element, ns};

const LISTEN: &str = "listen = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n\
                      websocket_url = \"wss://chat.montague.lit/xmpp-websocket\"";
const ROOM: &str = "coven@rooms.montague.lit";
const OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='montague.lit' version='1.0'/>";
const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

fn site(settings: Settings) -> Site {
    crate::resume::site(Settings { http: Some(LISTEN), ..settings })
}

/// A client that comes by WebSocket.
struct Browser {
    socket: WebSocket<Socket>,
    handled: u32,
}

impl Browser {
    fn open(site: &Site, what: &str) -> Browser {
        let mut request = "ws://montague.lit/xmpp-websocket".into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "xmpp".parse().unwrap());
        let (socket, answer) = tungstenite::client(request, Socket::connect(site, what)).unwrap();
        assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "xmpp");
        Browser { socket, handled: 0 }
    }

    /// Logs in up to where a resource is to be bound.
    fn known(site: &Site, what: &str, user: &str) -> Browser {
        let mut browser = Browser::open(site, what);
        browser.say(OPEN);
        assert!(browser.next().is("open", ns::FRAMING));
        assert!(browser.next().is("features", ns::STREAMS));
        let message = BASE64_STANDARD.encode(format!("\0{user}\0{user}"));
        browser.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>"));
        assert!(browser.next().is("success", ns::SASL));
        browser.say(OPEN);
        assert!(browser.next().is("open", ns::FRAMING));
        assert!(browser.next().has_child("bind", ns::BIND));
        browser
    }

    /// Logs in, is available, and may resume; the id of the session.
    fn managed(site: &Site, what: &str, user: &str) -> (Browser, String) {
        let mut browser = Browser::known(site, what, user);
        browser.say(
            "<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>web</resource></bind></iq>",
        );
        assert_eq!(browser.next().get("type"), Some("result"));
        browser.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        let id = browser.next().get("id").unwrap().to_owned();
        browser.handled = 0;
        browser.say("<presence xmlns='jabber:client'/>");
        assert_eq!(browser.next().name(), "presence");
        (browser, id)
    }

    fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next element; what a message has besides it is an error.
    fn next(&mut self) -> Element {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                let element = Element::parse(&text).unwrap();
                assert!(text.contains(" xmlns"), "{text} says its namespace");
                self.handled += u32::from(element.ns() == ns::CLIENT);
                return element;
            }
        }
    }

    fn next_message(&mut self) -> Element {
        loop {
            let element = self.next();
            if element.name() == "message" {
                return element;
            }
        }
    }

    /// All that comes until the server closes.
    fn rest(&mut self) -> Vec<Element> {
        let mut seen = Vec::new();
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => seen.push(Element::parse(&text).unwrap()),
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(_)) => return seen,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn enters(&mut self, nick: &str) {
        self.say(&format!(
            "<presence xmlns='jabber:client' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        while !self.next_message().has_child("subject", ns::CLIENT) {}
    }
}

#[test]
fn a_room_is_heard_in_browsers_and_elsewhere_alike() {
    let site = site(Settings::clear());
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    crate::rooms::create(&mut benvolio, "benvolio");
    let (mut romeo, _) = Browser::managed(&site, "http", "romeo");
    romeo.enters("romeo");
    let (mut tybalt, _) = Browser::managed(&site, "http-tls", "tybalt");
    tybalt.enters("tybalt");
    enter(&mut benvolio, "benvolio");
    let long = "x".repeat(70_000);
    for n in 0..30 {
        says(&mut benvolio, &n.to_string());
    }
    romeo.say(&format!("<message xmlns='jabber:client' to='{ROOM}' type='groupchat'><body>{long}</body></message>"));
    for browser in [&mut romeo, &mut tybalt] {
        let mut heard: Vec<String> = Vec::new();
        while heard.len() < 31 {
            heard.push(body(&browser.next_message()));
        }
        assert!(heard.contains(&long));
        heard.retain(|body| *body != long);
        assert_eq!(heard, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    while body(&benvolio.next_of("message")) != long {}
    romeo.say(CLOSE);
    assert!(romeo.rest().last().is_some_and(|last| last.is("close", ns::FRAMING)));
    while benvolio.next_of("presence").get("type") != Some("unavailable") {}
}

/// XEP-0198 5: from a browser to TCP and back, with all that was said meanwhile.
#[test]
fn a_session_goes_from_one_kind_of_connection_to_another() {
    let site = site(Settings::tls());
    let (mut romeo, id) = Browser::managed(&site, "http-tls", "romeo");
    let mut benvolio = User::connect(&site, "c2s", "benvolio@montague.lit/square", |_| {}).unwrap();
    let tells = |benvolio: &mut User, text: &str| {
        benvolio.send(&format!("<message to='romeo@montague.lit/web' type='chat'><body>{text}</body></message>"));
        benvolio.quiet();
    };
    tells(&mut benvolio, "one");
    assert_eq!(body(&romeo.next_message()), "one");
    let handled = romeo.handled;
    drop(romeo);
    asleep(&site, 1);
    tells(&mut benvolio, "two");
    let mut by_tcp = back(&site, "c2s", "romeo@montague.lit/web", &id, handled).unwrap();
    assert_eq!(body(&by_tcp.next_of("message")), "two");
    tells(&mut benvolio, "three");
    assert_eq!(body(&by_tcp.next_of("message")), "three");
    let handled = handled + by_tcp.handled;
    // The older stream stands: it is ended.
    let mut romeo = Browser::known(&site, "http", "romeo");
    romeo.say(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{handled}'/>"));
    assert!(romeo.next().is("resumed", ns::SM));
    assert_eq!(by_tcp.end().map(|error| error.condition), Some("conflict"));
    tells(&mut benvolio, "four");
    assert_eq!(body(&romeo.next_message()), "four");
}

#[test]
fn what_is_wrong_with_a_message_ends_its_stream_alone() {
    let site = site(Settings::clear());
    let (mut benvolio, _) = Browser::managed(&site, "http", "benvolio");
    for wrong in [
        Message::binary(b"<presence/>".to_vec()),
        Message::text("<presence xmlns='jabber:client'/><presence xmlns='jabber:client'/>"),
        Message::text("<presence xmlns='jabber:client'>"),
        Message::text(""),
        Message::text(OPEN),
        Message::text("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"),
        Message::text(format!("<message xmlns='jabber:client'><body>{}</body></message>", "x".repeat(300_000))),
    ] {
        let (mut romeo, _) = Browser::managed(&site, "http", "romeo");
        let _ = romeo.socket.send(wrong.clone());
        let seen = romeo.rest();
        assert!(seen.iter().any(|s| s.is("error", ns::STREAMS)), "{wrong:?}: {seen:?}");
    }
    benvolio.say("<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(benvolio.next().get("id"), Some("p"));
    benvolio.socket.send(Message::Ping(b"there?".to_vec().into())).unwrap();
    assert_eq!(benvolio.socket.read().unwrap(), Message::Pong(b"there?".to_vec().into()));
}

/// Sends a request; all of the answer.
fn request(site: &Site, what: &str, request: &str) -> String {
    let mut socket = Socket::connect(site, what);
    socket.write_all(format!("{request}Host: montague.lit\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    match socket.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn requests_that_are_no_handshake_are_told_so() {
    let site = site(Settings::clear());
    let upgrade = "GET /xmpp-websocket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let status = |text: &str| request(&site, "http", text)["HTTP/1.1 ".len()..][..3].to_owned();
    assert_eq!(status("GET /xmpp-websocket HTTP/1.1\r\n"), "426");
    assert_eq!(status(upgrade), "400", "no subprotocol");
    assert_eq!(status(&format!("{upgrade}Sec-WebSocket-Protocol: mqtt\r\n")), "400");
    let wrong = upgrade.replace("13", "8") + "Sec-WebSocket-Protocol: xmpp\r\n";
    assert_eq!(status(&wrong), "426");
    let wrong = upgrade.replace("dGhl", "") + "Sec-WebSocket-Protocol: xmpp\r\n";
    assert_eq!(status(&wrong), "400", "a key that is too short");
}

/// XEP-0156 2, and what is not shown to everybody.
#[test]
fn host_meta_says_where_the_websocket_is() {
    let site = site(Settings::clear());
    for what in ["http", "http-tls"] {
        let xml = request(&site, what, "GET /.well-known/host-meta HTTP/1.1\r\n");
        assert!(xml.contains("access-control-allow-origin: *"), "{xml}");
        let xrd = Element::parse(xml.split_once("?>").unwrap().1.trim()).unwrap();
        let link = xrd.get_child("Link", "http://docs.oasis-open.org/ns/xri/xrd-1.0").unwrap();
        assert_eq!(link.get("rel"), Some("urn:xmpp:alt-connections:websocket"));
        assert_eq!(link.get("href"), Some("wss://chat.montague.lit/xmpp-websocket"));
        let json = request(&site, what, "GET /.well-known/host-meta.json HTTP/1.1\r\n");
        let json: serde_json::Value = serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(json["links"][0]["href"], "wss://chat.montague.lit/xmpp-websocket");
    }
    assert!(request(&site, "http", "GET /metrics HTTP/1.1\r\n").starts_with("HTTP/1.1 200"));
    assert!(request(&site, "http-tls", "GET /metrics HTTP/1.1\r\n").starts_with("HTTP/1.1 404"));
}
