//! Requests: to the domain (XEP-0030, 0092, 0199), to accounts and to resources (RFC 6121 8.5).

use crate::world::{JULIET, NURSE, ROMEO, World};

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";
const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const TIME: &str = "<time xmlns='urn:xmpp:time'/>";

/// The answer to a `get` by this session, to this address or to none.
fn ask(w: &mut World, who: &str, to: Option<&str>, payload: &str) -> String {
    let to = to.map(|to| format!(" to='{to}'")).unwrap_or_default();
    w.says(who, &format!("<iq type='get' id='q1'{to}>{payload}</iq>"));
    w.hears(who).concat()
}

fn is(answer: &str, condition: &str) {
    assert!(answer.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>")), "{answer}");
}

#[test]
fn xep_0199_ping_of_server_and_of_oneself() {
    let mut w = World::new();
    w.online(ROMEO);
    assert_eq!(
        ask(&mut w, ROMEO, Some("example.net"), PING),
        format!("<iq type='result' id='q1' from='example.net' to='{ROMEO}'/>")
    );
    assert_eq!(ask(&mut w, ROMEO, None, PING), format!("<iq type='result' id='q1' to='{ROMEO}'/>"));
    assert!(ask(&mut w, ROMEO, Some("example.com"), PING).contains("type='result'"), "from another server too");
}

#[test]
fn xep_0030_the_domain_is_a_server_with_services() {
    let mut w = World::new();
    w.online(ROMEO);
    let info = ask(&mut w, ROMEO, Some("example.net"), INFO);
    assert!(info.contains("<identity category='server' type='im' name='netjoin'/>"), "{info}");
    for feature in ["http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "jabber:iq:version", "jabber:iq:register"]
    {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{info}");
    }
    assert_eq!(
        ask(&mut w, ROMEO, Some("example.net"), ITEMS),
        format!(
            "<iq type='result' id='q1' from='example.net' to='{ROMEO}'>\
             <query xmlns='http://jabber.org/protocol/disco#items'><item jid='chat.example.com' name='Rooms'/></query></iq>"
        )
    );
}

#[test]
fn xep_0030_3_2_a_node_there_is_not_is_not_found() {
    let mut w = World::new();
    w.online(ROMEO);
    for space in ["info", "items"] {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#{space}' node='attic'/>");
        is(&ask(&mut w, ROMEO, Some("example.net"), &query), "item-not-found");
    }
}

#[test]
fn xep_0030_8_an_account_shows_itself_to_subscribers_only() {
    let mut w = World::lovers();
    w.online(NURSE);
    let account = "<identity category='account' type='registered'/>";
    assert!(ask(&mut w, ROMEO, Some("juliet@example.com"), INFO).contains(account));
    assert!(ask(&mut w, JULIET, None, INFO).contains(account));
    assert!(ask(&mut w, ROMEO, Some("juliet@example.com"), PING).contains("type='result'"));
    for payload in [INFO, ITEMS, PING, TIME] {
        let there = ask(&mut w, NURSE, Some("juliet@example.com"), payload);
        is(&there, "service-unavailable");
        assert_eq!(
            there.replace("juliet", "X"),
            ask(&mut w, NURSE, Some("tybalt@example.com"), payload).replace("tybalt", "X")
        );
    }
}

#[test]
fn xep_0092_version_of_the_server() {
    let mut w = World::new();
    w.online(ROMEO);
    let answer = ask(&mut w, ROMEO, Some("example.net"), "<query xmlns='jabber:iq:version'/>");
    let version = env!("CARGO_PKG_VERSION");
    assert!(answer.contains(&format!("<name>netjoin</name><version>{version}</version>")), "{answer}");
}

#[test]
fn s8_4_a_request_nobody_knows_is_service_unavailable() {
    let mut w = World::new();
    w.online(ROMEO);
    for to in [None, Some("example.net"), Some("romeo@example.net")] {
        is(&ask(&mut w, ROMEO, to, TIME), "service-unavailable");
    }
    w.says(ROMEO, "<iq type='set' id='1' to='example.net'><ping xmlns='urn:xmpp:ping'/></iq>");
    is(&w.hears(ROMEO).concat(), "service-unavailable");
}

#[test]
fn s8_5_3_a_request_to_a_resource_is_delivered_or_refused() {
    let mut w = World::new();
    w.online(ROMEO);
    w.online(JULIET);
    assert_eq!(ask(&mut w, ROMEO, Some(JULIET), TIME), "");
    assert_eq!(w.hears(JULIET), [format!("<iq type='get' id='q1' to='{JULIET}' from='{ROMEO}'>{TIME}</iq>")]);
    is(&ask(&mut w, ROMEO, Some("juliet@example.com/tomb"), TIME), "service-unavailable");
    is(&ask(&mut w, ROMEO, Some("tybalt@example.com/tomb"), TIME), "service-unavailable");
}

#[test]
fn rfc_6120_8_2_3_a_request_has_one_child_and_a_known_type() {
    let mut w = World::new();
    w.online(ROMEO);
    is(&ask(&mut w, ROMEO, None, ""), "bad-request");
    is(&ask(&mut w, ROMEO, None, &PING.repeat(2)), "bad-request");
    w.says(ROMEO, &format!("<iq type='ask' id='1' to='example.net'>{PING}</iq>"));
    is(&w.hears(ROMEO).concat(), "bad-request");
}

#[test]
fn rfc_6120_8_3_1_errors_and_results_are_never_answered_with_errors() {
    let mut w = World::new();
    w.online(ROMEO);
    for to in ["example.com", "juliet@example.com", "tybalt@example.com", "juliet@example.com/tomb"] {
        for kind in ["result", "error"] {
            w.says(ROMEO, &format!("<iq type='{kind}' id='1' to='{to}'/>"));
        }
        w.says(ROMEO, &format!("<message type='error' to='{to}'/>"));
        w.says(ROMEO, &format!("<presence type='error' to='{to}'/>"));
    }
    assert_eq!(w.hears(ROMEO), [""; 0]);
}
