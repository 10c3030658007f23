//! RFC 6120 section 9.1, step by step, and everything a client must not do.

mod managed;
mod websocket;

use super::*;
use crate::sasl::{Mechanism, SALT_BYTES};
use crate::stream::client::{self, Client};
use crate::xml::Pool;

const EXPORTER: [u8; 32] = [5; 32];

fn config() -> Config {
    Config::new(vec!["im.example.com".into(), "montague.lit".into()], b"secret".to_vec())
}

fn tls() -> Channel {
    Channel::Tls { exporter: Some(EXPORTER.to_vec()) }
}

/// A server with one account, juliet, whose password is "r0m30"; binds what it is asked to, but for "taken".
struct Server {
    acceptor: Acceptor,
    out: Vec<Output>,
}

impl Server {
    fn new(config: Config, channel: Channel) -> Server {
        Server { acceptor: Acceptor::new(Arc::new(config), channel, [1; 32]), out: Vec::new() }
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.acceptor.handle(input, &mut out);
        for output in out {
            let answer = match &output {
                Output::StartTls => Some(Input::Secured(tls())),
                Output::NeedCredentials(user) if user.as_str() == "juliet@im.example.com" => {
                    let credentials = Credentials::new("r0m30", &[3; SALT_BYTES], 64);
                    Some(Input::Credentials(Lookup::Found(Box::new(credentials))))
                }
                Output::NeedCredentials(_) => Some(Input::Credentials(Lookup::NoAccount)),
                Output::Register { user, .. } if user.local() == Some("juliet") => {
                    Some(Input::Registered(Err(Condition::Conflict.into())))
                }
                Output::Register { .. } => Some(Input::Registered(Ok(()))),
                Output::Bind(jid) if jid.resource() == Some("taken") => Some(Input::Bound(Err(Condition::Conflict))),
                Output::Bind(jid) => Some(Input::Bound(Ok(jid.clone()))),
                Output::Resume { id, .. } if id == "some-long-sm-id" => {
                    let jid = Jid::new("juliet@im.example.com/balcony").unwrap();
                    Some(Input::Resumed(Ok(Session { jid, handled: 7 })))
                }
                Output::Resume { .. } => Some(Input::Resumed(Err(Condition::ItemNotFound))),
                _ => None,
            };
            self.out.push(output);
            if let Some(answer) = answer {
                self.handle(answer);
            }
        }
    }

    fn says(&mut self, text: &str) -> String {
        let before = self.out.len();
        self.handle(Input::Bytes(text.as_bytes()));
        written(&self.out[before..])
    }

    fn opens(&mut self) -> String {
        self.says(HEADER)
    }

    /// Logs juliet in and binds the balcony.
    fn bound() -> Server {
        let mut server =
            Server::new(Config { tls: TlsPolicy::Off, plain_without_tls: true, ..config() }, Channel::Clear);
        server.opens();
        server.says(&plain("juliet", "r0m30"));
        server.opens();
        server.says(BIND);
        assert_eq!(server.acceptor.jid().map(Jid::as_str), Some("juliet@im.example.com/balcony"));
        server.out.clear();
        server
    }

    fn error(&self) -> Option<&'static str> {
        match self.out.last() {
            Some(Output::Closed(error)) => Some(error.as_ref().map_or("", |error| error.condition)),
            _ => None,
        }
    }
}

const HEADER: &str = "<?xml version='1.0'?><stream:stream to='im.example.com' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";
const BIND: &str = "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                    <resource>balcony</resource></bind></iq>";

fn written(out: &[Output]) -> String {
    let texts = out.iter().filter_map(|output| match output {
        Output::Write(bytes) => Some(String::from_utf8(bytes.clone()).unwrap()),
        Output::Answer(stanza) => Some(stanza.to_xml()),
        _ => None,
    });
    texts.collect()
}

fn plain(user: &str, password: &str) -> String {
    let message = crate::stream::wire::sasl_text(format!("\0{user}\0{password}").as_bytes());
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>")
}

