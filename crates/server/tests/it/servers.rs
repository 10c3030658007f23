//! Servers among each other: dialback and EXTERNAL, queues and bounces, links cut and healed by hand.

use crate::site::{Settings, Site};
use crate::user::User;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use server::control::{Answer, LinkState, Request};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tempfile::TempDir;

/// Sends from one to the other and back, in order.
pub fn talk(romeo: &mut User, juliet: &mut User) {
    for (one, other) in [(&mut *romeo, "juliet@capulet.lit/balcony"), (&mut *juliet, "romeo@montague.lit/orchard")] {
        for n in 0..30 {
            one.send(&format!("<message to='{other}' type='chat' id='m{n}'><body>o</body></message>"));
        }
    }
    for (one, other) in [(romeo, "juliet@capulet.lit/balcony"), (juliet, "romeo@montague.lit/orchard")] {
        for n in 0..30 {
            let heard = one.next_of("message");
            assert_eq!(heard.get("type"), Some("chat"), "{heard}");
            assert_eq!((heard.get("from"), heard.get("id")), (Some(other), Some(format!("m{n}").as_str())));
        }
    }
}

fn lovers(montague: &Site, capulet: &Site) -> (User, User) {
    montague.meets(capulet);
    lovers_that_meet(montague, capulet)
}

/// Both, logged in.
pub fn lovers_that_meet(montague: &Site, capulet: &Site) -> (User, User) {
    (online(montague, "romeo@montague.lit/orchard"), online(capulet, "juliet@capulet.lit/balcony"))
}

/// Logged in and available, under TLS where the site has it.
pub fn online(site: &Site, full: &str) -> User {
    let settle = |config: &mut xmpp::stream::client::Config| config.tls = xmpp::stream::TlsPolicy::Optional;
    let mut user = User::connect(site, "c2s", full, settle).unwrap();
    user.send("<presence/>");
    user.next_of("presence");
    user
}

#[test]
fn two_domains_talk_by_dialback_in_clear() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
    let (there, here) = (montague.link("capulet.lit"), capulet.link("montague.lit"));
    assert_eq!((there.state, there.stanzas_out, there.stanzas_in), (LinkState::Live, 30, 30));
    assert_eq!((here.stanzas_out, here.stanzas_in), (30, 30));
    assert!(there.bytes_out > 30 * 50 && there.bytes_in > 30 * 50);
}

#[test]
fn self_signed_domains_talk_by_dialback_under_starttls() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::tls());
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::tls());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
}

/// An authority, and sites that trust it and nothing but certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn site(&self, domain: &str, names: &str, users: &[&str]) -> Site {
        self.site_with(domain, CertificateParams::new([names.to_owned()]).unwrap(), users)
    }

    /// A site whose certificate has one name, an otherName: its type, and the string as it is encoded.
    fn site_called(&self, domain: &str, kind: &[u8], name: Vec<u8>, users: &[&str]) -> Site {
        let other = [der(0x06, kind), der(0xA0, &name)].concat();
        let names = der(0x30, &der(0xA0, &other));
        let mut params = CertificateParams::default();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&SUBJECT_ALT_NAME, names)];
        self.site_with(domain, params, users)
    }

    fn site_with(&self, domain: &str, params: CertificateParams, users: &[&str]) -> Site {
        let dir: TempDir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(dir.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(dir.path().join("ca.pem"), self.0.pem()).unwrap();
        let settings = Settings {
            s2s: "trust = \"certificate\"\nca = \"ca.pem\"".into(),
            rest: "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"".into(),
            ..Settings::tls()
        };
        Site::start_in(dir, domain, users, &settings)
    }
}

/// A value of ASN.1, short enough for one byte of length.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

const SUBJECT_ALT_NAME: [u64; 4] = [2, 5, 29, 17];
/// 1.3.6.1.5.5.7.8.7, RFC 4985 2: an IA5String.
const SRV_NAME: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 8, 7];
/// 1.3.6.1.5.5.7.8.5, RFC 6120 13.7.1.4: a UTF8String.
const XMPP_ADDR: [u8; 8] = [0x2B, 6, 1, 5, 5, 7, 8, 5];
const IA5_STRING: u8 = 0x16;
const UTF8_STRING: u8 = 0x0C;

#[test]
fn rfc_6120_13_7_1_2_srv_name_and_xmpp_addr_name_a_server() {
    let authority = Authority::new();
    let montague =
        authority.site_called("montague.lit", &SRV_NAME, der(IA5_STRING, b"_xmpp-server.montague.lit"), &["romeo"]);
    let capulet = authority.site_called("capulet.lit", &XMPP_ADDR, der(UTF8_STRING, b"capulet.lit"), &["juliet"]);
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
}

