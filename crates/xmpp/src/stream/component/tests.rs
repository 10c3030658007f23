use super::*;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
     xmlns:stream='http://etherx.jabber.org/streams' from='plays.shakespeare.lit' id='3BF96D32'>";

fn plays() -> (Component, Vec<Output>) {
    let mut component = Component::new(Config {
        domain: "plays.shakespeare.lit".into(),
        secret: "test".into(),
        limits: Limits::AUTHENTICATED,
    });
    let mut out = Vec::new();
    component.handle(Input::Connected, &mut out);
    (component, out)
}

fn feed(component: &mut Component, bytes: &str) -> Vec<Output> {
    let mut out = Vec::new();
    component.handle(Input::Bytes(bytes.as_bytes()), &mut out);
    out
}

fn open() -> Component {
    let (mut component, _) = plays();
    feed(&mut component, HEADER);
    assert_eq!(feed(&mut component, "<handshake/>"), [Output::Ready]);
    component
}

fn written(out: &[Output]) -> String {
    let bytes = out.iter().filter_map(|output| match output {
        Output::Write(bytes) => Some(String::from_utf8(bytes.clone()).unwrap()),
        _ => None,
    });
    bytes.collect()
}

fn failure(out: &[Output]) -> Option<&Failure> {
    match out.last() {
        Some(Output::Closed(failure)) => failure.as_ref(),
        _ => None,
    }
}

/// XEP-0114 section 2: the header names the component, and the handshake is SHA1(id + secret) in lowercase hexadecimal.
#[test]
fn s2_header_handshake_and_readiness() {
    let (mut component, out) = plays();
    let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                  xmlns:stream='http://etherx.jabber.org/streams' to='plays.shakespeare.lit'>";
    assert_eq!(written(&out), header);
    let out = feed(&mut component, HEADER);
    // printf 3BF96D32test | sha1sum
    assert_eq!(written(&out), "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e</handshake>");
    assert_eq!(feed(&mut component, "<handshake/>"), [Output::Ready]);
}

/// RFC 6120 8.1.5: what says no language itself is in that of the stream, which whoever it goes on to cannot know.
#[test]
fn a_stanza_takes_the_language_of_its_stream() {
    let (mut component, _) = plays();
    feed(&mut component, &HEADER.replace("id=", "xml:lang='de' id="));
    feed(&mut component, "<handshake/>");
    let out = feed(&mut component, "<message from='a@b.example' to='plays.shakespeare.lit'/>");
    let [Output::Stanza(stanza)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(stanza.get("xml:lang"), Some("de"));
}

/// XEP-0114 section 2: "SHOULD return a <not-authorized/> stream error"; what it means depends on when it comes.
#[test]
fn s2_refusals_say_what_is_wrong() {
    let error = |condition: &str| {
        format!("<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
    };
    let cases = [
        ("not-authorized", Failure::WrongSecret),
        ("host-unknown", Failure::Unknown),
        ("conflict", Failure::Conflict),
        ("reset", Failure::Stream("reset".into())),
    ];
    for (condition, expected) in cases {
        let (mut component, _) = plays();
        feed(&mut component, HEADER);
        assert_eq!(failure(&feed(&mut component, &error(condition))), Some(&expected));
    }
    let mut component = open();
    assert_eq!(failure(&feed(&mut component, &error("invalid-from"))), Some(&Failure::OwnNameOnly));
    let mut component = open();
    assert_eq!(failure(&feed(&mut component, "</stream:stream>")), Some(&Failure::Ended));
}

/// A server of another kind, or one that says stanzas before it has taken the handshake.
#[test]
fn s2_what_is_no_component_stream_is_ended() {
    let (mut component, _) = plays();
    let out = feed(&mut component, &HEADER.replace("component:accept", "client"));
    assert!(matches!(failure(&out), Some(Failure::Stream(error)) if error.condition == "invalid-namespace"));
    let (mut component, _) = plays();
    feed(&mut component, HEADER);
    let out = feed(&mut component, "<message from='romeo@montague.lit' to='plays.shakespeare.lit'/>");
    assert!(matches!(failure(&out), Some(Failure::Stream(error)) if error.condition == "unsupported-stanza-type"));
    let (mut component, _) = plays();
    assert!(matches!(failure(&feed(&mut component, "<html>")), Some(Failure::Stream(_))));
}

/// "All stanzas … MUST possess a 'from' attribute and a 'to' attribute"; addresses are normalised, any of them is taken.
#[test]
fn s2_stanzas_have_two_addresses() {
    let mut component = open();
    let out =
        feed(&mut component, "<message from='Romeo@Montague.lit/o' to='Stage@elsewhere.lit'><body>o</body></message>");
    let [Output::Stanza(stanza)] = &out[..] else { panic!("{out:?}") };
    assert_eq!((stanza.get("from"), stanza.get("to")), (Some("romeo@montague.lit/o"), Some("stage@elsewhere.lit")));
    assert_eq!(stanza.ns(), ns::CLIENT);
    for damaged in ["<message to='a@b'/>", "<message from='a@b'/>", "<message from='@' to='a@b'/>"] {
        assert_eq!(feed(&mut component, damaged), [], "{damaged}");
    }
    let out = feed(&mut component, "<iq type='get' from='a@b' to='plays.shakespeare.lit'/>");
    assert!(written(&out).contains("<bad-request"), "{out:?}");
    let out = feed(&mut component, "<handshake/>");
    assert!(matches!(failure(&out), Some(Failure::Stream(_))));
}