/// Plays a client of ours against the server until both are quiet; what became of it.
fn play(server: &mut Server, client: client::Config) -> client::Output {
    let direct = match &server.acceptor.negotiation.as_ref().unwrap().channel {
        Channel::Clear => None,
        Channel::Tls { exporter } => Some(client::Channel { exporter: exporter.clone() }),
    };
    let mut client = Client::new(client, [2; 32]);
    let mut todo = Vec::new();
    client.handle(client::Input::Connected(direct), &mut todo);
    let mut heard = 0;
    let mut last = None;
    loop {
        for output in std::mem::take(&mut todo) {
            match output {
                client::Output::Write(bytes) => server.handle(Input::Bytes(&bytes)),
                client::Output::StartTls => {
                    let channel = client::Channel { exporter: Some(EXPORTER.to_vec()) };
                    client.handle(client::Input::Secured(channel), &mut todo);
                }
                other => last = Some(other),
            }
        }
        let bytes = written(&server.out)[heard..].to_owned();
        heard += bytes.len();
        client.handle(client::Input::Bytes(bytes.as_bytes()), &mut todo);
        if todo.is_empty() {
            return last.expect("it came to something");
        }
    }
}

fn juliet() -> client::Config {
    client::Config::new(&Jid::new("juliet@im.example.com/balcony").unwrap(), "r0m30")
}

/// RFC 6120 9.1: STARTTLS, SASL, binding, with every mechanism offered.
#[test]
fn s9_1_a_client_logs_in_with_each_mechanism() {
    for mechanism in Mechanism::ALL.into_iter().filter(|m| *m != Mechanism::External) {
        let mut server = Server::new(config(), Channel::Clear);
        let client = client::Config { mechanism: Some(mechanism), ..juliet() };
        let ready = client::Output::Ready(Jid::new("juliet@im.example.com/balcony").unwrap());
        assert_eq!(play(&mut server, client), ready, "{mechanism:?}");
        assert!(server.out.contains(&Output::Authenticated(Jid::new("juliet@im.example.com").unwrap())));
    }
}

/// RFC 6120 5.4.2: before TLS nothing else is offered where it is required.
#[test]
fn s5_4_2_features_before_and_after_tls() {
    let mut server = Server::new(Config { registration: true, ..config() }, Channel::Clear);
    let header = server.opens();
    assert!(header.starts_with(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='"
    ));
    assert!(header.ends_with(
        "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
         <limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits></stream:features>"
    ));
    assert!(server.says(&plain("juliet", "r0m30")).contains("<encryption-required/>"));
    assert!(server.says("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").starts_with("<proceed"));
    let features = server.opens();
    assert!(features.contains(
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-256-PLUS</mechanism>\
         <mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>\
         <mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>\
         <sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
         </sasl-channel-binding><register xmlns='http://jabber.org/features/iq-register'/>"
    ));
    assert!(!features.contains("starttls"));
}

/// RFC 6120 5.4.3.3: nothing that came in clear behind <starttls/> counts afterwards.
#[test]
fn s5_4_3_3_leftovers_in_clear_are_thrown_away() {
    let mut acceptor = Acceptor::new(Arc::new(config()), Channel::Clear, [1; 32]);
    let mut out = Vec::new();
    let injected = format!("{HEADER}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{HEADER}{}", plain("a", "b"));
    acceptor.handle(Input::Bytes(injected.as_bytes()), &mut out);
    assert_eq!(out.last(), Some(&Output::StartTls));
    out.clear();
    acceptor.handle(Input::Bytes(plain("a", "b").as_bytes()), &mut out);
    acceptor.handle(Input::Secured(tls()), &mut out);
    assert_eq!(out, []);
}