/// RFC 6120 13.7.1.2.1: a server's SRVName is of the service xmpp-server; 13.7.1.4: an xmppAddr with a local part is a client's.
#[test]
fn rfc_6120_13_7_1_2_names_of_clients_name_no_server() {
    let authority = Authority::new();
    let names = [
        (&SRV_NAME, der(IA5_STRING, b"_xmpp-client.montague.lit")),
        (&SRV_NAME, der(IA5_STRING, b"montague.lit")),
        (&XMPP_ADDR, der(UTF8_STRING, b"romeo@montague.lit")),
    ];
    let capulet = authority.site("capulet.lit", "capulet.lit", &["juliet"]);
    for (kind, name) in names {
        let montague = authority.site_called("montague.lit", kind, name, &["romeo"]);
        let (mut romeo, mut juliet) = lovers(&montague, &capulet);
        romeo.send("<message to='juliet@capulet.lit/balcony' type='chat'><body>o</body></message>");
        assert_eq!(romeo.next_of("message").get("type"), Some("error"));
        juliet.send("<message to='romeo@montague.lit/orchard' type='chat'><body>o</body></message>");
        assert_eq!(juliet.next_of("message").get("type"), Some("error"));
    }
}

#[test]
fn xep_0178_certificates_alone_do_for_domains_they_name() {
    let authority = Authority::new();
    let montague = authority.site("montague.lit", "montague.lit", &["romeo"]);
    let capulet = authority.site("capulet.lit", "capulet.lit", &["juliet"]);
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
}

#[test]
fn xep_0178_a_stranger_with_a_self_signed_certificate_gets_nowhere() {
    let authority = Authority::new();
    let montague = authority.site("montague.lit", "montague.lit", &["romeo"]);
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::tls());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    romeo.send("<message to='juliet@capulet.lit/balcony' type='chat'><body>o</body></message>");
    assert_eq!(romeo.next_of("message").get("type"), Some("error"));
    juliet.send("<message to='romeo@montague.lit/orchard' type='chat'><body>o</body></message>");
    assert_eq!(juliet.next_of("message").get("type"), Some("error"));
    assert_eq!(romeo.quiet(), []);
}

pub fn condition(user: &mut User) -> String {
    let bounced = user.next_of("message");
    assert_eq!(bounced.get("type"), Some("error"), "{bounced}");
    let error = bounced.get_child("error", "jabber:client").unwrap();
    let conditions: Vec<_> = error.children().filter(|c| c.name() != "text").collect();
    conditions[0].name().to_owned()
}

#[test]
fn what_cannot_be_delivered_bounces_with_the_reason() {
    let settings = Settings { s2s: "queue_stanzas = 2\nconnect_seconds = 1".into(), ..Settings::clear() };
    let montague = Site::start("montague.lit", &["romeo"], &settings);
    let mut romeo = User::online(&montague, "romeo@montague.lit/orchard");

    // A port where nobody listens.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    montague.routes_to("gone.lit", gone);
    romeo.send("<message to='juliet@gone.lit' type='chat'><body>o</body></message>");
    assert_eq!(condition(&mut romeo), "remote-server-timeout");

    // A server that accepts and says nothing: two wait, a third is over the bound.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    montague.routes_to("mute.lit", mute.local_addr().unwrap());
    for _ in 0..3 {
        romeo.send("<message to='juliet@mute.lit' type='chat'><body>o</body></message>");
    }
    let mut seen = [condition(&mut romeo), condition(&mut romeo), condition(&mut romeo)];
    seen.sort();
    assert_eq!(seen, ["remote-server-timeout", "remote-server-timeout", "resource-constraint"]);

    // An error is answered by nobody.
    romeo.send("<message to='juliet@gone.lit' type='error'/><presence to='juliet@gone.lit' type='unavailable'/>");
    romeo.send("<message to='nurse@gone.lit' id='last' type='chat'><body>o</body></message>");
    assert_eq!(romeo.next_of("message").get("id"), Some("last"));
}

#[test]
fn what_waits_for_a_server_is_bounded_in_bytes_too() {
    let settings = Settings { s2s: "queue_bytes = 10000\nconnect_seconds = 1".into(), ..Settings::clear() };
    let montague = Site::start("montague.lit", &["romeo"], &settings);
    let mut romeo = User::online(&montague, "romeo@montague.lit/orchard");
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    montague.routes_to("mute.lit", mute.local_addr().unwrap());
    let long = "o".repeat(11_000);
    for body in [&long, "o", "o"] {
        romeo.send(&format!("<message to='juliet@mute.lit' type='chat'><body>{body}</body></message>"));
    }
    let mut seen = [condition(&mut romeo), condition(&mut romeo), condition(&mut romeo)];
    seen.sort();
    assert_eq!(seen, ["remote-server-timeout", "resource-constraint", "resource-constraint"]);
}

