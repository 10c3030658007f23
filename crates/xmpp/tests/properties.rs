//! No bytes make the parser or a stream panic or forget its limits; what is written is read again.

use proptest::prelude::*;
use std::sync::Arc;
use xmpp::sasl::{Credentials, Login};
use xmpp::stanza::Condition;
use xmpp::stream::dialback::{Pair, Verdict};
use xmpp::stream::{Acceptor, Client, Incoming, Outgoing, TlsPolicy, acceptor, client, s2s_in, s2s_out, websocket};
use xmpp::xml::{Attr, Limits, Ns, Parser, Pool, StreamEvent};
use xmpp::{Element, Jid, ns};

/// What streams are made of, whole and broken.
const PIECES: [&str; 46] = [
    "<?xml version='1.0'?>",
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a.example' version='1.0'>",
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
     xmlns:db='jabber:server:dialback' from='b.example' to='a.example' id='1' version='1.0'>",
    "</stream:stream>",
    "<stream:features/>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism>\
     <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1hLHI9Yg==</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9YixwPUFBQUE=</response>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj1hYmMscz1BQUFBLGk9MQ==</challenge>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>",
    "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@a.example/x</jid></bind></iq>",
    "<iq type='set' id='1'><query xmlns='jabber:iq:register'><username>a</username><password>b</password></query></iq>",
    "<iq type='error' id='1'/>",
    "<iq/>",
    "<message from='x@b.example' to='y@a.example'><body>hi</body></message>",
    "<message from='x@c.example' to='y@a.example'/>",
    "<message to='@@' type='error'/>",
    "<presence type='x'/>",
    "<db:result from='b.example' to='a.example'>key</db:result>",
    "<db:result from='a.example' to='b.example' type='valid'/>",
    "<db:verify from='b.example' to='a.example' id='1'>key</db:verify>",
    "<db:verify from='a.example' to='b.example' id='1' type='invalid'/>",
    "<a",
    " b='",
    "'",
    ">",
    "</a>",
    "<![CDATA[",
    "&amp;",
    "<!",
    "<enable xmlns='urn:xmpp:sm:3' resume='true'/>",
    "<r xmlns='urn:xmpp:sm:3'/>",
    "<a xmlns='urn:xmpp:sm:3' h='1'/>",
    "<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>",
    "<inactive xmlns='urn:xmpp:csi:0'/>",
];

/// How streams begin that come to something: a client's to us, a server's to us, a server's answers to a client and
/// to a server of ours; numbers of [`PIECES`].
const SCRIPTS: [&[usize]; 9] = [
    &[1, 11, 1, 20, 25],
    &[1, 11, 1, 20, 41, 25, 42],
    &[1, 11, 1, 44, 42],
    &[1, 8, 1, 13, 15],
    &[1, 22, 12],
    &[2, 14, 2, 25],
    &[2, 28, 25],
    &[1, 6, 16],
    &[2, 6, 17],
];

/// The beginning of a script, then pieces in any order, now and then with bytes that are none.
fn stream() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let script = (prop::sample::select(SCRIPTS.to_vec()), 0usize..6);
    let beginning =
        script.prop_map(|(script, n)| script.iter().take(n).map(|at| PIECES[*at].as_bytes().to_vec()).collect());
    (beginning, pieces()).prop_map(|(beginning, pieces): (Vec<_>, Vec<_>)| [beginning, pieces].concat())
}

/// As a client's WebSocket sends it; what opens a stream elsewhere is `<open/>` here.
fn message(piece: &[u8]) -> Vec<u8> {
    let open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.example' version='1.0'/>";
    let text = if piece == PIECES[1].as_bytes() { open.as_bytes() } else { piece };
    let mut frame = websocket::text(text);
    let header = frame.len() - text.len();
    frame[1] |= 0x80;
    frame.splice(header..header, [0; 4]);
    frame
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        12 => prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..24)
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_é][a-zA-Z0-9_.é-]{0,30}"
}

fn namespace() -> impl Strategy<Value = Ns> {
    prop_oneof![
        Just(Ns::Known(ns::CLIENT)),
        Just(Ns::Known("")),
        Just(Ns::Known(ns::MUC_USER)),
        "urn:[a-z<&'\"]{1,20}".prop_map(|text| Ns::Other(text.into())),
    ]
}

/// Whatever XML can say; at most 1000 characters, so that no attribute is over the limit of tokens.
fn text() -> impl Strategy<Value = String> {
    let sayable = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    "(?s).{0,1000}".prop_map(move |text| text.chars().filter(sayable).collect())
}