/// RFC 6120 6.3.4 and 13.8: PLAIN in clear only where the operator says so; -PLUS only with a channel to bind.
#[test]
fn s13_8_mechanisms_by_what_is_safe() {
    let offered = |config: Config, channel| {
        let header = Server::new(config, channel).opens();
        Mechanism::ALL.into_iter().filter(|m| header.contains(&format!(">{}<", m.name()))).collect::<Vec<_>>()
    };
    use Mechanism::*;
    let off = Config { tls: TlsPolicy::Off, ..config() };
    assert_eq!(offered(off.clone(), Channel::Clear), [ScramSha256, ScramSha1]);
    assert_eq!(offered(Config { plain_without_tls: true, ..off }, Channel::Clear), [ScramSha256, ScramSha1, Plain]);
    assert_eq!(offered(config(), Channel::Tls { exporter: None }), [ScramSha256, ScramSha1, Plain]);
    assert_eq!(offered(config(), Channel::Clear), []);
    assert_eq!(offered(Config { sha256: false, ..config() }, tls()), [ScramSha1Plus, ScramSha1, Plain]);
}

#[test]
fn s6_5_wrong_passwords_are_told_from_nothing_else_and_counted() {
    let mut server = Server::new(config(), tls());
    server.opens();
    let wrong = server.says(&plain("juliet", "wrong"));
    assert_eq!(wrong, server.says(&plain("nobody", "wrong")));
    assert!(wrong.contains("<not-authorized/>"));
    assert!(server.out.contains(&Output::Refused(Some(Jid::new("juliet@im.example.com").unwrap()))));
    assert_eq!(server.error(), None);
    server.says(&plain("juliet", "again"));
    assert_eq!(server.error(), Some("policy-violation"));
}