#[test]
fn a_link_cut_by_hand_refuses_both_ways_until_it_is_healed() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);

    let domain = "capulet.lit".to_owned();
    assert_eq!(montague.ask(Request::LinkCut { domain: domain.clone() }), Ok(Answer::Done));
    assert_eq!(montague.link(&domain).state, LinkState::Cut);
    romeo.send("<message to='juliet@capulet.lit/balcony' type='chat'><body>o</body></message>");
    assert_eq!(condition(&mut romeo), "remote-server-timeout");
    while capulet.link("montague.lit").streams_out > 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    juliet.send("<message to='romeo@montague.lit/orchard' type='chat'><body>o</body></message>");
    assert_eq!(condition(&mut juliet), "remote-server-timeout");
    assert_eq!(romeo.quiet(), []);

    assert_eq!(montague.ask(Request::LinkHeal { domain: domain.clone() }), Ok(Answer::Done));
    talk(&mut romeo, &mut juliet);
}

#[test]
fn xep_0368_a_stream_under_direct_tls_is_taken() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::tls());
    let mut raw = crate::user::Raw::open(&montague, "s2s-tls", "jabber:server");
    raw.say("</stream:stream>");
    let seen = raw.rest();
    assert!(seen.contains("<dialback xmlns='urn:xmpp:features:dialback'>") && !seen.contains("<starttls"), "{seen}");
}

#[test]
fn a_stream_with_nothing_to_say_is_closed_and_made_again() {
    let settings = Settings { s2s: "idle_seconds = 10".into(), ..Settings::clear() };
    let montague = Site::start("montague.lit", &["romeo"], &settings);
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
    assert_eq!(montague.link("capulet.lit").streams_out, 1);
    while montague.link("capulet.lit").streams_out + montague.link("capulet.lit").streams_in > 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    talk(&mut romeo, &mut juliet);
}

/// A site tells a room of all its people in one stanza (`docs/wire.md`, Registration): with the defaults of `[s2s]` one as
/// long as that of 5,000, with what they show of themselves, passes, and so does what comes behind it.
#[test]
fn a_stanza_as_long_as_a_census_of_five_thousand_passes_between_servers() {
    let settings = Settings { limits: "stanza_bytes = 4194304".into(), ..Settings::tls() };
    let montague = Site::start("montague.lit", &["romeo"], &settings);
    let capulet = Site::start("capulet.lit", &["juliet", "nurse"], &Settings::tls());
    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    let shown = format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{:0>200}' ver='v'/>", "");
    let seat = |n| format!("<seat nick='montague{n}' jid='guest{n}@montague.lit/feast'>{shown}</seat>");
    // In a namespace of nobody's, since a client's words in the link's own are taken away; and RFC 6121 8.5.2.2.1: a
    // headline for somebody who is not there is ignored.
    let seats: String = (0..5_000).map(seat).collect();
    romeo.send(&format!(
        "<message type='headline' to='nurse@capulet.lit'><census xmlns='urn:example:feast'>{seats}</census></message>"
    ));
    talk(&mut romeo, &mut juliet);
    assert!(capulet.link("montague.lit").bytes_in > 1_500_000);
}

/// What is sent to a domain that cannot be reached bounces at once, without a try for each stanza, until there is news of
/// it (RFC 6120 8.3.3.17).
#[test]
fn a_domain_that_cannot_be_reached_is_left_alone_for_a_while() {
    let montague = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let capulet = Site::start("capulet.lit", &["juliet"], &Settings::clear());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    montague.routes_to("capulet.lit", listener.local_addr().unwrap());
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    std::thread::spawn(move || {
        for _socket in listener.incoming() {
            counted.fetch_add(1, Relaxed);
        }
    });
    let mut romeo = User::online(&montague, "romeo@montague.lit/orchard");
    let mut sent = 0;
    while tries.load(Relaxed) == sent {
        assert!(sent < 20, "each stanza was a try");
        sent += 1;
        romeo.send("<message to='juliet@capulet.lit/balcony' type='chat'><body>o</body></message>");
        assert_eq!(condition(&mut romeo), "remote-server-timeout");
    }
    assert!(tries.load(Relaxed) >= 2);

    let (mut romeo, mut juliet) = lovers(&montague, &capulet);
    talk(&mut romeo, &mut juliet);
}

