//! XEP-0220 2.2 with its cast: capulet.example sends, montague.example is ours.

use super::*;

fn config() -> Config {
    let domains = vec!["montague.example".into(), "rooms.montague.example".into()];
    Config { tls: TlsPolicy::Optional, ..Config::new(domains, b"d14lb4ck43v3r".to_vec()) }
}

struct Server {
    incoming: Incoming,
    out: Vec<Output>,
}

impl Server {
    fn new(config: Config, secured: bool) -> Server {
        Server { incoming: Incoming::new(Arc::new(config), secured, [1; 32]), out: Vec::new() }
    }

    /// With a stream in clear.
    fn opened() -> Server {
        let mut server = Server::new(config(), false);
        server.says(HEADER);
        server
    }

    /// With capulet.example authenticated for montague.example.
    fn authenticated() -> Server {
        let mut server = Server::opened();
        server.says("<db:result from='capulet.example' to='montague.example'>key</db:result>");
        server.handle(Input::Verified(pair("montague.example"), Verdict::Valid));
        server.out.clear();
        server
    }

    fn handle(&mut self, input: Input<'_>) -> String {
        let before = self.out.len();
        self.incoming.handle(input, &mut self.out);
        let bytes = self.out[before..].iter().flat_map(|output| match output {
            Output::Write(bytes) => bytes.as_slice(),
            _ => &[],
        });
        String::from_utf8(bytes.copied().collect()).unwrap()
    }

    fn says(&mut self, text: &str) -> String {
        self.handle(Input::Bytes(text.as_bytes()))
    }

    fn error(&self) -> Option<&'static str> {
        match self.out.last() {
            Some(Output::Closed(error)) => Some(error.as_ref().map_or("", |error| error.condition)),
            _ => None,
        }
    }
}

