//! XEP-0198 by its sections, and XEP-0352 4.2, as far as the machine decides them.

use super::*;

const SM: &str = "xmlns='urn:xmpp:sm:3'";
const UNEXPECTED: &str = "<failed xmlns='urn:xmpp:sm:3'>\
                          <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";

impl Server {
    /// Logs juliet in; she is offered what may be done in place of binding.
    fn authenticated() -> Server {
        let mut server = Server::new(config(), tls());
        server.opens();
        server.says(&plain("juliet", "r0m30"));
        let features = server.opens();
        assert!(features.contains("<sm xmlns='urn:xmpp:sm:3'/><csi xmlns='urn:xmpp:csi:0'/>"), "{features}");
        assert!(features.contains("<ver xmlns='urn:xmpp:features:rosterver'/>"), "XEP-0237 2.1: {features}");
        server
    }

    fn enabled() -> Server {
        let mut server = Server::bound();
        server.says(&format!("<enable {SM}/>"));
        server
    }
}

#[test]
fn s3_enabling_with_and_without_resumption() {
    for (attributes, resume, max) in [
        ("", false, None),
        ("resume='true'", true, None),
        ("resume='1' max='60'", true, Some(60)),
        ("resume='false'", false, None),
    ] {
        let mut server = Server::bound();
        server.says(&format!("<enable {SM} {attributes}/>"));
        assert_eq!(server.out, [Output::Enable { resume, max }], "{attributes}");
    }
}

#[test]
fn s3_the_order_is_enforced() {
    let enable = format!("<enable {SM}/>");
    let mut server = Server::new(config(), tls());
    server.opens();
    assert_eq!(server.says(&enable), UNEXPECTED, "before authentication");
    let mut server = Server::authenticated();
    assert_eq!(server.says(&enable), UNEXPECTED, "before binding");
    assert!(server.says(BIND).contains("/balcony"), "and the client may still bind");
}

#[test]
fn s3_a_second_attempt_ends_the_stream() {
    let mut server = Server::enabled();
    let answer = server.says(&format!("<enable {SM}/>"));
    assert!(answer.starts_with(UNEXPECTED), "{answer}");
    assert_eq!(server.error(), Some("policy-violation"));
}

#[test]
fn s4_every_stanza_counts_and_nothing_else() {
    let mut server = Server::bound();
    server.says("<presence/>");
    server.says(&format!("<enable {SM}/>"));
    let request = format!("<r {SM}/>");
    assert_eq!(server.says(&request), format!("<a {SM} h='0'/>"));
    server.says(&format!("<presence/><a {SM} h='0'/> <inactive xmlns='urn:xmpp:csi:0'/><message to='a@b.example'/>"));
    assert_eq!(server.says(&request), format!("<a {SM} h='2'/>"));
    server.says("<iq type='wish' id='1'/><message type='error' to='@'/>");
    assert_eq!(server.says(&request), format!("<a {SM} h='4'/>"), "what is refused is handled too");
}

#[test]
fn s4_h_goes_back_to_zero() {
    let mut server = Server::authenticated();
    server.acceptor.phase = Phase::Bound(Jid::new("juliet@im.example.com/balcony").unwrap());
    server.acceptor.handled = Some(u32::MAX);
    server.says("<presence/>");
    assert_eq!(server.says(&format!("<r {SM}/>")), format!("<a {SM} h='0'/>"));
}

#[test]
fn s4_acknowledgements_are_the_callers() {
    let mut server = Server::enabled();
    server.out.clear();
    server.says(&format!("<a {SM} h='4294967295'/>"));
    assert_eq!(server.out, [Output::Acked(u32::MAX)]);
    for wrong in ["", "h=''", "h='-1'", "h='4294967296'", "h='x'"] {
        let mut server = Server::enabled();
        server.says(&format!("<a {SM} {wrong}/>"));
        assert_eq!(server.error(), Some("bad-format"), "{wrong}");
    }
}

