//! Servers that speak badly: wrong certificates, wrong answers of dialback, streams that end in errors. What is sent to them
//! bounces with the reason, what they say is not heard, and nobody else notices.

use crate::servers::{Authority, condition, lovers_that_meet, offer, online, read_to, talk};
use crate::site::{Settings, Site};
use crate::user::User;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const TO_JULIET: &str = "<message to='juliet@capulet.lit/balcony' type='chat'><body>o</body></message>";

/// RFC 6120 13.7.2: a certificate of another domain is worth nothing where only certificates count; that domain itself is heard.
#[test]
fn a_certificate_of_another_name_proves_nothing() {
    let authority = Authority::new();
    let capulet = authority.site("capulet.lit", "capulet.lit", &["juliet"]);
    let montague = authority.site("montague.lit", "verona.lit", &["romeo"]);
    montague.meets(&capulet);
    let (mut romeo, mut juliet) = lovers_that_meet(&montague, &capulet);
    romeo.send(TO_JULIET);
    assert_eq!(romeo.next_of("message").get("type"), Some("error"));
    juliet.send("<message to='romeo@montague.lit/orchard' type='chat'><body>o</body></message>");
    assert_eq!(juliet.next_of("message").get("type"), Some("error"));
    assert_eq!((romeo.quiet(), juliet.quiet()), (vec![], vec![]));
    let verona = authority.site("verona.lit", "verona.lit", &["romeo"]);
    verona.meets(&capulet);
    let mut mercutio = online(&verona, "romeo@verona.lit/orchard");
    mercutio.send(TO_JULIET);
    assert_eq!(juliet.next_of("message").get("from"), Some("romeo@verona.lit/orchard"));
}

/// XEP-0220 2.1.1 and 2.4.2: what a server says instead of `valid`, and what the sender is told; in the end a stream that is
/// taken carries on.
#[test]
fn xep_0220_answers_that_are_not_valid_bounce_what_waits() {
    let answers = [
        ("<db:result from='capulet.lit' to='montague.lit' type='invalid'/>", "internal-server-error"),
        (
            "<db:result from='capulet.lit' to='montague.lit' type='error'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
            "remote-server-timeout",
        ),
        (
            "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
            "remote-server-not-found",
        ),
        ("<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>", "remote-server-timeout"),
        ("</stream:stream>", "remote-server-timeout"),
        ("<not><well></formed>", "remote-server-timeout"),
    ];
    for (answer, expected) in answers {
        let montague = Site::start("montague.lit", &["romeo"], &Settings::clear());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        montague.routes_to("capulet.lit", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            offer(&mut socket, "<dialback xmlns='urn:xmpp:features:dialback'/>");
            read_to(&mut socket, "</db:result>");
            socket.write_all(answer.as_bytes()).unwrap();
            socket
        });
        let mut romeo = User::online(&montague, "romeo@montague.lit/orchard");
        romeo.send(TO_JULIET);
        assert_eq!(condition(&mut romeo), expected, "{answer}");
        drop(server.join().unwrap());
        let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
        montague.meets(&capulet);
        let mut juliet = User::online(&capulet, "juliet@capulet.lit/balcony");
        talk(&mut romeo, &mut juliet);
    }
}

/// XEP-0220 2.1.2: whoever claims a domain whose own server does not know his key is told so, and says nothing to anybody.
#[test]
fn xep_0220_a_key_that_its_domain_has_not_made_is_invalid() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
    montague.meets(&capulet);
    let mut romeo = User::online(&montague, "romeo@montague.lit/orchard");
    let mut liar = TcpStream::connect(montague.address("s2s")).unwrap();
    liar.write_all(
        b"<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
          xmlns:stream='http://etherx.jabber.org/streams' from='capulet.lit' to='montague.lit' version='1.0'>\
          <db:result from='capulet.lit' to='montague.lit'>made up</db:result>\
          <message from='juliet@capulet.lit/balcony' to='romeo@montague.lit/orchard'><body>I am she</body></message>",
    )
    .unwrap();
    let mut seen = String::new();
    liar.read_to_string(&mut seen).unwrap();
    assert!(seen.contains("type='invalid'") || seen.contains("not-authorized"), "{seen}");
    assert_eq!(romeo.quiet(), []);
    let mut juliet = User::online(&capulet, "juliet@capulet.lit/balcony");
    talk(&mut romeo, &mut juliet);
}