#[test]
fn what_a_dying_stream_has_not_written_bounces() {
    let in_clear = |listener: &TcpListener| {
        let (mut socket, _) = listener.accept().unwrap();
        offer(&mut socket, "<dialback xmlns='urn:xmpp:features:dialback'/>");
        believe(&mut socket);
        socket
    };
    dies_while_nobody_reads(Settings::clear(), in_clear);
}

/// The same under TLS, where what is on its way is in records: one that was cut short holds nothing that has arrived.
#[test]
fn what_a_dying_stream_under_tls_has_not_written_bounces() {
    let under_tls = |listener: &TcpListener| {
        let (mut socket, _) = listener.accept().unwrap();
        offer(&mut socket, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>");
        read_to(&mut socket, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        socket.write_all(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").unwrap();
        let mut socket = StreamOwned::new(anybodys_tls(), socket);
        offer(&mut socket, "<dialback xmlns='urn:xmpp:features:dialback'/>");
        believe(&mut socket);
        socket
    };
    dies_while_nobody_reads(Settings::tls(), under_tls);
}

/// A stream ends while its receiver does not read: of what was sent each message has arrived or bounces, none does both.
fn dies_while_nobody_reads<S: Read>(settings: Settings, taken_by: impl Fn(&TcpListener) -> S) {
    const SENT: usize = 150;
    let settings = Settings { limits: "outbound_bytes = 67108864".into(), ..settings };
    let montague = Site::start("montague.lit", &["romeo"], &settings);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    montague.routes_to("capulet.lit", listener.local_addr().unwrap());
    let mut romeo = online(&montague, "romeo@montague.lit/orchard");
    let zeros = "0".repeat(100_000);
    let mut peer = None;
    for n in 0..SENT {
        romeo
            .send(&format!("<message to='juliet@capulet.lit' type='chat' id='{n}'><body>{n}.{zeros}</body></message>"));
        peer.get_or_insert_with(|| taken_by(&listener));
    }
    // Until both ends of the socket are full and the rest waits; all holds before that too, but shows less.
    let out = || montague.link("capulet.lit").bytes_out;
    let (mut before, mut looks) = (0, 0);
    while looks < 20 || montague.link("capulet.lit").queued < 20 {
        looks = if out() == before { looks + 1 } else { 0 };
        before = out();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(montague.ask(Request::LinkCut { domain: "capulet.lit".into() }), Ok(Answer::Done));
    montague.link_becomes("capulet.lit", |link| link.streams_out == 0);
    let mut seen = Vec::new();
    let _ = peer.unwrap().read_to_end(&mut seen);
    let seen = String::from_utf8(seen).unwrap();
    let whole = seen.split_inclusive("</message>").filter(|stanza| stanza.ends_with("</message>"));
    let number = |stanza: &str| stanza.split_once("<body>")?.1.split_once('.')?.0.parse::<usize>().ok();
    let arrived: BTreeSet<usize> = whole.filter_map(number).collect();
    let lost: Vec<usize> = (0..SENT).filter(|n| !arrived.contains(n)).collect();
    assert!(!lost.is_empty() && !arrived.is_empty());
    let mut bounced: Vec<usize> =
        lost.iter().map(|_| romeo.next_of("message").get("id").unwrap().parse().unwrap()).collect();
    // What came behind the cut may bounce before what the stream gives back.
    bounced.sort_unstable();
    assert_eq!(bounced, lost);
    assert_eq!(romeo.quiet(), []);
}

/// A server's answer to the opening of a stream.
pub fn offer(socket: &mut (impl Read + Write), feature: &str) {
    read_to(socket, "version='1.0'>");
    let opening = format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='capulet.lit' to='montague.lit' id='s1' version='1.0'>\
         <stream:features>{feature}</stream:features>"
    );
    socket.write_all(opening.as_bytes()).and_then(|()| socket.flush()).unwrap();
}

/// It believes the first who comes (XEP-0220 2.1.1).
fn believe(socket: &mut (impl Read + Write)) {
    read_to(socket, "</db:result>");
    let valid = b"<db:result from='capulet.lit' to='montague.lit' type='valid'/>";
    socket.write_all(valid).and_then(|()| socket.flush()).unwrap();
}

pub fn read_to(socket: &mut impl Read, end: &str) {
    let mut seen = String::new();
    while !seen.ends_with(end) {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        seen.push(char::from(byte[0]));
    }
}

/// A server's end of TLS, with a certificate that says nothing.
fn anybodys_tls() -> ServerConnection {
    let made = rcgen::generate_simple_self_signed(["capulet.lit".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}