fn pair(to: &str) -> Pair {
    Pair { from: "capulet.example".into(), to: to.into() }
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                      xmlns:stream='http://etherx.jabber.org/streams' from='capulet.example' \
                      to='montague.example' version='1.0'>";

#[test]
fn s2_2_1_a_valid_key_lets_its_pair_send() {
    let mut server = Server::opened();
    server.says("<db:result from='capulet.example' to='montague.example'>b483</db:result>");
    let Some(Output::Verify { pair: asked, id, key }) = server.out.last() else { panic!("{:?}", server.out) };
    assert_eq!((asked, key.as_str()), (&pair("montague.example"), "b483"));
    assert!(!id.is_empty());
    let answer = server.handle(Input::Verified(pair("montague.example"), Verdict::Valid));
    assert_eq!(answer, "<db:result from='montague.example' to='capulet.example' type='valid'></db:result>");
    assert_eq!(server.out.last(), Some(&Output::Authenticated(pair("montague.example"))));

    server.says(
        "<message from='juliet@Capulet.Example/balcony' to='romeo@montague.example'><body>Art thou</body></message>",
    );
    let Some(Output::Stanza(stanza)) = server.out.last() else { panic!("{:?}", server.out) };
    assert_eq!((stanza.get("from"), stanza.ns()), (Some("juliet@capulet.example/balcony"), ns::CLIENT));
}

/// RFC 6120 8.1.5: what says no language itself is in that of the stream, which whoever it goes on to cannot know.
#[test]
fn a_stanza_takes_the_language_of_its_stream() {
    let mut server = Server::new(config(), false);
    server.says(&HEADER.replace("version='1.0'>", "version='1.0' xml:lang='de'>"));
    server.says("<db:result from='capulet.example' to='montague.example'>b483</db:result>");
    server.handle(Input::Verified(pair("montague.example"), Verdict::Valid));
    for (said, lang) in [("", "de"), (" xml:lang='fr'", "fr")] {
        server.says(&format!("<message from='juliet@capulet.example/x' to='romeo@montague.example'{said}/>"));
        let Some(Output::Stanza(stanza)) = server.out.last() else { panic!("{:?}", server.out) };
        assert_eq!(stanza.get("xml:lang"), Some(lang));
    }
}

#[test]
fn s2_2_1_an_invalid_key_ends_the_stream_unless_others_share_it() {
    let mut server = Server::opened();
    server.says("<db:result from='capulet.example' to='montague.example'>forged</db:result>");
    let answer = server.handle(Input::Verified(pair("montague.example"), Verdict::Invalid));
    assert_eq!(
        answer,
        "<db:result from='montague.example' to='capulet.example' type='invalid'></db:result></stream:stream>"
    );
    assert_eq!(server.error(), Some(""));

    let mut server = Server::authenticated();
    server.says("<db:result from='capulet.example' to='rooms.montague.example'>forged</db:result>");
    server.handle(Input::Verified(pair("rooms.montague.example"), Verdict::Invalid));
    assert_eq!(server.error(), None);
    server.says("<presence from='juliet@capulet.example' to='montague.example'/>");
    assert!(matches!(server.out.last(), Some(Output::Stanza(_))));
}

#[test]
fn s2_4_2_dialback_errors_leave_the_stream() {
    let mut server = Server::opened();
    let foreign = server.says("<db:result from='capulet.example' to='verona.example'>key</db:result>");
    assert!(foreign.contains("type='error'><error type='cancel'><item-not-found xmlns="), "{foreign}");
    server.says("<db:result from='capulet.example' to='montague.example'>key</db:result>");
    let verdict = Verdict::Error(Condition::RemoteServerNotFound);
    let late = server.handle(Input::Verified(pair("montague.example"), verdict));
    assert!(late.contains("<remote-server-not-found xmlns="), "{late}");
    assert_eq!(server.error(), None);

    let mut strict = Server::new(Config { dialback: false, ..config() }, false);
    strict.says(HEADER);
    let refused = strict.says("<db:result from='capulet.example' to='montague.example'>key</db:result>");
    assert!(refused.contains("<not-authorized xmlns="), "{refused}");
}

/// XEP-0220 2.2.2: keys that we made are valid, whoever asks.
#[test]
fn s2_2_2_we_answer_for_our_own_keys() {
    let ours = Pair { from: "montague.example".into(), to: "capulet.example".into() };
    let key = dialback::key(b"d14lb4ck43v3r", &ours, "417GAF25");
    assert_eq!(key, "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d", "XEP-0220 example 5");
    let mut server = Server::opened();
    let ask = |id: &str, to: &str| format!("<db:verify from='capulet.example' id='{id}' to='{to}'>{key}</db:verify>");
    assert_eq!(
        server.says(&ask("417GAF25", "montague.example")),
        "<db:verify from='montague.example' to='capulet.example' type='valid' id='417GAF25'></db:verify>"
    );
    assert!(server.says(&ask("another", "montague.example")).contains("type='invalid'"));
    assert!(server.says(&ask("417GAF25", "verona.example")).contains("<item-not-found"));
}

#[test]
fn only_authenticated_pairs_pass() {
    let mut server = Server::opened();
    server.says("<message from='juliet@capulet.example' to='romeo@montague.example'/>");
    assert_eq!(server.error(), Some("not-authorized"));
    for (addresses, condition) in [
        ("from='juliet@verona.example' to='romeo@montague.example'", "invalid-from"),
        ("from='juliet@capulet.example' to='coven@rooms.montague.example'", "invalid-from"),
        ("from='juliet@capulet.example' to='romeo@verona.example'", "invalid-from"),
        ("from='@' to='romeo@montague.example'", "invalid-from"),
        ("from='juliet@capulet.example'", "improper-addressing"),
        ("to='romeo@montague.example'", "improper-addressing"),
    ] {
        let mut server = Server::authenticated();
        server.says(&format!("<message {addresses}/>"));
        assert_eq!(server.error(), Some(condition), "{addresses}");
    }
}

#[test]
fn what_is_unfit_is_sent_back_over_our_own_stream() {
    let mut server = Server::authenticated();
    server.says("<message from='juliet@capulet.example/b' to='ro meo@montague.example'/>");
    let Some(Output::Bounce(bounce)) = server.out.last() else { panic!("{:?}", server.out) };
    assert_eq!((bounce.get("from"), bounce.get("to")), (Some("montague.example"), Some("juliet@capulet.example/b")));
    assert!(bounce.to_xml().contains("<jid-malformed"));
    server.says("<iq type='get' from='juliet@capulet.example/b' to='montague.example'/>");
    assert!(matches!(server.out.last(), Some(Output::Bounce(b)) if b.to_xml().contains("<bad-request")));
    server.says("<iq type='result' from='juliet@capulet.example/b' to='montague.example'/>");
    assert_eq!(server.out.len(), 2, "a result is not answered");
    server.says("<hello from='juliet@capulet.example/b' to='montague.example'/>");
    assert_eq!(server.error(), Some("unsupported-stanza-type"));
}

#[test]
fn tls_comes_first_where_it_is_required() {
    let required = || Server::new(Config { tls: TlsPolicy::Required, ..config() }, false);
    let mut server = required();
    let features = server.says(HEADER);
    assert!(features.ends_with(
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
    ));
    server.says("<db:result from='capulet.example' to='montague.example'>key</db:result>");
    assert_eq!(server.error(), Some("policy-violation"));
    let mut server = required();
    server.says(HEADER);
    assert!(server.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").starts_with("<proceed"));
    assert_eq!(server.out.last(), Some(&Output::StartTls));
    server.handle(Input::Secured);
    server.says(HEADER);
    assert_eq!(server.out.last(), Some(&Output::CheckCertificate("capulet.example".into())));
}

/// XEP-0178 section 3, examples 3 to 12.
#[test]
fn xep_0178_s3_external_by_certificate() {
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>Y2FwdWxldC5leGFtcGxl</auth>";
    let mut server = Server::new(config(), true);
    server.says(&(HEADER.to_owned() + auth));
    let features = server.handle(Input::Certificate(true));
    assert!(features.contains("<mechanism>EXTERNAL</mechanism>"), "{features}");
    assert!(features.ends_with("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), "what was sent ahead is kept");
    assert_eq!(server.out.last(), Some(&Output::Authenticated(pair("montague.example"))));
    assert!(!server.says(HEADER).contains("EXTERNAL"));
    server.says("<presence from='juliet@capulet.example' to='romeo@montague.example'/>");
    assert!(matches!(server.out.last(), Some(Output::Stanza(_))));

    let mut other = Server::new(config(), true);
    other.says(HEADER);
    other.handle(Input::Certificate(true));
    let wrong = auth.replace("Y2FwdWxldC5leGFtcGxl", "dmVyb25hLmV4YW1wbGU=");
    assert!(other.says(&wrong).contains("<invalid-authzid/>"));

    let mut bad = Server::new(config(), true);
    bad.says(HEADER);
    let features = bad.handle(Input::Certificate(false));
    assert!(!features.contains("EXTERNAL") && features.contains("<dialback xmlns"), "{features}");
    assert!(bad.says(auth).contains("<invalid-mechanism/>"));
}

#[test]
fn s4_9_3_headers_that_are_refused() {
    for (header, condition) in [
        (HEADER.replace("montague.example", "verona.example"), "host-unknown"),
        (HEADER.replace("jabber:server'", "jabber:client'"), "invalid-namespace"),
        (HEADER.replace("from='capulet.example'", "from='@'"), "invalid-from"),
        (HEADER.replace("version='1.0'>", ">"), "unsupported-version"),
    ] {
        let mut server = Server::new(config(), false);
        server.says(&header);
        assert_eq!(server.error(), Some(condition), "{header}");
    }
}

#[test]
fn the_number_of_pairs_on_a_stream_is_bounded() {
    let mut server = Server::opened();
    let ask = |n: usize| format!("<db:result from='s{n}.capulet.example' to='montague.example'>key</db:result>");
    for n in 0..PAIRS_MAX {
        assert_eq!(server.says(&ask(n)), "");
    }
    assert!(server.says(&ask(PAIRS_MAX)).contains("<resource-constraint"));
    server.says(&ask(0));
    assert_eq!(server.error(), Some("policy-violation"), "one key to a pair");
}
