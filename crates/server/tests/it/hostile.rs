//! Bad input: each gets the error that RFC 6120 names, and disturbs nobody else.

use crate::site::{Settings, Site};
use crate::user::{Raw, User, header};

const CLIENT: &str = "jabber:client";
const SERVER: &str = "jabber:server";

/// Says something on a stream that has not logged in, and reads how the server ends it.
fn refused(site: &Site, what: &str, content: &str, text: &str) -> String {
    let mut raw = Raw::open(site, what, content);
    raw.say(text);
    raw.rest()
}

/// Runs `with` against a site where somebody else is logged in, who must notice nothing.
fn undisturbed(with: impl FnOnce(&Site)) {
    let site = Site::start("montague.lit", &["romeo", "benvolio"], &Settings::clear());
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    with(&site);
    assert_eq!(benvolio.quiet(), []);
}

fn assert_condition(seen: &str, condition: &str) {
    let expected = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'");
    assert!(seen.contains(&expected), "no {condition} in {seen:?}");
    assert!(seen.trim_end().ends_with("</stream:stream>"), "the stream was not closed: {seen:?}");
}

#[test]
fn before_authentication_each_fault_ends_the_stream_with_its_error() {
    let nested = "<a>".repeat(20_000);
    let oversized = format!("<message><body>{}</body></message>", "x".repeat(20_000));
    let endless_attribute = format!("<message id='{}", "x".repeat(20_000));
    let endless_name = format!("<{}", "x".repeat(20_000));
    let attributes: String = (0..1_000).map(|n| format!(" a{n}='x'")).collect();
    let cases = [
        ("<message></body>", "not-well-formed"),
        ("<message><body>&nbsp;</body></message>", "restricted-xml"),
        ("<!-- psst -->", "restricted-xml"),
        ("<?php ?>", "restricted-xml"),
        ("<!DOCTYPE x>", "restricted-xml"),
        ("<message to='romeo@montague.lit'/>", "not-authorized"),
        ("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", "not-authorized"),
        (&nested, "policy-violation"),
        (&oversized, "policy-violation"),
        (&endless_attribute, "policy-violation"),
        (&endless_name, "policy-violation"),
        (&format!("<message{attributes}/>"), "policy-violation"),
    ];
    undisturbed(|site| {
        for (text, condition) in cases {
            assert_condition(&refused(site, "c2s", CLIENT, text), condition);
        }
    });
}

#[test]
fn s4_9_3_10_a_wrong_content_namespace_is_refused() {
    undisturbed(|site| {
        assert_condition(&refused(site, "c2s", "jabber:tea", ""), "invalid-namespace");
        assert_condition(&refused(site, "s2s", CLIENT, ""), "invalid-namespace");
    });
}

#[test]
fn s4_9_3_6_a_domain_that_is_not_served_is_host_unknown() {
    undisturbed(|site| {
        let mut raw = Raw(crate::user::Socket::connect(site, "c2s"));
        raw.say(&header(CLIENT, "verona.lit"));
        assert_condition(&raw.rest(), "host-unknown");
    });
}

#[test]
fn a_server_that_has_not_shown_who_it_is_sends_nothing() {
    undisturbed(|site| {
        let message = "<message from='juliet@capulet.lit/b' to='benvolio@montague.lit/square'><body>o</body></message>";
        assert_condition(&refused(site, "s2s", SERVER, message), "not-authorized");
    });
}

#[test]
fn s8_1_2_1_a_client_speaks_in_its_own_name_only() {
    undisturbed(|site| {
        let mut romeo = User::online(site, "romeo@montague.lit/orchard");
        romeo.send("<message from='benvolio@montague.lit' to='benvolio@montague.lit/square'/>");
        assert_eq!(romeo.end().map(|error| error.condition), Some("invalid-from"));
    });
}

#[test]
fn stanzas_that_cannot_be_delivered_come_back_with_their_error() {
    let site = Site::start("montague.lit", &["romeo"], &Settings::clear());
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let cases = [
        ("<message to='romeo@@lit' id='1'><body>o</body></message>", "jid-malformed"),
        ("<message to='tybalt@montague.lit' id='2'><body>o</body></message>", "service-unavailable"),
        ("<iq type='get' to='romeo@montague.lit/gone' id='4'><x xmlns='y'/></iq>", "service-unavailable"),
        ("<iq type='get' to='montague.lit' id='5'><x xmlns='y'/></iq>", "service-unavailable"),
        ("<iq type='get' to='montague.lit'><x xmlns='y'/></iq>", "bad-request"),
    ];
    for (text, condition) in cases {
        romeo.send(text);
        let answer = romeo.next();
        let error = answer.get_child("error", CLIENT).unwrap_or_else(|| panic!("{text}: {answer}"));
        assert!(error.has_child(condition, "urn:ietf:params:xml:ns:xmpp-stanzas"), "{text}: {answer}");
    }
    romeo.send(
        "<message type='error' to='tybalt@montague.lit' id='6'/><iq type='result' to='tybalt@montague.lit' id='7'/>",
    );
    assert_eq!(romeo.quiet(), []);
}