#[test]
fn s6_5_each_failure_has_its_condition() {
    let auth = |mechanism: &str, text: &str| {
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{text}</auth>")
    };
    let as_romeo = crate::stream::wire::sasl_text(b"romeo@montague.lit\0juliet\0r0m30");
    for (said, condition) in [
        (auth("X-NONE", "="), "invalid-mechanism"),
        (auth("EXTERNAL", "="), "invalid-mechanism"),
        (auth("PLAIN", "***"), "incorrect-encoding"),
        (auth("PLAIN", "AAAA"), "malformed-request"),
        (auth("SCRAM-SHA-256", "="), "malformed-request"),
        (auth("PLAIN", &as_romeo), "invalid-authzid"),
        ("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".into(), "malformed-request"),
        (auth("PLAIN", "") + "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "aborted"),
    ] {
        let mut server = Server::new(config(), tls());
        server.opens();
        let answer = server.says(&said);
        assert!(answer.contains(&format!("<{condition}/></failure>")), "{said}: {answer}");
    }
    let mut acceptor = Acceptor::new(Arc::new(config()), tls(), [1; 32]);
    let mut out = Vec::new();
    acceptor.handle(Input::Bytes((HEADER.to_owned() + &plain("juliet", "x")).as_bytes()), &mut out);
    acceptor.handle(Input::Credentials(Lookup::Unavailable), &mut out);
    assert!(written(&out).contains("<temporary-auth-failure/>"));
}

/// RFC 6120 4.9.3: what is wrong with a header, and that ours comes before the error (4.9.1.2).
#[test]
fn s4_9_3_headers_that_are_refused() {
    let streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    for (header, condition) in [
        (format!("<stream:stream {streams} xmlns='jabber:client' to='verona.lit' version='1.0'>"), "host-unknown"),
        (format!("<stream:stream {streams} xmlns='jabber:client' version='1.0'>"), "host-unknown"),
        (format!("<stream:stream {streams} xmlns='jabber:client' to='@' version='1.0'>"), "host-unknown"),
        (
            format!("<stream:stream {streams} xmlns='jabber:server' to='im.example.com' version='1.0'>"),
            "invalid-namespace",
        ),
        (format!("<stream:stream {streams} to='im.example.com' version='1.0'>"), "invalid-namespace"),
        ("<stream xmlns='jabber:client' to='im.example.com' version='1.0'>".into(), "invalid-namespace"),
        (format!("<stream:flow {streams} xmlns='jabber:client' to='im.example.com' version='1.0'>"), "bad-format"),
        (format!("<stream:stream {streams} xmlns='jabber:client' to='im.example.com'>"), "unsupported-version"),
        (
            format!("<stream:stream {streams} xmlns='jabber:client' to='im.example.com' version='0.9'>"),
            "unsupported-version",
        ),
        (
            format!("<stream:stream {streams} xmlns='jabber:client' to='im.example.com' version='9.x'>"),
            "unsupported-version",
        ),
        (
            format!("<stream:stream {streams} xmlns='jabber:client' to='im.example.com' version='1'>"),
            "unsupported-version",
        ),
        ("GET / HTTP/1.1\r\n\r\n".into(), "not-well-formed"),
        ("<!DOCTYPE html>".into(), "restricted-xml"),
    ] {
        let mut server = Server::new(config(), Channel::Clear);
        let answer = server.says(&header);
        assert_eq!(server.error(), Some(condition), "{header}");
        assert_eq!(answer.matches("<stream:stream ").count(), 1, "{answer}");
        assert!(answer.contains(&format!("<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>")));
        assert!(answer.ends_with("</stream:error></stream:stream>"), "{answer}");
    }
}

#[test]
fn s4_3_2_stanzas_before_authentication_and_binding() {
    let mut server = Server::new(config(), tls());
    server.opens();
    server.says("<message to='romeo@montague.lit'><body>Wherefore</body></message>");
    assert_eq!(server.error(), Some("not-authorized"));

    let mut server = Server::new(config(), tls());
    server.opens();
    server.says(&plain("juliet", "r0m30"));
    server.opens();
    server.says("<presence/>");
    assert_eq!(server.error(), Some("not-authorized"));
}

#[test]
fn s7_7_2_2_a_resource_that_is_taken_leaves_another_try() {
    let mut server = Server::new(config(), tls());
    server.opens();
    server.says(&plain("juliet", "r0m30"));
    server.opens();
    let bind = |resource: &str| BIND.replace("<resource>balcony</resource>", resource);
    assert!(server.says(&bind("<resource>taken</resource>")).contains("<conflict xmlns"));
    assert!(server.says(&bind("<resource>\u{2028}</resource>")).contains("<bad-request xmlns"));
    let answer = server.says(&bind(""));
    assert!(answer.contains("<jid>juliet@im.example.com/"), "{answer}");
    assert!(server.says(BIND).contains("<not-allowed xmlns"), "one resource to a stream");
}

/// RFC 6120 8.1.2.1
#[test]
fn s8_1_2_1_every_stanza_leaves_with_the_full_address() {
    let mut server = Server::bound();
    server.says(
        "<message to='Romeo@Montague.LIT'/><presence from='juliet@im.example.com'/>\
         <iq type='get' id='1' from='juliet@im.example.com/balcony'><ping xmlns='urn:xmpp:ping'/></iq>\
         <presence from='juliet@im.example.com/chamber'/>",
    );
    let stanzas: Vec<_> = server
        .out
        .iter()
        .map(|output| match output {
            Output::Stanza(stanza) => (stanza.get("from").unwrap(), stanza.get("to")),
            other => panic!("{other:?}"),
        })
        .collect();
    let me = "juliet@im.example.com/balcony";
    assert_eq!(stanzas, [(me, Some("romeo@montague.lit")), (me, None), (me, None), (me, None)]);
    server.says("<message from='romeo@montague.lit' to='tybalt@capulet.lit'/>");
    assert_eq!(server.error(), Some("invalid-from"));
}

/// RFC 6120 8.1.5: "the client's server SHOULD add an 'xml:lang' attribute" to what says no language itself, that of the stream.
#[test]
fn s8_1_5_a_stanza_takes_the_language_of_its_stream() {
    let langs = |server: &mut Server| -> Vec<Option<String>> {
        server.says("<message to='a@b.example'><body>hi</body></message><presence xml:lang='fr'/>");
        let stanzas = server.out.drain(..).filter_map(|output| match output {
            Output::Stanza(stanza) => Some(stanza.get("xml:lang").map(str::to_owned)),
            _ => None,
        });
        stanzas.collect()
    };
    let bound = |header: &str| {
        let off = Config { tls: TlsPolicy::Off, plain_without_tls: true, ..config() };
        let mut server = Server::new(off, Channel::Clear);
        server.opens();
        server.says(&plain("juliet", "r0m30"));
        server.says(header);
        server.says(BIND);
        server.out.clear();
        server
    };
    let german = HEADER.replace("xmlns=", "xml:lang='de' xmlns=");
    assert_eq!(langs(&mut bound(&german)), [Some("de".into()), Some("fr".into())]);
    assert_eq!(langs(&mut bound(HEADER)), [None, Some("fr".into())]);
    let endless = HEADER.replace("xmlns=", &format!("xml:lang='{}' xmlns=", "x".repeat(65)));
    assert_eq!(langs(&mut bound(&endless))[0], None, "what is no tag is not repeated in each stanza");
}

#[test]
fn s8_3_3_stanzas_that_are_refused_without_ending_the_stream() {
    let mut server = Server::bound();
    for (said, condition) in [
        ("<message to='ro meo@montague.lit'/>", Some("jid-malformed")),
        ("<iq type='get' to='montague.lit'><ping xmlns='urn:xmpp:ping'/></iq>", Some("bad-request")),
        ("<iq type='get' id='1'/>", Some("bad-request")),
        ("<iq type='set' id='1'><a/><b/></iq>", Some("bad-request")),
        ("<iq type='wish' id='1'/>", Some("bad-request")),
        ("<presence type='here'/>", Some("bad-request")),
        ("<message type='error' to='@'/>", None),
        ("<iq type='result' to='montague.lit'/>", None),
    ] {
        let answer = server.says(said);
        match condition {
            Some(condition) => assert!(answer.contains(&format!("<{condition} xmlns")), "{said}: {answer}"),
            None => assert_eq!(answer, "", "{said}"),
        }
        assert_eq!(server.error(), None);
    }
    assert!(!server.out.iter().any(|output| matches!(output, Output::Stanza(_))));
}

#[test]
fn s4_9_3_24_what_is_no_stanza_ends_the_stream() {
    for (said, condition) in [
        ("<query xmlns='jabber:iq:roster'/>", "unsupported-stanza-type"),
        ("<packet/>", "unsupported-stanza-type"),
        ("<message xmlns='jabber:server'/>", "invalid-namespace"),
        ("<a></b>", "not-well-formed"),
        ("hello", "bad-format"),
        ("<!-- -->", "restricted-xml"),
    ] {
        let mut server = Server::bound();
        server.says(said);
        assert_eq!(server.error(), Some(condition), "{said}");
    }
}

/// RFC 6120 13.12: small until authenticated, larger then.
#[test]
fn s13_12_limits_grow_with_authentication() {
    let mut server = Server::bound();
    server.says(&format!("<message><body>{}</body></message>", "x".repeat(200_000)));
    assert!(matches!(server.out.as_slice(), [Output::Stanza(_)]));
    server.says(&"<a>".repeat(20_000));
    assert_eq!(server.error(), Some("policy-violation"));

    let mut server = Server::new(config(), tls());
    server.opens();
    server.says(&format!("<iq id='{}", "x".repeat(20_000)));
    assert_eq!(server.error(), Some("policy-violation"));
}

/// RFC 3921 3, for clients that still ask.
#[test]
fn session_establishment_does_nothing() {
    let mut server = Server::bound();
    let answer = server.says("<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>");
    assert_eq!(answer, "<iq type='result' id='s' to='juliet@im.example.com/balcony'/>");
}

/// XEP-0077 3.1
#[test]
fn xep_0077_s3_1_accounts_are_made_where_that_is_allowed() {
    let set = |user: &str, password: &str| {
        format!(
            "<iq type='set' id='r'><query xmlns='jabber:iq:register'><username>{user}</username>\
             <password>{password}</password></query></iq>"
        )
    };
    let mut server = Server::new(Config { registration: true, ..config() }, tls());
    server.opens();
    let form = server.says("<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>");
    assert!(form.contains("<username/><password/></query></iq>"), "{form}");
    assert!(server.says(&set("juliet", "x")).contains("<conflict xmlns"));
    assert!(server.says(&set("nurse", "")).contains("<not-acceptable xmlns"));
    assert!(server.says(&set("nu rse", "x")).contains("<jid-malformed xmlns"));
    assert_eq!(server.says(&set("nurse", "x")), "<iq type='result' id='r' from='im.example.com'/>");
    let user = Jid::new("nurse@im.example.com").unwrap();
    assert!(server.out.contains(&Output::Register { user, password: "x".into() }));

    let mut closed = Server::new(config(), tls());
    closed.opens();
    assert!(closed.says(&set("nurse", "x")).contains("<not-allowed xmlns"));

    let mut server = Server::new(Config { registration: true, ..config() }, Channel::Clear);
    let client = client::Config { register: true, ..juliet() };
    assert!(matches!(play(&mut server, client), client::Output::Ready(_)), "an account that is there is used");
}

/// What a client sends ahead of the server's answers is kept, in order, up to a limit.
#[test]
fn stanzas_sent_ahead_wait_for_the_binding() {
    let mut acceptor = Acceptor::new(Arc::new(config()), tls(), [1; 32]);
    let mut out = Vec::new();
    acceptor.handle(Input::Bytes((HEADER.to_owned() + &plain("juliet", "r0m30")).as_bytes()), &mut out);
    let credentials = Credentials::new("r0m30", &[3; SALT_BYTES], 64);
    acceptor.handle(Input::Bytes(HEADER.as_bytes()), &mut out);
    acceptor.handle(Input::Bytes((BIND.to_owned() + "<presence/>").as_bytes()), &mut out);
    acceptor.handle(Input::Credentials(Lookup::Found(Box::new(credentials))), &mut out);
    let jid = Jid::new("juliet@im.example.com/balcony").unwrap();
    assert_eq!(out.last(), Some(&Output::Bind(jid.clone())));
    acceptor.handle(Input::Bound(Ok(jid)), &mut out);
    assert!(matches!(out.last(), Some(Output::Stanza(presence)) if presence.name() == "presence"));

    let mut flooded = Acceptor::new(Arc::new(config()), tls(), [1; 32]);
    flooded.handle(Input::Bytes((HEADER.to_owned() + &plain("juliet", "r0m30")).as_bytes()), &mut out);
    flooded.handle(Input::Bytes(&[b' '; 100_000]), &mut out);
    assert!(matches!(out.last(), Some(Output::Closed(Some(error))) if error.condition == "policy-violation"));
}

#[test]
fn s4_4_streams_end_in_both_directions() {
    let mut server = Server::bound();
    assert_eq!(server.says("</stream:stream>"), "</stream:stream>");
    assert_eq!(server.error(), Some(""));

    let mut server = Server::bound();
    server.handle(Input::Close(Some("system-shutdown".into())));
    assert_eq!(server.error(), Some("system-shutdown"));
    assert_eq!(server.says("<presence/>"), "", "nothing is heard after the end");
}

#[test]
fn a_bound_client_that_is_quiet_keeps_little() {
    let mut server = Server::bound();
    let mut pool = Pool::new();
    assert!(server.acceptor.rest(&mut pool));
    assert!(server.acceptor.negotiation.is_none());
    assert!(size_of::<Acceptor>() <= 200, "{} bytes", size_of::<Acceptor>());
    server.acceptor.wake(&mut pool);
    server.says("<presence/>");
    assert!(matches!(server.out.as_slice(), [Output::Stanza(_)]));
}
