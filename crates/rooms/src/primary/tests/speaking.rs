//! Who may speak for whom: a replica that is a component of its site speaks for its users when their server's disco#items
//! name it, and for nobody else.

use super::kit::*;
use crate::room::tests::kit::{Got, errors};
use crate::wire::Replicate;
use xmpp::{Element, ns};

const COMPONENT: &str = "replica.vesa.yeggmaex.irc";
const VESA_SITE: &str = "vesa.yeggmaex.irc";

/// The component asks to serve these domains; what came of it.
fn asks(net: &mut Net, domains: &[&str]) -> Vec<Got> {
    let domains = domains.iter().map(|domain| jid(domain)).collect();
    let request = Replicate { domains, ..net.request(VESA) };
    net.feed(&format!("<iq type='set' from='{COMPONENT}' to='{ROOM}' id='r1'>{}</iq>", request.element()))
}

/// Rubenro's join as the component relays it.
fn joins(net: &mut Net) -> Vec<Got> {
    net.feed(&format!(
        "<presence from='{BIG_CHEESE}' to='{ROOM}/BigCheese'><x xmlns='http://jabber.org/protocol/muc'/>\
         <x xmlns='urn:xmpp:tmp:dmuc:0'><up xmlns='urn:netjoin:dmuc:0' outbox='v1' n='1'/></x></presence>"
    ))
}

/// The one question to a domain, as its id.
fn question(got: &[Got], domain: &str) -> String {
    let asked: Vec<&Element> = of(got, domain).into_iter().filter(|s| s.has_child("query", ns::DISCO_ITEMS)).collect();
    assert_eq!(asked.len(), 1, "{got:?}");
    asked[0].get("id").unwrap().to_owned()
}

fn items(net: &mut Net, from: &str, id: &str, jid: &str) -> Vec<Got> {
    net.feed(&format!(
        "<iq type='result' from='{from}' to='{ROOM}' id='{id}'><query xmlns='http://jabber.org/protocol/disco#items'>\
         <item jid='proxy.{from}'/><item jid='{jid}'/></query></iq>"
    ))
}

/// Whether he came in as one whom the room serves itself.
fn is_direct(got: &[Got]) -> bool {
    of(got, BIG_CHEESE).iter().any(|stanza| stanza.to_xml().contains("<status code='110'/>"))
}

/// Shows that the domain is the component's, whichever comes first.
#[test]
fn s4_2_a_component_serves_the_users_of_the_server_that_names_it() {
    for join_comes_first in [true, false] {
        let mut net = Net::new();
        let mut got = Vec::new();
        if join_comes_first {
            assert_eq!(joins(&mut net), []);
        }
        got.extend(asks(&mut net, &[VESA_SITE]));
        let id = question(&got, VESA_SITE);
        if !join_comes_first {
            assert_eq!(joins(&mut net), []);
        }
        let got = items(&mut net, VESA_SITE, &id, COMPONENT);
        assert_eq!(kinds(&got, COMPONENT).last(), Some(&"enter"), "{got:?}");
        assert!(of(&got, BIG_CHEESE).is_empty());
        schema::assert_valid(&net.crossed);
    }
}

/// Its server does not name it: the request gets nobody, and the user is served as anywhere else.
#[test]
fn s4_2_a_component_that_is_not_named_serves_nobody() {
    let mut net = Net::new();
    joins(&mut net);
    let asked = asks(&mut net, &[VESA_SITE]);
    let id = question(&asked, VESA_SITE);
    assert_eq!(items(&mut net, VESA_SITE, &id, "replica.evil.irc"), []);
    let got = net.pass_ms(10_000);
    assert_eq!(errors(&got).last(), Some(&(COMPONENT.into(), "item-not-found".into())), "{got:?}");
    assert!(is_direct(&got) && kinds(&got, COMPONENT).is_empty(), "{got:?}");
}

/// Only the domain itself says what is its.
#[test]
fn s4_2_what_another_says_of_a_domain_is_no_proof() {
    let mut net = Net::new();
    joins(&mut net);
    let asked = asks(&mut net, &[VESA_SITE]);
    let id = question(&asked, VESA_SITE);
    for liar in ["eris.dclxvii.irc", COMPONENT, "rubenro@vesa.yeggmaex.irc"] {
        assert_eq!(items(&mut net, liar, &id, COMPONENT), [], "{liar}");
    }
    assert!(is_direct(&net.pass_ms(10_000)));
}

/// A component asks for domains that it is not within: nobody is asked, and their users come in as they are.
#[test]
fn s4_2_a_component_is_within_the_domain_it_serves() {
    let mut net = Net::new();
    joins(&mut net);
    assert_eq!(asks(&mut net, &["eris.dclxvii.irc", "mesa.yeggmaex.irc", "esa.yeggmaex.irc"]), []);
    assert!(is_direct(&net.pass_ms(10_000)));
}