fn attrs(element: Element, attrs: Vec<(Ns, String, String)>) -> Element {
    attrs.into_iter().fold(element, |mut element, (ns, name, value)| {
        // An attribute without a prefix is in no namespace, so none with a prefix is either.
        let taken = element.attrs().iter().any(|other| other.name == name.as_str() && other.ns == ns);
        if !taken && name != "xmlns" {
            element.push_attr(Attr { ns, name: name.into(), value: value.into() });
        }
        element
    })
}

fn element() -> impl Strategy<Value = Element> {
    let attribute = || (namespace(), name(), text());
    let leaf = (name(), namespace(), prop::collection::vec(attribute(), 0..4))
        .prop_map(|(name, ns, list)| attrs(Element::new(name, ns), list));
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let node = prop_oneof![inner.prop_map(Ok), text().prop_map(Err)];
        (name(), namespace(), prop::collection::vec(attribute(), 0..4), prop::collection::vec(node, 0..4)).prop_map(
            |(name, ns, list, nodes)| {
                nodes.into_iter().fold(attrs(Element::new(name, ns), list), |mut element, node| {
                    match node {
                        Ok(child) => element.push(child),
                        Err(text) if text.is_empty() => {}
                        Err(text) => element.push_text(text),
                    }
                    element
                })
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_written_is_read_again(element in element()) {
        prop_assert_eq!(Element::parse(&element.to_xml()).unwrap(), element);
    }

    #[test]
    fn what_xml_cannot_say_does_not_end_a_stream(body in "(?s).{0,50}[\0-\x1f\u{fffe}\u{ffff}].{0,50}") {
        let element = Element::stanza("message").attr("id", &body).child(Element::new("body", ns::CLIENT).text(&body));
        prop_assert!(Element::parse(&element.to_xml()).is_ok());
    }

    #[test]
    fn parsing_does_not_depend_on_how_bytes_are_cut(pieces in stream(), cut in 1usize..50) {
        let bytes = pieces.concat();
        let read = |size: usize| {
            let (mut parser, mut pool, mut events) = (Parser::default(), Pool::new(), Vec::new());
            for mut part in bytes.chunks(size) {
                parser.wake(&mut pool);
                loop {
                    match parser.next(&mut part) {
                        Ok(Some(event)) => events.push(Ok(event)),
                        Ok(None) => break,
                        Err(error) => {
                            events.push(Err(error));
                            return events;
                        }
                    }
                }
                parser.rest(&mut pool);
            }
            events
        };
        prop_assert_eq!(read(cut), read(bytes.len().max(1)));
    }

    #[test]
    fn no_element_is_larger_than_its_limits(pieces in stream()) {
        let limits = Limits { stanza_bytes: 300, depth: 3, attributes: 2, declarations: 2 };
        fn fits(element: &Element, limits: Limits, depth: u16) -> bool {
            depth <= limits.depth
                && element.attrs().len() <= limits.attributes.into()
                && element.children().all(|child| fits(child, limits, depth + 1))
        }
        let (mut parser, bytes) = (Parser::new(limits), pieces.concat());
        let mut input = bytes.as_slice();
        while let Ok(Some(event)) = parser.next(&mut input) {
            if let StreamEvent::Stanza(element) = event {
                prop_assert!(fits(&element, limits, 1), "{element}");
            }
        }
    }

    /// Whatever a client says and the caller answers, the end is said once and is the end.
    #[test]
    fn client_streams_survive_anything(pieces in stream(), answers in any::<[bool; 6]>(), framed: bool) {
        let config = acceptor::Config {
            tls: if answers[0] { TlsPolicy::Optional } else { TlsPolicy::Off },
            plain_without_tls: true,
            registration: true,
            ..acceptor::Config::new(vec!["a.example".into()], vec![1])
        };
        let config = Arc::new(config);
        let mut acceptor = match framed {
            true => Acceptor::websocket(config, acceptor::Channel::Clear, [0; 32]),
            false => Acceptor::new(config, acceptor::Channel::Clear, [0; 32]),
        };
        let mut ended = 0;
        for piece in pieces {
            let piece = if framed { message(&piece) } else { piece };
            let mut out = Vec::new();
            acceptor.handle(acceptor::Input::Bytes(&piece), &mut out);
            while let Some(output) = out.pop() {
                let answer = match output {
                    acceptor::Output::StartTls => {
                        acceptor::Input::Secured(acceptor::Channel::Tls { exporter: answers[1].then(|| vec![0; 32]) })
                    }
                    acceptor::Output::NeedCredentials(_) if answers[2] => {
                        let credentials = Credentials::new("b", b"salt", 1);
                        acceptor::Input::Credentials(acceptor::Lookup::Found(Box::new(credentials)))
                    }
                    acceptor::Output::NeedCredentials(_) => acceptor::Input::Credentials(acceptor::Lookup::Unavailable),
                    acceptor::Output::Bind(jid) if answers[3] => acceptor::Input::Bound(Ok(jid)),
                    acceptor::Output::Resume { user, .. } if answers[5] => {
                        let jid = user.with_resource("x").unwrap();
                        acceptor::Input::Resumed(Ok(acceptor::Session { jid, handled: u32::MAX }))
                    }
                    acceptor::Output::Resume { .. } => acceptor::Input::Resumed(Err(Condition::ItemNotFound)),
                    acceptor::Output::Register { .. } if answers[4] => acceptor::Input::Registered(Ok(())),
                    acceptor::Output::Closed(_) => {
                        ended += 1;
                        continue;
                    }
                    _ => continue,
                };
                acceptor.handle(answer, &mut out);
            }
        }
        prop_assert!(ended <= 1);
    }

    #[test]
    fn server_streams_to_us_survive_anything(pieces in stream(), good: bool, secured: bool) {
        let config = s2s_in::Config {
            tls: TlsPolicy::Optional,
            ..s2s_in::Config::new(vec!["a.example".into()], vec![1])
        };
        let mut incoming = Incoming::new(Arc::new(config), secured, [0; 32]);
        let mut admitted = Vec::new();
        for piece in pieces {
            let mut out = Vec::new();
            incoming.handle(s2s_in::Input::Bytes(&piece), &mut out);
            while let Some(output) = out.pop() {
                let answer = match output {
                    s2s_in::Output::StartTls => s2s_in::Input::Secured,
                    s2s_in::Output::CheckCertificate(_) => s2s_in::Input::Certificate(good),
                    s2s_in::Output::Verify { pair, .. } => {
                        s2s_in::Input::Verified(pair, if good { Verdict::Valid } else { Verdict::Invalid })
                    }
                    s2s_in::Output::Authenticated(pair) => {
                        admitted.push(pair);
                        continue;
                    }
                    s2s_in::Output::Stanza(stanza) => {
                        let domain = |name| Jid::new(stanza.get(name).unwrap()).unwrap().domain().to_owned();
                        let pair = Pair { from: domain("from"), to: domain("to") };
                        prop_assert!(admitted.contains(&pair));
                        continue;
                    }
                    _ => continue,
                };
                incoming.handle(answer, &mut out);
            }
        }
        prop_assert!(good || admitted.is_empty());
    }

    #[test]
    fn streams_of_ours_survive_anything(pieces in stream(), stanzas: bool) {
        let pair = Pair { from: "b.example".into(), to: "a.example".into() };
        let mut outgoing = Outgoing::new(s2s_out::Config {
            pair: pair.clone(),
            stanzas,
            tls: TlsPolicy::Optional,
            external: true,
            dialback: true,
            dialback_secret: vec![1],
        });
        let user = Jid::new("a@a.example").unwrap();
        let config = client::Config {
            tls: TlsPolicy::Optional,
            plain_without_tls: true,
            login: Login { user: "a".into(), password: "b".into(), authzid: None },
            ..client::Config::new(&user, "b")
        };
        let mut client = Client::new(config, [0; 32]);
        let (mut out, mut said) = (Vec::new(), Vec::new());
        outgoing.handle(s2s_out::Input::Connected { secured: false }, &mut out);
        outgoing.handle(s2s_out::Input::Verify { pair, id: "1".into(), key: "k".into() }, &mut out);
        client.handle(client::Input::Connected(None), &mut said);
        for piece in pieces {
            outgoing.handle(s2s_out::Input::Bytes(&piece), &mut out);
            if out.last() == Some(&s2s_out::Output::StartTls) {
                outgoing.handle(s2s_out::Input::Secured, &mut out);
            }
            client.handle(client::Input::Bytes(&piece), &mut said);
            if said.last() == Some(&client::Output::StartTls) {
                client.handle(client::Input::Secured(client::Channel::default()), &mut said);
            }
        }
        let ends = out.iter().filter(|output| matches!(output, s2s_out::Output::Closed(_))).count();
        let said_ends = said.iter().filter(|output| matches!(output, client::Output::Closed(_))).count();
        prop_assert!(ends <= 1 && said_ends <= 1);
    }
}