#[test]
fn s4_without_management_there_is_nothing_to_acknowledge() {
    for said in ["<a xmlns='urn:xmpp:sm:3' h='0'/>", "<r xmlns='urn:xmpp:sm:3'/>"] {
        let mut server = Server::bound();
        assert_eq!(server.says(said), UNEXPECTED);
        assert_eq!(server.error(), None, "errors of stream management can be recovered from");
    }
    let mut server = Server::bound();
    server.says("<sm xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(server.error(), Some("unsupported-stanza-type"));
}

#[test]
fn s5_a_session_is_taken_up_with_its_count() {
    let mut server = Server::authenticated();
    server.out.clear();
    let answer = server.says(&format!("<resume {SM} h='3' previd='some-long-sm-id'/>"));
    assert_eq!(answer, format!("<resumed {SM} previd='some-long-sm-id' h='7'/>"));
    let user = Jid::new("juliet@im.example.com").unwrap();
    assert_eq!(server.out[0], Output::Resume { user, id: "some-long-sm-id".into(), acked: 3 });
    server.says("<presence/>");
    assert!(
        matches!(server.out.last(), Some(Output::Stanza(s)) if s.get("from") == Some("juliet@im.example.com/balcony"))
    );
    assert_eq!(server.says(&format!("<r {SM}/>")), format!("<a {SM} h='8'/>"));
    assert_eq!(server.acceptor.session().map(|session| session.handled), Some(8));
}

#[test]
fn s5_an_unknown_session_leaves_the_client_free_to_bind() {
    let mut server = Server::authenticated();
    let answer = server.says(&format!("<resume {SM} h='3' previd='another'/>"));
    assert_eq!(answer, format!("<failed {SM}><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"));
    assert!(server.says(BIND).contains("/balcony"));
    assert_eq!(server.says(&format!("<resume {SM} h='3' previd='some-long-sm-id'/>")), UNEXPECTED, "bound already");
}

#[test]
fn s5_a_stream_that_only_guesses_ends() {
    let mut server = Server::authenticated();
    for _ in 0..3 {
        assert_eq!(server.error(), None);
        server.says(&format!("<resume {SM} h='0' previd='another'/>"));
    }
    assert_eq!(server.error(), Some("policy-violation"));
}

#[test]
fn s5_resuming_says_which_session_and_how_far() {
    for wrong in ["h='3'", "previd='some-long-sm-id'", "h='x' previd='some-long-sm-id'"] {
        let mut server = Server::authenticated();
        assert!(server.says(&format!("<resume {SM} {wrong}/>")).contains("<bad-request"), "{wrong}");
        assert!(server.says(BIND).contains("/balcony"), "{wrong}");
    }
}

/// XEP-0198 9: never before authentication.
#[test]
fn s9_nobody_resumes_unauthenticated() {
    let mut server = Server::new(config(), tls());
    server.opens();
    assert_eq!(server.says(&format!("<resume {SM} h='3' previd='some-long-sm-id'/>")), UNEXPECTED);
    assert!(!server.out.iter().any(|output| matches!(output, Output::Resume { .. })));
}

/// What is sent behind the request waits for the answer, and counts.
#[test]
fn s5_stanzas_sent_ahead_wait_for_the_session() {
    let mut server = Server::authenticated();
    let mut out = Vec::new();
    let ahead = format!("<resume {SM} h='3' previd='x'/><presence/><r {SM}/>");
    server.acceptor.handle(Input::Bytes(ahead.as_bytes()), &mut out);
    assert!(matches!(out.as_slice(), [Output::Resume { .. }]));
    let jid = Jid::new("juliet@im.example.com/balcony").unwrap();
    server.acceptor.handle(Input::Resumed(Ok(Session { jid, handled: 0 })), &mut out);
    assert!(written(&out).ends_with(&format!("<a {SM} h='1'/>")), "{out:?}");
}

/// XEP-0352 4.2
#[test]
fn xep_0352_s4_2_states_are_told_and_not_answered() {
    let mut server = Server::bound();
    let answer = server.says("<inactive xmlns='urn:xmpp:csi:0'/><active xmlns='urn:xmpp:csi:0'/>");
    assert_eq!((answer.as_str(), server.out.as_slice()), ("", &[Output::Active(false), Output::Active(true)][..]));
    server.says("<sleepy xmlns='urn:xmpp:csi:0'/>");
    assert_eq!(server.error(), Some("unsupported-stanza-type"));
}