/// RFC 6120 8.3.1: an error need not give back what it is about. Who says much to somebody who is not there, and reads only
/// then what comes back, is not cut off by that.
#[test]
fn s8_3_1_bounces_of_long_messages_do_not_cut_their_sender() {
    const SENT: usize = 200;
    undisturbed(|site| {
        let mut romeo = User::online(site, "romeo@montague.lit/orchard");
        let body = "o".repeat(100_000);
        for n in 0..SENT {
            romeo.send(&format!(
                "<message to='nobody@montague.lit/x' type='chat' id='{n}'><body>{body}</body></message>"
            ));
        }
        let mut bounced: Vec<usize> = Vec::new();
        while bounced.len() < SENT {
            let error = romeo.next_of("message");
            assert!(error.get("type") == Some("error") && !error.has_child("body", CLIENT));
            bounced.push(error.get("id").unwrap().parse().unwrap());
        }
        // Some are refused before they are looked at, for there are too many at a time.
        bounced.sort_unstable();
        assert_eq!(bounced, (0..SENT).collect::<Vec<_>>());
    });
}

#[test]
fn what_stays_between_servers_is_taken_from_no_client() {
    let site = Site::start("montague.lit", &["romeo", "benvolio"], &Settings::clear());
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    romeo.send(
        "<message to='benvolio@montague.lit/square' type='chat'><body>o</body>\
         <x xmlns='urn:xmpp:tmp:dmuc:0'/><at xmlns='urn:netjoin:dmuc:0'/></message>",
    );
    assert_eq!(
        benvolio.next_of("message").children().map(|c| c.name().to_owned()).collect::<Vec<_>>(),
        ["body", "stanza-id"]
    );
}

#[test]
fn a_half_open_connection_ends() {
    let settings = Settings { limits: "handshake_seconds = 1".into(), ..Settings::clear() };
    let site = Site::start("montague.lit", &["romeo"], &settings);
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    assert_condition(&Raw::open(&site, "c2s", CLIENT).rest(), "connection-timeout");
    let silent = Raw(crate::user::Socket::connect(&site, "s2s")).rest();
    assert!(silent.contains("connection-timeout"), "{silent:?}");
    assert_eq!(romeo.quiet(), []);
}

#[test]
fn a_client_that_never_reads_is_cut_and_nobody_waits_for_it() {
    let limits = "outbound_bytes = 65536\nmessages_per_second = 1000000\nmessages_burst = 1000000";
    let settings = Settings { limits: limits.into(), ..Settings::clear() };
    let site = Site::start("montague.lit", &["romeo", "benvolio", "tybalt"], &settings);
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let mut benvolio = User::online(&site, "benvolio@montague.lit/square");
    let _tybalt = User::online(&site, "tybalt@montague.lit/square");
    let flood = format!(
        "<message to='tybalt@montague.lit/square' type='headline'><body>{}</body></message>",
        "thou art a villain ".repeat(1_000)
    );
    while site.figures().slow_receivers_cut == 0 {
        romeo.send(&flood);
        assert_eq!(benvolio.quiet(), []);
    }
    romeo.send("<message to='benvolio@montague.lit/square' type='chat'><body>he is gone</body></message>");
    assert_eq!(benvolio.next_of("message").get("from"), Some("romeo@montague.lit/orchard"));
}

#[test]
fn too_many_messages_are_answered_with_an_error() {
    let limits = "messages_per_second = 1\nmessages_burst = 2";
    let settings = Settings { limits: limits.into(), ..Settings::clear() };
    let site = Site::start("montague.lit", &["romeo", "benvolio"], &settings);
    let mut romeo = User::online(&site, "romeo@montague.lit/orchard");
    let _benvolio = User::online(&site, "benvolio@montague.lit/square");
    for _ in 0..20 {
        romeo.send("<message to='benvolio@montague.lit/square' type='chat'><body>o</body></message>");
    }
    let refused = romeo.quiet();
    assert!(!refused.is_empty());
    for stanza in refused {
        let error = stanza.get_child("error", CLIENT).unwrap();
        assert_eq!(error.get("type"), Some("wait"));
        assert!(error.has_child("policy-violation", "urn:ietf:params:xml:ns:xmpp-stanzas"));
    }
}

#[test]
fn an_oversized_stanza_ends_its_stream_only() {
    undisturbed(|site| {
        let mut romeo = User::online(site, "romeo@montague.lit/orchard");
        let body = "x".repeat(300_000);
        let text = format!("<message to='benvolio@montague.lit/square'><body>{body}</body></message>");
        romeo.try_send(text.as_bytes());
        assert_eq!(romeo.end().map(|error| error.condition), Some("policy-violation"));
    });
}
